// Programs run as children: what they print and how they end.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace limen::test {

struct Outcome {
  int exit = -1;   // -1: a signal ended it
  int signal = 0;  // 0: it ended itself
  bool timed_out = false;
  std::string out, err;
};

struct Command {
  std::vector<std::string> words;
  std::string input = {};                                             // on its standard input
  std::vector<std::pair<std::string, std::string>> environment = {};  // added; "" removes
  std::string folder = {};                                            // where it runs
  int seconds = 200;                                                  // then it is killed
};

// A program under way.
class Child {
 public:
  explicit Child(const Command& command);
  ~Child();  // kills it if nobody waited
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Reads until the standard output (or error) holds the text; false if it ended before.
  bool wait_for(const std::string& text);
  void send(int signal) const;
  void close_output();  // nobody reads its standard output any more
  Outcome wait();

 private:
  bool read_some();  // false: both pipes have ended, or time is up

  Command command_;
  pid_t process_ = -1;
  int out_ = -1, err_ = -1;
  long long deadline_ = 0;
  Outcome outcome_;
};

Outcome run(const Command& command);

}  // namespace limen::test
