// A model after reading: everything checked, names looked up, shapes known up to the free sizes.
// What parse.cpp makes and build.cpp turns into graphs.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <limen/model.hpp>
#include <limen/plugin_registry.hpp>

#include "model/calls.hpp"
#include "model/symbolic.hpp"
#include "model/yaml.hpp"

namespace limen::language {

struct Layer;  // layers.hpp

struct ParameterPlan {
  std::string suffix;  // "weight"
  std::vector<std::int64_t> dims;
  InitSpec init;
  std::int64_t fan_in = 0, fan_out = 0;
};

// A parameter of an activation that is learned.
struct LearnedParam {
  std::string name;
  double start = 0;
  bool per_channel = false;
};

// A value that steps can read: an input or a step. Values are numbered, the inputs first; an index
// of values is what `reads` holds.
struct Step {
  std::string name;
  bool written = false;  // the name stands in the file
  std::string op;
  Node named;  // the op's name in the file
  std::vector<std::size_t> reads;
  const Layer* layer = nullptr;  // null: an activation
  Args args;
  std::optional<Activation> activation;
  std::vector<LearnedParam> learned;  // of the activation
  SymType type;
  std::vector<ParameterPlan> parameters;
};

struct InputPlan {
  InputSpec spec;
  SymType type;
  Place named;
};

struct OutputPlan {
  std::string name;
  std::size_t value = 0;
};

struct LossPlan {
  std::string kind, name;
  Args args;
  double weight = 1;
  std::size_t prediction = 0, target = 0;  // of `value`: prediction alone
  Node named;
};

struct Program {
  std::string name;
  std::vector<InputPlan> inputs;
  std::vector<Step> steps;      // of `graph`, then those of `outputs`
  std::size_t graph_steps = 0;  // how many belong to `graph`
  std::vector<OutputPlan> outputs;
  std::vector<LossPlan> losses, metrics;
  std::optional<TrainSpec> train;
  std::optional<DataSpec> data;
  std::vector<const Node*> figures;  // `val.accuracy` and the like, to be checked with the metrics
  std::uint64_t seed = 0;

  std::size_t values() const { return inputs.size() + steps.size(); }
  const SymType& type_of(std::size_t value) const {
    return value < inputs.size() ? inputs[value].type : steps[value - inputs.size()].type;
  }
  const std::string& name_of(std::size_t value) const {
    return value < inputs.size() ? inputs[value].spec.name : steps[value - inputs.size()].name;
  }
  // Where the value is made: the op's name, or the type of the input.
  Span made_at(std::size_t value, std::string label) const;
};

// The sections of a file that need nothing of the graph. Each finds what it can.
void read_inputs(const Node& node, Program& program, Findings& findings);
void read_train(const Node& node, Program& program, Findings& findings);
void read_data(const Node& node, Program& program, Findings& findings);
// Whether the data feeds every input; E0803.
void check_data(Program& program, Findings& findings);
// Loads what the file asks for. Findings: E0205, E0501.. of the loader, E0519 outside the folder.
void read_plugins(const Node& node, const std::string& file, const ModelOptions& options,
                  PluginRegistry& registry, Findings& findings);

// The text of a file as a program. Throws Error with all findings of the first stage that has any.
struct Reading {
  std::deque<Source> sources;  // what the places point into
  Node tree;                   // after --set and variables
  std::vector<Diagnostic> warnings;
  Program program;
};
std::unique_ptr<Reading> read_model(std::string text, const std::string& file,
                                    PluginRegistry& registry, const ModelOptions& options);

// "`Body`", or what the node is where it is no name at all.
std::string name_text(const Node& node);

// A map's keys against the known ones: E0103 with did-you-mean, E0110 for those of `later`, which
// the language has and this version does not.
void check_keys(const Node& map, std::string_view what, const std::vector<std::string>& known,
                const std::vector<std::string>& later, Findings& findings);

}  // namespace limen::language
