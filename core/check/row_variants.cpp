#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"
#include "check/row_places.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The kernels of one length of row, held against a certified pair.
class RowVariants {
 public:
  RowVariants(const ActivationContext& context, const limen_kernel& forward,
              const limen_kernel& backward, std::size_t n, double scale)
      : context_(context),
        length_(n),
        precision_(precision_of(dtype_of_bit(backward.dtype))),
        exact_(context.op, forward, backward, n),
        n_(exact_.inputs()),
        outputs_(exact_.outputs()),
        rows_(test_rows(n_, Random(context.options.seed, "row variants", context.op.op().name))),
        random_(0, "") {
    scale_ = std::max(scale, slope_scale(exact_, rows_));
  }

  void forward(const limen_kernel& kernel, Tally& t);
  void jvp(const limen_kernel& kernel, Tally& t);
  void backward2(const limen_kernel& kernel, Tally& first, Tally& second);

 private:
  // The Jacobian of a row, and how far it moves with the rounding of a type.
  struct Slopes {
    Row jacobian, moves;
  };

  const ActivationContext& context_;
  std::size_t length_;
  Precision precision_;
  RowFunction exact_;
  std::size_t n_, outputs_;  // numbers in and out
  std::vector<TestRow> rows_;
  Random random_;  // of the kernel at hand: all see the same numbers
  double scale_ = 0;
  std::map<std::pair<const TestRow*, std::uint32_t>, Slopes> slopes_;  // by element type
  std::map<std::pair<const TestRow*, std::size_t>, Derivative> curvatures_;

  void draw_anew() {
    random_ = Random(context_.options.seed, "row tangents", context_.op.op().name);
  }

  Point point(const TestRow& row, const char* tensor, std::size_t i, double got) const;
  // `got` against the Jacobian times `v`.
  void product(const limen_kernel& kernel, const TestRow& row, const Row& v, const Row& got,
               const char* tensor, Tally& t);
  Row draw(std::size_t n);
  void curvature(const limen_kernel& kernel, const TestRow& row, Call& call, Tally& t);
};

Point RowVariants::point(const TestRow& row, const char* tensor, std::size_t i, double got) const {
  Point p;
  p.tensor = fmt::format("{} of a row of {} ({})", tensor, length_, row.name);
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(n_);
  p.x = row.x[i % n_];
  p.got = got;
  return p;
}

void RowVariants::product(const limen_kernel& kernel, const TestRow& row, const Row& v,
                          const Row& got, const char* tensor, Tally& t) {
  const Precision precision = precision_of(dtype_of_bit(kernel.dtype));
  const auto [at, fresh] = slopes_.try_emplace({&row, kernel.dtype});
  if (fresh) at->second = {exact_.jacobian(row.x), exact_.moves(row.x, 16 * precision.unit)};
  const auto& [jacobian, moves] = at->second;
  for (std::size_t i = 0; i < outputs_; ++i) {
    double expected = 0, bound = precision.min_normal;
    for (std::size_t j = 0; j < n_; ++j) {
      expected += jacobian[i * n_ + j] * v[j];
      bound += std::abs(v[j]) * (moves[i * n_ + j] +
                                 32 * precision.unit * (scale_ + std::abs(jacobian[i * n_ + j])));
    }
    t.add(point(row, tensor, i, got[i]),
          compare(got[i], expected, bound, "the Jacobian of the backward kernel times v"));
  }
}

Row RowVariants::draw(std::size_t n) {
  Row row(n);
  for (double& v : row) v = static_cast<double>(static_cast<float>(random_.upstream()));
  return row;
}

void RowVariants::forward(const limen_kernel& kernel, Tally& t) {
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, length_);
  for (const TestRow& row : rows_) {
    const Row expected = exact_.f(row.x);
    Row moves(outputs_, 0);
    double scale = 0, largest = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      largest = std::max(largest, std::abs(row.x[k]));
      Row moved = row.x;
      moved[k] *= 1 + 16 * u;
      const Row y = exact_.f(moved);
      for (std::size_t i = 0; i < outputs_; ++i) moves[i] += std::abs(y[i] - expected[i]);
    }
    for (const double y : expected) scale = std::max(scale, std::abs(y));
    // What is taken from all elements, a mean, is rounded like the largest of them.
    const double rounded = 4 * u * largest * scale_;
    split(row.x, call.x);
    for (Operand& y : call.y) y.fill(kNaN);
    call.run(kernel);
    const Row got = joined(call.y);
    Row noise;  // asked for where it matters
    for (std::size_t i = 0; i < outputs_; ++i) {
      const bool beyond = kernel.dtype == LIMEN_F32 && std::abs(expected[i]) > FLT_MAX;
      if (beyond) continue;  // no number of this type
      const char* const note = "the forward kernel that the gradient was held against";
      const double bound = 64 * u * scale + 2 * moves[i] + rounded;
      Judgement judgement = compare(got[i], expected[i], bound, note);
      if (judgement.outcome != Outcome::pass && u > precision_.unit) {
        const auto f = [&](const Row& x) { return exact_.f(x); };
        if (noise.empty()) noise = rounding_noise(f, row.x, random_);
        const double inside = noise[i] * (u / precision_.unit);
        judgement = compare(got[i], expected[i], bound + 2 * inside, note);
      }
      t.add(point(row, "y", i, got[i]), judgement);
    }
  }
}

void RowVariants::jvp(const limen_kernel& kernel, Tally& t) {
  draw_anew();
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, length_);
  for (const TestRow& row : rows_) {
    const Row tangent = draw(n_);
    split(row.x, call.x);
    split(tangent, call.tx);
    for (Operand& ty : call.ty) ty.fill(kNaN);
    call.run(kernel);
    product(kernel, row, tangent, joined(call.ty), "ty", t);
  }
}

void RowVariants::backward2(const limen_kernel& kernel, Tally& first, Tally& second) {
  const limen_kernel* forward = forward_for(context_.op.op(), kernel, context_.isa);
  if (forward == nullptr) return;
  draw_anew();
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, length_);
  for (const TestRow& row : rows_) {
    split(draw(outputs_), call.dy);
    split(draw(n_), call.gx);
    split(row.x, call.x);
    call.run(*forward);
    for (Operand& gy : call.gy) gy.fill(kNaN);
    for (Operand& dx : call.dx) dx.fill(kNaN);
    call.run(kernel);
    product(kernel, row, joined(call.gx), joined(call.gy), "gy", first);
    curvature(kernel, row, call, second);
  }
}

// The new dx_j is the derivative of <gx, B(x, dy)> along x_j.
void RowVariants::curvature(const limen_kernel& kernel, const TestRow& row, Call& call, Tally& t) {
  const Row dy = joined(call.dy), gx = joined(call.gx), got = joined(call.dx);
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  double largest = 1, weight = 0;
  for (std::size_t j = 0; j < n_; ++j) {
    largest = std::max(largest, std::abs(row.x[j]));
    for (const double g : dy) weight = std::max(weight, std::abs(g * gx[j]));
  }
  const double scale = weight * scale_ * static_cast<double>(n_);
  LadderOptions options;
  options.value_scale = scale;
  for (std::size_t j = 0; j < n_; ++j) {
    const auto [at, fresh] = curvatures_.try_emplace({&row, j});
    if (fresh) {
      Row unit(n_, 0);
      unit[j] = 1;
      at->second = slopes_along(exact_, row.x, unit, row.x[j], precision_, options, &dy, &gx)[0];
    }
    const Derivative& d = at->second;
    // Rounding of the differences x_i - x_k inside the kernel grows with the largest |x|.
    const Tolerance tolerance{
        64 * u * scale * largest + 4 * precision_.min_normal, scale,
        std::max(resolution_of(dtype_of_bit(kernel.dtype)), 128 * u * largest)};
    t.add(point(row, "dx", j, got[j]), judge(got[j], d, tolerance));
  }
}

}  // namespace

void check_row_variants(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (reference.forward == nullptr) return;
  // A short row may have no slopes at all, and still the rounding of the terms that cancel in it.
  double scale = 0;
  std::map<std::size_t, RowVariants> made;  // by length
  const auto test = [&](std::uint32_t role, const char* name, const char* check, auto part) {
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k : kernels_of(context.op.op(), role, dtype, context.isa)) {
        if (k == reference.forward || !context.wants(name)) continue;
        if (scale == 0) {
          RowFunction function(context.op, *reference.forward, *reference.backward, 5);
          scale = slope_scale(function, test_rows(function.inputs(), Random(0, "row scale")));
        }
        Tally first = context.tally(name, check, describe(*k));
        Tally second = context.tally(name, "second order, d/dx", describe(*k));
        for (const std::size_t n : {1u, 2u, 5u, 17u}) {
          const std::size_t most = context.op.stochastic() ? 5 : context.first ? 24 : 8;
          if (n * context.op.op().arity > (n > 1 ? most : 24)) break;
          const auto at =
              made.try_emplace(n, context, *reference.forward, *reference.backward, n, scale);
          part(at.first->second, *k, first, second);
        }
        context.add(first);
        context.add(second);
      }
    }
  };
  test(LIMEN_FORWARD, "variants-agree", "forward kernels agree",
       [](RowVariants& v, const limen_kernel& k, Tally& t, Tally&) { v.forward(k, t); });
  test(LIMEN_JVP, "jvp-vjp-adjoint", "jvp",
       [](RowVariants& v, const limen_kernel& k, Tally& t, Tally&) {
         v.jvp(k, t);
         v.forward(k, t);  // y, which may be asked for
       });
  test(LIMEN_BACKWARD2, "second-derivative", "second order, d/d upstream",
       [](RowVariants& v, const limen_kernel& k, Tally& first, Tally& second) {
         v.backward2(k, first, second);
       });
}

}  // namespace limen::check
