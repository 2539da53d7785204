#include "base/parallel.hpp"

#include <cstdlib>
#include <thread>
#include <vector>

#include <sched.h>

#ifdef _OPENMP
#include <omp.h>

#include "base/patience.hpp"
#endif

namespace limen {

#ifdef _OPENMP

void detail::parallel_loop(int threads, std::int64_t count, LoopBody body, const void* context) {
  thread_local Patience patience;
  const Patience::Time begin = Patience::Clock::now();
  if (patience.alone(begin)) {
    for (std::int64_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  const int used = static_cast<int>(std::min<std::int64_t>(threads, count));
  Patience::Time own_begin = begin, own_end = begin;
#pragma omp parallel num_threads(used)
  {
    const std::int64_t t = omp_get_thread_num(), all = omp_get_num_threads();
    if (t == 0) own_begin = Patience::Clock::now();
    for (std::int64_t i = count * t / all; i < count * (t + 1) / all; ++i) body(context, i);
    if (t == 0) own_end = Patience::Clock::now();
  }
  const Patience::Time end = Patience::Clock::now();
  const Patience::Duration own = own_end - own_begin;
  patience.judge(own, end - begin - own, end);
}

OneThreadScope::OneThreadScope() : saved_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThreadScope::~OneThreadScope() { omp_set_num_threads(saved_); }

#else

// For ThreadSanitizer, which cannot see into libgomp: plain threads, one block of pieces each.
void detail::parallel_loop(int threads, std::int64_t count, LoopBody body, const void* context) {
  const std::int64_t used = std::min<std::int64_t>(threads, count);
  const auto block = [&](std::int64_t t) {
    for (std::int64_t i = count * t / used; i < count * (t + 1) / used; ++i) body(context, i);
  };
  std::vector<std::thread> pool;
  for (std::int64_t t = 1; t < used; ++t) pool.emplace_back(block, t);
  block(0);
  for (std::thread& thread : pool) thread.join();
}

OneThreadScope::OneThreadScope() : saved_(1) {}
OneThreadScope::~OneThreadScope() { static_cast<void>(saved_); }

#endif

int default_threads() {
  if (const char* text = std::getenv("LIMEN_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted > 0) return wanted;
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace limen
