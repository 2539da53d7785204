/* limen/plugin.h -- the limen plugin ABI, version 1.0.
 *
 * Freestanding C11 (also C++11 and later). Needs no library, not even libc.
 *
 * RULES
 *  R1  Every struct starts with `size` = sizeof the struct as its PRODUCER compiled it. Fields are
 *      only ever appended; there is no implicit padding (checked below). Read a field added after
 *      1.0 only if LIMEN_HAS(type, ptr, field). Producers zero-fill; 0/NULL always means "absent".
 *      Arrays of structs are stepped by the producer's size: LIMEN_AT(type, array, i), never [i].
 *      (limen_kink has no size: it is frozen for this major version.)
 *  R2  Memory: data behind a const pointer belongs to whoever made it. Plugin data lives until the
 *      process ends (plugins are not unmapped). Engine data lives until the call returns. Nothing
 *      is ever freed by the other side; destroy() frees what create() made.
 *  R3  No exception, longjmp, signal or exit() leaves a plugin function. Report through limen_error.
 *  R4  Threads: [load] one thread at a time, at load. [setup] one thread at a time per instance.
 *      [any] any thread, many at once, on the same op and instance; must not lock, allocate,
 *      do I/O or keep mutable state outside `instance`-owned per-call scratch.
 *  R5  Floating point: round-to-nearest on entry; leave the FP environment as it was.
 *  R6  Strings are UTF-8, NUL-terminated. Names match [a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*.
 *  R7  Codes are fixed-width integers, never C enums. Skip kernels, extensions and flags you do
 *      not know; refuse kinds and parameter types you do not know.
 *  R8  No work before the entry point: no global constructors are needed or wanted.
 */
#ifndef LIMEN_PLUGIN_H
#define LIMEN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define LIMEN_ABI_MAJOR 1 /* in the entry symbol's name; changes break every plugin       */
#define LIMEN_ABI_MINOR 0 /* grows when fields, roles or extensions are appended          */

#ifdef __cplusplus
#define LIMEN_EXTERN_C extern "C"
#define LIMEN_NOEXCEPT noexcept
#define LIMEN_STATIC_ASSERT static_assert
extern "C" {
#else
#define LIMEN_EXTERN_C
#define LIMEN_NOEXCEPT
#define LIMEN_STATIC_ASSERT _Static_assert
#endif
#if defined(_WIN32)
#define LIMEN_EXPORT __declspec(dllexport)
#else
#define LIMEN_EXPORT __attribute__((visibility("default")))
#endif

#define LIMEN_HAS(type, p, field) ((p)->size >= offsetof(type, field) + sizeof((p)->field))
#define LIMEN_AT(type, a, i) ((const type *)((const char *)(a) + (size_t)(i) * (a)->size))

/* ---- codes ----------------------------------------------------------------------------- */
#define LIMEN_OK 0
#define LIMEN_E_INVALID 1     /* bad parameter value, rank or shape                           */
#define LIMEN_E_UNSUPPORTED 2 /* legal, but this plugin does not do it                        */
#define LIMEN_E_MEMORY 3
#define LIMEN_E_INTERNAL 4    /* bug in the plugin                                            */
#define LIMEN_E_HOST 5        /* engine too old, missing extension, ...                       */

#define LIMEN_F32 0x1u        /* dtype bits                                                   */
#define LIMEN_F64 0x2u
#define LIMEN_BF16 0x4u       /* reserved                                                     */
#define LIMEN_F16 0x8u        /* reserved                                                     */

#define LIMEN_ISA_ANY 0u      /* what the compiler targets by default                         */
#define LIMEN_ISA_X86_V3 0x103u /* AVX2 + FMA + BMI                                            */
#define LIMEN_ISA_X86_V4 0x104u /* AVX-512 F/BW/CD/DQ/VL                                       */
#define LIMEN_ISA_ARM_NEON 0x201u
#define LIMEN_ISA_ARM_SVE 0x202u

/* ---- errors: the caller owns the buffer, the callee fills it ---------------------------- */
typedef struct limen_error {
    uint32_t size;
    int32_t code;
    int32_t param;    /* index of the parameter at fault, or -1                               */
    uint32_t cap;     /* bytes at text, >= 256                                                */
    char *text;       /* NUL-terminated by the callee                                         */
} limen_error;

/* ---- extension chain: anything not in this header yet ----------------------------------- */
typedef struct limen_ext {
    uint32_t size;    /* of the whole extension struct, which starts with this one            */
    uint32_t flags;   /* bit 0: required -- refuse the owner if `id` is unknown               */
    const char *id;   /* "limen.NAME/REV" or "org.example.NAME/REV"                           */
    const struct limen_ext *next;
} limen_ext;
#define LIMEN_EXT_REQUIRED 0x1u

/* ---- parameters -------------------------------------------------------------------------- */
#define LIMEN_P_REAL 1u
#define LIMEN_P_INT 2u
#define LIMEN_P_BOOL 3u
#define LIMEN_P_CHOICE 4u     /* value = index into choices                                   */

#define LIMEN_PF_REQUIRED 0x1u   /* no default: the YAML must give it                         */
#define LIMEN_PF_OPEN_MIN 0x2u   /* the range excludes min                                    */
#define LIMEN_PF_OPEN_MAX 0x4u
#define LIMEN_PF_LOG 0x8u        /* sweep and plot on a log scale                             */
#define LIMEN_PF_TRAINABLE 0x10u /* may be learned; then reaches kernels as w[], not hyper[]  */
#define LIMEN_PF_PER_CHANNEL 0x20u /* learned per channel by default (else one scalar)        */
#define LIMEN_PF_LEARNED 0x40u /* TRAINABLE, and learned unless the model says otherwise        */

typedef struct limen_param {
    uint32_t size;
    uint32_t type;
    uint32_t flags;
    uint32_t n_choices;
    const char *name;
    const char *doc;
    const char *const *choices;
    double def, min, max; /* +-infinity allowed; init value when learned                      */
} limen_param;

/* ---- mathematical facts: data, so tools can use them without running the plugin ---------- */
#define LIMEN_FACT_ODD 0x1u
#define LIMEN_FACT_EVEN 0x2u
#define LIMEN_FACT_INCREASING 0x4u       /* non-decreasing, for every legal parameter value   */
#define LIMEN_FACT_ZERO_AT_ZERO 0x8u
#define LIMEN_FACT_HOMOGENEOUS 0x10u     /* f(a x) = a f(x), a >= 0                           */
#define LIMEN_FACT_IDEMPOTENT 0x20u
#define LIMEN_FACT_RANGE 0x40u           /* y_min..y_max are tight bounds                     */
#define LIMEN_FACT_LIPSCHITZ 0x80u       /* |f'| <= lipschitz                                 */
#define LIMEN_FACT_DOMAIN 0x100u         /* defined on x_min..x_max only                      */
#define LIMEN_FACT_GAIN 0x200u           /* gain = advised init gain (sqrt 2 for relu)        */
#define LIMEN_FACT_NAN_IGNORED 0x400u    /* NaN in does not give NaN out, on purpose          */
#define LIMEN_FACT_NONDETERMINISTIC 0x800u /* sums may differ in the last bits                */

#define LIMEN_KINK_CORNER 1u  /* f' jumps                                                     */
#define LIMEN_KINK_JUMP 2u    /* f jumps                                                      */

typedef struct limen_kink { /* at x = at + scale * value of parameter `param`                 */
    double at, scale;
    int32_t param;          /* -1: none                                                       */
    uint32_t kind;
    double slope;           /* derivative the op returns exactly there                        */
} limen_kink;

typedef struct limen_facts {
    uint32_t size;
    uint32_t flags;
    double x_min, x_max, y_min, y_max, lipschitz, gain;
    double accuracy;        /* declared mismatch of backward and forward, relative to the local scale; 0 = exact */
    const limen_kink *kinks;
    uint32_t n_kinks;
    uint32_t reserved;
} limen_facts;

/* ---- golden data: computed in high precision, checked by `limen plugin check` ------------- */
typedef struct limen_golden {
    uint32_t size;
    uint32_t n;             /* points                                                         */
    const double *hyper;    /* [n_params], NULL = defaults                                    */
    const double *x;        /* [n * arity]                                                    */
    const double *y;        /* [n * outputs]                                                  */
    const double *dydx;     /* [n * outputs * arity], NULL = not given                        */
    const char *source;     /* "mpmath 1.3, 50 digits"                                        */
} limen_golden;

/* ---- the unit of work -------------------------------------------------------------------- */
#define LIMEN_TILE_ACCUMULATE 0x1u /* dx += instead of dx =                                   */
#define LIMEN_TILE_EVAL 0x2u       /* inference: dropout-like ops become the identity; it     */
                                   /* changes nothing for ops that are not STOCHASTIC         */

/* Pointers a role does not use are NULL, and in dx, dw, ty, gy those of unwanted results: skip
 * them. JVP: y too is wanted only if it is not NULL. */
typedef struct limen_tile {
    uint32_t size;
    uint32_t flags;
    uint64_t n;             /* elements; ROWS: elements in one row                            */
    uint64_t rows;          /* ROWS: rows; MAP: 1                                             */
    int64_t row_stride;     /* ROWS: elements from row to row, in every operand               */
    uint64_t base;          /* index of the first element in the whole tensor                 */
    uint64_t seed[2];       /* counter-based RNG key: value i = g(seed, base + i)             */
    const double *hyper;    /* [n_params] resolved parameters                                 */
    const void *instance;   /* what create() returned                                         */
    const void *const *x;   /* [arity] inputs                                                 */
    void *const *y;         /* [outputs]; input instead if the kernel reads Y                 */
    const void *const *dy;  /* [outputs] cotangents of y                                      */
    void *const *dx;        /* [arity] cotangents of x                                        */
    const void *const *tx;  /* [arity] tangents of x (JVP)                                    */
    void *const *ty;        /* [outputs] tangents of y (JVP)                                  */
    const void *const *gx;  /* [arity] cotangents of dx (BACKWARD2); NULL in it: zeros        */
    void *const *gy;        /* [outputs] cotangents of dy (BACKWARD2)                         */
    void *state;            /* written by forward, only read by backward of the same variant  */
    const void *const *w;   /* [n_params] learned parameters, NULL if not learned             */
    const uint32_t *w_step; /* [n_params] 0: one value for this tile; 1: one per element      */
    double *const *dw;      /* [n_params] += into; private to this thread; same w_step        */
    void *scratch;          /* op->scratch_bytes, 64-byte aligned, private to this call       */
} limen_tile;

/* ---- kernels: a table, so the engine chooses (and tests) every one ------------------------ */
#define LIMEN_FORWARD 1u   /* x -> y                                                          */
#define LIMEN_BACKWARD 2u  /* reads, dy -> dx, dw                                             */
#define LIMEN_JVP 3u       /* x, tx -> ty (and y if asked)                                    */
#define LIMEN_BACKWARD2 4u /* x, dy, gx -> gy, dx                                             */

#define LIMEN_X 0x1u       /* bits of limen_kernel.reads                                      */
#define LIMEN_Y 0x2u
#define LIMEN_STATE 0x4u

#define LIMEN_ALIAS_Y_X 0x1u   /* y may be the same memory as x[0]                            */
#define LIMEN_ALIAS_DX_DY 0x2u
#define LIMEN_ALIAS_DX_X 0x4u

typedef struct limen_kernel {
    uint32_t size;
    uint32_t role;
    uint32_t dtype;      /* one dtype bit                                                     */
    uint32_t isa;
    uint32_t variant;    /* forward and backward with equal variant belong together; 0 = plain */
    uint32_t reads;      /* BACKWARD: what must be kept alive. The planner takes the cheapest */
    uint32_t alias;
    uint32_t state_bits; /* per element, 0 = none (1: a mask; 32: one float)                  */
    float cost;          /* cycles per element when the data is in L1, 0 = unknown            */
    float max_ulp;       /* promised error against golden data, 0 = exact                     */
    void (*run)(const limen_tile *); /* [any] cannot fail; any n >= 1, any alignment         */
} limen_kernel;

/* ---- general ops (LIMEN_GENERAL): whole tensors, own shapes ------------------------------- */
typedef struct limen_tensor {
    uint32_t size;
    uint32_t dtype;
    uint32_t rank;
    uint32_t reserved;
    int64_t *dims;       /* [rank]; infer() writes the output's, up to 8                       */
    int64_t *strides;    /* [rank] in elements                                                */
    void *data;          /* NULL during infer()                                               */
} limen_tensor;

typedef struct limen_call {
    uint32_t size;
    uint32_t role;
    const double *hyper;
    void *instance;
    const limen_tensor *in;  /* FORWARD: x. BACKWARD: x, y, dy -- in that order, unread: data NULL */
    limen_tensor *out;       /* FORWARD: y. BACKWARD: dx                                      */
    uint32_t n_in, n_out;
    uint64_t seed[2];
    void *scratch;
    uint64_t scratch_bytes;  /* infer() sets it                                               */
    void (*parallel)(void *ctx, uint64_t n, void (*body)(void *arg, uint64_t begin, uint64_t end),
                     void *arg); /* the engine's threads; do not start your own                */
    void *ctx;
} limen_call;

/* ---- an op ------------------------------------------------------------------------------- */
#define LIMEN_MAP 1u     /* element by element: any tile, any order, any thread; fusable       */
#define LIMEN_ROWS 2u    /* row by row along one axis (softmax, maxout): any block of rows      */
#define LIMEN_GENERAL 3u /* whole tensors through infer() and execute()                        */

#define LIMEN_OP_STOCHASTIC 0x1u /* uses seed/base; same (seed, base+i, x) gives the same y     */
#define LIMEN_OP_SURROGATE 0x2u  /* backward is NOT the derivative of forward (straight-through) */
#define LIMEN_OP_EXPERIMENTAL 0x4u

typedef struct limen_op {
    uint32_t size;
    uint32_t flags;
    const limen_ext *ext;
    const char *name;             /* what the YAML says                                        */
    const char *const *aliases;   /* NULL-terminated, or NULL                                 */
    const char *version;          /* "1.2.0": of the meaning, not of the file                  */
    const char *author;
    const char *summary;          /* one line                                                  */
    const char *doc;              /* Markdown                                                  */
    const char *formula;          /* plain text: "x * tanh(log(1 + exp(x)))"                   */
    const char *latex;
    const char *reference;        /* paper, DOI or URL                                         */
    uint32_t kind;
    uint32_t dtypes;
    uint32_t arity;               /* inputs. If the YAML wires ONE tensor to an op of arity k,  */
    uint32_t outputs;             /* it is cut into k equal pieces along the axis (GLU: k = 2); */
    int32_t axis;                 /* several outputs are joined along it (CReLU). Default axis; */
    uint32_t n_params;            /* negative counts from the end                               */
    uint32_t n_kernels;
    uint32_t n_goldens;
    const limen_param *params;
    const limen_facts *facts;
    const limen_kernel *kernels;
    const limen_golden *goldens;
    const char *surrogate_of;     /* SURROGATE: formula whose derivative backward returns       */
    uint64_t scratch_bytes;       /* per call                                                  */
    /* optional; NULL for ordinary element-wise ops */
    int32_t (*check)(const double *hyper, limen_error *);             /* [setup] joint limits   */
    int32_t (*create)(const double *hyper, void **instance, limen_error *);          /* [setup] */
    void (*destroy)(void *instance);                                                 /* [setup] */
    int32_t (*infer)(limen_call *, limen_error *);                    /* [setup] GENERAL only   */
    int32_t (*execute)(const limen_call *, limen_error *);            /* [any]   GENERAL only   */
} limen_op;

/* ---- a plugin ---------------------------------------------------------------------------- */
typedef struct limen_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    uint32_t isa;                 /* the level the engine runs at (it may be forced down)      */
    uint32_t reserved;
    const char *engine;           /* "limen 0.3.1"                                             */
    const limen_ext *ext;
    void *ctx;
    void (*log)(void *ctx, uint32_t level, const char *text); /* [any] 0 debug .. 3 error      */
} limen_host;

typedef struct limen_plugin {
    uint32_t size;
    uint16_t abi_major, abi_minor;/* what it was compiled against                              */
    uint16_t abi_needs;           /* lowest engine minor it works with                         */
    uint16_t reserved;
    uint32_t n_ops;
    const limen_ext *ext;
    const char *name;             /* reverse-domain, unique: "org.example.smooth"              */
    const char *version;
    const char *author;
    const char *license;          /* SPDX                                                      */
    const char *url;
    const char *build;            /* compiler and flags, for bug reports                       */
    const limen_op *const *ops;
} limen_plugin;

/* The one exported symbol. Return static data; on failure fill the error and return NULL. [load] */
#define LIMEN_ENTRY limen_plugin_v1
#define LIMEN_ENTRY_NAME "limen_plugin_v1"
LIMEN_EXPORT const limen_plugin *limen_plugin_v1(const limen_host *, limen_error *) LIMEN_NOEXCEPT;
typedef const limen_plugin *(*limen_entry_fn)(const limen_host *, limen_error *);

/* ---- what the engine reads WITHOUT loading the file: an ELF note ---------------------------
 * owner "limen"; type 1: this record; type 2: an op's name then its aliases, each NUL-ended.    */
typedef struct limen_note_abi {
    uint32_t namesz, descsz, type;
    char owner[8];
    uint16_t abi_major, abi_minor, abi_needs, flags;
} limen_note_abi;
#define LIMEN_NOTE_ASAN 0x1u
#define LIMEN_NOTE_TSAN 0x2u
#define LIMEN_NOTE_MSAN 0x4u
#if defined(__SANITIZE_ADDRESS__)
#define LIMEN_NOTE_FLAGS LIMEN_NOTE_ASAN
#elif defined(__SANITIZE_THREAD__)
#define LIMEN_NOTE_FLAGS LIMEN_NOTE_TSAN
#else
#define LIMEN_NOTE_FLAGS 0u
#endif
#if defined(__ELF__)
#define LIMEN_NOTE __attribute__((used, aligned(4), section(".note.limen")))
#define LIMEN_DECLARE_PLUGIN(needs)                                                              \
    static const limen_note_abi limen_note_abi_ LIMEN_NOTE = {                                   \
        6, 8, 1, "limen", LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR, needs, LIMEN_NOTE_FLAGS}
#define LIMEN_DECLARE_OP(tag, names) /* names: "mish\0mish_alias" */                             \
    static const struct {                                                                        \
        uint32_t namesz, descsz, type;                                                           \
        char owner[8];                                                                           \
        char desc[(sizeof(names) + 3u) / 4u * 4u];                                               \
    } limen_note_op_##tag LIMEN_NOTE = {6, sizeof(names), 2, "limen", names}
#else
#define LIMEN_DECLARE_PLUGIN(needs) LIMEN_STATIC_ASSERT(1, "")
#define LIMEN_DECLARE_OP(tag, names) LIMEN_STATIC_ASSERT(1, "")
#endif

/* ---- the layout is frozen: a drifting compiler or edit fails here, not in a user's process -- */
#if UINTPTR_MAX == UINT64_MAX
LIMEN_STATIC_ASSERT(sizeof(limen_error) == 24, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_ext) == 24, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_param) == 64, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_kink) == 32, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_facts) == 80, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_golden) == 48, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_tile) == 176, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_kernel) == 48, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_tensor) == 40, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_call) == 96, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_op) == 208, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_host) == 48, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_plugin) == 80, "abi");
LIMEN_STATIC_ASSERT(sizeof(limen_note_abi) == 28, "abi");
#endif

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* LIMEN_PLUGIN_H */
