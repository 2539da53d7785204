/* A complete plugin in C11 without libc. */
#include <limen/plugin.h>

static void forward(const limen_tile* t) {
  const float* x = t->x[0];
  float* y = t->y[0];
  for (uint64_t i = 0; i < t->n; ++i) y[i] = x[i] * x[i];
}

static void backward(const limen_tile* t) {
  const float *x = t->x[0], *dy = t->dy[0];
  float* dx = t->dx[0];
  if (t->flags & LIMEN_TILE_ACCUMULATE) {
    for (uint64_t i = 0; i < t->n; ++i) dx[i] += 2 * x[i] * dy[i];
  } else {
    for (uint64_t i = 0; i < t->n; ++i) dx[i] = 2 * x[i] * dy[i];
  }
}

#define KERNEL(role, reads, run)                                    \
  {                                                                 \
    sizeof(limen_kernel), role, LIMEN_F32, LIMEN_ISA_ANY, 0, reads, \
        LIMEN_ALIAS_Y_X | LIMEN_ALIAS_DX_DY, 0, 0.1f, 0, run        \
  }
static const limen_kernel kernels[] = {KERNEL(LIMEN_FORWARD, 0, forward),
                                       KERNEL(LIMEN_BACKWARD, LIMEN_X, backward)};
static const char* const aliases[] = {"sq", 0};
static const limen_op op = {.size = sizeof op,
                            .name = "square",
                            .aliases = aliases,
                            .version = "1.0.0",
                            .summary = "x squared",
                            .formula = "x*x",
                            .kind = LIMEN_MAP,
                            .dtypes = LIMEN_F32,
                            .arity = 1,
                            .outputs = 1,
                            .axis = -1,
                            .n_kernels = 2,
                            .kernels = kernels};
static const limen_op* const ops[] = {&op};
static const limen_plugin plugin = {.size = sizeof plugin,
                                    .abi_major = LIMEN_ABI_MAJOR,
                                    .abi_minor = LIMEN_ABI_MINOR,
                                    .n_ops = 1,
                                    .name = "org.example.square",
                                    .version = "1.0.0",
                                    .license = "MIT",
                                    .ops = ops};
LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(square, "square\0sq");

const limen_plugin* limen_plugin_v1(const limen_host* host, limen_error* error) {
  (void)host;
  (void)error;
  return &plugin;
}
