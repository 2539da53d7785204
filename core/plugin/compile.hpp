// Plugins made from source by the system's compiler: one call, with the flags that the CMake
// function limen_add_plugin uses (they are one list, see plugins/limen_add_plugin.cmake).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <limen/error.hpp>

namespace limen {

struct CompileJob {
  enum class Language { cpp, c, rust } language = Language::cpp;
  enum class Build { release, debug, asan } build = Build::release;
  std::string compiler;          // a path; empty: found in PATH
  std::filesystem::path source;  // empty: `text`, in C++
  std::string text;
  std::filesystem::path output;
  bool report_vectors = false;  // gcc: also says which kernels were not vectorised

  std::string name() const { return source.empty() ? "formula" : source.string(); }
};

struct CompileOutcome {
  std::string messages;                  // what the compiler had to say
  std::vector<std::string> not_vectors;  // "f32 backward for x86-64-v3 was not vectorised: why"
};

// The headers of the installed limen that this program belongs to: <prefix>/include. Throws Error
// E0531 where there are none.
std::filesystem::path include_folder();

// A text that is another one where compiling would give another library: the flags, limen's
// version, and its headers. Needs no compiler.
std::string compile_fingerprint();

// The words of the compiler call that writes to `output`. Throws Error E0531 without a compiler.
std::vector<std::string> compile_command(const CompileJob& job,
                                         const std::filesystem::path& output);

// Compiles. `output` appears whole or not at all; its folder is made. Throws Error E0531 (no
// compiler, no headers), E0532 (the compiler refuses; its messages are the notes), E0903 (the
// output cannot be written).
CompileOutcome compile(const CompileJob& job);

}  // namespace limen
