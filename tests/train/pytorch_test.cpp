// The whole path against PyTorch: weights from a safetensors file, 100 steps, losses and logits.
// The figures were made once by golden/make_mlp.py; weights, images and labels are formulas.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "train/train_support.hpp"

namespace limen {
namespace {

constexpr std::int64_t kBatch = 64, kSteps = 100, kIn = 784, kHidden = 128, kOut = 10;

// lowbias32 of Chris Wellons, as in make_mlp.py.
std::uint32_t mix(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

double uniform(std::uint32_t stream, std::int64_t i) {
  return mix(static_cast<std::uint32_t>(i) + stream * 0x1000000u) * 0x1p-32;
}

NamedTensor parameter(std::string name, Shape shape, std::uint32_t stream, double scale) {
  NamedTensor out{std::move(name), Tensor({shape, DType::f32})};
  std::int64_t i = 0;
  for (float& v : out.tensor.as<float>()) {
    v = static_cast<float>((uniform(stream, i++) * 2 - 1) * scale);
  }
  return out;
}

std::vector<NamedTensor> start_weights() {
  return {parameter("hidden.weight", {kHidden, kIn}, 1, 0.0625),
          parameter("hidden.bias", {kHidden}, 2, 0.0625),
          parameter("logits.weight", {kOut, kHidden}, 3, 0.125),
          parameter("logits.bias", {kOut}, 4, 0.125)};
}

Dataset images() {
  const std::int64_t n = kBatch * kSteps;
  Tensor image({{n, kIn}, DType::f32}), label({{n}, DType::i32});
  float* pixel = image.as<float>().data();
  for (std::int64_t i = 0; i < n; ++i) {
    const auto digit = static_cast<std::int32_t>(uniform(10, i) * kOut);
    label.as<std::int32_t>()[static_cast<std::size_t>(i)] = digit;
    for (std::int64_t j = 0; j < kIn; ++j) {
      *pixel++ = static_cast<float>(0.125 * uniform(11, digit * kIn + j) +
                                    0.875 * uniform(12, i * kIn + j));
    }
  }
  return Dataset({{"image", image}, {"label", label}});
}

struct Golden {
  std::vector<double> losses, logits;
};

Golden read_golden(const std::string& name) {
  std::ifstream file(LIMEN_SOURCE_DIR "/tests/golden/mlp_" + name + ".txt");
  Golden golden;
  for (std::string line, word; std::getline(file, line);) {
    std::istringstream in(line);
    in >> word;
    for (double value = 0; in >> value;) {
      (word == "loss" ? golden.losses : golden.logits).push_back(value);
    }
  }
  return golden;
}

std::string model_text(const std::string& optimizer) {
  return R"(limen: 1
name: mlp
inputs:
  image: f32[N, 784]
  label: i64[N]
graph:
  - dense: 128
    name: hidden
  - relu
  - dense: 10
    name: logits
loss: softmax_cross_entropy
train:
  steps: 100
  batch: 64
  shuffle: false
  optimizer: )" +
         optimizer + "\n";
}

struct Case {
  const char* name;
  const char* optimizer;
};

class PyTorch : public ::testing::TestWithParam<Case> {};

TEST_P(PyTorch, GivesTheSameLossesAndLogitsFromTheSameWeightsAndBatches) {
  const Golden golden = read_golden(GetParam().name);
  ASSERT_EQ(golden.losses.size(), 100u);
  ASSERT_EQ(golden.logits.size(), 30u);
  const Model model = model_of(model_text(GetParam().optimizer));
  const std::string start = ::testing::TempDir() + "limen-pytorch-" + GetParam().name +
                            std::to_string(::getpid()) + ".safetensors";
  save_checkpoint(start, {start_weights(), {}, {}});
  DataSplit data;
  data.train = images();
  Recorder seen;
  const TrainResult result = train(model, data, {.threads = 2, .weights = start}, seen);
  std::filesystem::remove(start);

  ASSERT_EQ(seen.losses.size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(seen.losses[i], golden.losses[i], 1e-4 * golden.losses[i]) << "step " << i + 1;
  }
  const BuiltModel built = model.build({.sizes = {{"N", 3}}});
  Executable executable = compile(built.graph);
  Tensor first({{3, kIn}, DType::f32});
  const std::int64_t rows[] = {0, 1, 2};
  gather_rows(data.train.field("image"), rows, first.view());
  executable.bind("image", first);
  for (const NamedTensor& weight : result.weights) executable.bind(weight.name, weight.tensor);
  executable.run();
  const auto logits = executable.output(built.output_names.at(0)).as<float>();
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(logits[i], golden.logits[i], 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Optimizers, PyTorch,
                         ::testing::Values(Case{"sgd", "{sgd: 0.05}"},
                                           Case{"momentum", "{sgd: {lr: 0.01, momentum: 0.9}}"},
                                           Case{"adam", "{adam: 1e-3}"}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace limen
