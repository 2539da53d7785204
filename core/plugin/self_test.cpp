#include "plugin/self_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/isa.hpp"
#include "plugin/fault.hpp"
#include "plugin/kernel_choice.hpp"

namespace limen {
namespace {

constexpr std::uint32_t kMostPoints = 256;
constexpr double kLeastPromise = 4;  // ulp
constexpr std::uint64_t kMostScratch = 1 << 20;

// One golden table in one element type.
template <class F>
class GoldenTable {
 public:
  GoldenTable(const limen_op& op, const limen_golden& golden, const std::string& file)
      : op_(op), golden_(golden), file_(file), n_(std::min(golden.n, kMostPoints)) {
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
      hyper_.push_back(golden.hyper != nullptr ? golden.hyper[p] : param.def);
      known_ = known_ && (golden.hyper != nullptr || !(param.flags & LIMEN_PF_REQUIRED));
    }
    spread(golden.x, op.arity, x_);
    y_.assign(op.outputs, std::vector<F>(n_));
  }

  void check() {
    const limen_kernel* forward = choose(LIMEN_FORWARD);
    if (!known_ || n_ == 0 || forward == nullptr) return;
    run(*forward, 0);
    for (std::uint32_t o = 0; o < op_.outputs; ++o) {
      for (std::uint32_t i = 0; i < n_; ++i) {
        const double want = golden_.y[i * op_.outputs + o];
        if (usable(i))
          compare(*forward, i, static_cast<double>(y_[o][i]), want, y_scale(i, o, want));
      }
    }
    const limen_kernel* backward = choose(LIMEN_BACKWARD);
    if (backward == nullptr || golden_.dydx == nullptr || op_.flags & LIMEN_OP_SURROGATE) return;
    for (std::uint32_t o = 0; o < op_.outputs; ++o) check_backward(*backward, o);
  }

 private:
  static constexpr std::uint32_t kType = sizeof(F) == 4 ? LIMEN_F32 : LIMEN_F64;

  const limen_kernel* choose(std::uint32_t role) const {
    const std::uint32_t may_read = role == LIMEN_BACKWARD ? LIMEN_X | LIMEN_Y : 0;
    return choose_kernel(op_, role, kType, detect_isa(), may_read, 0);
  }

  void spread(const double* table, std::uint32_t width, std::vector<std::vector<F>>& out) const {
    out.assign(width, std::vector<F>(n_));
    for (std::uint32_t i = 0; i < n_; ++i) {
      for (std::uint32_t k = 0; k < width; ++k) out[k][i] = static_cast<F>(table[i * width + k]);
    }
  }

  static std::vector<void*> addresses(std::vector<std::vector<F>>& tables) {
    std::vector<void*> all;
    for (std::vector<F>& table : tables) all.push_back(table.data());
    return all;
  }

  void run(const limen_kernel& kernel, std::uint32_t output) {
    std::vector<std::vector<F>> dy(op_.outputs, std::vector<F>(n_, F(0)));
    std::fill(dy[output].begin(), dy[output].end(), F(1));
    dx_.assign(op_.arity, std::vector<F>(n_));
    const std::vector<void*> x = addresses(x_), y = addresses(y_), dys = addresses(dy),
                             dx = addresses(dx_);
    std::vector<unsigned char> scratch(op_.scratch_bytes + 64);
    const auto place = (reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64;
    limen_tile t{};
    t.size = sizeof t;
    t.flags = op_.flags & LIMEN_OP_STOCHASTIC ? LIMEN_TILE_EVAL : 0;
    t.n = n_;
    t.rows = 1;
    t.row_stride = n_;
    t.hyper = hyper_.data();
    t.x = const_cast<const void* const*>(x.data());
    t.y = y.data();
    if (kernel.role == LIMEN_BACKWARD) {
      t.dy = const_cast<const void* const*>(dys.data());
      t.dx = dx.data();
    }
    t.scratch = op_.scratch_bytes > 0 ? reinterpret_cast<void*>(place) : nullptr;
    kernel.run(&t);
  }

  void check_backward(const limen_kernel& backward, std::uint32_t output) {
    run(backward, output);
    for (std::uint32_t k = 0; k < op_.arity; ++k) {
      for (std::uint32_t i = 0; i < n_; ++i) {
        if (!usable(i) || at_kink(i)) continue;
        const double want = slope(i, output, k);
        // Derivatives computed from rounded values are exact relative to the function's own scale.
        compare(backward, i, static_cast<double>(dx_[k][i]), want, std::max(std::fabs(want), 1.0));
      }
    }
  }

  double slope(std::uint32_t i, std::uint32_t output, std::uint32_t k) const {
    return golden_.dydx[(i * op_.outputs + output) * op_.arity + k];
  }
  double point(std::uint32_t i, std::uint32_t k) const { return golden_.x[i * op_.arity + k]; }

  // Only points that the type holds: a rounded x has another value.
  bool usable(std::uint32_t i) const {
    for (std::uint32_t k = 0; k < op_.arity; ++k) {
      if (static_cast<double>(static_cast<F>(point(i, k))) != point(i, k)) return false;
    }
    return true;
  }

  bool at_kink(std::uint32_t i) const {
    for (std::uint32_t j = 0; op_.facts != nullptr && j < op_.facts->n_kinks; ++j) {
      const limen_kink& kink = op_.facts->kinks[j];
      const bool moves = kink.param >= 0 && static_cast<std::size_t>(kink.param) < hyper_.size();
      const double at =
          kink.at + (moves ? kink.scale * hyper_[static_cast<std::size_t>(kink.param)] : 0);
      for (std::uint32_t k = 0; k < op_.arity; ++k) {
        if (std::fabs(point(i, k) - at) <= 1e-6 * std::max(1.0, std::fabs(at))) return true;
      }
    }
    return false;
  }

  double y_scale(std::uint32_t i, std::uint32_t output, double want) const {
    double scale = std::fabs(want);
    for (std::uint32_t k = 0; k < op_.arity && golden_.dydx != nullptr; ++k) {
      scale = std::max(scale, std::ldexp(std::fabs(point(i, k) * slope(i, output, k)), -10));
    }
    return scale;
  }

  void compare(const limen_kernel& kernel, std::uint32_t i, double got, double want,
               double scale) const {
    using limits = std::numeric_limits<F>;
    const double rounded = static_cast<double>(static_cast<F>(want));
    if (got == rounded || (std::isnan(got) && std::isnan(rounded))) return;
    int exponent = 0;
    std::frexp(std::min(scale, static_cast<double>(limits::max())), &exponent);
    exponent = std::max(exponent, limits::min_exponent) - limits::digits;
    const double ulp = std::ldexp(1.0, exponent), error = std::fabs(got - want) / ulp;
    const double promise = std::max(kLeastPromise, static_cast<double>(kernel.max_ulp));
    // A parameter that the type cannot hold adds as much again.
    if (error <= promise * (hyper_.empty() || sizeof(F) == 8 ? 1 : 2)) return;
    throw plugin_fault(
        "E0520", file_,
        fmt::format("self-test failed: {} {} {} {} at x = {}: got {:.9g}, want {:.9g} ({:.0f} ulp, "
                    "promised {:g})",
                    op_.name, kernel.role == LIMEN_FORWARD ? "forward" : "backward",
                    sizeof(F) == 4 ? "f32" : "f64", isa_name(kernel.isa), point(i, 0), got, want,
                    error, promise),
        {"the kernel or the golden values are wrong; `limen plugin check` says more"});
  }

  const limen_op& op_;
  const limen_golden& golden_;
  const std::string& file_;
  const std::uint32_t n_;
  std::vector<double> hyper_;
  bool known_ = true;
  std::vector<std::vector<F>> x_, y_, dx_;
};

}  // namespace

void self_test(const limen_plugin& plugin, const std::string& file) {
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
    const limen_op& op = *plugin.ops[i];
    if (op.kind != LIMEN_MAP || op.create != nullptr || op.scratch_bytes > kMostScratch) continue;
    for (std::uint32_t g = 0; g < op.n_goldens; ++g) {
      const limen_golden& golden = *LIMEN_AT(limen_golden, op.goldens, g);
      if (op.dtypes & LIMEN_F32) GoldenTable<float>(op, golden, file).check();
      if (op.dtypes & LIMEN_F64) GoldenTable<double>(op, golden, file).check();
    }
  }
}

}  // namespace limen
