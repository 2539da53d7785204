// Functions of whole tensors: softmax along the last axis.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

int32_t same_shape(limen_call* call, limen_error*) {
  const limen_tensor& in = call->in[0];
  limen_tensor& out = call->out[0];
  if (in.rank != 2) return LIMEN_E_INVALID;
  out.rank = 2;
  out.dims[0] = in.dims[0];
  out.dims[1] = in.dims[1];
  return LIMEN_OK;
}

template <class T, bool WrongAxis>
void run(const limen_call* call) {
  const limen_tensor& first = call->in[0];
  const std::int64_t rows = first.dims[0], n = first.dims[1];
  T* const out = static_cast<T*>(call->out[0].data);
  if (call->role == LIMEN_FORWARD) {
    const T* const x = static_cast<const T*>(first.data);
    for (std::int64_t r = 0; r < rows && n > 0; ++r) {
      softmax(x + r * n, out + r * n, static_cast<std::uint64_t>(n));
    }
    return;
  }
  const T* const y = static_cast<const T*>(call->in[1].data);
  const T* const dy = static_cast<const T*>(call->in[2].data);
  for (std::int64_t i = 0; i < rows * n; ++i) {
    T sum = 0;
    const std::int64_t from = WrongAxis ? i % n : i / n * n, step = WrongAxis ? n : 1;
    for (std::int64_t k = 0; k < (WrongAxis ? rows : n); ++k) {
      sum += y[from + k * step] * dy[from + k * step];
    }
    out[i] = y[i] * (dy[i] - sum);
  }
}

template <bool WrongAxis>
int32_t execute(const limen_call* call, limen_error*) {
  call->in[0].dtype == LIMEN_F32 ? run<float, WrongAxis>(call) : run<double, WrongAxis>(call);
  return LIMEN_OK;
}

template <bool WrongAxis>
constexpr limen_op tensors(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_GENERAL, nullptr, 0), what, caught_by);
  o.infer = same_shape;
  o.execute = execute<WrongAxis>;
  return o;
}

LISTED(c53, tensors<false>("c53_softmax_of_tensors", "any shape of rank 2, an axis of 0 too", ""))
LISTED(r05, tensors<true>("r05_softmax_wrong_axis", "backward sums along the other axis",
                          "derivative-fd"))

}  // namespace

SELFTEST_PLUGIN("tensors")
