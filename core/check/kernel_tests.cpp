// What plugins promise about memory, threads and the floating-point environment.
#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/isa.hpp"
#include "check/activation.hpp"
#include "check/fp_environment.hpp"
#include "check/signals.hpp"

namespace limen::check {
namespace {

struct Size {
  std::size_t rows, n;
};

std::vector<Size> sizes_of(const ActivationContext& context) {
  if (context.op.rows()) return {{1, 1}, {2, 5}, {2, 17}, {3, 33}};
  return {{1, 1}, {1, 7}, {1, 16}, {1, 33}, {1, 67}};
}

// What a touch of this address means: "it touches dx[13] of 13, 4 bytes past the end".
std::string touch_of(Call& call, const void* address) {
  for (auto& [name, operand] : call.named()) {
    std::ptrdiff_t at = 0;
    if (!operand->near(address, at)) continue;
    const auto width = static_cast<std::ptrdiff_t>(size_of(operand->dtype()));
    const auto size = static_cast<std::ptrdiff_t>(operand->size());
    const std::ptrdiff_t element = at >= 0 ? at / width : (at - width + 1) / width;
    const std::string place = fmt::format("{}[{}] of {}", name, element, size);
    if (element >= 0 && element < size) {
      return fmt::format("it writes to {}, an input that it may only read", place);
    }
    return at < 0 ? fmt::format("it touches {}, {} bytes before the beginning", place, -at)
                  : fmt::format("it touches {}, {} bytes past the end", place,
                                at - size * width + width);
  }
  return "it touches memory that belongs to none of its operands";
}

void protect_inputs(Call& call, std::uint32_t role, bool read_only) {
  const std::vector<Operand*> results = results_of(call, role);
  for (auto& [name, operand] : call.named()) {
    if (std::find(results.begin(), results.end(), operand) == results.end()) {
      operand->protect(read_only);
    }
  }
}

// Another call on the same numbers: to draw them again would cost more.
Call twin(const Call& call, DType dtype) {
  Call other(call.op, dtype, call.rows, call.n, call.settings);
  const std::pair<Operands*, const Operands*> lists[] = {
      {&other.x, &call.x}, {&other.dy, &call.dy}, {&other.gx, &call.gx}, {&other.tx, &call.tx}};
  for (const auto& [to, from] : lists) {
    for (std::size_t k = 0; k < from->size(); ++k) (*to)[k].assign((*from)[k].values());
  }
  return other;
}

// Kernels of one type and role, on operands with pages that cannot be touched behind or before them
// and inputs that cannot be written. To map and protect pages is what costs, so they share it.
void canary(const std::vector<KernelPair>& kernels, const std::vector<Tally*>& tallies,
            Call& call) {
  const KernelPair& first = kernels.front();
  const std::uint32_t role = first.backward->role;
  if (role != LIMEN_FORWARD && first_fault([&] { call.run(*first.forward); }) != nullptr) {
    return;  // said of the forward kernel itself
  }
  protect_inputs(call, role, true);
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const void* fault = first_fault([&] { call.run(*kernels[k].backward); });
    tallies[k]->require(fault == nullptr, fmt::format("{} rows of {}", call.rows, call.n),
                        fault == nullptr ? "" : touch_of(call, fault));
  }
  protect_inputs(call, role, false);
}

struct Kind {
  std::vector<KernelPair> kernels;
  std::vector<Tally*> tallies;
};

void canary(const ActivationContext& context, const std::vector<KernelPair>& all) {
  std::map<std::uint32_t, std::map<std::uint32_t, Kind>> kinds;  // by type and role
  std::deque<Tally> tallies;
  for (const KernelPair& pair : all) {
    Kind& kind = kinds[pair.backward->dtype][pair.backward->role];
    kind.kernels.push_back(pair);
    kind.tallies.push_back(
        &tallies.emplace_back(context.tally("canary", "guard pages", describe(*pair.backward))));
  }
  for (auto& [dtype, roles] : kinds) {
    for (const Size size : sizes_of(context)) {
      for (const Fence fence : {Fence::page_behind, Fence::page_before}) {
        Call call = drawn_call(context, dtype_of_bit(dtype), size.rows, size.n, {.fence = fence});
        for (auto& [role, kind] : roles) canary(kind.kernels, kind.tallies, call);
      }
    }
  }
  for (Tally& t : tallies) context.add(t);
}

// Bit for bit, up to rounding in an op that says its sums are not.
bool same_results(Call& a, Call& b, std::uint32_t role, std::string& difference) {
  const limen_facts* facts = a.op.op().facts;
  const bool exact = facts == nullptr || (facts->flags & LIMEN_FACT_NONDETERMINISTIC) == 0;
  const std::vector<Operand*> left = results_of(a, role), right = results_of(b, role);
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k]->same_bits(*right[k])) continue;
    double slack = 0;
    for (std::size_t i = 0; i < left[k]->size() && !exact; ++i) {
      slack = std::max(slack, std::abs(left[k]->get(i)));
    }
    slack *= 32 * precision_of(left[k]->dtype()).unit;
    for (std::size_t i = 0; i < left[k]->size(); ++i) {
      const double l = left[k]->get(i), r = right[k]->get(i);
      if (!exact && std::abs(l - r) <= slack) continue;
      if (l == r ? std::signbit(l) == std::signbit(r) : std::isnan(l) && std::isnan(r)) continue;
      difference = fmt::format("result {}, element {}: {:.17g} and {:.17g}", k, i, l, r);
      return false;
    }
  }
  return true;
}

// Kernels for vectors of different length give the same bits, so that a run can be repeated on
// another machine. The base level has no fused multiply-add and may differ.
void isa_agree(const ActivationContext& context, const std::vector<KernelPair>& kernels) {
  for (const KernelPair& wide : kernels) {
    const limen_kernel& a = *wide.backward;
    if (a.isa != kIsaX86V4) continue;
    for (const KernelPair& narrow : kernels) {
      const limen_kernel& b = *narrow.backward;
      if (b.isa != kIsaX86V3 || b.role != a.role || b.dtype != a.dtype || b.reads != a.reads ||
          b.variant != a.variant) {
        continue;
      }
      Tally t = context.tally("isa-agree", "instruction sets", describe(a));
      for (const Size size : {Size{context.op.rows() ? 5u : 1u, 67}, Size{1, 1}}) {
        Call left = drawn_call(context, dtype_of_bit(a.dtype), size.rows, size.n);
        Call right = twin(left, dtype_of_bit(a.dtype));
        left.run(*narrow.forward);
        right.run(*narrow.forward);
        left.run(a);
        right.run(b);
        std::string difference;
        const bool same = same_results(left, right, a.role, difference);
        t.require(same, "results", "x86-64-v3 and x86-64-v4 differ: " + difference);
      }
      context.add(t);
    }
  }
}

// Many threads, each with operands of its own, against what one thread computed. They go
// through the table together, so that all of them are in one kernel at a time.
class Threads {
 public:
  Threads(const ActivationContext& context, const std::vector<KernelPair>& kernels)
      : context_(context),
        kernels_(kernels),
        threads_(static_cast<std::size_t>(context.options.threads)),
        wrong_(threads_ * kernels.size()) {}

  void run() {
    std::barrier<> together(static_cast<std::ptrdiff_t>(threads_));
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < threads_; ++i) {
      threads.emplace_back([&, i] { work(i, together); });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      Tally t = context_.tally("64-threads", fmt::format("{} threads", threads_),
                               describe(*kernels_[k].backward));
      bool same = true;
      for (std::size_t i = 0; i < threads_; ++i) {
        same = same && wrong_[i * kernels_.size() + k].empty();
      }
      // Which thread sees what is chance: it has no place in a report.
      t.require(same, "results", "other threads change the results");
      context_.add(t);
    }
  }

 private:
  const ActivationContext& context_;
  const std::vector<KernelPair>& kernels_;
  std::size_t threads_;
  std::vector<std::string> wrong_;

  void work(std::size_t i, std::barrier<>& together) {
    const Size size = context_.op.rows() ? Size{16, 33} : Size{1, 1024};
    std::map<DType, Call> drawn;
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      const KernelPair& pair = kernels_[k];
      const DType dtype = dtype_of_bit(pair.backward->dtype);
      if (drawn.count(dtype) == 0) {
        drawn.emplace(dtype, drawn_call(context_, dtype, size.rows, size.n, {.base = i}, i));
      }
      Call call = twin(drawn.at(dtype), dtype);
      Call expected = twin(call, dtype);
      const auto both = [&pair](Call& at) {
        at.run(*pair.forward);
        if (pair.backward != pair.forward) at.run(*pair.backward);
      };
      // First without a call that one thread made alone: what is set up by the first use must be
      // whole before others find it.
      Call first = twin(call, dtype);
      together.arrive_and_wait();
      both(first);
      together.arrive_and_wait();
      {
        const std::lock_guard guard(alone_);
        both(expected);
      }
      same_results(first, expected, pair.backward->role, wrong_[i * kernels_.size() + k]);
      together.arrive_and_wait();
      for (int round = 0; round < 8; ++round) {
        both(call);
        same_results(call, expected, pair.backward->role, wrong_[i * kernels_.size() + k]);
      }
      together.arrive_and_wait();
    }
  }

  std::mutex alone_;
};

// The same without luck: a kernel that is interrupted by itself.
void reentry(const ActivationContext& context, const KernelPair& pair) {
  const limen_kernel& kernel = *pair.backward;
  Tally t = context.tally("64-threads", "interrupted by itself", describe(kernel));
  const Size size = context.op.rows() ? Size{32, 33} : Size{1, 2048};
  const DType dtype = dtype_of_bit(kernel.dtype);
  Call mine = drawn_call(context, dtype, size.rows, size.n, {}, 1);
  Call expected = twin(mine, dtype);
  Call other = drawn_call(context, dtype, size.rows, size.n, {.base = 77}, 2);
  for (Call* call : {&mine, &expected, &other}) {
    call->run(*pair.forward);
    call->run(kernel);
  }
  std::string difference;
  run_interrupted([&] { mine.run(kernel); }, [&] { other.run(kernel); },
                  [&] { same_results(mine, expected, kernel.role, difference); });
  t.require(difference.empty(), "results",
            "a call that another call interrupts gives other results");
  context.add(t);
}

// Of each kind of kernel the widest: they come from one source.
std::vector<KernelPair> widest(const std::vector<KernelPair>& kernels) {
  std::vector<KernelPair> result;
  for (const KernelPair& pair : kernels) {
    const limen_kernel& k = *pair.backward;
    const bool wider = std::any_of(kernels.begin(), kernels.end(), [&](const KernelPair& other) {
      const limen_kernel& o = *other.backward;
      return o.isa > k.isa && o.role == k.role && o.dtype == k.dtype && o.reads == k.reads &&
             o.variant == k.variant;
    });
    if (!wider) result.push_back(pair);
  }
  return result;
}

void floating_point(const ActivationContext& context, const KernelPair& pair) {
  Tally t = context.tally("fp-environment", "floating-point environment", describe(*pair.backward));
  Call call = drawn_call(context, dtype_of_bit(pair.backward->dtype), 1, 67);
  if (pair.backward != pair.forward) call.run(*pair.forward);
  restore_fp_environment(kDefaultFpEnvironment);  // an earlier call may have changed it
  const std::uint64_t before = fp_environment();
  call.run(*pair.backward);
  const std::uint64_t after = fp_environment();
  restore_fp_environment(before);
  t.require(before == after, "control words", before == after ? "" : fp_change(before, after));
  context.add(t);
}

void error_number(const ActivationContext& context, const KernelPair& pair) {
  Tally t = context.tally("errno", "errno", describe(*pair.backward));
  Call call = drawn_call(context, dtype_of_bit(pair.backward->dtype), 1, 67);
  if (pair.backward != pair.forward) call.run(*pair.forward);
  errno = 12345;
  call.run(*pair.backward);
  const int after = errno;
  t.require(after == 12345, "errno", fmt::format("the kernel set errno to {}", after));
  context.add(t);
}

// How long one call takes with all x equal to `x`: the best of a few.
double seconds(const ActivationContext& context, const limen_kernel& kernel, double x) {
  Call call(context.op, dtype_of_bit(kernel.dtype), context.op.rows() ? 8 : 1,
            context.op.rows() ? 64 : 512);
  for (Operand& operand : call.x) operand.fill(x);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 7; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    for (int k = 0; k < 4; ++k) call.run(kernel);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count());
  }
  return best;
}

void subnormal_speed(const ActivationContext& context, const limen_kernel& kernel) {
  Tally t = context.tally("denormal-speed", "speed on subnormal numbers", describe(kernel));
  const double ordinary = seconds(context, kernel, 0.7);
  const double slow =
      seconds(context, kernel, 1000 * precision_of(dtype_of_bit(kernel.dtype)).denormal);
  t.require(slow <= 8 * ordinary, "time",
            fmt::format("{:.1f} times as long as on ordinary numbers", slow / ordinary));
  context.add(t);
}

void infinities(const ActivationContext& context, const limen_kernel& kernel) {
  Tally t = context.tally("inf-limits", "limits at infinity", describe(kernel));
  for (const double x : {-INFINITY, INFINITY}) {
    if (context.has(LIMEN_FACT_DOMAIN)) continue;
    Call call = drawn_call(context, dtype_of_bit(kernel.dtype), 1, context.op.rows() ? 3 : 1);
    for (Operand& operand : call.x) operand.set(0, x);
    call.run(kernel);
    const double y = call.y[0].get(0);
    t.require(!std::isnan(y), "y", fmt::format("f({}) is NaN, not a limit", x));
  }
  context.add(t);
}

}  // namespace

void check_memory(const ActivationContext& context) {
  const std::vector<KernelPair> kernels = all_kernels(context);
  if (!kernels.empty() && context.wants("64-threads")) {  // before anything else has used them
    const std::vector<KernelPair> some = widest(kernels);
    Threads(context, some).run();
    for (const KernelPair& pair : some) reentry(context, pair);
  }
  if (!kernels.empty() && context.wants("canary")) canary(context, kernels);
  if (context.wants("isa-agree")) isa_agree(context, kernels);
}

void check_environment(const ActivationContext& context) {
  for (const KernelPair& pair : all_kernels(context)) {
    if (context.wants("fp-environment")) floating_point(context, pair);
    if (context.wants("errno")) error_number(context, pair);
    if (pair.backward->role != LIMEN_FORWARD) continue;
    if (context.op.op().arity == 1 && context.wants("inf-limits"))
      infinities(context, *pair.backward);
    if (context.wants("denormal-speed")) subnormal_speed(context, *pair.backward);
  }
}

}  // namespace limen::check
