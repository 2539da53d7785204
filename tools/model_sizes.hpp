// Free sizes of a model, and a model as text or JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <limen/model.hpp>

#include "output.hpp"

namespace limen::tools {

// `batch` for every free size that leads an input, 1 for the others.
std::map<std::string, std::int64_t> sizes_with_batch(const Model& model, std::int64_t batch);

// "f32[N, 784]" of an input.
std::string type_text(const InputSpec& input);

// ["N", 784] of "f32[N, 784]".
Json shape_json(const std::string& symbolic);
Json shape_json(const Shape& shape);

}  // namespace limen::tools
