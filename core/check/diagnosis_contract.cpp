// What a broken promise about calls and memory means, and what to do about it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <limen/gradient_check.hpp>

#include "check/diagnosis.hpp"

namespace limen::check {
namespace {

struct Advice {
  std::string_view test, note;  // the test, and a part of what it says of its first failure
  const char* mistake;
};

constexpr const char* kSlots =
    "dw[p] holds doubles (for f32, too): one, the sum over all elements, where one value is for "
    "all "
    "(w_step 0), and where each element has a value of its own (w_step 1) one for each, not all in "
    "one slot";

constexpr Advice kAdvice[] = {
    {"deterministic", "its input",
     "backward writes to one of its inputs, which others still read: write to dx only"},
    {"deterministic", "second backward",
     "backward changes what it starts from (the state or mask that forward saved, or memory of its "
     "own), so the same call gives another gradient the second time. Read the saved numbers, and "
     "put the product with dy into dx only"},
    {"deterministic", "saved",
     "backward overwrites the state that forward saved, so a second backward starts from other "
     "numbers: treat it as read-only"},
    {"deterministic", "on other numbers",
     "backward starts from numbers that forward left in a static variable, in its instance or in a "
     "generator, where the next forward overwrites them: compute them again, or save them in the "
     "call's state"},
    {"deterministic", "another instance",
     "what create() makes is used through a global or static variable, which the next create() "
     "overwrites: take it from the tile's `instance`"},
    {"deterministic", "second forward",
     "forward depends on earlier calls: a counter, a running statistic or a generator that is kept "
     "between calls"},
    {"deterministic", "state_bits",
     "state holds state_bits bits for each element, of f32 and f64 alike: (n * state_bits + 7) / 8 "
     "bytes in all"},
    {"deterministic", "`hyper`",
     "create() keeps the pointer that it got as `hyper`: copy the numbers, or read the tile's"},
    {"overwrites", "scratch",
     "forward leaves numbers in scratch for backward, but scratch is private to a call: use state, "
     "or compute them again"},
    {"overwrites", "of the state",
     "forward must write all of the state that backward reads, in evaluation (LIMEN_TILE_EVAL), "
     "too"},
    {"overwrites", "",
     "the result depends on what was in memory before: an element that is not written, or added to "
     "instead of assigned, or scratch memory that is read before it is written"},
    {"upstream-linear", "linear in",
     "second order must be linear in dy and in gx, forward mode in tx, whatever their signs: each "
     "is a factor, with no absolute value and no comparison"},
    {"reads-honest", "reads x", "backward reads x: say so with LIMEN_X in `reads`"},
    {"reads-honest", "reads y", "backward reads y: say so with LIMEN_Y in `reads`"},
    {"accumulate", "gy",
     "gy is written without looking at LIMEN_TILE_ACCUMULATE, which is about dx alone"},
    {"accumulate", "in evaluation",
     "evaluation is not looked at where LIMEN_TILE_ACCUMULATE is set, or the other way round: test "
     "each flag by itself"},
    {"accumulate", "saved",
     "backward uses the state as scratch memory, but others read it, too: treat it as read-only"},
    {"accumulate", "", "with LIMEN_TILE_ACCUMULATE it must add to dx: several nodes share it"},
    {"in-place", "one tensor",
     "inputs in the same memory are treated in a way of their own: each gradient belongs to one "
     "input, and the engine adds them up"},
    {"in-place", "",
     "an element is read after the one that shares its memory was written: read first, or do not "
     "set this alias bit"},
    {"null-outputs", "is NULL",
     "a null pointer in dx, gy, ty or y says that this result is not wanted, one in gx stands for "
     "zeros: test each pointer before it is used, as in `if (dx != NULL)`"},
    {"null-outputs", "the other results",
     "a result must not depend on which others are wanted: do not return early, and do not keep "
     "numbers in the memory of another result"},
    {"null-outputs", "",
     "the gradients of the inputs must not depend on each other's being wanted"},
    {"unaligned", "lie apart",
     "an axis is taken to be contiguous: element (i, j) is at i * strides[0] + j * strides[1], of "
     "the very tensor that is read or written"},
    {"unaligned", "", "it computes other numbers off a 64-byte boundary: use unaligned loads"},
    {"tiles-ragged", "row_stride",
     "rows begin row_stride elements apart, which may be more than the n elements of a row: row r "
     "of each operand is at r * row_stride"},
    {"tiles-ragged", "with LIMEN_TILE_ACCUMULATE",
     "the loop for long tiles does not do for LIMEN_TILE_ACCUMULATE what it does without"},
    {"tiles-ragged", "with base",
     "the index of an element is kept in 32 bits, or looked at by an op that draws nothing: count "
     "from 0 to n within the tile; base is for draws, and has 64 bits"},
    {"tiles-ragged", "alone",
     "a tile of numbers of one sign takes a way of its own (is it skipped as dead?), and a wrong "
     "one"},
    {"tiles-ragged", "",
     "an element's result depends on its neighbours or on where its tile begins (the row before, "
     "the tail of a vector loop, a stride that is taken for the length): each element, or row, "
     "must "
     "be computed from its own numbers"},
    {"canary", "may only read", "it writes to an operand that is an input of this kernel"},
    {"canary", "past the end",
     "a loop runs one step too far, or the tail is loaded as a whole vector: stop at n"},
    {"canary", "before the beginning",
     "an index is below 0: it looks at the element before the first"},
    {"canary", "none of its operands",
     "it follows a pointer that was not given to it (perhaps null: check for it), an index that is "
     "far outside, or loads a whole vector from an address that is not a multiple of its size"},
    {"64-threads", "main thread",
     "what create() or the first call leaves in thread_local memory is not there in other threads, "
     "and kernels run in any thread: keep it in the instance"},
    {"64-threads", "",
     "calls share memory, as a static or global variable or table: keep all of it on the stack or "
     "in the scratch memory of the call"},
    {"fp-environment", "",
     "the processor's modes belong to the whole program: restore them before returning, and build "
     "without -ffast-math"},
    {"nan-in", "NaN or infinite",
     "numbers of other elements get into the result, multiplied by 0 perhaps, which NaN and "
     "infinity survive: each element must be computed from its own numbers"},
    {"nan-in", "upstream", "a NaN upstream is lost: multiply by it where the slope is not 0"},
    {"nan-in", "is declared",
     "the fact is not true of this op: leave it out, or let forward give a number for NaN"},
    {"kink-slope", "declared as", "the kink's `kind` in limen_facts.kinks is the other one"},
    {"nan-in", "", "NaN is lost in a comparison, as in `x > 0 ? x : 0`: let it through"},
    {"stochastic-counter", "same seed",
     "numbers are drawn from a generator outside of (seed, base + i)"},
    {"stochastic-counter", "tile begins",
     "draw from the seed and base + i, not from the place in the tile"},
    {"stochastic-counter", "LIMEN_TILE_EVAL",
     "LIMEN_TILE_EVAL turns draws off, and an op without LIMEN_OP_STOCHASTIC has none: its "
     "results, "
     "gradients too, must be the same with this flag"},
    {"stochastic-counter", "evaluation", "with LIMEN_TILE_EVAL nothing may be drawn"},
    {"stochastic-counter", "apart",
     "the upper bits of the index are lost: base + i has 64 bits, mix all of them"},
    {"stochastic-counter", "another seed", "the seed is ignored: mix it into each draw"},
    {"stochastic-counter", "all elements", "the index is ignored: mix base + i into each draw"},
    {"jvp-vjp-adjoint", "the forward kernel",
     "forward mode writes y, too, where it is asked for: what the forward kernel writes"},
    {"jvp-vjp-adjoint", "", "forward mode is not the product of the same Jacobian as backward's"},
    {"param-gradient", "held",
     "dw is overwritten or read in another way than by adding: always `*dw += sum`"},
    {"param-gradient", "equal terms",
     "the sum over the tile is kept in float, or not all elements are in it: sum in double"},
    {"param-gradient", "w instead of hyper",
     "the numbers in `w` are not what is computed with: w[p] holds numbers of the tile's type "
     "(float in f32 kernels), one for all elements where w_step[p] is 0"},
    {"param-gradient", "one value per element", kSlots},
    {"param-gradient", "never hyper[p]", kSlots},
    {"kinks-declared", "list of kinks",
     "the op's list of kinks has no entry for this x: one stands for `at`, plus `scale` times the "
     "parameter number `param` (counted from 0; -1: none)"},
    {"kink-slope", "the op declares",
     "backward and the op's list of kinks say different things about this x: look at the place "
     "(`at` plus `scale` times the parameter number `param`) and the `slope` of that entry, and at "
     "the branch that backward takes at the corner itself"},
    {"deterministic", "outside its operands",
     "a kernel writes past an end of what it was given: a loop runs too far, or `state` is smaller "
     "than what it keeps there (state_bits of each element)"},
};

// Where these fail, numbers mean nothing: the first of them is the cause of the rest.
constexpr std::string_view kCauses[] = {"canary", "fp-environment", "deterministic", "overwrites"};

bool last_bits_only(const CheckResult& result) {
  const double few = result.dtype() == "f32" ? 0x1p-22 : 0x1p-51;
  return std::all_of(result.failures.begin(), result.failures.end(), [few](const auto& failure) {
    return failure.kind == "value" &&
           std::abs(failure.got - failure.expected) <= few * std::abs(failure.expected);
  });
}

}  // namespace

std::string contract_mistake(const CheckResult& result) {
  if (result.failures.empty()) return {};
  const CheckFailure& first = result.failures.front();
  if (result.test == "param-gradient" && std::isnan(first.got) && !std::isnan(first.expected) &&
      result.check != "gradient of a parameter") {
    return kReadFromHyper;
  }
  if ((result.test == "tiles-ragged" || result.test == "unaligned") && last_bits_only(result)) {
    return "only the last bits differ: the compiler makes whole vectors in another way than what "
           "is left of a tile (a fused multiply-add; pow(x, 0.5) as a square root). Write what is "
           "meant, as sqrt(x), and build with -ffp-contract=off and without -ffast-math";
  }
  for (const Advice& advice : kAdvice) {
    if (result.test != advice.test) continue;
    if (first.note.find(advice.note) != std::string::npos) return advice.mistake;
  }
  return {};
}

}  // namespace limen::check

namespace limen {

void blame_causes(CheckReport& report) {
  std::map<std::string, const CheckResult*> causes;  // by op
  for (const std::string_view test : check::kCauses) {
    for (const CheckResult& c : report.checks) {
      if (c.test == test && c.verdict == Verdict::fail) causes.try_emplace(c.op, &c);
    }
  }
  for (CheckResult& c : report.checks) {
    const auto cause = causes.find(c.op);
    if (cause == causes.end() || c.verdict != Verdict::fail) continue;
    // A death has a reason of its own, and so have the causes among themselves.
    if (c.subject.empty() || c.test == cause->second->test || c.test == "reads-honest") continue;
    c.likely =
        fmt::format("perhaps only a consequence of what {} found, see there", cause->second->test);
  }
}

}  // namespace limen
