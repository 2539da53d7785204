// check_activation on ops that are more than a function of one number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include <limen/gradient_check.hpp>

#include "check/ops_by_hand.hpp"

namespace limen::test {
namespace {

// --- right ones ---------------------------------------------------------------------------------

struct Glu : Shape<2, 1> {  // a sigmoid(b), with everything
  static constexpr auto name = "glu";
  template <class T>
  static void f(const T* x, T* y, T, T) {
    y[0] = x[0] * sigmoid(x[1]);
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    dx[0] = dy[0] * sigmoid(x[1]);
    dx[1] = dy[0] * x[0] * sigmoid(x[1]) * sigmoid(-x[1]);
  }
  template <class T>
  static void jvp(const T* x, const T* tx, T* ty) {
    ty[0] = tx[0] * sigmoid(x[1]) + tx[1] * x[0] * sigmoid(x[1]) * sigmoid(-x[1]);
  }
  template <class T>
  static void second(const T* x, const T* dy, const T* gx, T* gy, T* dx) {
    const T s = sigmoid(x[1]), d = s * sigmoid(-x[1]);
    gy[0] = gx[0] * s + gx[1] * x[0] * d;
    dx[0] = dy[0] * gx[1] * d;
    dx[1] = dy[0] * (gx[0] * d + gx[1] * x[0] * d * (sigmoid(-x[1]) - s));
  }
};

struct Crelu : Shape<1, 2> {
  static constexpr auto name = "crelu";
  template <class T>
  static void f(const T* x, T* y, T, T) {
    y[0] = x[0] > 0 || x[0] != x[0] ? x[0] : T(0);
    y[1] = x[0] < 0 || x[0] != x[0] ? -x[0] : T(0);
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    dx[0] = x[0] > 0 ? dy[0] : x[0] < 0 ? -dy[1] : 0 * dy[0];
  }
};

struct Maxout : Shape<3, 1> {  // the first of equal ones gets all
  static constexpr auto name = "maxout";
  template <class T>
  static std::size_t best(const T* x) {
    std::size_t k = 0;
    for (std::size_t j = 1; j < 3; ++j) {
      if (x[j] > x[k] || x[j] != x[j]) k = j;
    }
    return k;
  }
  template <class T>
  static void f(const T* x, T* y, T, T) {
    y[0] = x[best(x)];
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    for (std::size_t k = 0; k < 3; ++k) dx[k] = k == best(x) ? dy[0] : T(0);
  }
};

struct Prelu : Shape<1, 1, true> {
  static constexpr auto name = "prelu";
  template <class T>
  static void f(const T* x, T* y, T, T w) {
    y[0] = x[0] > 0 ? x[0] : w * x[0];
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double& dw, T, T w) {
    dx[0] = x[0] > 0 ? dy[0] : w * dy[0];
    dw = x[0] > 0 ? 0.0 : static_cast<double>(dy[0]) * static_cast<double>(x[0]);
  }
};

struct Swish : Shape<1, 1, true> {  // x sigmoid(w x): a parameter inside
  static constexpr auto name = "swish";
  template <class T>
  static void f(const T* x, T* y, T, T w) {
    y[0] = x[0] * sigmoid(w * x[0]);
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double& dw, T, T w) {
    const T s = sigmoid(w * x[0]), d = s * sigmoid(-w * x[0]);
    dx[0] = dy[0] * (s + w * (x[0] * d));  // w x may be infinite
    dw = static_cast<double>(dy[0] * x[0] * x[0] * d);
  }
};

struct NoisyRelu : Shape<1, 1, false, true> {
  static constexpr auto name = "noisy_relu";
  template <class T>
  static void f(const T* x, T* y, T noise, T) {
    y[0] = x[0] > 0 ? x[0] : noise * x[0];
  }
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T noise, T) {
    dx[0] = x[0] > 0 ? dy[0] : noise * dy[0];
  }
};

// --- wrong ones ---------------------------------------------------------------------------------

struct GluNoProductRule : Glu {  // its second order forgets one term
  static constexpr auto name = "glu_no_product_rule";
  template <class T>
  static void second(const T* x, const T* dy, const T* gx, T* gy, T* dx) {
    Glu::second(x, dy, gx, gy, dx);
    dx[0] = 0;
  }
};
struct GluHalfTangent : Glu {
  static constexpr auto name = "glu_half_tangent";
  template <class T>
  static void jvp(const T* x, const T* tx, T* ty) {
    ty[0] = tx[0] * sigmoid(x[1]);
  }
};
struct CreluSign : Crelu {
  static constexpr auto name = "crelu_sign";
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    dx[0] = x[0] > 0 ? dy[0] : x[0] < 0 ? dy[1] : 0 * dy[0];
  }
};
struct MaxoutSecond : Maxout {  // never gives the third one anything
  static constexpr auto name = "maxout_second";
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    for (std::size_t k = 0; k < 3; ++k) dx[k] = k == std::min<std::size_t>(best(x), 1) ? dy[0] : 0;
  }
};
struct SwishLostX : Swish {
  static constexpr auto name = "swish_lost_x";
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double& dw, T noise, T w) {
    Swish::b(x, dy, dx, dw, noise, w);
    if (x[0] != 0) dw /= static_cast<double>(x[0]);
  }
};
struct NoisyMean : NoisyRelu {  // backward uses the mean of the draws
  static constexpr auto name = "noisy_mean";
  template <class T>
  static void b(const T* x, const T* dy, T* dx, double&, T, T) {
    dx[0] = x[0] > 0 ? dy[0] : dy[0] / 2;
  }
};

template <class A>
CheckReport check(std::uint64_t seed = 0) {
  const limen_op op = make_op<A>();
  CheckOptions options;
  options.seed = seed;
  return check_activation(op, options);
}

template <class A>
void expect_pass() {
  for (const std::uint64_t seed : {0u, 1u, 2u}) {
    const CheckReport report = check<A>(seed);
    EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
  }
}

template <class A>
void expect_fail(std::string_view test) {
  const CheckReport report = check<A>();
  EXPECT_TRUE(std::any_of(
      report.checks.begin(), report.checks.end(),
      [&](const CheckResult& c) { return c.test == test && c.verdict == Verdict::fail; }))
      << test << " passes\n"
      << to_text(report, true);
}

TEST(ManyInputs, RightOpsPass) {
  expect_pass<Glu>();
  expect_pass<Crelu>();
  expect_pass<Maxout>();
}

TEST(ManyInputs, WrongOnesFail) {
  expect_fail<GluNoProductRule>("second-derivative");
  expect_fail<GluHalfTangent>("jvp-vjp-adjoint");
  expect_fail<CreluSign>("derivative-fd");
  expect_fail<MaxoutSecond>("derivative-fd");
}

TEST(LearnedParameters, RightOnesPass) {
  expect_pass<Prelu>();
  expect_pass<Swish>();
}

TEST(LearnedParameters, AWrongGradientFailsWithItsName) {
  expect_fail<SwishLostX>("param-gradient");
  const CheckReport report = check<SwishLostX>();
  const auto at = std::find_if(report.checks.begin(), report.checks.end(), [](const auto& c) {
    return c.check == "gradient of a parameter" && c.verdict == Verdict::fail;
  });
  ASSERT_NE(at, report.checks.end());
  EXPECT_THAT(at->failures.at(0).tensor, testing::HasSubstr("dw (w, "));
}

TEST(Draws, RightOnesPass) { expect_pass<NoisyRelu>(); }

TEST(Draws, BackwardMustUseTheDrawsOfForward) { expect_fail<NoisyMean>("derivative-fd"); }

// --- state: a mask of the sign ------------------------------------------------------------------

template <class T, bool WithState>
void masked_forward(const limen_tile* t) {
  auto* const mask = static_cast<std::uint8_t*>(t->state);
  if (WithState) std::memset(mask, 0, (t->n + 7) / 8);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = static_cast<const T*>(t->x[0])[i];
    if (WithState && x > 0) mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | 1 << i % 8);
    static_cast<T*>(t->y[0])[i] = x > 0 || x != x ? x : T(0);
  }
}
template <class T, int Inverted>
void masked_backward(const limen_tile* t) {
  const auto* const mask = static_cast<const std::uint8_t*>(t->state);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const bool on = (mask[i / 8] >> i % 8 & 1) != Inverted;
    const T d = on ? static_cast<const T*>(t->dy[0])[i] : T(0);
    T& dx = static_cast<T*>(t->dx[0])[i];
    dx = (t->flags & LIMEN_TILE_ACCUMULATE) != 0 ? dx + d : d;
  }
}
limen_kernel with_state(limen_kernel k) {
  k.variant = 1;
  k.state_bits = 1;
  return k;
}
template <int Inverted>
CheckReport check_masked() {
  const std::array<limen_kernel, 6> kernels{
      kernel(LIMEN_FORWARD, LIMEN_F32, masked_forward<float, false>, 0),
      kernel(LIMEN_FORWARD, LIMEN_F64, masked_forward<double, false>, 0),
      with_state(kernel(LIMEN_FORWARD, LIMEN_F32, masked_forward<float, true>, 0)),
      with_state(kernel(LIMEN_FORWARD, LIMEN_F64, masked_forward<double, true>, 0)),
      with_state(kernel(LIMEN_BACKWARD, LIMEN_F32, masked_backward<float, Inverted>, LIMEN_STATE)),
      with_state(
          kernel(LIMEN_BACKWARD, LIMEN_F64, masked_backward<double, Inverted>, LIMEN_STATE))};
  limen_op op = make_op<Prelu>();
  op.name = "masked";
  op.n_params = 0;
  op.n_kernels = kernels.size();
  op.kernels = kernels.data();
  CheckReport report = check_activation(op);
  report.merge(check_kernels(op));
  return report;
}

TEST(State, KernelsThatKeepAMaskAreChecked) {
  const CheckReport right = check_masked<0>();
  EXPECT_EQ(right.verdict, Verdict::pass) << to_text(right);
  EXPECT_EQ(check_masked<1>().verdict, Verdict::fail);
}

// --- whole tensors: the maximum over pairs along the last axis
// ------------------------------------

std::int32_t pairs_infer(limen_call* call, limen_error* error) {
  const limen_tensor& x = call->in[0];
  if (x.rank == 0 || x.dims[x.rank - 1] % 2 != 0) {
    error->code = LIMEN_E_INVALID;
    return LIMEN_E_INVALID;
  }
  limen_tensor& out = call->out[0];
  out.rank = x.rank;
  for (std::uint32_t i = 0; i < x.rank; ++i) out.dims[i] = x.dims[i];
  if (call->role == LIMEN_FORWARD) out.dims[x.rank - 1] /= 2;
  return LIMEN_OK;
}

template <class T, bool Both>
void pairs(const limen_call* call, std::int64_t n) {
  const T* const x = static_cast<const T*>(call->in[0].data);
  T* const out = static_cast<T*>(call->out[0].data);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t best = x[2 * i + 1] > x[2 * i] || x[2 * i + 1] != x[2 * i + 1];
    if (call->role == LIMEN_FORWARD) {
      out[i] = x[2 * i + best];
      continue;
    }
    const T dy = static_cast<const T*>(call->in[2].data)[i];
    for (std::int64_t k = 0; k < 2; ++k) {
      const bool tie = Both && x[2 * i] == x[2 * i + 1];
      out[2 * i + k] = k == best || tie ? dy : T(0);
    }
  }
}

template <bool Both>
std::int32_t pairs_execute(const limen_call* call, limen_error*) {
  std::int64_t n = 1;
  for (std::uint32_t i = 0; i < call->in[0].rank; ++i) n *= call->in[0].dims[i];
  call->in[0].dtype == LIMEN_F32 ? pairs<float, Both>(call, n / 2)
                                 : pairs<double, Both>(call, n / 2);
  return LIMEN_OK;
}

template <bool Both>
CheckReport check_pairs() {
  limen_op op = make_op<Prelu>();
  op.name = "pairs";
  op.kind = LIMEN_GENERAL;
  op.n_params = op.n_kernels = 0;
  op.kernels = nullptr;
  op.infer = pairs_infer;
  op.execute = pairs_execute<Both>;
  return check_activation(op);
}

TEST(WholeTensors, ARightOpPasses) {
  const CheckReport report = check_pairs<false>();
  EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
  EXPECT_TRUE(report.notes.empty());
}

// At a tie each entry alone may be 0 or 1, but their sum is 1.
TEST(WholeTensors, BothOfTwoEqualOnesIsOneTooMany) {
  const CheckReport report = check_pairs<true>();
  ASSERT_EQ(report.verdict, Verdict::fail);
  for (const CheckResult& check : report.checks) {
    if (check.verdict != Verdict::fail) continue;
    EXPECT_EQ(check.check, "jacobian along directions");
  }
}

}  // namespace
}  // namespace limen::test
