#include "check/map_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <tuple>
#include <utility>

namespace limen::check {
namespace {

bool same_bits(const Row& a, const Row& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// Up to a few roundings of numbers of these sizes: instruction sets with and without fused
// multiply-add.
template <class Size>
bool nearly(const Row& a, const Row& b, const Size& size) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool equal = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    if (!equal && !(std::abs(a[i] - b[i]) <= 0x1p-47 * size(i))) return false;
  }
  return true;
}

}  // namespace

MapCheck::MapCheck(const ActivationContext& context, const KernelPair& pair,
                   const limen_kernel* exact, const Slice& slice, std::size_t slices,
                   const Peers& peers)
    : context_(context),
      pair_(pair),
      exact_(exact),
      slice_(slice),
      slices_(slices),
      function_(context.op, *pair.forward, *pair.backward, slice),
      precision_(precision_of(function_.dtype())) {
  const limen_facts* facts = context.op.op().facts;
  const bool limited = context.has(LIMEN_FACT_DOMAIN);
  low_ = limited ? facts->x_min : -std::numeric_limits<double>::infinity();
  high_ = limited ? facts->x_max : std::numeric_limits<double>::infinity();
  MapFunction many(context.op, *pair.forward, *pair.backward, slice, true);
  compare_with(peers, many);
  if (twin_ != nullptr) return;
  scan_ = scan(function_, low_, high_, points(),
               Random(context.options.seed, "points", context.op.op().name));
  probes_ = scan_.at;
  probes_.insert(probes_.end(), scan_.points.begin(), scan_.points.end());
  dense_ = dense();
  probes_.insert(probes_.end(), dense_.begin(), dense_.end());
  std::tie(f_, b_) = many.both(probes_);
}

Row MapCheck::dense() const {
  Row result;
  if (!context_.first || slices_ > 1) return result;
  constexpr int kNear = 6000, kFar = 750;
  const auto add = [&](double x) {
    x = function_.round(x);
    if (x > low_ && x < high_) result.push_back(x);
  };
  if (function_.dtype() == DType::f64) add(1e-50), add(-1e-50);  // 0 as floats
  for (int i = 0; i < kNear; ++i) add(-6 + 12 * (i + 0.381966) / kNear);
  for (int i = 0; i < kFar; ++i) {
    const double x = std::exp(std::log(6.0) + (std::log(1e5) - std::log(6.0)) * i / kFar);
    add(x);
    add(-x);
  }
  const double far = function_.dtype() == DType::f64 ? 1e11 : 4e6;
  for (double x = 123456.789; x < far; x *= 1.8) {
    add(x);
    add(-x);
  }
  for (int i = 1; i <= 100; ++i) {
    for (const double parts : {1.0, 8.0, 10.0}) {
      add(i / parts);
      add(-i / parts);
    }
  }
  return result;
}

void MapCheck::compare_with(const Peers& peers, MapFunction& many) {
  for (const auto& peer : peers) {
    if (peer->twin_ != nullptr || peer->function_.dtype() != function_.dtype()) continue;
    const Row& x = peer->probes_;
    const Row f = peer->pair_.forward == pair_.forward ? peer->f_ : many.f(x);
    if (same_f_ == this && same_bits(f, peer->f_)) same_f_ = peer->same_f_;
    if (peer->pair_.backward->reads != pair_.backward->reads) continue;
    if (peer->exact_ != exact_ && function_.dtype() == DType::f32) continue;
    const Row b = many.b(x);
    const auto scale = [&](std::size_t i) { return peer->scan_.scale(x[i]); };
    const auto size = [&](std::size_t i) { return std::max(std::abs(f[i]), scale(i)); };
    bool close =
        function_.dtype() == DType::f64 && nearly(f, peer->f_, size) && nearly(b, peer->b_, scale);
    if (!close && function_.dtype() == DType::f64) {
      // With fused multiply-add arguments like 30 x are rounded in another way.
      const double u = precision_.unit;
      Row moved = x;
      for (double& v : moved) v *= 1 + 4 * u;
      const auto [f_moved, b_moved] = many.both(moved);
      close =
          nearly(f, peer->f_,
                 [&](std::size_t i) { return size(i) + std::abs(f_moved[i] - f[i]) / (32 * u); }) &&
          nearly(b, peer->b_,
                 [&](std::size_t i) { return scale(i) + std::abs(b_moved[i] - b[i]) / (32 * u); });
    }
    if (!close && !(same_bits(f, peer->f_) && same_bits(b, peer->b_))) continue;
    twin_ = peer.get();
    return;
  }
}

std::vector<const Derivative*> MapCheck::derivatives(const Row& x) {
  std::map<double, Derivative>& known = same_f_->derivatives_;
  Row missing;
  for (const double at : x) {
    if (!known.contains(at)) missing.push_back(at);
  }
  Row ranges;
  for (const double at : missing) ranges.push_back(scan_.range(at));
  const std::vector<Derivative> fresh = function_.derivatives(missing, ranges);
  for (std::size_t i = 0; i < missing.size(); ++i) known.emplace(missing[i], fresh[i]);
  std::vector<const Derivative*> result;
  for (const double at : x) result.push_back(&known.at(at));
  return result;
}

// The rounding of a right implementation, measured by asking it: how much its answer moves with the
// last bits of x and, if it reads y, of y.
Row MapCheck::allowances(const Row& x, const Row& slopes) {
  const double step = function_.dtype() == DType::f32 ? 0x1p-10 : 0x1p-20;
  Row sum = slopes, up, down;
  for (double& v : sum) v = std::abs(v);
  for (const double at : x) {
    up.push_back(function_.round(at * (1 + step)));
    down.push_back(function_.round(at * (1 - step)));
  }
  const auto moves = [&](const Row& a, const Row& b) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double change = std::abs(a[i] - b[i]) / (2 * step);
      if (std::isfinite(change)) sum[i] += change;
    }
  };
  moves(function_.b(up), function_.b(down));
  if ((pair_.backward->reads & LIMEN_Y) != 0) {
    moves(function_.b_with_y(x, step), function_.b_with_y(x, -step));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double scale = scan_.scale(x[i]);
    // A product that underflows on the way (1 / cosh^2 far out) is harmless: it counts as 0.
    double underflow = 4 * precision_.min_normal;
    if (function_.dtype() == DType::f64) underflow += std::sqrt(precision_.min_normal) * scale;
    // A slope that cannot be seen in f: rounding of f's numbers cuts it off to a constant.
    underflow +=
        std::min(256 * precision_.unit * scan_.range(x[i]) / std::max(4.0, 2 * std::abs(x[i])),
                 1e-9 * scan_.slope_scale(x[i]));
    // What an f32 kernel may be off by beside an f64 one, it may be off by without one; and x times
    // a gate that is 1 + erf by the last bit of its 1.
    if (function_.dtype() == DType::f32) {
      underflow += precision_.unit * std::max(64 * scale, 24 * scan_.steady_scale(x[i]));
    }
    sum[i] = 16 * precision_.unit * sum[i] + underflow + context_.accuracy() * scale;
  }
  return sum;
}

Tolerance MapCheck::tolerance(double x, const Derivative& d, double allowed) const {
  return {allowed, std::max(scan_.slope_scale(x), std::abs(d.value)),
          resolution_of(function_.dtype()), std::max(1e-300, 64 * precision_.min_normal),
          context_.accuracy() * scan_.scale(x)};
}

void MapCheck::testify(Evidence& evidence) {
  evidence.float32 = exact_ != nullptr && function_.dtype() == DType::f32;
  evidence.stochastic = context_.op.stochastic();
  evidence.one_line = slice_.others.size() > 1;
  evidence.gradient = [this](double x) { return function_.b(Row{x})[0]; };
  evidence.slope = [this](double x) { return derivative(x).value; };
  evidence.parameters.clear();
  const limen_op& op = context_.op.op();
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    evidence.parameters.emplace_back(LIMEN_AT(limen_param, op.params, p)->name,
                                     context_.op.hyper()[p]);
  }
}

Point MapCheck::point(std::size_t i, std::size_t n, double x, double y, double got) const {
  Point p;
  p.tensor = slice_.tensor;
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(n);
  p.x = x;
  p.y = y;
  p.got = got;
  return p;
}

// Close places at which a plain difference is far from b, or in f32 b from what it is at both
// neighbouring numbers: a narrow band, a single number, or a kink.
Row MapCheck::suspicious() {
  constexpr std::size_t kMost = 100;
  const bool narrow = function_.dtype() == DType::f32;
  const Row& x = dense_;
  Row above = x, below = x, result;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double gap = ulp(x[i], precision_), size = std::max(1.0, std::abs(x[i]));
    // Far out a wave may be as short as near 0.
    const double h = narrow ? gap : std::min(1e-5 * size, 1e-3 + 4096 * gap);
    above[i] = function_.round(x[i] + h);
    below[i] = function_.round(x[i] - h);
  }
  const Row high = narrow ? function_.b(above) : function_.f(above);
  const Row low = narrow ? function_.b(below) : function_.f(below);
  const std::span<const double> b = at_dense();
  const double least = 1e-3 * scan_.least_scale();
  for (std::size_t i = 0; i < x.size() && result.size() < kMost; ++i) {
    const double slope = (high[i] - low[i]) / (above[i] - below[i]);
    const double off =
        narrow ? std::max(std::min(high[i], low[i]) - b[i], b[i] - std::max(high[i], low[i]))
               : std::abs(b[i] - slope);
    const double size = std::max(scan_.scale(x[i]), std::abs(b[i]));
    if (!(off > least && off > 1e-3 * size)) continue;
    if (!narrow && std::abs(x[i]) > 1e5) {  // a jump nearby, of many, is no reason to ask a ladder
      const double step = 512 * ulp(x[i], precision_);
      const Row f = function_.f(Row{x[i] - step, x[i], x[i] + step});
      const auto close = [&](double rise) { return std::abs(b[i] - rise / step) <= 1e-2 * size; };
      if (close(f[1] - f[0]) || close(f[2] - f[1])) continue;
    }
    result.push_back(x[i]);
  }
  return result;
}

Findings MapCheck::pointwise() {
  Row x = scan_.points;
  const Row more = suspicious();
  x.insert(x.end(), more.begin(), more.end());
  const auto [y, got] = function_.both(x);
  const std::vector<const Derivative*> d = derivatives(x);
  Row slopes;
  for (const Derivative* at : d) slopes.push_back(at->value);
  const Row allowed = allowances(x, slopes);
  Findings findings;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Judgement judgement = judge(got[i], *d[i], tolerance(x[i], *d[i], allowed[i]));
    if (function_.dtype() == DType::f32) {
      doubt(x[i], got[i], *d[i], judgement);
      if (judgement.outcome == Outcome::undecided) {
        if (integral_confirms(x[i], got[i]))
          judgement.outcome = Outcome::pass;
        else if (blurred(x[i], *d[i]))
          judgement.outcome = Outcome::skipped;
      }
    } else if (judgement.outcome == Outcome::fail && is_slope_near_zero(x[i], got[i])) {
      judgement.outcome = Outcome::pass;
    } else if (judgement.outcome == Outcome::fail && steps_hide(x[i], got[i], *d[i])) {
      judgement.outcome = Outcome::undecided;
      judgement.note += "; f is smooth between steps that rounding makes, and agrees across them";
    } else if (d[i]->noise > 8 * precision_.unit * scan_.range(x[i])) {
      doubt(x[i], got[i], *d[i], judgement);  // it may be a fast oscillation, which is no noise
    }
    findings.push_back({point(i, x.size(), x[i], y[i], got[i]), std::move(judgement)});
  }
  leave_out(findings, more.size(), d);
  return findings;
}

IntegralSubject MapCheck::subject() {
  std::function<double(double)> product;
  if (function_.dtype() == DType::f32) {
    product = [this](double x) {
      return std::min(std::abs(x) * scan_.steady_scale(x), scan_.wide_range(x));
    };
  }
  const auto fill = [](const Row& values, std::span<double> to) {
    std::copy(values.begin(), values.end(), to.begin());
  };
  return {
      [this, fill](std::span<const double> x, std::span<double> to) { fill(function_.f(x), to); },
      [this, fill](std::span<const double> x, std::span<double> to) { fill(function_.b(x), to); },
      [this, fill](std::span<const double> x, std::span<double> to) {
        fill(allowances({x.begin(), x.end()}, function_.b(x)), to);
      },
      [this](double x) { return scan_.slope_scale(x); },
      [this](double x) { return scan_.range(x); },
      [this](double x) { return function_.round(x); },
      precision_,
      product};
}

Findings MapCheck::integral() {
  if (slice_.brief) return {};
  const int density = slices_ > 1 ? 96 : context_.first ? 1536 : 192;
  const IntegralSubject at = subject();
  std::vector<PanelFinding> panels =
      check_integral(at, integral_panels({scan_.low, scan_.high}, low_, high_, density, at.round));
  Findings findings;
  findings.reserve(panels.size());
  for (PanelFinding& panel : panels) {
    const double x = function_.round(0.5 * (panel.panel.low + panel.panel.high));
    Judgement judgement = std::move(panel.judgement);
    if (function_.dtype() == DType::f32 && judgement.outcome == Outcome::fail) {
      // In f32 alone the ladder must disagree too, as it needs the integral in doubt().
      const Derivative& d = derivative(x);
      const Outcome there = judge(function_.b(x), d, tolerance(x, d)).outcome;
      if (there != Outcome::fail) judgement.outcome = Outcome::undecided;
    }
    findings.push_back(
        {point(findings.size(), panels.size(), x, 0, panel.gradient), std::move(judgement)});
  }
  return findings;
}

namespace {

// All tests of one backward kernel; `exact` is the f64 kernel that an f32 one is held against.
void check_kernel(const ActivationContext& context, const KernelPair& pair,
                  const limen_kernel* exact, const std::vector<Slice>& slices,
                  std::vector<Peers>& peers) {
  const bool one = slices.size() == 1;
  std::vector<MapCheck*> checks(slices.size());
  const auto test = [&](const char* name, const char* check, MapCheck::Part part,
                        bool shared = true) {
    if (!context.wants(name)) return;
    Tally t = context.tally(name, check, describe(*pair.backward));
    t.explain_by_x();
    t.evidence().means = part == &MapCheck::integral;
    for (std::size_t s = 0; s < slices.size(); ++s) {
      if (checks[s] == nullptr) {
        auto made =
            std::make_unique<MapCheck>(context, pair, exact, slices[s], slices.size(), peers[s]);
        checks[s] = made.get();
        peers[s].push_back(std::move(made));
      }
      if (!t.failed()) checks[s]->testify(t.evidence());
      for (const Finding& f : shared ? checks[s]->findings(name, part) : (checks[s]->*part)()) {
        t.add(f.point, f.judgement);
      }
      if (!one) t.next_function();
    }
    context.add(t);
  };
  if (exact != nullptr) {
    const bool alike = exact->dtype == pair.backward->dtype;
    test(alike ? "variants-agree" : "dtype-agree",
         alike ? "backward kernels agree" : "f32 against f64", &MapCheck::precision);
  } else if (!context.surrogate()) {
    test("derivative-fd", "pointwise derivative", &MapCheck::pointwise);
    test("integral", "integral", &MapCheck::integral);
  }
  test("extremes", "extremes", &MapCheck::extremes, false);
  test("nan-in", "NaN", &MapCheck::not_a_number, false);
  if (!one || context.op.op().facts == nullptr) return;
  test("kink-slope", "declared kinks", &MapCheck::declared_kinks);
  if (exact == nullptr) test("kinks-declared", "undeclared kinks", &MapCheck::undeclared_kinks);
}

}  // namespace

void check_map(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  std::vector<Slice> slices = slices_of(context);
  for (const std::uint64_t element : doubtful_draws(context)) {
    for (std::size_t k = 0; k < op.arity; ++k) {
      std::string tensor = fmt::format("dx[{}] (draw of element {})", k, element);
      slices.push_back({k, 0, Row(op.arity, 0.75), {.base = element}, std::move(tensor)});
    }
  }
  std::vector<Peers> peers(slices.size());
  const limen_kernel* exact_y = nullptr;  // f64 kernels by what they read
  const limen_kernel* exact_x = nullptr;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(op, *k, context.isa);
      if (forward == nullptr) {
        context.no_forward(*k);
        continue;
      }
      // Numbers that change from call to call have no derivative.
      if (!check_contract(context, *forward, *k)) continue;
      const limen_kernel*& exact = (k->reads & LIMEN_Y) != 0 ? exact_y : exact_x;
      const limen_kernel* like = exact != nullptr ? exact : exact_x != nullptr ? exact_x : exact_y;
      // A surrogate has no ladder, but kernels that read the same must agree.
      const limen_kernel* f64 = context.surrogate() ? exact : nullptr;
      check_kernel(context, {forward, k}, dtype == LIMEN_F64 ? f64 : like, slices, peers);
      if (dtype == LIMEN_F64 && exact == nullptr) exact = k;
    }
  }
}

}  // namespace limen::check
