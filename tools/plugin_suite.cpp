#include "plugin_suite.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <regex>

#include <fmt/format.h>

#include "check/fp_environment.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/library.hpp"

namespace limen::tools {

namespace {

constexpr PluginTest kTests[] = {
    {"file-preflight", "library", "a whole ELF library for this machine, with the limen note"},
    {"one-export", "library", "exports its entry point and nothing else"},
    {"no-undefined", "library", "needs no symbol that no library it names has"},
    {"no-libstdcxx", "library", "does without the C++ runtime library", true},
    {"no-constructors", "library", "runs no code when it is loaded"},
    {"no-gnu-unique", "library", "shares no symbol with other libraries"},
    {"no-thread-local", "library", "has no thread-local variables"},
    {"no-textrel", "library", "needs no relocation of its code"},
    {"load-now", "library", "loads with all symbols resolved"},
    {"load-under-10ms", "library", "loads in less than 10 ms"},
    {"load-twice", "library", "a second load gives the same descriptor"},
    {"load-64-threads", "library", "loads from 64 threads"},
    {"notes-match", "library", "the ELF notes say what the descriptor says"},
    {"bare-host", "library", "works with a host that offers nothing"},
    {"newer-host", "library", "works with a host whose structs are larger"},
    {"older-host", "library", "works with a host of ABI 1.0, or says why not"},
    {"descriptor", "descriptor", "pointers, counts, kinds and kernels make sense"},
    {"names", "descriptor", "names are lower-case words"},
    {"aliases-unique", "descriptor", "no name is offered twice"},
    {"semver", "descriptor", "versions look like 1.2.3"},
    {"defaults-in-range", "descriptor", "default parameters are legal"},
    {"doc-present", "descriptor", "each op has a summary and a formula", true},
    {"license", "descriptor", "the plugin names its license", true},
    {"formula-parses", "descriptor", "formulas of single elements are in limen's own notation",
     true},
    {"formula-matches", "descriptor", "kernels compute the formula"},
    {"golden", "numbers", "kernels give the op's own exact values"},
    {"canary", "numbers", "kernels stay inside their operands and write no input"},
    {"isa-agree", "numbers", "AVX2 and AVX-512 kernels give the same bits"},
    {"dtype-agree", "numbers", "f32 gradients are the f64 ones, rounded"},
    {"tiles-ragged", "numbers", "values do not depend on where a tile begins and ends"},
    {"unaligned", "numbers", "values do not depend on alignment"},
    {"in-place", "numbers", "promised aliases of operands work"},
    {"accumulate", "numbers", "LIMEN_TILE_ACCUMULATE adds"},
    {"overwrites", "numbers", "without it every element is overwritten"},
    {"null-outputs", "numbers", "results that nobody wants may be null"},
    {"deterministic", "numbers", "a second call gives the same bits and inputs stay"},
    {"nan-in", "numbers", "NaN stays NaN"},
    {"extremes", "numbers", "finite numbers have finite gradients, whatever their size"},
    {"inf-limits", "numbers", "infinities give limits", true},
    {"denormal-speed", "numbers", "subnormal numbers cost no more than others", true},
    {"fp-environment", "numbers", "rounding and flush-to-zero modes stay as they were"},
    {"fp-modes", "numbers", "results keep their size under flush-to-zero and rounding up"},
    {"errno", "numbers", "errno stays as it was"},
    {"silent", "numbers", "kernels write nothing to the terminal or to files"},
    {"resources", "numbers", "a thousand instances leave no memory, open files or threads behind"},
    {"64-threads", "numbers", "64 threads get what one gets"},
    {"derivative-fd", "calculus", "backward is the derivative of forward"},
    {"integral", "calculus", "backward integrates to the rise of forward, over many intervals"},
    {"upstream-linear", "calculus", "backward is linear in the upstream gradient"},
    {"kinks-declared", "calculus", "every corner is in the list of kinks"},
    {"kink-slope", "calculus", "slopes at kinks are what the list says"},
    {"jvp-vjp-adjoint", "calculus", "forward mode and backward belong together"},
    {"second-derivative", "calculus", "second order is the derivative of first order"},
    {"param-gradient", "calculus", "gradients of learned parameters are right sums"},
    {"reads-honest", "calculus", "backward reads what it says and no more"},
    {"variants-agree", "calculus", "all forward kernels compute one function"},
    {"surrogate-declared", "calculus", "a surrogate says so and names its function"},
    {"facts", "calculus", "declared facts hold: odd, range, slope, ..."},
    {"stochastic-counter", "calculus", "draws depend on seed and index alone"},
    {"train-smoke", "training", "a network with the op learns two moons, twice the same"},
    {"fuzz", "fuzz", "all of this at random parameters and points"},
};

}  // namespace

std::span<const PluginTest> plugin_tests() { return kTests; }

const PluginTest* find_test(std::string_view id) {
  const auto tests = plugin_tests();
  const auto at = std::find_if(tests.begin(), tests.end(),
                               [&](const PluginTest& test) { return test.id == id; });
  return at == tests.end() ? nullptr : &*at;
}

std::string describe(const CheckResult& check) {
  std::string text = fmt::format("{}: {}", check.subject, check.check);
  if (check.failures.empty()) return text + (check.where.empty() ? "" : ", " + check.where);
  const CheckFailure& f = check.failures.front();
  text += fmt::format(": {}", f.tensor);
  if (f.elements > 1) text += fmt::format("[{}] of {}", f.element, f.elements);
  if (f.expected == 0 && f.got == 0 && f.x == 0 && !f.note.empty()) return text + ": " + f.note;
  text += fmt::format(" at x = {:.9g}: got {:.12g}, expected {:.12g}", f.x, f.got, f.expected);
  if (f.bound > 0) text += fmt::format(" +- {:.2g}", f.bound);
  if (!f.note.empty()) text += fmt::format(" ({})", f.note);
  if (!check.likely.empty()) text += "; likely " + check.likely;
  if (check.verdict == Verdict::undecidable) {
    text += fmt::format("; {} points could not be decided", check.undecided);
  }
  return text;
}

namespace {

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

constexpr std::uint32_t kBaseOnly = 1;  // above LIMEN_ISA_ANY, below every other level

class OpTests {
 public:
  OpTests(const Suite& suite, const limen_op& op, SuiteListener& listener)
      : suite_(suite), op_(op), listener_(listener) {}

  void run() {
    CheckOptions options;
    options.seed = suite_.seed;
    options.begin = [&](std::string_view test, std::string_view name) {
      return listener_.begin(test, name);
    };
    options.done = [&](const CheckResult& check) {
      add(check.test, check.op, check.verdict == Verdict::pass, describe(check));
    };
    check_kernels(op_, options);
    const CheckReport report = check_activation(op_, options);
    surrogate();
    if (listener_.begin("fuzz", op_.name) && !failed_) fuzz();
    test_training(suite_, op_, listener_);
  }

 private:
  const Suite& suite_;
  const limen_op& op_;
  SuiteListener& listener_;
  bool failed_ = false;

  void add(std::string_view test, const std::string& op, bool good, std::string text) {
    const PluginTest* known = find_test(test);
    failed_ = failed_ || (!good && known != nullptr && !known->advice);
    listener_.add(Finding{std::string(test), op, good, good ? std::string() : std::move(text)});
  }

  void surrogate() {
    if (!listener_.begin("surrogate-declared", op_.name)) return;
    if ((op_.flags & LIMEN_OP_SURROGATE) == 0) {
      if (op_.surrogate_of != nullptr) {
        add("surrogate-declared", op_.name, false,
            "it names a function in surrogate_of, but LIMEN_OP_SURROGATE is not set");
      }
      return;
    }
    add("surrogate-declared", op_.name, op_.surrogate_of != nullptr,
        "backward is declared a surrogate, and surrogate_of does not say of what");
  }

  // The calculus again, elsewhere: other parameters, other points, fewer of them.
  void fuzz() {
    CheckOptions options;
    options.points = 12;
    options.isa = kBaseOnly;  // the kernels for vectors are known to agree
    options.seed = suite_.seed + 1;
    const CheckReport report = check_activation(op_, options);
    bool good = true;
    for (const CheckResult& check : report.checks) {
      if (check.verdict != Verdict::fail) continue;
      good = false;
      add("fuzz", check.op, false, fmt::format("seed {}: {}", options.seed, describe(check)));
    }
    if (good && !report.checks.empty()) add("fuzz", op_.name, true, {});
  }
};

void test_descriptor(const limen_plugin& plugin, SuiteListener& listener) {
  for (const char* id : {"descriptor", "names", "aliases-unique"}) {
    if (listener.begin(id, {})) listener.add(id, true, {});  // loading has looked at them
  }
  static const std::regex kVersion(R"(\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?)");
  const auto semver = [&](const std::string& whose, const std::string& version) {
    listener.add("semver", std::regex_match(version, kVersion),
                 fmt::format("the version of {} is \"{}\", not like 1.2.3", whose, version));
  };
  if (listener.begin("semver", {})) semver(plugin.name, text_of(plugin.version));
  if (listener.begin("license", {})) {
    listener.add("license", !text_of(plugin.license).empty(),
                 "the plugin names no license (SPDX), so nobody may pass it on");
  }
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
    const limen_op& op = *plugin.ops[i];
    if (listener.begin("semver", op.name)) semver(fmt::format("op {}", op.name), op.version);
    if (listener.begin("defaults-in-range", op.name)) {
      std::vector<double> hyper;
      bool complete = true;
      for (std::uint32_t p = 0; p < op.n_params; ++p) {
        const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
        complete = complete && (param.flags & LIMEN_PF_REQUIRED) == 0;
        hyper.push_back(param.def);
      }
      std::array<char, 512> text{};
      limen_error error{sizeof(limen_error), 0, -1, text.size(), text.data()};
      const bool good =
          !complete || op.check == nullptr || op.check(hyper.data(), &error) == LIMEN_OK;
      listener.add(
          "defaults-in-range", good,
          fmt::format("op {}: its own check() refuses the defaults: {}", op.name, text.data()));
    }
    if (listener.begin("doc-present", op.name)) {
      listener.add("doc-present", !text_of(op.summary).empty() && !text_of(op.formula).empty(),
                   fmt::format("op {} has no summary or no formula", op.name));
    }
  }
}

// Which test an error of loading belongs to.
std::string_view test_of(const Error& error) {
  const std::string& code = error.diagnostics()[0].code;
  if (code == "E0508") return "one-export";
  if (code == "E0509" || code == "E0510" || code == "E0511") return "load-now";
  if (code == "E0513" || code == "E0515") return "descriptor";
  if (code == "E0514") return "defaults-in-range";
  if (code == "E0516") return "aliases-unique";
  return "file-preflight";
}

}  // namespace

std::string fp_change_of_load(std::uint64_t before, std::uint64_t after) {
  return "loading the library: " + check::fp_change(before, after) +
         "; -ffast-math at link time does that: link without it";
}

void run_suite(const Suite& suite, SuiteListener& listener) {
  const std::uint64_t environment = check::fp_environment();
  try {
    test_library(suite, listener);
    check::restore_fp_environment(environment);  // said already
    // Not by a registry: that would refuse what has wrong golden values or crashed once.
    const limen_plugin* plugin = open_library(suite.file, suite.file);
    check_descriptor(plugin, suite.file);
    check::restore_fp_environment(environment);
    test_descriptor(*plugin, listener);
    for (std::uint32_t i = 0; i < plugin->n_ops; ++i) {
      OpTests(suite, *plugin->ops[i], listener).run();
    }
  } catch (const Error& error) {  // of the library, or of an op that refuses to be set up
    listener.add(test_of(error), false, error.diagnostics()[0].message);
    throw;
  }
}

}  // namespace limen::tools
