// limen as an author of plugins uses it: with folders of its own for caches and plugins.
#pragma once

#include "tools/support/program.hpp"

namespace limen::test {

class Author : public Program {
 protected:
  Command author(std::vector<std::string> words) const {
    Command wanted = command(std::move(words));
    wanted.folder = scratch_.folder();
    for (auto& [name, value] : wanted.environment) {
      if (name == "XDG_DATA_HOME") value = scratch_.path("data");
    }
    wanted.environment.emplace_back("LIMEN_CACHE", scratch_.path("cache"));
    return wanted;
  }
  Outcome run(std::vector<std::string> words) const { return test::run(author(std::move(words))); }
  Outcome without_compilers(std::vector<std::string> words) const {
    Command wanted = author(std::move(words));
    wanted.environment.emplace_back("PATH", "/nonexistent");
    return test::run(wanted);
  }
  // The output of a run that must end with this exit code.
  std::string must(std::vector<std::string> words, int exit = 0) const {
    const Outcome outcome = run(std::move(words));
    EXPECT_EQ(outcome.exit, exit) << outcome.out << outcome.err;
    return exit == 0 ? outcome.out : outcome.err;
  }
  bool exists(const std::string& name) const {
    return std::filesystem::exists(scratch_.path(name));
  }
  std::string read(const std::string& name) const { return Scratch::read(scratch_.path(name)); }
};

}  // namespace limen::test
