#include "crash.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <unistd.h>

#include <limen/error.hpp>

#include "base/kernel_site.hpp"

namespace limen::tools {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

const char* name_of(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGILL";
  }
}

// One line in a buffer of its own: a signal handler may call nothing that allocates.
class Line {
 public:
  Line& operator<<(const char* text) {
    const std::size_t size = std::min(std::strlen(text), buffer_.size() - size_);
    std::memcpy(buffer_.data() + size_, text, size);
    size_ += size;
    return *this;
  }
  Line& operator<<(std::int64_t number) {
    char digits[24] = "";
    char* at = digits + sizeof digits - 1;
    auto rest = static_cast<std::uint64_t>(number);
    do {
      *--at = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest > 0);
    return *this << at;
  }
  void write() const {
    const ssize_t written = ::write(STDERR_FILENO, buffer_.data(), size_);
    static_cast<void>(written);
  }

 private:
  std::array<char, 1024> buffer_{};
  std::size_t size_ = 0;
};

void handle(int number) {
  const KernelSite* const site = current_kernel_site;
  if (site == nullptr) {  // not a plugin: as if there were no handler
    std::signal(number, SIG_DFL);
    std::raise(number);
    return;
  }
  Line line;
  line << "\nerror[E0519]: " << site->plugin;
  if (site->op[0] != '\0') line << ":" << site->op;
  line << " " << site->kernel;
  if (site->node[0] != '\0') line << ", node " << site->node;
  if (site->end > site->begin) line << ", elements " << site->begin << ".." << site->end - 1;
  line
      << ": " << name_of(number)
      << "\n = help: the fault is in the plugin; `limen plugin check` looks for it in a process of "
         "its own\n";
  line.write();
  ::_exit(static_cast<int>(Exit::plugin));
}

}  // namespace

void report_crashes_of_plugins() {
  // The main thread may have no room left when it crashes.
  static std::array<std::byte, 1 << 16> room;
  stack_t stack{};
  stack.ss_sp = room.data();
  stack.ss_size = room.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_ONSTACK;
  for (const int number : kSignals) ::sigaction(number, &action, nullptr);
}

}  // namespace limen::tools
