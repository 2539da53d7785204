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

// Whether all that is wrong lies on the diagonal.
bool off_diagonal_right(const JacobianSample& s) {
  for (std::size_t at = 0; at < s.got.size(); ++at) {
    if (at / s.inputs == at % s.inputs) continue;
    if (!(std::abs(s.got[at] - s.expected[at]) <= s.bound[at])) return false;
  }
  return true;
}

bool is_diagonal(const JacobianSample& s, const std::vector<double>& entries) {
  for (std::size_t at = 0; at < entries.size(); ++at) {
    const double none = std::max(1e-12, &entries == &s.expected ? s.bound[at] : 0);
    if (at / s.inputs != at % s.inputs && !(std::abs(entries[at]) <= none)) return false;
  }
  return true;
}

bool lacks_the_rest(const std::vector<JacobianSample>& jacobians) {
  const auto all = [&](auto list) {
    return std::all_of(jacobians.begin(), jacobians.end(),
                       [list](const JacobianSample& s) { return is_diagonal(s, s.*list); });
  };
  return all(&JacobianSample::got) && !all(&JacobianSample::expected);
}

std::string square_mistake(const std::vector<JacobianSample>& jacobians) {
  if (all_entries(jacobians,
                  [](const auto&, std::size_t i, std::size_t j) { return i == j ? 1.0 : 0.0; })) {
    return "it copies the upstream gradient, as if the function were y = x";
  }
  if (lacks_the_rest(jacobians)) {
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
  if (std::all_of(jacobians.begin(), jacobians.end(), off_diagonal_right)) {
    return "only the diagonal of the Jacobian is wrong, what an output owes to its own input: the "
           "element itself belongs into sums over the row, too";
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
  return fmt::format("it returns the gradient times {}: {}", factor_name(ratio, {}),
                     factor_mistake(ratio, {}));
}

bool is_broken(const JacobianSample& s) {
  return std::any_of(s.got.begin(), s.got.end(), [](double v) { return !std::isfinite(v); });
}

// Of gradients that are not finite, by the rows that they belong to.
std::string broken_mistake(const std::vector<JacobianSample>& jacobians) {
  const auto all = [&](auto has) {
    return std::all_of(jacobians.begin(), jacobians.end(),
                       [&](const JacobianSample& s) { return !is_broken(s) || has(s.x); });
  };
  const auto size = [](double a, double b) { return std::abs(a) < std::abs(b); };
  if (all([](const auto& x) { return std::find(x.begin(), x.end(), 0.0) != x.end(); })) {
    return "the gradient is not finite where an element of the row is 0: it divides by it, by |x| "
           "or by a norm (0 / 0 is NaN). Give 0 a branch of its own, or compute without division";
  }
  if (all([](const auto& x) { return std::count(x.begin(), x.end(), x[0]) == std::ssize(x); })) {
    return "the gradient is not finite where all elements of the row are equal: it divides by "
           "their spread, which is 0 there. Give that a branch of its own";
  }
  if (all([&](const auto& x) {
        return std::abs(*std::max_element(x.begin(), x.end(), size)) > 40;
      })) {
    return "the gradient is not finite for large x: exp(x) overflows to infinity. Subtract the "
           "row's maximum before exp in backward, as forward does";
  }
  return "the gradient is not finite in some rows: 0 / 0, infinity / infinity or 0 * infinity in "
         "backward";
}

}  // namespace

std::string jacobian_mistake(const std::vector<JacobianSample>& jacobians) {
  if (std::any_of(jacobians.begin(), jacobians.end(), is_broken)) return broken_mistake(jacobians);
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

namespace {

std::string clipped(const char* what, double most) {
  return fmt::format(
      "{0} clipped to [-{1:.6g}, {1:.6g}]: clipping is not linear, and is a matter of the "
      "optimizer",
      what, most);
}

// The terms of a sum one by one, where they make up what was got.
class Terms {
 public:
  Terms(const std::vector<Term>& terms, const Evidence& evidence)
      : terms_(terms), evidence_(evidence), largest_(&terms.front()) {
    for (const Term& t : terms) {
      if (std::abs(t.part) > std::abs(largest_->part)) largest_ = &t;
    }
    size_ = std::abs(largest_->part);
  }

  std::string mistake() const {
    if (std::string text = factor(); !text.empty()) return text;
    const Evidence each = samples();
    if (all([](const Term& t) { return t.part * t.got < 0 ? -t.part : t.part; })) {
      const std::string where = failing_region(each).text;
      return fmt::format(
          "the terms {} have the wrong sign: that of a branch, or of what stands in an absolute "
          "value, is lost",
          where.empty() ? "of some elements" : "for " + where);
    }
    if (!evidence_.swapped.empty()) return "it gets what belongs to " + evidence_.swapped;
    const double most = std::abs(largest_->got);
    if (many([&](const Term& t) { return std::abs(t.part) > (1 + 1e-6) * most; }) &&
        all([&](const Term& t) { return std::clamp(t.part, -most, most); })) {
      return clipped("the terms of the sum are", most);
    }
    const std::string text = likely_mistake(each);
    return text.empty() ? "" : "in what each element adds to dw, without its dy: " + text;
  }

 private:
  const std::vector<Term>& terms_;
  const Evidence& evidence_;
  const Term* largest_;
  double size_ = 0;

  // The parts are differences with a fixed step.
  template <class Hypothesis>
  bool all(const Hypothesis& hypothesis) const {
    return std::all_of(terms_.begin(), terms_.end(), [&](const Term& t) {
      const double h = hypothesis(t);
      return std::abs(t.got - h) <= 1e-7 * (size_ + std::abs(h));
    });
  }
  template <class Condition>
  bool many(const Condition& condition) const {
    return std::count_if(terms_.begin(), terms_.end(), condition) > 1;
  }
  // As points of the derivative by the parameter, as a function of x.
  Evidence samples() const {
    Evidence each = evidence_;
    each.by_x = true;
    for (const Term& t : terms_) {
      if (std::abs(t.upstream) < 1e-3) continue;
      Sample s{t.x, t.y, t.part / t.upstream, t.got / t.upstream, 0, false};
      s.bound = 1e-7 * (size_ + std::abs(s.expected));
      s.good = std::abs(s.got - s.expected) <= s.bound;
      each.samples.push_back(s);
    }
    return each;
  }
  std::string factor() const;
};

std::string Terms::factor() const {
  const double ratio = largest_->got / largest_->part;
  if (!many([this](const Term& t) { return std::abs(t.part) > 1e-3 * size_; }) ||
      !all([&](const Term& t) { return ratio * t.part; })) {
    return {};
  }
  const std::string text = factor_mistake(ratio, evidence_);
  const auto says = [&](const char* part) { return text.find(part) != std::string::npos; };
  const auto whole = [](double v) { return std::abs(v - std::round(v)) < 1e-6; };
  const bool chain = says("exp(") || says("sigmoid(") || !says("parameter");
  return fmt::format("every term of the sum is {:.6g} times what it should be: {}{}", ratio, text,
                     whole(ratio) || whole(1 / ratio) || !chain
                         ? ""
                         : ". Where the parameter goes through another function (softplus, exp, a "
                           "clamp), the derivative of that is a factor of each term");
}

}  // namespace

std::string parameter_mistake(const std::vector<Term>& terms, double got, double bound,
                              const Evidence& evidence) {
  if (!std::isfinite(got)) return {};
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
    return "it adds 0: the gradient is left out, or the mask, where the parameter has an effect, "
           "is not that of forward";
  }
  if (is([n](const Term& t) { return t.part / n; })) {
    return "it returns the mean over the elements; the gradient is their sum";
  }
  if (is([&](const Term& t) { return &t == &terms.back() ? t.part : 0; })) {
    return "only the last element counts: each overwrites the sum instead of adding to it (+=)";
  }
  if (is([&](const Term& t) { return &t == &terms.front() ? t.part : 0; })) {
    return "only the first element counts: with one value for all (w_step 0) dw is the sum over "
           "all elements";
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
  return is([](const Term& t) { return t.got; }) ? Terms(terms, evidence).mistake() : "";
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
  // Clipped, the gradient itself may have lost what a smaller one would show.
  if (std::all_of(scalings.begin(), scalings.end(), [most](const Scaling& s) {
        const bool whole = s.factor == 0 || std::abs(s.expected / s.factor) < (1 - 1e-6) * most;
        const double h = std::clamp(s.expected, -most, most);
        return (!whole && s.factor < 100) || std::abs(s.got - h) <= 1e-6 * most;
      })) {
    return clipped("the gradient is", most);
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
