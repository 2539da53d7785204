#include <limen/graph.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "base/text.hpp"
#include "graph/graph_data.hpp"

namespace limen {

std::vector<Value> Op::vjp(Value, Value) const {
  throw Error("E0610", fmt::format("`{}` is not differentiable", name()));
}

Value GraphData::append(NodeData node) {
  static_cast<void>(node.type.elements());  // throws E0606: nothing later need fear an overflow
  node.scope = scope;
  nodes.push_back(std::move(node));
  return at(static_cast<NodeId>(nodes.size() - 1));
}

const GraphData::Boost& GraphData::boost() const {
  for (std::size_t id = boost::num_vertices(boost_); id < nodes.size(); ++id) {
    boost::add_vertex(boost_);
    const std::vector<NodeId>& in = nodes[id].inputs;
    for (std::size_t i = 0; i < in.size(); ++i) {
      boost::add_edge(in[i], id, EdgeData{static_cast<int>(i)}, boost_);
    }
  }
  return boost_;
}

NodeKind Value::kind() const { return (*data_)[id_].kind; }
const TensorType& Value::type() const { return (*data_)[id_].type; }
const Op* Value::op() const { return (*data_)[id_].op.get(); }
std::shared_ptr<const Op> Value::shared_op() const { return (*data_)[id_].op; }
const Tensor& Value::constant() const { return (*data_)[id_].constant; }
int Value::arity() const { return static_cast<int>((*data_)[id_].inputs.size()); }
Value Value::input(int i) const {
  return data_->at((*data_)[id_].inputs[static_cast<std::size_t>(i)]);
}
const std::string& Value::name() const {
  const NodeData& node = (*data_)[id_];
  return node.kind == NodeKind::input || node.kind == NodeKind::parameter
             ? node.name
             : data_->scopes[node.scope];
}

void Value::enter_scope() const { data_->scope = (*data_)[id_].scope; }

namespace {

Value append_constant(GraphData& data, Tensor value) {
  NodeData node;
  node.kind = NodeKind::constant;
  node.type = value.type();
  node.constant = std::move(value);
  return data.append(std::move(node));
}

Value append_op(GraphData& data, std::shared_ptr<const Op> op, std::span<const Value> inputs) {
  NodeData node;
  std::vector<TensorType> types;
  types.reserve(inputs.size());
  node.inputs.reserve(inputs.size());
  for (const Value input : inputs) {
    assert(GraphData::of(input) == &data && "operands of one node live in one graph");
    types.push_back(input.type());
    node.inputs.push_back(input.id());
  }
  node.type = op->infer(types);
  node.op = std::move(op);
  return data.append(std::move(node));
}

}  // namespace

Value Value::make_constant(const Tensor& value) const { return append_constant(*data_, value); }
Value Value::make_constant(double value) const {
  return append_constant(*data_, Tensor::scalar(value, dtype()));
}

Value add_node(std::shared_ptr<const Op> op, std::span<const Value> inputs) {
  assert(!inputs.empty());
  return append_op(const_cast<GraphData&>(*GraphData::of(inputs.front())), std::move(op), inputs);
}

Value add_node(std::shared_ptr<const Op> op, std::initializer_list<Value> inputs) {
  return add_node(std::move(op), std::span<const Value>(inputs.begin(), inputs.size()));
}

Graph::Graph() : data_(std::make_unique<GraphData>()) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

namespace {

Value append_leaf(GraphData& data, NodeKind kind, std::string name, TensorType type) {
  if (data.leaves.contains(name)) {
    throw Error("E0403", fmt::format("the graph has an input or parameter `{}` already", name));
  }
  NodeData node;
  node.kind = kind;
  node.type = type;
  node.name = name;
  const Value leaf = data.append(std::move(node));
  data.leaves.emplace(std::move(name), leaf.id());
  return leaf;
}

[[noreturn]] void throw_unknown(std::string_view what, std::string_view name,
                                std::vector<std::string> known) {
  std::sort(known.begin(), known.end());
  std::vector<std::string> help{did_you_mean(name, known),
                                fmt::format("there are: {}", join(known))};
  if (help.front().empty()) help.erase(help.begin());
  throw Error("E0405", fmt::format("the graph has no {} `{}`", what, name), help);
}

}  // namespace

Value Graph::input(std::string name, TensorType type) {
  const Value leaf = append_leaf(*data_, NodeKind::input, std::move(name), type);
  data_->inputs.push_back(leaf.id());
  return leaf;
}

Value Graph::parameter(std::string name, TensorType type) {
  const Value leaf = append_leaf(*data_, NodeKind::parameter, std::move(name), type);
  data_->parameters.push_back(leaf.id());
  return leaf;
}

Value Graph::constant(Tensor value) { return append_constant(*data_, std::move(value)); }

Value Graph::add(std::shared_ptr<const Op> op, std::span<const Value> inputs) {
  return append_op(*data_, std::move(op), inputs);
}

void Graph::output(std::string name, Value value) {
  if (has_output(name))
    throw Error("E0403", fmt::format("the graph has an output `{}` already", name));
  data_->outputs.emplace_back(std::move(name), value);
}

const std::vector<std::pair<std::string, Value>>& Graph::outputs() const { return data_->outputs; }

bool Graph::has_output(std::string_view name) const {
  return std::any_of(outputs().begin(), outputs().end(),
                     [&](const auto& o) { return o.first == name; });
}

Value Graph::output(std::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [key, value] : outputs()) {
    if (key == name) return value;
    known.push_back(key);
  }
  throw_unknown("output", name, std::move(known));
}

void Graph::set_scope(std::string scope) {
  if (scope == data_->scopes[data_->scope]) return;
  data_->scopes.push_back(std::move(scope));
  data_->scope = static_cast<std::uint32_t>(data_->scopes.size() - 1);
}

std::size_t Graph::size() const { return data_->nodes.size(); }
Value Graph::node(NodeId id) const { return data_->at(id); }

std::vector<Value> Graph::inputs() const {
  std::vector<Value> values;
  for (const NodeId id : data_->inputs) values.push_back(data_->at(id));
  return values;
}

std::vector<Value> Graph::parameters() const {
  std::vector<Value> values;
  for (const NodeId id : data_->parameters) values.push_back(data_->at(id));
  return values;
}

Value Graph::leaf(std::string_view name) const {
  const auto found = data_->leaves.find(std::string(name));
  if (found != data_->leaves.end()) return data_->at(found->second);
  std::vector<std::string> known;
  for (const auto& [key, id] : data_->leaves) known.push_back(key);
  throw_unknown("input or parameter", name, std::move(known));
}

}  // namespace limen
