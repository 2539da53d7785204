// A plugin with one fault, chosen by a macro FAULT_*; without one it would be good.
#include <limen/plugin.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(FAULT_NOT_A_PLUGIN)
extern "C" LIMEN_EXPORT int answer() { return 42; }
#else

#if defined(FAULT_UNDEFINED_SYMBOL)
extern "C" void missing_function_xyz();
#endif

#if defined(FAULT_CRASH_AT_EXIT)
__attribute__((destructor)) static void leave() { __builtin_trap(); }
#endif

namespace {

void forward(const limen_tile* t) {
#if defined(FAULT_KERNEL_TRAPS)
  if (t->n > 4) __builtin_trap();  // not with the few golden points
#endif
  const auto* x = static_cast<const float*>(t->x[0]);
  auto* y = static_cast<float*>(t->y[0]);
  for (std::uint64_t i = 0; i < t->n; ++i) y[i] = x[i];
#if defined(FAULT_UNDEFINED_SYMBOL)
  missing_function_xyz();
#endif
}

#if defined(FAULT_JOINT_CHECK)
std::int32_t check(const double* hyper, limen_error* error) {
  if (hyper[0] != 0.5) return LIMEN_OK;
  error->param = 0;
  std::strncpy(error->text, "alpha may not be one half", error->cap - 1);
  return LIMEN_E_INVALID;
}
#else
constexpr std::int32_t (*check)(const double*, limen_error*) = nullptr;
#endif

#if defined(FAULT_SHIPPED_NAME)
#define OP_NAME "relu"
#elif defined(FAULT_BAD_NAME)
#define OP_NAME "Bad-Name"
#elif defined(FAULT_KERNEL_TRAPS)
#define OP_NAME "trap"
#else
#define OP_NAME "faulty"
#endif
#if defined(FAULT_RIVAL)
#define PLUGIN_NAME "org.example.rival"
#elif defined(FAULT_JOINT_CHECK)
#define PLUGIN_NAME "org.example.joint"
#elif defined(FAULT_KERNEL_TRAPS)
#define PLUGIN_NAME "org.example.trap"
#else
#define PLUGIN_NAME "org.example.faulty"
#endif

#if defined(FAULT_WRONG_GOLDEN)
constexpr double kSecond = 0.128;
#else
constexpr double kSecond = -1.25;
#endif
constexpr double kGoldenX[] = {0.5, -1.25}, kGoldenY[] = {0.5, kSecond};
constexpr limen_golden kGolden = {
    sizeof(limen_golden), 2, nullptr, kGoldenX, kGoldenY, nullptr, "by hand"};

limen_plugin make() {
  static const limen_param params[] = {{sizeof(limen_param), LIMEN_P_REAL, 0, 0, "alpha", "a slope",
                                        nullptr,
#if defined(FAULT_BAD_DEFAULT)
                                        2,
#else
                                        0.25,
#endif
                                        0, 1}};
#if defined(FAULT_NULL_KERNEL)
  constexpr void (*run)(const limen_tile*) = nullptr;
#else
  constexpr void (*run)(const limen_tile*) = forward;
#endif
  static const limen_kernel kernels[] = {
      {sizeof(limen_kernel), LIMEN_FORWARD, LIMEN_F32, LIMEN_ISA_ANY, 0, 0, 0, 0, 0, 0, run}};
#if defined(FAULT_REQUIRED_EXTENSION)
  static const limen_ext extension = {sizeof(limen_ext), LIMEN_EXT_REQUIRED, "org.example.gpu/1",
                                      nullptr};
#endif
  static limen_op op{};
  op.size = sizeof(limen_op);
  op.name = OP_NAME;
  op.version = "1.0.0";
  op.formula = "x";
  op.kind = LIMEN_MAP;
  op.dtypes = LIMEN_F32;
  op.arity = op.outputs = 1;
  op.n_params = 1;
  op.params = params;
  op.n_kernels = 1;
  op.kernels = kernels;
  op.check = check;
  op.n_goldens = 1;
  op.goldens = &kGolden;
#if defined(FAULT_NO_F64)
  op.dtypes = LIMEN_F32 | LIMEN_F64;
#elif defined(FAULT_BAD_KIND)
  op.kind = 9;
#elif defined(FAULT_WILD_POINTER)
  op.summary = reinterpret_cast<const char*>(0x1234567);
#elif defined(FAULT_SMALL_OP)
  op.size = 16;
#elif defined(FAULT_REQUIRED_EXTENSION)
  op.ext = &extension;
#endif
  static const limen_op* const ops[] = {&op, &op};
  limen_plugin plugin{};
  plugin.size = sizeof(limen_plugin);
  plugin.abi_major = LIMEN_ABI_MAJOR;
  plugin.abi_minor = LIMEN_ABI_MINOR;
  plugin.n_ops = 1;
#if defined(FAULT_TWO_OPS_ONE_NAME)
  plugin.n_ops = 2;
#endif
  plugin.name = PLUGIN_NAME;
  plugin.version = "0.3";
  plugin.ops = ops;
  return plugin;
}

}  // namespace

#if defined(FAULT_ABI_2)
#undef LIMEN_ABI_MAJOR
#define LIMEN_ABI_MAJOR 2
#endif
#if defined(FAULT_NEEDS_9)
LIMEN_DECLARE_PLUGIN(9);
#else
LIMEN_DECLARE_PLUGIN(0);
#endif
LIMEN_DECLARE_OP(faulty, OP_NAME);

#if defined(FAULT_MANGLED_ENTRY)
__attribute__((visibility("default"))) const limen_plugin* limen_plugin_v1(const void*, void*) {
#elif defined(FAULT_ABI_2)
extern "C" LIMEN_EXPORT const limen_plugin* limen_plugin_v2(const limen_host*, limen_error*) {
#elif defined(FAULT_NO_ENTRY)
extern "C" LIMEN_EXPORT const limen_plugin* my_entry(const limen_host*, limen_error*) {
#else
extern "C" LIMEN_EXPORT const limen_plugin* limen_plugin_v1(const limen_host*,
                                                            limen_error* error) noexcept {
#endif
#if defined(FAULT_CRASHING)
  __builtin_trap();
#elif defined(FAULT_LEAVING)
  std::exit(3);
#endif
#if defined(FAULT_ENTRY_FAILS)
  std::strncpy(error->text, "the table of sines is missing", error->cap - 1);
  return nullptr;
#elif !defined(FAULT_MANGLED_ENTRY) && !defined(FAULT_ABI_2) && !defined(FAULT_NO_ENTRY)
  (void)error;
#endif
  static const limen_plugin plugin = make();
  return &plugin;
}
#endif
