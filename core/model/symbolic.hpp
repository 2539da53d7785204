// Types whose sizes may be free: what shapes are before any data is seen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <limen/model.hpp>

namespace limen::language {

// factor * symbol * symbol ...: 3, N, 2*N*T. Two sizes are equal if they are written equally.
struct SymDim {
  std::int64_t factor = 1;
  std::vector<std::string> symbols;  // sorted

  bool fixed() const { return symbols.empty(); }
  bool operator==(const SymDim&) const = default;
};

// nullopt where the product leaves 64 bits.
std::optional<SymDim> product(const SymDim& a, const SymDim& b);
std::optional<SymDim> product(const std::vector<SymDim>& dims, std::size_t from, std::size_t to);
// a / b if b divides a.
std::optional<SymDim> quotient(const SymDim& a, const SymDim& b);
std::string to_string(const SymDim& dim);

struct SymType {
  std::string declared;  // the dtype as a person wrote it: i64 is held as i32
  DType dtype = DType::f32;
  std::vector<SymDim> dims;

  std::size_t rank() const { return dims.size(); }
};

std::string to_string(const std::vector<SymDim>& dims);  // "[N, 784]"
std::string to_string(const SymType& type);              // "f32[N, 784]"

// With every symbol's size. Throws Error E0606 for a symbol without one, or where a size leaves 64
// bits.
Shape shape_of(const std::vector<SymDim>& dims, const std::map<std::string, std::int64_t>& sizes);

}  // namespace limen::language
