// The ops of the language that are not plugins: one row each.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <limen/ops.hpp>

#include "model/findings.hpp"
#include "model/program.hpp"

namespace limen::language {

// What a layer's build function may ask for.
class LayerBuilder {
 public:
  virtual ~LayerBuilder() = default;
  virtual Value parameter(const Step& step, std::string_view suffix) = 0;  // "<step>.<suffix>"
  virtual Shape shape(const std::vector<SymDim>& dims) = 0;
  virtual Value counter() = 0;  // the input "step"
  virtual bool training() const = 0;
  virtual std::uint64_t seed(std::string_view purpose, std::string_view name) const = 0;
};

struct Layer {
  CallInfo info;
  int least = 1, most = 1;  // how many tensors it reads; most < 0: any number
  // The type of the result, from those of what the step reads; fills in step.parameters. Findings:
  // E06xx; nullopt then.
  std::optional<SymType> (*infer)(Step& step, const Program& program, Findings& findings);
  Value (*build)(const Step& step, std::span<const Value> in, LayerBuilder& builder);
};

std::span<const Layer> layers();
const Layer* find_layer(std::string_view name);

// The type of what the step reads.
const SymType& operand(const Step& step, const Program& program, std::size_t i = 0);
// Whether all operands hold floats; findings: E0603.
bool floats(const Step& step, const Program& program, Findings& findings);

// The one type of all that the step reads, which must hold floats; findings: E0603, E0607.
std::optional<SymType> infer_equal(Step& step, const Program& program, Findings& findings);

// An activation's result, like Layer::infer and Layer::build.
std::optional<SymType> infer_activation(Step& step, const Program& program, Findings& findings);
Value build_activation(const Step& step, std::span<const Value> in, LayerBuilder& builder);

// A finding about the shapes of what a step reads: the step, then what made its operands.
Diagnostic& shape_error(std::string code, std::string message, const Step& step,
                        const Program& program, Findings& findings);

}  // namespace limen::language
