// The one parallel loop. Work is cut by size, never by the number of threads, so that results do
// not depend on it; only the assignment of pieces to threads does.
#pragma once

#include <algorithm>
#include <cstdint>

namespace limen {

namespace detail {
using LoopBody = void (*)(const void* context, std::int64_t index);
void parallel_loop(int threads, std::int64_t count, LoopBody body, const void* context);
}  // namespace detail

// Calls body(i) for i in [0, count), on up to `threads` threads; returns when all are done. The
// body must not throw. With one thread or one piece it is a plain loop.
template <class Body>
void parallel_for(int threads, std::int64_t count, const Body& body) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  detail::parallel_loop(
      threads, count,
      [](const void* context, std::int64_t index) { (*static_cast<const Body*>(context))(index); },
      &body);
}

// Calls body(begin, end) for pieces of at most `grain` of [0, n).
template <class Body>
void parallel_ranges(int threads, std::int64_t n, std::int64_t grain, const Body& body) {
  const std::int64_t pieces = (n + grain - 1) / grain;
  parallel_for(threads, pieces,
               [&](std::int64_t i) { body(i * grain, std::min(n, (i + 1) * grain)); });
}

// While it lives, libraries that use OpenMP on this thread run on one thread: their results then
// cannot depend on how many there are.
class OneThreadScope {
 public:
  OneThreadScope();
  ~OneThreadScope();
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  int saved_;
};

int default_threads();  // LIMEN_THREADS, else the cores this process may use

}  // namespace limen
