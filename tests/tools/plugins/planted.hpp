// What the plugins with planted mistakes are built from: tables by hand against limen/plugin.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <limen/plugin.h>

#include "../../check/mutants/element.hpp"

namespace planted {

using Run = void (*)(const limen_tile*);

constexpr limen_kernel kernel(std::uint32_t role, std::uint32_t dtype, Run run,
                              std::uint32_t reads = LIMEN_X, std::uint32_t alias = 0,
                              std::uint32_t isa = LIMEN_ISA_ANY) {
  return {sizeof(limen_kernel), role, dtype, isa, 0, reads, alias, 0, 0, 0, run};
}

constexpr limen_facts no_facts() {
  limen_facts facts{};
  facts.size = sizeof facts;
  return facts;
}

constexpr limen_op op(const char* name, const limen_kernel* kernels, std::size_t n,
                      const char* formula = "") {
  limen_op o{};
  o.size = sizeof o;
  o.name = name;
  o.version = "1.0.0";
  o.summary = "one planted mistake";
  o.formula = formula;
  o.kind = LIMEN_MAP;
  o.dtypes = LIMEN_F32 | LIMEN_F64;
  o.arity = o.outputs = 1;
  o.axis = -1;
  o.n_kernels = static_cast<std::uint32_t>(n);
  o.kernels = kernels;
  return o;
}

template <class T>
const T* in(const void* const* list, std::size_t k = 0) {
  return static_cast<const T*>(list[k]);
}
template <class T>
T* out(void* const* list, std::size_t k = 0) {
  return static_cast<T*>(list[k]);
}
inline bool adds(const limen_tile* t) { return (t->flags & LIMEN_TILE_ACCUMULATE) != 0; }

}  // namespace planted

#define PLANTED_PLUGIN(plugin_name, ...) LIMEN_TEST_PLUGIN(plugin_name, __VA_ARGS__)
