#include <algorithm>
#include <array>

#include <limen/passes.hpp>

#include "passes/pass_list.hpp"

namespace limen {
namespace {

constexpr std::array kPasses{Pass{"fold_constants", fold_constants}, Pass{"simplify", simplify},
                             Pass{"share_common", share_common}, Pass{"fuse_bias", fuse_bias}};

// Same nodes with the same ops in the same order: the passes found nothing more to do.
bool same(const Graph& a, const Graph& b) {
  if (a.size() != b.size()) return false;
  for (NodeId id = 0; id < a.size(); ++id) {
    const Value x = a.node(id), y = b.node(id);
    if (x.kind() != y.kind() || x.op() != y.op() || x.arity() != y.arity()) return false;
    for (int i = 0; i < x.arity(); ++i) {
      if (x.input(i).id() != y.input(i).id()) return false;
    }
  }
  return true;
}

}  // namespace

std::span<const Pass> passes() { return kPasses; }

Graph optimize(const Graph& graph, const OptimizeOptions& options) {
  constexpr int kRounds = 4;
  Graph current = rewrite(graph, {});
  for (int round = 0; round < kRounds; ++round) {
    const Graph before = std::move(current);
    const Graph* latest = &before;
    for (const Pass& pass : kPasses) {
      if (std::find(options.skip.begin(), options.skip.end(), pass.name) != options.skip.end())
        continue;
      current = pass.run(*latest);
      latest = &current;
      if (options.verify) verify(current);
      if (options.observe) options.observe(pass.name, current);
    }
    // What the last pass left behind.
    if (latest == &before || has_dead_nodes(current)) current = rewrite(*latest, {});
    if (same(before, current)) break;
  }
  return current;
}

}  // namespace limen
