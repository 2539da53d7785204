// limen plugin check: all tests of one library, in children that may crash.
#include <filesystem>
#include <map>
#include <regex>

#include <fmt/format.h>

#include "isolate.hpp"
#include "junit.hpp"
#include "plugin_suite.hpp"
#include "resume.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr std::int64_t kSilence = 10;  // seconds without a sign of life, then a test hangs
constexpr std::size_t kShown = 3;      // findings of one test that are printed

enum class Grade { pass, warning, fail, not_applicable };

struct Outcome {
  Grade grade = Grade::not_applicable;
  std::vector<Finding> bad;
};

// Leaves out what is not wanted, and passes on the rest.
class Forwarder : public SuiteListener {
 public:
  Forwarder(const std::function<bool(std::string_view)>& wanted, TestRun& run)
      : wanted_(wanted), run_(run) {}

  bool begin(std::string_view test, std::string_view op) override {
    return wanted_(test) && run_.begin(test, op);
  }
  void add(Finding finding) override {
    if (!wanted_(finding.test)) return;
    run_.say({{"test", finding.test},
              {"op", finding.op},
              {"good", finding.good},
              {"text", finding.text}});
  }

 private:
  const std::function<bool(std::string_view)>& wanted_;
  TestRun& run_;
};

class PluginCheckVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "PLUGIN", subject_, "a FILE.so, or the name of an op or a plugin");
    add_text(app, "--only", only_, "REGEX", "run the tests whose id matches");
    add_count(app, "--seed", seed_, "of random points (0)", 0);
    add_count(app, "--timeout", timeout_, "seconds before a silent test is given up (10)");
    add_text(app, "--junit", junit_, "FILE", "write the results for a build server");
    add_switch(app, "--in-process", in_process_, "no children: for a debugger");
    add_switch(app, "--list", list_, "list the tests and run none");
  }

  Exit run(Context& context) override {
    if (list_) return show_list(context);
    if (subject_.empty()) throw usage_error("`limen plugin check` needs a FILE.so or a name");
    const std::regex pattern = pattern_of(only_);
    wanted_ = [&](std::string_view test) {
      return only_.empty() || std::regex_search(std::string(test), pattern);
    };
    suite_ = {file_of(context), static_cast<std::uint64_t>(seed_.value_or(0))};
    std::error_code ignored;
    if (std::filesystem::is_regular_file(suite_.file, ignored)) forget_probe(suite_.file);
    for (const PluginTest& test : plugin_tests()) {
      if (wanted_(test.id)) outcomes_[std::string(test.id)];
    }
    if (outcomes_.empty()) {
      throw usage_error(fmt::format("no test matches `{}`", only_), {"limen plugin check --list"});
    }
    in_process_ ? run_here(context) : run_children(context);
    if (!junit_.empty()) write_junit(junit_, suite_.file, junit_cases());
    if (context.globals.json) {
      context.out.json(as_json());
    } else if (!context.globals.quiet) {
      context.out.write(as_text(context.globals.verbose));
    }
    if (broken_) return Exit::plugin;
    return count(Grade::fail) > 0 ? Exit::no : Exit::ok;
  }

 private:
  std::string subject_, only_, junit_;
  std::optional<std::int64_t> seed_, timeout_;
  bool in_process_ = false, list_ = false;
  Suite suite_;
  std::function<bool(std::string_view)> wanted_;
  std::map<std::string, Outcome> outcomes_;
  bool broken_ = false;  // crashed, hung, or cannot be loaded

  static std::regex pattern_of(const std::string& text) {
    try {
      return std::regex(text);
    } catch (const std::regex_error&) {
      throw usage_error(fmt::format("`--only {}` is no regular expression", text));
    }
  }

  static Exit show_list(Context& context) {
    if (context.globals.json) {
      Json tests = Json::array();
      for (const PluginTest& test : plugin_tests()) {
        tests.push_back({{"id", test.id},
                         {"group", test.group},
                         {"summary", test.summary},
                         {"advice", test.advice}});
      }
      context.out.json({{"limen", 1}, {"kind", "plugin.check.list"}, {"tests", tests}});
      return Exit::ok;
    }
    Table table({"test", "group", "what it asks"});
    for (const PluginTest& test : plugin_tests()) {
      table.add({std::string(test.id), std::string(test.group),
                 std::string(test.summary) + (test.advice ? " (warning)" : "")});
    }
    context.out.write(table.text());
    return Exit::ok;
  }

  // The library of a name is found in a child too: looking for it loads others.
  std::string file_of(Context& context) const {
    if (subject_.find('/') != std::string::npos || subject_.ends_with(".so")) {
      return std::filesystem::absolute(subject_).lexically_normal();
    }
    const IsolatedResult found = run_isolated(
        [&]() -> IsolatedAnswer {
          try {
            const PluginRegistry& registry = context.registry();
            for (const auto& plugin : registry.plugins()) {
              if (plugin->name() == subject_) return {Exit::ok, plugin->file};
            }
            return {Exit::ok, registry.find(subject_).plugin().file};
          } catch (const Error& error) {
            return {error.exit(), error.what()};
          }
        },
        static_cast<int>(timeout_.value_or(kSilence)));
    if (!found.completed) throw Error("E0519", fmt::format("{}: {}", subject_, found.death));
    if (found.exit != Exit::ok) throw Error("E0518", found.payload);
    return found.payload;
  }

  void take(const Finding& finding, bool death = false) {
    const PluginTest* test = find_test(finding.test);
    if (test == nullptr) return;  // of checks that have no test of their own
    Outcome& outcome = outcomes_[finding.test];
    const Grade grade = finding.good             ? Grade::pass
                        : test->advice && !death ? Grade::warning
                                                 : Grade::fail;
    if (!finding.good) outcome.bad.push_back(finding);
    if (outcome.grade == Grade::not_applicable || grade > outcome.grade) outcome.grade = grade;
  }

  void run_once(const Context& context, TestRun& run) const {
    Forwarder listener(wanted_, run);
    try {
      run_suite(suite_, listener);
    } catch (const Error& error) {
      if (run.first()) context.messages.show(error);
      run.say({{"unloadable", true}});
    }
  }

  void hear(const Json& json) {
    if (json.contains("test")) {
      take({json["test"], json["op"], json["good"], json["text"]});
    } else if (json.contains("unloadable")) {
      broken_ = true;
    }
  }

  void run_here(const Context& context) {
    TestRun run(0, {}, [&](const std::string& message) { hear(parse_json(message)); });
    run_once(context, run);
  }

  void run_children(const Context& context) {
    const bool complete = run_resuming(
        {[&](TestRun& run) { run_once(context, run); },
         [&](const std::string& message) { hear(parse_json(message)); },
         [&](const TestDeath& death) {
           broken_ = true;
           take({death.test.empty() ? "load-now" : death.test, death.op, false, death.how}, true);
         }},
        timeout_.value_or(kSilence));
    if (!complete)
      context.messages.warn("tests were left out of an op that hung or died too often");
  }

  std::size_t count(Grade grade) const {
    std::size_t n = 0;
    for (const auto& [id, outcome] : outcomes_) n += outcome.grade == grade ? 1 : 0;
    return n;
  }

  static const char* name_of(Grade grade) {
    constexpr const char* kNames[] = {"pass", "warning", "fail", "not applicable"};
    return kNames[static_cast<int>(grade)];
  }

  // The tests that were wanted, in the order of the table.
  template <class Visit>
  void each(const Visit& visit) const {
    for (const PluginTest& test : plugin_tests()) {
      const auto at = outcomes_.find(std::string(test.id));
      if (at != outcomes_.end()) visit(test, at->second);
    }
  }

  std::string as_text(bool verbose) const {
    std::string text;
    each([&](const PluginTest& test, const Outcome& outcome) {
      if (outcome.bad.empty()) {
        if (verbose) text += fmt::format("{:<8} {}\n", name_of(outcome.grade), test.id);
        return;
      }
      std::size_t shown = 0;
      for (const Finding& finding : outcome.bad) {
        if (++shown > kShown && !verbose) break;
        text += fmt::format("{:<8} {}  {}{}{}\n", name_of(outcome.grade), test.id, finding.op,
                            finding.op.empty() ? "" : ": ", finding.text);
      }
      if (shown > kShown && !verbose) {
        text += fmt::format("         {}  ... and {} more\n", test.id, outcome.bad.size() - kShown);
      }
    });
    return text + fmt::format("{}: {} passed, {} failed, {} warnings, {} not applicable\n",
                              suite_.file, count(Grade::pass), count(Grade::fail),
                              count(Grade::warning), count(Grade::not_applicable));
  }

  Json as_json() const {
    Json tests = Json::array();
    each([&](const PluginTest& test, const Outcome& outcome) {
      Json findings = Json::array();
      for (const Finding& finding : outcome.bad) {
        findings.push_back({{"op", finding.op}, {"text", finding.text}});
      }
      tests.push_back({{"id", test.id},
                       {"group", test.group},
                       {"verdict", name_of(outcome.grade)},
                       {"findings", findings}});
    });
    return {{"limen", 1},
            {"kind", "plugin.check"},
            {"file", suite_.file},
            {"seed", suite_.seed},
            {"verdict", broken_ || count(Grade::fail) > 0 ? "fail" : "pass"},
            {"passed", count(Grade::pass)},
            {"failed", count(Grade::fail)},
            {"warnings", count(Grade::warning)},
            {"not_applicable", count(Grade::not_applicable)},
            {"tests", tests}};
  }

  std::vector<JunitCase> junit_cases() const {
    std::vector<JunitCase> cases;
    each([&](const PluginTest& test, const Outcome& outcome) {
      JunitCase c;
      c.group = test.group;
      c.name = test.id;
      for (const Finding& finding : outcome.bad) {
        (outcome.grade == Grade::fail ? c.failures : c.remarks)
            .push_back(finding.op + ": " + finding.text);
      }
      c.not_run = outcome.grade == Grade::not_applicable;
      cases.push_back(std::move(c));
    });
    return cases;
  }
};

}  // namespace

std::unique_ptr<Verb> make_plugin_check() { return std::make_unique<PluginCheckVerb>(); }

}  // namespace limen::tools
