#include "model/symbolic.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace limen::language {

std::optional<SymDim> product(const SymDim& a, const SymDim& b) {
  SymDim out = a;
  if (__builtin_mul_overflow(a.factor, b.factor, &out.factor)) return std::nullopt;
  out.symbols.insert(out.symbols.end(), b.symbols.begin(), b.symbols.end());
  std::sort(out.symbols.begin(), out.symbols.end());
  return out;
}

std::optional<SymDim> product(const std::vector<SymDim>& dims, std::size_t from, std::size_t to) {
  std::optional<SymDim> out = SymDim{};
  for (std::size_t i = from; i < to && out; ++i) out = product(*out, dims[i]);
  return out;
}

std::optional<SymDim> quotient(const SymDim& a, const SymDim& b) {
  if (b.factor == 0 || a.factor % b.factor != 0) return std::nullopt;
  SymDim out{a.factor / b.factor, {}};
  std::set_difference(a.symbols.begin(), a.symbols.end(), b.symbols.begin(), b.symbols.end(),
                      std::back_inserter(out.symbols));
  if (out.symbols.size() + b.symbols.size() != a.symbols.size()) return std::nullopt;
  return out;
}

std::string to_string(const SymDim& dim) {
  if (dim.fixed()) return std::to_string(dim.factor);
  const std::string symbols = fmt::format("{}", fmt::join(dim.symbols, "*"));
  return dim.factor == 1 ? symbols : fmt::format("{}*{}", dim.factor, symbols);
}

std::string to_string(const std::vector<SymDim>& dims) {
  std::string out = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) out += (i ? ", " : "") + to_string(dims[i]);
  return out + "]";
}

std::string to_string(const SymType& type) { return type.declared + to_string(type.dims); }

Shape shape_of(const std::vector<SymDim>& dims, const std::map<std::string, std::int64_t>& sizes) {
  std::vector<std::int64_t> out;
  for (const SymDim& dim : dims) {
    std::int64_t size = dim.factor;
    for (const std::string& symbol : dim.symbols) {
      const auto found = sizes.find(symbol);
      if (found == sizes.end()) {
        throw Error("E0606", fmt::format("the free size `{}` has no value", symbol),
                    {"give a size for every free name of the inputs"});
      }
      if (__builtin_mul_overflow(size, found->second, &size)) {
        throw Error("E0606", fmt::format("the size {} is too large", to_string(dim)),
                    {"use smaller sizes"});
      }
    }
    out.push_back(size);
  }
  return Shape(std::span<const std::int64_t>(out));
}

}  // namespace limen::language
