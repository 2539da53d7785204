#include "check/graph_check.hpp"

#include <utility>

#include <limen/gradient_check.hpp>

namespace limen {

CheckReport check_graph(const Graph& forward, const GraphCheckOptions& options) {
  CheckReport report;
  report.subject = options.op;
  report.seed = options.seed;
  report.verdict = Verdict::undecidable;
  check::GraphFunction function(forward, options);
  check::check_leaves(function, options, report);
  if (report.checks.empty()) {
    report.notes.push_back("nothing that is checked depends on a float input or parameter");
  }
  if (options.local) check::check_scopes(forward, options, report);
  return report;
}

}  // namespace limen
