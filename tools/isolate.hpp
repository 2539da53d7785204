// Code that may crash or hang, run in a child process.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <limen/error.hpp>

namespace limen::tools {

struct IsolatedResult {
  bool completed = false;
  Exit exit = Exit::ok;  // what the body returned
  std::string payload;   // likewise
  std::string death;     // if not completed: "killed by SIGSEGV", "no answer within 60 s"
};

struct IsolatedAnswer {
  Exit exit = Exit::ok;
  std::string payload;
};

// Runs `body` in a forked child and waits for it, at most `seconds` (0: for ever). What the body
// prints on the standard output goes to the standard error. Nothing before may have used OpenMP:
// its threads do not survive a fork. The body must not throw.
IsolatedResult run_isolated(const std::function<IsolatedAnswer()>& body, int seconds);

// The same for a child that speaks while it works: `hear` gets what it says, in order. It is given
// up after `seconds` of silence (0: never). Empty if it ran to its end, else how it died.
using Say = std::function<void(const std::string& message)>;
std::string run_speaking(const std::function<void(const Say& say)>& body, const Say& hear,
                         int seconds);

// One of many pieces of work that do not depend on each other.
struct Job {
  std::function<void(const Say& say)> body;  // in the child
  Say hear;                                  // here, with each message as it comes
  // Here, when the child has ended: empty, or how it died. True: another child runs the job again
  // (a plugin's tests go on behind the one that crashed).
  std::function<bool(const std::string& death)> ended;
};

// Runs jobs in children, at most `at_most` at a time, started in their order. What a child prints
// is held back and written to the standard error in the order of the jobs, whatever the timing; so
// that results are the same every time, `hear` and `ended` should only touch what is their job's.
void run_side_by_side(const std::vector<Job>& jobs, std::size_t at_most, int seconds);

}  // namespace limen::tools
