// An activation plugin in the graph: the op itself, its vector-Jacobian product, and that product's
// own, all ordinary nodes that call kernels of the plugin's table.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

#include "base/parallel.hpp"
#include "ops/op_base.hpp"

namespace limen {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements per tile

std::uint32_t dtype_bit(DType dtype) { return dtype == DType::f64 ? LIMEN_F64 : LIMEN_F32; }

std::string described(const Activation& f) {
  return f.rows() ? f.identity() + ", rows" : f.identity();
}

// What create() made for these parameters, destroyed with the last kernel that uses it.
std::shared_ptr<void> make_instance(const Activation& f) {
  if (f.op().create == nullptr) return nullptr;
  char text[512] = "";
  limen_error error{sizeof(limen_error), LIMEN_OK, -1, sizeof text, text};
  void* instance = nullptr;
  if (f.op().create(f.hyper().data(), &instance, &error) != LIMEN_OK) {
    throw Error("E0513", fmt::format("{}: op \"{}\" could not be set up: {}", f.plugin().file,
                                     f.name(), text));
  }
  return {instance, [destroy = f.op().destroy](void* p) {
            if (destroy != nullptr) destroy(p);
          }};
}

// How the elements are cut into calls of a kernel: MAP any pieces, ROWS whole rows of the last
// axis.
struct Tiling {
  bool rows = false;
  std::int64_t row = 1;    // elements in a row (1 for MAP)
  std::int64_t units = 0;  // rows, or elements
  std::int64_t grain = 1;  // units per call

  std::int64_t calls() const { return (units + grain - 1) / grain; }
};

Tiling tile(const Activation& f, const TensorType& type) {
  const std::int64_t n = type.elements();
  if (!f.rows()) return {false, 1, n, kGrain};
  const std::int64_t row = type.shape[type.shape.rank() - 1];
  return {true, row, row == 0 ? 0 : n / row,
          std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, row))};
}

// The operands of one role, by their place among the node's inputs; -1 where the role has none.
struct Operands {
  int x = -1, y = -1, dy = -1, gx = -1;
};
enum class Result { y, dx, gy };

// Everything a call needs but the buffers.
struct Call {
  Activation activation;
  const limen_kernel* kernel;
  std::shared_ptr<void> instance;
  Tiling tiling;
  Operands operands;
  Result result;
  std::size_t element, scratch_each;
  int threads;

  void run(const KernelArgs& args) const {
    parallel_for(threads, tiling.calls(), [&](std::int64_t i) {
      const std::int64_t begin = i * tiling.grain;
      const std::int64_t units = std::min(tiling.grain, tiling.units - begin);
      const std::size_t offset = static_cast<std::size_t>(begin * tiling.row) * element;
      const auto at = [&](int input) -> const void* {
        return input < 0 ? nullptr : args.in[input] + offset;
      };
      const void *x[] = {at(operands.x)}, *dy[] = {at(operands.dy)}, *gx[] = {at(operands.gx)};
      void* out = args.out + offset;
      void* y[] = {result == Result::y ? out : const_cast<void*>(at(operands.y))};
      void *dx[] = {result == Result::dx ? out : nullptr},
           *gy[] = {result == Result::gy ? out : nullptr};
      limen_tile t{};
      t.size = sizeof t;
      t.n = static_cast<std::uint64_t>(tiling.rows ? tiling.row : units);
      t.rows = static_cast<std::uint64_t>(tiling.rows ? units : 1);
      t.row_stride = tiling.row;
      t.base = static_cast<std::uint64_t>(begin * tiling.row);
      t.hyper = activation.hyper().data();
      t.instance = instance.get();
      t.x = x, t.y = y, t.dy = dy, t.dx = dx, t.gx = gx, t.gy = gy;
      t.scratch =
          scratch_each == 0 ? nullptr : args.scratch + scratch_each * static_cast<std::size_t>(i);
      kernel->run(&t);
    });
  }
};

CompiledOp compile_call(const Activation& f, const limen_kernel* kernel, Operands operands,
                        Result result, const TensorType& type, const Target& target) {
  Call call{f,
            kernel,
            make_instance(f),
            tile(f, type),
            operands,
            result,
            size_of(type.dtype),
            (f.op().scratch_bytes + 63) / 64 * 64,
            target.threads};
  const std::size_t scratch = call.scratch_each * static_cast<std::size_t>(call.tiling.calls());
  // On the heap once, so that the std::function stays small to copy.
  return {[shared = std::make_shared<const Call>(std::move(call))](const KernelArgs& args) {
            shared->run(args);
          },
          scratch};
}

const limen_kernel* need_kernel(const Activation& f, std::uint32_t role, DType dtype,
                                std::uint32_t isa, std::uint32_t may_read, std::string_view what) {
  const limen_kernel* kernel = f.kernel(role, dtype_bit(dtype), isa, may_read);
  if (kernel == nullptr) {
    throw Error("E0610",
                fmt::format("op `{}` of {} has no {} kernel for {}", f.name(), f.plugin().file,
                            what, name_of(dtype)),
                {fmt::format("see what it offers with `limen plugin info {}`", f.name())});
  }
  return kernel;
}

// The least that a backward kernel of the table reads: nothing, y, x, or both. y first, because the
// next op keeps it alive anyway, and then x may be overwritten.
std::uint32_t cheapest_reads(const Activation& f, DType dtype) {
  for (const std::uint32_t reads : {0u, LIMEN_Y, LIMEN_X, LIMEN_X | LIMEN_Y}) {
    if (f.kernel(LIMEN_BACKWARD, dtype_bit(dtype), LIMEN_ISA_ANY, reads) != nullptr) return reads;
  }
  return LIMEN_X | LIMEN_Y;
}

// x, dy, gx -> gy or dx: one of the two results of the product's own vector-Jacobian product.
class ActivateVjp2 final : public Op {
 public:
  ActivateVjp2(Activation f, Result result) : f_(std::move(f)), result_(result) {}
  std::string_view name() const override {
    return result_ == Result::dx ? "activate''x" : "activate''y";
  }
  std::string attributes() const override { return described(f_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    return in[0];
  }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    const limen_kernel* kernel =
        need_kernel(f_, LIMEN_BACKWARD2, out.dtype, target.isa, LIMEN_X, "second-order");
    return compile_call(f_, kernel, {.x = 0, .dy = 1, .gx = 2}, result_, out, target);
  }

 private:
  Activation f_;
  Result result_;
};

// x, y, dy -> dx
class ActivateVjp final : public Op {
 public:
  ActivateVjp(Activation f, std::uint32_t reads) : f_(std::move(f)), reads_(reads) {}
  std::string_view name() const override { return "activate'"; }
  std::string attributes() const override { return described(f_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    require_equal(name(), in[0], in[2]);
    return in[0];
  }
  std::vector<Value> vjp(Value dx, Value gx) const override {
    need_kernel(f_, LIMEN_BACKWARD2, dx.dtype(), LIMEN_ISA_ANY, LIMEN_X, "second-order");
    const Value x = dx.input(0), dy = dx.input(2);
    // y is a function of x, so everything that depends on x goes to x.
    return {add_node(std::make_shared<ActivateVjp2>(f_, Result::dx), {x, dy, gx}), Value(),
            add_node(std::make_shared<ActivateVjp2>(f_, Result::gy), {x, dy, gx})};
  }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    const limen_kernel* kernel =
        need_kernel(f_, LIMEN_BACKWARD, out.dtype, target.isa, reads_, "backward");
    return compile_call(f_, kernel, {.x = 0, .y = 1, .dy = 2}, Result::dx, out, target);
  }
  bool reads(int input) const override {
    return input == 2 || (input == 0 ? (reads_ & LIMEN_X) : (reads_ & LIMEN_Y)) != 0;
  }
  bool may_overwrite(int input) const override { return input == 2 && aliases(LIMEN_ALIAS_DX_DY); }

 private:
  bool aliases(std::uint32_t bit) const {
    for (std::uint32_t i = 0; i < f_.op().n_kernels; ++i) {
      const limen_kernel& k = *LIMEN_AT(limen_kernel, f_.op().kernels, i);
      if (k.role == LIMEN_BACKWARD && (k.alias & bit) == 0) return false;
    }
    return true;
  }

  Activation f_;
  std::uint32_t reads_;
};

class Activate final : public Op {
 public:
  explicit Activate(Activation f) : f_(std::move(f)) {}
  std::string_view name() const override { return "activate"; }
  std::string attributes() const override { return described(f_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(f_.name(), in);
    if (f_.rows() && in[0].shape.rank() == 0) {
      throw Error("E0601",
                  fmt::format("`{}` works along an axis, got {}", f_.name(), to_string(in[0])));
    }
    if ((f_.op().dtypes & dtype_bit(in[0].dtype)) == 0) {
      throw Error("E0603", fmt::format("op `{}` of {} does not compute in {}", f_.name(),
                                       f_.plugin().file, name_of(in[0].dtype)));
    }
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    const std::uint32_t reads = cheapest_reads(f_, y.dtype());
    need_kernel(f_, LIMEN_BACKWARD, y.dtype(), LIMEN_ISA_ANY, reads, "backward");
    return {add_node(std::make_shared<ActivateVjp>(f_, reads), {y.input(0), y, dy})};
  }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    const limen_kernel* kernel =
        need_kernel(f_, LIMEN_FORWARD, out.dtype, target.isa, 0, "forward");
    return compile_call(f_, kernel, {.x = 0}, Result::y, out, target);
  }
  bool may_overwrite(int) const override {
    for (std::uint32_t i = 0; i < f_.op().n_kernels; ++i) {
      const limen_kernel& k = *LIMEN_AT(limen_kernel, f_.op().kernels, i);
      if (k.role == LIMEN_FORWARD && (k.alias & LIMEN_ALIAS_Y_X) == 0) return false;
    }
    return true;
  }

 private:
  Activation f_;
};

}  // namespace

Value activate(Value x, const Activation& activation) {
  const limen_op& op = activation.op();
  if (op.kind == LIMEN_GENERAL || op.arity != 1 || op.outputs != 1 ||
      (op.flags & LIMEN_OP_STOCHASTIC) != 0) {
    throw Error("E0601",
                fmt::format("op `{}` of {}: this engine runs functions of one tensor to one "
                            "tensor, without random numbers",
                            activation.name(), activation.plugin().file));
  }
  const auto node = std::make_shared<Activate>(activation);
  const int rank = x.shape().rank();
  if (!activation.rows() || rank == 0) return add_node(node, {x});
  const int axis = x.shape().axis(activation.axis());
  if (axis == rank - 1) return add_node(node, {x});
  // Rows are contiguous: bring the axis to the end and back.
  std::vector<int> swap(static_cast<std::size_t>(rank));
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[static_cast<std::size_t>(axis)], swap[static_cast<std::size_t>(rank - 1)]);
  return transpose(add_node(node, {transpose(x, swap)}), swap);
}

}  // namespace limen
