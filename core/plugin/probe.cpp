#include "plugin/probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

#include "base/cache_folder.hpp"
#include "base/isa.hpp"
#include "base/version.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr char kDone = '\n';  // between stages, too: the last whole line is the stage
constexpr std::string_view kGood = "good", kDead = "dead ";

void say(int pipe, const char* text) {
  const ssize_t written = ::write(pipe, text, std::strlen(text));
  static_cast<void>(written);
}

[[noreturn]] void be_child(const ProbeBody& body, int pipe, int seconds) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const auto most = static_cast<rlim_t>(seconds) + 1;
  const rlimit time{most, most};
  ::setrlimit(RLIMIT_CPU, &time);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGINT, SIGTERM, SIGTRAP}) {
    std::signal(number, SIG_DFL);
  }
  const int silence = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {0, 1, 2}) ::dup2(silence, stream);
  try {
    body([pipe](const char* stage) {
      say(pipe, stage);
      say(pipe, "\n");
      if (stage[0] == '!') ::_exit(1);
    });
  } catch (...) {  // an orderly refusal: the caller meets it again, in this process or another
  }
  say(pipe, "\n");
  ::_exit(0);
}

// Everything up to the end of the pipe; false if the time ran out before.
bool read_until_end(int pipe, int seconds, std::string& bytes) {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  std::array<char, 512> piece{};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{pipe, POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(left.count()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    const ssize_t got = ::read(pipe, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
}

// The last line that was said whole.
std::string last_line(std::string_view said) {
  said = said.substr(0, said.rfind(kDone) == std::string_view::npos ? 0 : said.rfind(kDone));
  const std::size_t begin = said.rfind(kDone);
  return std::string(begin == std::string_view::npos ? said : said.substr(begin + 1));
}

std::string death_of(int status, const std::string& stage) {
  if (stage.starts_with('!')) return stage.substr(1);
  if (WIFEXITED(status)) return fmt::format("called exit({}) {}", WEXITSTATUS(status), stage);
  const char* const name = ::sigabbrev_np(WTERMSIG(status));
  return fmt::format("killed by SIG{} {}", name != nullptr ? name : "?", stage);
}

// A verdict holds for the engine and the instruction set that it was found with.
std::string file_name(const std::string& hash) {
  return fmt::format("{}-{}-{}", hash, version(), isa_name(detect_isa()));
}

}  // namespace

std::optional<std::string> probe(const ProbeBody& body, int seconds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    be_child(body, ends[1], seconds);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    throw std::system_error(errno, std::generic_category(), "cannot start a process");
  }
  std::string said;
  const bool in_time = read_until_end(ends[0], seconds, said);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!in_time) return fmt::format("timed out after {} s {}", seconds, last_line(said));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && said.ends_with("\n\n")) return std::nullopt;
  return death_of(status, last_line(said));
}

ProbeVerdicts::ProbeVerdicts() {
  if (const fs::path cache = cache_folder(); !cache.empty()) folder_ = cache / "probe";
}

ProbeVerdicts::Entry ProbeVerdicts::find(const std::string& hash) const {
  if (folder_.empty()) return {};
  std::ifstream in(folder_ / file_name(hash));
  std::string line;
  if (!std::getline(in, line)) return {};
  if (line == kGood) return {Verdict::good, ""};
  if (line.starts_with(kDead)) return {Verdict::dead, line.substr(kDead.size())};
  return {};
}

void ProbeVerdicts::keep(const std::string& hash, const Entry& entry) const {
  if (folder_.empty() || entry.verdict == Verdict::unknown) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  const fs::path file = folder_ / file_name(hash);
  const fs::path draft = folder_ / fmt::format(".{}.{}", file.filename().string(), ::getpid());
  const bool good = entry.verdict == Verdict::good;
  std::ofstream out(draft);
  out << (good ? std::string(kGood) : std::string(kDead) + entry.death) << '\n';
  out.close();
  if (out) fs::rename(draft, file, error);
  if (!out || error) fs::remove(draft, error);
}

void ProbeVerdicts::forget(const std::string& hash) const {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove(folder_ / file_name(hash), ignored);
}

}  // namespace limen
