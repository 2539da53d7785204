#include "plugin/vector_report.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <string_view>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen {
namespace {

struct Kernel {
  std::string op, role, type, isa;
};

// "limen::detail::compiled<limen::detail::map_backward<mish, double> >::v3 (..."
bool read_kernel(const std::string& line, Kernel& kernel) {
  static const std::regex kName(
      R"(compiled<limen::detail::(?:map|rows)_(\w+)<(\w+), (float|double)[^:]*::(any|v3|v4) )");
  std::smatch match;
  if (!std::regex_search(line, match, kName)) return false;
  static const std::map<std::string, std::string> kLevels = {
      {"any", "base"}, {"v3", "x86-64-v3"}, {"v4", "x86-64-v4"}};
  kernel = {match[2], match[1], match[3] == "float" ? "f32" : "f64", kLevels.at(match[4])};
  return true;
}

// Why, as an author can use it; empty: this line does not say.
std::string reason_of(const std::string& line) {
  static const std::regex kCall(R"(statement clobbers memory: .*?= (?:\w+::)*(\w+) \()");
  static const std::regex kStatement(R"(relevant stmt not supported: (.*);)");
  std::smatch match;
  if (std::regex_search(line, match, kCall)) {
    return fmt::format("call to {0}; use a function of limen/math.hpp", std::string(match[1]));
  }
  if (line.find("control flow in loop") != std::string::npos) {
    return "a branch is left in its loop; write `c ? a : b` with both sides cheap and plain";
  }
  if (std::regex_search(line, match, kStatement)) {
    return match.str(1).find(" ? ") != std::string::npos
               ? "gcc has no vector form of a choice `c ? a : b` in it"
               : fmt::format("gcc has no vector form of `{}`", match.str(1));
  }
  return {};
}

}  // namespace

std::vector<std::string> kernels_not_vectorised(std::istream& dump) {
  // By op and reason, the kernels and their instruction sets: one line says them all.
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::vector<std::string>>>
      found;
  Kernel kernel;
  bool inside = false, vectors = false;
  std::string reason;
  const auto end_function = [&] {
    if (inside && !vectors)
      found[{kernel.op, reason}][kernel.type + " " + kernel.role].push_back(kernel.isa);
    reason.clear();
    vectors = false;
  };
  for (std::string line; std::getline(dump, line);) {
    if (line.starts_with(";; Function ")) {
      end_function();
      inside = read_kernel(line, kernel);
    } else if (inside && line.find("optimized: loop vectorized") != std::string::npos) {
      vectors = true;
    } else if (inside && line.find("missed:") != std::string::npos) {
      // A call is the better reason: what else is missed is often its consequence.
      const std::string why = reason_of(line);
      if (!why.empty() && (reason.empty() || why.starts_with("call to"))) reason = why;
    }
  }
  end_function();
  std::vector<std::string> lines;
  for (auto& [which, kernels] : found) {
    std::vector<std::string> names;
    for (auto& [name, levels] : kernels) {
      std::sort(levels.begin(), levels.end());
      names.push_back(levels.size() == 3 ? name : fmt::format("{} ({})", name, join(levels)));
    }
    lines.push_back(fmt::format("{}: not vectorised: {}{}", which.first, join(names),
                                which.second.empty() ? "" : "; " + which.second));
  }
  return lines;
}

}  // namespace limen
