// What may be wrong with the gradient of a learned parameter that failed: its terms one by one.
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "check/param_check.hpp"

namespace limen::check {

std::vector<Term> ParamCheck::parts() {
  const double h = std::cbrt(2 * precision_.unit) * std::max(1.0, std::abs(value_));
  std::vector<Term> terms(size(), Term{});
  for (const double step : {h, -h}) {
    each(0, value_ + step);
    call_.run(forward_);
    for (std::size_t i = 0; i < size(); ++i) {
      for (std::size_t k = 0; k < call_.y.size(); ++k) {
        terms[i].part += call_.dy[k].get(i) * call_.y[k].get(i) / (2 * step);
      }
    }
  }
  each(0, value_);
  call_.run(forward_);
  const Operands dy = call_.dy;
  for (std::size_t i = 0; i < size(); ++i) {
    for (std::size_t k = 0; k < dy.size(); ++k) {
      call_.dy[k].fill(0);
      call_.dy[k].set(i, dy[k].get(i));
    }
    terms[i].got = increments(0)[0];
  }
  for (std::size_t k = 0; k < dy.size(); ++k) call_.dy[k].copy_contents(dy[k]);
  for (std::size_t i = 0; i < size(); ++i) {
    terms[i].upstream = call_.dy[0].get(i);
    terms[i].x = call_.x[0].get(i);
    terms[i].y = call_.y[0].get(i);
  }
  return terms;
}

std::string ParamCheck::mistake(double got, double bound) {
  if (std::isnan(got)) {
    const double before = std::exchange(call_.hyper[p_], value_);
    const bool finite = std::isfinite(increments(0)[0]);
    call_.hyper[p_] = before;
    return finite ? kReadFromHyper : "";
  }
  if (size() < 13) return {};  // a term alone, or all the same
  Evidence evidence;
  evidence.precision = 1e-7;
  const limen_op& op = context_.op.op();
  for (std::uint32_t q = 0; q < op.n_params; ++q) {
    const limen_param& param = *LIMEN_AT(limen_param, op.params, q);
    evidence.parameters.emplace_back(param.name, q == p_ ? value_ : context_.op.hyper()[q]);
    if (q == p_ || !is_trainable(param)) continue;
    ParamCheck other(context_, q, forward_, backward_, draws_, size(), call_.settings);
    double sum = 0;
    for (const Term& term : other.parts()) sum += term.part;
    if (sum == 0 || !(std::abs(sum - got) <= bound + 1e-7 * std::abs(sum))) continue;
    evidence.swapped = fmt::format("dw[{}], the gradient of \"{}\"", q, param.name);
  }
  return parameter_mistake(parts(), got, bound, evidence);
}

}  // namespace limen::check
