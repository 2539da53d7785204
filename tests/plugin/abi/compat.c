/* One plugin in C, compiled against the header of today, of 1.0, and of a later minor version whose
 * structs have grown. COMPAT is the op's name, COMPAT_PLUGIN the plugin's. */
#include <limen/plugin.h>

/* y = x > knee ? scale * x : x, in both element types. */
#define DEFINE_KERNELS(T)                                                         \
  static void forward_##T(const limen_tile* t) {                                  \
    const T *x = t->x[0], scale = (T)t->hyper[0], knee = (T)t->hyper[1];          \
    T* y = t->y[0];                                                               \
    for (uint64_t i = 0; i < t->n; ++i) y[i] = x[i] > knee ? scale * x[i] : x[i]; \
  }                                                                               \
  static void backward_##T(const limen_tile* t) {                                 \
    const T *x = t->x[0], *dy = t->dy[0];                                         \
    const T scale = (T)t->hyper[0], knee = (T)t->hyper[1];                        \
    const int add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;                      \
    T* dx = t->dx[0];                                                             \
    for (uint64_t i = 0; i < t->n; ++i) {                                         \
      const T product = (x[i] > knee ? scale : (T)1) * dy[i];                     \
      dx[i] = add ? dx[i] + product : product;                                    \
    }                                                                             \
  }
DEFINE_KERNELS(float)
DEFINE_KERNELS(double)

/* What a later version appended is filled with what would be noticed if it were read as the next
 * entry. */
#if LIMEN_ABI_MINOR > 0
#define GROWN , .added = {~0ull, ~0ull, ~0ull}
#else
#define GROWN
#endif

#define KERNEL(ROLE, DTYPE, READS, RUN)                                          \
  {                                                                              \
    .size = sizeof(limen_kernel), .role = ROLE, .dtype = DTYPE, .reads = READS,  \
    .alias = LIMEN_ALIAS_Y_X | LIMEN_ALIAS_DX_DY, .max_ulp = 1, .run = RUN GROWN \
  }
static const limen_kernel kernels[] = {
    KERNEL(LIMEN_FORWARD, LIMEN_F32, 0, forward_float),
    KERNEL(LIMEN_FORWARD, LIMEN_F64, 0, forward_double),
    KERNEL(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, backward_float),
    KERNEL(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, backward_double),
};
static const limen_param params[] = {
    {.size = sizeof(limen_param),
     .type = LIMEN_P_REAL,
     .name = "scale",
     .def = 2,
     .min = 0,
     .max = 8 GROWN},
    {.size = sizeof(limen_param),
     .type = LIMEN_P_REAL,
     .name = "knee",
     .def = 0.5,
     .min = -1,
     .max = 1 GROWN},
};
static const double x[] = {-2, 0.25, 1, 3}, y[] = {-2, 0.25, 2, 6}, slope[] = {1, 1, 2, 2};
static const double other[] = {4, -1}, y_other[] = {-2, 1, 4, 12};
static const limen_golden goldens[] = {
    {.size = sizeof(limen_golden),
     .n = 4,
     .x = x,
     .y = y,
     .dydx = slope,
     .source = "by hand" GROWN},
    {.size = sizeof(limen_golden),
     .n = 4,
     .hyper = other,
     .x = x,
     .y = y_other,
     .source = "by hand" GROWN},
};
static const limen_kink kinks[] = {
    {.at = 0, .scale = 1, .param = 1, .kind = LIMEN_KINK_JUMP, .slope = 1}};
static const limen_facts facts = {.size = sizeof(limen_facts), .kinks = kinks, .n_kinks = 1 GROWN};
static const limen_op op = {.size = sizeof(limen_op),
                            .name = COMPAT,
                            .version = "1.0.0",
                            .formula = "x > knee ? scale * x : x",
                            .kind = LIMEN_MAP,
                            .dtypes = LIMEN_F32 | LIMEN_F64,
                            .arity = 1,
                            .outputs = 1,
                            .axis = -1,
                            .n_params = 2,
                            .n_kernels = 4,
                            .n_goldens = 2,
                            .params = params,
                            .facts = &facts,
                            .kernels = kernels,
                            .goldens = goldens GROWN};
static const limen_op* const ops[] = {&op};
static const limen_plugin plugin = {.size = sizeof(limen_plugin),
                                    .abi_major = LIMEN_ABI_MAJOR,
                                    .abi_minor = LIMEN_ABI_MINOR,
                                    .n_ops = 1,
                                    .name = COMPAT_PLUGIN,
                                    .version = "1.0.0",
                                    .ops = ops GROWN};
LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(compat, COMPAT);

const limen_plugin* limen_plugin_v1(const limen_host* host, limen_error* error) {
  (void)host;
  (void)error;
  return &plugin;
}
