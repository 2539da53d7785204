#include "resume.hpp"

#include <algorithm>
#include <charconv>
#include <exception>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "isolate.hpp"

namespace limen::tools {
namespace {

constexpr int kMostDeaths = 24, kMostHangs = 3;  // of one op, then the rest of it is left out
constexpr std::int64_t kMostSeconds = 1'000'000;

// What the words of a child begin with; what it says for others is passed on.
constexpr std::string_view kBegin = "begin ", kThrew = "threw ";

// "71 canary relu"; there are hundreds in a second.
std::pair<std::int64_t, TestDeath> begun(std::string_view words) {
  std::int64_t number = 0;
  std::from_chars(words.data(), words.data() + words.size(), number);
  words.remove_prefix(words.find(' ') + 1);
  const std::size_t gap = words.find(' ');
  return {number, {std::string(words.substr(0, gap)), std::string(words.substr(gap + 1)), {}}};
}

std::string key_of(std::string_view test, std::string_view op) {
  return fmt::format("{} {}", test, op);
}

// Kernels may throw through the C interface.
void run_catching(const std::function<void(TestRun&)>& work, TestRun& run) {
  std::string what;
  try {
    return work(run);
  } catch (const std::exception& error) {
    what = fmt::format("threw an exception: {}", error.what());
  } catch (...) {
    what = "threw something that is no std::exception";
  }
  run.say_line(fmt::format("{}{}", kThrew, what));
}

}  // namespace

bool TestRun::begin(std::string_view test, std::string_view op) {
  const std::int64_t number = ++count_;
  if (number <= done_ || deadly_.contains(key_of(test, op))) return false;
  if (deadly_.contains(key_of("", op))) return false;
  say_(fmt::format("{}{} {} {}", kBegin, number, test, op));
  return true;
}

bool TestRun::died(std::string_view op) const {
  return std::any_of(deadly_.begin(), deadly_.end(), [op](const std::string& key) {
    return std::string_view(key).substr(key.find(' ') + 1) == op;
  });
}

bool run_resuming(const std::function<void(TestRun&)>& work,
                  const std::function<void(const std::string&)>& hear,
                  const std::function<void(const TestDeath&)>& died, std::int64_t seconds) {
  TestDeath position;
  std::int64_t number = 0;
  std::set<std::string> deadly;
  std::map<std::string, int> deaths, hangs;  // by op
  bool complete = true;
  for (;;) {
    const std::int64_t before = number;
    std::string threw;
    const std::string death = run_speaking(
        [&](const Say& say) {
          TestRun run(before, deadly, say);
          run_catching(work, run);
        },
        [&](const std::string& message) {
          if (message.starts_with(kBegin)) {
            std::tie(number, position) = begun(std::string_view(message).substr(kBegin.size()));
          } else if (message.starts_with(kThrew)) {
            threw = message.substr(kThrew.size());
          } else {
            hear(message);
          }
        },
        static_cast<int>(std::min(seconds, kMostSeconds)));
    if (death.empty() && threw.empty()) return complete;
    position.how = threw.empty() ? death : threw;
    died(position);
    deadly.insert(key_of(position.test, position.op));
    if (number == before) return false;
    const bool hung = position.how.starts_with("no answer");
    if (++deaths[position.op] >= kMostDeaths || (hung && ++hangs[position.op] >= kMostHangs)) {
      deadly.insert(key_of("", position.op));
      complete = false;
    }
  }
}

}  // namespace limen::tools
