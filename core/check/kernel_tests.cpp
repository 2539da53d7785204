// What plugins promise about memory, threads and the floating-point environment.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
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
  for (Operands* operands : call.tensors()) {
    for (Operand& operand : *operands) {
      if (std::find(results.begin(), results.end(), &operand) == results.end()) {
        operand.protect(read_only);
      }
    }
  }
}

// Kernels of one type and role, on operands with pages that cannot be touched behind or before them
// and inputs that cannot be written.
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
  // To map pages is what costs: calls of one type share them.
  const std::vector<Size> sizes = sizes_of(context);
  const Size most = sizes.back();
  std::map<std::uint32_t, Call> calls;
  for (const Size size : sizes) {
    const Call numbers = drawn_call(context, DType::f64, size.rows, size.n);
    for (auto& [dtype, roles] : kinds) {
      Call& call = calls
                       .try_emplace(dtype, context.op, dtype_of_bit(dtype), most.rows, most.n,
                                    CallSettings{.fence = Fence::page_behind})
                       .first->second;
      for (const Fence fence : {Fence::page_behind, Fence::page_before}) {
        call.place(size.rows, size.n, fence);
        take_inputs(call, numbers);
        for (auto& [role, kind] : roles) canary(kind.kernels, kind.tallies, call);
      }
    }
  }
  for (Tally& t : tallies) context.add(t);
}

// Another call on the same numbers.
Call twin(const Call& call, DType dtype) {
  Call other(call.op, dtype, call.rows, call.n, call.settings);
  take_inputs(other, call);
  return other;
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
    check_threads(context, kernels);
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
