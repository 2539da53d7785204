// Every activation of one input, at every instruction set, against its definition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "family/definitions.hpp"
#include "family/kernels.hpp"

namespace limen::test {
namespace {

using testing::Each;
using testing::Truly;

template <class F>
struct Run {
  explicit Run(const Activation& activation, const limen_kernel* forward_kernel = nullptr)
      : a(activation), first(forward_kernel) {}

  std::vector<F> forward(const limen_kernel* kernel, const F* x, std::size_t n) const {
    std::vector<F> y(n);
    const void* xs[] = {x};
    void* ys[] = {y.data()};
    limen_tile t = tile(n);
    t.x = xs, t.y = ys;
    kernel->run(&t);
    return y;
  }
  std::vector<F> backward(const limen_kernel* kernel, const F* x, const F* dy,
                          std::size_t n) const {
    std::vector<F> dx(n), y = forward(first, x, n);
    const void *xs[] = {x}, *dys[] = {dy};
    void *ys[] = {y.data()}, *dxs[] = {dx.data()};
    limen_tile t = tile(n);
    if (kernel->reads & LIMEN_X) t.x = xs;
    if (kernel->reads & LIMEN_Y) t.y = ys;
    t.dy = dys, t.dx = dxs;
    kernel->run(&t);
    return dx;
  }
  limen_tile tile(std::size_t n) const {
    limen_tile t{};
    t.size = sizeof t;
    t.flags = LIMEN_TILE_EVAL;
    t.n = n, t.rows = 1;
    t.row_stride = static_cast<std::int64_t>(n);
    t.hyper = a.hyper().data();
    return t;
  }

  Activation a;
  const limen_kernel* first;
};

std::string title(const Definition& d) {
  std::string text = d.name;
  for (const auto& [name, value] : d.with) text += " " + name + "=" + std::to_string(value);
  return text;
}

template <class F>
Hyper rounded(const Activation& a) {
  Hyper h;
  h.single = sizeof(F) == 4;
  for (const double value : a.hyper()) h.push_back(static_cast<F>(value));
  return h;
}

// The slope of a gate may be 0 where the gate is not a normal number any more.
template <class F>
constexpr Real kShut = 1 / Real(std::numeric_limits<F>::epsilon());

struct Worst {
  double ulp = 0, at = 0;
  void see(double error, double x) {
    if (!(error <= ulp)) *this = {error, x};
  }
};

template <class F>
const char* type_name() {
  return sizeof(F) == 4 ? "f32" : "f64";
}

// The worst errors of all kernels of a role.
template <class F>
void expect_definition(const Definition& d) {
  const Activation a = shipped().find(d.name).with(d.with);
  const Hyper h = rounded<F>(a);
  std::vector<F> x = everywhere<F>(3, 3000);
  if (d.name == "sine" || d.name == "snake") {  // sin of doubles ends at 2^26
    std::erase_if(x, [](F value) { return std::abs(value) > 1e6; });
  }
  const std::vector<F> one(x.size(), 1);
  std::vector<Real> y(x.size()), slope(x.size()), scale(x.size()), slope_scale(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    y[i] = d.f(x[i], h), slope[i] = d.slope(x[i], h);
    scale[i] = d.scale ? d.scale(x[i], h) : 0;
    slope_scale[i] = d.slope_scale ? d.slope_scale(x[i], h) : 0;
    if (!d.product) continue;
    const Real size = std::abs(Real(x[i])), tiny = std::numeric_limits<F>::min();
    scale[i] = std::max(scale[i], size * tiny);
    slope_scale[i] = std::max(slope_scale[i], (size + size * size * size) * tiny * kShut<F>);
  }
  Worst value, gradient;
  for (const limen_kernel* k : kernels<F>(a, LIMEN_FORWARD)) {
    const auto got = Run<F>(a).forward(k, x.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) value.see(ulp_error(got[i], y[i], scale[i]), x[i]);
  }
  const limen_kernel* first = a.kernel(LIMEN_FORWARD, kDtype<F>, detect_isa());
  for (const limen_kernel* k : kernels<F>(a, LIMEN_BACKWARD)) {
    const auto got = Run<F>(a, first).backward(k, x.data(), one.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      // y is rounded, so what is made from it alone can only be good to the last place of 1.
      const Real least =
          k->reads & LIMEN_Y ? std::max(Real(1), std::abs(slope[i])) : slope_scale[i];
      gradient.see(ulp_error(got[i], slope[i], least), x[i]);
    }
  }
  EXPECT_LE(value.ulp, 4) << title(d) << ", " << type_name<F>() << " at x = " << value.at;
  EXPECT_LE(gradient.ulp, 5) << "slope of " << title(d) << ", " << type_name<F>()
                             << " at x = " << gradient.at;
  testing::Test::RecordProperty(d.name + "_" + type_name<F>(),
                                std::to_string(value.ulp) + " " + std::to_string(gradient.ulp));
}

TEST(Family, ValuesAreWithinFourUlpOfTheDefinitionAndSlopesWithinFive) {
  for (const Definition& d : definitions()) {
    expect_definition<float>(d);
    expect_definition<double>(d);
  }
}

template <class F>
void expect_limits(const Definition& d) {
  if (std::isnan(d.limits.f_below)) return;
  SCOPED_TRACE(title(d) + " " + type_name<F>());
  const Activation a = shipped().find(d.name).with(d.with);
  const F inf = std::numeric_limits<F>::infinity(), nan = std::numeric_limits<F>::quiet_NaN();
  const F x[] = {-inf, inf, nan}, dy[] = {1, 1, 1};
  for (const limen_kernel* k : kernels<F>(a, LIMEN_FORWARD)) {
    const auto y = Run<F>(a).forward(k, x, 3);
    EXPECT_EQ(y[0], static_cast<F>(d.limits.f_below)) << isa_name(k->isa);
    EXPECT_EQ(y[1], static_cast<F>(d.limits.f_above)) << isa_name(k->isa);
    EXPECT_TRUE(std::isnan(y[2])) << isa_name(k->isa);
  }
  const limen_kernel* first = a.kernel(LIMEN_FORWARD, kDtype<F>, detect_isa());
  for (const limen_kernel* k : kernels<F>(a, LIMEN_BACKWARD)) {
    const auto dx = Run<F>(a, first).backward(k, x, dy, 2);
    EXPECT_LE(ulp_error(dx[0], d.limits.slope_below), 1) << isa_name(k->isa) << k->reads;
    EXPECT_LE(ulp_error(dx[1], d.limits.slope_above), 1) << isa_name(k->isa) << k->reads;
  }
}

TEST(Family, InfinitiesGiveTheLimitsOfValueAndSlopeAndNanStaysNan) {
  for (const Definition& d : definitions()) {
    expect_limits<float>(d);
    expect_limits<double>(d);
  }
}

// Odd lengths, one element, addresses that are not aligned: the same bits as in the middle of a
// long tile.
template <class F>
void expect_any_length(const Definition& d) {
  SCOPED_TRACE(title(d) + " " + type_name<F>());
  const Activation a = shipped().find(d.name).with(d.with);
  const std::vector<F> x = everywhere<F>(5, 100), dy = everywhere<F>(6, 100);
  const limen_kernel* first = a.kernel(LIMEN_FORWARD, kDtype<F>, detect_isa());
  const auto same = [](const std::vector<F>& part, const std::vector<F>& whole, std::size_t begin) {
    return std::memcmp(part.data(), whole.data() + begin, part.size() * sizeof(F)) == 0;
  };
  for (const std::uint32_t role : {LIMEN_FORWARD, LIMEN_BACKWARD}) {
    for (const limen_kernel* k : kernels<F>(a, role)) {
      const Run<F> run(a, first);
      const auto call = [&](std::size_t begin, std::size_t n) {
        return role == LIMEN_FORWARD ? run.forward(k, x.data() + begin, n)
                                     : run.backward(k, x.data() + begin, dy.data() + begin, n);
      };
      const auto whole = call(0, x.size());
      for (const std::size_t n : {1, 3, 15, 17, 31, 255}) {
        for (const std::size_t begin : {1, 2, 5, 64}) {
          EXPECT_TRUE(same(call(begin, n), whole, begin))
              << n << " from " << begin << ", " << isa_name(k->isa) << " role " << role;
        }
      }
    }
  }
}

TEST(Family, AnyLengthAndAddressGiveTheSameBits) {
  for (const Definition& d : definitions()) {
    expect_any_length<float>(d);
    expect_any_length<double>(d);
  }
}

}  // namespace
}  // namespace limen::test
