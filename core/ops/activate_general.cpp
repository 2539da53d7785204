#include "ops/activate_general.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "base/isa.hpp"
#include "base/kernel_site.hpp"
#include "base/parallel.hpp"
#include "base/philox.hpp"
#include "ops/activate_use.hpp"
#include "ops/op_base.hpp"

namespace limen {
namespace {

constexpr std::uint64_t kPieces = 64;  // of the op's parallel loops, whatever the threads

// Tensors as the op sees them, with the memory that its structs point at.
class TensorList {
 public:
  TensorList(std::span<const TensorType> types, bool known) : types_(types.begin(), types.end()) {
    for (std::size_t i = 0; i < types.size(); ++i) dims_.push_back({}), strides_.push_back({});
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Shape& shape = types[i].shape;
      std::int64_t stride = 1;
      for (int axis = shape.rank(); known && axis-- > 0; stride *= shape[axis]) {
        dims_[i][static_cast<std::size_t>(axis)] = shape[axis];
        strides_[i][static_cast<std::size_t>(axis)] = stride;
      }
      list_.push_back({sizeof(limen_tensor), dtype_bit(types[i].dtype),
                       known ? static_cast<std::uint32_t>(shape.rank()) : 0u, 0, dims_[i].data(),
                       strides_[i].data(), nullptr});
    }
  }
  TensorList(const TensorList&) = delete;
  TensorList& operator=(const TensorList&) = delete;

  limen_tensor* data() { return list_.data(); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list_.size()); }
  const limen_tensor& operator[](std::size_t i) const { return list_[i]; }

 private:
  using Sizes = std::array<std::int64_t, Shape::kMaxRank>;
  std::vector<TensorType> types_;
  std::vector<Sizes> dims_, strides_;
  std::vector<limen_tensor> list_;
};

struct ErrorText {
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), LIMEN_OK, -1, 512, text.data()};
  std::string said(std::string_view otherwise) {
    text.back() = '\0';
    return text[0] != '\0' ? text.data() : std::string(otherwise);
  }
};

// What the op says about tensors of these types: the results' shapes and the scratch it needs.
struct Inferred {
  std::vector<Shape> shapes;
  std::uint64_t scratch = 0;
};

Inferred infer_general(const Activation& f, std::uint32_t role, std::span<const TensorType> in,
                       std::size_t results, void* instance) {
  TensorList from(in, true), to(std::vector<TensorType>(results, {Shape{}, in[0].dtype}), false);
  limen_call call{};
  call.size = sizeof call;
  call.role = role;
  call.hyper = f.hyper().data();
  call.instance = instance;
  call.in = from.data(), call.n_in = from.size();
  call.out = to.data(), call.n_out = to.size();
  ErrorText error;
  if (f.op().infer(&call, &error.error) != LIMEN_OK) {
    std::string types;
    for (const TensorType& type : in) types += (types.empty() ? "" : ", ") + to_string(type);
    const bool forward = role == LIMEN_FORWARD;
    throw Error(
        forward ? "E0601" : "E0610",
        fmt::format("`{}` {} {}: {}", f.name(), forward ? "does not take" : "has no gradient for",
                    types, error.said("the plugin gives no reason")));
  }
  Inferred out{{}, call.scratch_bytes};
  for (std::size_t i = 0; i < results; ++i) {
    if (to[i].rank > static_cast<std::uint32_t>(Shape::kMaxRank) ||
        std::any_of(to[i].dims, to[i].dims + to[i].rank, [](std::int64_t d) { return d < 0; })) {
      throw Error("E0513", fmt::format("{}: op \"{}\" gives a shape that no tensor has",
                                       f.plugin().file, f.name()));
    }
    out.shapes.emplace_back(std::span<const std::int64_t>(to[i].dims, to[i].rank));
  }
  return out;
}

void loop(void* context, std::uint64_t n, void (*body)(void*, std::uint64_t, std::uint64_t),
          void* arg) {
  const std::uint64_t pieces = std::min(n, kPieces);
  parallel_for(*static_cast<const int*>(context), static_cast<std::int64_t>(pieces),
               [&](std::int64_t i) {
                 const auto piece = static_cast<std::uint64_t>(i);
                 body(arg, n * piece / pieces, n * (piece + 1) / pieces);
               });
}

// One call of execute() with everything but the buffers.
class GeneralCall {
 public:
  GeneralCall(const Activation& f, std::uint32_t role, std::span<const TensorType> in,
              const std::vector<TensorType>& out, std::size_t wanted, const Target& target)
      : f_(f),
        role_(role),
        wanted_(wanted),
        in_types_(in.begin(), in.end()),
        out_types_(out),
        instance_(make_instance(f)),
        threads_(target.threads),
        node_(target.node) {
    kernel_ =
        fmt::format("{} {}", role == LIMEN_FORWARD ? "forward" : "backward", name_of(in[0].dtype));
    const Inferred said = infer_general(f, role, in, out.size(), instance_.get());
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (said.shapes[i] == out[i].shape) continue;
      throw Error("E0513", fmt::format("{}: op \"{}\" gives {} as the shape of a gradient of {}",
                                       f.plugin().file, f.name(), to_string(said.shapes[i]),
                                       to_string(out[i])));
    }
    scratch_ = said.scratch;
    bytes_ = (static_cast<std::size_t>(scratch_) + 63) / 64 * 64;
    for (std::size_t i = 0; i < out.size(); ++i) {
      spare_.push_back(bytes_);
      if (i != wanted) bytes_ += (out[i].bytes() + 63) / 64 * 64;
    }
    in_.emplace(in_types_, true);
    out_.emplace(out_types_, true);
  }

  std::size_t scratch_bytes() const { return bytes_; }

  // One thread at a time, like every kernel of an executable.
  void run(const KernelArgs& args, bool random, std::uint64_t seed, int counter) {
    for (std::uint32_t i = 0; i < in_->size(); ++i) {
      in_->data()[i].data = const_cast<std::byte*>(args.in[i]);
    }
    for (std::uint32_t i = 0; i < out_->size(); ++i) {
      out_->data()[i].data = i == wanted_ ? args.out : args.scratch + spare_[i];
    }
    limen_call call{};
    call.size = sizeof call;
    call.role = role_;
    call.hyper = f_.hyper().data();
    call.instance = instance_.get();
    call.in = in_->data(), call.n_in = in_->size();
    call.out = out_->data(), call.n_out = out_->size();
    call.scratch = scratch_ == 0 ? nullptr : args.scratch;
    call.scratch_bytes = scratch_;
    call.parallel = loop;
    call.ctx = &threads_;
    if (random) {
      const RandomKey key = random_key(
          RandomKey{seed}, static_cast<std::uint64_t>(*args.input<std::int32_t>(counter)));
      call.seed[0] = key.value, call.seed[1] = random_key(key, 1).value;
    }
    ErrorText error;
    std::int32_t code = LIMEN_OK;
    {
      const KernelSite site{
          f_.plugin().descriptor->name,  f_.op().name, kernel_.c_str(), node_.c_str(), 0,
          out_types_[wanted_].elements()};
      const KernelGuard guard(site);
      code = f_.op().execute(&call, &error.error);
    }
    if (code == LIMEN_OK) return;
    throw Error("E0513", fmt::format("{}: op \"{}\"{} failed ({}): {}", f_.plugin().file, f_.name(),
                                     node_.empty() ? "" : fmt::format(" of step `{}`", node_),
                                     kernel_, error.said("the plugin gives no reason")));
  }

 private:
  Activation f_;
  std::uint32_t role_;
  std::size_t wanted_;  // which result is the node's; the others are thrown away
  std::vector<TensorType> in_types_, out_types_;
  std::shared_ptr<void> instance_;
  std::optional<TensorList> in_, out_;
  std::uint64_t scratch_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::size_t> spare_;
  int threads_;
  std::string kernel_, node_;
};

// x..., [y, dy], [counter] -> y, or the gradient of tensor `wanted`.
class General final : public Op {
 public:
  General(Activation f, std::uint32_t role, int wanted, bool random, std::uint64_t seed)
      : f_(std::move(f)), role_(role), wanted_(wanted), random_(random), seed_(seed) {}
  std::string_view name() const override { return forward() ? "activate" : "activate'"; }
  std::string attributes() const override {
    return f_.identity() + (forward() ? "" : fmt::format(", of {}", wanted_)) +
           (random_ ? fmt::format(", seed={}", seed_) : "");
  }
  TensorType infer(std::span<const TensorType> in) const override {
    const auto tensors = in.first(f_.op().arity);
    require_float(f_.name(), tensors);
    need_dtype(f_, in[0].dtype);
    if (!forward()) return in[static_cast<std::size_t>(wanted_)];
    const std::shared_ptr<void> instance = make_instance(f_);
    return {infer_general(f_, LIMEN_FORWARD, tensors, 1, instance.get()).shapes[0], in[0].dtype};
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    if (!forward()) {
      throw Error("E0610", fmt::format("op `{}` of {} works on whole tensors and has no "
                                       "second-order kernel",
                                       f_.name(), f_.plugin().file));
    }
    std::vector<Value> in, out;
    std::vector<TensorType> types;
    for (int i = 0; i < tensors(); ++i) in.push_back(y.input(i)), types.push_back(in.back().type());
    types.insert(types.end(), {y.type(), dy.type()});
    infer_general(f_, LIMEN_BACKWARD, types, in.size(), make_instance(f_).get());
    in.insert(in.end(), {y, dy});
    if (random_) in.push_back(y.input(tensors()));
    for (int i = 0; i < tensors(); ++i) {
      out.push_back(add_node(std::make_shared<General>(f_, LIMEN_BACKWARD, i, random_, seed_), in));
    }
    if (random_) out.emplace_back();
    return out;
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override {
    const std::size_t read = in.size() - (random_ ? 1 : 0);
    std::vector<TensorType> results{out};
    if (!forward()) results.assign(in.begin(), in.begin() + tensors());
    const auto call = std::make_shared<GeneralCall>(f_, role_, in.first(read), results,
                                                    static_cast<std::size_t>(wanted_), target);
    return {[call, random = random_, seed = seed_, read](const KernelArgs& args) {
              call->run(args, random, seed, static_cast<int>(read));
            },
            call->scratch_bytes()};
  }

 private:
  bool forward() const { return role_ == LIMEN_FORWARD; }
  int tensors() const { return static_cast<int>(f_.op().arity); }

  Activation f_;
  std::uint32_t role_;
  int wanted_;
  bool random_;
  std::uint64_t seed_;
};

}  // namespace

Value activate_general(std::span<const Value> inputs, const Activation& f,
                       const ActivateOptions& options) {
  const limen_op& op = f.op();
  const auto refuse = [&](std::string_view why) {
    return Error("E0601", fmt::format("op `{}` of {} works on whole tensors: {}", f.name(),
                                      f.plugin().file, why));
  };
  if (op.infer == nullptr || op.execute == nullptr) throw refuse("it lacks infer() or execute()");
  if (op.outputs != 1) throw refuse("this engine takes one result of it");
  if (!options.learned.empty()) throw refuse("it cannot learn parameters");
  std::vector<Value> in(inputs.begin(), inputs.end());
  if (in.size() < op.arity) {
    const int axis = in[0].shape().axis(f.axis());
    const std::int64_t size = in[0].shape()[axis], pieces = op.arity;
    if (size % pieces != 0) {
      throw Error("E0602", fmt::format("`{}` cuts axis {} into {} equal pieces, got {}", f.name(),
                                       axis, pieces, to_string(in[0].type())));
    }
    const Value whole = in[0];
    in.clear();
    for (std::int64_t i = 0; i < pieces; ++i) {
      in.push_back(slice(whole, axis, i * size / pieces, (i + 1) * size / pieces));
    }
  }
  const bool random = (op.flags & LIMEN_OP_STOCHASTIC) != 0 && options.training;
  if (random && !options.counter) throw refuse("it draws random numbers: training needs a counter");
  if (random) in.push_back(options.counter);
  return add_node(std::make_shared<General>(f, LIMEN_FORWARD, 0, random, options.seed), in);
}

}  // namespace limen
