// What every kernel must do, whatever its formula: tiles, instruction sets, aliases, flags, nulls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "base/isa.hpp"
#include "kernels.hpp"

namespace limen::test {
namespace {

// Inputs with everything in them: many exponents, both signs, zeros, infinities, NaN.
template <class F>
std::vector<F> mixed(std::size_t n, unsigned seed, bool special = true) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 3);
  using limits = std::numeric_limits<F>;
  const F rare[] = {F(0),
                    F(-0.0),
                    limits::denorm_min(),
                    -limits::min(),
                    limits::infinity(),
                    -limits::infinity(),
                    limits::quiet_NaN(),
                    F(1e4),
                    F(-1e4),
                    F(30),
                    F(-30)};
  std::vector<F> values(n);
  for (F& value : values) {
    value = static_cast<F>(normal(random));
    if (special && random() % 4 == 0) value = rare[random() % std::size(rare)];
  }
  return values;
}

// Any NaN is as good as another: of a product of two, IEEE 754 leaves open which one comes out, and
// compilers swap factors.
template <class F>
bool same_bits(const std::vector<F>& a, const std::vector<F>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](F p, F q) {
    return std::memcmp(&p, &q, sizeof(F)) == 0 || (std::isnan(p) && std::isnan(q));
  });
}

// All operands a kernel could use, and what it writes.
template <class F>
struct Case {
  Case(const Activation& activation, std::size_t count, bool special = true)
      : a(activation),
        n(count),
        x(mixed<F>(n, 1, special)),
        dy(mixed<F>(n, 2, false)),
        tx(mixed<F>(n, 3, false)),
        gx(mixed<F>(n, 4, false)),
        y(forward(a, x)) {}

  struct Outputs {
    std::vector<F> y, dx, ty, gy;
    bool operator==(const Outputs& o) const {
      return same_bits(y, o.y) && same_bits(dx, o.dx) && same_bits(ty, o.ty) && same_bits(gy, o.gy);
    }
  };

  // Binds what the kernel's role uses, from element `begin` on.
  void bind(Tile<F>& tile, const limen_kernel* k, Outputs& out, std::size_t begin = 0) {
    if (k->role != LIMEN_BACKWARD || k->reads & LIMEN_X) tile.x(x.data() + begin);
    if (k->role == LIMEN_BACKWARD && k->reads & LIMEN_Y) tile.y(y.data() + begin);
    if (k->role == LIMEN_FORWARD || k->role == LIMEN_JVP) tile.y(out.y.data() + begin);
    if (k->role == LIMEN_BACKWARD || k->role == LIMEN_BACKWARD2) {
      tile.dy(dy.data() + begin).dx(out.dx.data() + begin);
    }
    if (k->role == LIMEN_JVP) tile.tx(tx.data() + begin).ty(out.ty.data() + begin);
    if (k->role == LIMEN_BACKWARD2) tile.gx(gx.data() + begin).gy(out.gy.data() + begin);
  }
  Outputs blank() const {
    const std::vector<F> poison(n, std::numeric_limits<F>::quiet_NaN());
    return {poison, poison, poison, poison};
  }
  Outputs run(const limen_kernel* k) {
    Outputs out = blank();
    Tile<F> tile(a, n);
    bind(tile, k, out);
    tile.run(k);
    return out;
  }

  Activation a;
  std::size_t n;
  std::vector<F> x, dy, tx, gx, y;
};

std::string describe(const Activation& a, const limen_kernel* k) {
  return std::string(a.name()) + " role " + std::to_string(k->role) + " dtype " +
         std::to_string(k->dtype) + " isa " + isa_name(k->isa) + " reads " +
         std::to_string(k->reads);
}

// Calls body(Case, kernel) for every kernel of every op in both types.
template <class Body>
void for_each_kernel(std::size_t n, const Body& body) {
  const std::uint32_t machine = detect_isa();
  const auto both = [&]<class F>(const Activation& a, F) {
    Case<F> c(a, n);
    for (std::uint32_t role = LIMEN_FORWARD; role <= LIMEN_BACKWARD2; ++role) {
      for (const limen_kernel* k : kernels<F>(a, role, machine)) {
        SCOPED_TRACE(describe(a, k));
        body(c, k);
      }
    }
  };
  for (const Activation& a : simple_activations()) {
    both(a, float{});
    both(a, double{});
  }
}

TEST(Kernels, EveryShippedOpHasEveryRoleInBothTypesAtEveryLevel) {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  for (const Activation& a : registry.activations()) {
    if (a.op().kind == LIMEN_GENERAL) continue;
    for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
      for (std::uint32_t role = LIMEN_FORWARD; role <= LIMEN_BACKWARD2; ++role) {
        for (const std::uint32_t dtype : {LIMEN_F32, LIMEN_F64}) {
          const limen_kernel* k = a.kernel(role, dtype, isa);
          ASSERT_NE(k, nullptr) << a.name();
#if defined(__x86_64__)
          EXPECT_EQ(k->isa, isa) << a.name();
#endif
        }
      }
    }
  }
}

TEST(Kernels, AnyTilingGivesTheSameBits) {
  constexpr std::size_t n = 2003;
  for_each_kernel(n, [&](auto& c, const limen_kernel* k) {
    if (c.a.rows()) return;
    const auto whole = c.run(k);
    std::mt19937 random(5);
    auto pieces = c.blank();
    for (std::size_t begin = 0; begin < n;) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 40, n - begin);
      std::remove_cvref_t<decltype(c)> unused(c);
      auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, count); }(c.x);
      c.bind(tile, k, pieces, begin);
      tile.run(k);
      begin += count;
    }
    EXPECT_TRUE(whole == pieces);
  });
}

TEST(Kernels, RowsDoNotDependOnTheirNeighboursOrTheStride) {
  constexpr std::size_t n = 21, rows = 5, stride = 24;
  for_each_kernel(rows * stride, [&](auto& c, const limen_kernel* k) {
    if (!c.a.rows()) return;
    auto together = c.blank(), apart = c.blank();
    const auto tile_of = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, n); };
    c.y = c.blank().y;  // the output of forward, row by row
    for (std::size_t r = 0; r < rows; ++r) {
      auto tile = tile_of(c.x);
      tile.x(c.x.data() + r * stride).y(c.y.data() + r * stride);
      tile.run(c.a.kernel(LIMEN_FORWARD, k->dtype, k->isa));
    }
    auto tile = tile_of(c.x);
    c.bind(tile, k, together);
    tile.rows(rows, stride).run(k);
    for (std::size_t r = 0; r < rows; ++r) {
      auto row = tile_of(c.x);
      c.bind(row, k, apart, r * stride);
      row.run(k);
    }
    EXPECT_TRUE(together == apart);
  });
}

TEST(Kernels, Avx2AndAvx512GiveTheSameBits) {
  if (detect_isa() < kIsaX86V4) GTEST_SKIP() << "this machine has no AVX-512";
  for (const std::size_t n : {1u, 7u, 16u, 100u, 613u}) {
    for_each_kernel(n, [&](auto& c, const limen_kernel* k) {
      if (k->isa != kIsaX86V4) return;
      const limen_kernel* lower = c.a.kernel(k->role, k->dtype, kIsaX86V3, k->reads);
      ASSERT_EQ(lower->isa, kIsaX86V3);
      EXPECT_TRUE(c.run(k) == c.run(lower)) << "n = " << n;
    });
  }
}

TEST(Kernels, TheBaseLevelAgreesToRounding) {
  for_each_kernel(100, [&](auto& c, const limen_kernel* k) {
    const auto best = c.run(k);
    const auto base = c.run(c.a.kernel(k->role, k->dtype, kIsaBase, k->reads));
    const double ulp = k->dtype == LIMEN_F32 ? 0x1p-24 : 0x1p-53;
    const auto compare = [&](const auto& got, const auto& want) {
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isfinite(want[i]) && std::isfinite(got[i])) {
          EXPECT_NEAR(got[i], want[i], 200 * ulp * (1 + std::abs(want[i]))) << "element " << i;
        } else {
          EXPECT_TRUE(std::isnan(got[i]) == std::isnan(want[i])) << "element " << i;
        }
      }
    };
    compare(best.y, base.y);
    compare(best.dx, base.dx);
    compare(best.ty, base.ty);
    compare(best.gy, base.gy);
  });
}

TEST(Kernels, WorkInPlaceWhereTheySaySo) {
  for_each_kernel(77, [&](auto& c, const limen_kernel* k) {
    const auto apart = c.run(k);
    const auto in_place = [&](auto& shared, auto& result, auto rebind) {
      const auto kept = shared;
      auto out = c.blank();
      auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, c.n); }(c.x);
      c.bind(tile, k, out);
      rebind(tile);
      tile.run(k);
      EXPECT_TRUE(same_bits(shared, result));
      shared = kept;
    };
    if (k->alias & LIMEN_ALIAS_Y_X) {
      in_place(c.x, apart.y, [&](auto& tile) { tile.y(c.x.data()); });
    }
    if (k->alias & LIMEN_ALIAS_DX_DY) {
      in_place(c.dy, apart.dx, [&](auto& tile) { tile.dx(c.dy.data()); });
    }
    if (k->alias & LIMEN_ALIAS_DX_X) {
      in_place(c.x, apart.dx, [&](auto& tile) { tile.dx(c.x.data()); });
    }
  });
}

TEST(Kernels, OverwriteUnlessAskedToAccumulate) {
  for_each_kernel(77, [&](auto& c, const limen_kernel* k) {
    if (k->role != LIMEN_BACKWARD && k->role != LIMEN_BACKWARD2) return;
    const auto plain = c.run(k);  // into NaN
    for (const double before : {0.0, 7.0}) {
      auto out = c.blank();
      std::fill(out.dx.begin(), out.dx.end(), before);
      auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, c.n); }(c.x);
      c.bind(tile, k, out);
      tile.accumulate().run(k);
      const double eps = k->dtype == LIMEN_F32 ? 0x1p-23 : 0x1p-52;
      for (std::size_t i = 0; i < c.n; ++i) {
        if (!std::isfinite(plain.dx[i])) continue;
        EXPECT_NEAR(out.dx[i], before + plain.dx[i], 2 * eps * (before + std::abs(plain.dx[i])));
      }
      EXPECT_TRUE(same_bits(out.gy, plain.gy)) << "gy is always overwritten";
    }
  });
}

TEST(Kernels, LeaveOutNullOutputs) {
  for_each_kernel(300, [&](auto& c, const limen_kernel* k) {
    const auto whole = c.run(k);
    auto out = c.blank();
    const auto tile_without = [&](auto drop) {
      out = c.blank();
      auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, c.n); }(c.x);
      c.bind(tile, k, out);
      drop(tile);
      tile.run(k);
    };
    if (k->role == LIMEN_BACKWARD) {
      tile_without([](auto& tile) { tile.dx(nullptr); });
      tile_without([](auto& tile) { tile.tile.dx = nullptr; });
      EXPECT_TRUE(same_bits(out.dx, c.blank().dx)) << "nothing is written";
    }
    if (k->role == LIMEN_JVP) {
      tile_without([](auto& tile) { tile.tile.y = nullptr; });
      EXPECT_TRUE(same_bits(out.ty, whole.ty));
      tile_without([](auto& tile) { tile.ty(nullptr); });
      EXPECT_TRUE(same_bits(out.y, whole.y));
    }
    if (k->role == LIMEN_BACKWARD2) {
      tile_without([](auto& tile) { tile.gy(nullptr); });
      EXPECT_TRUE(same_bits(out.dx, whole.dx));
      tile_without([](auto& tile) { tile.tile.dx = nullptr; });
      EXPECT_TRUE(same_bits(out.gy, whole.gy));
      tile_without([](auto& tile) { tile.tile.dx = nullptr, tile.tile.gy = nullptr; });
    }
  });
}

TEST(Kernels, TakeANullCotangentForZeros) {
  for_each_kernel(300, [&](auto& c, const limen_kernel* k) {
    std::fill(c.x.begin(), c.x.end(), 0.5);
    auto out = c.blank();
    auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, c.n); }(c.x);
    c.bind(tile, k, out);
    if (k->role == LIMEN_JVP) {
      tile.tile.tx = nullptr;
      tile.run(k);
      for (const auto value : out.ty) EXPECT_EQ(value, 0);
    }
    if (k->role == LIMEN_BACKWARD2) {
      tile.gx(nullptr).run(k);
      for (std::size_t i = 0; i < c.n; ++i) EXPECT_TRUE(out.gy[i] == 0 && out.dx[i] == 0);
    }
  });
}

TEST(Kernels, WriteNothingBeyondTheirElements) {
  for (const std::size_t n : {1u, 15u, 16u, 17u}) {
    for_each_kernel(40, [&](auto& c, const limen_kernel* k) {
      auto out = c.blank();
      auto tile = [&]<class F>(std::vector<F>&) { return Tile<F>(c.a, n); }(c.x);
      c.bind(tile, k, out);
      tile.run(k);
      for (const auto* written : {&out.y, &out.dx, &out.ty, &out.gy}) {
        for (std::size_t i = n; i < c.n; ++i) EXPECT_TRUE(std::isnan((*written)[i]));
      }
    });
  }
}

TEST(Kernels, BackwardFromOutputAgreesWithBackwardFromInput) {
  for_each_kernel(200, [&](auto& c, const limen_kernel* k) {
    if (k->role != LIMEN_BACKWARD || k->reads != LIMEN_Y || c.a.rows()) return;
    const auto from_y = c.run(k);
    const auto from_x = c.run(c.a.kernel(LIMEN_BACKWARD, k->dtype, k->isa, LIMEN_X));
    const double eps = k->dtype == LIMEN_F32 ? 0x1p-23 : 0x1p-52;
    for (std::size_t i = 0; i < c.n; ++i) {
      EXPECT_TRUE(std::isnan(from_y.dx[i]) == std::isnan(from_x.dx[i])) << "x = " << c.x[i];
      if (std::isnan(from_x.dx[i])) continue;
      EXPECT_NEAR(from_y.dx[i], from_x.dx[i], 4 * eps * std::abs(c.dy[i])) << "x = " << c.x[i];
    }
  });
}

// <gx, J^T dy> differentiated by hand: the second-order kernel against differences of the first.
TEST(Kernels, SecondOrderIsTheDerivativeOfBackward) {
  for (const Activation& a : simple_activations()) {
    const limen_kernel* first = a.kernel(LIMEN_BACKWARD, LIMEN_F64, 0);
    const limen_kernel* second = a.kernel(LIMEN_BACKWARD2, LIMEN_F64, 0);
    if (second == nullptr) continue;
    SCOPED_TRACE(a.name());
    Case<double> c(a, 24, false);
    for (double& x : c.x)
      x = std::abs(x) < 0.01 ? 0.1 : a.name().starts_with("fn_") ? std::abs(x) : x;
    const auto out = c.run(second);
    const double h = 1e-5;
    const auto pull = [&](double direction) {  // <gx, dx(x + h e_i)> for each i
      std::vector<double> inner(c.n, 0.0);
      for (std::size_t i = 0; i < c.n; ++i) {
        auto x = c.x;
        x[i] += direction * h;
        const auto dx = backward(a, first, x, c.dy);
        for (std::size_t k = 0; k < c.n; ++k) inner[i] += c.gx[k] * dx[k];
      }
      return inner;
    };
    const auto up = pull(1), down = pull(-1);
    for (std::size_t i = 0; i < c.n; ++i) {
      EXPECT_NEAR(out.dx[i], (up[i] - down[i]) / (2 * h), 1e-6 * (1 + std::abs(out.dx[i])))
          << "x = " << c.x[i];
    }
    // dx is linear in dy, so gy is what forward mode makes of gx.
    const limen_kernel* jvp = a.kernel(LIMEN_JVP, LIMEN_F64, 0);
    ASSERT_NE(jvp, nullptr);
    c.tx = c.gx;
    const auto gy = c.run(jvp).ty;
    for (std::size_t i = 0; i < c.n; ++i)
      EXPECT_NEAR(out.gy[i], gy[i], 1e-13 * (1 + std::abs(gy[i])));
  }
}

TEST(Kernels, ForwardModeIsTheAdjointOfBackward) {
  for (const Activation& a : simple_activations()) {
    const limen_kernel* jvp = a.kernel(LIMEN_JVP, LIMEN_F64, 0);
    if (jvp == nullptr) continue;
    SCOPED_TRACE(a.name());
    Case<double> c(a, 40, false);
    if (a.name().starts_with("fn_")) {
      for (double& x : c.x) x = std::abs(x);
    }
    const auto out = c.run(jvp);
    const auto dx = backward(a, a.kernel(LIMEN_BACKWARD, LIMEN_F64, 0), c.x, c.dy);
    double pushed = 0, pulled = 0;
    for (std::size_t i = 0; i < c.n; ++i) {
      pushed += c.dy[i] * out.ty[i];
      pulled += c.tx[i] * dx[i];
      EXPECT_NEAR(out.y[i], forward(a, c.x)[i], 1e-15 * (1 + std::abs(out.y[i])));
    }
    EXPECT_NEAR(pushed, pulled, 1e-12 * (1 + std::abs(pushed)));
  }
}

}  // namespace
}  // namespace limen::test
