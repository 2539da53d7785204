// Code that may crash or hang, run in a child process.
#pragma once

#include <functional>
#include <string>

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

}  // namespace limen::tools
