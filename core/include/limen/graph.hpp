// Graph: an append-only directed acyclic graph of tensors. A node is one tensor; its inputs exist
// before it, so index order is a topological order and every traversal is a loop.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <limen/op.hpp>
#include <limen/tensor.hpp>

namespace limen {

using NodeId = std::uint32_t;
class GraphData;  // holds the boost::adjacency_list
class Graph;

enum class NodeKind : std::uint8_t { input, parameter, constant, op };

// A handle to one node. Cheap to copy; valid while its graph lives, also after the graph is moved;
// so are the references it gives out.
class Value {
 public:
  Value() = default;

  bool valid() const { return data_ != nullptr; }
  explicit operator bool() const { return valid(); }
  NodeId id() const { return id_; }
  bool operator==(const Value&) const = default;

  NodeKind kind() const;
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  const Op* op() const;                         // null for leaves
  std::shared_ptr<const Op> shared_op() const;  // null for leaves
  const std::string& name() const;              // of inputs and parameters; else the scope
  // Nodes added from now on belong to the scope of this one.
  void enter_scope() const;
  const Tensor& constant() const;  // the value of a constant
  int arity() const;
  Value input(int i) const;

  Value sibling(NodeId id) const { return {data_, id}; }  // another node of the same graph

  // A constant in this value's graph.
  Value make_constant(const Tensor& value) const;
  Value make_constant(double value) const;  // a scalar of this value's element type

 private:
  friend class Graph;
  friend class GraphData;
  Value(GraphData* data, NodeId id) : data_(data), id_(id) {}
  GraphData* data_ = nullptr;
  NodeId id_ = 0;
};

// Appends the node op(inputs...) to the graph of its inputs (at least one). Throws Error E06xx if
// the op refuses the types.
Value add_node(std::shared_ptr<const Op> op, std::span<const Value> inputs);
Value add_node(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs);

// Owns the nodes. Not thread-safe while it is being built.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  // Leaves. Names are unique over inputs and parameters; a second use throws Error E0403.
  Value input(std::string name, TensorType type);
  Value parameter(std::string name, TensorType type);
  Value constant(Tensor value);
  Value add(std::shared_ptr<const Op> op, std::span<const Value> inputs);

  // Names a result. A name used twice throws Error E0403.
  void output(std::string name, Value value);
  const std::vector<std::pair<std::string, Value>>& outputs() const;
  Value output(std::string_view name) const;  // throws Error E0405 with the names there are
  bool has_output(std::string_view name) const;

  // Text attached to the nodes added from now on: the model step they belong to.
  void set_scope(std::string scope);

  std::size_t size() const;
  Value node(NodeId id) const;
  std::vector<Value> inputs() const;        // in order of addition
  std::vector<Value> parameters() const;    // likewise
  Value leaf(std::string_view name) const;  // an input or parameter; throws Error E0405

 private:
  std::unique_ptr<GraphData> data_;
};

// Checks the invariants (edges mirror inputs, inputs precede, types equal infer()) with
// Boost.Graph; throws Error E7001 with the first violation. For tests and debug builds.
void verify(const Graph& graph);

// One line per node: `%10 f32[4, 2] = activate{tanh} %5`.
std::string print(const Graph& graph);
// Graphviz dot.
void write_dot(const Graph& graph, std::ostream& out);
// For each node, whether it depends on one of `sources` (which count as depending on themselves).
std::vector<bool> depends_on(const Graph& graph, std::span<const Value> sources);
// The number of nodes on the longest chain.
std::size_t depth(const Graph& graph);

}  // namespace limen
