// Tests of a plugin, in children: when one dies, another goes on behind the test that it died in.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "output.hpp"

namespace limen::tools {

// What the work sees: tells the parent of each test as it begins, and passes messages on.
class TestRun {
 public:
  // The first `done` tests were run by an earlier child; the `deadly` ones ("test op") ended one.
  TestRun(std::int64_t done, std::set<std::string> deadly,
          std::function<void(const std::string&)> say)
      : done_(done), deadly_(std::move(deadly)), say_(std::move(say)) {}

  // Before each test, in the same order in every child. False: leave it out.
  bool begin(std::string_view test, std::string_view op);
  void say(const Json& message) { say_(to_line(message)); }
  void say_line(const std::string& message) { say_(message); }
  bool died(std::string_view op) const;      // an earlier child, in a test of this op
  bool first() const { return done_ == 0; }  // nobody has begun before

 private:
  std::int64_t done_, count_ = 0;
  std::set<std::string> deadly_;
  std::function<void(const std::string&)> say_;
};

// A child that did not come to its end, and the test that it was in (none: before the first one).
struct TestDeath {
  std::string test, op;
  std::string how;  // "killed by SIGSEGV", "no answer within 20 s", "threw an exception: ..."
};

// What runs in children until all of it is done. `hear` gets what `work` says, `died` each death.
struct ResumedWork {
  std::function<void(TestRun&)> work;
  std::function<void(const std::string&)> hear;
  std::function<void(const TestDeath&)> died;
};

// A child is given up after `seconds` of silence. An op that dies or hangs often is left; false
// then.
bool run_resuming(const ResumedWork& work, std::int64_t seconds);
// The same for parts that do not depend on each other, a child of each at a time. What they print
// comes in their order, when they are done.
bool run_resuming(const std::vector<ResumedWork>& parts, std::int64_t seconds);

}  // namespace limen::tools
