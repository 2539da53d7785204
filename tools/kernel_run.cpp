#include "kernel_run.hpp"

#include <array>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "context.hpp"

namespace limen::tools {
namespace {

constexpr std::size_t kNear = 1024;  // elements: operands of doubles fit 32 KiB
constexpr std::size_t kFar = std::size_t{1} << 21;
constexpr std::size_t kRow = 64;

std::size_t count_of(const limen_op& op, KernelRun::Operand operand) {
  using enum KernelRun::Operand;
  return operand == y || operand == dy || operand == ty || operand == gy ? op.outputs : op.arity;
}

template <class Call>
double nanoseconds(const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

// The median of several samples, each long enough for the clock.
double time_of(const KernelRun& data, const limen_kernel& kernel) {
  constexpr double kSample = 100'000;
  data.run(kernel);  // warm
  const double once = std::max(1.0, nanoseconds([&] { data.run(kernel); }));
  const auto calls = static_cast<std::size_t>(std::max(1.0, kSample / once));
  std::array<double, 7> samples{};
  for (double& sample : samples) {
    sample = nanoseconds([&] {
               for (std::size_t i = 0; i < calls; ++i) data.run(kernel);
             }) /
             static_cast<double>(calls);
  }
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

void prepare(KernelRun& data, const Activation& activation) {
  for (std::size_t piece = 0; piece < activation.op().arity; ++piece) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      data.set(KernelRun::x, i, std::fmod(static_cast<double>(i) * 0.618, 6.0) - 3, piece);
    }
  }
  for (const auto operand : {KernelRun::dy, KernelRun::tx, KernelRun::gx}) data.fill(operand, 0.5);
  data.fill(KernelRun::y, 0.25);
}

// For kernels that read state: the forward that writes it runs first.
void write_state(const KernelRun& data, const limen_op& op, const limen_kernel& kernel) {
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel& other = *LIMEN_AT(limen_kernel, op.kernels, i);
    if (other.role == LIMEN_FORWARD && other.variant == kernel.variant &&
        other.dtype == kernel.dtype && isa_runs(other.isa, detect_isa())) {
      return data.run(other);
    }
  }
}

double sized(const Activation& activation, const limen_kernel& kernel, std::size_t elements) {
  const bool rows = activation.rows();
  const std::size_t n = rows ? std::min(kRow, elements) : elements;
  KernelRun data(activation, kernel.dtype, n, rows ? std::max<std::size_t>(1, elements / kRow) : 1);
  prepare(data, activation);
  write_state(data, activation.op(), kernel);
  return time_of(data, kernel);
}

}  // namespace

KernelRun::KernelRun(const Activation& activation, std::uint32_t dtype, std::size_t n,
                     std::size_t rows)
    : activation_(activation), dtype_(dtype), n_(n), rows_(rows) {
  const limen_op& op = activation_.op();
  std::uint32_t state_bits = 0;
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    state_bits = std::max(state_bits, LIMEN_AT(limen_kernel, op.kernels, i)->state_bits);
  }
  for (std::uint8_t operand = 0; operand < kOperands; ++operand) {
    for (std::size_t k = 0; k < count_of(op, static_cast<Operand>(operand)); ++k) {
      memory_[operand].emplace_back(size() + 8);  // doubles, enough for either type
      pointers_[operand].push_back(memory_[operand].back().data());
    }
  }
  learned_.assign(op.n_params, nullptr);
  steps_.assign(op.n_params, 0);
  gradients_.assign(op.n_params, nullptr);
  state_.assign((size() * state_bits + 63) / 64 + 8, 0);
  scratch_.assign(op.scratch_bytes / 8 + 16, 0);
  if (op.create != nullptr) {
    std::array<char, 512> text{};
    limen_error error{sizeof(limen_error), 0, -1, text.size(), text.data()};
    if (op.create(activation_.hyper().data(), &instance_, &error) != LIMEN_OK) {
      throw Error("E0513", fmt::format("op \"{}\": create() failed: {}", op.name, text.data()));
    }
  }
  tile_ = {.size = sizeof(limen_tile),
           .flags = LIMEN_TILE_EVAL,
           .n = n_,
           .rows = rows_,
           .row_stride = static_cast<std::int64_t>(n_),
           .base = 0,
           .seed = {1, 2},
           .hyper = activation_.hyper().data(),
           .instance = instance_,
           .x = pointers_[x].data(),
           .y = pointers_[y].data(),
           .dy = pointers_[dy].data(),
           .dx = pointers_[dx].data(),
           .tx = pointers_[tx].data(),
           .ty = pointers_[ty].data(),
           .gx = pointers_[gx].data(),
           .gy = pointers_[gy].data(),
           .state = state_.data(),
           .w = learned_.data(),
           .w_step = steps_.data(),
           .dw = gradients_.data(),
           .scratch = scratch_.data()};
  const auto address = reinterpret_cast<std::uintptr_t>(scratch_.data());
  tile_.scratch = reinterpret_cast<void*>((address + 63) / 64 * 64);
}

KernelRun::~KernelRun() {
  if (activation_.op().destroy != nullptr && instance_ != nullptr) {
    activation_.op().destroy(instance_);
  }
}

void KernelRun::set(Operand operand, std::size_t i, double value, std::size_t piece) {
  void* const memory = pointers_[operand][piece];
  if (dtype_ == LIMEN_F32) {
    static_cast<float*>(memory)[i] = static_cast<float>(value);
  } else {
    static_cast<double*>(memory)[i] = value;
  }
}

double KernelRun::get(Operand operand, std::size_t i, std::size_t piece) const {
  const void* const memory = pointers_[operand][piece];
  return dtype_ == LIMEN_F32 ? static_cast<double>(static_cast<const float*>(memory)[i])
                             : static_cast<const double*>(memory)[i];
}

void KernelRun::fill(Operand operand, double value) {
  for (std::size_t piece = 0; piece < pointers_[operand].size(); ++piece) {
    for (std::size_t i = 0; i < size(); ++i) set(operand, i, value, piece);
  }
}

std::vector<double> values_of(const Activation& activation, std::uint32_t dtype,
                              std::span<const double> at) {
  const limen_kernel* kernel = activation.kernel(LIMEN_FORWARD, dtype, detect_isa());
  std::vector<double> values;
  if (kernel == nullptr || at.empty() || activation.rows()) return values;
  KernelRun data(activation, dtype, at.size());
  data.fill(KernelRun::x, 1);
  for (std::size_t i = 0; i < at.size(); ++i) data.set(KernelRun::x, i, at[i]);
  data.run(*kernel);
  for (std::size_t i = 0; i < at.size(); ++i) values.push_back(data.get(KernelRun::y, i));
  return values;
}

Curves curves_of(const Activation& activation, std::span<const double> at) {
  Curves curves;
  if (activation.kernel(LIMEN_FORWARD, LIMEN_F64, detect_isa()) == nullptr)
    curves.dtype = LIMEN_F32;
  curves.y = values_of(activation, curves.dtype, at);
  if (curves.y.empty()) return curves;
  KernelRun data(activation, curves.dtype, at.size());
  data.fill(KernelRun::x, 1);
  data.fill(KernelRun::dy, 1);
  for (std::size_t i = 0; i < at.size(); ++i) {
    data.set(KernelRun::x, i, at[i]);
    data.set(KernelRun::y, i, curves.y[i]);
    data.set(KernelRun::gx, i, 1);
  }
  for (const auto& [role, into] :
       {std::pair{LIMEN_BACKWARD, &curves.slope}, std::pair{LIMEN_BACKWARD2, &curves.bend}}) {
    const limen_kernel* kernel = activation.kernel(role, curves.dtype, detect_isa());
    if (kernel == nullptr) continue;
    data.run(*kernel);
    for (std::size_t i = 0; i < at.size(); ++i) into->push_back(data.get(KernelRun::dx, i));
  }
  return curves;
}

std::vector<KernelTime> time_kernels(const Activation& activation, bool far) {
  std::vector<KernelTime> times;
  const limen_op& op = activation.op();
  if (op.kind == LIMEN_GENERAL) return times;
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel& kernel = *LIMEN_AT(limen_kernel, op.kernels, i);
    if (!isa_runs(kernel.isa, detect_isa())) continue;
    if (kernel.dtype != LIMEN_F32 && kernel.dtype != LIMEN_F64) continue;
    KernelTime time{.kernel = &kernel};
    time.near_ns = sized(activation, kernel, kNear) / kNear;
    if (far) {
      time.far_ns = sized(activation, kernel, kFar) / kFar;
      time.call_ns = sized(activation, kernel, 1);
    }
    times.push_back(time);
  }
  return times;
}

std::string role_text(std::uint32_t role) {
  constexpr const char* kRoles[] = {"?", "forward", "backward", "jvp", "backward2"};
  return kRoles[role <= LIMEN_BACKWARD2 ? role : 0];
}

std::string kernel_text(const limen_kernel& kernel) {
  std::string text = fmt::format("{} {} {}", kernel.dtype == LIMEN_F64 ? "f64" : "f32",
                                 role_text(kernel.role), isa_name(kernel.isa));
  if (kernel.variant != 0) text += fmt::format(" variant {}", kernel.variant);
  if ((kernel.reads & LIMEN_Y) != 0) text += " reads y";
  if ((kernel.reads & LIMEN_STATE) != 0) text += " reads state";
  return text;
}

std::vector<Activation> ops_of_subject(Context& context, const std::string& subject) {
  if (subject.find('/') != std::string::npos || subject.ends_with(".so")) {
    PluginRegistry registry;
    registry.load(subject);
    return registry.activations();
  }
  std::vector<Activation> ops;
  for (const Activation& activation : context.registry().activations()) {
    if (activation.plugin().name() == subject) ops.push_back(activation);
  }
  if (ops.empty()) ops.push_back(context.registry().find(subject));
  return ops;
}

}  // namespace limen::tools
