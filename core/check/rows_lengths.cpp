// Rows of every length up to 67, and of some longer ones: kernels have code of their own for single
// vectors, for what is left of them and for lengths that are popular. Of each length <dy, f> along
// one direction, by two values of f; other kernels, forward mode and second order against that.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_time.hpp"
#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_forms.hpp"
#include "check/row_function.hpp"
#include "check/row_places.hpp"

namespace limen::check {
namespace {

class Lengths {
 public:
  Lengths(const ActivationContext& context, const KernelPair& reference);
  // What the kernel says of all forms. A backward kernel is the reference, or is held against it.
  void check(const limen_kernel& forward, const limen_kernel& kernel, Tally& t);

 private:
  const ActivationContext& context_;
  KernelPair reference_;
  Precision precision_;
  double step_;  // of plain differences
  std::vector<Case> cases_;
  std::optional<Call> calls_[2];  // by element type
  Row nudges_;                    // of learned parameters; 0 for those that stay
  Row moved_x_;
  int ladders_ = 0;  // that found no mistake
  Row usual_;        // means of gradients of single rows
  std::optional<double> steepest_;
  bool slow_ = false;

  Call& call_of(const limen_kernel& kernel);
  // x moved by `step` along a direction, learned parameters by `nudge`; nothing else.
  void place(Call& call, const Case& c, double step = 0, const Row* direction = nullptr,
             double nudge = 0);
  static void give(Operands& to, const Case& c, const Row& from);
  // For upstreams times `factor`, divided by it, where x has moved.
  Row gradient(const KernelPair& pair, const Case& c, double factor = 1, double step = 0,
               const Row* direction = nullptr);
  static Row gather(const Operands& operands, const Form& form);
  void know_all();
  void first_order(Case& c, Tally& t);
  bool leaves_out(const Form& form) const {
    const bool longest = form.n > kSlowRow && (slow_ || context_.op.stochastic());
    return longest || (form.n == kSlowRow && !slow_);
  }
  bool wants(const limen_kernel& kernel, const Form& form) const;
  // x, learned parameters or both move.
  struct Part {
    bool x, w;
    double got, size;
    const char* name() const { return x ? "dx times a direction" : "dw"; }
  };
  double moved(const Case& c, const Part& part, double step);
  bool near(const Case& c, const Part& part);
  void by_ladder(const Case& c, const Part& part, Tally& t);
  void same_gradient(const KernelPair& pair, const Case& c, Tally& t);
  double scatter(const KernelPair& pair, const Case& c, const Row& got);
  double steepest();  // the largest slope of short rows
  void other(const limen_kernel& forward, const limen_kernel& kernel, Case& c, Tally& t);
  void curvature(const limen_kernel& kernel, Case& c, const Product& got, Tally& t);
  void equal(const limen_kernel& kernel, const char* tensor, const Case& c, const Product& got,
             const Product& right, Tally& t) const;

  static Point point(const char* tensor, const Case& c, double got) {
    Point p;
    p.tensor = fmt::format("{} of {}", tensor, c.form.name());
    p.got = got;
    return p;
  }
  // Sums inside have as many terms as the row.
  double rounding(const limen_kernel& kernel, const Case& c) const {
    const double terms = 64 + static_cast<double>(c.form.n);
    return 4 * terms * precision_of(dtype_of_bit(kernel.dtype)).unit + context_.accuracy();
  }
  // Not where the numbers are so small or large that some on the way to them are not normal.
  static bool ordinary(const limen_kernel& kernel, double size) {
    const double least = std::sqrt(precision_of(dtype_of_bit(kernel.dtype)).min_normal);
    return size == 0 || (size > least && size < 1 / least);
  }
  double resolution() const { return resolution_of(dtype_of_bit(reference_.backward->dtype)); }
};

Lengths::Lengths(const ActivationContext& context, const KernelPair& reference)
    : context_(context),
      reference_(reference),
      precision_(precision_of(dtype_of_bit(reference.backward->dtype))),
      step_(reference.backward->dtype == LIMEN_F32 ? 0x1p-7 : 0x1p-20),
      cases_(drawn_cases(context)) {
  for (std::uint32_t p = 0; p < context.op.op().n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, context.op.op().params, p);
    const double value = context.op.hyper()[p], room = 1e-2;
    const bool moves = (param.flags & LIMEN_PF_TRAINABLE) != 0 && value - room > param.min &&
                       value + room < param.max;
    nudges_.push_back(moves ? 1 : 0);
  }
}

Call& Lengths::call_of(const limen_kernel& kernel) {
  std::optional<Call>& call = calls_[kernel.dtype == LIMEN_F32 ? 1 : 0];
  if (call) return *call;
  call.emplace(context_.op, dtype_of_bit(kernel.dtype), 1, kLongestRow);
  for (std::size_t p = 0; p < nudges_.size(); ++p) {
    if (nudges_[p] != 0) call->learn(p, Row{context_.op.hyper()[p]});
  }
  return *call;
}

void Lengths::place(Call& call, const Case& c, double step, const Row* direction, double nudge) {
  call.n = c.form.n, call.rows = c.form.rows, call.settings.gap = c.form.gap;
  if (direction != nullptr) {
    moved_x_.resize(c.x.size());
    for (std::size_t j = 0; j < c.x.size(); ++j) moved_x_[j] = c.x[j] + step * (*direction)[j];
  }
  give(call.x, c, direction == nullptr ? c.x : moved_x_);
  for (Operands* between : {&call.y, &call.dx, &call.ty, &call.gy}) {
    for (Operand& operand : *between) {
      if (c.form.gap > 0) operand.fill(0);
    }
  }
  for (std::size_t p = 0; p < nudges_.size(); ++p) {
    if (nudges_[p] == 0) continue;
    call.w[p].set(0, context_.op.hyper()[p] + nudge);
    call.dw[p].fill(0);
  }
}

void Lengths::give(Operands& to, const Case& c, const Row& from) {
  const std::size_t size = c.form.size();
  for (std::size_t k = 0; k < to.size(); ++k) {
    to[k].assign(std::span(from).subspan(k * size, size));
  }
}

Row Lengths::gradient(const KernelPair& pair, const Case& c, double factor, double step,
                      const Row* direction) {
  Call& call = call_of(*pair.backward);
  place(call, c, step, direction);
  Row dy = c.dy;
  for (double& g : dy) g *= factor;
  give(call.dy, c, dy);
  if ((pair.backward->reads & (LIMEN_Y | LIMEN_STATE)) != 0) call.run(*pair.forward);
  call.run(*pair.backward);
  Row result = gather(call.dx, c.form);
  for (double& d : result) d /= factor;
  return result;
}

Row Lengths::gather(const Operands& operands, const Form& form) {
  Row all(operands.size() * form.size());
  for (std::size_t k = 0; k < operands.size(); ++k) {
    operands[k].read(std::span(all).subspan(k * form.size(), form.size()));
  }
  return all;
}

// What the reference kernels give.
void Lengths::know_all() {
  for (Case& c : cases_) {
    if (leaves_out(c.form)) continue;
    Call& call = call_of(*reference_.backward);
    place(call, c);
    const double begin = thread_seconds();
    call.run(*reference_.forward);
    if (c.form.n == kLongRow) slow_ = thread_seconds() - begin > 3e-4;
    c.value = Product(c.dy, gather(call.y, c.form));
    give(call.dy, c, c.dy);
    call.run(*reference_.backward);
    c.dx = gather(call.dx, c.form);
    c.along = Product(c.v, c.dx);
    for (const Operand& dw : call.dw) c.dw.push_back(dw.absent ? 0 : dw.get(0));
    for (const double v : c.v) c.length += std::abs(v);
    if (c.form.rows > 1 || !c.along.finite()) continue;
    usual_.push_back(c.along.size / c.length);
  }
  std::erase_if(cases_, [this](const Case& c) { return leaves_out(c.form); });
  const auto middle = usual_.begin() + static_cast<std::ptrdiff_t>(usual_.size() / 2);
  std::nth_element(usual_.begin(), middle, usual_.end());
  for (Case& c : cases_) c.cancelled = usual_.empty() ? 0 : *middle * c.length;
}

// <dy, f> where what moves has moved by `step`.
double Lengths::moved(const Case& c, const Part& part, double step) {
  Call& call = call_of(*reference_.backward);
  place(call, c, step, part.x ? &c.v : nullptr, part.w ? step : 0);
  call.run(*reference_.forward);
  return Product(c.dy, gather(call.y, c.form)).value;
}

bool Lengths::near(const Case& c, const Part& part) {
  const double slope = (moved(c, part, step_) - moved(c, part, -step_)) / (2 * step_);
  const double close = 1e-2 * resolution() + context_.accuracy();
  return std::abs(part.got - slope) <= close * (part.size + 0.025 * c.value.size);
}

void Lengths::by_ladder(const Case& c, const Part& part, Tally& t) {
  constexpr int kMostLadders = 24;  // of functions for which no plain difference does
  if (ladders_ >= kMostLadders) return;
  LadderOptions options;
  options.value_scale = c.value.size;
  const double at = part.x ? 4 * c.form.spread : 1, terms = 16 + static_cast<double>(c.form.size());
  const Function f = [&](double offset) { return moved(c, part, offset); };
  const Derivative d = derivative_at(f, at, precision_, options);
  const double scale = part.size + 0.025 * c.value.size, declared = context_.accuracy() * scale;
  Judgement judgement = judge(part.got, d,
                              {terms * precision_.unit * (part.size + c.value.size) + declared,
                               scale, resolution(), 1e-300, declared});
  const bool close = std::abs(part.got - judgement.expected) <= 4 * judgement.bound;
  const bool alone = reference_.backward->dtype == LIMEN_F32;  // which proves less
  if (judgement.outcome == Outcome::undecided || (alone && close)) {
    judgement.outcome = Outcome::skipped;
  }
  if (judgement.outcome != Outcome::fail) ++ladders_;
  t.add(point(part.name(), c, part.got), judgement);
}

void Lengths::first_order(Case& c, Tally& t) {
  const Product by_w(c.dw, nudges_);
  const bool learns = std::find(nudges_.begin(), nudges_.end(), 1) != nudges_.end();
  const Part both{true, learns, c.along.value + by_w.value, c.along.size + by_w.size};
  if (near(c, both)) return t.add(point(both.name(), c, both.got), {});
  for (const Part& part :
       {Part{true, false, c.along.value, c.along.size}, Part{false, true, by_w.value, by_w.size}}) {
    if (!part.x && !learns) continue;
    near(c, part) ? t.add(point(part.name(), c, part.got), {}) : by_ladder(c, part, t);
  }
}

double Lengths::steepest() {
  if (!steepest_) {
    RowFunction few(context_.op, *reference_.forward, *reference_.backward, 5);
    steepest_ = slope_scale(few, test_rows(few.inputs(), Random(context_.options.seed, "rows")));
  }
  return *steepest_;
}

// How far the gradient moves where all upstreams grow by a factor: by what it rounds, as sums over
// the row do that leave little of their terms. No more than sums of this length may.
double Lengths::scatter(const KernelPair& pair, const Case& c, const Row& got) {
  double most = 0;
  for (const double factor : {0.7, 0.9, 1.1, 1.3}) {
    const Row again = gradient(pair, c, factor);
    for (std::size_t j = 0; j < got.size(); ++j) most = std::max(most, std::abs(again[j] - got[j]));
  }
  const double unit = precision_of(dtype_of_bit(pair.backward->dtype)).unit;
  return std::min(4 * most, static_cast<double>(c.form.n) * unit * steepest() * largest_of(c.dy));
}

// The element that is farthest off. What a sum over the row leaves of an upstream is rounded like
// the upstream; and where the reference moves with the rounding of x (next to a kink), so may this.
void Lengths::same_gradient(const KernelPair& pair, const Case& c, Tally& t) {
  const Row got = gradient(pair, c);
  const Precision precision = precision_of(dtype_of_bit(pair.backward->dtype));
  double scale = 0;
  for (const double d : c.dx) scale = std::max(scale, std::abs(d));
  double bound = precision.unit * (64 + static_cast<double>(c.form.n)) * scale +
                 context_.accuracy() * scale + precision.min_normal;
  std::size_t worst = 0;
  const auto error = [&](std::size_t j) { return std::abs(got[j] - c.dx[j]); };
  for (std::size_t j = 0; j < got.size(); ++j) {
    if (!(error(j) <= error(worst))) worst = j;
  }
  if (!(error(worst) <= bound)) bound += 16 * precision.unit * steepest() * largest_of(c.dy);
  if (!(error(worst) <= bound)) bound += scatter(pair, c, got);
  if (!(error(worst) <= bound)) {
    double moves = 0;
    for (const double step : {-64.0, -4.0, 4.0, 64.0}) {
      const Row beside = gradient(reference_, c, 1, step * precision.unit * largest_of(c.x), &c.v);
      for (std::size_t j = 0; j < beside.size(); ++j) {
        moves = std::max(moves, std::abs(beside[j] - c.dx[j]));
      }
    }
    bound += moves;
  }
  Point p = point("dx", c, got[worst]);
  p.element = static_cast<std::int64_t>(worst);
  p.elements = static_cast<std::int64_t>(got.size());
  p.x = c.x[worst];
  t.add(p, compare(p.got, c.dx[worst], bound, "the gradient of the first kernel at the same x"));
}

void Lengths::equal(const limen_kernel& kernel, const char* tensor, const Case& c,
                    const Product& got, const Product& right, Tally& t) const {
  if (!ordinary(kernel, right.size)) return;
  const bool y = tensor[0] == 'y';
  double size = right.size + got.size + (y ? 0 : c.cancelled);
  for (std::size_t j = 0; y && j < c.dx.size(); ++j) size += std::abs(c.dx[j] * c.x[j]);
  t.add(point(y ? "<dy, y>" : tensor, c, got.value),
        compare(got.value, right.value, rounding(kernel, c) * size,
                y ? "the reference's y" : "<gx, dx> of the backward kernel"));
}

// The new dx is the gradient of <gx, B(x, dy)>.
void Lengths::curvature(const limen_kernel& kernel, Case& c, const Product& got, Tally& t) {
  if (!ordinary(kernel, c.along.size)) return;
  const auto bent = [&](double step) {
    return Product(c.v, gradient(reference_, c, 1, step, &c.second)).value;
  };
  if (!c.bend) c.bend = (bent(step_) - bent(-step_)) / (2 * step_);
  const double size = got.size + c.along.size + c.cancelled, rounded = rounding(kernel, c) * size;
  const Point p = point("dx times a direction", c, got.value);
  if (std::abs(got.value - *c.bend) <= rounded + resolution() * size) return t.add(p, {});
  if (!c.curvature) {
    const double at = 4 * c.form.spread;
    LadderOptions options;
    options.value_scale = c.along.size;
    c.curvature = derivative_at(bent, at, precision_, options);
  }
  Judgement judgement =
      judge(got.value, *c.curvature, {rounded, size, resolution_of(dtype_of_bit(kernel.dtype))});
  if (judgement.outcome == Outcome::undecided) judgement.outcome = Outcome::skipped;
  t.add(p, judgement);
}

void Lengths::other(const limen_kernel& forward, const limen_kernel& kernel, Case& c, Tally& t) {
  if (kernel.role == LIMEN_BACKWARD) return same_gradient({&forward, &kernel}, c, t);
  Call& call = call_of(kernel);
  place(call, c);
  if (kernel.role == LIMEN_JVP) {
    give(call.tx, c, c.v);
    for (Operand& y : call.y) y.fill(c.form.gap > 0 ? 0 : NAN);
  } else if (kernel.role == LIMEN_BACKWARD2) {
    give(call.dy, c, c.dy);
    give(call.gx, c, c.v);
    if ((kernel.reads & (LIMEN_Y | LIMEN_STATE)) != 0) call.run(forward);
  }
  call.run(kernel);
  if (kernel.role == LIMEN_JVP) {
    equal(kernel, "ty", c, Product(c.dy, gather(call.ty, c.form)), c.along, t);
  }
  if (kernel.role == LIMEN_BACKWARD2) {
    equal(kernel, "gy", c, Product(c.dy, gather(call.gy, c.form)), c.along, t);
    if (context_.surrogate()) return;
    return curvature(kernel, c, Product(c.second, gather(call.dx, c.form)), t);
  }
  equal(kernel, "y", c, Product(c.dy, gather(call.y, c.form)), c.value, t);
}

// Instruction sets mostly share their source: of forward mode and second order only the best one is
// asked for lengths far from whole vectors, and for long ones.
bool Lengths::wants(const limen_kernel& kernel, const Form& form) const {
  if (kernel.role != LIMEN_BACKWARD && form.n > kSlowRow) return false;
  if (kernel.role < LIMEN_JVP || form.n <= 17 || (form.n <= 129 && form.n % 16 <= 1)) return true;
  const auto all = kernels_of(context_.op.op(), kernel.role, kernel.dtype, context_.isa);
  return std::none_of(all.begin(), all.end(),
                      [&](const limen_kernel* k) { return k->isa > kernel.isa; });
}

void Lengths::check(const limen_kernel& forward, const limen_kernel& kernel, Tally& t) {
  if (cases_[0].length == 0) know_all();
  std::vector<Form> good, bad;
  for (Case& c : cases_) {
    if (!wants(kernel, c.form) || !c.along.finite() || !c.value.finite()) continue;
    const std::int64_t failures = t.failures();
    &kernel == reference_.backward ? first_order(c, t) : other(forward, kernel, c, t);
    (t.failures() > failures ? bad : good).push_back(c.form);
  }
  if (!bad.empty()) t.suspect(which_rows(good, bad));
}

}  // namespace

void check_row_lengths(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (!context.first || reference.forward == nullptr) return;
  std::optional<Lengths> lengths;
  for (const KernelPair& pair : all_kernels(context)) {
    const limen_kernel& kernel = *pair.backward;
    constexpr const char* kTests[] = {"variants-agree", "dtype-agree", "jvp-vjp-adjoint",
                                      "second-derivative"};
    const bool proof = &kernel == reference.backward;
    const bool first = proof || (kernel.role == LIMEN_BACKWARD && kernel.dtype == LIMEN_F64);
    const char* const test = first ? "derivative-fd" : kTests[kernel.role - 1];
    const bool known = &kernel == reference.forward || (proof && context.surrogate());
    if (known || !context.wants(test)) continue;
    if (!lengths) lengths.emplace(context, reference);
    Tally t = context.tally(test, "rows of other lengths", describe(kernel));
    lengths->check(*pair.forward, kernel, t);
    context.add(t);
  }
}

void check_more_of_rows(const ActivationContext& context) {
  check_row_lengths(context);
  check_row_variants(context);
  check_orders_contract(context);
}

}  // namespace limen::check
