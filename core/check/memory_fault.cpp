#include "check/memory_fault.hpp"

#include <array>
#include <csetjmp>
#include <csignal>

namespace limen::check {
namespace {

// A signal handler can be told nothing: what it needs lies in its thread.
thread_local sigjmp_buf* return_point = nullptr;
thread_local const void* volatile fault_address = nullptr;

void on_fault(int signal, siginfo_t* info, void*) {
  if (return_point == nullptr) {  // not ours: the default action, once this handler has returned
    std::signal(signal, SIG_DFL);
    return;
  }
  fault_address = info->si_addr;
  siglongjmp(*return_point, 1);
}

}  // namespace

const void* first_fault(const std::function<void()>& body) {
  constexpr std::array<int, 2> kSignals{SIGSEGV, SIGBUS};
  std::array<struct sigaction, 2> before{};
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before[i]);
  sigjmp_buf here;
  fault_address = nullptr;
  if (sigsetjmp(here, 1) == 0) {
    return_point = &here;
    body();
  } else if (fault_address == nullptr) {
    fault_address = reinterpret_cast<const void*>(1);  // a null pointer was followed
  }
  return_point = nullptr;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  return fault_address;
}

}  // namespace limen::check
