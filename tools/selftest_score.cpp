#include "selftest.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "plugin_suite.hpp"

namespace limen::tools {
namespace {

constexpr std::size_t kMostBad = 40;  // printed

bool is_advice(std::string_view test) {
  const PluginTest* known = find_test(test);
  return known != nullptr && known->advice;
}

std::string list(const std::set<std::string>& tests) {
  return tests.empty() ? "nothing" : fmt::format("{}", fmt::join(tests, ", "));
}

// What went wrong with a trial, in a line.
std::string complaint(const Trial& t) {
  if (!t.wrong) {
    return fmt::format("{} by {}: {}", t.caught_by.empty() ? "not decided" : "rejected",
                       list(t.caught_by.empty() ? t.undecided : t.caught_by), t.text);
  }
  if (t.caught_by.empty()) {
    return fmt::format("not caught{}{}",
                       t.undecided.empty() ? "" : ", not decided by " + list(t.undecided),
                       t.expected.empty() ? "" : "; expected " + list(t.expected));
  }
  return fmt::format("caught by {}, and not by {}", list(t.caught_by), list(t.expected));
}

}  // namespace

bool Trial::good() const {
  if (!wrong) return caught_by.empty() && undecided.empty();
  if (expected.empty()) return !caught_by.empty();
  return std::any_of(expected.begin(), expected.end(),
                     [&](const std::string& test) { return caught_by.contains(test); });
}

Json to_json(const Trial& trial) {
  return {{"op", trial.op},
          {"what", trial.what},
          {"wrong", trial.wrong},
          {"expected", trial.expected},
          {"caught_by", trial.caught_by},
          {"undecided", trial.undecided},
          {"text", trial.text},
          {"points", trial.points},
          {"undecided_points", trial.undecided_points}};
}

Trial trial_from(const Json& json) {
  return {json["op"],       json["what"],      json["wrong"],
          json["expected"], json["caught_by"], json["undecided"],
          json["text"],     json["points"],    json["undecided_points"]};
}

void try_op(const limen_op& op, bool kernels, std::uint64_t seed,
            const std::function<void(std::string_view)>& tell, Trial& trial) {
  CheckOptions options;
  options.seed = seed;
  options.begin = [&](std::string_view test, std::string_view) {
    // libm sets errno, and a gradient may come from there.
    if (is_advice(test) || test == "errno") return false;
    tell(test);
    return true;
  };
  options.done = [&](const CheckResult& check) {
    trial.points += check.passed + check.failed + check.undecided;
    trial.undecided_points += check.undecided;
    const std::string& test = check.test.empty() ? check.check : check.test;
    if (check.verdict == Verdict::pass) return;
    (check.verdict == Verdict::fail ? trial.caught_by : trial.undecided).insert(test);
    if (trial.text.empty() || (check.verdict == Verdict::fail && trial.caught_by.size() == 1)) {
      trial.text = describe(check);
    }
  };
  try {
    // The tests of the kernels cost most, and have nothing to say about a wrong gradient that is
    // caught. Where they should catch something they come first: threads need an unused kernel.
    const bool first = kernels && (!trial.wrong || trial.op[0] == 's');
    if (first) check_kernels(op, options);
    const Verdict verdict = check_activation(op, options).verdict;
    if (verdict == Verdict::undecidable && trial.undecided.empty()) {
      trial.undecided.insert("any check");
    }
    if (kernels && !first && !trial.good()) check_kernels(op, options);
  } catch (const Error& error) {
    trial.caught_by.insert("create");
    trial.text = error.diagnostics()[0].message;
  }
}

void Score::add(const Trial& trial) {
  Count& count = trial.wrong ? wrong_ : right_;
  ++count.all;
  if (trial.good()) {
    ++count.good;
  } else {
    bad_.push_back(trial);
  }
  if (!trial.wrong) {
    points_ += trial.points;
    undecided_ += trial.undecided_points;
    return;
  }
  for (const std::string& test : trial.caught_by) {
    ++checks_[test].all;
    if (trial.caught_by.size() == 1) ++checks_[test].alone;
  }
}

void Score::add(const Score& other) {
  const auto sum = [](Count& to, const Count& from) {
    to.all += from.all;
    to.good += from.good;
  };
  sum(wrong_, other.wrong_);
  sum(right_, other.right_);
  points_ += other.points_;
  undecided_ += other.undecided_;
  for (const auto& [test, catches] : other.checks_) {
    checks_[test].all += catches.all;
    checks_[test].alone += catches.alone;
  }
  bad_.insert(bad_.end(), other.bad_.begin(), other.bad_.end());
}

Json Score::json() const {
  Json checks = Json::array(), survivors = Json::array(), rejected = Json::array();
  for (const auto& [test, catches] : checks_) {
    checks.push_back({{"check", test}, {"caught", catches.all}, {"alone", catches.alone}});
  }
  for (const Trial& trial : bad_) {
    (trial.wrong ? survivors : rejected)
        .push_back({{"op", trial.op},
                    {"what", trial.what},
                    {"expected", trial.expected},
                    {"caught_by", trial.caught_by},
                    {"undecided", trial.undecided},
                    {"text", trial.text}});
  }
  return {{"mutants", wrong_.all},   {"caught", wrong_.good},  {"right", right_.all},
          {"accepted", right_.good}, {"points", points_},      {"undecided_points", undecided_},
          {"checks", checks},        {"survivors", survivors}, {"false_alarms", rejected}};
}

std::string Score::text(std::string_view kind) const {
  std::string text;
  std::size_t shown = 0;
  for (const Trial& trial : bad_) {
    if (++shown > kMostBad) break;
    text +=
        fmt::format("{:<12} {}: {}\n             {}\n", trial.wrong ? "SURVIVOR" : "FALSE ALARM",
                    trial.op, trial.what, complaint(trial));
  }
  if (shown > kMostBad) text += fmt::format("... and {} more\n", bad_.size() - kMostBad);
  if (!checks_.empty()) {
    Table table({fmt::format("check ({})", kind), "caught", "it alone"}, {false, true, true});
    for (const auto& [test, catches] : checks_) {
      table.add({test, grouped(catches.all), grouped(catches.alone)});
    }
    text += table.text();
  }
  return text + fmt::format(
                    "{}: {} of {} wrong ops caught, {} of {} right ops accepted; {} of {} points "
                    "of right ops undecided\n",
                    kind, grouped(wrong_.good), grouped(wrong_.all), grouped(right_.good),
                    grouped(right_.all), grouped(undecided_), grouped(points_));
}

}  // namespace limen::tools
