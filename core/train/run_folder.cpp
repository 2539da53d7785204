#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <limen/checkpoint.hpp>

#include "base/isa.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/version.hpp"
#include "io/file.hpp"
#include "io/safetensors.hpp"
#include "train/state.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

constexpr int kMostRuns = 1'000'000;

[[noreturn]] void cannot_make(const std::string& path, const std::error_code& cause) {
  throw Error("E0903", fmt::format("{}: cannot make the folder: {}", path, cause.message()),
              {"give another place with `--out DIR`"});
}

void make_folder(const fs::path& path) {
  std::error_code fault;
  fs::create_directories(path, fault);
  if (fault) cannot_make(path.string(), fault);
}

// runs/<name>/<k> with the smallest k that nobody has; making the folder takes it.
fs::path take_number(const fs::path& family) {
  make_folder(family);
  for (int k = 1; k < kMostRuns; ++k) {
    std::error_code fault;
    const fs::path path = family / std::to_string(k);
    if (fs::create_directory(path, fault)) return path;
    if (fault && !fs::exists(path)) cannot_make(path.string(), fault);
  }
  throw Error("E0903", fmt::format("{}: there are {} runs already", family.string(), kMostRuns));
}

// A model's name as the name of a folder: nothing in it leads elsewhere.
std::string folder_name(std::string name) {
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  if (name.empty() || name[0] == '.') name.insert(0, "_");
  return name;
}

std::string json_list(std::span<const std::string> items) {
  std::vector<std::string> quoted;
  for (const std::string& item : items) quoted.push_back(json_quote(item));
  return "[" + join(quoted) + "]";
}

// {"/.../relu.so": "3f7a...", ...}: which code computed, byte for byte.
std::string hashes_json(std::span<const std::string> files) {
  std::vector<std::string> items;
  for (const std::string& file : files) {
    items.push_back(fmt::format("{}: \"{}\"", json_quote(file), sha256(read_file(file))));
  }
  return "{" + join(items) + "}";
}

std::string environment_json(const Model& model, int threads) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format(
      "{{\"limen\": {}, \"started\": \"{:%Y-%m-%dT%H:%M:%SZ}\", \"model\": {}, \"sets\": {}, "
      "\"cpu\": {}, \"isa\": {}, \"threads\": {}, \"compiler\": {}, \"plugins\": {}, "
      "\"plugin_sha256\": {}}}\n",
      json_quote(version()), fmt::gmtime(now), json_quote(model.file()), json_list(model.sets()),
      json_quote(processor_name()), json_quote(isa_name(detect_isa())), threads,
      json_quote(__VERSION__), json_list(model.plugins_used()), hashes_json(model.plugin_files()));
}

// The step of a line of metrics.jsonl, or nothing where the line is not whole.
std::optional<std::int64_t> step_of(std::string_view line) {
  constexpr std::string_view kStart = "{\"step\":";
  if (!line.starts_with(kStart) || !line.ends_with('}')) return std::nullopt;
  std::int64_t step = 0;
  const char* const begin = line.data() + kStart.size();
  const auto [stop, fault] = std::from_chars(begin, line.data() + line.size(), step);
  if (fault != std::errc{} || *stop != ',') return std::nullopt;
  return step;
}

}  // namespace

bool RunFolder::is_run(const std::string& path) {
  std::error_code fault;
  return fs::is_regular_file(fs::path(path) / "source.yaml", fault);
}

RunFolder RunFolder::create(const std::string& out, const Model& model,
                            std::span<const std::string> command, int threads) {
  fs::path path = out;
  if (out.empty()) {
    path = take_number(fs::path("runs") / folder_name(model.name()));
  } else {
    if (is_run(out)) {
      throw Error("E1003", fmt::format("{} holds a run already", out),
                  {fmt::format("go on with `--resume {}`, or give another folder", out)});
    }
    make_folder(path);
  }
  RunFolder run(path.string());
  make_folder(path / "ckpt");
  std::vector<std::string> words;
  for (const std::string& word : command) words.push_back(shell_quote(word));
  write_file_atomically((path / "command.txt").string(), join(words, " ") + "\n");
  write_file_atomically((path / "env.json").string(), environment_json(model, threads));
  write_file_atomically((path / "source.yaml").string(), model.source());
  return run;
}

RunFolder RunFolder::open(const std::string& path) {
  if (!is_run(path)) {
    throw Error("E1004", fmt::format("{} holds no run: there is no source.yaml in it", path),
                {"a run folder is what `limen train` made, such as runs/<name>/1"});
  }
  return RunFolder(path);
}

std::string RunFolder::checkpoint(std::string_view name) const {
  return (fs::path(path_) / "ckpt" / (std::string(name) + ".safetensors")).string();
}

Model RunFolder::load_model(PluginRegistry& registry, std::span<const std::string> sets,
                            std::span<const std::string> allow_plugins) const {
  ModelOptions options;
  options.allow_plugins.assign(allow_plugins.begin(), allow_plugins.end());
  std::string text = read_file((fs::path(path_) / "source.yaml").string());
  std::string file = (fs::path(path_) / "source.yaml").string();
  if (const std::string last = checkpoint("last"); fs::exists(last)) {
    const Metadata metadata = read_safetensors(last).metadata;
    options.sets = read_list(metadata, "set");
    if (const auto at = metadata.find("model.file"); at != metadata.end()) file = at->second;
  }
  options.sets.insert(options.sets.end(), sets.begin(), sets.end());
  return Model::parse(std::move(text), std::move(file), registry, options);
}

void RunFolder::add_metrics(const std::string& line) const {
  const std::string path = (fs::path(path_) / "metrics.jsonl").string();
  const std::string whole = line + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const bool good =
      file >= 0 && ::write(file, whole.data(), whole.size()) == static_cast<ssize_t>(whole.size());
  const std::error_code cause(errno, std::generic_category());
  if (file >= 0) ::close(file);
  if (!good) throw Error("E0903", fmt::format("{}: cannot write: {}", path, cause.message()));
}

void RunFolder::trim_metrics(std::int64_t step) const {
  const std::string path = (fs::path(path_) / "metrics.jsonl").string();
  if (!fs::exists(path)) return;
  const std::string text = read_file(path);
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // cut short
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::optional<std::int64_t> at = step_of(line);
    if (at && *at <= step) kept.append(line).push_back('\n');
    begin = end + 1;
  }
  if (kept != text) write_file_atomically(path, kept);
}

}  // namespace limen
