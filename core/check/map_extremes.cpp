// Infinities, NaN, the largest and the smallest numbers, at x and at upstreams.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "check/map_check.hpp"

namespace limen::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Where kernels overflow, underflow, or meet the ends of their numbers.
Row extreme_values(const Precision& precision, DType dtype) {
  const double top = dtype == DType::f32 ? FLT_MAX : DBL_MAX;
  Row values;
  for (const double x :
       {precision.denormal, precision.min_normal, precision.min_normal * (1 + 2 * precision.unit),
        precision.unit, 88.7, 89.0, 103.97, 709.7, 745.2, 1000.0, 1e10, top / 2, top}) {
    const double value = dtype == DType::f32 ? static_cast<double>(static_cast<float>(x)) : x;
    values.push_back(value);
    values.push_back(-value);
  }
  return values;
}

// About 32 of the points within [-100, 100]; if b is 0 at all of them, some farther out where it is
// not.
Row some_of(const Row& points, MapFunction& function) {
  Row some, far;
  for (std::size_t i = 0; i < points.size(); i += 1 + points.size() / 32) {
    if (std::abs(points[i]) <= 100) some.push_back(points[i]);
  }
  const Row near = function.b(some);
  if (std::any_of(near.begin(), near.end(), [](double b) { return b != 0; })) return some;
  for (const double x : points) {
    if (std::abs(x) > 100 && std::abs(x) < 1e6) far.push_back(x);
  }
  const Row b = function.b(far);
  for (std::size_t i = 0, most = some.size() + 8; i < far.size() && some.size() < most; ++i) {
    if (b[i] != 0) some.push_back(far[i]);
  }
  return some;
}

}  // namespace

// What all outputs of the op come to: not finite where one of them is not, in whose derivative a
// zero upstream is NaN.
Row MapCheck::all_outputs(const Row& x) {
  Row sum(x.size(), 0);
  for (std::uint32_t k = 0; context_.op.op().outputs > 1 && k < context_.op.op().outputs; ++k) {
    Slice other = slice_;
    other.output = k;
    const Row y = MapFunction(context_.op, *pair_.forward, *pair_.backward, other).f(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!std::isfinite(y[i])) sum[i] = y[i];
    }
  }
  return sum;
}

// Finite x, finite f and a finite derivative demand a finite gradient.
Findings MapCheck::extremes() {
  Row values = extreme_values(precision_, function_.dtype());
  if (context_.surrogate()) values.insert(values.end(), {0, 1, -1});  // no differences ask there
  std::erase_if(values, [&](double x) { return !(x > low_ && x < high_); });
  const auto [f, b] = function_.both(values);
  const Row others = all_outputs(values);
  Findings findings;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isinf(f[i]) && std::isnan(b[i])) {
      context_.note(fmt::format("the gradient is NaN at x = {:g}, where the function is infinite",
                                values[i]));
    }
    if (!std::isfinite(f[i]) || !std::isfinite(others[i])) continue;
    Judgement judgement{Outcome::pass, 0, 0, {}};
    if (!std::isfinite(b[i])) {
      const Derivative& d = derivative(values[i]);
      judgement = {Outcome::fail, d.value, d.bound,
                   "finite x and finite f(x) must give a finite gradient"};
      const bool unknown = !std::isfinite(d.bound) || out_of_range(values[i], b[i]);
      if (std::isinf(b[i]) && unknown) judgement.outcome = Outcome::skipped;
    }
    findings.push_back({point(i, values.size(), values[i], f[i], b[i]), std::move(judgement)});
  }
  if (slice_.brief) return findings;
  extreme_upstreams(findings);
  if (!context_.surrogate()) huge_slopes(findings);
  return findings;
}

// Where squares and higher powers of x overflow: if f rises steadily over a wide stretch, so does
// b. Only for functions that do so where numbers lie close: stairs and waves far out are lines, and
// a derivative of 0 at whole numbers may be theirs.
void MapCheck::huge_slopes(Findings& findings) {
  const bool narrow = function_.dtype() == DType::f32;
  const Row powers =
      narrow ? Row{3.08, 7, 10, 14, 20, 27, 37} : Row{6.16, 12, 40, 80, 110, 157, 216, 299};
  for (const double sign : {1.0, -1.0}) {
    double first = 0;
    for (const double power : powers) {
      const std::optional<Finding> finding = far_slope(sign * std::pow(10, power));
      const double slope = finding ? std::abs(finding->judgement.expected) : 0;
      if (first == 0) {
        if (!finding || finding->judgement.outcome != Outcome::pass) break;
        first = slope;
      } else if (slope > 1e-3 * first) {  // what fades away may do so early
        findings.push_back(*finding);
      }
    }
  }
}

// Nothing where f or b is not steady around x.
std::optional<Finding> MapCheck::far_slope(double center) {
  constexpr std::size_t kParts = 8, kMiddle = kParts / 2;
  Row x, slopes;
  for (std::size_t k = 0; k <= kParts; ++k) {
    x.push_back(function_.round(center * (0.75 + 0.5 / kParts * static_cast<double>(k))));
  }
  if (!(std::min(x[0], x[kParts]) > low_ && std::max(x[0], x[kParts]) < high_)) return {};
  const auto [f, b] = function_.both(x);
  for (std::size_t k = 0; k < kParts; ++k) slopes.push_back((f[k + 1] - f[k]) / (x[k + 1] - x[k]));
  const auto [low, high] = std::minmax_element(slopes.begin(), slopes.end());
  const auto [least, most] = std::minmax_element(b.begin(), b.end());
  const double steep = std::max(std::abs(*low), std::abs(*high));
  const double rounding = 64 * precision_.unit * std::abs(f[0]) / std::abs(x[1] - x[0]);
  const double got = b[kMiddle], slack = (1e-2 + context_.accuracy()) * steep;
  if (!(*low * *high > 0 && std::min(std::abs(*low), std::abs(*high)) > 0.5 * steep)) return {};
  if (!std::isfinite(steep) || rounding > 1e-2 * steep) return {};
  if (!std::isnan(got) && !(*most - *least <= 2 * (*high - *low) + 1e-2 * steep)) return {};
  const bool good = got >= *low - slack && got <= *high + slack;
  return Finding{
      point(0, 1, x[kMiddle], f[kMiddle], got),
      {good ? Outcome::pass : Outcome::fail, 0.5 * (*low + *high), 0.5 * (*high - *low) + slack,
       "what f rises by there; perhaps x * x overflows on the way"}};
}

// A derivative is a factor, however large or small the number that it multiplies.
void MapCheck::extreme_upstreams(Findings& findings) {
  const MapScan& places = twin_ != nullptr ? twin_->scan_ : scan_;
  const Row x = some_of(places.points, function_);
  const auto [f, b] = function_.both(x);
  Row scales(x.size());
  std::transform(x.begin(), x.end(), scales.begin(), [&](double at) { return places.scale(at); });
  Row masked = b;  // 0 where b is 0 all around, and not because a tail has faded away
  for (const double step : {-0.01, 0.01}) {
    Row moved = x;
    for (double& v : moved) v += step;
    const Row near = function_.b(moved);
    for (std::size_t i = 0; i < x.size(); ++i) {
      masked[i] = std::abs(x[i]) > 8 ? 1 : std::max(std::abs(masked[i]), std::abs(near[i]));
    }
  }
  Row upstreams;
  for (const double size : {1e-30, 1e-10, 1e10, 1e25, kInfinity}) {
    for (const double g : {size, -size}) upstreams.push_back(function_.round(g));
  }
  const std::vector<Row> gradients = function_.for_upstreams(x, upstreams);
  for (std::size_t k = 0; k < upstreams.size(); ++k) {
    const double upstream = upstreams[k];
    const std::string note = fmt::format("B(g) must be g B(1), also for g = {:g}", upstream);
    const Row& got = gradients[k];
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!std::isfinite(f[i]) || !std::isfinite(b[i])) continue;
      Point p = point(i, x.size(), x[i], f[i], got[i]);
      p.upstream = upstream;
      if (std::isinf(upstream)) {
        if (std::isnan(got[i]) && masked[i] == 0) {
          context_.note(
              "an infinite upstream gives NaN where the derivative is 0: mask by select, not by "
              "multiplication");
        }
        const bool good = b[i] == 0 || !std::isfinite(got[i]);
        findings.push_back({p,
                            {good ? Outcome::pass : Outcome::fail, upstream * b[i], 0,
                             "an infinite upstream must not vanish"}});
        continue;
      }
      const double scale = std::max(scales[i], std::abs(b[i]));
      if (std::abs(upstream) * (1 + scale) * (1 + std::abs(x[i])) > 1e36) continue;
      const double bound = 32 * precision_.unit * std::abs(upstream) * scale +
                           2048 * precision_.min_normal * (1 + scale);
      findings.push_back({p, compare(got[i], upstream * b[i], bound, note, context_.options)});
    }
  }
}

// NaN must not vanish, neither from x nor from the upstream.
Findings MapCheck::not_a_number() {
  const MapScan& places = twin_ != nullptr ? twin_->scan_ : scan_;
  const bool live = places.size(0, places.at.size()) > 0;
  const bool simple = context_.op.op().arity == 1 && !context_.op.stochastic();
  const bool ignored = context_.has(LIMEN_FACT_NAN_IGNORED);
  if (!(ignored ? simple && slices_ == 1 && context_.first : simple || live)) return {};
  Findings findings;
  const double y = function_.f(kNaN);
  Point p = point(0, 1, kNaN, y, y);
  p.tensor = "y";
  if (ignored) {
    const bool both = std::isnan(y) && std::isnan(function_.b(kNaN));
    Judgement judgement{both ? Outcome::fail : Outcome::pass, 0, 0,
                        "LIMEN_FACT_NAN_IGNORED is declared (NaN in does not give NaN out), and "
                        "both f and its gradient are NaN at NaN"};
    judgement.property = true;
    return {{p, std::move(judgement)}};
  }
  findings.push_back({p,
                      {std::isnan(y) ? Outcome::pass : Outcome::fail, kNaN, 0,
                       "NaN must give NaN, or the op must declare LIMEN_FACT_NAN_IGNORED"}});
  function_.b(kNaN);  // must come back
  const double x = function_.round(places.points.back());
  Point up = point(0, 1, x, function_.f(x), function_.b(x, kNaN));
  up.upstream = kNaN;
  const bool good = function_.b(x) == 0 || std::isnan(up.got);
  findings.push_back({up,
                      {good ? Outcome::pass : Outcome::fail, kNaN, 0,
                       "a NaN upstream must reach dx where the derivative is not 0"}});
  return findings;
}

}  // namespace limen::check
