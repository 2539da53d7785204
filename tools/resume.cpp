#include "resume.hpp"

#include <algorithm>
#include <charconv>
#include <exception>
#include <map>
#include <tuple>
#include <utility>

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

namespace {

// One child after another.
class Resumer {
 public:
  explicit Resumer(const ResumedWork& work) : work_(work) {}

  void run_child(const Say& say) const {
    TestRun run(number_, deadly_, say);
    run_catching(work_.work, run);
  }
  void hear(const std::string& message) {
    if (message.starts_with(kBegin)) {
      std::tie(number_, position_) = begun(std::string_view(message).substr(kBegin.size()));
      moved_ = true;
    } else if (message.starts_with(kThrew)) {
      threw_ = message.substr(kThrew.size());
    } else {
      work_.hear(message);
    }
  }
  // True: another child goes on.
  bool ended(const std::string& death) {
    if (death.empty() && threw_.empty()) return false;
    position_.how = threw_.empty() ? death : threw_;
    threw_.clear();
    work_.died(position_);
    deadly_.insert(key_of(position_.test, position_.op));
    if (!std::exchange(moved_, false)) {
      complete_ = false;
      return false;
    }
    const bool hung = position_.how.starts_with("no answer");
    const std::string& op = position_.op;
    if (++deaths_[op] >= kMostDeaths || (hung && ++hangs_[op] >= kMostHangs)) {
      deadly_.insert(key_of("", op));
      complete_ = false;
    }
    return true;
  }
  bool complete() const { return complete_; }

 private:
  const ResumedWork& work_;
  TestDeath position_;
  std::int64_t number_ = 0;
  bool moved_ = false;  // the child has begun a test
  std::string threw_;
  std::set<std::string> deadly_;
  std::map<std::string, int> deaths_, hangs_;  // by op
  bool complete_ = true;
};

int patience(std::int64_t seconds) { return static_cast<int>(std::min(seconds, kMostSeconds)); }

}  // namespace

bool run_resuming(const ResumedWork& work, std::int64_t seconds) {
  Resumer resumer(work);
  const auto child = [&](const Say& say) { resumer.run_child(say); };
  const auto hear = [&](const std::string& message) { resumer.hear(message); };
  while (resumer.ended(run_speaking(child, hear, patience(seconds)))) continue;
  return resumer.complete();
}

bool run_resuming(const std::vector<ResumedWork>& parts, std::int64_t seconds) {
  std::vector<Resumer> resumers(parts.begin(), parts.end());
  std::vector<Job> jobs;
  for (Resumer& resumer : resumers) {
    jobs.push_back({[&](const Say& say) { resumer.run_child(say); },
                    [&](const std::string& message) { resumer.hear(message); },
                    [&](const std::string& death) { return resumer.ended(death); }});
  }
  run_side_by_side(jobs, jobs.size(), patience(seconds));
  return std::all_of(resumers.begin(), resumers.end(),
                     [](const Resumer& resumer) { return resumer.complete(); });
}

}  // namespace limen::tools
