// What kernels do with learned parameters, choices, several inputs and outputs, and noise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operands.hpp"

namespace limen::test {
namespace {

std::vector<Activation> wide_activations() {
  std::vector<Activation> all;
  for (const Activation& a : all_plugins().activations()) {
    const limen_op& op = a.op();
    bool learnable = false;
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      learnable = learnable || LIMEN_AT(limen_param, op.params, p)->flags & LIMEN_PF_TRAINABLE;
    }
    const bool wide = op.arity > 1 || op.outputs > 1 || learnable || op.flags & LIMEN_OP_STOCHASTIC;
    if (op.kind == LIMEN_MAP && wide) all.push_back(a);
  }
  return all;
}
Activation sample_op(const std::string& name) { return all_plugins().find(name); }

bool trainable(const Activation& a, std::size_t p) {
  return LIMEN_AT(limen_param, a.op().params, p)->flags & LIMEN_PF_TRAINABLE;
}

// Operands with every learnable parameter learned, those of odd number (or all) per element.
template <class F>
Operands<F> learning(const Activation& a, std::size_t n, bool per_element) {
  Operands<F> o(a, n);
  for (std::size_t p = 0, l = 0; p < a.op().n_params; ++p) {
    if (trainable(a, p)) o.learn(p, per_element && l++ % 2 == 0);
  }
  return o;
}

// body(operands, kernel) for each kernel of each op in both types, with learned parameters.
template <class Body>
void for_each_wide(std::size_t n, const Body& body) {
  const std::uint32_t machine = detect_isa();
  const auto both = [&]<class F>(const Activation& a, F, bool per_element) {
    for (std::uint32_t role = LIMEN_FORWARD; role <= LIMEN_BACKWARD2; ++role) {
      for (const limen_kernel* k : kernels<F>(a, role, machine)) {
        SCOPED_TRACE(std::string(a.name()) + " role " + std::to_string(role) + " dtype " +
                     std::to_string(k->dtype) + " isa " + isa_name(k->isa) + " per element " +
                     std::to_string(per_element));
        Operands<F> o = learning<F>(a, n, per_element);
        if (k->reads & LIMEN_Y) o.run(LIMEN_FORWARD);
        body(o, k);
      }
    }
  };
  for (const Activation& a : wide_activations()) {
    for (const bool per_element : {false, true}) {
      both(a, float{}, per_element);
      both(a, double{}, per_element);
    }
  }
}

TEST(WideKernels, AnyTilingGivesTheSameBits) {
  constexpr std::size_t n = 603;
  for_each_wide(n, [&](auto& pieces, const limen_kernel* k) {
    auto whole = pieces;
    whole.run(k);
    std::mt19937 random(5);
    for (std::size_t begin = 0; begin < n;) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 40, n - begin);
      pieces.run(k, begin, count);
      begin += count;
    }
    EXPECT_TRUE(same_outputs(whole, pieces));
    for (std::size_t p = 0; p < whole.dw.size(); ++p) {
      for (std::size_t i = 0; i < (whole.step[p] ? n : 1); ++i) {
        EXPECT_NEAR(whole.dw[p][i], pieces.dw[p][i], 1e-12 * (1 + std::abs(whole.dw[p][i])));
      }
    }
  });
}

TEST(WideKernels, Avx2AndAvx512GiveTheSameBits) {
  if (detect_isa() < kIsaX86V4) GTEST_SKIP() << "this machine has no AVX-512";
  for (const std::size_t n : {1u, 15u, 16u, 517u}) {
    for_each_wide(n, [&](auto& high, const limen_kernel* k) {
      if (k->isa != kIsaX86V4) return;
      auto low = high;
      low.run(high.a.kernel(k->role, k->dtype, kIsaX86V3, k->reads));
      high.run(k);
      EXPECT_TRUE(same_outputs(high, low));
      EXPECT_TRUE(same_bits(high.dw, low.dw));
    });
  }
}

TEST(WideKernels, ADerivativeDoesNotDependOnWhichOthersAreWanted) {
  for_each_wide(300, [&](auto& all, const limen_kernel* k) {
    if (k->role != LIMEN_BACKWARD) return;
    auto without_dw = all, without_dx = all;
    all.run(k);
    without_dw.wants_dw.assign(all.w.size(), false);
    without_dw.run(k);
    EXPECT_TRUE(same_bits(all.dx, without_dw.dx));
    without_dx.wants_dx = false;
    without_dx.run(k);
    EXPECT_TRUE(same_bits(all.dw, without_dx.dw));
    for (const auto& dx : without_dx.dx) EXPECT_TRUE(std::isnan(dx[0])) << "nothing is written";
    for (const auto& dw : without_dw.dw) EXPECT_EQ(dw[0], 0);
    auto added = learning<double>(all.a, 5, false);  // dx += and dw +=
    if (k->dtype != LIMEN_F64) return;
    for (auto& dx : added.dx) std::fill(dx.begin(), dx.end(), 7.0);
    for (auto& dw : added.dw) std::fill(dw.begin(), dw.end(), 7.0);
    auto fresh = learning<double>(all.a, 5, false);
    added.flags = LIMEN_TILE_ACCUMULATE;
    if (k->reads & LIMEN_Y) added.y = fresh.run(LIMEN_FORWARD).y;
    added.run(k), fresh.run(k);
    EXPECT_NEAR(added.dx[0][4], 7 + fresh.dx[0][4], 1e-14);
    for (std::size_t p = 0; p < added.dw.size(); ++p) {
      EXPECT_NEAR(added.dw[p][0], 7 + fresh.dw[p][0], 1e-13);
    }
  });
}

// Derivatives by inputs and parameters against differences of forward.
TEST(WideKernels, BackwardIsTheDerivativeOfForward) {
  for (const Activation& a : wide_activations()) {
    for (const bool per_element : {false, true}) {
      SCOPED_TRACE(a.name());
      constexpr double h = 1e-6;
      auto o = learning<double>(a, 40, per_element);
      o.run(LIMEN_BACKWARD);
      const auto forward_sum = [&](auto move) {
        auto moved = learning<double>(a, 40, per_element);
        move(moved);
        moved.run(LIMEN_FORWARD);
        std::vector<double> sums(41, 0.0);
        for (std::size_t m = 0; m < moved.y.size(); ++m) {
          for (std::size_t i = 0; i < 40; ++i) {
            sums[i] += o.dy[m][i] * moved.y[m][i];
            sums[40] += o.dy[m][i] * moved.y[m][i];
          }
        }
        return sums;
      };
      for (std::size_t k = 0; k < o.x.size(); ++k) {
        const auto up = forward_sum([&](auto& p) {
          for (double& v : p.x[k]) v += h;
        });
        const auto down = forward_sum([&](auto& p) {
          for (double& v : p.x[k]) v -= h;
        });
        for (std::size_t i = 0; i < 40; ++i) {
          EXPECT_NEAR(o.dx[k][i], (up[i] - down[i]) / (2 * h), 1e-6) << "input " << k;
        }
      }
      for (std::size_t p = 0; p < o.w.size(); ++p) {
        if (!o.learned[p]) continue;
        const auto up = forward_sum([&](auto& q) {
          for (double& v : q.w[p]) v += h;
        });
        const auto down = forward_sum([&](auto& q) {
          for (double& v : q.w[p]) v -= h;
        });
        for (std::size_t i = 0; i < 41; ++i) {
          if ((i == 40) == (o.step[p] == 1)) continue;
          EXPECT_NEAR(o.dw[p][i % 40], (up[i] - down[i]) / (2 * h), 2e-5) << "parameter " << p;
        }
      }
    }
  }
}

TEST(WideKernels, ForwardModeAndSecondOrderFitBackward) {
  for (const Activation& a : wide_activations()) {
    SCOPED_TRACE(a.name());
    auto o = learning<double>(a, 40, true), up = o, down = o;
    o.run(LIMEN_BACKWARD).run(LIMEN_JVP);
    double pushed = 0, pulled = 0;
    for (std::size_t m = 0; m < o.y.size(); ++m) {
      for (std::size_t i = 0; i < o.n; ++i) pushed += o.dy[m][i] * o.ty[m][i];
    }
    for (std::size_t k = 0; k < o.x.size(); ++k) {
      for (std::size_t i = 0; i < o.n; ++i) pulled += o.tx[k][i] * o.dx[k][i];
    }
    EXPECT_NEAR(pushed, pulled, 1e-12 * (1 + std::abs(pushed)));
    // The directional derivative of dx along gx, and <gx, dx> by dy.
    constexpr double h = 1e-6;
    for (std::size_t k = 0; k < o.x.size(); ++k) {
      for (std::size_t i = 0; i < o.n; ++i) {
        up.x[k][i] += h * o.gx[k][i], down.x[k][i] -= h * o.gx[k][i];
      }
    }
    up.run(LIMEN_BACKWARD), down.run(LIMEN_BACKWARD), o.run(LIMEN_BACKWARD2);
    for (std::size_t k = 0; k < o.x.size(); ++k) {
      for (std::size_t i = 0; i < o.n; ++i) {
        EXPECT_NEAR(o.dx[k][i], (up.dx[k][i] - down.dx[k][i]) / (2 * h), 2e-5);
      }
    }
    auto directional = learning<double>(a, 40, true);
    directional.tx = o.gx;
    directional.run(LIMEN_JVP);
    for (std::size_t m = 0; m < o.y.size(); ++m) {
      for (std::size_t i = 0; i < o.n; ++i) EXPECT_NEAR(o.gy[m][i], directional.ty[m][i], 1e-13);
    }
  }
}

TEST(WideKernels, AParameterThatIsNotLearnedKeepsItsGivenValue) {
  const Activation a = sample_op("learn_slope").with({{"alpha", 0.5}});
  Operands<double> plain(a, 20), learned = Operands<double>(a, 20).learn(0, false);
  learned.w[0][0] = 0.5;
  plain.run(LIMEN_FORWARD).run(LIMEN_BACKWARD), learned.run(LIMEN_FORWARD).run(LIMEN_BACKWARD);
  EXPECT_TRUE(same_outputs(plain, learned));
  EXPECT_EQ(plain.dw[0][0], 0);
  EXPECT_NE(learned.dw[0][0], 0);
}

TEST(WideKernels, AnInfiniteInputDoesNotSpoilTheGradientOfAParameter) {
  Operands<float> o = Operands<float>(sample_op("learn_slope"), 20).learn(0, false);
  o.x[0][3] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isfinite(o.run(LIMEN_BACKWARD).dw[0][0]));
  EXPECT_EQ(o.dx[0][3], o.dy[0][3]);
}

TEST(WideKernels, ChoicesSelectTheirCode) {
  const Activation product = sample_op("learn_two"), sum = product.with({{"kind", 1}});
  const auto at_zero = [](const Activation& a) {
    Operands<double> o(a, 1);
    o.x[0][0] = 3, o.x[1][0] = 0;
    return o.run(LIMEN_FORWARD).y[0][0];
  };
  EXPECT_EQ(at_zero(product), 3 * 0.5 + 0.25);
  EXPECT_EQ(at_zero(sum), 3 + 0.5 + 0.25);
}

TEST(WideKernels, GoldenSamplesHoldTheirInputsAndOutputs) {
  int points = 0;
  for (const Activation& a : wide_activations()) {
    for (std::uint32_t g = 0; g < a.op().n_goldens; ++g) {
      const limen_golden& golden = *LIMEN_AT(limen_golden, a.op().goldens, g);
      const std::size_t in = a.op().arity, out = a.op().outputs;
      for (std::size_t m = 0; m < out; ++m) {
        Operands<double> o(a, golden.n);
        o.flags = LIMEN_TILE_EVAL;
        for (std::size_t i = 0; i < golden.n; ++i, ++points) {
          for (std::size_t k = 0; k < in; ++k) o.x[k][i] = golden.x[i * in + k];
          for (std::size_t j = 0; j < out; ++j) o.dy[j][i] = j == m;
        }
        o.run(LIMEN_FORWARD).run(LIMEN_BACKWARD);
        for (std::size_t i = 0; i < golden.n; ++i) {
          const double want = golden.y[i * out + m];
          EXPECT_NEAR(o.y[m][i], want, 0x1p-51 * (1 + std::abs(want))) << a.name();
          for (std::size_t k = 0; golden.dydx && k < in; ++k) {
            const double slope = golden.dydx[(i * out + m) * in + k];
            EXPECT_NEAR(o.dx[k][i], slope, 0x1p-51 * (1 + std::abs(slope))) << a.name();
          }
        }
      }
    }
  }
  EXPECT_GT(points, 4);
}

TEST(WideKernels, LimitsThatConcernTwoParametersAreChecked) {
  const Activation a = sample_op("noisy_slope");
  EXPECT_THROW(a.with({{"lower", 0.75}}), Error);
  EXPECT_NO_THROW(a.with({{"lower", 0.25}}));
}

}  // namespace
}  // namespace limen::test
