// One long row along a few directions: kernels work in blocks, and short rows fill none. Forward
// mode and second order at the lengths that whole Jacobians leave out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"
#include "check/row_places.hpp"

namespace limen::check {
namespace {

// More than a block of 4096, and no multiple of lanes; of an op that takes long for it (one that
// compares all with all) more than 1024.
constexpr std::size_t kLong = 5003, kShorter = 1030;
constexpr std::size_t kDirections = 4;

struct LongRow {
  Row x, dy, gx;
  std::vector<Row> directions;  // of +-1, in which an element that is wrong shows with its whole
                                // error; first all 1, because errors may be of one sign

  LongRow(const ActivationContext& context, std::size_t inputs, std::size_t outputs) {
    Random random(context.options.seed, "long row", context.op.op().name);
    for (std::size_t j = 0; j < inputs; ++j) {
      x.push_back(static_cast<double>(static_cast<float>(random.normal())));
    }
    for (std::size_t k = 0; k < kDirections; ++k) {
      directions.emplace_back(inputs, 1.0);
      for (double& v : directions[k]) v = k == 0 ? 1 : random.sign();
    }
    for (std::size_t j = 0; j < inputs; ++j) gx.push_back(random.upstream());
    for (std::size_t i = 0; i < outputs; ++i) dy.push_back(random.upstream());
  }
};

double sum_of_sizes(const Row& values) {
  double sum = 0;
  for (const double v : values) sum += std::abs(v);
  return sum;
}

// Fourth-order differences of <dy, f> along all directions, from one call.
Row plain_slopes(RowFunction& function, const LongRow& row, double h) {
  constexpr double kSteps[] = {1, -1, 2, -2};
  Row moved, slopes;
  for (const Row& direction : row.directions) {
    for (const double step : kSteps) {
      for (std::size_t j = 0; j < row.x.size(); ++j) {
        moved.push_back(row.x[j] + h * step * direction[j]);
      }
    }
  }
  const Row y = function.many(moved);
  const auto value = [&](std::size_t i) {
    const auto from = y.begin() + static_cast<std::ptrdiff_t>(i * row.dy.size());
    return std::inner_product(row.dy.begin(), row.dy.end(), from, 0.0);
  };
  for (std::size_t i = 0; i < y.size() / row.dy.size(); i += 4) {
    slopes.push_back((8 * (value(i) - value(i + 1)) - (value(i + 2) - value(i + 3))) / (12 * h));
  }
  return slopes;
}

// Along each direction, by a plain difference where that is good enough, which is cheap. A row
// that a saturated op hardly follows has small slopes: its errors count beside the `steepest` ones.
void against_differences(RowFunction& function, double steepest, const LongRow& row, DType dtype,
                         Tally& t) {
  const Precision precision = precision_of(dtype);
  const Row gradient = function.b(row.x, row.dy), y = function.f(row.x);
  // The sums inside have as many terms as the row.
  const double size = sum_of_sizes(gradient), terms = 16 + static_cast<double>(row.x.size());
  LadderOptions options;
  for (std::size_t i = 0; i < y.size(); ++i) options.value_scale += std::abs(y[i] * row.dy[i]);
  const double close = 1e-3 * resolution_of(dtype) * size;
  const Row plain = plain_slopes(function, row, dtype == DType::f32 ? 0x1p-6 : 0x1p-10);
  for (std::size_t k = 0; k < kDirections; ++k) {
    Point p;
    p.tensor = k == 0 ? "dx of a row of thousands times a row of 1"
                      : "dx of a row of thousands times a direction of +-1";
    p.got = std::inner_product(gradient.begin(), gradient.end(), row.directions[k].begin(), 0.0);
    if (std::abs(p.got - plain[k]) <= close) {
      t.add(p, {});
      continue;
    }
    const Derivative d = slopes_along(function, row.x, row.directions[k], 4, precision, options,
                                      nullptr, &row.dy)[0];
    const Tolerance tolerance{terms * precision.unit * (size + sum_of_sizes(row.dy) / terms),
                              std::max(size, steepest), resolution_of(dtype)};
    Judgement judgement = judge(p.got, d, tolerance);
    if (dtype == DType::f32) {
      judge_along(function, row.x, row.directions[k], row.dy, p.got, tolerance, judgement);
      // Short rows have told about a function that is too steep for the steps of f32 here.
      if (judgement.outcome == Outcome::undecided) judgement.outcome = Outcome::skipped;
    }
    t.add(p, std::move(judgement));
  }
}

// `steepest`: the largest slope of short rows.
void against_another(RowFunction& function, RowFunction& exact, double steepest, const LongRow& row,
                     DType dtype, Tally& t) {
  const Row got = function.b(row.x, row.dy), right = exact.b(row.x, row.dy);
  double scale = 0;
  for (const double v : right) scale = std::max(scale, std::abs(v));
  // What a sum over the row leaves of an upstream is rounded like the upstream.
  const double rounded = 16 * steepest * largest_of(row.dy);
  const double bound =
      precision_of(dtype).unit * ((64 + static_cast<double>(row.x.size())) * scale + rounded);
  for (std::size_t j = 0; j < got.size(); ++j) {
    Point p;
    p.tensor = "dx of a row of thousands";
    p.element = static_cast<std::int64_t>(j);
    p.elements = static_cast<std::int64_t>(got.size());
    p.x = row.x[j];
    p.got = got[j];
    t.add(p,
          compare(got[j], right[j], bound, "the gradient of the first f64 kernel at the same x"));
  }
}

// sum a_i b_i and the sum of its terms' sizes.
struct Product {
  double value = 0, size = 0;
  Product(const Row& a, const Row& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      value += a[i] * b[i];
      size += std::abs(a[i] * b[i]);
    }
  }
};

// phi = <gx, B(x, dy)> of one row, which is <dy, ty> of forward mode along gx and <dy, gy> of
// second order, whose dx is its gradient.
class RowOrders {
 public:
  RowOrders(const ActivationContext& context, const KernelPair& reference, std::size_t n)
      : context_(context),
        n_(n),
        precision_(precision_of(dtype_of_bit(reference.backward->dtype))),
        exact_(context.op, *reference.forward, *reference.backward, n),
        row_(context, exact_.inputs(), exact_.outputs()),
        phi_(row_.gx, exact_.b(row_.x, row_.dy)),
        y_(row_.dy, exact_.f(row_.x)) {}

  void check(const limen_kernel& forward, const limen_kernel& kernel, Tally& t) {
    Call call(context_.op, dtype_of_bit(kernel.dtype), 1, n_);
    split(row_.x, call.x);
    split(row_.dy, call.dy);
    for (Operands* in : {&call.gx, &call.tx}) split(row_.gx, *in);
    call.run(forward);
    const bool jvp = kernel.role == LIMEN_JVP;
    for (Operand& y : call.y) y.fill(jvp ? NAN : 0);
    call.run(kernel);
    if (jvp) {
      equal(kernel, "ty", Product(row_.dy, joined(call.ty)), phi_, t);
      equal(kernel, "y", Product(row_.dy, joined(call.y)), y_, t);
    } else {
      equal(kernel, "gy", Product(row_.dy, joined(call.gy)), phi_, t);
      if (!context_.surrogate()) curvature(kernel, Product(row_.directions[1], joined(call.dx)), t);
    }
  }

 private:
  const ActivationContext& context_;
  std::size_t n_;
  Precision precision_;  // of what they are held against
  RowFunction exact_;
  LongRow row_;
  Product phi_, y_;
  std::optional<Derivative> curvature_;

  Point point(const char* tensor, double got) const {
    Point p;
    p.tensor = fmt::format("{} of a row of {} times a direction", tensor, n_);
    p.got = got;
    return p;
  }
  // Sums inside have as many terms as the row.
  double rounding(const limen_kernel& kernel) const {
    const double terms = 64 + static_cast<double>(n_);
    return 4 * terms * precision_of(dtype_of_bit(kernel.dtype)).unit + context_.accuracy();
  }
  // Not where the numbers are so small or large that some on the way to them are not normal.
  bool ordinary(const limen_kernel& kernel, double size) const {
    const double least = std::sqrt(precision_of(dtype_of_bit(kernel.dtype)).min_normal);
    return size == 0 || (size > least && size < 1 / least);
  }
  void equal(const limen_kernel& kernel, const char* tensor, const Product& got,
             const Product& right, Tally& t) const {
    if (!ordinary(kernel, right.size)) return;
    t.add(point(tensor, got.value),
          compare(got.value, right.value, rounding(kernel) * (right.size + got.size),
                  tensor[0] == 'y' ? "the forward kernel's y" : "<gx, dx> of the backward kernel"));
  }
  void curvature(const limen_kernel& kernel, const Product& got, Tally& t) {
    if (!ordinary(kernel, phi_.size)) return;
    if (!curvature_) {
      LadderOptions options;
      options.value_scale = phi_.size;
      curvature_ = slopes_along(exact_, row_.x, row_.directions[1], 4, precision_, options,
                                &row_.dy, &row_.gx)[0];
    }
    const double size = got.size + phi_.size;
    Judgement judgement =
        judge(got.value, *curvature_,
              {rounding(kernel) * size, size, resolution_of(dtype_of_bit(kernel.dtype))});
    if (judgement.outcome == Outcome::undecided) judgement.outcome = Outcome::skipped;
    t.add(point("dx", got.value), judgement);
  }
};

// Processor time of this thread, so that a busy machine changes no report; in seconds.
double time_of_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Where the time of a kernel grows with the square of the row: tens of milliseconds, for others it
// is less than one.
bool takes_long(const ActivationContext& context, const limen_kernel& kernel) {
  constexpr double kMost = 4e-3;
  Call call = drawn_call(context, dtype_of_bit(kernel.dtype), 1, kLong, {.first_order = true});
  for (int i = 0; i < 3; ++i) {
    const double begin = time_of_thread();
    call.run(kernel);
    if (time_of_thread() - begin < kMost) return false;
  }
  return true;
}

}  // namespace

void check_long_rows(const ActivationContext& context) {
  if (!context.first || context.op.stochastic()) return;
  std::unique_ptr<RowFunction> exact;
  double steepest = 0;
  std::size_t length = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
      const bool alone = exact == nullptr;
      const char* const test = alone || dtype == LIMEN_F64 ? "derivative-fd" : "dtype-agree";
      if (forward == nullptr || !context.wants(test)) continue;
      if (alone && context.surrogate()) continue;
      if (length == 0) length = takes_long(context, *forward) ? kShorter : kLong;
      auto function = std::make_unique<RowFunction>(context.op, *forward, *k, length);
      const LongRow row(context, function->inputs(), function->outputs());
      Tally t = context.tally(test, "a long row", describe(*k));
      if (alone) {
        RowFunction few(context.op, *forward, *k, 5);
        steepest = slope_scale(few, test_rows(few.inputs(), Random(context.options.seed, "rows")));
        against_differences(*function, steepest, row, dtype_of_bit(dtype), t);
      } else {
        against_another(*function, *exact, steepest, row, dtype_of_bit(dtype), t);
      }
      context.add(t);
      if (dtype == LIMEN_F64 && alone) exact = std::move(function);
    }
  }
}

void check_row_orders(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (!context.first || context.op.stochastic() || reference.forward == nullptr) return;
  std::map<std::size_t, RowOrders> made;  // by length
  for (const KernelPair& pair : all_kernels(context)) {
    const std::uint32_t role = pair.backward->role;
    if (role != LIMEN_JVP && role != LIMEN_BACKWARD2) continue;
    const char* const test = role == LIMEN_JVP ? "jvp-vjp-adjoint" : "second-derivative";
    if (!context.wants(test)) continue;
    Tally t = context.tally(test, "rows of other lengths", describe(*pair.backward));
    for (const std::size_t n :
         {3u, 4u, 6u, 7u, 8u, 9u, 10u, 11u, 12u, 13u, 14u, 15u, 16u, 31u, 33u, 65u, 129u}) {
      made.try_emplace(n, context, reference, n)
          .first->second.check(*pair.forward, *pair.backward, t);
    }
    context.add(t);
  }
}

void check_more_of_rows(const ActivationContext& context) {
  check_long_rows(context);
  check_row_variants(context);
  check_row_orders(context);
  check_orders_contract(context);
}

}  // namespace limen::check
