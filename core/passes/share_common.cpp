#include <string>
#include <unordered_map>

#include <fmt/format.h>
#include <limen/passes.hpp>

#include "passes/pass_list.hpp"

namespace limen {
namespace {

constexpr std::size_t kLargestConstant = 4096;  // bytes compared; larger ones are never shared

std::string identity(Value node, std::span<const Value> in) {
  if (node.kind() == NodeKind::constant) {
    const TensorType& type = node.type();
    if (type.bytes() > kLargestConstant) return {};
    std::string key = "constant " + to_string(type) + " ";
    key.append(reinterpret_cast<const char*>(node.constant().data()), type.bytes());
    return key;
  }
  std::string key = fmt::format("{}{{{}}}", node.op()->name(), node.op()->attributes());
  for (const Value input : in) key += fmt::format(" {}", input.id());
  return key;
}

}  // namespace

Graph share_common(const Graph& graph) {
  std::unordered_map<std::string, Value> seen;
  return rewrite(graph, [&seen](Value node, std::span<const Value> in, Graph& to) -> Value {
    std::string key = identity(node, in);
    if (key.empty()) return {};
    const auto found = seen.find(key);
    if (found != seen.end()) return found->second;
    const Value copy = node.kind() == NodeKind::constant ? to.constant(node.constant())
                                                         : to.add(node.shared_op(), in);
    seen.emplace(std::move(key), copy);
    return copy;
  });
}

}  // namespace limen
