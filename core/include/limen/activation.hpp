// Write an activation function as a formula; get its plugin. plugins/README.md shows how.
//
//   struct leaky_relu {
//     static constexpr auto formula = "x > 0 ? x : alpha * x";
//     static constexpr limen::param params[] = {{"alpha", 0.01, 0, 1, "slope below zero"}};
//     static auto f(auto x, auto alpha) { return x > 0 ? x : alpha * x; }
//   };
//   LIMEN_ACTIVATION(leaky_relu)
//   LIMEN_PLUGIN("org.example.leaky_relu", "1.0.0")
//
// f is called with numbers of limen/math.hpp and makes every kernel: forward, backward, second
// order and forward mode, in float and double, for each instruction set. Optional members:
//   arity             inputs of f (1)
//   df_y(y, params)   the derivative from the output: a backward kernel that does not need x
//   grad(x, params)   a surrogate: what backward returns instead of the derivative of f
//   facts, kinks      what is known about the function; golden: exact values, golden_source
//   aliases, version, summary, doc, latex, reference, author, surrogate_of
// An op that works on whole rows has, instead of f, functions of a row (limen/activation_rows.hpp):
//   forward, backward (reads y; or backward_reads = LIMEN_X), and if it can jvp and backward2.
#pragma once

#include <limen/activation_map.hpp>
#include <limen/activation_rows.hpp>

namespace limen {

struct param {
  const char* name;
  double def, min, max;  // +-infinity allowed
  const char* doc;
  std::uint32_t flags = 0;               // LIMEN_PF_*
  std::uint32_t type = LIMEN_P_REAL;     // LIMEN_P_*
  const char* const* choices = nullptr;  // of LIMEN_P_CHOICE; ends with a null pointer
};

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct facts {  // of the function, for every legal parameter value
  bool odd = false, even = false, increasing = false, zero_at_zero = false;
  bool homogeneous = false, idempotent = false, nan_ignored = false, nondeterministic = false;
  double y_min = -kInfinity, y_max = kInfinity;  // tight bounds
  double x_min = -kInfinity, x_max = kInfinity;  // where it is defined
  double lipschitz = 0, gain = 0;                // 0: not stated
  double accuracy = 0;
};

struct kink {  // at x = at + scale * value of parameter number `param`
  double at;
  double slope;                            // the derivative the op returns exactly there
  std::uint32_t kind = LIMEN_KINK_CORNER;  // or LIMEN_KINK_JUMP
  double scale = 0;
  std::int32_t param = -1;
};

struct about {  // of a library
  const char *author = nullptr, *license = nullptr, *url = nullptr;
};

struct point {  // an exact value at default parameters; of a row function, one element of one row
  double x, y, slope = 0;
};

namespace detail {

template <class A>
concept row_function = requires(const forward_row<float>& r) {
  A::forward(r);
};

template <class A, std::size_t... I>
constexpr bool has_f(std::index_sequence<I...>) {
  return requires(var<float, 1> x, var<float, 0> h) { A::f(x, (static_cast<void>(I), h)...); }
  || requires(var<float, 1> x, var<float, 0> h) { A::f(x, x, (static_cast<void>(I), h)...); }
  || requires(var<float, 1> x, var<float, 0> h) { A::f(x, x, x, (static_cast<void>(I), h)...); };
}
template <class A>
concept map_function = has_f<A>(std::make_index_sequence<param_count<A>()>{});

template <class A>
constexpr std::size_t kink_count() {
  if constexpr (requires { A::kinks; })
    return std::size(A::kinks);
  else
    return 0;
}
template <class A>
constexpr std::size_t golden_count() {
  if constexpr (requires { A::golden; })
    return std::size(A::golden);
  else
    return 0;
}

// The kernel table: for each instruction set, best first, each type and role.
template <class A>
struct kernel_table {
  static constexpr bool kRows = row_function<A>;
  limen_kernel entries[32] = {};
  std::uint32_t n = 0;

  template <class Kernel>
  constexpr void add(std::uint32_t role, std::uint32_t dtype, std::uint32_t isa,
                     std::uint32_t reads, std::uint32_t alias) {
    void (*run)(const limen_tile*) = compiled<Kernel>::any;
#if defined(__x86_64__)
    if (isa == LIMEN_ISA_X86_V3) run = compiled<Kernel>::v3;
    if (isa == LIMEN_ISA_X86_V4) run = compiled<Kernel>::v4;
#endif
    entries[n++] = {sizeof(limen_kernel), role, dtype, isa, 0, reads, alias, 0, 0.0f, 4.0f, run};
  }
  template <class F>
  constexpr void add_map(std::uint32_t type, std::uint32_t isa) {
    constexpr std::uint32_t in_place = LIMEN_ALIAS_DX_DY | LIMEN_ALIAS_DX_X;
    add<map_forward<A, F>>(LIMEN_FORWARD, type, isa, 0, LIMEN_ALIAS_Y_X);
    if constexpr (has_df_y<A>) {
      add<map_backward_from_y<A, F>>(LIMEN_BACKWARD, type, isa, LIMEN_Y, LIMEN_ALIAS_DX_DY);
    }
    add<map_backward<A, F>>(LIMEN_BACKWARD, type, isa, LIMEN_X, in_place);
    add<map_jvp<A, F>>(LIMEN_JVP, type, isa, LIMEN_X, LIMEN_ALIAS_Y_X);
    add<map_backward2<A, F>>(LIMEN_BACKWARD2, type, isa, LIMEN_X, in_place);
  }
  template <class F>
  constexpr void add_rows(std::uint32_t type, std::uint32_t isa) {
    add<rows_forward<A, F>>(LIMEN_FORWARD, type, isa, 0, LIMEN_ALIAS_Y_X);
    if constexpr (requires(const backward_row<float>& r) { A::backward(r); }) {
      add<rows_backward<A, F>>(LIMEN_BACKWARD, type, isa, row_backward_reads<A>(),
                               LIMEN_ALIAS_DX_DY);
    }
    if constexpr (requires(const jvp_row<float>& r) { A::jvp(r); }) {
      add<rows_jvp<A, F>>(LIMEN_JVP, type, isa, LIMEN_X, 0);
    }
    if constexpr (requires(const backward2_row<float>& r) { A::backward2(r); }) {
      add<rows_backward2<A, F>>(LIMEN_BACKWARD2, type, isa, LIMEN_X, 0);
    }
  }
  constexpr void add_level(std::uint32_t isa) {
    if constexpr (kRows) {
      add_rows<float>(LIMEN_F32, isa);
      add_rows<double>(LIMEN_F64, isa);
    } else {
      add_map<float>(LIMEN_F32, isa);
      add_map<double>(LIMEN_F64, isa);
    }
  }
  constexpr kernel_table() {
#if defined(__x86_64__)
    add_level(LIMEN_ISA_X86_V4);
    add_level(LIMEN_ISA_X86_V3);
#endif
    add_level(LIMEN_ISA_ANY);
  }
};

#define LIMEN_OPTIONAL(member)                    \
  [] {                                            \
    if constexpr (requires { A::member; })        \
      return static_cast<const char*>(A::member); \
    else                                          \
      return static_cast<const char*>(nullptr);   \
  }()

// The tables that a descriptor points at, filled from the author's struct.
template <class A>
struct built {
  static_assert(
      requires { A::formula; },
      "an activation needs a text: static constexpr auto formula = \"...\";");
  static_assert(
      map_function<A> || row_function<A>,
      "an activation needs static auto f(auto x, auto parameter...), one argument for each "
      "input and each entry of params, or for row functions static void forward(const auto& row)");
  static_assert(!has_surrogate<A> || arity<A>() == 1, "grad() is for functions of one input");
  static_assert(!has_df_y<A> || arity<A>() == 1, "df_y() is for functions of one input");

  static constexpr auto make_params() {
    std::array<limen_param, param_count<A>() + 1> all{};
    if constexpr (param_count<A>() > 0) {
      for (std::size_t i = 0; i < param_count<A>(); ++i) {
        const param& p = A::params[i];
        std::uint32_t choices = 0;
        if (p.type == LIMEN_P_CHOICE) {
          while (p.choices[choices]) ++choices;
        }
        all[i] = {sizeof(limen_param), p.type, p.flags, choices, p.name, p.doc,
                  p.choices,           p.def,  p.min,   p.max};
      }
    }
    return all;
  }
  static constexpr auto make_kinks() {
    std::array<limen_kink, kink_count<A>() + 1> all{};
    if constexpr (kink_count<A>() > 0) {
      for (std::size_t i = 0; i < kink_count<A>(); ++i) {
        const kink& k = A::kinks[i];
        all[i] = {k.at, k.scale, k.param, k.kind, k.slope};
      }
    }
    return all;
  }
  static constexpr auto kParams = make_params();
  static constexpr auto kKinks = make_kinks();

  static constexpr limen_facts make_facts() {
    facts f;
    if constexpr (requires { A::facts; }) f = A::facts;
    const auto bit = [](bool set, std::uint32_t flag) { return set ? flag : 0u; };
    limen_facts r{};
    r.size = sizeof(limen_facts);
    r.flags =
        bit(f.odd, LIMEN_FACT_ODD) | bit(f.even, LIMEN_FACT_EVEN) |
        bit(f.increasing, LIMEN_FACT_INCREASING) | bit(f.zero_at_zero, LIMEN_FACT_ZERO_AT_ZERO) |
        bit(f.homogeneous, LIMEN_FACT_HOMOGENEOUS) | bit(f.idempotent, LIMEN_FACT_IDEMPOTENT) |
        bit(f.nan_ignored, LIMEN_FACT_NAN_IGNORED) |
        bit(f.nondeterministic, LIMEN_FACT_NONDETERMINISTIC) |
        bit(f.y_min > -kInfinity || f.y_max < kInfinity, LIMEN_FACT_RANGE) |
        bit(f.x_min > -kInfinity || f.x_max < kInfinity, LIMEN_FACT_DOMAIN) |
        bit(f.lipschitz > 0, LIMEN_FACT_LIPSCHITZ) | bit(f.gain > 0, LIMEN_FACT_GAIN);
    r.x_min = f.x_min, r.x_max = f.x_max, r.y_min = f.y_min, r.y_max = f.y_max;
    r.lipschitz = f.lipschitz, r.gain = f.gain, r.accuracy = f.accuracy;
    r.n_kinks = kink_count<A>();
    r.kinks = r.n_kinks ? kKinks.data() : nullptr;
    return r;
  }
  static constexpr auto make_golden() {
    std::array<std::array<double, golden_count<A>() + 1>, 3> columns{};
    if constexpr (golden_count<A>() > 0) {
      for (std::size_t i = 0; i < golden_count<A>(); ++i) {
        columns[0][i] = A::golden[i].x;
        columns[1][i] = A::golden[i].y;
        columns[2][i] = A::golden[i].slope;
      }
    }
    return columns;
  }
  static constexpr auto make_aliases() {
    if constexpr (requires { A::aliases; }) {
      std::array<const char*, std::size(A::aliases) + 1> all{};
      for (std::size_t i = 0; i < std::size(A::aliases); ++i) all[i] = A::aliases[i];
      return all;
    } else {
      return std::array<const char*, 1>{};
    }
  }
  static constexpr auto kFacts = make_facts();
  static constexpr auto kColumns = make_golden();
  static constexpr auto kAliases = make_aliases();
  static constexpr auto kKernels = kernel_table<A>();
  static constexpr limen_golden kGolden = {
      sizeof(limen_golden),
      golden_count<A>(),
      nullptr,
      kColumns[0].data(),
      kColumns[1].data(),
      row_function<A> || has_surrogate<A> ? nullptr : kColumns[2].data(),
      LIMEN_OPTIONAL(golden_source)};

  static constexpr limen_op make(const char* name) {
    limen_op o{};
    o.size = sizeof(limen_op);
    o.flags = has_surrogate<A> ? LIMEN_OP_SURROGATE : 0;
    o.name = name;
    o.aliases = kAliases.size() > 1 ? kAliases.data() : nullptr;
    const char* version = LIMEN_OPTIONAL(version);
    o.version = version ? version : "1.0.0";
    o.author = LIMEN_OPTIONAL(author);
    o.summary = LIMEN_OPTIONAL(summary);
    o.doc = LIMEN_OPTIONAL(doc);
    o.formula = A::formula;
    o.latex = LIMEN_OPTIONAL(latex);
    o.reference = LIMEN_OPTIONAL(reference);
    o.surrogate_of = LIMEN_OPTIONAL(surrogate_of);
    o.kind = row_function<A> ? LIMEN_ROWS : LIMEN_MAP;
    o.dtypes = LIMEN_F32 | LIMEN_F64;
    o.arity = arity<A>();
    o.outputs = 1;
    o.axis = -1;
    o.n_params = param_count<A>();
    o.params = o.n_params ? kParams.data() : nullptr;
    o.n_kernels = kKernels.n;
    o.kernels = kKernels.entries;
    o.facts = &kFacts;
    o.n_goldens = golden_count<A>() > 0 ? 1 : 0;
    o.goldens = o.n_goldens ? &kGolden : nullptr;
    return o;
  }
};
#undef LIMEN_OPTIONAL

// The note that names an op and its aliases in the file itself.
template <std::size_t Size>
struct op_note {
  std::uint32_t namesz = 6, descsz = Size, type = 2;
  char owner[8] = "limen";
  char desc[(Size + 3) / 4 * 4] = {};
};

template <class A>
constexpr std::size_t names_size(std::size_t name) {
  for (const char* alias : built<A>::kAliases) {
    for (name += alias ? 1 : 0; alias && *alias; ++alias) ++name;
  }
  return name;
}

template <class A, std::size_t Name>
constexpr auto make_note(const char (&name)[Name]) {
  op_note<names_size<A>(Name)> note;
  std::size_t at = Name;
  for (std::size_t i = 0; i < Name; ++i) note.desc[i] = name[i];
  for (const char* alias : built<A>::kAliases) {
    for (; alias && *alias; ++alias) note.desc[at++] = *alias;
    ++at;
  }
  return note;
}

}  // namespace detail
}  // namespace limen

// Each LIMEN_ACTIVATION of each file drops a pointer into one section; nothing runs at load.
extern "C" __attribute__((visibility("hidden"), weak)) const limen_op* const __start_limen_ops[];
extern "C" __attribute__((visibility("hidden"), weak)) const limen_op* const __stop_limen_ops[];

#define LIMEN_ACTIVATION(A)                                                                        \
  static constexpr auto limen_note_op_##A LIMEN_NOTE = limen::detail::make_note<A>(#A);            \
  static constexpr limen_op limen_op_##A = limen::detail::built<A>::make(#A);                      \
  __attribute__((used, retain, section("limen_ops"))) static const limen_op* const limen_ref_##A = \
      &limen_op_##A;

// Once per library. After the version may follow .author = "...", .license = "MIT", .url = "...".
#define LIMEN_PLUGIN(NAME, VERSION, ...)                                               \
  LIMEN_DECLARE_PLUGIN(0);                                                             \
  extern "C" LIMEN_EXPORT const limen_plugin* limen_plugin_v1(const limen_host*,       \
                                                              limen_error*) noexcept { \
    static constexpr limen::about about{__VA_ARGS__};                                  \
    static limen_plugin plugin;                                                        \
    plugin = {sizeof plugin,                                                           \
              LIMEN_ABI_MAJOR,                                                         \
              LIMEN_ABI_MINOR,                                                         \
              0,                                                                       \
              0,                                                                       \
              static_cast<std::uint32_t>(__stop_limen_ops - __start_limen_ops),        \
              nullptr,                                                                 \
              NAME,                                                                    \
              VERSION,                                                                 \
              about.author,                                                            \
              about.license,                                                           \
              about.url,                                                               \
              __VERSION__,                                                             \
              __start_limen_ops};                                                      \
    return &plugin;                                                                    \
  }
