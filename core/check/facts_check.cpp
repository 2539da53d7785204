// What an op says about itself as data: exact values, and facts of the function.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "check/activation.hpp"
#include "check/map_scan.hpp"
#include "check/row_function.hpp"

namespace limen::check {
namespace {

// The rounding that contract and kernel allow to a value of this size.
double ulps(const limen_kernel& kernel, double value, double scale) {
  const double n = std::max(4.0, static_cast<double>(kernel.max_ulp));
  return 2 * n * precision_of(dtype_of_bit(kernel.dtype)).unit *
         std::max(std::abs(value), 0x1p-10 * scale);
}

class Golden {
 public:
  Golden(const ActivationContext& context, const limen_golden& table)
      : context_(context), table_(table) {}

  void values(const KernelPair& pair, const limen_kernel* exact);

 private:
  const ActivationContext& context_;
  const limen_golden& table_;

  Call call_for(const limen_kernel& kernel) const;
  void slopes(const limen_kernel& kernel, Call& call, Tally& t) const;
};

// All points in one call; those of a row function are one row.
Call Golden::call_for(const limen_kernel& kernel) const {
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, table_.n, {.flags = LIMEN_TILE_EVAL});
  const std::size_t arity = call.x.size();
  for (std::size_t i = 0; i < table_.n; ++i) {
    for (std::size_t k = 0; k < arity; ++k) call.x[k].set(i, table_.x[i * arity + k]);
  }
  if (table_.hyper != nullptr) {
    call.hyper.assign(table_.hyper, table_.hyper + context_.op.op().n_params);
  }
  return call;
}

void Golden::values(const KernelPair& pair, const limen_kernel* exact) {
  const limen_kernel& kernel = *pair.backward;
  Tally t = context_.tally("golden", "golden values", describe(kernel));
  Call call = call_for(kernel);
  call.run(*pair.forward);
  if (kernel.role == LIMEN_BACKWARD) {
    if (table_.dydx != nullptr) slopes(kernel, call, t);
    context_.add(t);
    return;
  }
  // Where x itself is rounded, y may move as much as the function does.
  Operands rounded = call.y, given = call.y;
  if (exact != nullptr) {
    Call reference = call_for(*exact);
    reference.run(*exact);
    given = Operands(reference.y);
    for (std::size_t k = 0; k < call.x.size(); ++k) reference.x[k].assign(call.x[k].values());
    reference.run(*exact);
    rounded = Operands(reference.y);
  }
  double scale = 0;
  const std::size_t outputs = call.y.size();
  for (std::size_t i = 0; i < table_.n * outputs; ++i) {
    if (std::isfinite(table_.y[i])) scale = std::max(scale, std::abs(table_.y[i]));
  }
  for (std::size_t i = 0; i < table_.n; ++i) {
    for (std::size_t m = 0; m < outputs; ++m) {
      Point p;
      p.tensor = outputs == 1 ? "y" : fmt::format("y[{}]", m);
      p.element = static_cast<std::int64_t>(i);
      p.elements = table_.n;
      p.x = table_.x[i * call.x.size()];
      p.got = call.y[m].get(i);
      const double expected = table_.y[i * outputs + m];
      const double moved = std::abs(rounded[m].get(i) - given[m].get(i));
      t.add(p, compare(p.got, expected,
                       ulps(kernel, expected, scale) + (std::isfinite(moved) ? 2 * moved : 0),
                       "the op's own table of exact values"));
    }
  }
  context_.add(t);
}

void Golden::slopes(const limen_kernel& kernel, Call& call, Tally& t) const {
  const std::size_t arity = call.x.size(), outputs = call.y.size();
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  double scale = 1;
  for (std::size_t i = 0; i < table_.n * outputs * arity; ++i) {
    if (std::isfinite(table_.dydx[i])) scale = std::max(scale, std::abs(table_.dydx[i]));
  }
  for (std::size_t m = 0; m < outputs; ++m) {
    for (Operand& dy : call.dy) dy.fill(0);
    call.dy[m].fill(1);
    call.run(kernel);
    for (std::size_t i = 0; i < table_.n; ++i) {
      for (std::size_t k = 0; k < arity; ++k) {
        Point p;
        p.tensor = arity * outputs == 1 ? "dx" : fmt::format("dx[{}] of y[{}]", k, m);
        p.element = static_cast<std::int64_t>(i);
        p.elements = table_.n;
        p.x = table_.x[i * arity + k];
        p.got = call.dx[k].get(i);
        const double expected = table_.dydx[(i * outputs + m) * arity + k];
        // The argument is rounded too: at most as much as the slope changes over |x| u.
        const double bound = 16 * u * scale * (1 + std::abs(p.x));
        t.add(p, compare(p.got, expected, bound, "the op's own table of exact slopes"));
      }
    }
  }
}

// Facts of a function of one number.
class Facts {
 public:
  Facts(const ActivationContext& context, const KernelPair& pair, Tally& t)
      : context_(context),
        facts_(*context.op.op().facts),
        function_(context.op, *pair.forward, *pair.backward, slices_of(context).back()),
        unit_(precision_of(function_.dtype()).unit),
        t_(t) {
    const bool limited = context.has(LIMEN_FACT_DOMAIN);
    scan_ =
        scan(function_, limited ? facts_.x_min : -INFINITY, limited ? facts_.x_max : INFINITY,
             context.options.points, Random(context.options.seed, "facts", context.op.op().name));
    std::sort(scan_.points.begin(), scan_.points.end());
  }

  void symmetry();
  void order();
  void limits();
  void tight();

 private:
  const ActivationContext& context_;
  const limen_facts& facts_;
  MapFunction function_;
  double unit_;
  Tally& t_;
  MapScan scan_;

  void equal(double x, double got, double expected, double slack, const char* note) {
    Point p;
    p.tensor = "y";
    p.x = x;
    p.got = got;
    t_.add(p, compare(got, expected, 16 * unit_ * (std::abs(expected) + slack) + 1e-300, note));
  }
};

void Facts::symmetry() {
  if (context_.has(LIMEN_FACT_ZERO_AT_ZERO)) {
    equal(0, function_.f(0), 0, 0, "declared: f(0) = 0");
  }
  for (const double x : scan_.points) {
    const double y = function_.f(x);
    if (!std::isfinite(y)) continue;
    if (context_.has(LIMEN_FACT_ODD)) {
      equal(x, function_.f(-x), -y, 0, "declared odd: f(-x) = -f(x)");
    }
    if (context_.has(LIMEN_FACT_EVEN)) {
      equal(x, function_.f(-x), y, 0, "declared even: f(-x) = f(x)");
    }
    if (context_.has(LIMEN_FACT_IDEMPOTENT)) {
      equal(x, function_.f(y), y, 0, "declared idempotent: f(f(x)) = f(x)");
    }
    for (const double a : {0.5, 4.0, 3.0}) {
      if (!context_.has(LIMEN_FACT_HOMOGENEOUS) || std::abs(x) > 1e30) continue;
      equal(x, function_.f(function_.round(a * x)), a * y, std::abs(function_.b(x) * a * x),
            "declared homogeneous: f(a x) = a f(x)");
    }
  }
}

void Facts::order() {
  if (!context_.has(LIMEN_FACT_INCREASING)) return;
  double top = -INFINITY;
  for (const double x : scan_.points) {
    const double y = function_.f(x);
    if (!std::isfinite(y)) continue;
    const bool good = y >= top - 16 * unit_ * std::abs(top) - 1e-300;
    Point p;
    p.tensor = "y";
    p.x = x;
    p.got = y;
    t_.add(p, {good ? Outcome::pass : Outcome::fail, top, 0,
               "declared increasing: at least the value at every smaller x"});
    top = std::max(top, y);
  }
}

void Facts::limits() {
  for (const double x : scan_.points) {
    const double y = function_.f(x), slope = std::abs(function_.b(x));
    Point p;
    p.tensor = "y";
    p.x = x;
    p.got = y;
    if (context_.has(LIMEN_FACT_RANGE) && !std::isnan(y)) {
      const double slack = 16 * unit_ * std::abs(y);
      const bool good = y >= facts_.y_min - slack && y <= facts_.y_max + slack;
      t_.add(p,
             {good ? Outcome::pass : Outcome::fail, y < facts_.y_min ? facts_.y_min : facts_.y_max,
              slack, fmt::format("declared range [{:g}, {:g}]", facts_.y_min, facts_.y_max)});
    }
    if (context_.has(LIMEN_FACT_LIPSCHITZ) && !context_.surrogate() && std::isfinite(y)) {
      p.tensor = "|f'|";
      p.got = slope;
      const bool good = slope <= facts_.lipschitz * (1 + 1e-6) + 16 * unit_;
      t_.add(p, {good ? Outcome::pass : Outcome::fail, facts_.lipschitz, 0,
                 "declared: no slope is steeper"});
    }
  }
}

// A bound that f does not come near is no tight one: the extremes of f, from far and wide and then
// ever closer. Where there are parameters others may reach it.
void Facts::tight() {
  const limen_op& op = context_.op.op();
  if (!context_.has(LIMEN_FACT_RANGE) || op.n_params > 0 || context_.op.stochastic()) return;
  Row x = scan_.at;
  x.insert(x.end(), scan_.points.begin(), scan_.points.end());
  for (double far = 10; far < 1e37; far *= 1000) x.insert(x.end(), {far, -far});
  double low = INFINITY, high = -INFINITY, at_low = 0, at_high = 0;
  for (double step : {0.1, 0.01, 1e-3, 1e-4}) {
    const Row y = function_.f(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool inside = !context_.has(LIMEN_FACT_DOMAIN) || context_.defined_at(x[i]);
      if (inside && y[i] < low) low = y[i], at_low = x[i];
      if (inside && y[i] > high) high = y[i], at_high = x[i];
    }
    x.clear();
    for (const double at : {at_low, at_high}) {
      for (int i = -10; i <= 10; ++i) x.push_back(at + step * i * std::max(1.0, std::abs(at)));
    }
  }
  const double slack = 0.25 * (high - low) + 1e-3 * std::max(std::abs(low), std::abs(high));
  const auto reaches = [&](double end, double y, double at) {
    if (!std::isfinite(end) || !std::isfinite(slack)) return;
    Point p;
    p.tensor = "y";
    p.x = at;
    p.got = y;
    t_.add(p, {std::abs(end - y) <= slack ? Outcome::pass : Outcome::fail, end, slack,
               fmt::format("declared range [{:g}, {:g}]: LIMEN_FACT_RANGE promises tight bounds, "
                           "and f comes no nearer to {:g} than this",
                           facts_.y_min, facts_.y_max, end)});
  };
  reaches(facts_.y_min, low, at_low);
  reaches(facts_.y_max, high, at_high);
}

// A range holds for every element of a row too.
void row_range(const ActivationContext& context, const limen_kernel& forward, Tally& t) {
  const limen_facts& facts = *context.op.op().facts;
  if (!context.has(LIMEN_FACT_RANGE)) return;
  const double unit = precision_of(dtype_of_bit(forward.dtype)).unit;
  for (std::uint64_t stream = 0; stream < 8; ++stream) {
    Call call =
        drawn_call(context, dtype_of_bit(forward.dtype), context.op.rows() ? 4 : 1, 17, {}, stream);
    call.run(forward);
    for (const double y : joined(call.y)) {
      Point p;
      p.tensor = "y";
      p.got = y;
      const double slack = 16 * unit * std::abs(y);
      const bool good = y >= facts.y_min - slack && y <= facts.y_max + slack;
      t.add(p, {good ? Outcome::pass : Outcome::fail, y < facts.y_min ? facts.y_min : facts.y_max,
                slack, fmt::format("declared range [{:g}, {:g}]", facts.y_min, facts.y_max)});
    }
  }
}

}  // namespace

void check_golden(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const limen_kernel* exact = nullptr;
  for (const limen_kernel* k : kernels_of(op, LIMEN_FORWARD, LIMEN_F64, context.isa)) {
    if (k->variant == 0) exact = k;
  }
  for (std::uint32_t i = 0; i < op.n_goldens; ++i) {
    Golden golden(context, *LIMEN_AT(limen_golden, op.goldens, i));
    for (const KernelPair& pair : all_kernels(context)) {
      const std::uint32_t role = pair.backward->role;
      if (role != LIMEN_FORWARD && role != LIMEN_BACKWARD) continue;
      if (role == LIMEN_BACKWARD && (context.op.rows() || context.surrogate())) continue;
      if (context.wants("golden")) golden.values(pair, exact);
    }
  }
}

void check_facts(const ActivationContext& context) {
  if (context.op.op().facts == nullptr || !context.wants("facts")) return;
  const KernelPair pair = reference_pair(context);
  if (pair.forward == nullptr) return;
  Tally t = context.tally("facts", "declared facts", describe(*pair.forward));
  if (context.op.rows() || context.op.op().arity > 1 || context.op.op().outputs > 1) {
    row_range(context, *pair.forward, t);
  } else {
    Facts facts(context, pair, t);
    facts.symmetry();
    facts.order();
    facts.limits();
    if (context.first) facts.tight();
  }
  context.add(t);
}

}  // namespace limen::check
