// Mistakes in Jacobians, in gradients of parameters, and in what is made of the upstream.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/diagnosis.hpp"

namespace limen::check {
namespace {

// Whether all Jacobians have what `hypothesis(sample, i, j)` says.
template <class Hypothesis>
bool all_entries(const std::vector<JacobianSample>& jacobians, const Hypothesis& hypothesis) {
  return std::all_of(jacobians.begin(), jacobians.end(), [&](const JacobianSample& s) {
    for (std::size_t at = 0; at < s.got.size(); ++at) {
      const double h = hypothesis(s, at / s.inputs, at % s.inputs);
      if (!(std::abs(s.got[at] - h) <= s.bound[at] + 1e-6 * std::abs(h))) return false;
    }
    return true;
  });
}

double expected_at(const JacobianSample& s, std::size_t i, std::size_t j) {
  return s.expected[i * s.inputs + j];
}

// Whether the function is a softmax: its Jacobian is diag(y) - y y^T, up to a factor.
bool is_softmax(const std::vector<JacobianSample>& jacobians) {
  return std::all_of(jacobians.begin(), jacobians.end(), [](const JacobianSample& s) {
    double sum = 0;
    for (const double y : s.y) sum += y;
    return std::abs(sum - 1) < 1e-3 && s.inputs == s.outputs;
  });
}

bool is_diagonal(const JacobianSample& s) {
  for (std::size_t at = 0; at < s.got.size(); ++at) {
    if (at / s.inputs != at % s.inputs && !(std::abs(s.got[at]) <= 1e-12)) return false;
  }
  return true;
}

std::string square_mistake(const std::vector<JacobianSample>& jacobians) {
  if (all_entries(jacobians,
                  [](const auto&, std::size_t i, std::size_t j) { return i == j ? 1.0 : 0.0; })) {
    return "it copies the upstream gradient, as if the function were y = x";
  }
  if (std::all_of(jacobians.begin(), jacobians.end(), is_diagonal)) {
    return std::string(
               "only the diagonal of the Jacobian is there: each output is treated as if it "
               "depended on its own input alone, but they share a sum over the row. ") +
           (is_softmax(jacobians) ? "For softmax: dx = y * (dy - sum(dy * y)), not dy * y * (1 - y)"
                                  : "Add the term that the whole row contributes to each element");
  }
  if (all_entries(jacobians, [](const auto& s, std::size_t i, std::size_t j) {
        return expected_at(s, j, i);
      })) {
    return "the Jacobian is transposed: it multiplies by J where J^T is wanted";
  }
  return {};
}

// got - expected = u v^T: one sum over the row is wrong, with its factor.
bool rank_one(const JacobianSample& s) {
  double most = 0;
  std::size_t pivot = 0;
  std::vector<double> error;
  for (std::size_t at = 0; at < s.got.size(); ++at) {
    error.push_back(s.got[at] - s.expected[at]);
    if (std::abs(error[at]) > most) most = std::abs(error[at]), pivot = at;
  }
  if (!(most > 0) || !std::isfinite(most)) return most == 0;
  const std::size_t r = pivot / s.inputs, c = pivot % s.inputs;
  for (std::size_t at = 0; at < error.size(); ++at) {
    const std::size_t i = at / s.inputs, j = at % s.inputs;
    const double h = error[i * s.inputs + c] * error[r * s.inputs + j] / error[pivot];
    if (!(std::abs(error[at] - h) <= 4 * s.bound[at] + 1e-6 * most)) return false;
  }
  return true;
}

std::string multiple(double ratio) {
  if (std::abs(ratio + 1) < 1e-9) return "it returns the gradient with the wrong sign";
  if (std::abs(ratio - 1) < 1e-4) {
    return fmt::format(
        "it returns the gradient times {:.10g}: close, not equal, as from a constant with too few "
        "digits, or from sums that are kept in float",
        ratio);
  }
  return fmt::format("it returns the gradient times {0}: a factor {0} is {1}",
                     factor_name(ratio, {}), std::abs(ratio) < 1 ? "missing" : "too many");
}

}  // namespace

std::string jacobian_mistake(const std::vector<JacobianSample>& jacobians) {
  const auto any_broken = [](const JacobianSample& s) {
    return std::any_of(s.got.begin(), s.got.end(), [](double v) { return !std::isfinite(v); });
  };
  if (std::any_of(jacobians.begin(), jacobians.end(), any_broken)) {
    return "the gradient is not finite for large x: exp(x) overflows to infinity. Subtract the "
           "row's maximum before exp in backward, as forward does";
  }
  if (all_entries(jacobians, [](const auto&, std::size_t, std::size_t) { return 0.0; })) {
    return "it returns 0";
  }
  const JacobianSample* widest = &jacobians.front();
  double ratio = 0, most = 0;
  for (const JacobianSample& s : jacobians) {
    if (s.got.size() > widest->got.size()) widest = &s;
    for (std::size_t at = 0; at < s.got.size(); ++at) {
      if (std::abs(s.expected[at]) <= most) continue;
      most = std::abs(s.expected[at]);
      ratio = s.got[at] / s.expected[at];
    }
  }
  if (most > 0 && all_entries(jacobians, [&](const auto& s, std::size_t i, std::size_t j) {
        return ratio * expected_at(s, i, j);
      })) {
    return multiple(ratio);
  }
  if (widest->inputs == widest->outputs && widest->inputs > 1) {
    if (std::string text = square_mistake(jacobians); !text.empty()) return text;
  }
  const bool halves = widest->inputs % 2 == 0 && widest->inputs > 1 &&
                      all_entries(jacobians, [](const auto& s, std::size_t i, std::size_t j) {
                        return expected_at(s, i, (j + s.inputs / 2) % s.inputs);
                      });
  if (halves) return "the gradients of the first and the second half of the inputs are swapped";
  const auto wrong = [widest](std::size_t j) {
    for (std::size_t at = j; at < widest->got.size(); at += widest->inputs) {
      if (!(std::abs(widest->got[at] - widest->expected[at]) <= widest->bound[at])) return true;
    }
    return false;
  };
  std::size_t first = 0, last = widest->inputs;
  while (first < last && !wrong(first)) ++first;
  while (last > first && wrong(last - 1)) --last;
  if (first > 0 && first == last && first < widest->inputs) {
    return fmt::format("only the columns from {} on are wrong: the tail of the row", first);
  }
  if (std::all_of(jacobians.begin(), jacobians.end(), rank_one)) {
    return "the part of the gradient that all elements of a row share, a sum over the row, is "
           "wrong "
           "or has lost a factor; the rest is right";
  }
  return {};
}

std::string parameter_mistake(const std::vector<Term>& terms, double got, double bound) {
  const double n = static_cast<double>(terms.size());
  double sum = 0, size = 0;
  for (const Term& t : terms) sum += t.part, size += std::abs(t.part);
  const auto is = [&](const auto& part) {
    double h = 0;
    for (const Term& t : terms) h += part(t);
    return std::abs(got - h) <= bound + 1e-6 * std::max(std::abs(h), 1e-3 * size);
  };
  const bool masked = std::any_of(terms.begin(), terms.end(), [size](const Term& t) {
    return std::abs(t.part) < 1e-9 * size && t.x != 0;
  });
  if (is([](const Term&) { return 0.0; })) {
    return "it returns 0: the mask, where the parameter has an effect, is not that of forward";
  }
  if (is([n](const Term& t) { return t.part / n; })) {
    return "it returns the mean over the elements; the gradient is their sum";
  }
  if (is([&](const Term& t) { return &t == &terms.back() ? t.part : 0; })) {
    return "only the last element counts: each overwrites the sum instead of adding to it (+=)";
  }
  if (is([](const Term& t) { return -t.part; })) return "the sum has the wrong sign";
  if (masked && is([](const Term& t) { return t.upstream * t.x; })) {
    return "it sums dy * x over all elements, also over those where the parameter has no effect: "
           "the mask of forward is missing";
  }
  if (is([size](const Term& t) { return std::abs(t.part) < 1e-9 * size ? 0 : t.upstream * t.y; })) {
    return "it sums dy * y: the output y stands where the input x belongs";
  }
  if (is([](const Term& t) { return t.upstream; })) {
    return "it sums dy alone: the factor that the parameter has in each element is lost";
  }
  if (is([](const Term& t) { return t.upstream == 0 ? 0 : t.part / t.upstream; })) {
    return "the upstream gradient dy is missing in the sum";
  }
  if (is([](const Term& t) { return t.x == 0 ? 0 : t.part / t.x; })) {
    return "each term of the sum has lost a factor x";
  }
  if (std::abs(got / sum - 1) < 1e-4) {
    return "close, not equal: the sum is kept in float; sum in double";
  }
  if (masked) return {};
  return fmt::format(
      "the sum is off by the factor {:.6g}: where the parameter goes through another function "
      "(softplus, exp, a clamp), the derivative of that is a factor of each term",
      got / sum);
}

std::string upstream_mistake(const std::vector<Scaling>& scalings) {
  std::vector<double> at_zero;  // what is returned where the upstream is 0
  double most = 0;
  for (const Scaling& s : scalings) {
    if (s.factor == 0) at_zero.push_back(s.got);
    if (s.factor > 100) most = std::max(most, std::abs(s.got));
  }
  const auto all = [&](const auto& hypothesis) {
    return std::all_of(scalings.begin(), scalings.end(), [&](const Scaling& s) {
      if (s.factor == 0) return true;
      const double h = hypothesis(s, s.expected / s.factor);
      return std::abs(s.got - h) <= 1e-6 * std::max(std::abs(h), 1e-30);
    });
  };
  if (all([](const Scaling&, double g) { return g; })) {
    return "it ignores the upstream gradient: the slope must be multiplied by dy (chain rule)";
  }
  if (all([](const Scaling& s, double g) { return s.factor * s.factor * g; })) {
    return "the upstream gradient is squared: it is multiplied in twice";
  }
  if (std::all_of(scalings.begin(), scalings.end(), [](const Scaling& s) {
        const bool right = std::abs(s.got - s.expected) <= 1e-6 * std::abs(s.expected);
        return right || (s.factor != 0 && (s.got == 0 || s.expected == 0));
      })) {
    return "it returns 0 where the gradient is small: small numbers count, and add up";
  }
  if (std::all_of(scalings.begin(), scalings.end(),
                  [most](const Scaling& s) { return s.factor < 100 || std::abs(s.got) == most; })) {
    return fmt::format(
        "the gradient is clipped to [-{0:.6g}, {0:.6g}]: clipping is not linear, and "
        "is a matter of the optimizer",
        most);
  }
  const bool same = !at_zero.empty() && at_zero[0] != 0 &&
                    std::all_of(at_zero.begin(), at_zero.end(), [&](double v) {
                      return std::abs(v - at_zero[0]) <= 1e-6 * std::abs(at_zero[0]);
                    });
  if (same) {
    return fmt::format(
        "it adds the constant {:.6g} to the gradient whatever the upstream is: where "
        "dy is 0, dx must be 0",
        at_zero[0]);
  }
  return "the gradient is not proportional to the upstream: dx must be dy times something that "
         "does "
         "not depend on dy";
}

}  // namespace limen::check
