#include "ops/activate_use.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "ops/op_base.hpp"

namespace limen {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements of a kernel call, about

const limen_kernel& kernel_at(const limen_op& op, std::size_t i) {
  return *LIMEN_AT(limen_kernel, op.kernels, i);
}

std::int64_t behind(const Shape& shape, int axis) {
  std::int64_t size = 1;
  for (int i = axis; i < shape.rank(); ++i) size *= shape[i];
  return size;
}

void check_parameter(const ActivationUse& use, int number, const TensorType& type,
                     const TensorType& piece) {
  const limen_param& p =
      *LIMEN_AT(limen_param, use.f.op().params, static_cast<std::size_t>(number));
  const int rank = piece.shape.rank();
  const bool channels = use.channel_axis >= 0 && use.channel_axis < rank;
  const bool one = type.shape == Shape{1};
  const bool each = channels && type.shape == Shape{piece.shape[use.channel_axis]};
  if (type.dtype == piece.dtype && (one || each)) return;
  throw Error("E0602", fmt::format("`{}.{}` must be {}[1]{}, got {}", use.f.name(), p.name,
                                   name_of(piece.dtype),
                                   channels ? fmt::format(" or {}[{}]", name_of(piece.dtype),
                                                          piece.shape[use.channel_axis])
                                            : std::string(),
                                   to_string(type)));
}

}  // namespace

int ActivationUse::axis(const Shape& shape) const {
  return f.rows() ? shape.rank() - 1 : shape.axis(f.axis());
}

std::string ActivationUse::identity() const {
  std::string text = f.rows() ? f.identity() + ", rows" : f.identity();
  if (cut) text += ", cut";
  for (const int p : learned) {
    text += fmt::format(", learned {}",
                        LIMEN_AT(limen_param, f.op().params, static_cast<std::size_t>(p))->name);
  }
  if (!learned.empty() && channel_axis != 1) text += fmt::format(" of axis {}", channel_axis);
  if (random) text += fmt::format(", seed={}", seed);
  return text;
}

void need_dtype(const Activation& f, DType dtype) {
  if ((f.op().dtypes & dtype_bit(dtype)) != 0) return;
  const std::string& file = f.plugin().file;
  throw Error(
      "E0603", fmt::format("op `{}` of {} does not compute in {}", f.name(), file, name_of(dtype)),
      {dtype == DType::f64
           ? fmt::format("give it f64 kernels, too: whole models are checked in f64 only; `limen "
                         "gradcheck {}` checks the op alone, with the kernels that it has",
                         file)
           : fmt::format("give it {} kernels, too, or let the inputs be f64", name_of(dtype))});
}

TensorType ActivationUse::piece(const TensorType& first) const {
  if (!cut) return first;
  const int along = axis(first.shape);
  return {first.shape.with(along, first.shape[along] / arity()), first.dtype};
}

TensorType ActivationUse::infer(std::span<const TensorType> in) const {
  const auto count = static_cast<std::size_t>(tensors());
  const TensorType& first = in[0];
  require_float(f.name(), in.first(count));
  for (std::size_t i = 1; i < count; ++i) require_equal(f.name(), first, in[i]);
  need_dtype(f, first.dtype);
  if ((f.rows() || joint()) && first.shape.rank() == 0) {
    throw Error("E0601",
                fmt::format("`{}` works along an axis, got {}", f.name(), to_string(first)));
  }
  if (cut && first.shape[axis(first.shape)] % arity() != 0) {
    throw Error(
        "E0602",
        fmt::format("`{}` cuts axis {} into {} equal pieces, got {}", f.name(), axis(first.shape),
                    arity(), to_string(first)),
        {fmt::format("make that size a multiple of {0}, or give the op {0} tensors", arity())});
  }
  const TensorType part = piece(first);
  for (std::size_t i = 0; i < learned.size(); ++i) {
    check_parameter(*this, learned[i], in[count + i], part);
  }
  if (random) require_equal("counter", {Shape{}, DType::i32}, in[count + learned.size()]);
  if (outputs() == 1) return part;
  const int along = axis(part.shape);
  return {part.shape.with(along, part.shape[along] * outputs()), part.dtype};
}

BackwardChoice ActivationUse::backward(DType dtype) const {
  const auto cost = [&](std::uint32_t role, std::uint32_t reads, std::uint32_t variant) {
    const limen_kernel* k = f.kernel(role, dtype_bit(dtype), LIMEN_ISA_ANY, reads, variant);
    return k == nullptr ? 0.0f : k->cost;
  };
  BackwardChoice choice;
  const limen_kernel* plain = nullptr;
  for (const std::uint32_t reads : {0u, LIMEN_Y, LIMEN_X, LIMEN_X | LIMEN_Y}) {
    plain = f.kernel(LIMEN_BACKWARD, dtype_bit(dtype), LIMEN_ISA_ANY, reads);
    choice.reads = reads;
    if (plain != nullptr) break;
  }
  for (std::size_t i = 0; i < f.op().n_kernels; ++i) {
    const limen_kernel& k = kernel_at(f.op(), i);
    if (k.role != LIMEN_BACKWARD || k.dtype != dtype_bit(dtype) || k.isa != LIMEN_ISA_ANY ||
        k.variant == 0 || (k.reads & LIMEN_STATE) == 0) {
      continue;
    }
    const float forward = cost(LIMEN_FORWARD, 0, k.variant);
    const float plain_forward = cost(LIMEN_FORWARD, 0, 0);
    const bool cheaper = plain != nullptr && plain->cost > 0 && plain_forward > 0 && k.cost > 0 &&
                         forward > 0 && k.cost + forward < plain->cost + plain_forward;
    if ((plain == nullptr || cheaper) && state_bits(dtype, k.variant) != 0) {
      return {k.reads, k.variant};
    }
  }
  return choice;
}

std::uint32_t ActivationUse::state_bits(DType dtype, std::uint32_t variant) const {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < f.op().n_kernels; ++i) {
    const limen_kernel& k = kernel_at(f.op(), i);
    if (k.role == LIMEN_FORWARD && k.dtype == dtype_bit(dtype) && k.variant == variant) {
      bits = std::max(bits, k.state_bits);
    }
  }
  return bits;
}

const limen_kernel* ActivationUse::need_kernel(std::uint32_t role, DType dtype, std::uint32_t isa,
                                               std::uint32_t may_read, std::uint32_t variant,
                                               std::string_view what) const {
  const limen_kernel* kernel = f.kernel(role, dtype_bit(dtype), isa, may_read, variant);
  if (kernel == nullptr) {
    throw Error("E0610",
                fmt::format("op `{}` of {} has no {} kernel for {}", f.name(), f.plugin().file,
                            what, name_of(dtype)),
                {fmt::format("see what it offers with `limen plugin info {}`", f.name())});
  }
  return kernel;
}

ActivationLayout layout_of(const ActivationUse& use, std::span<const TensorType> in,
                           const TensorType& piece, int first_learned) {
  const Shape& shape = piece.shape;
  ActivationLayout out;
  out.elements = piece.elements();
  if (out.elements == 0) return out;
  out.run = out.piece = out.channel_run = out.elements;
  if (use.joint()) out.run = out.piece = behind(shape, use.axis(shape));
  for (std::size_t i = 0; i < use.learned.size(); ++i) {
    out.channels =
        std::max(out.channels, in[static_cast<std::size_t>(first_learned) + i].elements());
  }
  if (out.channels > 1) {
    out.channel_run = behind(shape, use.channel_axis + 1);
    out.run = std::min(out.run, out.channel_run == 1 ? out.channels : out.channel_run);
  }
  if (use.f.rows()) out.row = shape[shape.rank() - 1];
  out.tile = std::min(out.run, std::max<std::int64_t>(1, kGrain / out.row) * out.row);
  out.calls_per_run = (out.run + out.tile - 1) / out.tile;
  out.calls = out.elements / out.run * out.calls_per_run;
  return out;
}

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

}  // namespace limen
