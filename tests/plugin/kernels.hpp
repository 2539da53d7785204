// Runs the kernels of plugins on plain vectors.
#pragma once

#include <limen/plugin_registry.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace limen::test {

template <class F>
constexpr std::uint32_t kDtype = std::is_same_v<F, float> ? LIMEN_F32 : LIMEN_F64;

// A tile of one-operand ops over vectors; the caller's vectors stay the memory.
template <class F>
struct Tile {
  explicit Tile(const Activation& activation, std::uint64_t n = 0) {
    tile.size = sizeof(limen_tile);
    tile.n = n;
    tile.rows = 1;
    tile.row_stride = static_cast<std::int64_t>(n);
    tile.hyper = activation.hyper().data();
  }
  Tile& x(const F* p) { return x_ = p, tile.x = &x_, *this; }
  Tile& y(F* p) { return y_ = p, tile.y = &y_, *this; }
  Tile& dy(const F* p) { return dy_ = p, tile.dy = &dy_, *this; }
  Tile& dx(F* p) { return dx_ = p, tile.dx = &dx_, *this; }
  Tile& tx(const F* p) { return tx_ = p, tile.tx = &tx_, *this; }
  Tile& ty(F* p) { return ty_ = p, tile.ty = &ty_, *this; }
  Tile& gx(const F* p) { return gx_ = p, tile.gx = &gx_, *this; }
  Tile& gy(F* p) { return gy_ = p, tile.gy = &gy_, *this; }
  Tile& rows(std::uint64_t rows, std::int64_t stride) {
    return tile.rows = rows, tile.row_stride = stride, *this;
  }
  Tile& accumulate() { return tile.flags = LIMEN_TILE_ACCUMULATE, *this; }
  void run(const limen_kernel* kernel) { kernel->run(&tile); }

  limen_tile tile{};

 private:
  const void *x_ = nullptr, *dy_ = nullptr, *tx_ = nullptr, *gx_ = nullptr;
  void *y_ = nullptr, *dx_ = nullptr, *ty_ = nullptr, *gy_ = nullptr;
};

// Every kernel of an op with this role and element type that runs on this machine.
template <class F>
std::vector<const limen_kernel*> kernels(const Activation& activation, std::uint32_t role,
                                         std::uint32_t machine) {
  std::vector<const limen_kernel*> all;
  const limen_op& op = activation.op();
  for (std::size_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel* k = LIMEN_AT(limen_kernel, op.kernels, i);
    const bool runs = k->isa == 0 || k->isa <= machine;
    if (k->role == role && k->dtype == kDtype<F> && runs) all.push_back(k);
  }
  return all;
}

template <class F>
std::vector<F> forward(const Activation& a, const std::vector<F>& x, std::uint32_t isa = 0) {
  std::vector<F> y(x.size());
  Tile<F>(a, x.size()).x(x.data()).y(y.data()).run(a.kernel(LIMEN_FORWARD, kDtype<F>, isa));
  return y;
}

// dx for a kernel that reads x, or y of the forward kernel at the base level.
template <class F>
std::vector<F> backward(const Activation& a, const limen_kernel* kernel, const std::vector<F>& x,
                        const std::vector<F>& dy) {
  std::vector<F> dx(x.size()), y = forward(a, x);
  Tile<F> tile(a, x.size());
  if (kernel->reads & LIMEN_X) tile.x(x.data());
  if (kernel->reads & LIMEN_Y) tile.y(y.data());
  tile.dy(dy.data()).dx(dx.data()).run(kernel);
  return dx;
}

template <class F>
std::vector<F> derivative(const Activation& a, const std::vector<F>& x,
                          std::uint32_t reads = LIMEN_X) {
  return backward(a, a.kernel(LIMEN_BACKWARD, kDtype<F>, 0, reads), x, std::vector<F>(x.size(), 1));
}

inline std::string shipped(const std::string& name) {
  return std::string(LIMEN_SHIPPED_PLUGINS) + "/" + name + ".so";
}
inline std::string sample(const std::string& name) {
  return std::string(LIMEN_SAMPLE_PLUGINS) + "/sample_" + name + ".so";
}
inline std::string faulty(const std::string& name) {
  return std::string(LIMEN_BAD_PLUGINS) + "/bad_" + name + ".so";
}

// The shipped plugins and the samples of the SDK.
inline PluginRegistry all_plugins() {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  registry.load_directory(LIMEN_SAMPLE_PLUGINS);
  return registry;
}

// Those of one input and one output without noise, at ready parameters.
inline std::vector<Activation> simple_activations() {
  std::vector<Activation> all;
  for (const Activation& a : all_plugins().activations()) {
    const limen_op& op = a.op();
    const bool plain = op.kind != LIMEN_GENERAL && !(op.flags & LIMEN_OP_STOCHASTIC);
    if (plain && op.arity == 1 && op.outputs == 1 && a.name() != "square") {
      all.push_back(a.name() == "bent" ? a.with({{"floor", 0.125}}) : a);
    }
  }
  return all;
}

}  // namespace limen::test
