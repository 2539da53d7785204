// What an op leaves behind in the process, and what it does where rounding is not as usual.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <malloc.h>
#include <unistd.h>

#include "check/activation.hpp"
#include "check/fp_environment.hpp"
#include "check/signals.hpp"

namespace limen::check {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryTells = false;  // freed memory stays in quarantine
#else
constexpr bool kMemoryTells = true;
#endif

constexpr int kCycles = 1000, kWarmUp = 20, kStretch = 50;
constexpr std::int64_t kSpare = 512 << 10, kPerCycle = 256;  // bytes that may stay
// Without instances there is nothing to keep, so that fewer cycles show it: 32 bytes each.
constexpr int kPlainCycles = 200;
constexpr std::int64_t kPlainSpare = 6 << 10;
constexpr std::chrono::milliseconds kLongest{300};  // for an op whose create() is slow

struct Resources {
  std::int64_t bytes = 0, heap = 0, files = 0, threads = 0;
};

std::int64_t entries_of(const char* folder) {
  std::error_code ignored;
  const std::filesystem::directory_iterator all(folder, ignored);
  return std::distance(begin(all), end(all));
}

std::int64_t bytes_used() {
  std::ifstream in("/proc/self/statm");
  std::int64_t pages = 0;
  for (int field = 0; field < 6 && in >> pages; ++field) continue;  // the sixth: data and stack
  return pages * ::sysconf(_SC_PAGESIZE);
}

// What malloc() has handed out: earlier tests leave free memory, in which much can be lost before
// the process grows.
std::int64_t heap_used() {
#if defined(__GLIBC__)
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
#else
  return 0;
#endif
}

Resources resources() {
  return {bytes_used(), heap_used(), entries_of("/proc/self/fd"), entries_of("/proc/self/task")};
}

// Bytes that this process has given to write() and its like; -1 where that is not counted.
std::int64_t bytes_written() {
  std::ifstream in("/proc/self/io");
  std::string name;
  std::int64_t value = 0;
  while (in >> name >> value) {
    if (name == "wchar:") return value;
  }
  return -1;
}

void run_pair(Call& call, const KernelPair& pair) {
  if (pair.backward != pair.forward) call.run(*pair.forward);
  call.run(*pair.backward);
}

// An instance is made, used and destroyed; an op without instances is only used. Returns what
// differs from the first time, or nothing.
std::string cycle(const ActivationContext& context, const std::vector<KernelPair>& kernels,
                  std::vector<Call>& calls) {
  std::string difference;
  if (context.op.instance() == nullptr) {
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      const bool fresh = calls.size() == 2 * i;
      for (int twice = 0; fresh && twice < 2; ++twice) {
        calls.push_back(drawn_call(context, dtype_of_bit(kernels[i].backward->dtype), 1, 5));
        run_pair(calls.back(), kernels[i]);
      }
      Call &first = calls[2 * i], &now = calls[2 * i + 1];
      if (!fresh) run_pair(now, kernels[i]);
      const std::uint32_t role = kernels[i].backward->role;
      const bool same = role == LIMEN_BACKWARD  ? now.dx[0].same_bits(first.dx[0])
                        : role == LIMEN_FORWARD ? now.y[0].same_bits(first.y[0])
                                                : true;
      if (!same) same_results(first, now, role, difference);
    }
    return difference;
  }
  const OpCase which(context.op.op(), {context.op.hyper().begin(), context.op.hyper().end()});
  const ActivationContext own{which, context.options, context.isa, context.report};
  for (const KernelPair& pair : kernels) {
    Call call = drawn_call(own, dtype_of_bit(pair.backward->dtype), 1, 5);
    run_pair(call, pair);
  }
  return difference;
}

void leaves_nothing(const ActivationContext& context, const std::vector<KernelPair>& kernels) {
  Tally t = context.tally("resources", "instances leave nothing behind", "");
  std::vector<Call> calls;
  std::string difference;
  const auto again = [&] {
    const std::string now = cycle(context, kernels, calls);
    if (difference.empty()) difference = now;
  };
  for (int i = 0; i < kWarmUp; ++i) again();
  const bool plain = context.op.instance() == nullptr;
  const int most = plain ? kPlainCycles : kCycles;
  const Resources before = resources();
  const auto begin = std::chrono::steady_clock::now();
  int cycles = 0;
  do {
    for (int i = 0; i < kStretch; ++i) again();
    cycles += kStretch;
  } while (cycles < most && bytes_used() - before.bytes < 16 * kSpare &&
           std::chrono::steady_clock::now() - begin < kLongest);
  const Resources now = resources();
  const Resources left{now.bytes - before.bytes, now.heap - before.heap, now.files - before.files,
                       now.threads - before.threads};
  const std::int64_t spare = kSpare + cycles * kPerCycle;
  t.require(!kMemoryTells || (left.bytes <= spare && left.heap <= (plain ? kPlainSpare : spare)),
            "memory",
            plain ? "memory grows with every call"
                  : "memory grows with every instance that is made and destroyed");
  t.require(difference.empty(), "results",
            "of the same call, made over and over, one gave other results (something is counted or "
            "kept): " +
                difference);
  t.require(left.files <= 0, "files", "files stay open when instances are destroyed");
  t.require(left.threads <= 0, "threads", "threads go on when instances are destroyed");
  context.add(t);
}

// What sanitizers may say to themselves while kernels run, in bytes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kSanitizers = 1024;
#else
constexpr std::int64_t kSanitizers = 0;
#endif

void is_silent(const ActivationContext& context, const std::vector<KernelPair>& kernels) {
  Tally t = context.tally("silent", "writes nothing", "");
  std::fflush(nullptr);
  std::vector<Call> calls;
  const std::int64_t before = bytes_written();
  cycle(context, kernels, calls);
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {  // as a message about long tiles
    Call call(context.op, dtype_of_bit(dtype), context.op.rows() ? 4 : 1, 300);
    for (Operands* inputs : {&call.x, &call.dy, &call.gx, &call.tx}) {
      for (Operand& operand : *inputs) operand.fill(0.75);
    }
    for (const KernelPair& pair : kernels) {
      if (pair.backward->dtype == dtype) run_pair(call, pair);
    }
  }
  std::fflush(nullptr);
  const std::int64_t written = bytes_written() - before;
  t.require(
      before < 0 || written <= kSanitizers, "output",
      fmt::format("{} bytes are written to the terminal or to a file while kernels run", written));
  context.add(t);
}

#if defined(__x86_64__)
// Results may move in another mode (a sine whose reduction rounds takes the other sign), but they
// stay numbers of their size.
void keeps_its_size(const ActivationContext& context, const KernelPair& pair) {
  struct Mode {
    std::uint64_t bits;
    const char* name;
  };
  Tally t = context.tally("fp-modes", "other floating-point modes", describe(*pair.backward));
  const DType dtype = dtype_of_bit(pair.backward->dtype);
  const auto run = [&](std::uint64_t bits) {
    Call call = drawn_call(context, dtype, context.op.rows() ? 5 : 1, context.op.rows() ? 13 : 67);
    restore_fp_environment(kDefaultFpEnvironment | bits);
    run_pair(call, pair);
    restore_fp_environment(kDefaultFpEnvironment);
    return call;
  };
  Call usual = run(0);
  for (const Mode mode : {Mode{0x8040, "flush-to-zero"}, Mode{0x4000, "rounding up"}}) {
    Call other = run(mode.bits);
    const std::vector<Operand*> expected = results_of(usual, pair.backward->role),
                                got = results_of(other, pair.backward->role);
    std::string wrong;
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const Row a = expected[k]->values(), b = got[k]->values();
      double size = 0;
      for (const double v : a) size = std::isfinite(v) ? std::max(size, std::abs(v)) : size;
      for (std::size_t i = 0; i < a.size(); ++i) {
        // Where all is saturated the last bits of 1 - y may come up, times a steep slope.
        if (!std::isfinite(a[i]) || std::abs(b[i]) <= 2 * size + 1) continue;
        wrong = fmt::format("under {}, result {}, element {} is {:.6g} instead of {:.6g}",
                            mode.name, k, i, b[i], a[i]);
      }
    }
    t.require(wrong.empty(), mode.name, wrong);
  }
  context.add(t);
}
#endif

}  // namespace

void check_resources(const ActivationContext& context) {
  const std::vector<KernelPair> kernels = all_kernels(context);
  if (context.wants("silent")) is_silent(context, kernels);
  if (context.wants("resources")) leaves_nothing(context, kernels);
#if defined(__x86_64__)
  for (const KernelPair& pair : kernels) {
    if (context.wants("fp-modes")) keeps_its_size(context, pair);
  }
#endif
}

void check_beside(const ActivationContext& mine, const ActivationContext& other) {
  if (!mine.wants("deterministic")) return;
  Tally t = mine.tally("deterministic", "beside another op of the library", "");
  const std::vector<KernelPair> others = all_kernels(other);
  for (const KernelPair& pair : all_kernels(mine)) {
    if (pair.backward->role != LIMEN_BACKWARD || pair.backward->isa != LIMEN_ISA_ANY) continue;
    Call once = drawn_call(mine, dtype_of_bit(pair.backward->dtype), 1, 5), again = once;
    Call beside = once;
    run_pair(once, pair);
    run_pair(again, pair);
    beside.run(*pair.forward);
    std::vector<Call> calls;
    if (first_fault([&] { cycle(other, others, calls); }) != nullptr) return;  // its own affair
    beside.run(*pair.backward);
    std::string difference;
    if (!same_results(once, again, LIMEN_BACKWARD, difference)) return;  // told elsewhere
    same_results(once, beside, LIMEN_BACKWARD, difference);
    t.require(difference.empty(), describe(*pair.backward),
              fmt::format("when kernels of {} run between forward and backward, backward gives "
                          "other results: do both ops use one static variable? {}",
                          other.op.op().name, difference));
  }
  mine.add(t);
}

}  // namespace limen::check
