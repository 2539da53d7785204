#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <limen/gradient_check.hpp>

#include "base/text.hpp"

namespace limen {
namespace {

// The shortest text that reads back as the same number; what JSON has no number for is a string.
std::string number(double value) {
  if (std::isnan(value)) return "\"nan\"";
  if (std::isinf(value)) return value > 0 ? "\"inf\"" : "\"-inf\"";
  return fmt::format("{}", value);
}

std::string failure_json(const CheckFailure& f) {
  return fmt::format(
      "{{\"tensor\":{},\"element\":{},\"elements\":{},\"x\":{},\"x_hex\":{},\"upstream\":{},"
      "\"expected\":{},\"bound\":{},\"got\":{},\"note\":{}}}",
      json_quote(f.tensor), f.element, f.elements, number(f.x),
      json_quote(fmt::format("{:a}", f.x)), number(f.upstream), number(f.expected), number(f.bound),
      number(f.got), json_quote(f.note));
}

std::string check_json(const CheckResult& c) {
  std::string failures;
  for (const CheckFailure& f : c.failures) {
    if (!failures.empty()) failures += ',';
    failures += failure_json(f);
  }
  return fmt::format(
      "{{\"op\":{},\"test\":{},\"check\":{},\"subject\":{},\"verdict\":\"{}\",\"passed\":{},"
      "\"failed\":{},"
      "\"undecided\":{},\"worst_bound\":{},\"failures\":[{}],\"where\":{},\"likely\":{}}}",
      json_quote(c.op), json_quote(c.test), json_quote(c.check), json_quote(c.subject),
      name_of(c.verdict), c.passed, c.failed, c.undecided, number(c.worst_bound), failures,
      json_quote(c.where), json_quote(c.likely));
}

std::string failure_text(const CheckFailure& f) {
  std::string text;
  text += fmt::format("  element   {}[{}] of {}     x = {:.9g}     upstream g = {:.6g}\n", f.tensor,
                      f.element, f.elements, f.x, f.upstream);
  text += fmt::format("  expected  {:.12g} +- {:.2g}", f.expected, f.bound);
  if (!f.note.empty()) text += fmt::format("     ({})", f.note);
  text += fmt::format("\n  got       {:.12g}", f.got);
  const double off = std::abs(f.got - f.expected);
  if (std::isfinite(off) && f.bound > 0) {
    text += fmt::format("     off by {:.3g} = {:.2g} bounds", off, off / f.bound);
  }
  return text + "\n";
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
  std::string checks, notes;
  for (const CheckResult& c : report.checks) {
    if (!checks.empty()) checks += ',';
    checks += check_json(c);
  }
  for (const std::string& note : report.notes) {
    if (!notes.empty()) notes += ',';
    notes += json_quote(note);
  }
  return fmt::format(
      "{{\"limen\":1,\"kind\":\"gradcheck\",\"subject\":{},\"seed\":{},\"verdict\":\"{}\","
      "\"checks\":[{}],\"notes\":[{}]}}\n",
      json_quote(report.subject), report.seed, name_of(report.verdict), checks, notes);
}

std::string to_text(const CheckReport& report, bool verbose) {
  std::string text;
  std::size_t passed = 0;
  for (const CheckResult& c : report.checks) {
    if (c.verdict == Verdict::pass) {
      ++passed;
      if (!verbose) continue;
    }
    text += fmt::format("{}  {}   {}{}{}", upper(c.verdict), c.op, c.check,
                        c.subject.empty() ? "" : "   ", c.subject);
    if (c.verdict == Verdict::pass) {
      text += fmt::format("   {} points, to {:.2g}\n", c.passed, c.worst_bound);
      continue;
    }
    text += '\n';
    for (const CheckFailure& f : c.failures) text += failure_text(f);
    if (c.undecided > 0) {
      text += fmt::format("  undecided {} of {} points\n", c.undecided,
                          c.passed + c.failed + c.undecided);
    }
    if (!c.where.empty()) text += fmt::format("  where     {}\n", c.where);
    if (!c.likely.empty()) text += fmt::format("  likely    {}\n", c.likely);
  }
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  text += fmt::format("{}  {}: {} of {} checks passed", upper(report.verdict), report.subject,
                      passed, report.checks.size());
  return text + "\n";
}

}  // namespace limen
