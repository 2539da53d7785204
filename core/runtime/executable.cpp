#include <limen/executable.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_map>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/passes.hpp>

#include "base/isa.hpp"
#include "base/parallel.hpp"
#include "base/text.hpp"
#include "runtime/plan.hpp"

namespace limen {

struct Executable::Impl {
  struct Step {
    Kernel run;
    std::size_t first_input;  // into `pointers`
    std::byte* out;
    std::byte* scratch;
    std::byte* second;  // null unless another node shares the call
    std::shared_ptr<const Op> op;
  };
  struct Leaf {
    TensorType type;
    bool parameter = false;
    std::vector<std::size_t> slots;  // the places in `pointers` that read it
    Tensor bound;
  };
  struct Output {
    std::string name;
    TensorType type;
    std::byte* data = nullptr;  // null: the leaf's
    std::string leaf;
  };

  std::vector<Step> steps;
  std::vector<const std::byte*> pointers;  // inputs of all steps, one after the other
  std::vector<Tensor> kept;                // arena, scratch, constants
  std::unordered_map<std::string, Leaf> leaves;
  std::vector<std::string> input_names;
  std::vector<Output> outputs;
  std::size_t unbound = 0;
  ExecutableStats stats;

  KernelArgs args(const Step& step) const {
    return {pointers.data() + step.first_input, step.out, step.scratch, step.second};
  }
  [[noreturn]] void throw_unbound() const;
};

namespace {

Tensor bytes_tensor(std::size_t bytes) {
  return Tensor({{static_cast<std::int64_t>((bytes + 3) / 4)}, DType::i32});
}

// Turns a graph into the steps of an Impl.
class Compiler {
 public:
  Compiler(const Graph& graph, const CompileOptions& options)
      : graph_(graph),
        target_{.threads = std::max(1, options.threads),
                .isa = options.isa != 0 ? options.isa : detect_isa(),
                .reference = options.reference},
        plan_(plan_memory(graph, options.reuse_memory, target_.isa)) {}

  template <class Impl>
  void fill(Impl& impl) {
    const Tensor arena = bytes_tensor(plan_.arena_bytes);
    impl.kept.push_back(arena);
    impl.stats.arena_bytes = plan_.arena_bytes;
    add_leaves(impl);
    add_steps(impl, arena.data());
    const Tensor scratch = bytes_tensor(scratch_bytes_);
    impl.kept.push_back(scratch);
    impl.stats.scratch_bytes = scratch_bytes_;
    impl.stats.steps = impl.steps.size();
    for (auto& step : impl.steps) step.scratch = scratch.data();
    for (const auto& [name, value] : graph_.outputs()) {
      typename Impl::Output output{name, value.type(), nullptr, {}};
      const Value root = graph_.node(plan_.root[value.id()]);
      if (root.kind() == NodeKind::input || root.kind() == NodeKind::parameter) {
        output.leaf = root.name();
      } else {
        output.data = memory_of(root, arena.data());
      }
      impl.outputs.push_back(std::move(output));
    }
  }

 private:
  template <class Impl>
  void add_leaves(Impl& impl) {
    for (const bool parameter : {false, true}) {
      for (const Value leaf : parameter ? graph_.parameters() : graph_.inputs()) {
        impl.leaves.emplace(leaf.name(), typename Impl::Leaf{leaf.type(), parameter, {}, {}});
        impl.input_names.push_back(leaf.name());
        ++impl.unbound;
      }
    }
  }

  template <class Impl>
  void add_steps(Impl& impl, std::byte* arena) {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Value node = graph_.node(id);
      if (node.kind() == NodeKind::constant) impl.kept.push_back(node.constant());
      if (node.kind() != NodeKind::op || plan_.root[id] != id) continue;
      if (plan_.shared[id]) continue;
      std::vector<TensorType> types;
      const std::size_t first = impl.pointers.size();
      for (int i = 0; i < node.arity(); ++i) {
        types.push_back(node.input(i).type());
        const Value root = graph_.node(plan_.root[node.input(i).id()]);
        if (root.kind() == NodeKind::input || root.kind() == NodeKind::parameter) {
          impl.leaves.at(root.name()).slots.push_back(impl.pointers.size());
          impl.pointers.push_back(nullptr);
        } else {
          impl.pointers.push_back(memory_of(root, arena));
        }
      }
      target_.node = node.name();
      const NodeId partner = plan_.partner[id];
      const bool joint = partner != MemoryPlan::kNobody;
      CompiledOp compiled =
          joint ? graph_.node(partner).op()->compile_joint(types, node.type(), target_)
                : node.op()->compile(types, node.type(), target_);
      scratch_bytes_ = std::max(scratch_bytes_, compiled.scratch_bytes);
      impl.stats.flops += node.op()->flops(types, node.type());
      impl.steps.push_back({std::move(compiled.run), first, arena + plan_.offset[id], nullptr,
                            joint ? arena + plan_.offset[partner] : nullptr, node.shared_op()});
    }
  }

  // Of constants and of what is computed.
  std::byte* memory_of(Value root, std::byte* arena) const {
    return root.kind() == NodeKind::constant ? root.constant().data()
                                             : arena + plan_.offset[root.id()];
  }

  const Graph& graph_;
  Target target_;
  MemoryPlan plan_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace

Executable compile(const Graph& graph, const CompileOptions& options) {
  const OneThreadScope one_thread;
  auto impl = std::make_unique<Executable::Impl>();
  if (options.optimize) {
    Compiler(optimize(graph), options).fill(*impl);
  } else {
    Compiler(rewrite(graph, {}), options).fill(*impl);
  }
  return Executable(std::move(impl));
}

Executable::Executable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Executable::Executable(Executable&&) noexcept = default;
Executable& Executable::operator=(Executable&&) noexcept = default;
Executable::~Executable() = default;

void Executable::bind(std::string_view name, const Tensor& tensor) {
  const auto found = impl_->leaves.find(std::string(name));
  if (found == impl_->leaves.end()) {
    const std::string nearest = did_you_mean(name, impl_->input_names);
    std::vector<std::string> help{fmt::format("there are: {}", join(impl_->input_names))};
    if (!nearest.empty()) help.insert(help.begin(), nearest);
    throw Error("E0405", fmt::format("the graph has no input or parameter `{}`", name), help);
  }
  Impl::Leaf& leaf = found->second;
  if (!tensor.valid() || tensor.type() != leaf.type) {
    throw Error("E0602", fmt::format("`{}` takes {}, got {}", name, to_string(leaf.type),
                                     tensor.valid() ? to_string(tensor.type()) : "nothing"));
  }
  if (!leaf.bound.valid()) --impl_->unbound;
  leaf.bound = tensor;
  for (const std::size_t slot : leaf.slots) impl_->pointers[slot] = tensor.data();
}

void Executable::Impl::throw_unbound() const {
  std::vector<std::string> missing;
  for (const std::string& name : input_names) {
    if (!leaves.at(name).bound.valid()) missing.push_back(name);
  }
  throw Error("E0408", fmt::format("nothing is bound to {}", join(missing)));
}

void Executable::run() {
  if (impl_->unbound != 0) impl_->throw_unbound();
  const OneThreadScope one_thread;
  for (const Impl::Step& step : impl_->steps) step.run(impl_->args(step));
}

TensorView Executable::output(std::string_view name) const {
  for (const Impl::Output& output : impl_->outputs) {
    if (output.name != name) continue;
    if (output.data != nullptr) return {output.data, output.type};
    const Tensor& bound = impl_->leaves.at(output.leaf).bound;
    if (!bound.valid()) impl_->throw_unbound();
    return {bound.data(), output.type};
  }
  throw Error("E0405", fmt::format("the graph has no output `{}`", name),
              {fmt::format("there are: {}", join(output_names()))});
}

std::vector<std::string> Executable::input_names() const { return impl_->input_names; }

std::vector<std::string> Executable::output_names() const {
  std::vector<std::string> names;
  for (const Impl::Output& output : impl_->outputs) names.push_back(output.name);
  return names;
}

const ExecutableStats& Executable::stats() const { return impl_->stats; }

std::vector<Executable::OpTime> Executable::profile(int repeats) {
  if (impl_->unbound != 0) impl_->throw_unbound();
  const OneThreadScope one_thread;
  using Clock = std::chrono::steady_clock;
  std::map<std::string, OpTime> times;
  for (int r = 0; r < repeats; ++r) {
    for (const Impl::Step& step : impl_->steps) {
      const auto begin = Clock::now();
      step.run(impl_->args(step));
      const std::chrono::duration<double> spent = Clock::now() - begin;
      std::string op(step.op->name());
      if (const std::string a = step.op->attributes(); !a.empty()) op += "{" + a + "}";
      OpTime& time = times[op];
      time.op = op;
      time.seconds += spent.count() / repeats;
      time.calls += r == 0 ? 1 : 0;
    }
  }
  std::vector<OpTime> sorted;
  for (auto& [key, time] : times) sorted.push_back(std::move(time));
  std::sort(sorted.begin(), sorted.end(),
            [](const OpTime& a, const OpTime& b) { return a.seconds > b.seconds; });
  return sorted;
}

}  // namespace limen
