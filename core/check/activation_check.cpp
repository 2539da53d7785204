#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <limen/error.hpp>
#include <limen/gradient_check.hpp>

#include "base/isa.hpp"
#include "check/activation.hpp"
#include "check/random.hpp"

namespace limen {

using check::ActivationContext;
using check::KernelPair;
using check::OpCase;
using check::Random;

double check::draw(const limen_param& p, Random& random) {
  const double low = std::isfinite(p.min) ? p.min : std::min(p.def, 0.0) - 2;
  const double high = std::isfinite(p.max) ? p.max : std::max(p.def, 0.0) + 2;
  switch (p.type) {
    case LIMEN_P_BOOL:
      return static_cast<double>(random.below(2));
    case LIMEN_P_CHOICE:
      return static_cast<double>(random.below(p.n_choices));
    case LIMEN_P_INT:
      return std::floor(random.uniform(std::ceil(low), std::min(high, std::ceil(low) + 7) + 1));
    default:
      break;
  }
  if ((p.flags & LIMEN_PF_LOG) != 0 && low > 0) {
    return std::exp(random.uniform(std::log(low), std::log(high)));
  }
  return low + (high - low) * random.uniform(0.05, 0.95);
}

bool check::accepts(const limen_op& op, const Row& hyper) {
  if (op.check == nullptr) return true;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, static_cast<std::uint32_t>(text.size()),
                    text.data()};
  return op.check(hyper.data(), &error) == LIMEN_OK;
}

namespace {

// The default parameters and, if there are any, two other sets.
std::vector<std::vector<double>> parameter_sets(const limen_op& op, const CheckOptions& options) {
  std::vector<std::vector<double>> sets;
  Random random(options.seed, "parameters", op.name);
  bool has_default = true;
  std::vector<double> defaults;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
    if ((param.flags & LIMEN_PF_REQUIRED) != 0) has_default = false;
    defaults.push_back(param.def);
  }
  if (has_default && check::accepts(op, defaults)) sets.push_back(defaults);
  for (int tries = 0; op.n_params > 0 && tries < 50 && sets.size() < kCheckParts / 2; ++tries) {
    std::vector<double> hyper;
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      hyper.push_back(check::draw(*LIMEN_AT(limen_param, op.params, p), random));
    }
    const bool known = std::find(sets.begin(), sets.end(), hyper) != sets.end();
    if (!known && check::accepts(op, hyper)) sets.push_back(std::move(hyper));
  }
  return sets;
}

void note_gaps(const limen_op& op, CheckReport& report) {
  if (const double accuracy = op.facts != nullptr ? op.facts->accuracy : 0; accuracy >= 1e-2) {
    report.notes.push_back(
        fmt::format("{}: accuracy is declared as {:g} of the size of gradients: errors up to "
                    "that{} stay unseen",
                    op.name, accuracy, accuracy >= 1 ? ", such as a wrong sign," : ""));
  }
  if (op.n_kernels > 0 && (op.dtypes & LIMEN_F64) == 0) {
    report.notes.push_back(fmt::format(
        "{}: it has no f64 kernels, so errors below 1e-3 of the gradient's size stay unseen",
        op.name));
  }
}

}  // namespace

double check::ActivationContext::inside(double x, Random& random) const {
  if (defined_at(x)) return x;
  const limen_facts* facts = op.op().facts;
  const double low = std::max(facts->x_min, -4.0), high = std::min(facts->x_max, 4.0);
  return low <= high ? random.uniform(low, high) : facts->x_min;
}

void check::ActivationContext::note(std::string_view text) const {
  std::string whole = fmt::format("{}: {}", op.op().name, text);
  auto& notes = report.notes;
  if (std::find(notes.begin(), notes.end(), whole) == notes.end())
    notes.push_back(std::move(whole));
}

void check::ActivationContext::no_forward(const limen_kernel& backward) const {
  note(fmt::format("{} has no forward kernel to go with it; not checked", describe(backward)));
}

KernelPair check::reference_pair(const ActivationContext& context) {
  KernelPair best;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
      if (forward == nullptr) continue;
      if (best.backward == nullptr) best = {forward, k};
      if (k->reads == LIMEN_X) return {forward, k};
    }
    if (best.backward != nullptr) break;
  }
  return best;
}

std::vector<KernelPair> check::all_kernels(const ActivationContext& context) {
  std::vector<KernelPair> pairs;
  const limen_op& op = context.op.op();
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel* k = LIMEN_AT(limen_kernel, op.kernels, i);
    if (!isa_runs(k->isa, context.isa) || (k->dtype & (LIMEN_F32 | LIMEN_F64)) == 0) continue;
    const limen_kernel* forward = k->role == LIMEN_FORWARD ? k : forward_for(op, *k, context.isa);
    if (forward != nullptr && k->role <= LIMEN_BACKWARD2) pairs.push_back({forward, k});
  }
  return pairs;
}

check::Call check::drawn_call(const ActivationContext& context, DType dtype, std::size_t rows,
                              std::size_t n, const CallSettings& settings, std::uint64_t stream) {
  Call call(context.op, dtype, rows, n, settings);
  Random random(context.options.seed + stream, "operands", context.op.op().name);
  for (Operand& x : call.x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set(i, context.inside(1.5 * random.normal(), random));
    }
  }
  for (Operands* operands : {&call.dy, &call.gx, &call.tx}) {
    for (Operand& operand : *operands) {
      for (std::size_t i = 0; i < operand.size(); ++i) operand.set(i, random.upstream());
    }
  }
  return call;
}

std::vector<check::Operand*> check::results_of(Call& call, std::uint32_t role) {
  std::vector<Operand*> results;
  const auto add = [&](Operands& operands) {
    for (Operand& operand : operands) results.push_back(&operand);
  };
  if (role == LIMEN_FORWARD || role == LIMEN_JVP) add(call.y);
  if (role == LIMEN_BACKWARD || role == LIMEN_BACKWARD2) add(call.dx);
  if (role == LIMEN_BACKWARD) add(call.dw);
  if (role == LIMEN_BACKWARD2) add(call.gy);
  if (role == LIMEN_JVP) add(call.ty);
  return results;
}

namespace {

std::uint32_t isa_of(const CheckOptions& options) {
  return options.isa == 0 ? detect_isa() : std::min(options.isa, detect_isa());
}

// Runs `body` for each set of parameters, or for the one that options.part belongs to.
template <class Body>
CheckReport check_cases(const limen_op& op, const CheckOptions& options, const Body& body) {
  CheckReport report;
  report.subject = op.name;
  report.seed = options.seed;
  report.verdict = Verdict::undecidable;
  if (op.kind != LIMEN_MAP && op.kind != LIMEN_ROWS && op.kind != LIMEN_GENERAL) {
    report.notes.push_back(fmt::format("{}: an unknown kind of op is not checked", op.name));
    return report;
  }
  const std::uint32_t isa = isa_of(options);
  const std::vector<std::vector<double>> sets = parameter_sets(op, options);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (options.part >= 0 && options.part / 2 != static_cast<int>(i)) continue;
    const OpCase which(op, sets[i]);
    body(ActivationContext{which, options, isa, report, i == 0, false,
                           &sets[(i + 1) % sets.size()]});
  }
  return report;
}

}  // namespace

namespace {

void check_beside(const limen_op& op, const CheckOptions& options, CheckReport& report) {
  const auto mine = parameter_sets(op, options), theirs = parameter_sets(*options.peer, options);
  if (mine.empty() || theirs.empty() || op.n_kernels == 0 || options.peer->n_kernels == 0) return;
  const OpCase one(op, mine[0]), other(*options.peer, theirs[0]);
  const std::uint32_t isa = isa_of(options);
  check::check_beside({one, options, isa, report}, {other, options, isa, report});
}

}  // namespace

CheckReport check_activation(const limen_op& op, const CheckOptions& options) {
  const int part = options.part;
  CheckReport report = check_cases(op, options, [part](const ActivationContext& context) {
    const bool general = context.op.op().kind == LIMEN_GENERAL, rows = context.op.rows();
    if (part < 0 || part % 2 == 0) {
      general ? check_general(context) : rows ? check_rows(context) : check_map(context);
      if (!general) check_params(context);
      check_surrogate(context);
    }
    if (general || (part >= 0 && part % 2 == 0)) return;
    rows ? check_more_of_rows(context) : check_more_of_map(context);
    if (context.op.stochastic()) check_stochastic(context);
  });
  if (part < 0 || part + 1 == kCheckParts) {
    check::check_settings(op, options, isa_of(options), parameter_sets(op, options), report);
    if (options.peer != nullptr) check_beside(op, options, report);
  }
  if (part > 0) return report;
  note_gaps(op, report);
  if (report.checks.empty() && report.notes.empty()) {
    report.notes.push_back(fmt::format("{}: no backward kernel runs on this machine", op.name));
  }
  return report;
}

CheckReport check_kernels(const limen_op& op, const CheckOptions& options) {
  return check_cases(op, options, [](const ActivationContext& context) {
    if (context.op.op().kind == LIMEN_GENERAL) {
      if (context.first) check_general_threads(context);
      return;
    }
    if (context.first) {
      check_memory(context);
      check_golden(context);
      check_environment(context);
      check_resources(context);
    }
    check_facts(context);
    check_formula(context);
  });
}

std::string obstacle_to_exhaustive(const limen_op& op) {
  if (op.kind != LIMEN_MAP) return "works on whole rows or tensors";
  if (op.arity != 1) return fmt::format("takes {} inputs", op.arity);
  if (op.outputs != 1) return fmt::format("has {} outputs", op.outputs);
  if ((op.flags & LIMEN_OP_STOCHASTIC) != 0) return "draws random numbers";
  const auto pairs = [&](std::uint32_t dtype) {
    const std::vector<const limen_kernel*> kernels =
        check::kernels_of(op, LIMEN_BACKWARD, dtype, detect_isa());
    return std::any_of(kernels.begin(), kernels.end(), [&](const limen_kernel* k) {
      return check::forward_for(op, *k, detect_isa()) != nullptr;
    });
  };
  if (!pairs(LIMEN_F64)) return "has no f64 kernels to hold the f32 ones against";
  return pairs(LIMEN_F32) ? "" : "has no f32 kernels";
}

CheckReport check_exhaustive(const limen_op& op, const ExhaustiveOptions& options) {
  if (const std::string obstacle = obstacle_to_exhaustive(op); !obstacle.empty()) {
    throw Error(
        "", fmt::format("op \"{}\" cannot be checked on every float: it {}", op.name, obstacle));
  }
  return check_cases(op, options, [&](const ActivationContext& context) {
    if (context.first) check::check_all_floats(context, options);
  });
}

CheckReport check_plugin(const limen_plugin& plugin, const CheckOptions& options) {
  CheckReport report;
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
    report.merge(check_activation(*plugin.ops[i], options));
  }
  report.subject = plugin.name;
  report.seed = options.seed;
  if (plugin.n_ops == 0) report.verdict = Verdict::undecidable;
  return report;
}

}  // namespace limen
