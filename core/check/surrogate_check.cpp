// Ops whose backward is declared that of another function: against the derivative of the formula
// that `surrogate_of` is.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <limen/error.hpp>

#include "base/text.hpp"
#include "check/activation.hpp"
#include "check/map_function.hpp"
#include "check/param_check.hpp"
#include "plugin/formula.hpp"
#include "plugin/formula_functions.hpp"

namespace limen::check {
namespace {

using Values = std::vector<long double>;

// A formula of all inputs of the op and then all its parameters: as it has a derivative by each.
struct Surrogate {
  Formula formula;
  Row corners;  // of a formula of one input, at the parameters of the case

  bool mentions(std::size_t variable) const {
    const auto& nodes = formula.nodes();
    return std::count_if(nodes.begin(), nodes.end(), [&](const Formula::Node& node) {
             return node.kind == Formula::Kind::input && node.index == static_cast<int>(variable);
           }) > 1;
  }
};

// Throws Error where the text is no formula of this op.
Surrogate read(const ActivationContext& context, const std::string& of) {
  const limen_op& op = context.op.op();
  if (of.empty()) throw Error("", "it is empty");
  if (op.kind == LIMEN_GENERAL) throw Error("", "formulas are of single elements, not of tensors");
  if (op.outputs != 1 || op.arity > 4) throw Error("", "a formula has up to 4 inputs, one output");
  FormulaNames names = names_of(op);
  for (std::size_t k = 0; k < op.arity; ++k) {
    names.inputs.emplace_back(1, op.arity == 1 ? 'x' : "abcd"[k]);
  }
  FormulaNames all = names;
  all.inputs.insert(all.inputs.end(), names.params.begin(), names.params.end());
  all.params.clear();
  // A formula must mention all that it is of.
  const std::string text = fmt::format("0 * ({}) + ({})", join(all.inputs, " + "), of);
  Surrogate result{Formula::parse(text, all), {}};
  if (op.arity > 1) return result;
  const Row values(context.op.hyper().begin(), context.op.hyper().end());
  for (const FormulaKink& kink : Formula::parse(text, names).kinks(values)) {
    const double value = kink.param < 0 ? 0 : values[static_cast<std::size_t>(kink.param)];
    result.corners.push_back(kink.at + kink.scale * value);
  }
  return result;
}

double slope_at(const Formula& formula, const Values& at, std::size_t variable) {
  return static_cast<double>(formula.evaluate(at, {}, static_cast<int>(variable)).slope);
}

// What rounding of its variables makes of a derivative of the formula: at a corner, the slopes of
// its sides. NaN where one grows without end.
struct Sides {
  double low, high;
};

Sides sides_of(const Formula& formula, const Values& at, std::size_t variable, double unit) {
  const double here = slope_at(formula, at, variable);
  Sides result{here, here};
  Values moved = at;
  // All variables at once, against each other and with each other.
  for (int way = 0; way < 4; ++way) {
    const auto move = [&](double times) {
      for (std::size_t v = 0; v < at.size(); ++v) {
        const double steps = kRoundings[v % kRoundings.size()] * (way % 2 == 0 ? times : -times);
        const bool turned = way >= 2 && v % 2 == 1;
        moved[v] = at[v] + (turned ? -steps : steps) * std::max(unit * std::fabs(at[v]), 1e-30L);
      }
      return slope_at(formula, moved, variable);
    };
    const double near = move(1), most = std::max(std::abs(near), std::abs(here));
    result.low = std::fmin(result.low, near);
    result.high = std::fmax(result.high, near);
    const bool bends = std::abs(near - here) > 1e-3 * most;
    if (bends && !(std::abs(move(0x1p-10)) <= 1.2 * most)) return {NAN, NAN};
  }
  return result;
}

class SurrogateCheck {
 public:
  SurrogateCheck(const ActivationContext& context, const Surrogate& surrogate,
                 const limen_kernel& forward)
      : context_(context),
        op_(context.op.op()),
        surrogate_(surrogate),
        random_(context.options.seed, "surrogate", op_.name),
        x_(op_.arity) {
    choose();
    for (const double corner : surrogate_.corners) blurs_.push_back(blur_of(corner, forward));
  }

  bool mentions_param(std::size_t p) const { return surrogate_.mentions(op_.arity + p); }

  void inputs(const KernelPair& pair, Tally& t) {
    Call call = call_for(*pair.backward);
    call.run(*pair.forward);
    for (const std::uint32_t flags : {0u, LIMEN_TILE_ACCUMULATE}) {
      for (Operand& dx : call.dx) dx.fill(0);
      call.settings.flags = flags;
      call.run(*pair.backward);
      for (std::size_t k = 0; k < call.dx.size(); ++k) {
        compare_all(call, call.dx[k], k,
                    fmt::format("dx{}{}", call.dx.size() > 1 ? fmt::format("[{}]", k) : "",
                                flags != 0 ? " (accumulating)" : ""),
                    t);
      }
      if (t.failed()) break;
    }
  }

  // dw of every element for itself.
  void parameter(const KernelPair& pair, std::size_t p, Tally& t) {
    Call call = call_for(*pair.backward);
    call.w_step[p] = 1;
    call.learn(p, Row(call.n, context_.op.hyper()[p]));
    call.run(*pair.forward);
    call.dw[p].fill(0);
    call.run(*pair.backward);
    compare_all(call, call.dw[p], op_.arity + p,
                fmt::format("dw ({})", LIMEN_AT(limen_param, op_.params, p)->name), t);
  }

 private:
  const ActivationContext& context_;
  const limen_op& op_;
  const Surrogate& surrogate_;
  Random random_;
  std::vector<Row> x_;  // of each input
  Row blurs_;           // of each corner
  // By each variable, for an element type: the derivative, and its size around.
  std::map<std::pair<DType, std::size_t>, std::array<Row, 2>> slopes_;

  // Corners and what may be thresholds, beside them, and places of all sizes; of several inputs
  // ties and pairs of these, too.
  void choose() {
    const auto add = [&](double first, const auto& others) {
      for (std::size_t k = 0; k < x_.size(); ++k) {
        x_[k].push_back(context_.inside(k == 0 ? first : others(), random_));
      }
    };
    const auto drawn = [&] { return 2 * random_.normal(); };
    Row marks = surrogate_.corners;
    marks.insert(marks.end(), context_.op.hyper().begin(), context_.op.hyper().end());
    marks.insert(marks.end(), {0, 1e-20, 0.5, 1, 2, 3, 6, 8, 20, 50, 100, 1000});
    for (const double mark : marks) {
      for (const double part : {1.0, 1 + 0x1p-20, 1 - 0x1p-20, 1.03, 0.97, 1.2, 0.8}) {
        if (!context_.first && std::abs(part - 1) > 0.1) continue;
        for (const double x : {mark * part, -mark * part}) {
          add(x, drawn);
          if (x_.size() == 1) continue;
          add(x, [&] { return x; });
          add(x, [&] { return marks[random_.below(marks.size())]; });
        }
      }
    }
    const int n = context_.options.points / (context_.first ? 1 : 4);
    for (int i = 0; i < n; ++i) {
      add(16 * (i + 0.381966) / n - 8, drawn);
      add(random_.normal() * (i % 4 == 0 ? 30 : 2), drawn);
    }
  }

  // How far from a corner backward may take the one side for the other, because forward has a stair
  // there and a mask may be of what is rounded: half a step. 0 if forward has no narrow stairs.
  double blur_of(double corner, const limen_kernel& forward) const {
    constexpr std::size_t kSteps = 24;
    Call call(context_.op, dtype_of_bit(forward.dtype), 1, 2 * kSteps + 1,
              {.flags = LIMEN_TILE_EVAL});
    for (std::size_t i = 0; i < 2 * kSteps; ++i) {
      const double far = std::ldexp(corner, static_cast<int>(i / 2) - static_cast<int>(kSteps) - 1);
      call.x[0].set(i, corner + (i % 2 == 0 ? far : -far));
    }
    call.x[0].set(2 * kSteps, corner);
    call.run(forward);
    const Row y = call.y[0].values();
    const auto other = std::find_if(y.begin(), y.end(), [&](double v) { return v != y.back(); });
    if (other == y.end() || other - y.begin() < 2) return 0;
    return 1.01 * std::abs(call.x[0].get(static_cast<std::size_t>(other - y.begin())) - corner);
  }

  Call call_for(const limen_kernel& kernel) {
    Call call(context_.op, dtype_of_bit(kernel.dtype), 1, x_[0].size());
    for (std::size_t k = 0; k < x_.size(); ++k) call.x[k].assign(x_[k]);
    for (std::size_t i = 0; i < call.n; ++i) call.dy[0].set(i, random_.upstream());
    return call;
  }

  Values values_at(const Call& call, std::size_t i) const {
    Values at;
    for (const Operand& x : call.x) at.push_back(x.get(i));
    for (const double p : call.hyper) {
      at.push_back(call.x[0].dtype() == DType::f32 ? static_cast<float>(p) : p);
    }
    return at;
  }

  const std::array<Row, 2>& slopes(const Call& call, std::size_t variable) {
    const auto [found, fresh] = slopes_.try_emplace({call.x[0].dtype(), variable});
    auto& [slope, scale] = found->second;
    for (std::size_t i = 0; fresh && i < call.n; ++i) {
      slope.push_back(slope_at(surrogate_.formula, values_at(call, i), variable));
    }
    for (std::size_t i = scale.size(); i < call.n; ++i) {
      const double far = std::max(4.0, 2 * std::abs(x_[0][i]));
      double most = 0;
      for (std::size_t j = 0; j < call.n; ++j) {
        const double size = std::abs(slope[j]);
        if (size > most && std::isfinite(size) && std::abs(x_[0][j] - x_[0][i]) <= far) most = size;
      }
      scale.push_back(most);
    }
    return found->second;
  }

  Sides sides(Values at, std::size_t variable, double unit) const {
    Sides result = sides_of(surrogate_.formula, at, variable, unit);
    for (std::size_t c = 0; c < blurs_.size(); ++c) {
      const double corner = surrogate_.corners[c];
      if (!(std::abs(static_cast<double>(at[0]) - corner) <= blurs_[c])) continue;
      at[0] = corner;
      const Sides there = sides_of(surrogate_.formula, at, variable, unit);
      result = {std::min(result.low, there.low), std::max(result.high, there.high)};
    }
    return result;
  }

  void compare_all(Call& call, Operand& got, std::size_t variable, std::string tensor, Tally& t) {
    const auto& [slopes_here, scales] = slopes(call, variable);
    const Precision precision = precision_of(call.x[0].dtype());
    const bool narrow = call.x[0].dtype() == DType::f32;
    const double resolution = narrow ? 1e-5 : 1e-10, largest = narrow ? 1e37 : 1e307;
    Point p;
    p.tensor = std::move(tensor);
    p.elements = static_cast<std::int64_t>(call.n);
    for (std::size_t i = 0; i < call.n; ++i) {
      const double scale = scales[i], size = std::max(1.0, std::abs(x_[0][i]));
      const double g = call.dy[0].get(i), slope = slopes_here[i];
      const double allowed =
          (resolution + 4 * precision.unit * size + context_.accuracy()) * scale +
          64 * precision.min_normal;
      if (!std::isfinite(slope) || scale > largest) continue;
      p.element = static_cast<std::int64_t>(i);
      p.x = call.x[variable < op_.arity ? variable : 0].get(i);
      p.upstream = g;
      p.got = got.get(i);
      Judgement judgement = compare(p.got, g * slope, std::abs(g) * allowed);
      if (judgement.outcome == Outcome::fail) {
        const Sides at = sides(values_at(call, i), variable, precision.unit);
        const double gap = 0.5 * (at.high - at.low);
        judgement = compare(p.got, g * (at.low + gap), std::abs(g) * (gap + allowed));
        if (!std::isfinite(gap)) judgement.outcome = Outcome::skipped;
        if (gap > allowed)
          judgement.note = fmt::format(" at a corner, {:g} to {:g}", at.low, at.high);
      }
      judgement.scale = scale;
      if (judgement.outcome == Outcome::fail || context_.options.wants_point) {
        judgement.note = fmt::format(
            "backward returns the derivative of surrogate_of (limen/plugin.h), here d/d{} of "
            "\"{}\"{}",
            surrogate_.formula.inputs()[variable], op_.surrogate_of, judgement.note);
        for (std::size_t k = 0; call.x.size() > 1 && k < call.x.size(); ++k) {
          judgement.note += fmt::format(", {} = {:g}", "abcd"[k], call.x[k].get(i));
        }
      }
      t.add(p, judgement);
    }
  }
};

void compare_kernels(const ActivationContext& context, SurrogateCheck& check, std::uint32_t dtype) {
  const limen_op& op = context.op.op();
  const auto learned = [&](std::uint32_t p) {
    return op.kind == LIMEN_MAP && is_trainable(*LIMEN_AT(limen_param, op.params, p));
  };
  for (const KernelPair& pair : all_kernels(context)) {
    if (pair.backward->role != LIMEN_BACKWARD) continue;
    // f32 kernels are held against f64 ones where there are any.
    if (pair.backward->dtype == dtype && context.wants("surrogate-declared")) {
      Tally t = context.tally("surrogate-declared", "surrogate", describe(*pair.backward));
      if (op.arity == 1) t.explain_by_x();
      check.inputs(pair, t);
      context.add(t);
    }
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      if (!learned(p) || !check.mentions_param(p) || !context.wants("param-gradient")) continue;
      Tally t =
          context.tally("param-gradient", "parameter of the surrogate", describe(*pair.backward));
      check.parameter(pair, p, t);
      context.add(t);
    }
  }
  std::string rest;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    if (!learned(p) || check.mentions_param(p)) continue;
    rest += fmt::format("; dw of {} was compared with nothing",
                        LIMEN_AT(limen_param, op.params, p)->name);
  }
  context.note(fmt::format(
      "its backward was compared with the derivative of its surrogate \"{}\", not of forward{}",
      op.surrogate_of, rest));
}

}  // namespace

void check_surrogate(const ActivationContext& context) {
  if (!context.surrogate()) return;
  const KernelPair reference = reference_pair(context);
  const char* const given = context.op.op().surrogate_of;
  const std::string of = given != nullptr ? given : "";
  std::optional<Surrogate> surrogate;
  try {
    surrogate = read(context, of);
  } catch (const Error& error) {
    std::vector<std::string> functions;
    for (const FormulaFunction& f : formula_functions()) functions.emplace_back(f.name);
    return context.note(fmt::format(
        "its surrogate \"{}\" cannot be read as a formula, so its backward was compared with "
        "nothing: {}; formulas are of x (a, b, ... of several inputs) and parameters, with + - * / "
        "^, comparisons, c ? p : q and {}",
        of, error.diagnostics()[0].message, join(functions)));
  }
  if (reference.backward == nullptr) return;
  SurrogateCheck check(context, *surrogate, *reference.forward);
  compare_kernels(context, check, reference.backward->dtype);
}

}  // namespace limen::check
