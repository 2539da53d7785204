#include "plugin/compile.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include <fmt/format.h>

#include "base/text.hpp"
#include "base/version.hpp"
#include "plugin/command.hpp"
#include "plugin/fault.hpp"
#include "plugin/library.hpp"
#include "plugin/vector_report.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;
using Language = CompileJob::Language;
using Build = CompileJob::Build;

std::string package_of(Language language) {
  return language == Language::rust ? "rustc" : language == Language::c ? "gcc" : "g++";
}

fs::path compiler_of(const CompileJob& job) {
  if (!job.compiler.empty()) {
    if (::access(job.compiler.c_str(), X_OK) == 0) return job.compiler;
    throw Error("E0531", fmt::format("{}: no such compiler", job.compiler));
  }
  const std::vector<std::string_view> names = job.language == Language::rust
                                                  ? std::vector<std::string_view>{"rustc"}
                                                  : std::vector<std::string_view>{"gcc", "clang"};
  const fs::path found = find_program(names);
  if (!found.empty()) return found;
  const std::string package = package_of(job.language);
  throw Error(
      "E0531",
      fmt::format("{} must be compiled, and there is no {} in PATH",
                  job.source.empty() ? "the formula" : job.name(),
                  job.language == Language::rust ? "rustc" : "gcc or clang"),
      {fmt::format("install one: sudo apt-get install {}", package),
       job.source.empty() ? "or add its folder to PATH" : "or name one with `--compiler PATH`"});
}

void add(std::vector<std::string>& words, std::string_view list) {
  std::istringstream in{std::string(list)};
  words.insert(words.end(), std::istream_iterator<std::string>(in), {});
}

void add_cpp(std::vector<std::string>& words, const CompileJob& job, bool clang) {
  const bool c = job.language == Language::c;
  words.insert(words.end(), {"-x", c ? "c" : "c++"});
  add(words, LIMEN_PLUGIN_ALL_FLAGS);
  add(words, c ? LIMEN_PLUGIN_C_FLAGS : LIMEN_PLUGIN_CXX_FLAGS);
  if (!c) add(words, clang ? LIMEN_PLUGIN_CXX_CLANG_FLAGS : LIMEN_PLUGIN_CXX_GNU_FLAGS);
  if (job.build == Build::debug) add(words, "-Og -g");
  if (job.build == Build::asan)
    add(words, "-g -fsanitize=address,undefined " LIMEN_PLUGIN_ASAN_FLAGS);
  const fs::path include = include_folder();
  words.insert(words.end(), {"-shared", "-I", include.string()});
  words.push_back(job.source.empty() ? "-" : job.source.string());
  add(words, LIMEN_PLUGIN_LINK_FLAGS);
  if (job.build != Build::asan) words.emplace_back("-Wl,-z,defs");
  words.push_back("-Wl,--version-script=" + (include / "limen" / "plugin.map").string());
}

std::vector<std::string> command_of(const fs::path& compiler, const CompileJob& job,
                                    const fs::path& output) {
  std::vector<std::string> words = {compiler.string()};
  if (job.language == Language::rust) {
    add(words, "--edition 2021 --crate-type cdylib -C panic=abort");
    add(words, job.build == Build::debug ? "-C opt-level=1 -g" : "-C opt-level=3");
    for (const char* flag : {"-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,defs"}) {
      words.insert(words.end(), {"-C", std::string("link-arg=") + flag});
    }
    words.push_back(job.source.string());
  } else {
    add_cpp(words, job, compiler.filename().string().find("clang") != std::string::npos);
  }
  words.insert(words.end(), {"-o", output.string()});
  return words;
}

// A folder beside the output, gone afterwards: its files can be renamed into place.
class Workshop {
 public:
  explicit Workshop(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    std::string name = (folder / ".limen-build-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error("E0903", fmt::format("{}: cannot be written: {}", folder.string(),
                                       std::generic_category().message(errno)));
    }
    path_ = name;
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

// "a, b" of all "undefined reference to `a'": a plugin is linked with no library.
std::string undefined_names(const std::string& messages) {
  constexpr std::string_view kMark = "undefined reference to `";
  std::vector<std::string> names;
  for (std::size_t at = 0; (at = messages.find(kMark, at)) != std::string::npos;) {
    at += kMark.size();
    std::string name = messages.substr(at, messages.find('\'', at) - at);
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  }
  return join(names);
}

// The first lines: what follows is mostly their echo.
std::string beginning(const std::string& text) {
  constexpr int kLines = 60;
  std::size_t end = 0;
  for (int line = 0; line < kLines && end != std::string::npos; ++line) {
    end = text.find('\n', end == 0 ? 0 : end + 1);
  }
  return end == std::string::npos ? text : text.substr(0, end) + "\n...";
}

Error refused(const CompileJob& job, const fs::path& compiler, const CommandResult& result) {
  std::vector<std::string> help;
  const bool no_cpp = result.output.find("cc1plus") != std::string::npos;
  if (no_cpp) help.emplace_back("install the C++ compiler: sudo apt-get install g++");
  Error error = plugin_fault(no_cpp ? "E0531" : "E0532", job.name(),
                             fmt::format("{} does not compile it", compiler.filename().string()),
                             std::move(help));
  Diagnostic found = error.diagnostics().front();
  const std::string missing = undefined_names(result.output);
  if (!missing.empty()) {
    found.message = fmt::format("uses {}, which no file of the plugin defines", missing);
    found.help.emplace_back("a plugin is linked with no library: use what limen/math.hpp has");
  } else {
    found.notes.push_back(result.output.empty() ? fmt::format("exit code {}", result.exit)
                                                : beginning(result.output));
  }
  return Error(std::move(found));
}

}  // namespace

fs::path include_folder() {
  const fs::path folder = program_prefix() / "include";
  std::error_code error;
  if (fs::exists(folder / "limen" / "activation.hpp", error)) return folder;
  throw Error("E0531", fmt::format("limen's headers are not in {}", folder.string()),
              {"install limen as a whole: cmake --install BUILD --prefix PREFIX"});
}

std::string compile_fingerprint() {
  std::string text = fmt::format("{} {} {} {}", version(), LIMEN_PLUGIN_ALL_FLAGS,
                                 LIMEN_PLUGIN_CXX_FLAGS, LIMEN_PLUGIN_LINK_FLAGS);
  std::vector<fs::path> headers;
  for (const auto& entry : fs::directory_iterator(include_folder() / "limen")) {
    const std::string name = entry.path().filename().string();
    const bool kit =
        name.starts_with("activation") || name.starts_with("math") || name.starts_with("plugin.");
    if (kit) headers.push_back(entry.path());
  }
  std::sort(headers.begin(), headers.end());
  for (const fs::path& header : headers) {
    std::ifstream in(header, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  return text;
}

std::vector<std::string> compile_command(const CompileJob& job, const fs::path& output) {
  return command_of(compiler_of(job), job, output);
}

CompileOutcome compile(const CompileJob& job) {
  const fs::path compiler = compiler_of(job);
  const fs::path folder = job.output.has_parent_path() ? job.output.parent_path() : ".";
  const Workshop workshop(folder);
  const fs::path library = workshop.file("plugin.so"), report = workshop.file("vectors");
  std::vector<std::string> words = command_of(compiler, job, library);
  const bool gnu = job.language == Language::cpp && job.build == Build::release &&
                   compiler.filename().string().find("clang") == std::string::npos;
  if (job.report_vectors && gnu) {
    words.push_back("-fdump-tree-vect-optimized-missed=" + report.string());
  }
  CommandResult result;
  try {
    result = run_program(words, job.text);
  } catch (const std::system_error& error) {
    throw Error("E0531",
                fmt::format("{} cannot be started: {}", compiler.string(), error.code().message()));
  }
  std::error_code error;
  if (result.exit != 0 || !fs::exists(library, error)) throw refused(job, compiler, result);
  CompileOutcome outcome{.messages = std::move(result.output), .not_vectors = {}};
  if (std::ifstream dump(report); dump) outcome.not_vectors = kernels_not_vectorised(dump);
  fs::rename(library, job.output, error);
  if (error) {
    throw Error("E0903",
                fmt::format("{}: cannot be written: {}", job.output.string(), error.message()));
  }
  return outcome;
}

}  // namespace limen
