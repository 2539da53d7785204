// Which points fail, and in which order mistakes are thought of.
#include "check/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <limen/gradient_check.hpp>

namespace limen::check {
namespace {

std::size_t count_bad(const Evidence& evidence) {
  return static_cast<std::size_t>(std::count_if(evidence.samples.begin(), evidence.samples.end(),
                                                [](const Sample& s) { return !s.good; }));
}

// The number with the fewest digits in [low, high].
double round_between(double low, double high) {
  if (low < 0 && high >= 0) return 0;
  const double size = std::max(std::abs(low), std::abs(high));
  const double digits = std::min(std::ceil(std::log10(size)), 308.0);  // 10^309 is infinite
  for (double unit = std::pow(10.0, digits); unit > 1e-17 * size; unit /= 10) {
    if (std::abs(low - std::round(low / unit) * unit) <= 1e-15 * size) return low;
    const double t = std::floor(high / unit) * unit;
    if (t > low) return t;
  }
  return high;
}

// A good point that shows nothing: mistake and derivative are both next to 0 there. Where both are
// 0 it may be one, or be the flat part of a function, which is why regions are first sought with
// such points as good ones (`zeros`).
bool is_silent(const Sample& s, double scale, bool zeros) {
  const double size = std::abs(s.expected) + std::abs(s.got);
  return s.good && size < 1e-6 * scale && (size > 0 || zeros);
}

double scale_of(const Evidence& evidence) {
  double scale = 0;
  for (const Sample& s : evidence.samples) {
    if (std::isfinite(s.expected)) scale = std::max(scale, std::min(std::abs(s.expected), 1.0));
  }
  return scale;
}

// The failing points as those whose value(x) is at or above a threshold, where hardly a good one
// lies there too. A wrong formula may be right at single points (x = 1 for one that returns x).
struct Cut {
  double least = std::numeric_limits<double>::infinity();   // of the failing
  double below = -std::numeric_limits<double>::infinity();  // the next good one
  std::size_t good_inside = 0;
};

template <class Value>
std::optional<Cut> cut_at(const Evidence& evidence, const Value& value, bool zeros) {
  Cut cut;
  std::size_t outside = 0;
  const double scale = scale_of(evidence);
  for (const Sample& s : evidence.samples) {
    if (!s.good) cut.least = std::min(cut.least, value(s.x));
  }
  for (const Sample& s : evidence.samples) {
    if (!s.good) continue;
    if (value(s.x) >= cut.least) {
      cut.good_inside += is_silent(s, scale, zeros) ? 0 : 1;
    } else if (!is_silent(s, scale, false)) {
      ++outside;
      cut.below = std::max(cut.below, value(s.x));
    }
  }
  if (outside == 0 || cut.good_inside * 20 > count_bad(evidence)) return std::nullopt;
  return cut;
}

// x within bounds on both sides.
std::optional<std::pair<double, double>> interval_of(const Evidence& evidence, std::size_t& inside,
                                                     bool zeros) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Sample& s : evidence.samples) {
    if (s.good) continue;
    low = std::min(low, s.x);
    high = std::max(high, s.x);
  }
  const double scale = scale_of(evidence);
  const auto count = [&](const auto& wanted) {
    return static_cast<std::size_t>(
        std::count_if(evidence.samples.begin(), evidence.samples.end(), wanted));
  };
  inside = count([&](const Sample& s) {
    return s.good && !is_silent(s, scale, zeros) && s.x >= low && s.x <= high;
  });
  const std::size_t outside = count([&](const Sample& s) { return s.x < low || s.x > high; });
  if (outside == 0 || inside * 20 > count_bad(evidence)) return std::nullopt;
  return std::pair{low, high};
}

// The failing elements as the last ones of a tensor, or as those of one place in a vector.
Region region_of_elements(const Evidence& evidence) {
  std::vector<bool> bad;
  for (const Sample& s : evidence.samples) {
    const auto at = static_cast<std::size_t>(s.element);
    if (at >= bad.size()) bad.resize(at + 1);
    if (!s.good) bad[at] = true;
  }
  const std::size_t n = bad.size();
  const auto all = [&](const auto& inside) {
    for (std::size_t i = 0; i < n; ++i) {
      if (bad[i] != inside(i)) return false;
    }
    return true;
  };
  const auto first =
      static_cast<std::size_t>(std::find(bad.begin(), bad.end(), true) - bad.begin());
  if (first > 0 && all([&](std::size_t i) { return i >= first; })) {
    std::string text = fmt::format("index >= {}: the last {} of {}", first, n - first, n);
    for (const std::size_t width : {4u, 8u, 16u, 32u}) {
      if (first == n - n % width) return {text + fmt::format(", the rest of n by {}", width)};
    }
    return {text};
  }
  for (const std::size_t width : {2u, 4u, 8u, 16u}) {
    if (n > width && all([&](std::size_t i) { return i % width == first % width; })) {
      return {fmt::format("index % {} = {}", width, first % width)};
    }
  }
  return {};
}

}  // namespace

Region failing_region(const Evidence& evidence) {
  const std::size_t bad = count_bad(evidence);
  if (bad == 0 || bad == evidence.samples.size()) return {};
  if (!evidence.by_x) return region_of_elements(evidence);
  const auto first = std::find_if(evidence.samples.begin(), evidence.samples.end(),
                                  [](const Sample& s) { return !s.good; });
  if (std::all_of(evidence.samples.begin(), evidence.samples.end(),
                  [&](const Sample& s) { return s.good || s.x == first->x; })) {
    return {fmt::format("x = {:.9g}", first->x)};
  }
  const auto up = [](double x) { return x; };
  const auto down = [](double x) { return -x; };
  const auto out = [](double x) { return std::abs(x); };
  const auto in = [](double x) { return -std::abs(x); };
  const auto text = [](const char* name, const char* sign, const Cut& cut,
                       double factor) -> Region {
    const double t = round_between(cut.below, cut.least);
    // At a round threshold itself the function may be right.
    return {fmt::format("{} {}{} {:.6g}", name, sign, t == cut.least ? "=" : "", factor * t + 0.0),
            cut.good_inside};
  };
  for (const bool zeros : {false, true}) {
    if (const auto cut = cut_at(evidence, up, zeros)) return text("x", ">", *cut, 1);
    if (const auto cut = cut_at(evidence, down, zeros)) return text("x", "<", *cut, -1);
    if (const auto cut = cut_at(evidence, out, zeros)) return text("|x|", ">", *cut, 1);
    if (const auto cut = cut_at(evidence, in, zeros)) return text("|x|", "<", *cut, -1);
    std::size_t inside = 0;
    if (const auto ends = interval_of(evidence, inside, zeros)) {
      return {fmt::format("x in [{:.6g}, {:.6g}]", ends->first, ends->second), inside};
    }
  }
  return {};
}

std::string region_of(const Evidence& evidence) {
  const std::size_t bad = count_bad(evidence), all = evidence.samples.size();
  if (bad == 0) return {};
  std::string text = fmt::format("{} of {} {} fail", bad, all, evidence.by_x ? "points" : "values");
  const Region region = failing_region(evidence);
  if (region.text.empty()) return text;
  text += fmt::format(", all with {}", region.text);
  if (region.good_inside > 0) text += fmt::format(" ({} there pass)", region.good_inside);
  const std::size_t others = all - bad - region.good_inside;
  return text + (others > 0 ? fmt::format("; none of the {} others", others) : "");
}

std::string factor_name(double value, const Evidence& evidence) {
  const double precision = evidence.float32 ? 1e-6 : evidence.precision;
  const auto is = [&](double other) {
    return std::abs(value - other) <= precision * std::abs(other);
  };
  for (const auto& [name, parameter] : evidence.parameters) {
    if (parameter == 0 || std::abs(parameter) == 1) continue;
    const char* const kind = name == "dy" ? "" : "the parameter ";  // dy: of second order
    if (is(parameter)) return fmt::format("{}{} = {:.6g}", kind, name, parameter);
    if (is(1 / parameter)) {
      return fmt::format("1 / {} with {}{} = {:.6g}", name, kind, name, parameter);
    }
  }
  std::string text;
  const auto named = [&](double of, const std::string& what) {
    const bool whole = std::abs(of - std::round(of)) < 1e-6;  // as anything may be
    if (!text.empty() || whole || !std::isfinite(of) || !(is(of) || is(1 / of))) return;
    text = (is(of) ? "" : "1 / ") + what;
  };
  for (const auto& [name, p] : evidence.parameters) {
    const std::string with = fmt::format(" with the parameter {} = {:.6g}", name, p);
    named(1 - p, fmt::format("(1 - {}){}", name, with));
    if (p == 0) continue;
    named(std::exp(p), fmt::format("exp({}){}", name, with));
    named(1 / (1 + std::exp(-p)), fmt::format("sigmoid({}){}", name, with));
  }
  for (const auto& [name, p] : evidence.parameters) {
    for (const auto& [other, q] : evidence.parameters) {
      if (other == name || std::min(std::abs(p), std::abs(q)) == 0) continue;
      const std::string with =
          fmt::format(" with the parameters {} = {:.6g} and {} = {:.6g}", name, p, other, q);
      named(p - q, fmt::format("({} - {}){}", name, other, with));
      named(p * q, fmt::format("{} {}{}", name, other, with));
    }
  }
  if (!text.empty()) return text;
  for (int n = 2; n <= 20; ++n) {
    if (is(1.0 / n)) return fmt::format("1/{}", n);
  }
  return fmt::format("{:.{}g}", value, precision > 1e-9 ? 6 : 9);
}

std::string factor_mistake(double ratio, const Evidence& evidence) {
  const std::string name = factor_name(ratio, evidence), inverse = factor_name(1 / ratio, evidence);
  bool missing = std::abs(ratio) < 1;
  if (name.starts_with("1 / ")) missing = true;
  if (inverse.starts_with("1 / ")) missing = false;
  return fmt::format("a factor {} is {}", missing ? inverse : name,
                     missing ? "missing" : "too many");
}

std::vector<std::string> told_apart(const std::vector<double>& numbers, int digits) {
  std::vector<std::string> texts;
  for (bool apart = false; !apart; ++digits) {
    texts.clear();
    apart = true;
    for (const double v : numbers) {
      texts.push_back(fmt::format("{:.{}g}", v, digits));
      apart = apart && (texts.back() != texts[0] || v == numbers[0] || digits == 17);
    }
  }
  return texts;
}

namespace {

// Of an op that draws; the points share a draw. What a mask drops does not depend on x; what rounds
// does, in steps.
std::string draw_mistake(const std::vector<Sample>& bad) {
  bool lost = false, flat = true, steps = false;
  for (const Sample& s : bad) {
    lost = lost || (s.got == 0) != (s.expected == 0);
    flat = flat && s.expected == 0;
    steps = steps || s.y != bad.front().y;
  }
  if (!lost) return {};
  return flat && steps
             ? "forward moves in steps, between which it is flat, and backward passes the gradient "
               "through: an op that does so on purpose sets LIMEN_OP_SURROGATE and names what it "
               "is the derivative of (`surrogate_of`)"
             : "the mask of backward is not that of forward: it draws anew, or compares with "
               "another number. Draw from the same seed and base + i and compare as forward does, "
               "or save the mask";
}

// What is true of one kernel only.
std::string in_one_kernel(const Evidence& evidence) {
  const auto from = evidence.subject.find("x86-64-v");
  if (from == std::string::npos) return "only in float32 (the f64 kernel is the reference): ";
  return fmt::format("in the f32 kernel for {} (an f64 kernel is the reference): ",
                     evidence.subject.substr(from, evidence.subject.find(',', from) - from));
}

}  // namespace

std::string likely_mistake(const Evidence& evidence) {
  if (!evidence.jacobians.empty()) return jacobian_mistake(evidence.jacobians);
  std::vector<Sample> bad, broken, everywhere, smooth;
  for (const Sample& s : evidence.samples) {
    if (!std::isfinite(s.expected)) continue;
    if (std::isfinite(s.got) && s.kind == PointKind::smooth) everywhere.push_back(s);
    if (s.good) continue;
    (std::isfinite(s.got) ? bad : broken).push_back(s);
    if (std::isfinite(s.got) && s.kind == PointKind::smooth) smooth.push_back(s);
  }
  std::string mistake;
  if (evidence.stochastic && !evidence.means) {
    if (std::string text = draw_mistake(bad); !text.empty()) return text;
  }
  // What is not finite comes first: the rest of the points may be right.
  if (evidence.means) {
    mistake = mean_mistake(bad);
    const Region region = failing_region(evidence);
    if (!mistake.empty() && !region.text.empty()) {
      mistake = fmt::format("for {} {}", region.text, mistake);
    }
  } else if (!broken.empty()) {
    mistake = overflow_mistake(evidence, broken);
  } else if (!bad.empty()) {
    mistake = point_mistake(evidence, bad);
    if (mistake.empty()) {
      // At a corner the derivative is a range: only elsewhere a formula can be told.
      mistake = formula_mistake(evidence, smooth.empty() ? bad : smooth);
      const Region region = failing_region(evidence);
      const bool part = evidence.by_x && !mistake.empty() && !region.text.empty();
      // Where the mistake holds for the good points too, they just do not show it.
      if (part && formula_mistake(evidence, everywhere) != mistake) {
        mistake = fmt::format("for {} {}", region.text, mistake);
      }
    }
  }
  if (mistake.empty() || !evidence.float32) return mistake;
  return in_one_kernel(evidence) + mistake;
}

}  // namespace limen::check
