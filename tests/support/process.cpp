#include "support/process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace limen::test {
namespace {

long long now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What a child is to read, as a file without a name: no pipe that both sides could wait for.
int input_file(const std::string& text) {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr) throw std::runtime_error("no temporary file");
  std::fwrite(text.data(), 1, text.size(), file);
  std::rewind(file);
  const int copy = ::dup(::fileno(file));
  std::fclose(file);
  ::lseek(copy, 0, SEEK_SET);
  return copy;
}

[[noreturn]] void become(const Command& command, int in, int out, int err) {
  ::setpgid(0, 0);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (!command.folder.empty() && ::chdir(command.folder.c_str()) != 0) ::_exit(126);
  for (const auto& [name, value] : command.environment) {
    if (value.empty()) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

}  // namespace

Child::Child(const Command& command) : command_(command) {
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const int in = input_file(command_.input);
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("no process");
  if (process_ == 0) become(command_, in, out[1], err[1]);
  ::close(in);
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  deadline_ = now_ms() + command_.seconds * 1000LL;
}

Child::~Child() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  close_output();
  if (err_ >= 0) ::close(err_);
}

void Child::close_output() {
  if (out_ >= 0) ::close(out_);
  out_ = -1;
}

void Child::send(int signal) const { ::kill(process_, signal); }

bool Child::read_some() {
  pollfd ready[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  const long long left = deadline_ - now_ms();
  if (left <= 0) outcome_.timed_out = true;
  if ((out_ < 0 && err_ < 0) || left <= 0) return false;
  if (::poll(ready, 2, static_cast<int>(left)) < 0) return errno == EINTR;
  for (int i = 0; i < 2; ++i) {
    if (ready[i].fd < 0 || ready[i].revents == 0) continue;
    char piece[4096];
    const ssize_t count = ::read(ready[i].fd, piece, sizeof piece);
    if (count > 0) {
      (i == 0 ? outcome_.out : outcome_.err).append(piece, static_cast<std::size_t>(count));
    } else {
      ::close(ready[i].fd);
      (i == 0 ? out_ : err_) = -1;
    }
  }
  return true;
}

bool Child::wait_for(const std::string& text) {
  for (;;) {
    if (outcome_.out.find(text) != std::string::npos) return true;
    if (outcome_.err.find(text) != std::string::npos) return true;
    if (!read_some()) return false;
  }
}

Outcome Child::wait() {
  while (read_some()) continue;
  if (outcome_.timed_out) ::kill(process_, SIGKILL);
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  process_ = -1;
  if (WIFEXITED(status)) outcome_.exit = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome_.signal = WTERMSIG(status);
  return outcome_;
}

Outcome run(const Command& command) { return Child(command).wait(); }

}  // namespace limen::test
