#include <cmath>

#include <fmt/format.h>

#include <limen/train.hpp>

#include "base/philox.hpp"

namespace limen {
namespace {

// A parameter starts as offset + spread x (random number of the kind).
struct Start {
  enum class Draw { none, uniform, normal } draw = Draw::none;  // uniform: in [-1, 1)
  double offset = 0, spread = 0;
};

double argument(const InitSpec& init, const char* name, double otherwise) {
  const auto found = init.args.find(name);
  return found == init.args.end() ? otherwise : found->second;
}

// Glorot and Bengio 2010 (xavier), He et al. 2015 (he, kaiming), LeCun et al. 1998; as PyTorch's
// torch.nn.init, he with the gain of relu.
Start start_of(const ParameterSpec& parameter) {
  const InitSpec& init = parameter.init;
  const std::string& kind = init.kind;
  const double in = static_cast<double>(std::max<std::int64_t>(1, parameter.fan_in));
  const double out = static_cast<double>(std::max<std::int64_t>(0, parameter.fan_out));
  const double gain = argument(init, "gain", 1);
  if (kind == "zeros") return {};
  if (kind == "constant") return {Start::Draw::none, argument(init, "value", 0), 0};
  if (kind == "normal") {
    return {Start::Draw::normal, argument(init, "mean", 0), argument(init, "std", 1)};
  }
  if (kind == "uniform") {
    const double high = argument(init, "high", 1), low = argument(init, "low", -high);
    return {Start::Draw::uniform, (low + high) / 2, (high - low) / 2};
  }
  if (kind == "xavier_uniform" || kind == "glorot_uniform") {
    return {Start::Draw::uniform, 0, gain * std::sqrt(6 / (in + out))};
  }
  if (kind == "xavier_normal" || kind == "glorot_normal") {
    return {Start::Draw::normal, 0, gain * std::sqrt(2 / (in + out))};
  }
  if (kind == "he_uniform" || kind == "kaiming_uniform") {
    return {Start::Draw::uniform, 0, std::sqrt(6 / in)};
  }
  if (kind == "he_normal" || kind == "kaiming_normal") {
    return {Start::Draw::normal, 0, std::sqrt(2 / in)};
  }
  if (kind == "lecun_uniform") return {Start::Draw::uniform, 0, std::sqrt(3 / in)};
  if (kind == "lecun_normal") return {Start::Draw::normal, 0, std::sqrt(1 / in)};
  throw Error(Diagnostic{.code = "E0201",
                         .message = fmt::format("unknown initialiser `{}`", kind),
                         .spans = {parameter.where},
                         .notes = {},
                         .help = {}});
}

template <class T>
void fill(std::span<T> values, const Start& start, RandomKey key) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    double x = start.offset;
    if (start.draw == Start::Draw::uniform) x += start.spread * (2 * random_uniform(key, i) - 1);
    if (start.draw == Start::Draw::normal) x += start.spread * random_normal(key, i);
    values[i] = static_cast<T>(x);
  }
}

}  // namespace

std::vector<NamedTensor> initial_weights(std::span<const ParameterSpec> parameters,
                                         std::uint64_t seed) {
  std::vector<NamedTensor> weights;
  for (const ParameterSpec& parameter : parameters) {
    const Start start = start_of(parameter);
    const RandomKey key = random_key(seed, "init", parameter.name);
    NamedTensor weight{parameter.name, Tensor(parameter.type)};
    if (parameter.type.dtype == DType::f64) {
      fill(weight.tensor.as<double>(), start, key);
    } else {
      fill(weight.tensor.as<float>(), start, key);
    }
    weights.push_back(std::move(weight));
  }
  return weights;
}

}  // namespace limen
