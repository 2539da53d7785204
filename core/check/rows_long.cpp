// One long row along one direction: kernels work in blocks, and short rows fill none.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"
#include "check/row_places.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kLong = 1030;  // more than a block of 1024, and no multiple of lanes

struct LongRow {
  Row x, dy, direction;

  LongRow(const ActivationContext& context, std::size_t inputs, std::size_t outputs) {
    Random random(context.options.seed, "long row", context.op.op().name);
    for (std::size_t j = 0; j < inputs; ++j) {
      x.push_back(static_cast<double>(static_cast<float>(random.normal())));
      direction.push_back(random.sign());
    }
    for (std::size_t i = 0; i < outputs; ++i) dy.push_back(random.upstream());
  }
};

double sum_of_sizes(const Row& values) {
  double sum = 0;
  for (const double v : values) sum += std::abs(v);
  return sum;
}

// <dy, f> along a direction of +-1, in which an element that is wrong shows with its whole error.
void against_differences(RowFunction& function, const LongRow& row, DType dtype, Tally& t) {
  const Precision precision = precision_of(dtype);
  const Row gradient = function.b(row.x, row.dy), y = function.f(row.x);
  LadderOptions options;
  for (std::size_t i = 0; i < y.size(); ++i) options.value_scale += std::abs(y[i] * row.dy[i]);
  const Derivative d =
      slopes_along(function, row.x, row.direction, 4, precision, options, nullptr, &row.dy)[0];
  Point p;
  p.tensor = "dx of a row of thousands times a direction";
  for (std::size_t j = 0; j < gradient.size(); ++j) p.got += gradient[j] * row.direction[j];
  // The sums inside have as many terms as the row.
  const double size = sum_of_sizes(gradient), terms = 16 + static_cast<double>(kLong);
  t.add(p, judge(p.got, d,
                 {terms * precision.unit * (size + sum_of_sizes(row.dy) / terms), size,
                  resolution_of(dtype)}));
}

// `steepest`: the largest slope of short rows.
void against_another(RowFunction& function, RowFunction& exact, double steepest, const LongRow& row,
                     DType dtype, Tally& t) {
  const Row got = function.b(row.x, row.dy), right = exact.b(row.x, row.dy);
  double scale = 0;
  for (const double v : right) scale = std::max(scale, std::abs(v));
  // What a sum over the row leaves of an upstream is rounded like the upstream.
  const double rounded = 16 * steepest * largest_of({"", row.dy});
  const double bound =
      precision_of(dtype).unit * ((64 + static_cast<double>(kLong)) * scale + rounded);
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

}  // namespace

void check_long_rows(const ActivationContext& context) {
  if (!context.first || context.op.stochastic()) return;
  std::unique_ptr<RowFunction> exact;
  double steepest = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
      const bool alone = exact == nullptr;
      const char* const test = alone || dtype == LIMEN_F64 ? "derivative-fd" : "dtype-agree";
      if (forward == nullptr || !context.wants(test)) continue;
      if (alone && context.surrogate()) continue;
      auto function = std::make_unique<RowFunction>(context.op, *forward, *k, kLong);
      const LongRow row(context, function->inputs(), function->outputs());
      Tally t = context.tally(test, "a long row", describe(*k));
      if (alone) {
        against_differences(*function, row, dtype_of_bit(dtype), t);
      } else {
        against_another(*function, *exact, steepest, row, dtype_of_bit(dtype), t);
      }
      context.add(t);
      if (dtype != LIMEN_F64 || exact != nullptr) continue;
      exact = std::move(function);
      RowFunction few(context.op, *forward, *k, 5);
      steepest = slope_scale(few, test_rows(few.inputs(), Random(context.options.seed, "rows")));
    }
  }
}

}  // namespace limen::check
