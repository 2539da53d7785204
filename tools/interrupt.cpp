#include "interrupt.hpp"

#include <csignal>

#include <unistd.h>

namespace limen::tools {
namespace {

volatile std::sig_atomic_t received = 0;  // the one thing a handler can reach

void remember(int number) {
  if (received != 0) ::_exit(128 + number);
  received = number;
}

}  // namespace

InterruptScope::InterruptScope() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

InterruptScope::~InterruptScope() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int InterruptScope::signal() { return received; }

}  // namespace limen::tools
