#include "gradcheck_exhaustive.hpp"

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace limen::tools {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPause{500};

}  // namespace

Error no_exhaustive(const std::string& subject, const std::string& obstacle) {
  return usage_error(fmt::format("`--exhaustive` cannot be used on {}: it {}", subject, obstacle),
                     {"it is for element-wise functions of one input, as FILE.so or op:NAME"});
}

CheckReport check_every_float(const Context& context, const limen_op& op,
                              const CheckOptions& options, const std::string& case_id,
                              const std::function<void()>& alive) {
  if (const std::string obstacle = obstacle_to_exhaustive(op); !obstacle.empty()) {
    throw no_exhaustive(op.name, obstacle);
  }
  const bool draws = !context.globals.quiet && ::isatty(STDERR_FILENO) != 0;
  ExhaustiveOptions all;
  static_cast<CheckOptions&>(all) = options;
  all.threads = context.threads();
  const std::size_t at = case_id.rfind("/x=");
  if (at != std::string::npos && case_id.find("/exhaustive/") < at) {
    all.first = all.last = std::bit_cast<std::uint32_t>(std::strtof(&case_id[at + 3], nullptr));
  }
  Clock::time_point last = Clock::now();
  bool drawn = false;
  all.progress = [&](double part) {
    const Clock::time_point now = Clock::now();
    if (now - last < kPause) return;
    last = now;
    alive();
    if (draws)
      context.messages.raw(fmt::format("\r{}  {:.0f} % of all floats", op.name, 100 * part));
    drawn = draws;
  };
  CheckReport report = check_exhaustive(op, all);
  if (drawn) context.messages.raw("\r\x1b[K");
  return report;
}

}  // namespace limen::tools
