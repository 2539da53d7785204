#include "limit_network.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_map>

#include <dnnl.hpp>

namespace limen::bench {
namespace {

using dnnl::memory;
using Floats = std::vector<float>;

// C = A B (+ bias), operands row-major, optionally transposed; addresses fixed at construction.
class Product {
 public:
  Product(const dnnl::engine& engine, int m, int n, int k, bool ta, bool tb, float* a, float* b,
          float* c, float* bias = nullptr) {
    const auto f32 = memory::data_type::f32;
    const memory::desc da({m, k}, f32, ta ? memory::dims{1, m} : memory::dims{k, 1});
    const memory::desc db({k, n}, f32, tb ? memory::dims{1, k} : memory::dims{n, 1});
    const memory::desc dc({m, n}, f32, memory::dims{n, 1});
    const memory::desc dbias({1, n}, f32, memory::dims{n, 1});
    const auto description =
        bias != nullptr ? dnnl::matmul::desc(da, db, dbias, dc) : dnnl::matmul::desc(da, db, dc);
    dnnl::primitive_attr user_scratch;
    user_scratch.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc chosen(description, user_scratch, engine);
    primitive_ = dnnl::matmul(chosen);
    scratch_.resize(chosen.scratchpad_desc().get_size() + 64);
    add(DNNL_ARG_SRC, memory(da, engine, a));
    add(DNNL_ARG_WEIGHTS, memory(db, engine, b));
    add(DNNL_ARG_DST, memory(dc, engine, c));
    if (bias != nullptr) add(DNNL_ARG_BIAS, memory(dbias, engine, bias));
    add(DNNL_ARG_SCRATCHPAD, memory(chosen.scratchpad_desc(), engine, scratch_.data()));
    for (const auto& [argument, m_] : memories_) args_.push_back({argument, m_.get()});
  }

  void run(const dnnl::stream& stream) const {
    dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(args_.size()),
                           args_.data());
  }

 private:
  void add(int argument, memory m) { memories_.emplace_back(argument, std::move(m)); }

  dnnl::primitive primitive_;
  std::vector<std::uint8_t> scratch_;
  std::vector<std::pair<int, memory>> memories_;
  std::vector<dnnl_exec_arg_t> args_;
};

struct Layer {
  int in = 0, out = 0;
  Floats w, b, dw, db, mw, mb;  // weights [out, in]
  Floats y, dy;                 // [batch, out]: outputs, then cotangents
  std::vector<Product> forward, weight_gradient, input_gradient;
};

float activate(LimitActivation f, float z) {
  switch (f) {
    case LimitActivation::relu:
      return z > 0 ? z : 0;
    case LimitActivation::sigmoid:
      return 1 / (1 + std::exp(-z));
    case LimitActivation::tanh:
      break;
  }
  return std::tanh(z);
}

void activate_all(LimitActivation f, Floats& y) {
  float* p = y.data();
  const auto n = static_cast<std::int64_t>(y.size());
  switch (f) {
    case LimitActivation::relu:
      for (std::int64_t i = 0; i < n; ++i) p[i] = activate(LimitActivation::relu, p[i]);
      break;
    case LimitActivation::sigmoid:
      for (std::int64_t i = 0; i < n; ++i) p[i] = activate(LimitActivation::sigmoid, p[i]);
      break;
    case LimitActivation::tanh:
      for (std::int64_t i = 0; i < n; ++i) p[i] = activate(LimitActivation::tanh, p[i]);
      break;
  }
}

void backward_all(LimitActivation f, const Floats& y, Floats& dy) {
  const float* p = y.data();
  float* d = dy.data();
  const auto n = static_cast<std::int64_t>(y.size());
  switch (f) {
    case LimitActivation::relu:
      for (std::int64_t i = 0; i < n; ++i) d[i] = p[i] > 0 ? d[i] : 0;
      break;
    case LimitActivation::sigmoid:
      for (std::int64_t i = 0; i < n; ++i) d[i] *= p[i] * (1 - p[i]);
      break;
    case LimitActivation::tanh:
      for (std::int64_t i = 0; i < n; ++i) d[i] *= 1 - p[i] * p[i];
      break;
  }
}

void update(Floats& w, Floats& m, const Floats& g, float rate) {
  float *pw = w.data(), *pm = m.data();
  const float* pg = g.data();
  const auto n = static_cast<std::int64_t>(w.size());
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    pm[i] = 0.9f * pm[i] + pg[i];
    pw[i] -= rate * pm[i];
  }
}

}  // namespace

struct LimitNetwork::Impl {
  int batch;
  LimitActivation activation;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Floats x;
  std::vector<int> labels;
  std::vector<Layer> layers;

  float softmax_cross_entropy(Layer& last) const;
};

LimitNetwork::LimitNetwork(std::vector<int> sizes, LimitActivation activation, int batch)
    : impl_(std::make_unique<Impl>()) {
  Impl& net = *impl_;
  net.batch = batch;
  net.activation = activation;
  auto fill = [state = 12345u](Floats& values, float scale) mutable {
    for (float& v : values) {
      state = state * 1664525u + 1013904223u;
      v = (static_cast<float>(state >> 8) / 16777216.0f - 0.5f) * scale;
    }
  };
  net.x.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(sizes[0]));
  fill(net.x, 2);
  net.layers.resize(sizes.size() - 1);
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    Layer& layer = net.layers[l];
    layer.in = sizes[l], layer.out = sizes[l + 1];
    const auto weights = static_cast<std::size_t>(layer.in) * static_cast<std::size_t>(layer.out);
    const auto outputs = static_cast<std::size_t>(batch) * static_cast<std::size_t>(layer.out);
    for (Floats* w : {&layer.w, &layer.dw, &layer.mw}) w->resize(weights);
    for (Floats* b : {&layer.b, &layer.db, &layer.mb})
      b->resize(static_cast<std::size_t>(layer.out));
    for (Floats* y : {&layer.y, &layer.dy}) y->resize(outputs);
    fill(layer.w, 2 / std::sqrt(static_cast<float>(layer.in)));
  }
  for (int i = 0; i < batch; ++i) net.labels.push_back(i % sizes.back());
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    Layer& layer = net.layers[l];
    Floats& in = l == 0 ? net.x : net.layers[l - 1].y;
    layer.forward.emplace_back(net.engine, batch, layer.out, layer.in, false, true, in.data(),
                               layer.w.data(), layer.y.data(), layer.b.data());
    layer.weight_gradient.emplace_back(net.engine, layer.out, layer.in, batch, true, false,
                                       layer.dy.data(), in.data(), layer.dw.data());
    if (l > 0) {
      layer.input_gradient.emplace_back(net.engine, batch, layer.in, layer.out, false, false,
                                        layer.dy.data(), layer.w.data(),
                                        net.layers[l - 1].dy.data());
    }
  }
}

LimitNetwork::~LimitNetwork() = default;

float LimitNetwork::Impl::softmax_cross_entropy(Layer& last) const {
  const int classes = last.out;
  float loss = 0;
  float* d = last.dy.data();
  for (int r = 0; r < batch; ++r) {
    const float* z = last.y.data() + r * classes;
    const float largest = *std::max_element(z, z + classes);
    for (int c = 0; c < classes; ++c) d[r * classes + c] = z[c] - largest;
  }
  const std::int64_t all = static_cast<std::int64_t>(batch) * classes;
  Floats& shifted = const_cast<Floats&>(last.y);  // y is not needed any more
  std::copy_n(d, all, shifted.data());
  for (std::int64_t i = 0; i < all; ++i) d[i] = std::exp(d[i]);
  const float share = 1.0f / static_cast<float>(batch);
  for (int r = 0; r < batch; ++r) {
    float sum = 0;
    for (int c = 0; c < classes; ++c) sum += d[r * classes + c];
    const int label = labels[static_cast<std::size_t>(r)];
    loss += std::log(sum) - shifted[static_cast<std::size_t>(r * classes + label)];
    for (int c = 0; c < classes; ++c) d[r * classes + c] *= share / sum;
    d[r * classes + label] -= share;
  }
  return loss * share;
}

float LimitNetwork::step() {
  Impl& net = *impl_;
  for (Layer& layer : net.layers) {
    layer.forward[0].run(net.stream);
    if (&layer != &net.layers.back()) activate_all(net.activation, layer.y);
  }
  const float loss = net.softmax_cross_entropy(net.layers.back());
  for (std::size_t l = net.layers.size(); l-- > 0;) {
    Layer& layer = net.layers[l];
    layer.weight_gradient[0].run(net.stream);
    std::fill(layer.db.begin(), layer.db.end(), 0.0f);
    for (int r = 0; r < net.batch; ++r) {
      const float* row = layer.dy.data() + r * layer.out;
      for (int c = 0; c < layer.out; ++c) layer.db[static_cast<std::size_t>(c)] += row[c];
    }
    if (l > 0) {
      layer.input_gradient[0].run(net.stream);
      backward_all(net.activation, net.layers[l - 1].y, net.layers[l - 1].dy);
    }
    update(layer.w, layer.mw, layer.dw, 0.01f);
    update(layer.b, layer.mb, layer.db, 0.01f);
  }
  return loss;
}

}  // namespace limen::bench
