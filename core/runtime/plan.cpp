#include "runtime/plan.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <new>
#include <set>

#include <limen/op.hpp>

namespace limen {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLargest = std::size_t{1} << 62;  // bytes of an arena: sums must not wrap

std::size_t padded(std::size_t bytes) {
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

// Free blocks of the arena, found by size and merged by place.
class Arena {
 public:
  std::size_t take(std::size_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit == by_size_.end()) return grow(bytes);
    const auto [size, offset] = *fit;
    remove(offset, size);
    if (size > bytes) insert(offset + bytes, size - bytes);
    return offset;
  }

  void give_back(std::size_t offset, std::size_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && offset + bytes == next->first) {
      const auto [next_offset, next_size] = *next;
      remove(next_offset, next_size);
      bytes += next_size;
    }
    next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin()) {
      const auto [previous, previous_size] = *std::prev(next);
      if (previous + previous_size == offset) {
        remove(previous, previous_size);
        offset = previous;
        bytes += previous_size;
      }
    }
    insert(offset, bytes);
  }

  std::size_t size() const { return end_; }

 private:
  std::size_t grow(std::size_t bytes) {
    // A free block at the end is the beginning of the new one.
    std::size_t offset = end_;
    if (!by_offset_.empty()) {
      const auto [last, size] = *std::prev(by_offset_.end());
      if (last + size == end_) {
        remove(last, size);
        offset = last;
      }
    }
    if (bytes > kLargest - offset) throw std::bad_alloc();
    end_ = offset + bytes;
    return offset;
  }
  void insert(std::size_t offset, std::size_t size) {
    by_offset_.emplace(offset, size);
    by_size_.emplace(size, offset);
  }
  void remove(std::size_t offset, std::size_t size) {
    by_offset_.erase(offset);
    by_size_.erase({size, offset});
  }

  std::map<std::size_t, std::size_t> by_offset_;
  std::set<std::pair<std::size_t, std::size_t>> by_size_;
  std::size_t end_ = 0;
};

bool is_leaf(Value v) { return v.kind() != NodeKind::op; }

class Planner {
 public:
  Planner(const Graph& graph, bool reuse, std::uint32_t isa)
      : graph_(graph),
        reuse_(reuse),
        isa_(isa),
        last_use_(graph.size()),
        capacity_(graph.size()),
        handed_on_(graph.size()) {
    plan_.root.resize(graph.size());
    plan_.offset.assign(graph.size(), MemoryPlan::kNowhere);
    plan_.partner.assign(graph.size(), MemoryPlan::kNobody);
    plan_.shared.assign(graph.size(), false);
    find_roots_and_uses();
  }

  MemoryPlan run() {
    std::vector<std::vector<NodeId>> dying(
        graph_.size());  // buffers by the node after which they die
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (owns_memory(id) && last_use_[id] < graph_.size()) dying[last_use_[id]].push_back(id);
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!owns_memory(id)) continue;
      const NodeId partner = plan_.partner[id];
      // The kernel that writes both is another one, which may not promise to work in place.
      const bool alone = partner == MemoryPlan::kNobody;
      if (!plan_.shared[id] && (!reuse_ || !alone || !overwrite_dead_input(id))) place(id);
      if (!alone) place(partner);
      if (!reuse_) continue;
      for (const NodeId dead : dying[id]) {
        if (!handed_on_[dead]) arena_.give_back(plan_.offset[dead], capacity_[dead]);
      }
    }
    plan_.arena_bytes = arena_.size();
    return std::move(plan_);
  }

 private:
  bool owns_memory(NodeId id) const { return plan_.root[id] == id && !is_leaf(graph_.node(id)); }

  void place(NodeId id) {
    capacity_[id] = padded(graph_.node(id).type().bytes());
    plan_.offset[id] = arena_.take(capacity_[id]);
  }

  // Whether the node is written by another's call, and has nothing to read then.
  bool share_call(NodeId id, Value node) {
    if (!node.op()->shares_call(node)) return false;
    const NodeId first = node.input(0).id();
    if (plan_.partner[first] != MemoryPlan::kNobody) return false;
    plan_.partner[first] = id;
    return plan_.shared[id] = true;
  }

  void find_roots_and_uses() {
    const auto end = static_cast<NodeId>(graph_.size());
    for (NodeId id = 0; id < end; ++id) {
      const Value node = graph_.node(id);
      plan_.root[id] = id;
      last_use_[id] = id;
      if (is_leaf(node)) continue;
      if (node.op()->is_view()) {
        plan_.root[id] = plan_.root[node.input(0).id()];
        continue;
      }
      if (share_call(id, node)) continue;
      for (int i = 0; i < node.arity(); ++i) {
        if (node.op()->reads(i)) last_use_[plan_.root[node.input(i).id()]] = id;
      }
    }
    for (const auto& [name, value] : graph_.outputs()) last_use_[plan_.root[value.id()]] = end;
  }

  // The first input that dies at this node and may be overwritten hands its memory on.
  bool overwrite_dead_input(NodeId id) {
    const Value node = graph_.node(id);
    for (int i = 0; i < node.arity(); ++i) {
      const NodeId owner = plan_.root[node.input(i).id()];
      if (!node.op()->may_overwrite(i, node.type(), isa_) || !owns_memory(owner) ||
          last_use_[owner] != id || handed_on_[owner] ||
          capacity_[owner] < padded(node.type().bytes()) || read_elsewhere(node, i, owner)) {
        continue;
      }
      plan_.offset[id] = plan_.offset[owner];
      capacity_[id] = capacity_[owner];
      handed_on_[owner] = true;
      return true;
    }
    return false;
  }

  // Whether the node reads the same memory through another input that it may not overwrite.
  bool read_elsewhere(Value node, int slot, NodeId owner) const {
    for (int j = 0; j < node.arity(); ++j) {
      if (j != slot && plan_.root[node.input(j).id()] == owner && node.op()->reads(j) &&
          !node.op()->may_overwrite(j, node.type(), isa_)) {
        return true;
      }
    }
    return false;
  }

  const Graph& graph_;
  bool reuse_;
  std::uint32_t isa_;
  std::vector<NodeId> last_use_;  // of roots: the last node that reads them; size() for outputs
  std::vector<std::size_t> capacity_;  // bytes of the block at a root's offset
  std::vector<bool> handed_on_;        // roots whose block became another node's
  MemoryPlan plan_;
  Arena arena_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& graph, bool reuse, std::uint32_t isa) {
  return Planner(graph, reuse, isa).run();
}

}  // namespace limen
