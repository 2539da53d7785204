#include "model/build.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <limen/ops.hpp>

#include "base/philox.hpp"
#include "model/layers.hpp"

namespace limen::language {
namespace {

DType widened(DType dtype, const BuildOptions& options) {
  return dtype == DType::f32 ? options.float_type : dtype;
}

// Floating-point operations of a step, a multiplication and an addition counting as two.
double flops_of(const Step& step, const Shape& in, const Shape& out) {
  const auto elements = static_cast<double>(out.elements());
  if (step.op == "dense")
    return elements * (2.0 * static_cast<double>(in[1]) + (step.args.flag("bias") ? 1 : 0));
  if (step.op == "flatten" || step.op == "reshape" || step.op == "transpose" || step.op == "concat")
    return 0;
  if (step.op == "reduce_mean" || step.op == "reduce_sum")
    return static_cast<double>(in.elements());
  return elements * static_cast<double>(std::max<std::size_t>(1, step.reads.size() - 1));
}

class Builder : public LayerBuilder {
 public:
  Builder(const Program& program, const BuildOptions& options)
      : program_(program), options_(options) {}

  BuiltModel all() {
    mark_needed();
    values_.resize(program_.values());
    for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
      if (needed_[i]) add_input(i);
    }
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      if (needed_[program_.inputs.size() + i]) add_step(i);
    }
    if (options_.outputs) {
      for (const OutputPlan& output : program_.outputs) {
        out_.graph.output(output.name, values_[output.value]);
        out_.output_names.push_back(output.name);
      }
    }
    if (options_.loss) {
      add_loss();
      for (const LossPlan& metric : program_.metrics) {
        out_.graph.set_scope("metric." + metric.name);
        out_.graph.output("metric." + metric.name,
                          located(metric.named, [&] { return term(metric); }));
        out_.metric_names.push_back(metric.name);
      }
    }
    return std::move(out_);
  }

  Value parameter(const Step& step, std::string_view suffix) override {
    for (const ParameterPlan& plan : step.parameters) {
      if (plan.suffix != suffix) continue;
      ParameterSpec spec;
      spec.name = fmt::format("{}.{}", step.name, suffix);
      spec.type = {Shape(std::span<const std::int64_t>(plan.dims)),
                   widened(step.type.dtype, options_)};
      spec.init = plan.init;
      spec.fan_in = plan.fan_in;
      spec.fan_out = plan.fan_out;
      spec.where = step.named.at.span();
      const Value value = out_.graph.parameter(spec.name, spec.type);
      info_->parameters.push_back(spec.name);
      out_.parameters.push_back(std::move(spec));
      return value;
    }
    throw Error("E7001", fmt::format("step `{}` has no parameter `{}`", step.name, suffix));
  }

  Shape shape(const std::vector<SymDim>& dims) override { return shape_of(dims, options_.sizes); }

  Value counter() override {
    if (!counter_) counter_ = out_.graph.input("step", {Shape{}, DType::i32});
    return counter_;
  }

  bool training() const override { return options_.training; }

  std::uint64_t seed(std::string_view purpose, std::string_view name) const override {
    return random_key(program_.seed, purpose, name).value;
  }

 private:
  void need(std::size_t value) { needed_[value] = true; }

  // Steps that nothing asked for reads are left out, and so are inputs.
  void mark_needed() {
    needed_.assign(program_.values(), false);
    if (options_.outputs) {
      for (const OutputPlan& output : program_.outputs) need(output.value);
    }
    if (options_.loss) {
      for (const auto* terms : {&program_.losses, &program_.metrics}) {
        for (const LossPlan& term : *terms) {
          need(term.prediction);
          if (term.kind != "value") need(term.target);
        }
      }
    }
    for (std::size_t i = program_.steps.size(); i-- > 0;) {
      if (!needed_[program_.inputs.size() + i]) continue;
      for (const std::size_t value : program_.steps[i].reads) need(value);
    }
  }

  // Runs what may refuse types or sizes; an error gets the place in the file.
  template <class F>
  auto located(const Node& at, F&& f) -> decltype(f()) {
    try {
      return f();
    } catch (const Error& error) {
      std::vector<Diagnostic> diagnostics = error.diagnostics();
      for (Diagnostic& diagnostic : diagnostics) {
        if (diagnostic.spans.empty()) diagnostic.spans.push_back(at.at.span());
      }
      throw Error(std::move(diagnostics));
    }
  }

  void add_input(std::size_t i) {
    const InputPlan& plan = program_.inputs[i];
    Node at;
    at.at = plan.named;
    located(at, [&] {
      values_[i] = out_.graph.input(plan.spec.name, {shape_of(plan.type.dims, options_.sizes),
                                                     widened(plan.spec.dtype, options_)});
      return 0;
    });
  }

  void add_step(std::size_t i) {
    const Step& step = program_.steps[i];
    StepInfo info;
    info_ = &info;
    info.name = step.name;
    info.op =
        step.activation && step.op != "formula" ? std::string(step.activation->name()) : step.op;
    info.symbolic = to_string(step.type);
    info.where = step.named.at.span();
    std::vector<Value> in;
    for (const std::size_t value : step.reads) {
      in.push_back(values_[value]);
      info.reads.push_back(program_.name_of(value));
    }
    out_.graph.set_scope(step.name);
    const Value value = located(step.named, [&] {
      return step.layer != nullptr ? step.layer->build(step, in, *this)
                                   : build_activation(step, in, *this);
    });
    values_[program_.inputs.size() + i] = value;
    info.type = value.type();
    info.flops = flops_of(step, in[0].shape(), value.shape());
    out_.steps.push_back(std::move(info));
  }

  Value term(const LossPlan& plan) {
    const Value p = values_[plan.prediction];
    if (plan.kind == "value") return p;
    const Value t = values_[plan.target];
    if (plan.kind == "softmax_cross_entropy")
      return softmax_cross_entropy(p, t, plan.args.number("label_smoothing"));
    if (plan.kind == "mse") return mse(p, t);
    if (plan.kind == "huber") return huber(p, t, plan.args.number("delta"));
    if (plan.kind == "binary_cross_entropy") return binary_cross_entropy(p, t);
    if (plan.kind == "mae") return mean(sqrt(square(sub(p, t))));
    return top_k_accuracy(p, t, plan.kind == "top_k" ? static_cast<int>(plan.args.count("k")) : 1);
  }

  void add_loss() {
    if (program_.losses.empty()) return;
    Value total;
    for (const LossPlan& plan : program_.losses) {
      out_.graph.set_scope("loss." + plan.name);
      const Value part = located(plan.named, [&] {
        const Value value = term(plan);
        return plan.weight == 1 ? value : scale(value, plan.weight);
      });
      total = total ? add(total, part) : part;
    }
    out_.graph.output("loss", total);
  }

  const Program& program_;
  const BuildOptions& options_;
  BuiltModel out_;
  std::vector<Value> values_;
  std::vector<bool> needed_;
  Value counter_;
  StepInfo* info_ = nullptr;
};

}  // namespace

BuiltModel build(const Program& program, const BuildOptions& options) {
  return Builder(program, options).all();
}

}  // namespace limen::language
