// Squares that are right as numbers, each with one habit that a process suffers from.
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "planted.hpp"

namespace {

using namespace planted;  // a test plugin is one file

enum Habit { kNone, kPrints, kWritesFile, kSubnormal, kLeaks };

void* volatile forgotten;  // what a call took

template <class T>
T tiny() {  // below the normal numbers: 0 where those count as 0
  static volatile T value = sizeof(T) == 4 ? T(1e-40) : T(1e-310L);
  return value;
}

template <class T, Habit H>
void forward(const limen_tile* t) {
  const bool once = t->n == 5;  // seldom enough to be read by a person
  if (H == kPrints && once) std::printf("squaring %zu numbers\n", static_cast<std::size_t>(t->n));
  if (H == kWritesFile && once) {
    const int file = ::open("/tmp", O_WRONLY | O_TMPFILE, 0600);
    if (file >= 0) [[maybe_unused]]
      const auto written = ::write(file, "square", 6);
    if (file >= 0) ::close(file);
  }
  if (H == kLeaks) forgotten = std::malloc(64);
  const T one = H == kSubnormal ? tiny<T>() / tiny<T>() : T(1);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = in<T>(t->x)[i];
    out<T>(t->y)[i] = one * x * x;
  }
}

template <class T>
void backward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T d = 2 * in<T>(t->x)[i] * in<T>(t->dy)[i];
    T& dx = out<T>(t->dx)[i];
    dx = adds(t) ? dx + d : d;
  }
}

template <Habit H>
inline constexpr limen_kernel kKernels[] = {kernel(LIMEN_FORWARD, LIMEN_F32, forward<float, H>, 0),
                                            kernel(LIMEN_BACKWARD, LIMEN_F32, backward<float>),
                                            kernel(LIMEN_FORWARD, LIMEN_F64, forward<double, H>, 0),
                                            kernel(LIMEN_BACKWARD, LIMEN_F64, backward<double>)};

using Create = std::int32_t (*)(const double*, void**, limen_error*);

constexpr limen_op with(limen_op o, Create create, void (*destroy)(void*)) {
  o.create = create;
  o.destroy = destroy;
  return o;
}

std::int32_t takes_memory(const double*, void** instance, limen_error*) {
  *instance = std::malloc(4096);
  return *instance == nullptr ? LIMEN_E_MEMORY : LIMEN_OK;
}
std::int32_t opens_file(const double*, void** instance, limen_error*) {
  *instance = std::malloc(16);
  return ::open("/dev/null", O_RDONLY) < 0 ? LIMEN_E_MEMORY : LIMEN_OK;
}
std::int32_t starts_thread(const double*, void** instance, limen_error*) {
  *instance = std::malloc(16);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const auto sleep = [](void*) -> void* { return ::pause(), nullptr; };
  return ::pthread_create(&thread, &small, sleep, nullptr) == 0 ? LIMEN_OK : LIMEN_E_MEMORY;
}
void keeps(void*) {}
void frees(void* instance) { std::free(instance); }

#define OP(tag, ...)                    \
  constexpr limen_op tag = __VA_ARGS__; \
  LIMEN_DECLARE_OP(tag, #tag);

OP(quiet_square, with(op("quiet_square", kKernels<kNone>, 4), takes_memory, frees))
OP(prints, op("prints", kKernels<kPrints>, 4))
OP(writes_file, op("writes_file", kKernels<kWritesFile>, 4))
OP(subnormal_constant, op("subnormal_constant", kKernels<kSubnormal>, 4))
OP(leaks_memory, with(op("leaks_memory", kKernels<kNone>, 4), takes_memory, keeps))
OP(leaks_calls, op("leaks_calls", kKernels<kLeaks>, 4))
OP(leaks_files, with(op("leaks_files", kKernels<kNone>, 4), opens_file, frees))
OP(leaks_threads, with(op("leaks_threads", kKernels<kNone>, 4), starts_thread, frees))

}  // namespace

PLANTED_PLUGIN("org.limen.test.planted_resources", &quiet_square, &prints, &writes_file,
               &subnormal_constant, &leaks_memory, &leaks_calls, &leaks_files, &leaks_threads)
