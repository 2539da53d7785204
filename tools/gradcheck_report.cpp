#include "gradcheck_report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "check/fp_environment.hpp"
#include "gradcheck_case.hpp"

namespace limen::tools {
namespace {

double number_of(const Json& json) {
  if (json.is_number()) return json;
  const std::string text = json;
  const double infinity = std::numeric_limits<double>::infinity();
  return text == "inf" ? infinity : text == "-inf" ? -infinity : std::nan("");
}

Verdict verdict_of(const std::string& name) {
  for (const Verdict verdict : {Verdict::pass, Verdict::undecidable}) {
    if (name == name_of(verdict)) return verdict;
  }
  return Verdict::fail;
}

Severity severity_of(const std::string& name) {
  for (const Severity severity : {Severity::none, Severity::inexact}) {
    if (name == name_of(severity)) return severity;
  }
  return Severity::wrong;
}

CheckFailure failure_of(const Json& json, const std::string& id) {
  CheckFailure f;
  f.tensor = json["tensor"];
  f.element = json["index"];
  f.elements = json["elements"];
  f.x = number_of(json["x"]);
  f.upstream = number_of(json["g"]);
  f.expected = number_of(json["expected"]);
  f.bound = number_of(json["bound"]);
  f.got = number_of(json["got"]);
  f.note = json["note"];
  f.kind = json["class"];
  f.left = number_of(json["left"]);
  f.right = number_of(json["right"]);
  f.step = number_of(json["h"]);
  f.noise = number_of(json["noise"]);
  f.evaluations = json["evals"];
  f.point = json["case"].get<std::string>().substr(id.size() + 1);
  f.repro = json["repro"];
  return f;
}

CheckResult result_of(const Json& json) {
  CheckResult c;
  c.op = json["op"];
  c.test = json["test"];
  c.check = json["check"];
  c.subject = json["subject"];
  c.verdict = verdict_of(json["verdict"]);
  c.severity = severity_of(json["severity"]);
  c.passed = json["passed"];
  c.failed = json["failed"];
  c.undecided = json["undecided"];
  c.bound_median = number_of(json["bound_median"]);
  c.bound_max = number_of(json["bound_max"]);
  c.evaluations = json["evals"];
  c.where = json["where"];
  c.likely = json["likely"];
  for (const Json& failure : json["failures"]) c.failures.push_back(failure_of(failure, c.id()));
  return c;
}

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
std::string likely_death(std::string_view how) {
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
    return "a pointer or an index that leads outside of the operands, or a vector load from an "
           "address that is not aligned for it";
  }
  if (how.ends_with("SIGFPE")) return "an integer division by 0";
  if (how.ends_with("SIGILL")) return "an instruction that this processor does not have";
  return {};
}

}  // namespace

CheckReport report_of(const Json& json) {
  CheckReport report;
  for (const Json& check : json["checks"]) report.checks.push_back(result_of(check));
  for (const Json& note : json["notes"]) report.notes.push_back(note);
  report.subject = json["subject"];
  report.plugin = json["plugin"];
  report.sha256 = json["sha256"];
  report.abi = json["abi"];
  report.seed = json["seed"];
  report.verdict = verdict_of(json["verdict"]);
  for (const auto& [name, value] : json["env"].items()) report.environment[name] = value;
  return report;
}

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
  result.likely = likely_death(what);
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
