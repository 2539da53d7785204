// Values of a `data` section, written down in a test.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include <limen/data_spec.hpp>

namespace limen::test {

inline DataValue text(std::string value) { return {std::move(value), {}}; }
inline DataValue whole(std::int64_t value) { return {value, {}}; }
inline DataValue real(double value) { return {value, {}}; }
inline DataValue yes() { return {true, {}}; }
inline DataValue list(DataValue::List values) { return {std::move(values), {}}; }
inline DataValue map(std::initializer_list<std::pair<std::string, DataValue>> entries) {
  DataValue::Map out;
  for (const auto& [name, value] : entries) out.push_back({name, {}, value});
  return {std::move(out), {}};
}

}  // namespace limen::test
