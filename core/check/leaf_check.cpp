#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "check/graph_check.hpp"
#include "check/leaf_measure.hpp"
#include "check/workers.hpp"

namespace limen::check {
namespace {

// All elements of a tensor are checked if that takes no more operations. They are counted, so that
// the choice does not depend on the machine.
constexpr double kAffordable = 5e8;
constexpr std::size_t kSample = 6;  // elements that are looked at beside a wrong one
constexpr double kFarthest = 64;    // by how many times more a few elements move than many

class LeafCheck {
 public:
  LeafCheck(LeafMeasure& measure, const GraphCheckOptions& options, CheckReport& report)
      : measure_(measure), options_(options), report_(report) {}

  void check();

 private:
  LeafMeasure& measure_;
  const GraphCheckOptions& options_;
  CheckReport& report_;

  Tally tally(const Leaf& leaf, std::string check) const {
    return {options_.op.empty() ? leaf.name : options_.op, std::move(check),
            fmt::format("f64 {}", leaf.name), options_};
  }
  bool affordable(const Leaf& leaf) const;
  std::vector<Line> lines_of(const Leaf& leaf) const;
  void by_element(std::span<const Line> lines, std::span<const Measured> measured,
                  const char* name);
  void by_direction(std::span<const Line> lines, std::span<const Measured> measured);
  std::size_t search(Line line, const Measured& measured);
};

bool LeafCheck::affordable(const Leaf& leaf) const {
  const std::int64_t elements = leaf.value.type().elements();
  const double operations =
      static_cast<double>(elements) * operations_of_a_line(measure_.function());
  return elements <= options_.small && operations <= kAffordable;
}

std::vector<Line> LeafCheck::lines_of(const Leaf& leaf) const {
  std::vector<Line> lines;
  if (affordable(leaf)) {
    for (std::size_t i = 0; i < measure_.gradient(leaf).size(); ++i) {
      lines.push_back(measure_.element(leaf, i));
    }
  } else {
    for (int k = 0; k < options_.directions; ++k) lines.push_back(measure_.direction(leaf, k));
  }
  return lines;
}

void LeafCheck::by_element(std::span<const Line> lines, std::span<const Measured> measured,
                           const char* name) {
  const Leaf& leaf = *lines[0].leaf;
  Tally t = tally(leaf, name);
  t.explain();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t at = lines[i].first;
    Point p;
    p.tensor = leaf.name;
    p.element = static_cast<std::int64_t>(at);
    p.elements = leaf.value.type().elements();
    p.x = leaf.value.as<double>()[at];
    p.got = measure_.gradient(leaf)[at];
    Judgement j = measured[i].judgement;  // of a step of this size
    for (double* value : {&j.expected, &j.bound, &j.resolved}) *value /= lines[i].size;
    t.add(p, j);
  }
  report_.add(t.finish());
}

void LeafCheck::by_direction(std::span<const Line> lines, std::span<const Measured> measured) {
  const Leaf& leaf = *lines[0].leaf;
  Tally t = tally(leaf, "random directions");
  std::size_t failing = lines.size();
  for (std::size_t k = 0; k < lines.size(); ++k) {
    Point p;
    p.tensor = fmt::format("{} along direction", leaf.name);
    p.element = static_cast<std::int64_t>(k);
    p.elements = options_.directions;
    p.x = lines[k].size;
    p.got = measured[k].got;
    t.add(p, measured[k].judgement);
    if (measured[k].judgement.outcome == Outcome::fail) failing = std::min(failing, k);
  }
  report_.add(t.finish());
  if (failing == lines.size()) return;
  const std::size_t wrong = search(lines[failing], measured[failing]);
  const std::size_t n = measure_.gradient(leaf).size();
  std::vector<Line> elements{measure_.element(leaf, wrong)};
  for (std::size_t k = 0; k < std::min(n, kSample); ++k) {
    const std::size_t at = k * n / kSample;
    if (at != wrong) elements.push_back(measure_.element(leaf, at));
  }
  by_element(elements, measure_.measure(elements), "elements behind a failed direction");
}

// Cuts a failing line into parts, one more than there are lanes. What all but the last are off by
// tells about the last, as the whole is known; goes on with the part that is farthest off, down to
// one element.
std::size_t LeafCheck::search(Line line, const Measured& measured) {
  const auto error_of = [](const Line& part, const Measured& m) {
    return (m.got - m.judgement.expected) / part.size;
  };
  std::vector<Lane>& lanes = measure_.function().lanes();
  const std::size_t n = line.last;
  const double whole_size = line.size;
  double error = error_of(line, measured);
  while (line.last - line.first > 1) {
    const std::size_t length = line.last - line.first, count = std::min(lanes.size() + 1, length);
    const double share = static_cast<double>(n * count) / static_cast<double>(length);
    std::vector<Line> parts(count, line);
    for (std::size_t i = 0; i < count; ++i) {
      parts[i].first = line.first + length * i / count;
      parts[i].last = line.first + length * (i + 1) / count;
      parts[i].size = whole_size * std::min(kFarthest, std::sqrt(share));
    }
    std::vector<double> errors(count);
    run_workers(lanes.size(), count - 1, [&](std::size_t lane, std::size_t i) {
      errors[i] = error_of(parts[i], measure_.glance(lanes[lane], parts[i]));
    });
    errors[count - 1] = error;
    for (std::size_t i = 0; i + 1 < count; ++i) errors[count - 1] -= errors[i];
    // The first NaN is as far off as anything; the last part has it if no other one does.
    std::size_t worst = 0;
    for (std::size_t i = 1; i < count && !std::isnan(errors[worst]); ++i) {
      if (!(std::abs(errors[i]) <= std::abs(errors[worst]))) worst = i;
    }
    line = parts[worst];
    error = errors[worst];
  }
  return line.first;
}

void LeafCheck::check() {
  std::vector<Line> lines;
  std::vector<std::size_t> ends;
  for (const Leaf& leaf : measure_.function().leaves()) {
    if (!leaf.checked) continue;
    const std::vector<Line> more = lines_of(leaf);
    lines.insert(lines.end(), more.begin(), more.end());
    ends.push_back(lines.size());
  }
  const std::vector<Measured> measured = measure_.measure(lines);
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    const auto part = std::span(lines).subspan(begin, end - begin);
    const auto results = std::span(measured).subspan(begin, end - begin);
    begin = end;
    if (affordable(*part[0].leaf)) {
      by_element(part, results, "every element");
    } else {
      by_direction(part, results);
    }
  }
}

}  // namespace

void check_leaves(GraphFunction& function, const GraphCheckOptions& options, CheckReport& report) {
  LeafMeasure measure(function, options);
  if (!std::isfinite(measure.loss())) {
    CheckResult result;
    result.op = options.op.empty() ? options.loss : options.op;
    result.check = "forward";
    result.subject = "f64";
    result.verdict = Verdict::undecidable;
    result.undecided = 1;
    result.where = fmt::format("the checked value is {} at the drawn point", measure.loss());
    report.add(std::move(result));
    return;
  }
  LeafCheck(measure, options, report).check();
}

}  // namespace limen::check
