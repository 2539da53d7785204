// A square function that does what the FAULT_... macro says, mostly in its backward kernel.
#include <limen/plugin.h>

#include <stdexcept>

#include <unistd.h>

namespace {

template <class T>
void forward(const limen_tile* tile) {
  const T* const x = static_cast<const T*>(tile->x[0]);
  T* const y = static_cast<T*>(tile->y[0]);
  for (uint64_t i = 0; i < tile->n; ++i) y[i] = x[i] * x[i];
}

template <class T>
void backward(const limen_tile* tile) {
#if defined(FAULT_CRASHING)
  *static_cast<volatile int*>(nullptr) = 1;
#elif defined(FAULT_HANGING)
  for (volatile bool forever = true; forever;) ::usleep(1000);
#elif defined(FAULT_LEAVING)
  ::_exit(0);
#elif defined(FAULT_THROWING)
  throw std::runtime_error("not today");
#endif
  const T* const x = static_cast<const T*>(tile->x[0]);
  const T* const dy = static_cast<const T*>(tile->dy[0]);
  T* const dx = static_cast<T*>(tile->dx[0]);
  const bool add = (tile->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (uint64_t i = 0; i < tile->n; ++i)
    dx[i] = (add ? dx[i] : T(0)) + T(3) * x[i] * dy[i];  // not 2
}

template <class T>
constexpr limen_kernel kernel(uint32_t role, void (*run)(const limen_tile*)) {
  return {sizeof(limen_kernel),
          role,
          sizeof(T) == 8 ? LIMEN_F64 : LIMEN_F32,
          LIMEN_ISA_ANY,
          0,
          role == LIMEN_BACKWARD ? LIMEN_X : 0u,
          0,
          0,
          0,
          0,
          run};
}

constexpr limen_kernel kKernels[] = {kernel<float>(LIMEN_FORWARD, forward<float>),
                                     kernel<double>(LIMEN_FORWARD, forward<double>),
                                     kernel<float>(LIMEN_BACKWARD, backward<float>),
                                     kernel<double>(LIMEN_BACKWARD, backward<double>)};

#if defined(FAULT_REFUSING)
int32_t refuse(const double*, void**, limen_error* error) {
  error->text[0] = 'N', error->text[1] = '\0';
  return LIMEN_E_INTERNAL;
}
#endif

constexpr limen_op make_op() {
  limen_op op{};
  op.size = sizeof op;
  op.name = "odd_square";
  op.version = "1.0.0";
  op.summary = "a square whose gradient is not to be trusted";
  op.formula = "x * x";
  op.kind = LIMEN_MAP;
  op.dtypes = LIMEN_F32 | LIMEN_F64;
  op.arity = op.outputs = 1;
  op.n_kernels = sizeof kKernels / sizeof *kKernels;
  op.kernels = kKernels;
#if defined(FAULT_REFUSING)
  op.create = refuse;
#endif
  return op;
}

constexpr limen_op kOp = make_op();
constexpr const limen_op* kOps[] = {&kOp};
constexpr limen_plugin kPlugin = {sizeof(limen_plugin),
                                  LIMEN_ABI_MAJOR,
                                  LIMEN_ABI_MINOR,
                                  0,
                                  0,
                                  1,
                                  nullptr,
                                  "org.example.odd_square",
                                  "1.0.0",
                                  "",
                                  "",
                                  "",
                                  "",
                                  kOps};

}  // namespace

LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(odd_square, "odd_square");

extern "C" LIMEN_EXPORT const limen_plugin* limen_plugin_v1(const limen_host*,
                                                            limen_error*) LIMEN_NOEXCEPT {
  return &kPlugin;
}
