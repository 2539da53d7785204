// The sections `graph`, `outputs`, `loss` and `metrics`, in the stages in which mistakes are told:
// keys, names, shapes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/layers.hpp"
#include "model/program.hpp"

namespace limen::language {

// A step, a loss or a metric as written, before its names are looked up.
struct StepDraft {
  Call call;
  const Node* name = nullptr;  // the value of `name:`, null if not written
  const Node* from = nullptr;  // likewise; also the list of `- add: [a, b]`
  Step step;
};

struct TermDraft {
  Call call;
  const Node* name = nullptr;
  const Node* from = nullptr;
  LossPlan plan;
  bool metric = false;
};

// Names of one scope: inputs and steps.
class Scope {
 public:
  struct Entry {
    std::size_t value;
    Place named;
  };
  std::map<std::string, Entry> written;    // what may be read
  std::map<std::string, Entry> automatic;  // what is only shown
  std::map<std::string, Place> later;      // written further down

  // The value a node names. Findings: E0404 no name, E0405 unknown, E0410 an automatic name.
  std::optional<std::size_t> find(const Node& node, const Program& program,
                                  Findings& findings) const;
};

class GraphReader {
 public:
  GraphReader(Program& program, const PluginRegistry& registry, Findings& findings)
      : program_(program), registry_(registry), findings_(findings) {}

  // Keys: what is called, with which arguments.
  void draft_graph(const Node& node);
  void draft_outputs(const Node& node);
  void draft_terms(const Node& node, bool metrics);
  // Names: who reads what. Makes the steps of the program, without types.
  void resolve_names();
  // Shapes. Stops at the first mistake.
  void infer_shapes();

 private:
  void draft_step(const Node& node, std::vector<StepDraft>& into);
  void draft_call(StepDraft& draft);
  void draft_activation(StepDraft& draft);
  void set_activation(StepDraft& draft, const Activation& found, const Args& args);
  void read_list_as_from(StepDraft& draft);
  bool learns_something(const StepDraft& draft, const Activation& activation);
  void unknown_op(const Call& call);
  void draft_term(const Node& node, bool metric);

  void name_steps();
  void declare(StepDraft& draft, std::map<std::string, int>& counts);
  void connect(StepDraft& draft, std::size_t above);
  void check_pieces(const Step& step, int count);
  void resolve_outputs(std::size_t last);
  void resolve_term(TermDraft& draft, std::size_t last, std::map<std::string, Place>& names);
  std::optional<std::size_t> only_target(const TermDraft& draft, std::size_t last);

  void check_term(const LossPlan& plan);

  Program& program_;
  const PluginRegistry& registry_;
  Findings& findings_;
  std::vector<StepDraft> steps_;
  struct OutputDraft {
    const Node* node = nullptr;
    std::optional<StepDraft> step;  // an op; nothing: the name of a step
  };
  const Node* outputs_node_ = nullptr;
  std::vector<OutputDraft> outputs_;
  std::vector<TermDraft> terms_;
  Scope scope_;
};

// The op of `formula: ...`, with its parameters at 1. Findings: E0202, E0203, E0205, E0209 (what is
// wrong in the formula, at its place), E0531 (no compiler), E0532, E0903.
std::optional<Activation> read_formula(const Call& call, Findings& findings);

// The losses and metrics of the language.
std::span<const CallInfo> losses();
std::span<const CallInfo> metrics();
// What the language has and this version has not: E0110 is said of these.
bool later_op(std::string_view name);

}  // namespace limen::language
