// Functions of whole tensors: softmax along the last axis, and functions of each element of tensors
// of any strides.
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

// --- each element: y = f(x), dx = slope(x, y) dy, with strides
// -----------------------------------------
std::int64_t count(const limen_tensor& t) {
  std::int64_t n = 1;
  for (std::uint32_t axis = 0; axis < t.rank; ++axis) n *= t.dims[axis];
  return n;
}
struct Own {
  static std::int64_t stride(std::int64_t given) { return given; }
};
struct ZeroIsOne {
  static std::int64_t stride(std::int64_t given) { return given == 0 ? 1 : given; }
};
struct Size {
  static std::int64_t stride(std::int64_t given) { return given < 0 ? -given : given; }
};
template <class Strides = Own>
std::int64_t place(const limen_tensor& t, std::int64_t i) {
  std::int64_t at = 0;
  for (std::uint32_t axis = t.rank; axis-- > 0; i /= t.dims[axis]) {
    at += i % t.dims[axis] * Strides::stride(t.strides[axis]);
  }
  return at;
}
int32_t any_shape(limen_call* call, limen_error*) {
  call->out[0].rank = call->in[0].rank;
  for (std::uint32_t i = 0; i < call->in[0].rank; ++i) call->out[0].dims[i] = call->in[0].dims[i];
  return LIMEN_OK;
}

// What right ops do; a wrong one has a member of its own instead.
struct Square {
  using OfDy = Own;
  static constexpr bool y_like_x = false, dx_like_dy = false;
  template <class T>
  static T f(T x) {
    return x * x;
  }
  template <class A, class T>
  static void backward(const limen_call* call) {
    const limen_tensor &x = call->in[0], &y = call->in[1], &dy = call->in[2], &dx = call->out[0];
    const std::int64_t n = A::counted(x);
    for (std::int64_t i = 0; i < n; ++i) {
      const T slope = A::slope(static_cast<const T*>(x.data)[place(x, i)],
                               static_cast<const T*>(y.data)[place(y, i)], i, x);
      static_cast<T*>(dx.data)[place(A::dx_like_dy ? dy : dx, i)] =
          slope * static_cast<const T*>(dy.data)[place<typename A::OfDy>(dy, i)];
    }
  }
  static std::int64_t counted(const limen_tensor& x) { return count(x); }
  template <class T>
  static T slope(T x, T, std::int64_t, const limen_tensor&) {
    return 2 * x;
  }
  static bool takes(const limen_tensor&) { return true; }
};
template <class A, class T>
int32_t run_each(const limen_call* call) {
  const limen_tensor &x = call->in[0], &y = call->out[0];
  if (!A::takes(x)) return LIMEN_E_UNSUPPORTED;
  if (call->role == LIMEN_BACKWARD) return A::template backward<A, T>(call), LIMEN_OK;
  for (std::int64_t i = 0; i < count(x); ++i) {
    static_cast<T*>(y.data)[place(A::y_like_x ? x : y, i)] =
        A::f(static_cast<const T*>(x.data)[place(x, i)]);
  }
  return LIMEN_OK;
}
template <class A>
int32_t execute_each(const limen_call* call, limen_error*) {
  return call->in[0].dtype == LIMEN_F32 ? run_each<A, float>(call) : run_each<A, double>(call);
}
template <class A>
constexpr limen_op each(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_GENERAL, nullptr, 0), what, caught_by);
  o.infer = any_shape;
  o.execute = execute_each<A>;
  return o;
}

struct ZeroStride : Square {
  using OfDy = ZeroIsOne;
};
struct NoSign : Square {
  using OfDy = Size;
};
struct DxLikeDy : Square {
  static constexpr bool dx_like_dy = true;
};
struct YLikeX : Square {
  static constexpr bool y_like_x = true;
};
struct Scalar : Square {
  static std::int64_t counted(const limen_tensor& x) { return x.rank == 0 ? 0 : count(x); }
};
template <class Lost>
struct SquareBut : Square {
  template <class T>
  static T slope(T x, T, std::int64_t i, const limen_tensor& t) {
    return Lost::at(i, t) ? x : 2 * x;
  }
};
struct SecondBlock {
  static bool at(std::int64_t i, const limen_tensor&) { return (i & 4096) != 0; }
};
struct RankFive {
  static bool at(std::int64_t, const limen_tensor& t) { return t.rank > 4; }
};
struct AxisOfOne {
  static bool at(std::int64_t, const limen_tensor& t) { return t.rank == 3 && t.dims[1] == 1; }
};
struct Shared : Square {
  template <class A, class T>
  static void backward(const limen_call* call) {
    static T slopes[16384];
    const limen_tensor &x = call->in[0], &dy = call->in[2], &dx = call->out[0];
    const std::int64_t n = count(x);
    for (std::int64_t i = 0; i < n; ++i) {
      slopes[i % 16384] = 2 * static_cast<const T*>(x.data)[place(x, i)];
    }
    for (std::int64_t i = 0; i < n; ++i) {
      static_cast<T*>(dx.data)[place(dx, i)] =
          slopes[i % 16384] * static_cast<const T*>(dy.data)[place(dy, i)];
    }
  }
};
LISTED(t31, each<DxLikeDy>("t31_dx_like_dy", "dx is written with the strides of dy", "unaligned"))
LISTED(t32, each<YLikeX>("t32_y_like_x", "forward writes y with the strides of x", "unaligned"))
LISTED(t33, each<ZeroStride>("t33_zero_stride", "a stride of 0 of dy is taken for 1", "unaligned"))
LISTED(t34, each<NoSign>("t34_negative_stride", "the sign of strides of dy is lost", "unaligned"))
LISTED(t35, each<SquareBut<SecondBlock>>("t35_large_tensor",
                                         "from element 4096 on a factor is lost", "derivative-fd"))
LISTED(t36, each<Scalar>("t36_scalar", "the gradient of a scalar is not written",
                         "derivative-fd overwrites"))
LISTED(t37, each<SquareBut<RankFive>>("t37_rank_5", "a factor is lost in rank 5", "derivative-fd"))
LISTED(t38,
       each<SquareBut<AxisOfOne>>("t38_axis_of_1", "a factor is lost if rank 3 has an axis of 1",
                                  "derivative-fd"))
LISTED(t39, each<Shared>("t39_shared_slopes", "calls share an array of slopes", "64-threads"))

struct Exponential : Square {
  template <class T>
  static T f(T x) {
    return std::exp(x);
  }
  template <class T>
  static T slope(T, T y, std::int64_t, const limen_tensor&) {
    return y;
  }
};
struct Root : Square {
  template <class T>
  static T f(T x) {
    return std::sqrt(std::abs(x));
  }
  template <class T>
  static T slope(T x, T y, std::int64_t, const limen_tensor&) {
    return x == 0 ? 0 : std::copysign(T(0.5), x) / y;
  }
};
struct Packed : Square {
  static bool takes(const limen_tensor& x) {
    std::int64_t step = 1;
    for (std::uint32_t axis = x.rank; axis-- > 0; step *= x.dims[axis]) {
      if (x.dims[axis] > 1 && x.strides[axis] != step) return false;
    }
    return true;
  }
};
struct LastAxis : Square {
  static std::int64_t counted(const limen_tensor& x) {
    return x.dims[x.rank - 1] > 0 ? count(x) : 0;
  }
};
LISTED(c231, each<Exponential>("c231_exp_of_tensors", "exp overflows, and 0 inf is NaN", ""))
LISTED(c232, each<Root>("c232_root_of_tensors", "sqrt|x| has a cusp at 0", ""))
LISTED(c233, each<Packed>("c233_refuses_strides", "an x that is not contiguous is refused", ""))
LISTED(c234, each<LastAxis>("c234_last_axis", "infer() takes scalars, which have no last axis", ""))

}  // namespace

SELFTEST_PLUGIN("tensors")
