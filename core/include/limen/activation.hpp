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
//   arity, outputs    inputs of f (1) and numbers that it returns, through join(a, b) (1)
//   stochastic        true: f gets one more argument, with uniform() and training()
//   df_y(y, params)   the derivative from the output: a backward kernel that does not need x
//   grad(x, params)   a surrogate: what backward returns instead of the derivative of f
//   facts, kinks      what is known about the function; golden: exact values, golden_source
//   check(hyper)      nullptr, or what is wrong with the parameters taken together
//   max_ulp           promised error (4)
//   aliases, version, summary, doc, latex, reference, author, surrogate_of
// An op that works on whole rows has, instead of f, functions of a row (limen/activation_rows.hpp):
//   forward, backward (reads y; or backward_reads = LIMEN_X | LIMEN_Y, or one of them), and if it
//   can jvp and backward2.
#pragma once

#include <limen/activation_descriptor.hpp>

namespace limen {

struct about {  // of a library
  const char *author = nullptr, *license = nullptr, *url = nullptr;
};

namespace detail {

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
