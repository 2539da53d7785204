#include "gradcheck_library.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "gradcheck_case.hpp"
#include "gradcheck_child.hpp"
#include "gradcheck_exhaustive.hpp"
#include "gradcheck_message.hpp"
#include "output.hpp"
#include "resume.hpp"

namespace limen::tools {
namespace {

// What the children of a library have said, by piece; before the first op there is one for each
// child, below 0.
class Pieces {
 public:
  explicit Pieces(const std::string& file) : file_(file) {}

  // Of one child.
  ResumedWork listener(const Context& context, const GradcheckRequest& request, Share share) {
    const std::int64_t load = share.child - kPieces;
    const auto piece = std::make_shared<std::int64_t>(load);
    return {[this, &context, &request, share](TestRun& run) {
              run_library_checks(context, file_, request, share, run);
            },
            [this, piece](const std::string& message) { hear(*piece, message); },
            [this, piece, load](const TestDeath& death) {
              pieces_[*piece].add_death(death.op.empty() ? file_ : death.op, death.test,
                                        death.test.empty() ? "load" : std::string(kSurvives),
                                        death.how);
              *piece = load;  // of the next child
            }};
  }

  // All of it, in order.
  void add_to(Collected& all) {
    drop_threads_of_hidden_state();
    for (auto& [number, part] : pieces_) {
      if (number < 0 && all.broken) continue;  // each child finds out that it cannot be loaded
      for (CheckResult& check : std::exchange(part.report.checks, {})) {
        if (!known(all, check)) all.report.add(std::move(check));
      }
      all.add(std::move(part.report));
      all.broken = all.broken || part.broken;
    }
  }

  std::optional<std::string> unknown, obstacle;

 private:
  std::string file_;
  std::map<std::int64_t, Collected> pieces_;

  void hear(std::int64_t& piece, const std::string& message) {
    Collected& part = pieces_[piece];
    if (message[0] == kReport) {
      try {
        return part.add(unpacked_report(std::string_view(message).substr(1)));
      } catch (const Error& error) {
        return part.add_death(file_, "", std::string(kSurvives),
                              error.diagnostics().front().message);
      }
    }
    const Json json = parse_json(message);
    if (json.contains("piece")) {
      piece = json["piece"];
    } else if (json.contains("unknown_case")) {
      unknown = json["unknown_case"];
    } else if (json.contains("not_exhaustive")) {
      obstacle = json["not_exhaustive"];
    } else if (json.contains("refused")) {
      part.add_death(json["op"], "", json["refused"], json["why"]);
    }
  }

  // What each child finds out for itself, too: that an op cannot be set up.
  static bool known(const Collected& all, const CheckResult& c) {
    if (!c.test.empty() || c.failures.empty() || c.failures[0].tensor != kProcess) return false;
    const auto& checks = all.report.checks;
    return std::any_of(checks.begin(), checks.end(), [&](const CheckResult& other) {
      return other.op == c.op && other.test.empty() && other.check == c.check &&
             other.where == c.where;
    });
  }

  // The child that looks at threads may not know what another has found.
  void drop_threads_of_hidden_state() {
    std::int64_t op = -1;
    bool hidden = false;
    for (auto& [number, part] : pieces_) {
      if (number < 0) continue;
      hidden = hidden && number / kPieces == op;
      op = number / kPieces;
      const auto& checks = part.report.checks;
      if (number % kPieces == kThreadsPiece) {
        if (hidden) part = {};
      } else {
        hidden =
            hidden || part.broken || std::any_of(checks.begin(), checks.end(), shows_hidden_state);
      }
    }
  }
};

}  // namespace

void add_repros(CheckReport& report, const std::string& subject, const GradcheckRequest& request) {
  for (CheckResult& check : report.checks) {
    for (CheckFailure& failure : check.failures) {
      failure.repro = fmt::format("limen gradcheck {}{} --case {}", shell_quote(subject),
                                  request.arguments, shell_quote(check.id() + "/" + failure.point));
    }
  }
}

Error unknown_case(const std::string& id, const std::string& subject,
                   const std::string& suggestion) {
  return usage_error(
      fmt::format("{} has no case `{}`", subject, id),
      {suggestion.empty() ? "`limen gradcheck --json` prints each case" : suggestion});
}

Collected check_library(Context& context, const std::string& file,
                        const GradcheckRequest& request) {
  Collected all;
  all.report.plugin = all.report.subject = file;
  all.report.seed = request.options.seed;
  Pieces pieces(file);
  std::vector<ResumedWork> children;
  const int count = std::clamp(request.children, 1, kThreadsPiece);
  for (int child = 0; child < count; ++child) {
    children.push_back(pieces.listener(context, request, {child, count}));
  }
  const bool complete = count == 1 ? run_resuming(children[0], request.seconds)
                                   : run_resuming(children, request.seconds);
  pieces.add_to(all);
  if (pieces.obstacle) throw no_exhaustive(file, *pieces.obstacle);
  if (!complete)
    all.report.notes.emplace_back("tests were left out of an op that hung or died too often");
  if (pieces.unknown && all.report.checks.empty()) {
    throw unknown_case(request.case_id, file, *pieces.unknown);
  }
  blame_causes(all.report);
  add_repros(all.report, file, request);
  return all;
}

}  // namespace limen::tools
