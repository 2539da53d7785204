// The parts of check_activation(): each adds its checks of one op case to a report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <limen/gradient_check.hpp>

#include "check/judge.hpp"
#include "check/kernel_call.hpp"
#include "check/random.hpp"

namespace limen {
struct FormulaNames;  // plugin/formula.hpp
}

namespace limen::check {

inline constexpr const char* kOtherSettings = "other parameter values";

struct ActivationContext {
  const OpCase& op;
  const CheckOptions& options;
  std::uint32_t isa = 0;  // the highest level that runs
  CheckReport& report;
  bool first = true;           // of several sets of parameters; the others get fewer points
  bool brief = false;          // a set that gets a few points only
  const Row* other = nullptr;  // another set, if there are several

  Tally tally(std::string_view test, std::string check, std::string subject) const {
    return {op.label(), std::move(check), std::move(subject), options, test};
  }
  void add(Tally& tally) const {
    if (tally.any()) add(tally.finish());
  }
  void add(CheckResult result) const {
    if (options.done) options.done(result);
    report.add(std::move(result));
  }
  // Adds what failed, or all where points are chosen; returns how many points passed.
  std::int64_t add_if_failed(Tally& tally) const {
    const std::int64_t passed = tally.passes();
    if (tally.failed() || options.wants_point) add(tally);
    return passed;
  }
  bool has(std::uint32_t fact) const {
    return op.op().facts != nullptr && (op.op().facts->flags & fact) != 0;
  }
  void note(std::string_view text) const;               // about the op, once
  void no_forward(const limen_kernel& backward) const;  // adds a note
  double accuracy() const { return op.op().facts == nullptr ? 0 : op.op().facts->accuracy; }
  bool surrogate() const { return (op.op().flags & LIMEN_OP_SURROGATE) != 0; }
  bool defined_at(double x) const {
    return !has(LIMEN_FACT_DOMAIN) || (x > op.op().facts->x_min && x < op.op().facts->x_max);
  }
  // x if the op is defined there, else a number that it is defined for.
  double inside(double x, Random& random) const;
  // Whether the test is wanted; said before it begins, so that a crash can be told to belong to it.
  bool wants(std::string_view test) const {
    return !options.begin || options.begin(test, op.op().name);
  }
};

// Linearity in the upstream, repeatability, poison, honesty of `reads`, ACCUMULATE, in-place, guard
// bytes, independence of neighbours: bit for bit, no derivative needed. Map and row kernels.
// False if a second call gave other results.
bool check_contract(const ActivationContext& context, const limen_kernel& forward,
                    const limen_kernel& backward);

// Element-wise functions.
void check_map(const ActivationContext& context);  // first order
void check_more_of_map(const ActivationContext& context);
// Every f32 kernel of one input on every float.
void check_all_floats(const ActivationContext& context, const ExhaustiveOptions& options);
// Element-wise functions of several inputs: where these are equal, or all far out.
void check_joint(const ActivationContext& context);
// Forward kernels against each other, JVP and BACKWARD2 kernels against the backward kernels.
void check_map_variants(const ActivationContext& context);
// JVP and BACKWARD2 kernels: what check_contract() asks of backward kernels.
void check_orders_contract(const ActivationContext& context);
// Functions of rows: the whole Jacobian.
void check_rows(const ActivationContext& context);  // first order
void check_more_of_rows(const ActivationContext& context);
void check_row_variants(const ActivationContext& context);
void check_row_lengths(const ActivationContext& context);  // every order
// Functions of whole tensors: infer() and execute().
void check_general(const ActivationContext& context);
void check_general_threads(const ActivationContext& context);
// Gradients of learned parameters.
void check_params(const ActivationContext& context);
// Parameters that differ from element to element.
void check_param_steps(const ActivationContext& context);
// Draws: of the seed, of the index, none in evaluation.
void check_stochastic(const ActivationContext& context);
// Elements of a stochastic op of single elements whose gradients are most unlike f, if any are.
std::vector<std::uint64_t> doubtful_draws(const ActivationContext& context);

// A legal value of a parameter, away from the ends of its range.
double draw(const limen_param& p, Random& random);
bool is_legal(const limen_param& p, double value);  // within its range
// A brief look at values of the parameters beside the sets `done`: ends of ranges, every choice.
void check_settings(const limen_op& op, const CheckOptions& options, std::uint32_t isa,
                    const std::vector<Row>& done, CheckReport& report);
// Settings of all parameters together, a few, at which a glance finds that the gradient of a kernel
// of this type is not the slope of f. A first suspicion.
struct DoubtfulSetting {
  Row hyper;
  std::uint32_t dtype;
};
std::vector<DoubtfulSetting> doubtful_settings(const ActivationContext& context);
// What belongs to learned parameters; returns how many points passed.
std::int64_t check_params_briefly(const ActivationContext& context);

// Whether the op's own check takes these parameters.
bool accepts(const limen_op& op, const Row& hyper);

// An f64 (else f32) pair of kernels that others are held against; one that reads x if there is one,
// because y has lost digits where a function saturates. Null pointers if none runs.
struct KernelPair {
  const limen_kernel* forward = nullptr;
  const limen_kernel* backward = nullptr;
};
KernelPair reference_pair(const ActivationContext& context);

// Every kernel that runs here with the forward kernel that goes before it (for a forward kernel,
// itself), in the order of the table.
std::vector<KernelPair> all_kernels(const ActivationContext& context);

// Of the kernels that differ in nothing but their instruction set the first.
std::vector<const limen_kernel*> different_kernels(const ActivationContext& context,
                                                   std::uint32_t role, std::uint32_t dtype);

// A call with all inputs drawn, before any kernel ran.
Call drawn_call(const ActivationContext& context, DType dtype, std::size_t rows, std::size_t n,
                const CallSettings& settings = {}, std::uint64_t stream = 0);
// The first numbers of the inputs of another call, of which there are enough, or those behind the
// first `turn`: to draw them again would cost more.
void take_inputs(Call& call, const Call& from, std::size_t turn = 0);
// Puts numbers far out, of both signs, in place of some that were drawn: where what the kernels
// make of them is no hundred times as large as of the others.
void go_far(const ActivationContext& context, const KernelPair& pair, Call& call);
// Whether element i of n may lie in one vector with a number far out, wherever the vector begins:
// code may take another way then, and round otherwise.
bool beside_far(std::size_t i, std::size_t n);
// What a kernel of this role writes.
std::vector<Operand*> results_of(Call& call, std::uint32_t role);

// Bit for bit, up to rounding in an op that says its sums are not.
bool same_results(Call& a, Call& b, std::uint32_t role, std::string& difference);

// The parts of check_kernels().
void check_memory(const ActivationContext& context);
void check_threads(const ActivationContext& context, const std::vector<KernelPair>& kernels);
void check_environment(const ActivationContext& context);
void check_resources(const ActivationContext& context);
void check_golden(const ActivationContext& context);
// Kernels of another op of the library run between a forward and its backward.
void check_beside(const ActivationContext& mine, const ActivationContext& other);
void check_facts(const ActivationContext& context);
void check_formula(const ActivationContext& context);

// The parameters and choices of an op, for its formulas.
FormulaNames names_of(const limen_op& op);
// Backward kernels of a declared surrogate against the formula that it names.
void check_surrogate(const ActivationContext& context);

}  // namespace limen::check
