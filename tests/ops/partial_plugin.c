// Ops that lack something: `forward_only` a derivative, `first_order` a second one, `single` f64.
// `fresh` computes x + 1, does not promise to work in place, and reads its scratch and instance.
#include <limen/plugin.h>

LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(forward_only, "forward_only");
LIMEN_DECLARE_OP(first_order, "first_order");
LIMEN_DECLARE_OP(single, "single");
LIMEN_DECLARE_OP(fresh, "fresh");

#define SQUARE(T, name)                                             \
  static void name(const limen_tile *t) {                           \
    const T *x = t->x[0];                                           \
    T *y = t->y[0];                                                 \
    for (uint64_t i = 0; i < t->n; ++i) y[i] = x[i] * x[i];         \
  }                                                                 \
  static void name##_slope(const limen_tile *t) {                   \
    const T *x = t->x[0], *dy = t->dy[0];                           \
    T *dx = t->dx[0];                                               \
    for (uint64_t i = 0; i < t->n; ++i) dx[i] = 2 * x[i] * dy[i];   \
  }
SQUARE(float, square_f32)
SQUARE(double, square_f64)

// Writes y twice, so that an alias of x would show.
static void fresh_f32(const limen_tile *t) {
  const float *x = t->x[0];
  float *y = t->y[0], *spare = t->scratch;
  const float one = *(const float *)t->instance;
  for (int i = 0; i < 16; ++i) spare[i] = one;
  for (uint64_t i = 0; i < t->n; ++i) y[i] = 0;
  for (uint64_t i = 0; i < t->n; ++i) y[i] = x[i] + spare[i % 16];
}
static int32_t fresh_create(const double *hyper, void **instance, limen_error *error) {
  static float one = 1;
  (void)hyper, (void)error;
  *instance = &one;
  return LIMEN_OK;
}

#define KERNEL(r, d, reads_, fn) {sizeof(limen_kernel), r, d, LIMEN_ISA_ANY, 0, reads_, 0, 0, 0, 0, fn}
static const limen_kernel kernels[] = {
    KERNEL(LIMEN_FORWARD, LIMEN_F32, 0, square_f32),
    KERNEL(LIMEN_FORWARD, LIMEN_F64, 0, square_f64),
    KERNEL(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, square_f32_slope),
    KERNEL(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, square_f64_slope),
};
static const limen_kernel fresh_kernels[] = {KERNEL(LIMEN_FORWARD, LIMEN_F32, 0, fresh_f32)};

#define OP(name_, dtypes_, n, table)                                                        \
  {.size = sizeof(limen_op), .name = name_, .version = "1.0.0", .kind = LIMEN_MAP,          \
   .dtypes = dtypes_, .arity = 1, .outputs = 1, .axis = -1, .n_kernels = n, .kernels = table}
static const limen_op forward_only = OP("forward_only", LIMEN_F32 | LIMEN_F64, 2, kernels);
static const limen_op first_order = OP("first_order", LIMEN_F32 | LIMEN_F64, 4, kernels);
static const limen_op single = OP("single", LIMEN_F32, 1, kernels);
static const limen_op fresh = {.size = sizeof(limen_op), .name = "fresh", .version = "1.0.0",
                               .kind = LIMEN_MAP, .dtypes = LIMEN_F32, .arity = 1, .outputs = 1,
                               .axis = -1, .n_kernels = 1, .kernels = fresh_kernels,
                               .scratch_bytes = 64, .create = fresh_create};
static const limen_op *const ops[] = {&forward_only, &first_order, &single, &fresh};
static const limen_plugin plugin = {.size = sizeof(limen_plugin),
                                    .abi_major = LIMEN_ABI_MAJOR,
                                    .abi_minor = LIMEN_ABI_MINOR,
                                    .n_ops = 4,
                                    .name = "org.example.partial",
                                    .version = "1.0.0",
                                    .ops = ops};

const limen_plugin *limen_plugin_v1(const limen_host *host, limen_error *error) {
  (void)host, (void)error;
  return &plugin;
}
