#include "check/graph_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <limen/differentiate.hpp>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "base/parallel.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

// Integer inputs that are labels, and how many classes they choose from.
std::map<std::string, std::int64_t> label_limits(const Graph& graph) {
  std::map<std::string, std::int64_t> limits;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    if (node.kind() != NodeKind::op || node.arity() < 2) continue;
    const std::string_view op = node.op()->name();
    if (!op.starts_with("softmax_cross_entropy") && op != "top_k_accuracy") continue;
    Value labels = node.input(1);
    while (labels.kind() == NodeKind::op && labels.arity() > 0) labels = labels.input(0);
    const Shape& scores = node.input(0).shape();
    if (labels.kind() == NodeKind::constant || scores.rank() == 0) continue;
    const std::int64_t classes = scores[scores.rank() - 1];
    const auto [at, fresh] = limits.try_emplace(labels.name(), classes);
    if (!fresh) at->second = std::min(at->second, classes);
  }
  return limits;
}

void fill(Tensor& tensor, NodeKind kind, std::int64_t limit, Random random) {
  if (tensor.type().dtype == DType::i32) {
    for (std::int32_t& v : tensor.as<std::int32_t>()) {
      v = static_cast<std::int32_t>(
          random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(limit, 1))));
    }
    return;
  }
  // Parameters of the size that keeps activations near 1: weights are [out, in].
  const Shape& shape = tensor.shape();
  double scale = 1;
  if (kind == NodeKind::parameter) {
    scale = shape.rank() >= 2
                ? std::sqrt(2.0 / static_cast<double>(std::max<std::int64_t>(
                                      1, shape.elements() / std::max<std::int64_t>(1, shape[0]))))
                : 0.5;
  }
  for (double& v : tensor.as<double>()) v = scale * random.normal();
}

void check_names(const Graph& graph, const GraphCheckOptions& options) {
  for (const auto& [name, value] : options.values) graph.leaf(name);
  for (const std::string& name : options.skip) graph.leaf(name);
}

// A loss of so many operations is worth a thread.
constexpr double kDear = 2e5;

}  // namespace

Value checked_value(const Graph& from, Graph& to, const std::vector<Value>& images,
                    const GraphCheckOptions& options) {
  if (from.has_output(options.loss)) {
    const Value loss = images[from.output(options.loss).id()];
    if (!is_float(loss.dtype()) || loss.type().elements() != 1) {
      throw Error("E0602", fmt::format("output `{}` is {}; a gradient check needs a scalar",
                                       options.loss, to_string(loss.type())));
    }
    return reshape(loss, Shape{});
  }
  Value total;
  for (const auto& [name, value] : from.outputs()) {
    const Value y = images[value.id()];
    if (!is_float(y.dtype()) || y.type().elements() == 0) continue;
    const auto given = options.cotangents.find(name);
    Tensor weights(y.type());
    if (given != options.cotangents.end()) {
      weights = given->second;
    } else {
      Random random(options.seed, "weights", name);
      for (double& w : weights.as<double>()) w = random.upstream();
    }
    const Value part = sum(mul(y, to.constant(weights)));
    total = total ? add(total, part) : part;
  }
  if (!total) throw Error("E0405", "the graph has no output of a float type to check");
  return total;
}

Graph copy_in_f64(const Graph& graph, std::vector<Value>& images) {
  const auto widened = [](TensorType type) {
    if (is_float(type.dtype)) type.dtype = DType::f64;
    return type;
  };
  Graph to;
  images.assign(graph.size(), Value());
  std::vector<Value> in;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    switch (node.kind()) {
      case NodeKind::input:
        images[id] = to.input(node.name(), widened(node.type()));
        break;
      case NodeKind::parameter:
        images[id] = to.parameter(node.name(), widened(node.type()));
        break;
      case NodeKind::constant:
        to.set_scope(node.name());
        images[id] = to.constant(convert(node.constant(), widened(node.type()).dtype));
        break;
      case NodeKind::op:
        to.set_scope(node.name());
        in.clear();
        for (int i = 0; i < node.arity(); ++i) in.push_back(images[node.input(i).id()]);
        images[id] = to.add(node.shared_op(), in);
        break;
    }
  }
  return to;
}

std::vector<Leaf> draw_leaves(const Graph& graph, const GraphCheckOptions& options) {
  const std::map<std::string, std::int64_t> limits = label_limits(graph);
  std::vector<Value> values = graph.inputs();
  const std::vector<Value> parameters = graph.parameters();
  values.insert(values.end(), parameters.begin(), parameters.end());
  std::vector<Leaf> leaves;
  for (const Value& v : values) {
    Leaf leaf;
    leaf.name = v.name();
    const auto given = options.values.find(leaf.name);
    if (given != options.values.end()) {
      leaf.value = convert(given->second, v.dtype());
      if (leaf.value.shape() != v.shape()) {
        throw Error("E0602", fmt::format("the value of `{}` has shape {}, it needs {}", leaf.name,
                                         to_string(leaf.value.shape()), to_string(v.shape())));
      }
      leaf.value = leaf.value.clone();
    } else {
      leaf.value = Tensor(v.type());
      const auto limit = limits.find(leaf.name);
      fill(leaf.value, v.kind(), limit == limits.end() ? 4 : limit->second,
           Random(options.seed, "leaf", leaf.name));
    }
    leaves.push_back(std::move(leaf));
  }
  return leaves;
}

GraphFunction::GraphFunction(const Graph& forward, const GraphCheckOptions& options) {
  check_names(forward, options);
  std::vector<Value> images;
  Graph graph = copy_in_f64(forward, images);
  const Value loss = checked_value(forward, graph, images, options);
  leaves_ = draw_leaves(graph, options);

  graph.output("loss", loss);
  lanes_.emplace_back(graph, leaves_);
  const auto threads = static_cast<std::size_t>(lanes_[0].flops() < kDear ? 1 : default_threads());
  while (lanes_.size() < threads) lanes_.emplace_back(graph, leaves_);

  std::vector<Value> wanted;
  for (Leaf& leaf : leaves_) {
    const Value v = graph.leaf(leaf.name);
    const bool skipped =
        std::find(options.skip.begin(), options.skip.end(), leaf.name) != options.skip.end();
    if (skipped || !is_float(v.dtype()) || v.type().elements() == 0) continue;
    const Value sources[] = {v};
    if (!depends_on(graph, sources)[loss.id()]) continue;
    leaf.checked = true;
    leaf.output = wanted.size();
    wanted.push_back(v);
  }
  if (wanted.empty()) return;
  const std::vector<Value> gradients = differentiate(loss, wanted);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    graph.output(fmt::format("gradient {}", i), gradients[i]);
  }
  backward_ = std::make_unique<Executable>(compile(graph, {.threads = default_threads()}));
  for (const Leaf& leaf : leaves_) backward_->bind(leaf.name, leaf.value);
}

Lane::Lane(const Graph& forward, const std::vector<Leaf>& leaves) : forward_(compile(forward)) {
  for (const Leaf& leaf : leaves) forward_.bind(leaf.name, leaf.value);
}

std::span<double> Lane::move(const Leaf& leaf) {
  if (moved_ != &leaf) {
    if (moved_ != nullptr) forward_.bind(moved_->name, moved_->value);
    moved_ = &leaf;
    copy_ = leaf.value.clone();
    forward_.bind(leaf.name, copy_);
  }
  return copy_.as<double>();
}

double Lane::loss() {
  forward_.run();
  return forward_.output("loss").as<double>()[0];
}

std::span<const double> GraphFunction::gradient(const Leaf& leaf) const {
  return backward_->output(fmt::format("gradient {}", leaf.output)).as<const double>();
}

}  // namespace limen::check
