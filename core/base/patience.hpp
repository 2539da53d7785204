// When a parallel loop had better run on one thread for a while.
#pragma once

#include <algorithm>
#include <chrono>

namespace limen {

// On a machine that is busy with other work, a helper thread may wait milliseconds for a core, and
// a loop of microseconds with it. A loop whose helpers came late is therefore followed by a time on
// one thread, twice as long if the last such time is not long over. One object per calling thread.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  using Duration = Clock::duration;

  bool alone(Time now) const { return now < alone_until_; }

  // After a loop that ended at `now`: `own` is what the caller's share took, `wait` what it waited
  // for the helpers, before and after.
  void judge(Duration own, Duration wait, Time now) {
    constexpr int kFirst = 4, kMost = 256;
    if (wait <= 2 * own + std::chrono::microseconds(50)) return;
    const bool again = now - alone_until_ < alone_for_;
    factor_ = again ? std::min(2 * factor_, kMost) : kFirst;
    alone_for_ = factor_ * wait;
    alone_until_ = now + alone_for_;
  }

 private:
  Time alone_until_{};
  Duration alone_for_{};
  int factor_ = 0;
};

}  // namespace limen
