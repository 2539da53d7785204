#include "gradcheck_report.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "check/fp_environment.hpp"
#include "gradcheck_case.hpp"

namespace limen::tools {
namespace {

// What went wrong, on one line.
std::string line_of(const CheckResult& c) {
  std::string text = c.subject;
  if (!c.failures.empty()) {
    const CheckFailure& f = c.failures.front();
    text +=
        fmt::format("{}{}[{}] of {}", text.empty() ? "" : ": ", f.tensor, f.element, f.elements);
    if (f.kind != "property") {
      text += fmt::format(", x = {:.9g}: expected {:.12g} +- {:.2g}, got {:.12g}", f.x, f.expected,
                          f.bound, f.got);
    }
    if (!f.note.empty()) text += fmt::format(" ({})", f.note);
  }
  if (!c.where.empty()) text += (text.empty() ? "" : "; ") + c.where;
  if (!c.likely.empty()) text += "; likely " + c.likely;
  return text;
}

// What may be behind the end of a child.
std::string likely_death(std::string_view how, std::string_view test) {
  if (how.starts_with("no answer")) return "a loop that does not end for some input";
  if (how.starts_with("ended itself")) {
    return "it calls exit(): a plugin must return an error code and never end the program";
  }
  if (how.starts_with("threw")) {
    return "an exception leaves the plugin: catch it inside, kernels must not throw";
  }
  if (how.ends_with("SIGABRT")) {
    return "an assertion, an uncaught exception, or memory that was damaged before";
  }
  if (how.ends_with("SIGSEGV") || how.ends_with("SIGBUS")) {
    if (test == "null-outputs" || test == "param-gradient") {
      return "a result that nobody wants is a null pointer (in dx, gy, ty, y or dw): test each one "
             "before it is used, as in `if (dx != NULL)`";
    }
    return "a pointer or an index that leads outside of the operands, or a vector load from an "
           "address that is not aligned for it";
  }
  if (how.ends_with("SIGFPE")) return "an integer division by 0";
  if (how.ends_with("SIGILL")) return "an instruction that this processor does not have";
  return {};
}

}  // namespace

std::map<std::string, std::string> environment_of_checks() {
  return {{"compiler", __VERSION__},
          {"cpu", processor_name()},
          {"isa", isa_name(detect_isa())},
          {"mxcsr", fmt::format("{:#x}", check::fp_environment() & 0xffffffffu)}};
}

CheckReport chosen_checks(const CheckReport& report) {
  CheckReport chosen;
  chosen.subject = report.subject;
  chosen.seed = report.seed;
  chosen.environment = report.environment;
  for (const CheckResult& check : report.checks) {
    if (check.points() > 0) chosen.add(check);
  }
  return chosen;
}

CheckResult property_result(const std::string& op, const std::string& test,
                            const std::string& check, bool good, const std::string& what) {
  CheckResult result;
  result.op = op;
  result.test = test;
  result.check = check;
  (good ? result.passed : result.failed) = 1;
  if (good) return result;
  result.verdict = Verdict::fail;
  result.severity = Severity::wrong;
  CheckFailure failure;
  failure.tensor = kProcess;
  failure.note = what;
  failure.kind = "property";
  failure.point = kProcess;
  result.failures.push_back(std::move(failure));
  result.where = what;
  return result;
}

void Collected::add(CheckReport part) {
  for (const auto& [name, value] : part.environment) report.environment[name] = value;
  if (!part.plugin.empty()) report.plugin = part.plugin;
  if (!part.sha256.empty()) report.sha256 = part.sha256;
  if (!part.abi.empty()) report.abi = part.abi;
  std::erase_if(part.notes, [this](const std::string& note) {
    return std::find(report.notes.begin(), report.notes.end(), note) != report.notes.end();
  });
  if (part.checks.empty() && part.notes.empty()) return;  // says nothing of gradients
  report.merge(std::move(part));
}

void Collected::add_death(const std::string& op, const std::string& test, const std::string& check,
                          const std::string& what) {
  CheckResult result = property_result(op, test, check, false, what);
  result.likely = likely_death(what, test);
  report.add(std::move(result));
  broken = true;
}

Exit Collected::exit() const {
  if (broken) return Exit::plugin;
  return report.verdict == Verdict::pass ? Exit::ok : Exit::no;
}

std::vector<JunitCase> junit_cases(const CheckReport& report) {
  std::vector<JunitCase> cases;
  std::map<std::string, std::size_t> known;  // name -> case
  for (const CheckResult& c : report.checks) {
    const std::string dtype = c.dtype();
    const std::string name = dtype.empty() ? c.check : c.check + " " + dtype;
    const auto [at, fresh] = known.try_emplace(c.op + "\n" + name, cases.size());
    if (fresh) cases.emplace_back();
    JunitCase& one = cases[at->second];
    one.group = c.op;
    one.name = name;
    if (c.verdict == Verdict::fail) one.failures.push_back(line_of(c));
    if (c.verdict == Verdict::undecidable) one.skipped = "undecidable: " + line_of(c);
  }
  return cases;
}

}  // namespace limen::tools
