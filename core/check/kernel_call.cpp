#include "check/kernel_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include <limen/error.hpp>

#include "base/isa.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kGuard = 64;
constexpr std::size_t kPage = 4096;
constexpr std::byte kPattern{0xa5};

std::byte* aligned(std::vector<std::byte>& memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + (63 - (address + 63) % 64);
}

// Each byte is the one before.
bool untouched(const std::byte* begin, const std::byte* end) {
  return *begin == kPattern &&
         std::memcmp(begin, begin + 1, static_cast<std::size_t>(end - begin) - 1) == 0;
}

}  // namespace

void Unmap::operator()(std::byte* memory) const { ::munmap(memory, size); }

Operand::Operand(DType dtype, std::size_t n, std::size_t offset, Fence fence)
    : dtype_(dtype), n_(n), offset_(offset), fence_(fence) {
  const std::size_t bytes = n * size_of(dtype);
  if (fence == Fence::bytes) {
    memory_.assign(64 + 2 * kGuard + offset * size_of(dtype) + bytes, kPattern);
    data_ = aligned(memory_) + kGuard + offset * size_of(dtype);
  } else {
    // Untouchable, the elements, untouchable, the same again for reading only, untouchable.
    const std::size_t inside = (std::max<std::size_t>(bytes, 1) + kPage - 1) / kPage * kPage;
    const std::size_t whole = 2 * inside + 3 * kPage;
    const int file = ::memfd_create("operand", MFD_CLOEXEC);
    void* memory = ::mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) pages_ = {static_cast<std::byte*>(memory), Unmap{whole}};
    to_view_ = static_cast<std::ptrdiff_t>(inside + kPage);
    const auto map = [&](std::byte* at, int protection) {
      return ::mmap(at, inside, protection, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
    };
    const bool good = pages_ && ::ftruncate(file, static_cast<off_t>(inside)) == 0 &&
                      map(pages_.get() + kPage, PROT_READ | PROT_WRITE) &&
                      map(pages_.get() + kPage + to_view_, PROT_READ);
    ::close(file);
    if (!good) throw std::bad_alloc();
    place(n, fence);
  }
  fill(0);
}

void Operand::place(std::size_t n, Fence fence) {
  const auto inside = static_cast<std::size_t>(to_view_) - kPage;
  n_ = n;
  fence_ = fence;
  view_ = 0;
  data_ = pages_.get() + kPage + (fence == Fence::page_behind ? inside - n * size_of(dtype_) : 0);
  fill(0);
}

Operand::Operand(const Operand& other, Fence fence)
    : Operand(other.dtype_, other.n_, other.offset_, fence) {
  copy_contents(other);
}

void Operand::copy_contents(const Operand& other) {
  std::memcpy(data_, other.data_, n_ * size_of(dtype_));
  absent = other.absent;
}

void Operand::repeat(const Operand& other) {
  for (std::size_t at = 0; at < n_; at += other.n_) {
    std::memcpy(data_ + at * size_of(dtype_), other.data_,
                std::min(other.n_, n_ - at) * size_of(dtype_));
  }
}

bool Operand::repeats(const Operand& other, std::size_t first) const {
  bool same = true;
  const std::size_t n = std::min(first, n_);
  for (std::size_t at = 0; at < n && same; at += other.n_) {
    same = std::memcmp(data_ + at * size_of(dtype_), other.data_,
                       std::min(other.n_, n - at) * size_of(dtype_)) == 0;
  }
  return same;
}

bool Operand::near(const void* address, std::ptrdiff_t& bytes) const {
  const auto at = static_cast<const std::byte*>(address);
  const std::byte* const first = pages_.get() + view_;
  if (!pages_ || at < first || at >= first + to_view_ + kPage) return false;
  bytes = at - (data_ + view_);
  return true;
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

void Operand::assign(std::span<const double> values, std::size_t at) {
  if (dtype_ == DType::f32) {
    std::transform(values.begin(), values.end(), reinterpret_cast<float*>(data_) + at,
                   [](double v) { return static_cast<float>(v); });
  } else {
    std::copy(values.begin(), values.end(), reinterpret_cast<double*>(data_) + at);
  }
}

void Operand::read(std::span<double> values, std::size_t at) const {
  if (dtype_ == DType::f32) {
    std::copy_n(reinterpret_cast<const float*>(data_) + at, values.size(), values.begin());
  } else {
    std::copy_n(reinterpret_cast<const double*>(data_) + at, values.size(), values.begin());
  }
}

void Operand::fill(double value) {
  if (dtype_ == DType::f32) {
    std::fill_n(reinterpret_cast<float*>(data_), n_, static_cast<float>(value));
  } else {
    std::fill_n(reinterpret_cast<double*>(data_), n_, value);
  }
}

Row Operand::values() const {
  Row result(n_);
  read(result);
  return result;
}

double Operand::largest() const {
  double most = 0;
  for (std::size_t i = 0; i < n_; ++i) {
    const double size = std::abs(get(i));
    if (std::isfinite(size)) most = std::max(most, size);
  }
  return most;
}

bool Operand::guards_intact() const {
  if (pages_) return true;
  const std::byte* end = data_ + n_ * size_of(dtype_);
  return untouched(data_ - kGuard, data_) && untouched(end, memory_.data() + memory_.size());
}

bool Operand::same_bits(const Operand& other, std::size_t first) const {
  return n_ == other.n_ &&
         std::memcmp(data_, other.data_, std::min(first, n_) * size_of(dtype_)) == 0;
}

OpCase::OpCase(const limen_op& op, Row hyper) : op_(op), hyper_(std::move(hyper)), lent_(hyper_) {
  if (op.create == nullptr) return;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, static_cast<std::uint32_t>(text.size()),
                    text.data()};
  if (op.create(lent_.data(), &instance_, &error) != LIMEN_OK) {
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
           const CallSettings& how)
    : op(which),
      rows(row_count),
      n(length),
      settings(how),
      hyper(op.hyper().begin(), op.hyper().end()),
      w_step(op.op().n_params, 0) {
  const auto make = [&](Operands& operands, std::size_t count, std::size_t elements, DType type) {
    operands.reserve(count);
    for (std::size_t k = 0; k < count; ++k) {
      operands.emplace_back(type, elements, how.offset, how.fence);
    }
  };
  const std::size_t size = rows * (n + settings.gap);
  const std::size_t others = how.first_order ? 0 : size;
  for (Operands* operands : {&x, &dx}) make(*operands, op.op().arity, size, dtype);
  for (Operands* operands : {&y, &dy}) make(*operands, op.op().outputs, size, dtype);
  for (Operands* operands : {&gx, &tx}) make(*operands, op.op().arity, others, dtype);
  for (Operands* operands : {&gy, &ty}) make(*operands, op.op().outputs, others, dtype);
  make(w, op.op().n_params, 0, dtype);
  make(dw, op.op().n_params, 0, DType::f64);
  for (Operands* operands : {&w, &dw}) {
    for (Operand& operand : *operands) operand.absent = true;
  }
  renew_memory();
}

void Call::renew_memory() {
  std::uint32_t bits = 0;
  for (std::uint32_t i = 0; i < op.op().n_kernels; ++i) {
    bits = std::max(bits, LIMEN_AT(limen_kernel, op.op().kernels, i)->state_bits);
  }
  // Whoever takes other elements than it says must not bring the process down before it is told.
  const std::size_t size = rows * (n + settings.gap);
  behind_state_ = kGuard + (bits > 0 ? 8 * std::min<std::size_t>(size, 2048) : 0);
  state.assign((size * bits + 7) / 8 + behind_state_, kPattern);
  spoil_scratch();
}

void Call::spoil_scratch() { scratch_.assign(op.op().scratch_bytes + 64, std::byte{0xff}); }

void Call::place(std::size_t row_count, std::size_t length, Fence fence) {
  rows = row_count;
  n = length;
  for (Operands* operands : tensors()) {
    for (Operand& operand : *operands) operand.place(rows * n, fence);
  }
  renew_memory();
}

void Call::copy_contents(const Call& other) {
  const auto copy = [](Operands& to, const Operands& from) {
    for (std::size_t k = 0; k < to.size(); ++k) to[k].copy_contents(from[k]);
  };
  copy(x, other.x), copy(y, other.y), copy(dy, other.dy), copy(dx, other.dx);
  copy(gx, other.gx), copy(gy, other.gy), copy(tx, other.tx), copy(ty, other.ty);
  state = other.state;
  scratch_ = other.scratch_;
}

void Call::learn(std::size_t p, std::span<const double> values) {
  const auto replace = [&](Operands& operands, DType dtype) -> Operand& {
    std::destroy_at(&operands[p]);
    return *std::construct_at(&operands[p], dtype, values.size(), settings.offset, settings.fence);
  };
  replace(w, x[0].dtype()).assign(values);
  replace(dw, DType::f64);
}

void Call::run(const limen_kernel& kernel) {
  pointers_.resize(4 * (x.size() + y.size()) + w.size());
  void** next = pointers_.data();
  const auto pointers = [&next](Operands& operands) {
    void** const list = next;
    for (Operand& operand : operands) *next++ = operand.data();
    return list;
  };
  void **const ys = pointers(y), **const dxs = pointers(dx);
  if (y_in_x) ys[0] = x[0].data();
  dxs[0] = dx_at(0).data();
  sums_.resize(dw.size());
  for (std::size_t p = 0; p < dw.size(); ++p) sums_[p] = static_cast<double*>(dw[p].data());
  limen_tile tile{};
  tile.size = sizeof(limen_tile);
  tile.flags = settings.flags;
  tile.n = n;
  tile.rows = rows;
  tile.row_stride = static_cast<std::int64_t>(n + settings.gap);
  tile.base = settings.base;
  tile.seed[0] = settings.seed, tile.seed[1] = settings.second_seed;
  tile.hyper = hyper.data();
  tile.instance = op.instance();
  void** const xs = pointers(x);
  if (one_x) std::fill_n(xs, x.size(), x[0].data());
  tile.x = xs;
  tile.y = ys;
  tile.scratch = aligned(scratch_);
  if (!w.empty()) {
    tile.w = pointers(w);
    tile.w_step = w_step.data();
  }
  if (kernel.state_bits > 0 || (kernel.reads & LIMEN_STATE) != 0) tile.state = state.data();
  if (kernel.role == LIMEN_BACKWARD || kernel.role == LIMEN_BACKWARD2) {
    tile.dy = pointers(dy);
    tile.dx = dxs;
    if (!sums_.empty() && kernel.role == LIMEN_BACKWARD) tile.dw = sums_.data();
  }
  if (kernel.role == LIMEN_BACKWARD2) {
    tile.gx = pointers(gx);
    tile.gy = pointers(gy);
  }
  if (kernel.role == LIMEN_JVP) {
    tile.tx = pointers(tx);
    tile.ty = pointers(ty);
  }
  kernel.run(&tile);
}

Operand& Call::dx_at(std::size_t k) {
  if (k == 0 && dx_in_dy) return dy[0];
  return k == 0 && dx_in_x ? x[0] : dx[k];
}

std::vector<std::pair<std::string, Operand*>> Call::named() {
  std::vector<std::pair<std::string, Operand*>> list;
  const auto add = [&](const char* name, Operands& operands) {
    for (std::size_t k = 0; k < operands.size(); ++k) {
      list.emplace_back(fmt::format("{}[{}]", name, k), &operands[k]);
    }
  };
  add("x", x), add("y", y), add("dy", dy), add("dx", dx), add("gx", gx), add("gy", gy);
  add("tx", tx), add("ty", ty), add("w", w), add("dw", dw);
  return list;
}

bool Call::guards_intact() const {
  for (const Operands* operands : {&x, &y, &dy, &dx, &gx, &gy, &tx, &ty, &w, &dw}) {
    for (const Operand& operand : *operands) {
      if (!operand.guards_intact()) return false;
    }
  }
  return state_intact();
}

bool Call::state_intact() const {
  const std::byte* const end = state.data() + state.size();
  return untouched(end - behind_state_, end);
}

}  // namespace limen::check
