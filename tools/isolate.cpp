#include "isolate.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace limen::tools {
namespace {

using Clock = std::chrono::steady_clock;

// On the pipe each message is its length, a line end and its bytes; the last one is an "end".
// Anything else is what a dying child left behind.
constexpr std::string_view kEnd = "end\n";

void write_all(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(pipe, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void be_child(const std::function<void(const Say&)>& body, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, SIG_DFL);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  body([pipe](const std::string& message) {
    write_all(pipe, fmt::format("{}\n{}", message.size(), message));
  });
  write_all(pipe, kEnd);
  ::_exit(0);
}

// Takes whole messages from the front; true at the end mark.
bool take_messages(std::string& bytes, const Say& hear) {
  for (;;) {
    if (bytes == kEnd) return true;
    const std::size_t line = bytes.find('\n');
    if (line == std::string::npos) return false;
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + line, size);
    if (error != std::errc() || end != bytes.data() + line) return false;
    if (bytes.size() - line - 1 < size) return false;
    hear(bytes.substr(line + 1, size));
    bytes.erase(0, line + 1 + size);
  }
}

enum class Heard { everything, broken, nothing };

Heard listen(int pipe, int seconds, const Say& hear) {
  std::string bytes;
  char piece[1 << 14];
  Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    int wait = -1;
    if (seconds > 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
      if (left.count() <= 0) return Heard::nothing;
      wait = static_cast<int>(left.count());
    }
    pollfd ready{pipe, POLLIN, 0};
    const int count = ::poll(&ready, 1, wait);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Heard::nothing;
    const ssize_t got = ::read(pipe, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Heard::broken;
    bytes.append(piece, static_cast<std::size_t>(got));
    if (take_messages(bytes, hear)) return Heard::everything;
    end = Clock::now() + std::chrono::seconds(seconds);
  }
}

std::string death_of(int status) {
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return fmt::format("killed by SIG{}", name != nullptr ? name : "?");
  }
  return fmt::format("ended itself with status {}", WEXITSTATUS(status));
}

}  // namespace

std::string run_speaking(const std::function<void(const Say&)>& body, const Say& hear,
                         int seconds) {
  int ends[2];
  if (::pipe(ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "cannot start a process");
  if (child == 0) {
    ::close(ends[0]);
    be_child(body, ends[1]);
  }
  ::close(ends[1]);
  const Heard heard = listen(ends[0], seconds, hear);
  ::close(ends[0]);
  if (heard == Heard::nothing) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (heard == Heard::everything) return {};
  return heard == Heard::broken ? death_of(status) : fmt::format("no answer within {} s", seconds);
}

IsolatedResult run_isolated(const std::function<IsolatedAnswer()>& body, int seconds) {
  IsolatedResult result;
  result.death = run_speaking(
      [&](const Say& say) {
        const IsolatedAnswer answer = body();
        say(fmt::format("{} {}", static_cast<int>(answer.exit), answer.payload));
      },
      [&](const std::string& message) {
        const std::size_t gap = message.find(' ');
        int exit = 0;
        std::from_chars(message.data(), message.data() + gap, exit);
        result.exit = static_cast<Exit>(exit);
        result.payload = message.substr(gap + 1);
      },
      seconds);
  result.completed = result.death.empty();
  return result;
}

}  // namespace limen::tools
