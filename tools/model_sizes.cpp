#include "model_sizes.hpp"

#include <charconv>

#include <fmt/format.h>

namespace limen::tools {

std::map<std::string, std::int64_t> sizes_with_batch(const Model& model, std::int64_t batch) {
  std::map<std::string, std::int64_t> sizes;
  for (const InputSpec& input : model.inputs()) {
    for (std::size_t axis = 0; axis < input.dims.size(); ++axis) {
      const std::string& symbol = input.dims[axis].symbol;
      if (symbol.empty()) continue;
      std::int64_t& size = sizes.try_emplace(symbol, 1).first->second;
      if (axis == 0) size = batch;
    }
  }
  return sizes;
}

std::string type_text(const InputSpec& input) {
  std::string text;
  for (const Dim& dim : input.dims) {
    if (!text.empty()) text += ", ";
    text += dim.symbol.empty() ? std::to_string(dim.size) : dim.symbol;
  }
  return fmt::format("{}[{}]", input.declared, text);
}

Json shape_json(const std::string& symbolic) {
  Json shape = Json::array();
  const std::size_t open = symbolic.find('['), close = symbolic.rfind(']');
  if (open == std::string::npos || close == std::string::npos) return shape;
  const std::string inside = symbolic.substr(open + 1, close - open - 1);
  for (std::size_t at = 0; at < inside.size();) {
    std::size_t end = inside.find(',', at);
    if (end == std::string::npos) end = inside.size();
    const std::string part = inside.substr(at, end - at);
    std::int64_t size = 0;
    const auto [stop, fault] = std::from_chars(part.data(), part.data() + part.size(), size);
    const bool whole = fault == std::errc{} && stop == part.data() + part.size();
    if (whole) {
      shape.push_back(size);
    } else {
      shape.push_back(part);
    }
    at = inside.find_first_not_of(", ", end);
    if (at == std::string::npos) break;
  }
  return shape;
}

Json shape_json(const Shape& shape) {
  Json json = Json::array();
  for (const std::int64_t size : shape) json.push_back(size);
  return json;
}

}  // namespace limen::tools
