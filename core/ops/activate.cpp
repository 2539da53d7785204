// An activation plugin in the graph: the op itself, its vector-Jacobian products, and those of the
// product, all ordinary nodes that call kernels of the plugin's table.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "ops/activate_call.hpp"
#include "ops/activate_general.hpp"
#include "ops/op_base.hpp"

namespace limen {
namespace {

// The learned parameters and the counter of a node, which stand at its end.
std::vector<Value> tail(const ActivationUse& use, Value node) {
  const int n = static_cast<int>(use.learned.size()) + (use.random ? 1 : 0);
  std::vector<Value> values;
  for (int i = node.arity() - n; i < node.arity(); ++i) values.push_back(node.input(i));
  return values;
}

std::vector<Value> join(std::vector<Value> a, const std::vector<Value>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// tensors, dy, gx -> what goes back to dy (gy) or to a tensor (dx): the product's own
// vector-Jacobian product. gx belongs to tensor `from`.
class ActivateVjp2 final : public Op {
 public:
  ActivateVjp2(ActivationUse use, int from, TileList result, int tensor)
      : use_(std::move(use)), from_(from), result_(result), tensor_(tensor) {}
  std::string_view name() const override {
    return result_ == TileList::dx ? "activate''x" : "activate''y";
  }
  std::string attributes() const override {
    if (use_.tensors() == 1) return use_.identity();
    return fmt::format("{}, {} of {}", use_.identity(), tensor_, from_);
  }
  TensorType infer(std::span<const TensorType> in) const override {
    return result_ == TileList::gy ? in[static_cast<std::size_t>(use_.tensors())] : in[0];
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override {
    const int n = use_.tensors();
    RoleCall call;
    call.kernel =
        use_.need_kernel(LIMEN_BACKWARD2, out.dtype, target.isa, LIMEN_X, 0, "second-order");
    call.add(TileList::x, use_.arity(), use_.cut, 0);
    call.add(TileList::dy, use_.outputs(), true, n);
    const auto add = [&](TileList list, int tensor, int input) {
      use_.cut ? call.add(list, use_.arity(), true, input)
               : call.operands.push_back({list, tensor, input});
    };
    add(TileList::gx, from_, n + 1);
    result_ == TileList::dx ? add(TileList::dx, tensor_, kResult)
                            : call.add(TileList::gy, use_.outputs(), true, kResult);
    call.first_learned = n + 2;
    return compile_role(use_, std::move(call), in, out, target);
  }

 private:
  ActivationUse use_;
  int from_;
  TileList result_;
  int tensor_;
};

// tensors, y, dy, [state] -> the gradient of one tensor, or of one learned parameter.
class ActivateVjp final : public Op {
 public:
  ActivateVjp(ActivationUse use, BackwardChoice choice, int tensor, int parameter)
      : use_(std::move(use)), choice_(choice), tensor_(tensor), parameter_(parameter) {}
  std::string_view name() const override { return parameter_ < 0 ? "activate'" : "activate'w"; }
  std::string attributes() const override {
    std::string text = use_.identity();
    if (use_.tensors() > 1) text += fmt::format(", of {}", tensor_);
    if (parameter_ >= 0) text += ", of " + parameter_name();
    if (choice_.variant != 0) text += fmt::format(", variant {}", choice_.variant);
    return text;
  }
  TensorType infer(std::span<const TensorType> in) const override {
    require_equal(name(), use_.infer(forward_types(in)), in[static_cast<std::size_t>(dy())]);
    return parameter_ < 0 ? in[0] : in[static_cast<std::size_t>(first_learned() + parameter_)];
  }
  std::vector<Value> vjp(Value dx, Value gx) const override {
    if (parameter_ >= 0) refuse_second_order(parameter_name());
    use_.need_kernel(LIMEN_BACKWARD2, dx.dtype(), LIMEN_ISA_ANY, LIMEN_X, 0, "second-order");
    std::vector<Value> in;
    for (int i = 0; i < use_.tensors(); ++i) in.push_back(dx.input(i));
    in = join(join(std::move(in), {dx.input(dy()), gx}), tail(use_, dx));
    std::vector<Value> out(static_cast<std::size_t>(dx.arity()));
    // y and the state are functions of x, so everything that depends on them goes to x.
    const auto add = [&](TileList result, int tensor) {
      return add_node(std::make_shared<ActivateVjp2>(use_, tensor_, result, tensor), in);
    };
    for (int i = 0; i < use_.tensors(); ++i)
      out[static_cast<std::size_t>(i)] = add(TileList::dx, i);
    out[static_cast<std::size_t>(dy())] = add(TileList::gy, 0);
    return out;
  }
  void require_vjp(int input) const override {
    const int number = input - first_learned();
    if (number < 0 || number >= static_cast<int>(use_.learned.size())) return;
    refuse_second_order(name_of_parameter(number));
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override {
    RoleCall call;
    call.kernel = use_.need_kernel(LIMEN_BACKWARD, out.dtype, target.isa, choice_.reads,
                                   choice_.variant, "backward");
    call.add(TileList::x, use_.arity(), use_.cut, 0);
    call.add(TileList::y, use_.outputs(), true, dy() - 1);
    call.add(TileList::dy, use_.outputs(), true, dy());
    if (choice_.state()) {
      call.state = dy() + 1;
      call.state_bits = use_.state_bits(out.dtype, choice_.variant);
    }
    call.first_learned = first_learned();
    if (parameter_ >= 0) {
      call.gradient_of = use_.learned[static_cast<std::size_t>(parameter_)];
    } else if (use_.cut) {
      call.add(TileList::dx, use_.arity(), true, kResult);
    } else {
      call.operands.push_back({TileList::dx, tensor_, kResult});
    }
    return compile_role(use_, std::move(call), in, out, target);
  }
  bool reads(int input) const override {
    if (input < use_.tensors()) return (choice_.reads & LIMEN_X) != 0;
    return input != dy() - 1 || (choice_.reads & LIMEN_Y) != 0;
  }
  bool may_overwrite(int input, const TensorType& out, std::uint32_t isa) const override {
    if (parameter_ >= 0 || use_.arity() != 1 || use_.outputs() != 1) return false;
    const limen_kernel* k =
        use_.f.kernel(LIMEN_BACKWARD, dtype_bit(out.dtype), isa, choice_.reads, choice_.variant);
    const std::uint32_t bit = input == dy() ? LIMEN_ALIAS_DX_DY : input == 0 ? LIMEN_ALIAS_DX_X : 0;
    return k != nullptr && (k->alias & bit) != 0;
  }

 private:
  int dy() const { return use_.tensors() + 1; }
  int first_learned() const { return dy() + (choice_.state() ? 2 : 1); }
  std::string name_of_parameter(int number) const {
    const auto p = static_cast<std::size_t>(use_.learned[static_cast<std::size_t>(number)]);
    return LIMEN_AT(limen_param, use_.f.op().params, p)->name;
  }
  std::string parameter_name() const { return name_of_parameter(parameter_); }
  std::vector<TensorType> forward_types(std::span<const TensorType> in) const {
    std::vector<TensorType> types(in.begin(), in.begin() + use_.tensors());
    types.insert(types.end(), in.begin() + first_learned(), in.end());
    return types;
  }
  [[noreturn]] void refuse_second_order(const std::string& parameter) const {
    throw Error("E0610",
                fmt::format("the gradient of `{}` with respect to its learned parameter `{}` has "
                            "one order: it cannot be differentiated again",
                            use_.f.name(), parameter),
                {fmt::format("give `{}` as a number to differentiate twice", parameter)});
  }

  ActivationUse use_;
  BackwardChoice choice_;
  int tensor_;     // the result belongs to it
  int parameter_;  // or to this learned one; -1: to a tensor
};

// y, then the inputs of its node -> what a forward kernel of a variant writes besides y. It shares
// the call of y's node; where there is no such node any more, it computes y once more.
class ActivateSaved final : public Op {
 public:
  ActivateSaved(ActivationUse use, std::uint32_t variant)
      : use_(std::move(use)), variant_(variant) {}
  std::string_view name() const override { return "activate.saved"; }
  std::string attributes() const override {
    return fmt::format("{}, variant {}", use_.identity(), variant_);
  }
  TensorType infer(std::span<const TensorType> in) const override {
    in = in.subspan(1);
    use_.infer(in);
    const ActivationLayout layout = layout_of(use_, in, use_.piece(in[0]), use_.tensors());
    return {Shape{state_bytes(layout, bits(in)) / 4}, DType::i32};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override {
    RoleCall call = forward(in.subspan(1), target);
    call.add(TileList::x, use_.arity(), use_.cut, 1);
    call.add(TileList::y, use_.outputs(), true, kScratch);
    call.state = kResult;
    call.first_learned = use_.tensors() + 1;
    return compile_role(use_, std::move(call), in, out, target);
  }
  bool reads(int input) const override { return input != 0; }
  bool shares_call(const Value& node) const override {
    const Value y = node.input(0);
    if (y.kind() != NodeKind::op || y.op()->name() != "activate" ||
        y.op()->attributes() != use_.identity() || y.arity() + 1 != node.arity()) {
      return false;
    }
    for (int i = 0; i < y.arity(); ++i) {
      if (y.input(i).id() != node.input(i + 1).id()) return false;
    }
    return true;
  }
  CompiledOp compile_joint(std::span<const TensorType> in, const TensorType& out,
                           const Target& target) const override {
    RoleCall call = forward(in, target);
    call.add(TileList::x, use_.arity(), use_.cut, 0);
    call.add(TileList::y, use_.outputs(), true, kResult);
    call.state = kSecond;
    call.first_learned = use_.tensors();
    return compile_role(use_, std::move(call), in, out, target);
  }

 private:
  std::uint32_t bits(std::span<const TensorType> in) const {
    return use_.state_bits(in[0].dtype, variant_);
  }
  RoleCall forward(std::span<const TensorType> in, const Target& target) const {
    RoleCall call;
    call.kernel = use_.need_kernel(LIMEN_FORWARD, in[0].dtype, target.isa, 0, variant_, "forward");
    call.state_bits = bits(in);
    return call;
  }

  ActivationUse use_;
  std::uint32_t variant_;
};

class Activate final : public Op {
 public:
  explicit Activate(ActivationUse use) : use_(std::move(use)) {}
  std::string_view name() const override { return "activate"; }
  std::string attributes() const override { return use_.identity(); }
  TensorType infer(std::span<const TensorType> in) const override { return use_.infer(in); }
  std::vector<Value> vjp(Value y, Value dy) const override {
    const BackwardChoice choice = use_.backward(y.dtype());
    use_.need_kernel(LIMEN_BACKWARD, y.dtype(), LIMEN_ISA_ANY, choice.reads, choice.variant,
                     "backward");
    std::vector<Value> forward{y}, in;
    for (int i = 0; i < y.arity(); ++i) forward.push_back(y.input(i));
    in.assign(forward.begin() + 1, forward.begin() + 1 + use_.tensors());
    in = join(std::move(in), {y, dy});
    if (choice.state()) {
      in.push_back(add_node(std::make_shared<ActivateSaved>(use_, choice.variant), forward));
    }
    in = join(std::move(in), tail(use_, y));
    std::vector<Value> out;
    const auto add = [&](int tensor, int parameter) {
      out.push_back(add_node(std::make_shared<ActivateVjp>(use_, choice, tensor, parameter), in));
    };
    for (int i = 0; i < use_.tensors(); ++i) add(i, -1);
    for (std::size_t i = 0; i < use_.learned.size(); ++i) add(0, static_cast<int>(i));
    if (use_.random) out.emplace_back();
    return out;
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override {
    RoleCall call;
    call.kernel = use_.need_kernel(LIMEN_FORWARD, out.dtype, target.isa, 0, 0, "forward");
    call.add(TileList::x, use_.arity(), use_.cut, 0);
    call.add(TileList::y, use_.outputs(), true, kResult);
    call.first_learned = use_.tensors();
    return compile_role(use_, std::move(call), in, out, target);
  }
  bool may_overwrite(int input, const TensorType& out, std::uint32_t isa) const override {
    if (input != 0 || use_.outputs() != 1 || use_.cut) return false;
    const limen_kernel* k = use_.f.kernel(LIMEN_FORWARD, dtype_bit(out.dtype), isa, 0);
    return k != nullptr && (k->alias & LIMEN_ALIAS_Y_X) != 0;
  }

 private:
  ActivationUse use_;
};

Error refuse(const Activation& f, std::string message, std::vector<std::string> help = {}) {
  return Error("E0601", fmt::format("op `{}` of {} {}", f.name(), f.plugin().file, message),
               std::move(help));
}

// Adds the learned parameters to the use and to the inputs of its node.
void add_learned(const ActivateOptions& options, ActivationUse& use, std::vector<Value>& inputs) {
  const std::vector<ParamInfo> params = use.f.params();
  for (std::size_t i = 0; i < params.size(); ++i) {
    const auto found = options.learned.find(std::string(params[i].name));
    if (found == options.learned.end()) continue;
    if ((params[i].flags & LIMEN_PF_TRAINABLE) == 0) {
      throw refuse(use.f, fmt::format("does not learn its parameter `{}`", params[i].name));
    }
    use.learned.push_back(static_cast<int>(i));
    inputs.push_back(found->second);
  }
  if (use.learned.size() == options.learned.size()) return;
  for (const auto& [name, value] : options.learned) use.f.with({{name, 0}});  // finds the wrong one
}

// The axes with two exchanged.
std::vector<int> exchanged(int rank, int a, int b) {
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(a)], axes[static_cast<std::size_t>(b)]);
  return axes;
}

}  // namespace

Value activate(std::span<const Value> inputs, const Activation& f, const ActivateOptions& options) {
  ActivationUse use{.f = f, .learned = {}, .channel_axis = options.channel_axis};
  const int count = static_cast<int>(inputs.size());
  if (count != 1 && count != use.arity()) {
    throw refuse(f, fmt::format("reads {} tensor{}{}, here it gets {}", use.arity(),
                                use.arity() == 1 ? "" : "s",
                                use.arity() == 1 ? "" : ", or one that it cuts", count));
  }
  if (f.op().kind == LIMEN_GENERAL) return activate_general(inputs, f, options);
  use.cut = count < use.arity();
  std::vector<Value> in(inputs.begin(), inputs.end());
  const int rank = in[0].shape().rank();
  // Rows are contiguous: bring their axis to the end and back.
  std::vector<int> swap;
  if (f.rows() && rank > 0) {
    const int axis = in[0].shape().axis(f.axis());
    if (axis != rank - 1) {
      swap = exchanged(rank, axis, rank - 1);
      for (Value& x : in) {
        if (x.shape().rank() == rank) x = transpose(x, swap);
      }
      if (options.channel_axis >= 0 && options.channel_axis < rank) {
        use.channel_axis = swap[static_cast<std::size_t>(options.channel_axis)];
      }
    }
  }
  add_learned(options, use, in);
  if ((f.op().flags & LIMEN_OP_STOCHASTIC) != 0 && options.training) {
    if (!options.counter) throw refuse(f, "draws random numbers: training needs a counter");
    use.random = true;
    use.seed = options.seed;
    in.push_back(options.counter);
  }
  const Value y = add_node(std::make_shared<Activate>(std::move(use)), in);
  return swap.empty() ? y : transpose(y, swap);
}

Value activate(Value x, const Activation& activation) {
  return activate(std::span(&x, 1), activation);
}

}  // namespace limen
