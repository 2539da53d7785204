// Ops written against limen/plugin.h alone, one for each thing the engine can do with an op:
// `bend` learns, `gated` reads two pieces, `powers` gives two results, `noisy` draws random
// numbers, `sloped` and `cheap` keep state, `rowmix` does pieces, channels and rows at once, and
// `pairs` works on whole tensors, and `crash` does what it says.
#include <cmath>
#include <cstdint>

#include <limen/plugin.h>

namespace {

template <class F>
const F* in(const void* const* list, int k = 0) {
  return list != nullptr ? static_cast<const F*>(list[k]) : nullptr;
}
template <class F>
F* out(void* const* list, int k = 0) {
  return list != nullptr ? static_cast<F*>(list[k]) : nullptr;
}
void add_to(double* dw, const limen_tile* t, int p, std::uint64_t i, double value) {
  if (dw != nullptr) dw[t->w_step[p] != 0 ? i : 0] += value;
}
template <class F>
double parameter(const limen_tile* t, int p, std::uint64_t i) {
  if (t->w == nullptr || t->w[p] == nullptr) return t->hyper[p];
  return static_cast<double>(static_cast<const F*>(t->w[p])[t->w_step[p] != 0 ? i : 0]);
}
double* gradient(const limen_tile* t, int p) { return t->dw != nullptr ? t->dw[p] : nullptr; }

// bend: x + a x^2. Results that are not wanted are null in lists that are there.
template <class F>
struct Bend {
  static void forward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const double x = in<F>(t->x)[i];
      out<F>(t->y)[i] = static_cast<F>(x + parameter<F>(t, 0, i) * x * x);
    }
  }
  static void backward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const double x = in<F>(t->x)[i], dy = in<F>(t->dy)[i], a = parameter<F>(t, 0, i);
      if (F* dx = static_cast<F*>(t->dx[0])) dx[i] = static_cast<F>((1 + 2 * a * x) * dy);
      add_to(gradient(t, 0), t, 0, i, x * x * dy);
    }
  }
  static void backward2(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const double x = in<F>(t->x)[i], dy = in<F>(t->dy)[i], gx = in<F>(t->gx)[i];
      const double a = parameter<F>(t, 0, i);
      if (F* gy = static_cast<F*>(t->gy[0])) gy[i] = static_cast<F>((1 + 2 * a * x) * gx);
      if (F* dx = static_cast<F*>(t->dx[0])) dx[i] = static_cast<F>(2 * a * dy * gx);
    }
  }
};

// gated: a b^2
template <class F>
struct Gated {
  static void forward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F a = in<F>(t->x, 0)[i], b = in<F>(t->x, 1)[i];
      out<F>(t->y)[i] = a * b * b;
    }
  }
  static void backward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F a = in<F>(t->x, 0)[i], b = in<F>(t->x, 1)[i], dy = in<F>(t->dy)[i];
      if (F* da = out<F>(t->dx, 0)) da[i] = b * b * dy;
      if (F* db = out<F>(t->dx, 1)) db[i] = 2 * a * b * dy;
    }
  }
  static void backward2(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F a = in<F>(t->x, 0)[i], b = in<F>(t->x, 1)[i], dy = in<F>(t->dy)[i];
      const F ga = in<F>(t->gx, 0) != nullptr ? in<F>(t->gx, 0)[i] : F(0);
      const F gb = in<F>(t->gx, 1) != nullptr ? in<F>(t->gx, 1)[i] : F(0);
      if (F* gy = out<F>(t->gy)) gy[i] = ga * b * b + gb * 2 * a * b;
      if (F* da = out<F>(t->dx, 0)) da[i] = dy * gb * 2 * b;
      if (F* db = out<F>(t->dx, 1)) db[i] = dy * (ga * 2 * b + gb * 2 * a);
    }
  }
};

// powers: x^2 and x^3
template <class F>
struct Powers {
  static void forward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F x = in<F>(t->x)[i];
      out<F>(t->y, 0)[i] = x * x;
      out<F>(t->y, 1)[i] = x * x * x;
    }
  }
  static void backward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F x = in<F>(t->x)[i], u = in<F>(t->dy, 0)[i], v = in<F>(t->dy, 1)[i];
      out<F>(t->dx)[i] = 2 * x * u + 3 * x * x * v;
    }
  }
  static void backward2(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F x = in<F>(t->x)[i], u = in<F>(t->dy, 0)[i], v = in<F>(t->dy, 1)[i];
      const F gx = in<F>(t->gx)[i];
      if (F* gu = out<F>(t->gy, 0)) gu[i] = 2 * x * gx;
      if (F* gv = out<F>(t->gy, 1)) gv[i] = 3 * x * x * gx;
      if (F* dx = out<F>(t->dx)) dx[i] = (2 * u + 6 * x * v) * gx;
    }
  }
};

// noisy: u x with u in [0, 1) a function of seed and place; u = 1/2 in evaluation
double noise(const limen_tile* t, std::uint64_t i) {
  if ((t->flags & LIMEN_TILE_EVAL) != 0) return 0.5;
  std::uint64_t z = t->seed[0] ^ (t->base + i) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}
template <class F>
struct Noisy {
  static void forward(const limen_tile* t) { scale(t, in<F>(t->x), out<F>(t->y)); }
  static void backward(const limen_tile* t) { scale(t, in<F>(t->dy), out<F>(t->dx)); }
  static void backward2(const limen_tile* t) {
    if (F* gy = out<F>(t->gy)) scale(t, in<F>(t->gx), gy);
    if (F* dx = out<F>(t->dx)) {
      for (std::uint64_t i = 0; i < t->n; ++i) dx[i] = 0;
    }
  }
  static void scale(const limen_tile* t, const F* from, F* to) {
    for (std::uint64_t i = 0; i < t->n; ++i) to[i] = static_cast<F>(noise(t, i)) * from[i];
  }
};

// sloped: |x|, of which forward keeps one bit, the sign
template <class F>
struct Sloped {
  static void forward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      out<F>(t->y)[i] = std::abs(in<F>(t->x)[i]);
    }
  }
  static void forward_kept(const limen_tile* t) {
    auto* bits = static_cast<unsigned char*>(t->state);
    for (std::uint64_t i = 0; i < (t->n + 7) / 8; ++i) bits[i] = 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      bits[i / 8] |= static_cast<unsigned char>((in<F>(t->x)[i] < 0 ? 1 : 0) << i % 8);
    }
    forward(t);
  }
  static void backward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      out<F>(t->dx)[i] = in<F>(t->x)[i] < 0 ? -in<F>(t->dy)[i] : in<F>(t->dy)[i];
    }
  }
  static void backward_kept(const limen_tile* t) {
    const auto* bits = static_cast<const unsigned char*>(t->state);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const F dy = in<F>(t->dy)[i];
      out<F>(t->dx)[i] = (bits[i / 8] >> i % 8 & 1) != 0 ? -dy : dy;
    }
  }
};

// crash: stops the process in its backward kernel
void crash(const limen_tile*) { __builtin_trap(); }

// rowmix: y = w a sum(b) row by row
template <class F>
struct RowMix {
  static const F* row(const limen_tile* t, const void* const* list, int k, std::uint64_t r) {
    return in<F>(list, k) + static_cast<std::int64_t>(r) * t->row_stride;
  }
  static F* row(const limen_tile* t, void* const* list, int k, std::uint64_t r) {
    return out<F>(list, k) + static_cast<std::int64_t>(r) * t->row_stride;
  }
  static double total(const limen_tile* t, std::uint64_t r) {
    double sum = 0;
    for (std::uint64_t i = 0; i < t->n; ++i) sum += row(t, t->x, 1, r)[i];
    return sum;
  }
  static void forward(const limen_tile* t) {
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      const double sum = total(t, r);
      for (std::uint64_t i = 0; i < t->n; ++i) {
        row(t, t->y, 0, r)[i] = static_cast<F>(parameter<F>(t, 0, i) * row(t, t->x, 0, r)[i] * sum);
      }
    }
  }
  static void backward(const limen_tile* t) {
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      const double sum = total(t, r);
      double weighed = 0;
      for (std::uint64_t i = 0; i < t->n; ++i) {
        const double a = row(t, t->x, 0, r)[i], dy = row(t, t->dy, 0, r)[i];
        const double w = parameter<F>(t, 0, i);
        weighed += w * a * dy;
        if (out<F>(t->dx, 0)) row(t, t->dx, 0, r)[i] = static_cast<F>(w * sum * dy);
        add_to(gradient(t, 0), t, 0, i, a * sum * dy);
      }
      if (out<F>(t->dx, 1) == nullptr) continue;
      for (std::uint64_t i = 0; i < t->n; ++i) row(t, t->dx, 1, r)[i] = static_cast<F>(weighed);
    }
  }
};

#define KERNEL(role, T, fn, reads, variant, bits, cost)                                         \
  {                                                                                             \
    sizeof(limen_kernel), role, sizeof(T) == 4 ? LIMEN_F32 : LIMEN_F64, LIMEN_ISA_ANY, variant, \
        reads, 0, bits, cost, 0, fn                                                             \
  }
#define BOTH(role, name, fn, reads)                     \
  KERNEL(role, float, name<float>::fn, reads, 0, 0, 0), \
      KERNEL(role, double, name<double>::fn, reads, 0, 0, 0)
#define TWICE(name)                                                                  \
  constexpr limen_kernel k##name[] = {BOTH(LIMEN_FORWARD, name, forward, 0),         \
                                      BOTH(LIMEN_BACKWARD, name, backward, LIMEN_X), \
                                      BOTH(LIMEN_BACKWARD2, name, backward2, LIMEN_X)}
// In f32 forward works in place.
constexpr limen_kernel kBend[] = {{sizeof(limen_kernel), LIMEN_FORWARD, LIMEN_F32, LIMEN_ISA_ANY, 0,
                                   0, LIMEN_ALIAS_Y_X, 0, 0, 0, Bend<float>::forward},
                                  KERNEL(LIMEN_FORWARD, double, Bend<double>::forward, 0, 0, 0, 0),
                                  BOTH(LIMEN_BACKWARD, Bend, backward, LIMEN_X),
                                  BOTH(LIMEN_BACKWARD2, Bend, backward2, LIMEN_X)};
TWICE(Gated);
TWICE(Powers);
TWICE(Noisy);
constexpr limen_kernel kCrash[] = {KERNEL(LIMEN_FORWARD, float, Bend<float>::forward, 0, 0, 0, 0),
                                   KERNEL(LIMEN_FORWARD, double, Bend<double>::forward, 0, 0, 0, 0),
                                   KERNEL(LIMEN_BACKWARD, float, crash, LIMEN_X, 0, 0, 0)};
constexpr limen_kernel kRowMix[] = {BOTH(LIMEN_FORWARD, RowMix, forward, 0),
                                    BOTH(LIMEN_BACKWARD, RowMix, backward, LIMEN_X)};
#define KEPT(T)                                                         \
  KERNEL(LIMEN_FORWARD, T, Sloped<T>::forward, 0, 0, 0, 1),             \
      KERNEL(LIMEN_FORWARD, T, Sloped<T>::forward_kept, 0, 1, 1, 1.5f), \
      KERNEL(LIMEN_BACKWARD, T, Sloped<T>::backward_kept, LIMEN_STATE, 1, 1, 1)
constexpr limen_kernel kSloped[] = {KEPT(float), KEPT(double)};
// The same with a plain backward kernel that costs more.
constexpr limen_kernel kCheap[] = {
    KEPT(float), KEPT(double),
    KERNEL(LIMEN_BACKWARD, float, Sloped<float>::backward, LIMEN_X, 0, 0, 2),
    KERNEL(LIMEN_BACKWARD, double, Sloped<double>::backward, LIMEN_X, 0, 0, 1)};

// pairs: [.., 2k] -> [.., k], products of neighbours. `fail` makes execute() fail.
std::int64_t size_of(const limen_tensor& t) {
  std::int64_t n = 1;
  for (std::uint32_t i = 0; i < t.rank; ++i) n *= t.dims[i];
  return n;
}
std::int32_t refuse(limen_error* error, const char* text) {
  std::uint32_t i = 0;
  for (; text[i] != 0 && i + 1 < error->cap; ++i) error->text[i] = text[i];
  error->text[i] = 0;
  error->code = LIMEN_E_INVALID;
  return LIMEN_E_INVALID;
}
std::int32_t infer(limen_call* call, limen_error* error) {
  const limen_tensor &from = call->in[0], &to = call->out[0];
  if (from.rank == 0 || from.dims[from.rank - 1] % 2 != 0)
    return refuse(error, "the last axis is odd");
  call->out[0].rank = from.rank;
  for (std::uint32_t i = 0; i < from.rank; ++i) to.dims[i] = from.dims[i];
  if (call->role == LIMEN_FORWARD) to.dims[to.rank - 1] /= 2;
  call->scratch_bytes = 24;
  return LIMEN_OK;
}
template <class F>
void pairs(void* arg, std::uint64_t begin, std::uint64_t end) {
  const auto* call = static_cast<const limen_call*>(arg);
  const F* x = static_cast<const F*>(call->in[0].data);
  F* to = static_cast<F*>(call->out[0].data);
  for (std::uint64_t i = begin; i < end; ++i) {
    if (call->role == LIMEN_FORWARD) {
      to[i] = x[2 * i] * x[2 * i + 1];
    } else {
      const F dy = static_cast<const F*>(call->in[2].data)[i];
      to[2 * i] = x[2 * i + 1] * dy;
      to[2 * i + 1] = x[2 * i] * dy;
    }
  }
}
std::int32_t execute(const limen_call* call, limen_error* error) {
  static_cast<char*>(call->scratch)[23] = 1;
  if (call->hyper[0] != 0) return refuse(error, "told to");
  const auto n = static_cast<std::uint64_t>(size_of(call->in[0])) / 2;
  call->parallel(call->ctx, n, call->in[0].dtype == LIMEN_F32 ? pairs<float> : pairs<double>,
                 const_cast<limen_call*>(call));
  return LIMEN_OK;
}

constexpr limen_param real(const char* name, std::uint32_t flags, double def) {
  limen_param p{};
  p.size = sizeof p;
  p.type = LIMEN_P_REAL;
  p.flags = flags;
  p.name = name;
  p.def = def;
  p.min = -100, p.max = 100;
  return p;
}
constexpr limen_param kAlpha[] = {real("alpha", LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED, 0.25)};
constexpr limen_param kWeight[] = {real("weight", LIMEN_PF_TRAINABLE, 1)};
constexpr limen_param kFail[] = {real("fail", 0, 0)};

template <std::uint32_t N>
constexpr limen_op op(const char* name, std::uint32_t kind, std::uint32_t arity,
                      std::uint32_t outputs, const limen_kernel (&kernels)[N],
                      const limen_param* params = nullptr, std::uint32_t flags = 0) {
  limen_op o{};
  o.size = sizeof o;
  o.flags = flags;
  o.name = name;
  o.version = "1.0.0";
  o.kind = kind;
  o.dtypes = LIMEN_F32 | LIMEN_F64;
  o.arity = arity;
  o.outputs = outputs;
  o.axis = -1;
  o.n_params = params != nullptr ? 1 : 0;
  o.params = params;
  o.n_kernels = N;
  o.kernels = kernels;
  return o;
}
constexpr limen_op kBendOp = op("bend", LIMEN_MAP, 1, 1, kBend, kAlpha);
constexpr limen_op kGatedOp = op("gated", LIMEN_MAP, 2, 1, kGated);
constexpr limen_op kPowersOp = op("powers", LIMEN_MAP, 1, 2, kPowers);
constexpr limen_op kNoisyOp = op("noisy", LIMEN_MAP, 1, 1, kNoisy, nullptr, LIMEN_OP_STOCHASTIC);
constexpr limen_op kSlopedOp = op("sloped", LIMEN_MAP, 1, 1, kSloped);
constexpr limen_op kCheapOp = op("cheap", LIMEN_MAP, 1, 1, kCheap);
constexpr limen_op kCrashOp = op("crash", LIMEN_MAP, 1, 1, kCrash, kAlpha);
constexpr limen_op kRowMixOp = op("rowmix", LIMEN_ROWS, 2, 1, kRowMix, kWeight);
constexpr limen_op whole() {
  limen_op o = op("pairs", LIMEN_GENERAL, 1, 1, kBend, kFail);
  o.n_kernels = 0;
  o.kernels = nullptr;
  o.infer = infer;
  o.execute = execute;
  return o;
}
constexpr limen_op kPairsOp = whole();
constexpr const limen_op* kOps[] = {&kBendOp,  &kGatedOp,  &kPowersOp, &kNoisyOp, &kSlopedOp,
                                    &kCheapOp, &kRowMixOp, &kPairsOp,  &kCrashOp};
constexpr limen_plugin make_plugin() {
  limen_plugin p{};
  p.size = sizeof p;
  p.abi_major = LIMEN_ABI_MAJOR;
  p.abi_minor = LIMEN_ABI_MINOR;
  p.n_ops = 9;
  p.name = "org.example.engine";
  p.version = "1.0.0";
  p.ops = kOps;
  return p;
}
constexpr limen_plugin kPlugin = make_plugin();

LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(bend, "bend");
LIMEN_DECLARE_OP(gated, "gated");
LIMEN_DECLARE_OP(powers, "powers");
LIMEN_DECLARE_OP(noisy, "noisy");
LIMEN_DECLARE_OP(sloped, "sloped");
LIMEN_DECLARE_OP(cheap, "cheap");
LIMEN_DECLARE_OP(rowmix, "rowmix");
LIMEN_DECLARE_OP(pairs, "pairs");
LIMEN_DECLARE_OP(crash, "crash");

}  // namespace

const limen_plugin* limen_plugin_v1(const limen_host*, limen_error*) noexcept { return &kPlugin; }
