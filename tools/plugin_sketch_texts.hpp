// Sources for people to change. @name@ stands for the plugin's name.
#pragma once

#include <string_view>

namespace limen::tools {

constexpr std::string_view kRowsSource = R"(#include <limen/activation.hpp>
// A function of whole rows. `r` has a row's pointers and sums; a null result is not computed.
struct @name@ {
  static constexpr auto formula = "x_i - sum_j(x_j) / n";
  static constexpr std::uint32_t backward_reads = LIMEN_X;
  static void centre(const auto& r, auto out, const auto* in) {
    const auto mean = r.sum(in) / r.n;
    r.map(
        out, [=](auto x) { return x - mean; }, in);
  }
  static void forward(const auto& r) { centre(r, r.y, r.x); }
  static void backward(const auto& r) { centre(r, r.dx, r.dy); }
  static void jvp(const auto& r) {
    centre(r, r.y, r.x);
    centre(r, r.ty, r.tx);
  }
  static void backward2(const auto& r) {
    centre(r, r.gy, r.gx);
    r.map(
        r.dx, [](auto) { return 0; }, r.x);
  }
};
LIMEN_ACTIVATION(@name@)
LIMEN_PLUGIN("org.example.@name@", "1.0.0")
)";

constexpr std::string_view kCSource = R"(#include <limen/plugin.h>
/* y = max(x, 0)^2, dy/dx = 2 max(x, 0) */
#define KERNELS(T)                                                                      \
  static void forward_##T(const limen_tile* t) {                                        \
    const T* x = t->x[0];                                                               \
    T* y = t->y[0];                                                                     \
    for (uint64_t i = 0; i < t->n; ++i) y[i] = x[i] <= 0 ? 0 : x[i] * x[i];             \
  }                                                                                     \
  static void backward_##T(const limen_tile* t) {                                       \
    const T *x = t->x[0], *dy = t->dy[0];                                               \
    T *dx = t->dx[0], keep = t->flags & LIMEN_TILE_ACCUMULATE ? 1 : 0;                  \
    for (uint64_t i = 0; i < t->n; ++i) {                                               \
      T d = x[i] <= 0 ? 0 : 2 * x[i] * dy[i];                                           \
      dx[i] = keep != 0 ? dx[i] + d : d;                                                \
    }                                                                                   \
  }
KERNELS(float)
KERNELS(double)
#define ROW(role, dtype, reads, alias, run) \
  {sizeof(limen_kernel), role, dtype, LIMEN_ISA_ANY, 0, reads, alias, 0, 0, 1, run}
static const limen_kernel kernels[] = {
    ROW(LIMEN_FORWARD, LIMEN_F32, 0, LIMEN_ALIAS_Y_X, forward_float),
    ROW(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, LIMEN_ALIAS_DX_DY, backward_float),
    ROW(LIMEN_FORWARD, LIMEN_F64, 0, LIMEN_ALIAS_Y_X, forward_double),
    ROW(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, LIMEN_ALIAS_DX_DY, backward_double)};
static const limen_op op = {
    .size = sizeof op, .name = "@name@", .version = "1.0.0", .formula = "max(x, 0)^2",
    .kind = LIMEN_MAP, .dtypes = LIMEN_F32 | LIMEN_F64, .arity = 1, .outputs = 1, .axis = -1,
    .n_kernels = 4, .kernels = kernels};
static const limen_op* const ops[] = {&op};
static const limen_plugin plugin = {.size = sizeof plugin, .abi_major = LIMEN_ABI_MAJOR,
    .n_ops = 1, .name = "org.example.@name@", .version = "1.0.0", .ops = ops};
LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(@name@, "@name@");
const limen_plugin* limen_plugin_v1(const limen_host* host, limen_error* error) {
  (void)host, (void)error;
  return &plugin;
}
)";

constexpr std::string_view kRustSource =
    R"(// A plugin without the standard library. The structs are those of limen/plugin.h, ABI 1.0.
#![no_std]
use core::ffi::{c_char, c_void};
use core::ptr::null;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[repr(C)]
pub struct Tile {
    size: u32,
    flags: u32,
    n: u64,
    rows: u64,
    row_stride: i64,
    base: u64,
    seed: [u64; 2],
    hyper: *const f64,
    instance: *const c_void,
    x: *const *const c_void,
    y: *const *mut c_void,
    dy: *const *const c_void,
    dx: *const *mut c_void, // more fields follow, of no use here
}
#[repr(C)]
struct Kernel {
    size: u32,
    role: u32,
    dtype: u32,
    isa: u32,
    variant: u32,
    reads: u32,
    alias: u32,
    state_bits: u32,
    cost: f32,
    max_ulp: f32,
    run: unsafe extern "C" fn(*const Tile),
}
type Text = *const c_char;
#[repr(C)]
pub struct Op {
    size: u32,
    flags: u32,
    ext: *const c_void,
    name: Text,
    aliases: *const Text,
    texts: [Text; 4], // version, author, summary, doc
    formula: Text,
    latex: Text,
    reference: Text,
    kind: u32,
    dtypes: u32,
    arity: u32,
    outputs: u32,
    axis: i32,
    n_params: u32,
    n_kernels: u32,
    n_goldens: u32,
    params: *const c_void,
    facts: *const c_void,
    kernels: *const Kernel,
    goldens: *const c_void,
    surrogate_of: Text,
    scratch_bytes: u64,
    optional: [*const c_void; 5], // check, create, destroy, infer, execute
}
#[repr(C)]
pub struct Plugin {
    size: u32,
    abi: [u16; 4], // major, minor, needs, reserved
    n_ops: u32,
    ext: *const c_void,
    name: Text,
    version: Text,
    texts: [Text; 4], // author, license, url, build
    ops: *const *const Op,
}
#[repr(transparent)]
struct Shared<T>(T); // constants with pointers in them
unsafe impl<T> Sync for Shared<T> {}

const ACCUMULATE: u32 = 1;

// y = max(x, 0)^2, dy/dx = 2 max(x, 0)
macro_rules! kernels {
    ($t:ty, $forward:ident, $backward:ident) => {
        unsafe extern "C" fn $forward(t: *const Tile) {
            let (x, y) = (*(*t).x as *const $t, *(*t).y as *mut $t);
            for i in 0..(*t).n as usize {
                let v = *x.add(i);
                *y.add(i) = if v <= 0.0 { 0.0 } else { v * v };
            }
        }
        unsafe extern "C" fn $backward(t: *const Tile) {
            let (x, dy) = (*(*t).x as *const $t, *(*t).dy as *const $t);
            let dx = *(*t).dx as *mut $t;
            let add = (*t).flags & ACCUMULATE != 0;
            for i in 0..(*t).n as usize {
                let v = *x.add(i);
                let d = if v <= 0.0 { 0.0 } else { 2.0 * v * *dy.add(i) };
                *dx.add(i) = if add { *dx.add(i) + d } else { d };
            }
        }
    };
}
kernels!(f32, forward_f32, backward_f32);
kernels!(f64, forward_f64, backward_f64);

const fn kernel(role: u32, dtype: u32, run: unsafe extern "C" fn(*const Tile)) -> Kernel {
    let backward = role == 2; // reads x; dx may be dy. Forward: y may be x
    Kernel {
        size: core::mem::size_of::<Kernel>() as u32,
        role,
        dtype,
        isa: 0,
        variant: 0,
        reads: backward as u32,
        alias: 1 + backward as u32,
        state_bits: 0,
        cost: 0.0,
        max_ulp: 1.0,
        run,
    }
}
static KERNELS: [Kernel; 4] = [
    kernel(1, 1, forward_f32),
    kernel(2, 1, backward_f32),
    kernel(1, 2, forward_f64),
    kernel(2, 2, backward_f64),
];
const fn text(bytes: &'static [u8]) -> Text {
    bytes.as_ptr() as Text
}
const NONE: Text = null();
static OP: Shared<Op> = Shared(Op {
    size: core::mem::size_of::<Op>() as u32,
    flags: 0,
    ext: null(),
    name: text(b"@name@\0"),
    aliases: null(),
    texts: [text(b"1.0.0\0"), NONE, NONE, NONE],
    formula: text(b"max(x, 0)^2\0"),
    latex: NONE,
    reference: NONE,
    kind: 1,
    dtypes: 3,
    arity: 1,
    outputs: 1,
    axis: -1,
    n_params: 0,
    n_kernels: 4,
    n_goldens: 0,
    params: null(),
    facts: null(),
    kernels: KERNELS.as_ptr(),
    goldens: null(),
    surrogate_of: NONE,
    scratch_bytes: 0,
    optional: [null(); 5],
});
static OPS: Shared<[*const Op; 1]> = Shared([&OP.0]);
static PLUGIN: Shared<Plugin> = Shared(Plugin {
    size: core::mem::size_of::<Plugin>() as u32,
    abi: [1, 0, 0, 0],
    n_ops: 1,
    ext: null(),
    name: text(b"org.example.@name@\0"),
    version: text(b"1.0.0\0"),
    texts: [NONE; 4],
    ops: OPS.0.as_ptr(),
});

// What limen reads without loading the file.
#[repr(C)]
pub struct Note<const SIZE: usize> {
    sizes: [u32; 3], // of the owner's name, of the content, type
    owner: [u8; 8],
    content: [u8; SIZE],
}
#[used]
#[link_section = ".note.limen"]
static NOTE_ABI: Note<8> = Note {
    sizes: [6, 8, 1],
    owner: *b"limen\0\0\0",
    content: [1, 0, 0, 0, 0, 0, 0, 0],
};
#[used]
#[link_section = ".note.limen"]
static NOTE_OP: Note<@note_size@> = Note {
    sizes: [6, @name_size@, 2],
    owner: *b"limen\0\0\0",
    content: *b"@note@",
};

#[no_mangle]
pub extern "C" fn limen_plugin_v1(_host: *const c_void, _error: *mut c_void) -> *const Plugin {
    &PLUGIN.0
}
)";

constexpr std::string_view kProject = R"(cmake_minimum_required(VERSION 3.25)
project(@name@ LANGUAGES C CXX)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_package(limen REQUIRED)
include(CTest)
limen_add_plugin(@name@ @file@)
)";

constexpr std::string_view kModelFile = R"(limen: 1
name: @name@
doc: Two half moons, learned with the new activation.
plugins: [@name@.so]

inputs:
  x: f32[N, 2]
  label: i64[N]

graph:
  - [dense: @width@, @op@]
  - [dense: @width@, @op@]
  - dense: 2

loss: softmax_cross_entropy
metrics: [accuracy]
data: {moons: {n: 1000, noise: 0.1}}

train:
  epochs: 20
  batch: 20
  seed: 1
  optimizer: {adam: 0.01}
)";

constexpr std::string_view kReadme = R"(# @name@

An activation for limen. Change `@file@`, then, from the folder above:

```sh
limen plugin build @name@ --doc         # @name@/@name@.so, and a page with pictures in @name@/doc
limen gradcheck @name@/@name@.so        # is backward the derivative of forward?
limen train @name@/model.yaml
```

@cmake@Any model can use it: `plugins: [@name@.so]`, then `- @op@` as a step. `limen plugin build @name@ --install`
puts it where every model finds it without `plugins:`.
)";

}  // namespace limen::tools
