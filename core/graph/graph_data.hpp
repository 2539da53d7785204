// The storage behind Graph: nodes that never move, since Value hands out references to their types
// and names while further nodes are added (`broadcast_to(y.make_constant(1), y.shape())`), and a
// Boost adjacency_list over them. vecS keeps descriptors equal to indices (nodes are never removed)
// and allows parallel edges (x * x). The inputs in NodeData are the ordered truth; the edges mirror
// them and are written in GraphData::boost() alone, when somebody looks: most graphs are steps
// between passes that nobody does, and edges are half the cost of a node.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/graph/adjacency_list.hpp>
#include <limen/graph.hpp>

namespace limen {

struct NodeData {
  NodeKind kind = NodeKind::op;
  std::uint32_t scope = 0;  // index into GraphData::scopes
  TensorType type;
  std::shared_ptr<const Op> op;
  std::vector<NodeId> inputs;
  std::string name;  // of leaves
  Tensor constant;
};

struct EdgeData {
  int slot = 0;  // which input of the target
};

class GraphData {
 public:
  using Boost = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS,
                                      boost::no_property, EdgeData>;

  Value append(NodeData node);
  Value at(NodeId id) { return Value(this, id); }
  NodeData& operator[](NodeId id) { return nodes[id]; }
  const NodeData& operator[](NodeId id) const { return nodes[id]; }
  static const GraphData* of(Value value) { return value.data_; }
  // The nodes of now as a Boost graph. For one thread at a time, like adding nodes.
  const Boost& boost() const;

  std::deque<NodeData> nodes;
  std::deque<std::string> scopes{std::string()};
  std::uint32_t scope = 0;
  std::vector<NodeId> inputs, parameters;
  std::unordered_map<std::string, NodeId> leaves;
  std::vector<std::pair<std::string, Value>> outputs;

 private:
  mutable Boost boost_;  // of the first num_vertices nodes
};

}  // namespace limen
