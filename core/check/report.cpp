#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <limen/gradient_check.hpp>

#include "base/text.hpp"
#include "check/diagnosis.hpp"

namespace limen {
namespace {

// The shortest text that reads back as the same number; what JSON has no number for is a string.
std::string number(double value) {
  if (std::isnan(value)) return "\"nan\"";
  if (std::isinf(value)) return value > 0 ? "\"inf\"" : "\"-inf\"";
  return fmt::format("{}", value);
}

std::string hex(double value) { return json_quote(fmt::format("{:a}", value)); }

std::string failure_json(const CheckFailure& f, const CheckResult& c) {
  std::string text = fmt::format(
      "{{\"tensor\":{},\"index\":{},\"elements\":{},\"x\":{},\"x_hex\":{},\"g\":{},",
      json_quote(f.tensor), f.element, f.elements, number(f.x), hex(f.x), number(f.upstream));
  text += fmt::format(
      "\"expected\":{},\"expected_hex\":{},\"bound\":{},\"got\":{},\"got_hex\":{},\"class\":{},"
      "\"left\":{},\"right\":{},\"h\":{},\"noise\":{},\"evals\":{},",
      number(f.expected), hex(f.expected), number(f.bound), number(f.got), hex(f.got),
      json_quote(f.kind), number(f.left), number(f.right), number(f.step), number(f.noise),
      f.evaluations);
  return text +
         fmt::format("\"note\":{},\"region\":{},\"hypothesis\":{},\"case\":{},\"repro\":{}}}",
                     json_quote(f.note), json_quote(c.where), json_quote(c.likely),
                     json_quote(c.id() + "/" + f.point), json_quote(f.repro));
}

std::string check_json(const CheckResult& c) {
  std::string failures;
  for (const CheckFailure& f : c.failures) {
    if (!failures.empty()) failures += ',';
    failures += failure_json(f, c);
  }
  std::string text = fmt::format(
      "{{\"op\":{},\"test\":{},\"check\":{},\"subject\":{},\"dtype\":{},\"case\":{},"
      "\"verdict\":\"{}\",\"severity\":\"{}\",\"points\":{},\"passed\":{},\"failed\":{},"
      "\"undecided\":{},",
      json_quote(c.op), json_quote(c.test), json_quote(c.check), json_quote(c.subject),
      json_quote(c.dtype()), json_quote(c.id()), name_of(c.verdict), name_of(c.severity),
      c.points(), c.passed, c.failed, c.undecided);
  return text + fmt::format(
                    "\"bound_median\":{},\"bound_max\":{},\"evals\":{},\"failures\":[{}],"
                    "\"where\":{},\"likely\":{}}}",
                    number(c.bound_median), number(c.bound_max), c.evaluations, failures,
                    json_quote(c.where), json_quote(c.likely));
}

std::string element_text(const CheckFailure& f) {
  if (f.kind == "property") return fmt::format("  what      {}: {}\n", f.tensor, f.note);
  std::string text =
      fmt::format("  element   {}[{}] of {}     x = {:.9g}     upstream g = {:.6g}\n", f.tensor,
                  f.element, f.elements, f.x, f.upstream);
  const std::vector<std::string> numbers = check::told_apart({f.got, f.expected}, 12);
  text += fmt::format("  expected  {} +- {:.2g}", numbers[1], f.bound);
  if (!f.note.empty()) text += fmt::format("     ({})", f.note);
  text += fmt::format("\n  got       {}", numbers[0]);
  const double off = std::abs(f.got - f.expected);
  if (std::isfinite(off) && off > 0) {
    text += fmt::format("     off by {:.3g}", off);
    if (f.bound > 0) text += fmt::format(" = {:.2g} bounds", off / f.bound);
  }
  return text + "\n";
}

// What else was asked of the same op.
std::string also_text(const CheckResult& of, const CheckReport& report) {
  std::size_t all = 0, good = 0;
  std::vector<std::string> bad;
  for (const CheckResult& c : report.checks) {
    if (c.op != of.op || &c == &of) continue;
    ++all;
    if (c.verdict == Verdict::pass) {
      ++good;
    } else if (c.check != of.check && std::find(bad.begin(), bad.end(), c.check) == bad.end()) {
      bad.push_back(c.check);
    }
  }
  if (all == 0) return {};
  return fmt::format("  also run  {} of {} other checks of {} passed{}{}\n", good, all, of.op,
                     bad.empty() ? "" : "; not: ", join(bad));
}

std::string library_text(const CheckReport& report) {
  if (report.plugin.empty()) return {};
  return fmt::format("   {} (sha256 {}..)", report.plugin, report.sha256.substr(0, 8));
}

std::string upper(Verdict verdict) {
  return verdict == Verdict::fail ? "FAIL" : verdict == Verdict::pass ? "PASS" : "UNDECIDABLE";
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::undecidable:
      return "undecidable";
    case Verdict::fail:
      break;
  }
  return "fail";
}

std::string_view name_of(Severity severity) {
  constexpr std::string_view kNames[] = {"none", "inexact", "wrong"};
  return kNames[static_cast<int>(severity)];
}

std::string CheckResult::dtype() const {
  return subject.starts_with("f64") || subject.starts_with("f32") ? subject.substr(0, 3) : "";
}

std::string CheckResult::id() const {
  std::string id = op;
  for (const std::string& part : {test, as_word(subject), as_word(check)}) {
    if (!part.empty()) id += "/" + part;
  }
  return id;
}

void CheckReport::add(CheckResult result) {
  // Without checks there is nothing to be worse than.
  verdict = checks.empty() ? result.verdict : std::max(verdict, result.verdict);
  checks.push_back(std::move(result));
}

void CheckReport::merge(CheckReport other) {
  const bool first = checks.empty() && notes.empty();
  verdict = first ? other.verdict : std::max(verdict, other.verdict);
  std::move(other.checks.begin(), other.checks.end(), std::back_inserter(checks));
  std::move(other.notes.begin(), other.notes.end(), std::back_inserter(notes));
}

std::string to_json(const CheckReport& report) {
  std::string checks, notes, environment, dtype;
  Severity severity = Severity::none;
  std::int64_t evaluations = 0;
  for (const CheckResult& c : report.checks) {
    if (!checks.empty()) checks += ',';
    checks += check_json(c);
    severity = std::max(severity, c.severity);
    evaluations += c.evaluations;
    dtype = std::max(dtype, c.dtype());
  }
  for (const std::string& note : report.notes) {
    if (!notes.empty()) notes += ',';
    notes += json_quote(note);
  }
  for (const auto& [name, value] : report.environment) {
    if (!environment.empty()) environment += ',';
    environment += json_quote(name) + ":" + json_quote(value);
  }
  std::string text = fmt::format(
      "{{\"limen\":1,\"kind\":\"gradcheck\",\"subject\":{},\"plugin\":{},\"sha256\":{},\"abi\":{},"
      "\"dtype\":{},\"seed\":{},",
      json_quote(report.subject), json_quote(report.plugin), json_quote(report.sha256),
      json_quote(report.abi), json_quote(dtype), report.seed);
  return text + fmt::format(
                    "\"verdict\":\"{}\",\"severity\":\"{}\",\"evals\":{},\"checks\":[{}],"
                    "\"notes\":[{}],\"env\":{{{}}}}}\n",
                    name_of(report.verdict), name_of(severity), evaluations, checks, notes,
                    environment);
}

std::string to_text(const CheckReport& report, bool verbose) {
  std::string text;
  std::size_t passed = 0;
  for (const CheckResult& c : report.checks) {
    if (c.verdict == Verdict::pass) {
      ++passed;
      if (!verbose) continue;
    }
    text += fmt::format("{}  {}{}   {}{}{}", upper(c.verdict), c.op, library_text(report),
                        c.subject, c.subject.empty() ? "" : "   ", c.check);
    if (c.verdict == Verdict::pass) {
      text += fmt::format("   {} points, to {:.2g}\n", c.passed, c.bound_max);
    } else if (c.severity != Severity::none) {
      text += fmt::format("   severity: {}\n", name_of(c.severity));
    } else {
      text += '\n';
    }
    for (std::size_t i = 0; i < c.failures.size() && (verbose || i < 1); ++i) {
      text += element_text(c.failures[i]);
    }
    if (c.undecided > 0) {
      text += fmt::format("  undecided {} of {} points\n", c.undecided, c.points());
    }
    if (c.verdict == Verdict::undecidable) {
      text +=
          "  means     the values of the function do not tell at these points; f64 kernels, or "
          "more "
          "accurate ones, would\n";
    }
    if (!c.where.empty()) text += fmt::format("  where     {}\n", c.where);
    if (!c.likely.empty()) text += fmt::format("  likely    {}\n", c.likely);
    if (c.verdict == Verdict::fail) text += also_text(c, report);
    for (std::size_t i = 0; i < c.failures.size() && (verbose || i < 1); ++i) {
      if (c.failures[i].repro.empty()) continue;
      text += fmt::format("  repro     {}\n", c.failures[i].repro);
    }
  }
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  text += fmt::format("{}  {}: {} of {} checks passed", upper(report.verdict), report.subject,
                      passed, report.checks.size());
  return text + "\n";
}

}  // namespace limen
