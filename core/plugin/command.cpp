#include "plugin/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <vector>

extern char** environ;

namespace limen {
namespace {

constexpr std::size_t kMostOutput = std::size_t{1} << 20;

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    close_writer();
  }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close(0); }
  void close_writer() { close(1); }

 private:
  void close(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> child_environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("LC_ALL=")) variables.emplace_back(*entry);
  }
  variables.emplace_back("LC_ALL=C");  // messages that we can read
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

pid_t start(std::span<const std::string> words, const Pipe& in, const Pipe& out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.reader(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), 1);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), 2);
  std::vector<std::string> arguments(words.begin(), words.end());
  std::vector<std::string> variables = child_environment();
  pid_t child = -1;
  const int error = ::posix_spawn(&child, arguments.front().c_str(), &actions, nullptr,
                                  pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), arguments.front());
  return child;
}

// Feeds and reads at once, so that neither side waits for the other for ever.
void exchange(Pipe& in, Pipe& out, std::string_view input, std::string& output) {
  ::fcntl(in.writer(), F_SETFL, O_NONBLOCK);
  for (;;) {
    if (input.empty()) in.close_writer();
    std::array<pollfd, 2> waits{pollfd{out.reader(), POLLIN, 0}, pollfd{in.writer(), POLLOUT, 0}};
    if (::poll(waits.data(), input.empty() ? 1 : 2, -1) < 0 && errno != EINTR) return;
    if (!input.empty() && waits[1].revents != 0) {
      const ssize_t sent = ::write(in.writer(), input.data(), input.size());
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it does not want more
    }
    if (waits[0].revents == 0) continue;
    std::array<char, 4096> piece;
    const ssize_t got = ::read(out.reader(), piece.data(), piece.size());
    if (got == 0 || (got < 0 && errno != EINTR)) return;
    if (got > 0 && output.size() < kMostOutput) {
      output.append(piece.data(), static_cast<std::size_t>(got));
    }
  }
}

}  // namespace

CommandResult run_program(std::span<const std::string> words, std::string_view input) {
  // A program that closes its input early must not end this one.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  Pipe in, out;
  const pid_t child = start(words, in, out);
  in.close_reader();
  out.close_writer();
  CommandResult result;
  exchange(in, out, input, result.output);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::sigaction(SIGPIPE, &before, nullptr);
  if (WIFEXITED(status)) result.exit = WEXITSTATUS(status);
  return result;
}

std::filesystem::path find_program(std::span<const std::string_view> names) {
  const char* const path = std::getenv("PATH");
  for (const std::string_view name : names) {
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
      const std::string_view folder = rest.substr(0, rest.find(':'));
      rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
      if (folder.empty() || folder.front() != '/') continue;  // never the current folder
      const auto file = std::filesystem::path(folder) / name;
      std::error_code error;
      if (std::filesystem::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0) {
        return file;
      }
    }
  }
  return {};
}

}  // namespace limen
