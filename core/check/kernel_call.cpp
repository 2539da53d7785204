#include "check/kernel_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <limen/error.hpp>

#include "base/isa.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kGuard = 64;
constexpr std::byte kPattern{0xa5};

std::byte* aligned(std::vector<std::byte>& memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + (63 - (address + 63) % 64);
}

}  // namespace

Operand::Operand(DType dtype, std::size_t n, std::size_t offset)
    : dtype_(dtype),
      n_(n),
      offset_(offset),
      memory_(64 + 2 * kGuard + (offset + n) * size_of(dtype), kPattern) {
  data_ = aligned(memory_) + kGuard + offset * size_of(dtype);
  fill(0);
}

Operand::Operand(const Operand& other) : Operand(other.dtype_, other.n_, other.offset_) {
  std::memcpy(data_, other.data_, n_ * size_of(dtype_));
}

double Operand::get(std::size_t i) const {
  return dtype_ == DType::f32 ? static_cast<double>(reinterpret_cast<const float*>(data_)[i])
                              : reinterpret_cast<const double*>(data_)[i];
}

void Operand::set(std::size_t i, double value) {
  if (dtype_ == DType::f32) {
    reinterpret_cast<float*>(data_)[i] = static_cast<float>(value);
  } else {
    reinterpret_cast<double*>(data_)[i] = value;
  }
}

void Operand::assign(std::span<const double> values) {
  for (std::size_t i = 0; i < n_; ++i) set(i, values[i]);
}

void Operand::fill(double value) {
  for (std::size_t i = 0; i < n_; ++i) set(i, value);
}

std::vector<double> Operand::values() const {
  std::vector<double> result(n_);
  for (std::size_t i = 0; i < n_; ++i) result[i] = get(i);
  return result;
}

bool Operand::guards_intact() const {
  const auto is_pattern = [](std::byte b) { return b == kPattern; };
  const std::byte* end = data_ + n_ * size_of(dtype_);
  return std::all_of(data_ - kGuard, data_ - 0, is_pattern) &&
         std::all_of(end, memory_.data() + memory_.size(), is_pattern);
}

bool Operand::same_bits(const Operand& other) const {
  return n_ == other.n_ && std::memcmp(data_, other.data_, n_ * size_of(dtype_)) == 0;
}

OpCase::OpCase(const limen_op& op, std::vector<double> hyper) : op_(op), hyper_(std::move(hyper)) {
  if (op.create == nullptr) return;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, static_cast<std::uint32_t>(text.size()),
                    text.data()};
  if (op.create(hyper_.data(), &instance_, &error) != LIMEN_OK) {
    text.back() = '\0';
    throw Error("E0513", fmt::format("op \"{}\": create() failed: {}", op.name, text.data()));
  }
}

OpCase::~OpCase() {
  if (op_.destroy != nullptr && instance_ != nullptr) op_.destroy(instance_);
}

std::string OpCase::label() const {
  std::string inside;
  for (std::uint32_t p = 0; p < op_.n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, op_.params, p);
    if (hyper_[p] == param.def) continue;
    inside += fmt::format("{}{}={:.6g}", inside.empty() ? "" : ", ", param.name, hyper_[p]);
  }
  return inside.empty() ? std::string(op_.name) : fmt::format("{}{{{}}}", op_.name, inside);
}

std::vector<const limen_kernel*> kernels_of(const limen_op& op, std::uint32_t role,
                                            std::uint32_t dtype, std::uint32_t isa) {
  std::vector<const limen_kernel*> result;
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel* k = LIMEN_AT(limen_kernel, op.kernels, i);
    if (k->role == role && k->dtype == dtype && isa_runs(k->isa, isa)) result.push_back(k);
  }
  return result;
}

const limen_kernel* forward_for(const limen_op& op, const limen_kernel& kernel, std::uint32_t isa) {
  const limen_kernel* best = nullptr;
  const auto rank = [&](const limen_kernel& k) {
    // A variant without a forward of its own goes with the plain one.
    if (k.variant != kernel.variant && (k.variant != 0 || (kernel.reads & LIMEN_STATE) != 0)) {
      return 0;
    }
    return 1 + (k.isa == kernel.isa ? 1 : 0) + (k.variant == kernel.variant ? 2 : 0);
  };
  for (const limen_kernel* k : kernels_of(op, LIMEN_FORWARD, kernel.dtype, isa)) {
    if (rank(*k) > (best == nullptr ? 0 : rank(*best))) best = k;
  }
  return best;
}

std::string describe(const limen_kernel& kernel) {
  constexpr std::array<const char*, 5> kRoles{"", "forward", "backward", "jvp", "backward2"};
  std::string text =
      fmt::format("{} {}, {}", kernel.dtype == LIMEN_F32 ? "f32" : "f64",
                  kRoles[std::min<std::uint32_t>(kernel.role, 4)], isa_name(kernel.isa));
  if (kernel.role == LIMEN_BACKWARD) {
    std::string reads;
    if ((kernel.reads & LIMEN_X) != 0) reads += " x";
    if ((kernel.reads & LIMEN_Y) != 0) reads += " y";
    if ((kernel.reads & LIMEN_STATE) != 0) reads += " state";
    text += reads.empty() ? ", reads nothing" : ", reads" + reads;
  }
  if (kernel.variant != 0) text += fmt::format(", variant {}", kernel.variant);
  return text;
}

Call::Call(const OpCase& which, DType dtype, std::size_t row_count, std::size_t length,
           std::size_t offset)
    : op(which),
      rows(row_count),
      n(length),
      x(dtype, rows * n, offset),
      y(dtype, rows * n, offset),
      dy(dtype, rows * n, offset),
      dx(dtype, rows * n, offset),
      gx(dtype, rows * n, offset),
      gy(dtype, rows * n, offset),
      tx(dtype, rows * n, offset),
      ty(dtype, rows * n, offset) {
  std::uint32_t bits = 0;
  for (std::uint32_t i = 0; i < op.op().n_kernels; ++i) {
    bits = std::max(bits, LIMEN_AT(limen_kernel, op.op().kernels, i)->state_bits);
  }
  state.assign((rows * n * bits + 7) / 8 + kGuard, kPattern);
  scratch_.assign(op.op().scratch_bytes + 64, kPattern);
}

void Call::run(const limen_kernel& kernel) {
  const std::size_t n_params = op.op().n_params;
  const std::vector<const void*> w(n_params, nullptr);
  const std::vector<std::uint32_t> w_step(n_params, 0);
  const std::vector<double*> dw(n_params, nullptr);
  const void* xs[] = {x.data()};
  void* ys[] = {y_in_x ? x.data() : y.data()};
  const void* dys[] = {dy.data()};
  void* dxs[] = {dx_result().data()};
  const void* gxs[] = {gx.data()};
  void* gys[] = {gy.data()};
  const void* txs[] = {tx.data()};
  void* tys[] = {ty.data()};
  limen_tile tile{};
  tile.size = sizeof(limen_tile);
  tile.flags = flags;
  tile.n = n;
  tile.rows = rows;
  tile.row_stride = static_cast<std::int64_t>(n);
  tile.seed[0] = 0x1234;
  tile.hyper = op.hyper().data();
  tile.instance = op.instance();
  tile.x = xs;
  tile.y = ys;
  tile.scratch = aligned(scratch_);
  if (n_params > 0) {
    tile.w = w.data();
    tile.w_step = w_step.data();
    tile.dw = dw.data();
  }
  if (kernel.state_bits > 0 || (kernel.reads & LIMEN_STATE) != 0) tile.state = state.data();
  if (kernel.role == LIMEN_BACKWARD || kernel.role == LIMEN_BACKWARD2) {
    tile.dy = dys;
    tile.dx = dxs;
  }
  if (kernel.role == LIMEN_BACKWARD2) {
    tile.gx = gxs;
    tile.gy = gys;
  }
  if (kernel.role == LIMEN_JVP) {
    tile.tx = txs;
    tile.ty = tys;
  }
  kernel.run(&tile);
}

bool Call::guards_intact() const {
  for (const Operand* o : {&x, &y, &dy, &dx, &gx, &gy, &tx, &ty}) {
    if (!o->guards_intact()) return false;
  }
  return std::all_of(state.end() - kGuard, state.end(), [](std::byte b) { return b == kPattern; });
}

}  // namespace limen::check
