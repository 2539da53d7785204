#include "ops/activate_call.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "base/kernel_site.hpp"
#include "base/parallel.hpp"
#include "base/philox.hpp"

namespace limen {
namespace {

constexpr std::int64_t kTaskElements = 16384;  // for one thread at a time
constexpr std::int64_t kMostSums = 64;         // parts of a parameter's gradient, each summed alone
constexpr std::int64_t kMostSumValues = 1 << 20;  // of all parts

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

std::int64_t state_of_call(const ActivationLayout& layout, std::uint32_t bits) {
  return (layout.tile * static_cast<std::int64_t>(bits) + 63) / 64 * 8;
}

const char* role_name(std::uint32_t role) {
  return role == LIMEN_FORWARD ? "forward" : role == LIMEN_BACKWARD ? "backward" : "backward2";
}

// The pointers of one tile, which a tile points at.
struct Pointers {
  void* lists[kTileLists][kMostPieces];
  const void* w[kMostParams];
  std::uint32_t w_step[kMostParams];
  double* dw[kMostParams];
};

// Everything a call needs but the buffers.
class Role {
 public:
  Role(const ActivationUse& use, RoleCall call, std::span<const TensorType> in,
       const TensorType& out, const Target& target)
      : use_(use),
        call_(std::move(call)),
        instance_(make_instance(use.f)),
        threads_(target.threads) {
    const auto first = static_cast<std::size_t>(call_.operands.front().input);  // of x
    const TensorType piece = use.piece(in[first]);
    layout_ = layout_of(use, in, piece, call_.first_learned);
    dtype_ = piece.dtype;
    element_ = size_of(piece.dtype);
    calls_per_task_ =
        std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, layout_.tile));
    for (std::size_t i = 0; i < use.learned.size(); ++i) {
      const std::size_t input = static_cast<std::size_t>(call_.first_learned) + i;
      each_.push_back(in[input].elements() > 1);
    }
    if (call_.gradient_of >= 0) {
      sums_ = out.elements();
      const std::int64_t parts =
          std::clamp<std::int64_t>(kMostSumValues / std::max<std::int64_t>(1, sums_), 1, kMostSums);
      calls_per_task_ = std::max(calls_per_task_, (layout_.calls + parts - 1) / parts);
    }
    tasks_ = (layout_.calls + calls_per_task_ - 1) / calls_per_task_;
    scratch_each_ = aligned(use.f.op().scratch_bytes);
    sums_at_ = scratch_each_ * static_cast<std::size_t>(tasks_);
    spare_at_ = sums_at_ + aligned(static_cast<std::size_t>(tasks_ * sums_) * sizeof(double));
    make_tile();
    node_ = target.node;
    kernel_ = fmt::format("{} {} {}", role_name(call_.kernel->role), name_of(dtype_),
                          isa_name(call_.kernel->isa));
  }

  std::size_t scratch_bytes() const {
    std::size_t bytes = spare_at_;
    for (const TileOperand& o : call_.operands) {
      if (o.input != kScratch) continue;
      return bytes + static_cast<std::size_t>(layout_.elements * o.parts) * element_;
    }
    return bytes;
  }

  void run(const KernelArgs& args) const {
    RandomKey key;
    if (use_.random) {
      const std::size_t counter =
          static_cast<std::size_t>(call_.first_learned) + use_.learned.size();
      key = random_key(
          RandomKey{use_.seed},
          static_cast<std::uint64_t>(*args.input<std::int32_t>(static_cast<int>(counter))));
    }
    parallel_for(threads_, tasks_, [&](std::int64_t task) { run_task(args, task, key); });
    if (call_.gradient_of < 0) return;
    dtype_ == DType::f64 ? add_up(args, args.output<double>()) : add_up(args, args.output<float>());
  }

 private:
  // What is the same in every tile.
  void make_tile() {
    const limen_op& op = use_.f.op();
    tile_.size = sizeof tile_;
    tile_.rows = 1;
    tile_.row_stride = layout_.row;
    tile_.hyper = use_.f.hyper().data();
    tile_.instance = instance_.get();
    if ((op.flags & LIMEN_OP_STOCHASTIC) != 0 && !use_.random) tile_.flags = LIMEN_TILE_EVAL;
  }

  void run_task(const KernelArgs& args, std::int64_t task, RandomKey key) const {
    Pointers p;
    limen_tile t = tile_;
    if (use_.random) {
      t.seed[0] = key.value;
      t.seed[1] = random_key(key, 1).value;
    }
    if (scratch_each_ != 0)
      t.scratch = args.scratch + scratch_each_ * static_cast<std::size_t>(task);
    clear(p, t);
    double* sums = nullptr;
    if (call_.gradient_of >= 0) {
      sums = reinterpret_cast<double*>(args.scratch + sums_at_) + task * sums_;
      std::fill_n(sums, sums_, 0.0);
    }
    KernelSite site{
        use_.f.plugin().descriptor->name, use_.f.op().name, kernel_.c_str(), node_.c_str(), 0, 0};
    const std::int64_t end = std::min(layout_.calls, (task + 1) * calls_per_task_);
    for (std::int64_t i = task * calls_per_task_; i < end; ++i) {
      aim(args, i, p, t, sums);
      site.begin = static_cast<std::int64_t>(t.base);
      site.end = site.begin + static_cast<std::int64_t>(t.n * t.rows);
      const KernelGuard guard(site);
      call_.kernel->run(&t);
    }
  }

  // Null wherever nothing will be pointed at.
  void clear(Pointers& p, limen_tile& t) const {
    bool used[kTileLists] = {};
    const auto use = [&](TileList which) {
      const auto list = static_cast<std::size_t>(which);
      if (!used[list]) std::fill_n(p.lists[list], std::max(use_.arity(), use_.outputs()), nullptr);
      used[list] = true;
    };
    for (const TileOperand& o : call_.operands) use(o.list);
    // Results that are not wanted are null in a list that is there.
    if (call_.kernel->role != LIMEN_FORWARD) use(TileList::dx);
    if (call_.kernel->role == LIMEN_BACKWARD2) use(TileList::gy);
    const auto at = [&](TileList list) {
      const auto i = static_cast<std::size_t>(list);
      return used[i] ? p.lists[i] : nullptr;
    };
    t.x = at(TileList::x), t.y = at(TileList::y), t.dy = at(TileList::dy);
    t.dx = at(TileList::dx), t.gx = at(TileList::gx), t.gy = at(TileList::gy);
    if (use_.learned.empty()) return;
    std::fill_n(p.w, use_.f.op().n_params, nullptr);
    std::fill_n(p.w_step, use_.f.op().n_params, 0u);
    t.w = p.w, t.w_step = p.w_step;
    if (call_.gradient_of < 0) return;
    std::fill_n(p.dw, use_.f.op().n_params, nullptr);
    t.dw = p.dw;
  }

  // Points the tile at call i.
  void aim(const KernelArgs& args, std::int64_t i, Pointers& p, limen_tile& t, double* sums) const {
    const ActivationLayout& l = layout_;
    std::int64_t begin = i * l.tile, end = l.elements, outer = 0, inner = begin;
    if (!l.plain()) {
      const std::int64_t run = i / l.calls_per_run;
      begin = run * l.run + i % l.calls_per_run * l.tile;
      end = (run + 1) * l.run;
      outer = begin / l.piece;
      inner = begin % l.piece;
    }
    const std::int64_t length = std::min(l.tile, end - begin);
    t.n = static_cast<std::uint64_t>(use_.f.rows() ? l.row : length);
    if (use_.f.rows()) t.rows = static_cast<std::uint64_t>(length / l.row);
    t.base = static_cast<std::uint64_t>(begin);
    for (const TileOperand& o : call_.operands) {
      const std::int64_t at = (outer * o.parts + o.part) * l.piece + inner;
      p.lists[static_cast<std::size_t>(o.list)][o.slot] =
          memory(args, o.input) + static_cast<std::size_t>(at) * element_;
    }
    if (!use_.learned.empty()) aim_parameters(args, begin, p, sums);
    if (call_.state != kNone) {
      t.state = memory(args, call_.state) + i * state_of_call(l, call_.state_bits);
    }
  }

  void aim_parameters(const KernelArgs& args, std::int64_t begin, Pointers& p, double* sums) const {
    const std::int64_t channel = begin / layout_.channel_run % layout_.channels;
    for (std::size_t k = 0; k < use_.learned.size(); ++k) {
      const auto number = static_cast<std::size_t>(use_.learned[k]);
      const std::int64_t at = each_[k] ? channel : 0;
      p.w[number] = args.in[static_cast<std::size_t>(call_.first_learned) + k] +
                    static_cast<std::size_t>(at) * element_;
      p.w_step[number] = each_[k] && layout_.channel_run == 1 ? 1 : 0;
      if (use_.learned[k] == call_.gradient_of) p.dw[number] = sums + at;
    }
  }

  std::byte* memory(const KernelArgs& args, int input) const {
    if (input == kResult) return args.out;
    if (input == kSecond) return args.second;
    if (input == kScratch) return args.scratch + spare_at_;
    return const_cast<std::byte*>(args.in[input]);  // a tile has no const for y and state
  }

  // In the order of the tasks, which does not depend on the threads.
  template <class T>
  void add_up(const KernelArgs& args, T* out) const {
    const auto* sums = reinterpret_cast<const double*>(args.scratch + sums_at_);
    for (std::int64_t c = 0; c < sums_; ++c) {
      double total = 0;
      for (std::int64_t task = 0; task < tasks_; ++task) total += sums[task * sums_ + c];
      out[c] = static_cast<T>(total);
    }
  }

  ActivationUse use_;
  RoleCall call_;
  ActivationLayout layout_;
  std::shared_ptr<void> instance_;
  std::vector<bool> each_;  // of the learned parameters: one value per channel
  limen_tile tile_{};
  DType dtype_ = DType::f32;
  std::size_t element_ = 4, scratch_each_ = 0;
  std::size_t sums_at_ = 0, spare_at_ = 0;  // in the scratch buffer
  std::int64_t calls_per_task_ = 1, tasks_ = 0, sums_ = 0;
  int threads_;
  std::string kernel_, node_;
};

}  // namespace

void RoleCall::add(TileList list, int count, bool one_tensor, int input) {
  for (int i = 0; i < count; ++i) {
    operands.push_back(one_tensor ? TileOperand{list, i, input, i, count}
                                  : TileOperand{list, i, input + i});
  }
}

std::int64_t state_bytes(const ActivationLayout& layout, std::uint32_t bits) {
  return layout.calls * state_of_call(layout, bits);
}

CompiledOp compile_role(const ActivationUse& use, RoleCall call, std::span<const TensorType> in,
                        const TensorType& out, const Target& target) {
  const auto role = std::make_shared<const Role>(use, std::move(call), in, out, target);
  // On the heap once, so that the std::function stays small to copy.
  return {[role](const KernelArgs& args) { role->run(args); }, role->scratch_bytes()};
}

}  // namespace limen
