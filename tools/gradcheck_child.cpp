#include "gradcheck_child.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <utility>

#include <malloc.h>
#include <sys/resource.h>

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "check/fp_environment.hpp"
#include "gradcheck_case.hpp"
#include "gradcheck_exhaustive.hpp"
#include "gradcheck_message.hpp"
#include "gradcheck_report.hpp"
#include "plugin/catalogue.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/elf_file.hpp"
#include "plugin/library.hpp"
#include "plugin_suite.hpp"

namespace limen::tools {
namespace {

// A plugin that takes all memory there is must not take the machine's. Sanitizers reserve more.
void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr rlim_t kMost = rlim_t{16} << 30;
  const rlimit limit{kMost, kMost};
  ::setrlimit(RLIMIT_AS, &limit);
#endif
}

// Lists of a few hundred kilobytes come and go: to give their pages back to the system each time
// and to get them again would be a tenth of all time.
void keep_memory() {
#if defined(__GLIBC__)
  constexpr int kMost = 32 << 20;  // the largest that it takes
  ::mallopt(M_MMAP_THRESHOLD, kMost);
  ::mallopt(M_TRIM_THRESHOLD, kMost);
  ::mallopt(M_ARENA_MAX, 1);  // for the threads of a test, too
#endif
}

// Tests that say nothing about gradients: advice, one of which measures times, and errno, which the
// C library's own functions set.
bool is_left_out(std::string_view test) {
  const PluginTest* known = find_test(test);
  return test == "errno" || (known != nullptr && known->advice);
}

constexpr std::string_view kThreads = "64-threads";

// Which of `children` does a piece. For two, so that both have about as much to do.
int child_of(int piece, int children) {
  constexpr std::array<int, kPieces> kOfTwo{0, 1, 0, 0, 0, 0, 1, 1};
  if (children == 2) return kOfTwo.at(static_cast<std::size_t>(piece));
  return piece == kThreadsPiece ? 0 : piece % children;
}

// In a child.
class LibraryRun {
 public:
  LibraryRun(const Context& context, const std::string& file, const GradcheckRequest& request,
             const Share& share, TestRun& run)
      : context_(context),
        file_(std::filesystem::absolute(file).lexically_normal()),
        options_(request.options),
        exhaustive_(request.exhaustive),
        share_(share),
        case_id_(request.case_id),
        filter_(request.case_id),
        run_(run),
        op_(file) {
    // Most of the time of that test goes into making operands for each thread; what calls share is
    // also found by interrupting one with another.
    options_.threads = 2;
    options_.begin = [this](std::string_view test, std::string_view op) { return begin(test, op); };
    options_.done = [this](const CheckResult& check) {
      shaky_ = shaky_ || shows_hidden_state(check);
      say(check);
    };
    filter_.apply_to(options_);
  }

  void run() {
    limit_memory();
    keep_memory();
    try {
      const limen_plugin* plugin = load();
      if (exhaustive_ && !any_for_exhaustive(*plugin)) return;
      for (std::uint32_t i = 0; i < plugin->n_ops; ++i) {
        options_.peer = i + 1 < plugin->n_ops ? plugin->ops[i + 1] : nullptr;
        check(*plugin->ops[i], i);
      }
    } catch (const Error& error) {
      if (run_.first() && share_.child == 0) context_.messages.show(error);
      return refuse("load", error);
    }
    if (!filter_.any() || filter_.found()) return;
    if (filter_.survived()) {
      return say(property_result(op_, "", std::string(kSurvives), true, ""));
    }
    run_.say({{"unknown_case", filter_.suggestion()}});
  }

 private:
  const Context& context_;
  std::string file_;
  CheckOptions options_;
  bool exhaustive_;
  Share share_;
  std::string case_id_;
  CaseFilter filter_;
  TestRun& run_;
  std::string op_;        // that is being checked, or the file
  bool begun_ = false;    // one of its tests, in this child
  bool shaky_ = false;    // it has hidden state, as far as this child knows
  bool threads_ = false;  // the tests of threads have their turn

  bool begin(std::string_view test, std::string_view op) {
    if (is_left_out(test) || (test == kThreads) != threads_) return false;
    if (!filter_.wants_test(test, op) || !run_.begin(test, op)) return false;
    return begun_ = test != kThreads || !shaky_;
  }

  void say(const CheckReport& report) { run_.say_line(kReport + packed(report)); }
  void say(CheckResult check) {
    CheckReport report;
    report.add(std::move(check));
    say(report);
  }
  // It cannot be loaded, or an op cannot be set up.
  void refuse(const char* check, const Error& error) {
    run_.say({{"op", op_}, {"refused", check}, {"why", error.diagnostics().front().message}});
  }

  const limen_plugin* load() {
    const std::uint64_t before = check::fp_environment();
    const std::string bytes = read_library(file_);
    CheckReport facts;
    facts.sha256 = sha256(bytes);
    facts.environment = environment_of_checks();
    say(facts);
    inspect_elf(bytes, file_);
    const bool tested = share_.child == 0 && begin("fp-environment", "");
    const limen_plugin* plugin = open_library(file_, file_);
    check_descriptor(plugin, file_);
    const std::uint64_t after = check::fp_environment();
    check::restore_fp_environment(before);
    facts.abi = fmt::format("{}.{}", plugin->abi_major, plugin->abi_minor);
    facts.environment["flags"] = plugin->build != nullptr ? plugin->build : "";
    if (tested && before != after) {
      facts.add(property_result(plugin->name, "fp-environment", "load", false,
                                fp_change_of_load(before, after)));
    }
    say(facts);
    return plugin;
  }

  bool any_for_exhaustive(const limen_plugin& plugin) {
    std::string obstacle = "has no ops";
    for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
      obstacle = obstacle_to_exhaustive(*plugin.ops[i]);
      if (obstacle.empty()) return true;
    }
    run_.say({{"not_exhaustive", obstacle}});
    return false;
  }

  void all_floats(const limen_op& op, CheckReport& rest) {
    if (const std::string obstacle = obstacle_to_exhaustive(op); !obstacle.empty()) {
      rest.notes.push_back(fmt::format("{}: not checked on every float: it {}", op.name, obstacle));
      return;
    }
    const auto alive = [this] { run_.say({{"alive", true}}); };
    for (std::string& note : check_every_float(context_, op, options_, case_id_, alive).notes) {
      rest.notes.push_back(std::move(note));
    }
  }

  // True: this child does the piece, and what is said from now on belongs to it.
  bool turn_to(std::uint32_t index, int piece) {
    if (child_of(piece, share_.children) != share_.child) return false;
    run_.say({{"piece", std::int64_t{index} * kPieces + piece}});
    threads_ = piece == kThreadsPiece;
    begun_ = false;
    return true;
  }

  void check_gradients(const limen_op& op, int part) {
    CheckOptions options = options_;
    options.part = part;
    CheckReport rest = check_activation(op, options);
    if (exhaustive_ && part + 1 == kCheckParts) all_floats(op, rest);
    if (part > 0 && rest.checks.empty()) rest.verdict = Verdict::pass;  // nobody missed this part
    // Its checks were said one by one. What no child after the first has begun was said before.
    rest.checks.clear();
    if (!filter_.any() && (begun_ || run_.first())) say(rest);
  }

  // An op that cannot be set up does not keep the others from being checked.
  void check(const limen_op& op, std::uint32_t index) {
    op_ = op.name;
    shaky_ = run_.died(op.name);
    try {
      for (int piece = 0; piece < kPieces; ++piece) {
        if (!turn_to(index, piece)) continue;
        const bool gradients = piece > 0 && piece < kThreadsPiece;
        gradients ? check_gradients(op, piece - 1) : void(check_kernels(op, options_));
      }
    } catch (const Error& error) {
      if (!filter_.any() || begun_) refuse("create", error);
    }
  }
};

}  // namespace

bool shows_hidden_state(const CheckResult& check) {
  return check.verdict == Verdict::fail &&
         (check.test == "canary" || check.test == "deterministic" || check.test == "overwrites" ||
          check.test == "fp-environment");
}

void run_library_checks(const Context& context, const std::string& file,
                        const GradcheckRequest& request, const Share& share, TestRun& run) {
  LibraryRun(context, file, request, share, run).run();
}

}  // namespace limen::tools
