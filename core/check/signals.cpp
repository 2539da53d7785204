#include "check/signals.hpp"

#include <array>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <span>

#include <link.h>
#include <sys/time.h>
#include <ucontext.h>

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

thread_local const std::function<void()>* volatile interrupting = nullptr;
thread_local volatile int interrupts = 0;
thread_local volatile bool fired = false;  // whether or not the timer met the body

// Where the machine's code of malloc() lies.
struct CodeRange {
  std::uintptr_t begin = 0, end = 0;
};
thread_local CodeRange allocator;

int find_allocator(dl_phdr_info* object, std::size_t, void* found) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(&std::malloc);
  for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || wanted < begin || wanted - begin >= segment.p_memsz) continue;
    *static_cast<CodeRange*>(found) = {begin, begin + segment.p_memsz};
    return 1;
  }
  return 0;
}

// A kernel that allocates (it should not) must not find malloc() at work in itself: it would wait
// for its own lock.
bool allocates(const void* context) {
#if defined(__x86_64__)
  const auto at = static_cast<std::uintptr_t>(
      static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  return at >= allocator.begin && at < allocator.end;
#else
  return context == nullptr;
#endif
}

void on_timer(int, siginfo_t*, void* context) {
  fired = true;
  if (allocates(context)) return;
  const std::function<void()>* const intruder = interrupting;
  if (intruder == nullptr) return;
  interrupting = nullptr;  // not twice at a time
  (*intruder)();
  interrupts = interrupts + 1;
  interrupting = intruder;
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

void run_interrupted(const std::function<void()>& body, const std::function<void()>& intruder,
                     const std::function<void()>& after) {
  using Clock = std::chrono::steady_clock;
  constexpr int kInterrupts = 8;
  constexpr Clock::duration kFirst = std::chrono::microseconds(10), kMost = 4 * kFirst;
  struct sigaction before {
  }, action{};
  dl_iterate_phdr(find_allocator, &allocator);
  action.sa_sigaction = on_timer;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGALRM, &action, &before);
  const itimerval never{};
  const auto begin = Clock::now();
  body();
  const Clock::duration length = std::min(Clock::now() - begin, kMost);
  const auto end = Clock::now() + std::chrono::milliseconds(20);
  Clock::duration delay = kFirst;
  interrupts = 0;
  while (interrupts < kInterrupts && Clock::now() < end) {
    const int seen = interrupts;
    fired = false;
    const itimerval soon{{0, 0}, {0, std::chrono::round<std::chrono::microseconds>(delay).count()}};
    setitimer(ITIMER_REAL, &soon, nullptr);  // once: a slow intruder must not starve the body
    while (!fired && Clock::now() < end) {
      interrupting = &intruder;
      body();
      interrupting = nullptr;
    }
    if (interrupts == seen) {  // it came before the body: where signals are slow
      delay *= 2;
      continue;
    }
    delay = kFirst + interrupts * length / kInterrupts;  // another part of the body
    after();
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

}  // namespace limen::check
