// From an author's struct to the tables of the ABI. Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_general.hpp>
#include <limen/activation_map.hpp>
#include <limen/activation_rows.hpp>

namespace limen::detail {

template <class A>
concept row_function = requires(const forward_row<float>& r) {
  A::forward(r);
};

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

template <class A>
constexpr float max_ulp() {
  if constexpr (requires { A::max_ulp; })
    return A::max_ulp;
  else
    return 4;
}

// Limits that concern several parameters, as the author states them.
template <class A>
std::int32_t check_together(const double* hyper, limen_error* error) {
  const char* text = A::check(hyper);
  if (!text) return LIMEN_OK;
  error->code = LIMEN_E_INVALID;
  error->param = -1;
  std::uint32_t i = 0;
  for (; text[i] && i + 1 < error->cap; ++i) error->text[i] = text[i];
  error->text[i] = 0;
  return LIMEN_E_INVALID;
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
    entries[n++] = {sizeof(limen_kernel), role, dtype, isa, 0, reads, alias, 0, 0.0f,
                    max_ulp<A>(),         run};
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
    } else if constexpr (!general_op<A>() && map_function<A>) {
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
  static constexpr bool kRows = row_function<A>;
  static_assert(
      kRows || general_op<A>() || map_function<A>,
      "an activation needs static auto f(...) with one argument for each input, then one for each "
      "entry of params, and `auto noise` at the end if it is stochastic; or, for functions of "
      "rows, static void forward(const auto& row)");
  static_assert(!has_surrogate<A> || (arity<A>() == 1 && outputs<A>() == 1),
                "grad() is for functions of one input with one output");
  static_assert(!has_df_y<A> || (arity<A>() == 1 && outputs<A>() == 1),
                "df_y() is for functions of one input with one output");
  static_assert(!has_df_y<A> || learned_count<A>() == 0,
                "df_y() cannot serve an op with a TRAINABLE parameter: its derivative needs x");
  static_assert(!kRows || (arity<A>() == 1 && outputs<A>() == 1 && learned_count<A>() == 0),
                "a function of rows has one input, one output and no TRAINABLE parameters");
  static_assert(combinations<A>() <= 16,
                "the CHOICE and BOOL parameters make more than 16 kernels each: use fewer of them");

  static constexpr auto make_params() {
    std::array<limen_param, param_count<A>() + 1> all{};
    if constexpr (param_count<A>() > 0) {
      for (std::size_t i = 0; i < param_count<A>(); ++i) {
        const param& p = A::params[i];
        all[i] = {sizeof(limen_param),
                  p.type,
                  p.flags,
                  choice_count(p),
                  p.name,
                  p.doc,
                  p.choices,
                  p.def,
                  p.min,
                  p.max};
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
  static constexpr std::size_t kPoints = golden_count<A>(), kIn = arity<A>(), kOut = outputs<A>();
  struct golden_columns {
    double x[kPoints * kIn + 1] = {}, y[kPoints * kOut + 1] = {},
                             slope[kPoints * kIn * kOut + 1] = {};
  };
  static constexpr golden_columns make_golden() {
    golden_columns c;
    if constexpr (kPoints > 0) {
      for (std::size_t i = 0; i < kPoints; ++i) {
        const auto& g = A::golden[i];
        if constexpr (requires { g.x[0]; }) {
          for (std::size_t k = 0; k < kIn; ++k) c.x[i * kIn + k] = g.x[k];
          for (std::size_t m = 0; m < kOut; ++m) c.y[i * kOut + m] = g.y[m];
          for (std::size_t k = 0; k < kIn * kOut; ++k) c.slope[i * kIn * kOut + k] = g.slope[k];
        } else {
          static_assert(kIn * kOut == 1, "golden of several inputs or outputs: limen::sample");
          c.x[i] = g.x, c.y[i] = g.y, c.slope[i] = g.slope;
        }
      }
    }
    return c;
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
  static constexpr limen_golden kGolden = {sizeof(limen_golden),
                                           kPoints,
                                           nullptr,
                                           kColumns.x,
                                           kColumns.y,
                                           kRows || has_surrogate<A> ? nullptr : kColumns.slope,
                                           LIMEN_OPTIONAL(golden_source)};

  static constexpr limen_op make(const char* name) {
    limen_op o{};
    o.size = sizeof(limen_op);
    o.flags =
        (has_surrogate<A> ? LIMEN_OP_SURROGATE : 0) | (stochastic<A>() ? LIMEN_OP_STOCHASTIC : 0);
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
    o.kind = general_op<A>() ? LIMEN_GENERAL : kRows ? LIMEN_ROWS : LIMEN_MAP;
    o.dtypes = LIMEN_F32 | LIMEN_F64;
    o.arity = arity<A>();
    o.outputs = outputs<A>();
    o.axis = -1;
    o.n_params = param_count<A>();
    o.params = o.n_params ? kParams.data() : nullptr;
    o.n_kernels = kKernels.n;
    o.kernels = o.n_kernels ? kKernels.entries : nullptr;
    o.facts = &kFacts;
    o.n_goldens = kPoints > 0 ? 1 : 0;
    o.goldens = o.n_goldens ? &kGolden : nullptr;
    if constexpr (requires(const double* hyper) { A::check(hyper); }) o.check = check_together<A>;
    if constexpr (general_op<A>()) {
      o.infer = general_infer<A>;
      o.execute = general_execute<A>;
    }
    return o;
  }
};
#undef LIMEN_OPTIONAL

}  // namespace limen::detail
