// The largest error of every function of limen/math.hpp in units of the last place, as a table:
//
//   bench_math_ulp [LOG2 OF THE POINTS PER EXPONENT, 12] [FUNCTION]
//
// Points lie in every exponent of either sign. The reference is long double; the worst point of
// each function is measured once more with MPFR where that has the function and was there at build
// time.
#include <limen/math.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#ifdef LIMEN_MPFR
#include <mpfr.h>
#endif

namespace {

template <class F>
double ulp_error(F got, long double exact) {
  const F rounded = static_cast<F>(exact);
  if (std::isnan(rounded) || std::isinf(rounded)) {
    return std::isnan(rounded) ? (std::isnan(got) ? 0 : HUGE_VAL) : (got == rounded ? 0 : HUGE_VAL);
  }
  using limits = std::numeric_limits<F>;
  int exponent = 0;
  std::frexp(exact, &exponent);
  exponent = std::max(exponent, limits::min_exponent) - limits::digits;
  return static_cast<double>(std::abs(got - exact) / std::ldexp(1.0L, exponent));
}

struct Worst {
  double ulp = 0, at = 0, result = 0;
};

template <class F, class Function>
Worst measure(int log2_points, double limit, const Function& function) {
  using bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
  constexpr int kMantissa = std::numeric_limits<F>::digits - 1;
  constexpr int kExponents = 1 << (sizeof(F) * 8 - 1 - kMantissa);
  const int count = std::max(16, (1 << log2_points) / (sizeof(F) == 4 ? 1 : 8));
  std::mt19937_64 random(1);
  std::vector<F> x(static_cast<std::size_t>(count)), y(x.size());
  Worst worst;
  for (int exponent = 0; exponent < 2 * kExponents; ++exponent) {
    for (F& value : x) {
      const bits low = static_cast<bits>(random()) & ((bits{1} << kMantissa) - 1);
      value = std::bit_cast<F>(static_cast<bits>((static_cast<bits>(exponent) << kMantissa) | low));
    }
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = function(x[i]);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::abs(x[i]) > limit) continue;
      const double error = ulp_error(y[i], function(static_cast<long double>(x[i])));
      if (error > worst.ulp) worst = {error, static_cast<double>(x[i]), static_cast<double>(y[i])};
    }
  }
  return worst;
}

#ifdef LIMEN_MPFR
using Mpfr = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

template <class F>
double exact_ulp(const Worst& worst, Mpfr function) {
  mpfr_t x;
  mpfr_init2(x, 200);
  mpfr_set_d(x, worst.at, MPFR_RNDN);
  function(x, x, MPFR_RNDN);
  const double error = ulp_error(static_cast<F>(worst.result), mpfr_get_ld(x, MPFR_RNDN));
  mpfr_clear(x);
  return error;
}
#define EXACT(name) mpfr_##name
#else
using Mpfr = void*;
template <class F>
double exact_ulp(const Worst& worst, Mpfr) {
  return worst.ulp;
}
#define EXACT(name) nullptr
#endif

struct Table {
  int log2_points;
  std::string_view only;

  template <class Function>
  void row(std::string_view name, const Function& function, Mpfr exact = nullptr,
           double limit = HUGE_VAL) const {
    if (!only.empty() && only != name) return;
    const Worst narrow = measure<float>(log2_points, HUGE_VAL, function);
    const Worst wide = measure<double>(log2_points, limit, function);
    const double a = exact ? exact_ulp<float>(narrow, exact) : narrow.ulp;
    const double b = exact ? exact_ulp<double>(wide, exact) : wide.ulp;
    fmt::print("{:<16} f32 {:5.2f} at {:<14.7g} f64 {:5.2f} at {:.17g}{}\n", name, a, narrow.at, b,
               wide.at, exact ? "" : "  (long double)");
  }
};

}  // namespace

#define ROW(name, ...) \
  table.row(#name, [](auto x) { return limen::name(x); } __VA_OPT__(, ) __VA_ARGS__)

int main(int argc, char** argv) {
  const Table table{argc > 1 ? std::atoi(argv[1]) : 12, argc > 2 ? argv[2] : ""};
  ROW(exp, EXACT(exp));
  ROW(expm1, EXACT(expm1));
  ROW(log, EXACT(log));
  ROW(log1p, EXACT(log1p));
  ROW(tanh, EXACT(tanh));
  ROW(tanh_slope);
  ROW(sigmoid);
  ROW(sigmoid_slope);
  ROW(softplus);
  ROW(erf, EXACT(erf));
  ROW(erfc, EXACT(erfc));
  ROW(gauss_cdf);
  ROW(gauss_pdf);
  ROW(exp_neg_square);
  ROW(tanh_softplus);
  ROW(sin, EXACT(sin), 0x1p26);
  ROW(cos, EXACT(cos), 0x1p26);
  ROW(atan, EXACT(atan));
  ROW(atan_slope);
  table.row("pow(x, 1.75)", [](auto x) { return limen::pow(x, decltype(x)(1.75)); });
  table.row("pow(1.75, x)", [](auto x) { return limen::pow(decltype(x)(1.75), x); });
}
