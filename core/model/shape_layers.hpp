// Layers that change shapes: their types and their graphs, for the table in layers.cpp.
#pragma once

#include <optional>
#include <span>

#include "model/layers.hpp"

namespace limen::language {

std::optional<SymType> infer_flatten(Step& step, const Program& program, Findings& findings);
std::optional<SymType> infer_reshape(Step& step, const Program& program, Findings& findings);
std::optional<SymType> infer_concat(Step& step, const Program& program, Findings& findings);
std::optional<SymType> infer_transpose(Step& step, const Program& program, Findings& findings);
std::optional<SymType> infer_reduce(Step& step, const Program& program, Findings& findings);

Value build_reshape(const Step& step, std::span<const Value> in, LayerBuilder& builder);
Value build_concat(const Step& step, std::span<const Value> in, LayerBuilder& builder);
Value build_transpose(const Step& step, std::span<const Value> in, LayerBuilder& builder);
Value build_reduce_mean(const Step& step, std::span<const Value> in, LayerBuilder& builder);
Value build_reduce_sum(const Step& step, std::span<const Value> in, LayerBuilder& builder);

// The axis in [0, rank); findings: E0605.
std::optional<std::size_t> axis_of(std::int64_t axis, const SymType& in, const Step& step,
                                   const Program& program, Findings& findings);

}  // namespace limen::language
