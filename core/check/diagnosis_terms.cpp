// Mistakes in the formula of a derivative of one number: polynomials, products and terms.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "check/diagnosis_formula.hpp"

namespace limen::check {
namespace {

double logistic(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
double density(double x) { return std::exp(-x * x / 2) * 0.39894228040143267794; }

// The other factor of a product with x, which is 0 at 0.
double over_x(const Sample& s) { return s.x == 0 ? s.expected : s.y / s.x; }

// Something that may stand in the wrong place of a formula.
struct Feature {
  const char* name;
  double (*of)(const Sample&);
};
constexpr std::array<Feature, 21> kFeatures{{
    {"x", [](const Sample& s) { return s.x; }},
    {"y", [](const Sample& s) { return s.y; }},
    {"x^2", [](const Sample& s) { return s.x * s.x; }},
    {"y^2", [](const Sample& s) { return s.y * s.y; }},
    {"|x|", [](const Sample& s) { return std::abs(s.x); }},
    {"the derivative's square", [](const Sample& s) { return s.expected * s.expected; }},
    {"the derivative's square root: a square is lost",
     [](const Sample& s) { return std::copysign(std::sqrt(std::abs(s.expected)), s.expected); }},
    {"x times the derivative", [](const Sample& s) { return s.x * s.expected; }},
    {"y times the derivative", [](const Sample& s) { return s.y * s.expected; }},
    {"sigmoid(x)", [](const Sample& s) { return logistic(s.x); }},
    {"sigmoid'(x)", [](const Sample& s) { return logistic(s.x) * logistic(-s.x); }},
    {"x sigmoid'(x)", [](const Sample& s) { return s.x * logistic(s.x) * logistic(-s.x); }},
    {"the normal density at x", [](const Sample& s) { return density(s.x); }},
    {"x times the normal density at x", [](const Sample& s) { return s.x * density(s.x); }},
    {"exp(x)", [](const Sample& s) { return std::exp(s.x); }},
    {"y / x", over_x},
    {"y^2 / x", [](const Sample& s) { return s.y * over_x(s); }},
    {"the derivative / x", [](const Sample& s) { return s.x == 0 ? NAN : s.expected / s.x; }},
    {"the derivative / y", [](const Sample& s) { return s.y == 0 ? NAN : s.expected / s.y; }},
    {"1 / x", [](const Sample& s) { return 1 / s.x; }},
    {"1 / y", [](const Sample& s) { return 1 / s.y; }},
}};

// c0 + c1 t + c2 t^2 through `value` at three points, if it holds at all others.
using Coefficients = std::array<double, 3>;

template <class Argument, class Value>
std::optional<Coefficients> quadratic(const std::vector<Sample>& samples, const Argument& argument,
                                      const Value& value) {
  std::vector<Sample> sorted;
  for (const Sample& s : samples) {
    if (std::abs(argument(s)) < 100 && std::isfinite(value(s))) sorted.push_back(s);
  }
  if (sorted.size() < 6) return std::nullopt;
  std::sort(sorted.begin(), sorted.end(),
            [&](const Sample& a, const Sample& b) { return argument(a) < argument(b); });
  const Sample &a = sorted.front(), &b = sorted[sorted.size() / 2], &c = sorted.back();
  const double x0 = argument(a), x1 = argument(b), x2 = argument(c);
  if (!(x1 - x0 > 1e-3) || !(x2 - x1 > 1e-3)) return std::nullopt;
  const double d1 = (value(b) - value(a)) / (x1 - x0), d2 = (value(c) - value(b)) / (x2 - x1);
  const double q = (d2 - d1) / (x2 - x0);
  const Coefficients p{value(a) - d1 * x0 + q * x0 * x1, d1 - q * (x0 + x1), q};
  for (const double unit : {1e3, 1e6}) {  // in a narrow range the digits are not known so well
    Coefficients rounded = p;
    for (double& k : rounded) k = std::round(k * unit) / unit + 0.0;
    if (std::all_of(sorted.begin(), sorted.end(), [&](const Sample& s) {
          const double t = argument(s), v = rounded[0] + t * (rounded[1] + t * rounded[2]);
          const double size =
              std::abs(rounded[0]) + std::abs(t * rounded[1]) + std::abs(t * t * rounded[2]);
          return std::abs(value(s) - v) <= s.bound + 1e-5 * size;
        })) {
      return rounded;
    }
  }
  return std::nullopt;
}

std::string text_of(const Coefficients& p, char name) {
  std::string text;
  for (std::size_t k = 0; k < p.size(); ++k) {
    if (p[k] == 0) continue;
    const double size = std::abs(p[k]);
    text += text.empty() ? (p[k] < 0 ? "-" : "") : (p[k] < 0 ? " - " : " + ");
    if (size != 1 || k == 0) text += fmt::format("{:.6g}{}", size, k == 0 ? "" : " ");
    if (k > 0) text += k == 1 ? std::string(1, name) : fmt::format("{}^2", name);
  }
  return text.empty() ? "0" : text;
}

}  // namespace

std::string Formula::polynomials() const {
  const auto x = [](const Sample& s) { return s.x; };
  const auto y = [](const Sample& s) { return s.y; };
  const auto got = [](const Sample& s) { return s.got; };
  const auto expected = [](const Sample& s) { return s.expected; };
  const auto right_y = quadratic(bad_, y, expected);
  if (!right_y || evidence_.one_line) return {};
  if (const auto p = quadratic(bad_, y, got)) {
    return fmt::format("it computes {} from the output y; the derivative is {}", text_of(*p, 'y'),
                       text_of(*right_y, 'y'));
  }
  const auto p = quadratic(bad_, x, got);
  if (!p) return {};
  const std::string wrong = text_of(*p, 'x'), good = text_of(*right_y, 'y');
  if (*p == *right_y) {
    return fmt::format(
        "it computes {}: the formula for the output y was given the input x; the "
        "derivative is {}",
        wrong, good);
  }
  return fmt::format("it computes {} from the input x; the derivative is {}", wrong, good);
}

std::string Formula::products() const {
  if (bad_.size() < 4) return {};
  for (const Feature& feature : kFeatures) {
    const double at = feature.of(*largest_);
    if (at == 0 || !std::isfinite(at)) continue;
    const double c = largest_->got / at;
    if (c == 0 || !means(c) || !all([&](const Sample& s) { return c * feature.of(s); })) continue;
    if (!varies(feature.of)) continue;
    std::string lost = terms();
    if (lost.empty() && feature.of == over_x)
      lost = "the other term of the product rule is missing";
    if (std::abs(c - 1) < 1e-6) {
      return fmt::format("it returns {}{}{}", feature.name, lost.empty() ? "" : ": ", lost);
    }
    return fmt::format("it returns {} times {}", factor_name(c, evidence_), feature.name);
  }
  return {};
}

std::string Formula::terms() const {
  if (bad_.size() < 4) return {};
  const auto worst =
      std::max_element(bad_.begin(), bad_.end(), [](const Sample& a, const Sample& b) {
        return std::abs(a.got - a.expected) < std::abs(b.got - b.expected);
      });
  const auto term = [&](const auto& of, const std::string& name) -> std::string {
    const double at = of(*worst), c = (worst->got - worst->expected) / at;
    if (at == 0 || !std::isfinite(c) || c == 0 || !means(c) || !varies(of)) return {};
    if (!all([&](const Sample& s) { return s.expected + c * of(s); })) return {};
    const double size = std::abs(c);
    const std::string times =
        std::abs(size - 1) < 1e-6 ? "" : fmt::format("{} times ", factor_name(size, evidence_));
    return fmt::format("the term {}{} is {}{}", times, name, c < 0 ? "missing" : "too much",
                       std::abs(size - 2) < 1e-6 ? ", as if it had the wrong sign" : "");
  };
  for (const Feature& feature : kFeatures) {
    if (std::string text = term(feature.of, feature.name); !text.empty()) return text;
  }
  // A term that lost its factor x: t is there where x t should be.
  for (const Feature& feature : kFeatures) {
    const auto lost = [&](const Sample& s) { return (1 - s.x) * feature.of(s); };
    if (term(lost, feature.name).empty()) continue;
    return fmt::format("the term x times {} lost its factor x", feature.name);
  }
  return {};
}

// For f(x) = x h(x): h is right, and x h' has a factor of its own.
std::string Formula::product_rule() const {
  const auto rest = [](const Sample& s) { return s.expected - over_x(s); };
  const auto most = std::max_element(
      bad_.begin(), bad_.end(),
      [&](const Sample& a, const Sample& b) { return std::abs(rest(a)) < std::abs(rest(b)); });
  if (bad_.size() < 4 || !varies(rest)) return {};
  const double factor = (most->got - over_x(*most)) / rest(*most);
  if (!std::isfinite(factor) || !means(factor)) return {};
  if (!all([&](const Sample& s) { return over_x(s) + factor * rest(s); })) return {};
  const std::string text =
      fmt::format("with h = y / x the derivative is h + x h', and it returns h {} {:.6g} x h': ",
                  factor < 0 ? "-" : "+", std::abs(factor));
  Evidence rough;
  rough.parameters = evidence_.parameters;
  rough.precision = 1e-6;
  if (std::abs(factor + 1) < 1e-6) return text + "the second term has the wrong sign";
  return text + "in the second term " + factor_mistake(factor, rough);
}

}  // namespace limen::check
