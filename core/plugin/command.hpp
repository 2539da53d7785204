// Another program run to its end: no shell, so no word of it can be taken for a command.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace limen {

struct CommandResult {
  int exit = -1;       // -1: it did not end by itself
  std::string output;  // what it wrote on both outputs; at most the first MiB
};

// words[0] is the program's path. It gets `input` on its standard input, this process's environment
// and LC_ALL=C. Throws std::system_error if it cannot be started.
CommandResult run_program(std::span<const std::string> words, std::string_view input = {});

// The first of `names` that is an executable file in a folder of PATH; empty if there is none.
std::filesystem::path find_program(std::span<const std::string_view> names);

}  // namespace limen
