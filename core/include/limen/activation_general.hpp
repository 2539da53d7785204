// Ops that work on whole tensors of their own shapes (LIMEN_GENERAL). An author's struct says
// `general = true` and has
//   static bool infer(limen::shapes&)      the shape of the output, or a refusal
//   static void forward(const limen::tensors<F>&)   for F float and double
//   static void backward(const limen::tensors<F>&)  if there is a derivative
// Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_kernels.hpp>

#include <concepts>

namespace limen {

// The shapes of a call: that of the input, and that of the output, which infer() sets.
struct shapes {
  limen_call* call;
  limen_error* error;

  std::uint32_t rank() const { return call->in->rank; }
  std::int64_t dim(std::uint32_t d) const { return d < rank() ? call->in->dims[d] : 1; }
  double param(std::size_t p) const { return call->hyper[p]; }
  // The output has the input's shape until set_dim() changes it. A scalar has no axis to change.
  void set_dim(std::uint32_t d, std::int64_t size) const {
    if (d < rank()) call->out->dims[d] = size;
  }

  // Refuses the call because of parameter number `p`; returns false. The parts of the message are
  // texts and whole numbers.
  template <class... Part>
  bool refuse(std::int32_t p, const Part&... part) const {
    error->code = LIMEN_E_INVALID;
    error->param = p;
    std::uint32_t at = 0;
    (append(at, part), ...);
    error->text[at] = 0;
    return false;
  }

 private:
  void append(std::uint32_t& at, const char* text) const {
    while (*text && at + 1 < error->cap) error->text[at++] = *text++;
  }
  void append(std::uint32_t& at, std::integral auto number) const {
    char digits[24];
    std::uint32_t i = sizeof digits - 1;
    auto rest = static_cast<std::int64_t>(number);
    const bool negative = rest < 0;
    digits[i] = 0;
    do {
      const auto digit = static_cast<int>(rest % 10);
      digits[--i] = static_cast<char>('0' + (negative ? -digit : digit));
      rest /= 10;
    } while (rest != 0);
    if (negative) digits[--i] = '-';
    append(at, digits + i);
  }
};

// The tensors of a call of forward: x and y; of backward: x, dy and dx. What the engine does not
// give has a null `data`. Strides count elements.
template <class F>
struct tensors {
  const limen_call* call;

  double param(std::size_t p) const { return call->hyper[p]; }
  const limen_tensor& x() const { return *call->in; }
  const limen_tensor& y() const { return *call->out; }
  const limen_tensor& dy() const { return *LIMEN_AT(limen_tensor, call->in, 2); }
  const limen_tensor& dx() const { return *call->out; }
  static const F* values(const limen_tensor& t) { return static_cast<const F*>(t.data); }
  static F* result(const limen_tensor& t) { return static_cast<F*>(t.data); }

  // body(begin, end) for parts of [0, n), on the engine's threads.
  template <class Body>
  void parallel(std::uint64_t n, const Body& body) const {
    if (!call->parallel) return body(std::uint64_t{0}, n);
    const auto run = [](void* arg, std::uint64_t begin, std::uint64_t end) {
      (*static_cast<const Body*>(arg))(begin, end);
    };
    call->parallel(call->ctx, n, run, const_cast<Body*>(&body));
  }
};

// Whether elements lie one behind the other, the last axis fastest.
inline bool contiguous(const limen_tensor& t) {
  std::int64_t step = 1;
  for (std::uint32_t d = t.rank; d-- > 0; step *= t.dims[d]) {
    if (t.dims[d] != 1 && t.strides[d] != step) return false;
  }
  return true;
}

namespace detail {

template <class A>
constexpr bool general_op() {
  if constexpr (requires { A::general; })
    return A::general;
  else
    return false;
}

// The result has the shape of x until the op says otherwise; a gradient has it for good.
template <class A>
std::int32_t general_infer(limen_call* call, limen_error* error) {
  call->out->rank = call->in->rank;
  for (std::uint32_t d = 0; d < call->in->rank; ++d) call->out->dims[d] = call->in->dims[d];
  if (call->role != LIMEN_FORWARD) return LIMEN_OK;
  return A::infer(shapes{call, error}) ? LIMEN_OK : LIMEN_E_INVALID;
}

template <class A, class F>
bool general_run(const limen_call* call) {
  const tensors<F> all{call};
  if (call->role == LIMEN_FORWARD) return A::forward(all), true;
  if constexpr (requires { A::backward(all); }) {
    if (call->role == LIMEN_BACKWARD) return A::backward(all), true;
  }
  return false;
}

template <class A>
std::int32_t general_execute(const limen_call* call, limen_error* error) {
  const std::uint32_t dtype = call->in->dtype;
  const bool done = dtype == LIMEN_F32   ? general_run<A, float>(call)
                    : dtype == LIMEN_F64 ? general_run<A, double>(call)
                                         : false;
  if (done) return LIMEN_OK;
  limen_call copy = *call;
  shapes{&copy, error}.refuse(-1, "no kernel for role ", call->role, " and type ", dtype);
  return error->code = LIMEN_E_UNSUPPORTED;
}

}  // namespace detail
}  // namespace limen
