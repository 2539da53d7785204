// One learned parameter of one backward kernel: what is added to dw.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "check/activation.hpp"

namespace limen::check {

// Values of all inputs and upstreams of n elements, the same for every kernel.
struct Draws {
  std::vector<Row> x, dy;

  Draws(const ActivationContext& context, std::size_t n) {
    Random random(context.options.seed, "learned", context.op.op().name);
    for (std::size_t k = 0; k < context.op.op().arity; ++k) {
      for (double& v : x.emplace_back(n)) {
        v = context.inside(static_cast<double>(static_cast<float>(2 * random.normal())), random);
      }
    }
    for (std::size_t k = 0; k < context.op.op().outputs; ++k) {
      for (double& v : dy.emplace_back(n)) v = random.upstream();
    }
  }
};

inline bool is_trainable(const limen_param& param) {
  return (param.flags & LIMEN_PF_TRAINABLE) != 0;
}

class ParamCheck {
 public:
  ParamCheck(const ActivationContext& context, std::size_t p, const limen_kernel& forward,
             const limen_kernel& backward, const Draws& draws, std::size_t n,
             const CallSettings& settings = {})
      : context_(context),
        p_(p),
        forward_(forward),
        backward_(backward),
        precision_(precision_of(dtype_of_bit(backward.dtype))),
        value_(static_cast<double>(static_cast<float>(context.op.hyper()[p]))),
        draws_(draws),
        call_(context.op, dtype_of_bit(backward.dtype), context.op.rows() ? (n > 100 ? 3 : 1) : 1,
              context.op.rows() ? std::min<std::size_t>(n, 100) : n, settings) {
    for (std::size_t k = 0; k < call_.x.size(); ++k) give(call_.x[k], draws.x[k]);
    for (std::size_t k = 0; k < call_.dy.size(); ++k) give(call_.dy[k], draws.dy[k]);
    call_.learn(p, Row{value_});
  }

  void honoured(Tally& t);
  // Against `exact` if this kernel is for f32 and that for f64, else against a ladder. `open`: what
  // is undecided does not count.
  void gradient(Tally& t, const KernelPair& exact, bool open = false);
  void prefills(Tally& t);
  // Of many equal terms: a sum in float, which rounds in the same way each time, drifts off.
  void equal_terms(Tally& t);
  void per_element(Tally& t);
  void unwanted(Tally& t);

 private:
  void derivative(Tally& t, bool open);
  // Against the dw of a kernel that a ladder has been held against, up to rounding of this type.
  Judgement beside(const KernelPair& exact, double got);

  const ActivationContext& context_;
  std::size_t p_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  Precision precision_;
  double value_;
  const Draws& draws_;
  Call call_;

  // Over and over, where there are not enough.
  static void give(Operand& to, std::span<const double> draws) {
    for (std::size_t at = 0; at < to.size(); at += draws.size()) {
      to.assign(draws.first(std::min(draws.size(), to.size() - at)), at);
    }
  }
  std::size_t size() const { return call_.x[0].size(); }
  bool in_evaluation() const { return (call_.settings.flags & LIMEN_TILE_EVAL) != 0; }
  void each(std::uint32_t step, double value) {
    call_.w_step[p_] = step;
    call_.learn(p_, Row(step == 0 ? 1 : size(), value));
  }
  // What one call of backward adds to dw, which held `before`.
  Row increments(double before);
  // sum_i g_i y_i at these values of the parameter.
  double phi();
  // How large the terms are whose sum dw is: from the parts of each element where there are some.
  double terms();
  // How far dw moves when the parameter, and when all x, move by `relative` either way.
  double moves(double relative);
  // Of a factor on the way.
  double underflow() const { return 1e6 * precision_.min_normal; }
  double values();                                // sum_i |g_i y_i|
  std::vector<Term> parts();                      // that dw should be the sum of, by differences
  std::string mistake(double got, double bound);  // a guess at it
  Point point(std::string_view tensor, double got, std::size_t i = 0) const;
  // A point for each element but those that `left_out` wants to leave out.
  template <class Bound, class LeftOut>
  void compare_all(Tally& t, std::string_view tensor, std::span<const double> got,
                   std::span<const double> expected, const Bound& bound, std::string_view note,
                   const LeftOut& left_out) const;
};

}  // namespace limen::check
