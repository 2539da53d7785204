#include "isolate.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
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

// The answer on the pipe: its exit code, its length, a line end, its bytes. Anything else is what a
// dying child left behind.
std::string encode(const IsolatedAnswer& answer) {
  return fmt::format("{} {}\n{}", static_cast<int>(answer.exit), answer.payload.size(),
                     answer.payload);
}

bool decode(const std::string& bytes, IsolatedResult& result) {
  const std::size_t end = bytes.find('\n'), gap = bytes.find(' ');
  if (end == std::string::npos || gap == std::string::npos || gap > end) return false;
  int exit = 0;
  std::size_t size = 0;
  std::from_chars(bytes.data(), bytes.data() + gap, exit);
  std::from_chars(bytes.data() + gap + 1, bytes.data() + end, size);
  if (bytes.size() - end - 1 != size) return false;
  result.exit = static_cast<Exit>(exit);
  result.payload = bytes.substr(end + 1);
  return true;
}

[[noreturn]] void be_child(const std::function<IsolatedAnswer()>& body, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, SIG_DFL);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const std::string bytes = encode(body());
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = ::write(pipe, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) at += static_cast<std::size_t>(written);
  }
  ::_exit(0);
}

// Everything up to the end of the pipe; false if the time ran out before.
bool read_until_end(int pipe, int seconds, std::string& bytes) {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  char piece[1 << 14];
  for (;;) {
    int wait = -1;
    if (seconds > 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
      if (left.count() <= 0) return false;
      wait = static_cast<int>(left.count());
    }
    pollfd ready{pipe, POLLIN, 0};
    const int count = ::poll(&ready, 1, wait);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    const ssize_t got = ::read(pipe, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    bytes.append(piece, static_cast<std::size_t>(got));
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

IsolatedResult run_isolated(const std::function<IsolatedAnswer()>& body, int seconds) {
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
  IsolatedResult result;
  std::string bytes;
  const bool in_time = read_until_end(ends[0], seconds, bytes);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  result.completed = in_time && decode(bytes, result);
  if (!result.completed) {
    result.death = in_time ? death_of(status) : fmt::format("no answer within {} s", seconds);
  }
  return result;
}

}  // namespace limen::tools
