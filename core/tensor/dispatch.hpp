// The one place where a DType becomes a C++ type.
#pragma once

#include <cstdint>
#include <utility>

#include <limen/tensor.hpp>

namespace limen {

// Calls f(T{}) with T the element type: dispatch(dtype, [&]<class T>(T) { ... }).
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::i32:
      break;
  }
  return f(std::int32_t{});
}

// The same for floating-point tensors only; f is not instantiated for integers. Callers have
// checked the dtype in infer(), so an integer here is limen's own mistake.
template <class F>
decltype(auto) dispatch_float(DType dtype, F&& f) {
  assert(is_float(dtype));
  if (dtype == DType::f64) return f(double{});
  return f(float{});
}

}  // namespace limen
