#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The kernels of one length of row, held against a certified pair.
class RowVariants {
 public:
  RowVariants(const ActivationContext& context, const limen_kernel& forward,
              const limen_kernel& backward, std::size_t n)
      : context_(context),
        n_(n),
        precision_(precision_of(dtype_of_bit(backward.dtype))),
        exact_(context.op, forward, backward, n),
        rows_(test_rows(n, Random(context.options.seed, "row variants", context.op.op().name))),
        random_(context.options.seed, "row tangents", context.op.op().name) {
    scale_ = slope_scale(exact_, rows_);
  }

  void forward(const limen_kernel& kernel, Tally& t);
  void jvp(const limen_kernel& kernel, Tally& t);
  void backward2(const limen_kernel& kernel, Tally& first, Tally& second);

 private:
  const ActivationContext& context_;
  std::size_t n_;
  Precision precision_;
  RowFunction exact_;
  std::vector<TestRow> rows_;
  Random random_;
  double scale_ = 0;

  Point point(const TestRow& row, const char* tensor, std::size_t i, double got) const;
  // `got` against the Jacobian times `v`.
  void product(const limen_kernel& kernel, const TestRow& row, const Row& v, Operand& got,
               const char* tensor, Tally& t);
  void curvature(const limen_kernel& kernel, const TestRow& row, Call& call, Tally& t);
};

Point RowVariants::point(const TestRow& row, const char* tensor, std::size_t i, double got) const {
  Point p;
  p.tensor = fmt::format("{} of a row of {} ({})", tensor, n_, row.name);
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(n_);
  p.x = row.x[i];
  p.got = got;
  return p;
}

void RowVariants::product(const limen_kernel& kernel, const TestRow& row, const Row& v,
                          Operand& got, const char* tensor, Tally& t) {
  const Precision precision = precision_of(dtype_of_bit(kernel.dtype));
  const Row jacobian = exact_.jacobian(row.x);
  const Row moves = exact_.moves(row.x, 16 * precision.unit);
  for (std::size_t i = 0; i < n_; ++i) {
    double expected = 0, bound = precision.min_normal;
    for (std::size_t j = 0; j < n_; ++j) {
      expected += jacobian[i * n_ + j] * v[j];
      bound += std::abs(v[j]) * (moves[i * n_ + j] +
                                 32 * precision.unit * (scale_ + std::abs(jacobian[i * n_ + j])));
    }
    t.add(point(row, tensor, i, got.get(i)),
          compare(got.get(i), expected, bound, "the Jacobian of the backward kernel times v"));
  }
}

void RowVariants::forward(const limen_kernel& kernel, Tally& t) {
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, n_);
  for (const TestRow& row : rows_) {
    const Row expected = exact_.f(row.x);
    Row moves(n_, 0);
    double scale = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      Row moved = row.x;
      moved[k] *= 1 + 16 * u;
      const Row y = exact_.f(moved);
      for (std::size_t i = 0; i < n_; ++i) moves[i] += std::abs(y[i] - expected[i]);
      scale = std::max(scale, std::abs(expected[k]));
    }
    call.x.assign(row.x);
    call.run(kernel);
    for (std::size_t i = 0; i < n_; ++i) {
      t.add(point(row, "y", i, call.y.get(i)),
            compare(call.y.get(i), expected[i], 64 * u * scale + 2 * moves[i],
                    "the forward kernel that the gradient was held against"));
    }
  }
}

void RowVariants::jvp(const limen_kernel& kernel, Tally& t) {
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, n_);
  for (const TestRow& row : rows_) {
    Row tangent(n_);
    for (double& v : tangent) v = static_cast<double>(static_cast<float>(random_.upstream()));
    call.x.assign(row.x);
    call.tx.assign(tangent);
    call.ty.fill(kNaN);
    call.run(kernel);
    product(kernel, row, tangent, call.ty, "ty", t);
  }
}

void RowVariants::backward2(const limen_kernel& kernel, Tally& first, Tally& second) {
  const limen_kernel* forward = forward_for(context_.op.op(), kernel, context_.isa);
  if (forward == nullptr) return;
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, n_);
  for (const TestRow& row : rows_) {
    for (std::size_t i = 0; i < n_; ++i) {
      call.dy.set(i, static_cast<double>(static_cast<float>(random_.upstream())));
      call.gx.set(i, static_cast<double>(static_cast<float>(random_.upstream())));
    }
    call.x.assign(row.x);
    call.run(*forward);
    call.gy.fill(kNaN);
    call.dx.fill(kNaN);
    call.run(kernel);
    product(kernel, row, call.gx.values(), call.gy, "gy", first);
    curvature(kernel, row, call, second);
  }
}

// The new dx_j is the derivative of <gx, B(x, dy)> along x_j.
void RowVariants::curvature(const limen_kernel& kernel, const TestRow& row, Call& call, Tally& t) {
  const Row dy = call.dy.values(), gx = call.gx.values();
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  const auto along = [&](const Row& x) {
    const Row dx = exact_.b(x, dy);
    double sum = 0;
    for (std::size_t k = 0; k < n_; ++k) sum += gx[k] * dx[k];
    return sum;
  };
  double largest = 1, weight = 0;
  for (std::size_t j = 0; j < n_; ++j) {
    largest = std::max(largest, std::abs(row.x[j]));
    weight = std::max(weight, std::abs(dy[j] * gx[j]));
  }
  const double scale = weight * scale_ * static_cast<double>(n_);
  LadderOptions options;
  options.value_scale = scale;
  for (std::size_t j = 0; j < n_; ++j) {
    const Derivative d = derivative_at(
        [&](double offset) {
          Row moved = row.x;
          moved[j] += offset;
          return along(moved);
        },
        row.x[j], precision_, options);
    // Rounding of the differences x_i - x_k inside the kernel grows with the largest |x|.
    const Tolerance tolerance{
        64 * u * scale * largest + 4 * precision_.min_normal, scale,
        std::max(resolution_of(dtype_of_bit(kernel.dtype)), 128 * u * largest)};
    t.add(point(row, "dx", j, call.dx.get(j)), judge(call.dx.get(j), d, tolerance));
  }
}

}  // namespace

void check_row_variants(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const limen_kernel* forward = nullptr;
  const limen_kernel* backward = nullptr;
  for (const std::uint32_t dtype : {LIMEN_F32, LIMEN_F64}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* f = forward_for(op, *k, context.isa);
      if (f == nullptr) continue;
      forward = f;
      backward = k;
      break;
    }
  }
  if (backward == nullptr) return;
  for (const std::uint32_t role : {LIMEN_FORWARD, LIMEN_JVP, LIMEN_BACKWARD2}) {
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k : kernels_of(op, role, dtype, context.isa)) {
        if (k == forward) continue;
        Tally forwards = context.tally("forward kernels agree", describe(*k));
        Tally jvp = context.tally("jvp", describe(*k));
        Tally first = context.tally("second order, d/d upstream", describe(*k));
        Tally second = context.tally("second order, d/dx", describe(*k));
        for (const std::size_t n : {1u, 2u, 5u, 17u}) {
          RowVariants variants(context, *forward, *backward, n);
          if (role == LIMEN_FORWARD) variants.forward(*k, forwards);
          if (role == LIMEN_JVP) variants.jvp(*k, jvp);
          if (role == LIMEN_BACKWARD2) variants.backward2(*k, first, second);
        }
        for (Tally* t : {&forwards, &jvp, &first, &second}) context.add(*t);
      }
    }
  }
}

}  // namespace limen::check
