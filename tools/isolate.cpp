#include "isolate.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
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
constexpr int kPipe = 1 << 20;  // bytes that it holds
constexpr int kTogether = 4;    // milliseconds

void write_all(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(pipe, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void be_child(const std::function<void(const Say&)>& body, int pipe, int printed) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, SIG_DFL);
  if (printed >= 0) ::dup2(printed, STDERR_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  body([pipe](const std::string& message) {
    write_all(pipe, fmt::format("{}\n{}", message.size(), message));
  });
  write_all(pipe, kEnd);
  ::_exit(0);
}

// Takes whole messages from the front; true at the end mark.
bool take_messages(std::string& bytes, const Say& hear) {
  std::string_view left = bytes;
  while (left != kEnd) {
    const std::size_t line = left.find('\n');
    if (line == std::string::npos) break;
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(left.data(), left.data() + line, size);
    if (error != std::errc() || end != left.data() + line) break;
    if (left.size() - line - 1 < size) break;
    hear(std::string(left.substr(line + 1, size)));
    left.remove_prefix(line + 1 + size);
  }
  const bool whole = left == kEnd;
  bytes.erase(0, bytes.size() - left.size());
  return whole;
}

std::string death_of(int status) {
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return fmt::format("killed by SIG{}", name != nullptr ? name : "?");
  }
  return fmt::format("ended itself with status {}", WEXITSTATUS(status));
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A running process and what has come from it.
class Child {
 public:
  // `printed`: the file that takes what it prints; -1: the standard error.
  Child(const std::function<void(const Say&)>& body, int seconds, int printed) : seconds_(seconds) {
    int ends[2];
    if (::pipe(ends) != 0) fail("cannot make a pipe");
    process_ = ::fork();
    if (process_ == 0) {
      ::close(ends[0]);
      be_child(body, ends[1], printed);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
    ::fcntl(pipe_, F_SETFL, O_NONBLOCK);
    ::fcntl(pipe_, F_SETPIPE_SZ, kPipe);  // if it may not be so large, the child waits at times
    if (process_ < 0) {
      ::close(pipe_);
      fail("cannot start a process");
    }
    wind_up();
  }
  ~Child() { end(true); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int pipe() const { return pipe_; }
  // Milliseconds until its silence is too long; -1: never.
  int patience() const {
    if (seconds_ <= 0) return -1;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }
  // Reads what has come; false when nothing more will.
  bool listen(const Say& hear) {
    char piece[1 << 16];
    ssize_t got = 0;
    while ((got = ::read(pipe_, piece, sizeof piece)) > 0) {
      bytes_.append(piece, static_cast<std::size_t>(got));
    }
    const bool more = got < 0 && (errno == EINTR || errno == EAGAIN);
    whole_ = take_messages(bytes_, hear);
    wind_up();
    return !whole_ && more;
  }
  // Waits for it, killed first if it is `stuck`; how it died, empty if it ran to its end.
  std::string end(bool stuck) {
    if (process_ <= 0) return {};
    ::close(pipe_);
    if (stuck) ::kill(process_, SIGKILL);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
    process_ = 0;
    if (whole_) return {};
    return stuck ? fmt::format("no answer within {} s", seconds_) : death_of(status);
  }

 private:
  pid_t process_ = 0;
  int pipe_ = -1, seconds_;
  std::string bytes_;
  bool whole_ = false;  // its end mark has come
  Clock::time_point end_;

  void wind_up() { end_ = Clock::now() + std::chrono::seconds(seconds_); }
};

// What children print, until its turn comes.
class HeldBack {
 public:
  HeldBack() : file_(::memfd_create("printed", MFD_CLOEXEC)) {
    if (file_ < 0) fail("cannot hold back what a process prints");
  }
  ~HeldBack() { ::close(file_); }
  HeldBack(const HeldBack&) = delete;
  HeldBack& operator=(const HeldBack&) = delete;

  int file() const { return file_; }
  std::string text() const {
    std::string result;
    char piece[1 << 14];
    ::lseek(file_, 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(file_, piece, sizeof piece)) > 0;) {
      result.append(piece, static_cast<std::size_t>(got));
    }
    return result;
  }

 private:
  int file_;
};

struct Running {
  std::size_t job;
  std::unique_ptr<HeldBack> printed;
  std::unique_ptr<Child> child;
};

// Waits until a child speaks or has been silent for too long; what that is, by Running.
std::vector<short> wait_for(const std::vector<Running>& running) {
  std::vector<pollfd> pipes;
  int patience = -1;
  for (const Running& r : running) {
    pipes.push_back({r.child->pipe(), POLLIN, 0});
    const int left = r.child->patience();
    if (left >= 0 && (patience < 0 || left < patience)) patience = left;
  }
  std::vector<short> result(running.size());
  // Children say hundreds of things in a second: those of a few milliseconds are heard together,
  // or to be woken for each would take longer than to hear it. The end of a child is not waited
  // for.
  for (pollfd& pipe : pipes) pipe.events = 0;
  if (::poll(pipes.data(), pipes.size(), kTogether) == 0) {
    for (pollfd& pipe : pipes) pipe.events = POLLIN;
    if (::poll(pipes.data(), pipes.size(), patience) < 0) return result;
  }
  for (std::size_t i = 0; i < pipes.size(); ++i) result[i] = pipes[i].revents;
  return result;
}

}  // namespace

std::string run_speaking(const std::function<void(const Say&)>& body, const Say& hear,
                         int seconds) {
  std::vector<Running> one;
  one.push_back({0, nullptr, std::make_unique<Child>(body, seconds, -1)});
  Child& child = *one[0].child;
  for (;;) {
    const bool speaks = wait_for(one)[0] != 0;
    if (speaks && !child.listen(hear)) return child.end(false);
    if (!speaks && child.patience() == 0) return child.end(true);
  }
}

void run_side_by_side(const std::vector<Job>& jobs, std::size_t at_most, int seconds) {
  std::vector<std::optional<std::string>> printed(jobs.size());  // of those that are over
  std::vector<Running> running;
  std::size_t next = 0, shown = 0;
  const auto start = [&](Running& r) {
    r.child = std::make_unique<Child>(jobs[r.job].body, seconds, r.printed->file());
  };
  while (next < jobs.size() || !running.empty()) {
    for (; next < jobs.size() && running.size() < std::max<std::size_t>(at_most, 1); ++next) {
      start(running.emplace_back(next, std::make_unique<HeldBack>(), nullptr));
    }
    const std::vector<short> speaks = wait_for(running);
    for (std::size_t i = 0; i < running.size(); ++i) {
      Running& r = running[i];
      const bool stuck = speaks[i] == 0;
      if (stuck ? r.child->patience() != 0 : r.child->listen(jobs[r.job].hear)) continue;
      if (jobs[r.job].ended(r.child->end(stuck))) {
        start(r);
      } else {
        r.child.reset();
        printed[r.job] = r.printed->text();
      }
    }
    std::erase_if(running, [](const Running& r) { return r.child == nullptr; });
    for (; shown < jobs.size() && printed[shown]; ++shown) {
      write_all(STDERR_FILENO, *printed[shown]);
    }
  }
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
