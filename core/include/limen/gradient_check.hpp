// Gradient checks: is a backward function the derivative of its forward function? A verdict carries
// its own error bound; there is no eps, atol or rtol to choose. core/check/README.md says how.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <limen/plugin.h>
#include <limen/graph.hpp>
#include <limen/tensor.hpp>

namespace limen {

class PluginRegistry;  // limen/plugin_registry.hpp

// `undecidable`: the numbers allow neither answer at the resolution that a pass needs.
enum class Verdict : std::uint8_t { pass, undecidable, fail };
std::string_view name_of(Verdict verdict);  // "pass", "undecidable", "fail"

// One place where a gradient is wrong.
struct CheckFailure {
  std::string tensor;        // "dx", "dense1.bias", "jacobian[2, 0] of row 3"
  std::int64_t element = 0;  // flat index in that tensor
  std::int64_t elements = 1;
  double x = 0;         // the value of the input element
  double upstream = 1;  // the cotangent of the output
  double expected = 0;  // +- bound
  double bound = 0;
  double got = 0;
  std::string note;  // how `expected` was found, what kind of point this is
  // "smooth", "kink", "jump": measured by differences, with the slopes on both sides, the step, the
  // noise of the function and how often it was called. "value": compared with another value.
  // "property": of the whole; the numbers have no meaning.
  std::string kind = "value";
  double left = 0, right = 0, step = 0, noise = 0;
  std::int64_t evaluations = 0;
  std::string point{};  // its place in the check, for CheckOptions::wants_point
  std::string repro{};  // a command that looks at this point alone; filled in by who has one
};

// How bad a failure is: inexact is within 1e-3 of the size that gradients have around the point.
enum class Severity : std::uint8_t { none, inexact, wrong };
std::string_view name_of(Severity severity);  // "none", "inexact", "wrong"

// One check of one op, tensor or kernel.
struct CheckResult {
  std::string op;       // "leaky_relu", "op:matmul", or the name of a parameter or step of a model
  std::string test;     // its stable name in `limen plugin check`, "derivative-fd"; else empty
  std::string check;    // "pointwise derivative", "upstream linearity", "direction", ...
  std::string subject;  // which kernel or order: "f64 backward, x86-64-v4, reads x"
  Verdict verdict = Verdict::pass;
  Severity severity = Severity::none;
  std::int64_t passed = 0, failed = 0, undecided = 0;  // points
  double bound_median = 0, bound_max = 0;              // among the points that passed
  std::int64_t evaluations = 0;                        // of the function, for differences
  // The first points that failed, or could not be decided if that is the verdict; at most
  // CheckOptions::max_failures.
  std::vector<CheckFailure> failures;
  std::string where;   // of a failure: which points fail and which do not
  std::string likely;  // of a failure: a guess at the mistake, or empty

  std::int64_t points() const { return passed + failed + undecided; }
  std::string dtype() const;  // "f64", "f32", or empty: what the subject begins with
  // "leaky_relu/derivative-fd/f64-backward-base-reads-x/pointwise-derivative": what
  // `limen gradcheck --case` takes, with "/" and the point of a failure behind it.
  std::string id() const;
};

struct CheckReport {
  std::string subject;                             // what was checked
  std::string plugin, sha256, abi;                 // of a library: its file, what is in it, "1.0"
  std::map<std::string, std::string> environment;  // cpu, compiler, ...: what bits may depend on
  std::uint64_t seed = 0;
  Verdict verdict = Verdict::pass;  // the worst of the checks; undecidable if there are none
  std::vector<CheckResult> checks;
  std::vector<std::string> notes;  // what was left out and why

  void add(CheckResult result);  // keeps `verdict` up to date
  void merge(CheckReport other);
};

struct CheckOptions {
  std::uint64_t seed = 0;        // same seed, same machine: the same report, byte for byte
  int points = 160;              // random points per kernel, besides the special ones
  std::size_t max_failures = 4;  // stored per check; all are counted
  int threads = 64;              // that call a kernel at a time, in the test of threads
  std::uint32_t isa = 0;         // highest LIMEN_ISA_* whose kernels run; 0: the machine's
  int part = -1;                 // of check_activation(), below kCheckParts; -1: all of it
  // Another op of the same library that has not run yet, if any: it must not disturb this one.
  const limen_op* peer = nullptr;
  // Called before each test of an op begins, with its stable name; false leaves the test out. What
  // crashes or hangs afterwards belongs to it.
  std::function<bool(std::string_view test, std::string_view op)> begin;
  std::function<void(const CheckResult&)> done;  // called with each result as it is known
  // Called with CheckResult::id() + "/" + CheckFailure::point: false leaves the point out. Where it
  // is given, points that pass are stored like failures.
  std::function<bool(std::string_view id)> wants_point;
};

// For each of the sets of parameters of an op, at most three, first order and the rest.
inline constexpr int kCheckParts = 6;

// One op of a plugin: every kernel in its table that this machine can run, at the default
// parameters and at others from their ranges. Runs plugin code in this process. Needs no registry:
// `op` may come from any loaded library. Throws Error E05xx if the op's create() refuses the
// parameters.
CheckReport check_activation(const limen_op& op, const CheckOptions& options = {});
// What needs no derivative: golden values, guard pages around every operand, threads, equal bits on
// every instruction set, the floating-point environment, declared facts. Handles SIGSEGV meanwhile.
CheckReport check_kernels(const limen_op& op, const CheckOptions& options = {});

struct ExhaustiveOptions : CheckOptions {
  std::uint32_t first = 0, last = 0xffffffff;  // the bits of the numbers to be looked at
  int threads = 0;                             // 0: as many as there are cores
  std::function<void(double)> progress;        // gets the part that is done; from any thread
};
// Why check_exhaustive() cannot look at an op: "takes 2 inputs"; empty: it can.
std::string obstacle_to_exhaustive(const limen_op& op);
// Every float there is, through each f32 forward and backward kernel of an element-wise op of one
// input, at the default parameters, against the f64 kernels, which check_activation() has checked.
// Throws Error of usage if there is an obstacle.
CheckReport check_exhaustive(const limen_op& op, const ExhaustiveOptions& options = {});

// check_activation() for all ops of a plugin.
CheckReport check_plugin(const limen_plugin& plugin, const CheckOptions& options = {});

// The core ops that check_op() knows, sorted: every differentiable one.
std::vector<std::string> checkable_ops();
// A core op ("matmul", "softmax_cross_entropy", ...), first and second order in f64, or an
// activation of the registry by name or alias. Throws Error (usage, with did-you-mean) for other
// names.
CheckReport check_op(std::string_view name, PluginRegistry& registry,
                     const CheckOptions& options = {});

struct GraphCheckOptions : CheckOptions {
  std::string op;             // prefixes the names in the report ("op:matmul"); may be empty
  std::string loss = "loss";  // the output to differentiate
  // Values of inputs and parameters by name; what is missing is drawn: float parameters and inputs
  // at random, labels below the number of classes, other integers small. f32 values are widened.
  std::map<std::string, Tensor> values;
  // What the outputs are weighted with where there is no loss, by their names; in f64. What is
  // missing is drawn.
  std::map<std::string, Tensor> cotangents;
  std::vector<std::string> skip;  // inputs and parameters whose gradient is not checked
  int directions = 2;             // random directions per tensor; more for fewer misses
  std::int64_t small = 64;        // up to so many elements, a tensor is checked one by one
  bool local = true;  // check each scope (model step) alone, too, which names the wrong one
};

// A whole graph (of a model, an op, anything), in f64: for every parameter and every float input
// that the loss depends on, the gradient that differentiate() makes against differences of the
// compiled forward. The output `options.loss` must be a scalar of a float type; without an output
// of that name the checked function is the sum of all float outputs, each element with a random
// weight. Integer inputs are held fixed, so is dropout (by its counter). Throws Error E0405 for
// unknown names and what building, differentiating and compiling throw.
CheckReport check_graph(const Graph& forward, const GraphCheckOptions& options = {});

// Where an op breaks a promise that its numbers rest on (memory, repeatability), the guesses of its
// other failed checks say so. For a report that is complete.
void blame_causes(CheckReport& report);

// {"limen":1,"kind":"gradcheck",...,"verdict":"pass","checks":[{"op":..,"check":..,"verdict":..,...}]}
// and a newline. Holds no times: equal seeds give equal bytes on one machine.
std::string to_json(const CheckReport& report);

// For people: one line per failed or undecided check with its first failures in detail, then a
// summary line. `verbose` lists the passed checks too.
std::string to_text(const CheckReport& report, bool verbose = false);

}  // namespace limen
