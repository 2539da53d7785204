// Code that nobody vouches for is first run in a child process, and what came of it is remembered
// by content: a library that crashes ends no program, and not every start tries it again.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace limen {

// What a probe does, in the child. `stage` says what comes next ("in the entry point"); a text that
// begins with "!" is the death itself, and the body ends there.
using ProbeBody = std::function<void(const std::function<void(const char*)>& stage)>;

// Runs `body` in a fork of this process, at most `seconds`; exceptions are no deaths. How the child
// died ("killed by SIGSEGV in the entry point", "timed out after 5 s", "called exit(3)"), or
// nothing. Only the calling thread exists in the child: the body must not use the engine's threads.
std::optional<std::string> probe(const ProbeBody& body, int seconds = 5);

// The verdicts, one small file each in the cache folder; without one nothing is remembered.
class ProbeVerdicts {
 public:
  ProbeVerdicts();

  enum class Verdict { unknown, good, dead };
  struct Entry {
    Verdict verdict = Verdict::unknown;
    std::string death;
  };
  Entry find(const std::string& hash) const;
  void keep(const std::string& hash, const Entry& entry) const;  // says nothing where it cannot
  void forget(const std::string& hash) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace limen
