// Looking at a graph: printing, invariants, reachability, depth. Boost.Graph's algorithms do the
// work.
#include <ostream>
#include <vector>

#include <fmt/format.h>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/graph/topological_sort.hpp>
#include <limen/error.hpp>

#include "graph/graph_data.hpp"

namespace limen {
namespace {

std::string describe(Value node) {
  switch (node.kind()) {
    case NodeKind::input:
      return "input " + node.name();
    case NodeKind::parameter:
      return "parameter " + node.name();
    case NodeKind::constant:
      if (node.shape().rank() == 0) {
        switch (node.dtype()) {
          case DType::f32:
            return fmt::format("constant {}", node.constant().as<float>()[0]);
          case DType::f64:
            return fmt::format("constant {}", node.constant().as<double>()[0]);
          case DType::i32:
            return fmt::format("constant {}", node.constant().as<std::int32_t>()[0]);
        }
      }
      return "constant";
    case NodeKind::op:
      break;
  }
  const std::string attributes = node.op()->attributes();
  std::string text(node.op()->name());
  if (!attributes.empty()) text += "{" + attributes + "}";
  return text;
}

// The Boost graph that a handle's Graph holds; graphs without nodes have nothing to look at.
const GraphData* data_of(const Graph& graph) {
  return graph.size() == 0 ? nullptr : GraphData::of(graph.node(0));
}

[[noreturn]] void broken(NodeId id, const std::string& what) {
  throw Error({Diagnostic{.code = "E7001",
                          .message = fmt::format("node %{}: {}", id, what),
                          .spans = {},
                          .notes = {},
                          .help = {}}},
              Exit::bug);
}

}  // namespace

std::string print(const Graph& graph) {
  std::string out;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    out += fmt::format("%{} {} = {}", id, to_string(node.type()), describe(node));
    for (int i = 0; i < node.arity(); ++i) out += fmt::format(" %{}", node.input(i).id());
    out += '\n';
  }
  for (const auto& [name, value] : graph.outputs())
    out += fmt::format("output {} %{}\n", name, value.id());
  return out;
}

void write_dot(const Graph& graph, std::ostream& out) {
  const GraphData* data = data_of(graph);
  if (data == nullptr) {
    out << "digraph G {\n}\n";
    return;
  }
  boost::write_graphviz(out, data->boost(), [&](std::ostream& o, std::size_t id) {
    const Value node = graph.node(static_cast<NodeId>(id));
    const std::string label = fmt::format("{}\n{}", describe(node), to_string(node.type()));
    o << "[label=" << boost::escape_dot_string(label) << "]";
  });
}

void verify(const Graph& graph) {
  const GraphData* data = data_of(graph);
  if (data == nullptr) return;
  const auto& g = data->boost();
  std::vector<std::size_t> order;
  try {
    boost::topological_sort(g, std::back_inserter(order));
  } catch (const boost::not_a_dag&) {
    broken(0, "the graph has a cycle");
  }
  for (const std::size_t v : order) {
    const auto id = static_cast<NodeId>(v);
    const NodeData& node = (*data)[id];
    std::vector<NodeId> mirrored(node.inputs.size(), id);
    if (boost::in_degree(v, g) != node.inputs.size())
      broken(id, "edges and inputs differ in number");
    for (auto [e, end] = boost::in_edges(v, g); e != end; ++e) {
      mirrored[static_cast<std::size_t>(g[*e].slot)] = static_cast<NodeId>(boost::source(*e, g));
    }
    if (mirrored != node.inputs) broken(id, "edges do not mirror the inputs");
    if ((node.kind == NodeKind::op) != (node.op != nullptr)) broken(id, "kind and op disagree");
    std::vector<TensorType> types;
    for (const NodeId input : node.inputs) {
      if (input >= id) broken(id, "an input does not precede it");
      types.push_back((*data)[input].type);
    }
    if (node.op && node.op->infer(types) != node.type)
      broken(id, "its type is not what infer() gives");
  }
}

std::vector<bool> depends_on(const Graph& graph, std::span<const Value> sources) {
  std::vector<bool> marked(graph.size());
  if (graph.size() == 0 || sources.empty()) return marked;
  const auto& g = data_of(graph)->boost();
  std::vector<boost::default_color_type> colors(graph.size());
  auto color_map = boost::make_iterator_property_map(colors.begin(), get(boost::vertex_index, g));
  boost::queue<std::size_t> queue;
  for (const Value source : sources) {
    if (colors[source.id()] == boost::white_color) {
      boost::breadth_first_visit(g, source.id(), queue, boost::default_bfs_visitor(), color_map);
    }
  }
  for (std::size_t i = 0; i < marked.size(); ++i) marked[i] = colors[i] != boost::white_color;
  return marked;
}

std::size_t depth(const Graph& graph) {
  // Index order is topological, so the longest path is one loop; no need for Boost's general one.
  std::vector<std::size_t> longest(graph.size(), 1);
  std::size_t deepest = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    for (int i = 0; i < node.arity(); ++i) {
      longest[id] = std::max(longest[id], longest[node.input(i).id()] + 1);
    }
    deepest = std::max(deepest, longest[id]);
  }
  return deepest;
}

}  // namespace limen
