#include <limen/optimizer.hpp>

#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/isa.hpp"

namespace limen {
namespace {

NumericCall call(std::string name, std::map<std::string, double> args = {}) {
  return {.name = std::move(name), .args = std::move(args), .durations = {}, .at = {}, .where = {}};
}

// The cases of golden/make_optimizers.py.
const std::map<std::string, NumericCall>& cases() {
  static const std::map<std::string, NumericCall> all = {
      {"sgd", call("sgd", {{"lr", 0.1}})},
      {"sgd_decay", call("sgd", {{"lr", 0.1}, {"weight_decay", 0.05}})},
      {"sgd_momentum", call("sgd", {{"lr", 0.1}, {"momentum", 0.9}})},
      {"sgd_dampening",
       call("sgd", {{"lr", 0.1}, {"momentum", 0.9}, {"dampening", 0.3}, {"weight_decay", 0.01}})},
      {"sgd_nesterov",
       call("sgd", {{"lr", 0.1}, {"momentum", 0.9}, {"nesterov", 1}, {"weight_decay", 0.01}})},
      {"rmsprop", call("rmsprop")},
      {"rmsprop_decay",
       call("rmsprop", {{"lr", 0.05}, {"alpha", 0.9}, {"eps", 1e-6}, {"weight_decay", 0.1}})},
      {"rmsprop_centered", call("rmsprop", {{"centered", 1}})},
      {"rmsprop_momentum", call("rmsprop", {{"momentum", 0.8}})},
      {"rmsprop_all",
       call("rmsprop",
            {{"centered", 1}, {"momentum", 0.8}, {"weight_decay", 0.02}, {"alpha", 0.95}})},
      {"adam", call("adam")},
      {"adam_all",
       call("adam",
            {{"lr", 0.02}, {"beta1", 0.8}, {"beta2", 0.99}, {"eps", 1e-6}, {"weight_decay", 0.1}})},
      {"adamw", call("adamw")},
      {"adamw_all",
       call("adamw",
            {{"lr", 0.02}, {"beta1", 0.8}, {"beta2", 0.99}, {"eps", 1e-6}, {"weight_decay", 0.1}})},
  };
  return all;
}

struct Golden {
  std::string name;
  int step = 0;
  double values[4] = {};
};

std::vector<Golden> read_golden() {
  std::ifstream file(LIMEN_SOURCE_DIR "/tests/golden/optimizers.txt");
  std::vector<Golden> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    Golden row;
    in >> row.name >> row.step;
    for (double& value : row.values) in >> value;
    rows.push_back(row);
  }
  return rows;
}

// Parameters of the fixed quadratic after some steps.
template <class T>
std::vector<double> descend(const NumericCall& optimizer_call, int steps, std::uint32_t isa) {
  const double start[] = {0.5, -1.25, 3.0, -0.0625}, centre[] = {0.25, 0.75, -1.5, 2.0};
  const double weight[] = {1.0, 0.5, 2.0, 0.125};
  NamedTensor p{"p", Tensor({{4}, dtype_of<T>()})};
  Tensor gradient({{4}, dtype_of<T>()});
  for (std::size_t i = 0; i < 4; ++i) p.tensor.as<T>()[i] = static_cast<T>(start[i]);
  const OptimizerSettings settings = OptimizerSettings::from(optimizer_call);
  Optimizer optimizer(settings, std::span(&p, 1), 1, isa);
  for (int step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < 4; ++i) {
      gradient.as<T>()[i] =
          static_cast<T>(weight[i] * (static_cast<double>(p.tensor.as<T>()[i]) - centre[i]));
    }
    optimizer.begin_step(settings.lr);
    optimizer.update(0, gradient.view());
  }
  return {p.tensor.as<T>().begin(), p.tensor.as<T>().end()};
}

// The instruction sets that this machine can run.
std::vector<std::uint32_t> levels() {
  std::vector<std::uint32_t> all = {kIsaBase, kIsaX86V3, kIsaX86V4};
  std::erase_if(all, [](std::uint32_t isa) { return !isa_runs(isa, detect_isa()); });
  return all;
}

TEST(Optimizer, EqualsPyTorchInDoubleOverTwentySteps) {
  const std::vector<Golden> rows = read_golden();
  ASSERT_EQ(rows.size(), cases().size() * 3);
  for (const Golden& row : rows) {
    ASSERT_TRUE(cases().contains(row.name)) << row.name;
    for (const std::uint32_t isa : levels()) {
      const std::vector<double> got = descend<double>(cases().at(row.name), row.step, isa);
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(got[i], row.values[i], 1e-13 * (1 + std::abs(row.values[i])))
            << row.name << " step " << row.step << " element " << i;
      }
    }
  }
}

TEST(Optimizer, EqualsPyTorchInFloatToRounding) {
  for (const Golden& row : read_golden()) {
    const std::vector<double> got = descend<float>(cases().at(row.name), row.step, 0);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(got[i], row.values[i], 2e-6 * (1 + std::abs(row.values[i])))
          << row.name << " step " << row.step << " element " << i;
    }
  }
}

TEST(Optimizer, HasPyTorchsDefaults) {
  EXPECT_EQ(OptimizerSettings::from(call("sgd")).lr, 1e-3);
  EXPECT_EQ(OptimizerSettings::from(call("rmsprop")).lr, 1e-2);
  EXPECT_EQ(OptimizerSettings::from(call("rmsprop")).alpha, 0.99);
  EXPECT_EQ(OptimizerSettings::from(call("adam")).weight_decay, 0);
  EXPECT_EQ(OptimizerSettings::from(call("adamw")).weight_decay, 1e-2);
  EXPECT_EQ(OptimizerSettings::from(call("adam")).beta2, 0.999);
}

TEST(Optimizer, RefusesSettingsWithoutMeaning) {
  const auto message = [](const NumericCall& wrong) -> std::string {
    try {
      OptimizerSettings::from(wrong);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(call("sgd", {{"lr", -0.1}})), ::testing::HasSubstr("E0208"));
  EXPECT_THAT(message(call("sgd", {{"lr", std::numeric_limits<double>::quiet_NaN()}})),
              ::testing::HasSubstr("`sgd.lr` must be a finite number >= 0"));
  EXPECT_THAT(message(call("sgd", {{"lr", 0.1}, {"nesterov", 1}})),
              ::testing::HasSubstr("momentum above 0"));
  EXPECT_THAT(message(call("adam", {{"beta1", 1}})), ::testing::HasSubstr("[0, 1)"));
  EXPECT_THAT(message(call("adagrad")), ::testing::HasSubstr("unknown optimizer `adagrad`"));
}

// A long parameter, so that several pieces and threads take part.
std::vector<float> walk(const std::string& name, int threads, int steps, std::int64_t n,
                        std::vector<double>* norms = nullptr) {
  NamedTensor p{"p", Tensor({{n}, DType::f32})};
  Tensor gradient({{n}, DType::f32});
  Optimizer optimizer(OptimizerSettings::from(cases().at(name)), std::span(&p, 1), threads, 0);
  for (int step = 0; step < steps; ++step) {
    const auto g = gradient.as<float>();
    for (std::size_t i = 0; i < g.size(); ++i) {
      g[i] = std::sin(static_cast<float>(i) * 0.7f + static_cast<float>(step));
    }
    optimizer.begin_step(0.01, 0.5);
    const double squares = optimizer.update(0, gradient.view());
    if (norms != nullptr) norms->push_back(squares);
  }
  return {p.tensor.as<float>().begin(), p.tensor.as<float>().end()};
}

TEST(Optimizer, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const auto& [name, ignored] : cases()) {
    std::vector<double> one_norm, two_norm;
    const auto one = walk(name, 1, 3, 100'003, &one_norm);
    const auto two = walk(name, 2, 3, 100'003, &two_norm);
    EXPECT_TRUE(one == two) << name;
    EXPECT_EQ(one_norm, two_norm) << name;
  }
}

TEST(Optimizer, ReportsTheSumOfSquaresOfTheUnscaledGradient) {
  std::vector<double> squares;
  walk("sgd", 1, 1, 100'003, &squares);
  double expected = 0;
  for (int i = 0; i < 100'003; ++i) {
    const double g = std::sin(static_cast<float>(i) * 0.7f);
    expected += g * g;
  }
  EXPECT_NEAR(squares[0], expected, 1e-5 * expected);
}

TEST(Optimizer, ScalesGradientsBeforeEverythingElse) {
  NamedTensor whole{"p", Tensor({{3}, DType::f64})}, half{"p", Tensor({{3}, DType::f64})};
  Tensor gradient({{3}, DType::f64}), twice({{3}, DType::f64});
  for (std::size_t i = 0; i < 3; ++i) {
    gradient.as<double>()[i] = 0.3 * static_cast<double>(i) - 0.2;
    twice.as<double>()[i] = 2 * gradient.as<double>()[i];
  }
  for (const auto& [name, optimizer_call] : cases()) {
    const OptimizerSettings settings = OptimizerSettings::from(optimizer_call);
    Optimizer a(settings, std::span(&whole, 1)), b(settings, std::span(&half, 1));
    a.begin_step(0.1);
    a.update(0, gradient.view());
    b.begin_step(0.1, 0.5);
    b.update(0, twice.view());
    EXPECT_TRUE(std::ranges::equal(whole.tensor.as<double>(), half.tensor.as<double>())) << name;
  }
}

TEST(Optimizer, GoesOnFromARestoredStateWithTheSameBits) {
  for (const auto& [name, optimizer_call] : cases()) {
    const OptimizerSettings settings = OptimizerSettings::from(optimizer_call);
    NamedTensor p{"layer.weight", Tensor({{5}, DType::f32})};
    Tensor gradient({{5}, DType::f32});
    const auto step = [&](Optimizer& optimizer) {
      for (std::size_t i = 0; i < 5; ++i) {
        gradient.as<float>()[i] = p.tensor.as<float>()[i] + 0.3f * static_cast<float>(i) - 0.5f;
      }
      optimizer.begin_step(settings.lr);
      optimizer.update(0, gradient.view());
    };
    Optimizer first(settings, std::span(&p, 1));
    for (int i = 0; i < 3; ++i) step(first);
    std::vector<NamedTensor> saved;
    for (const NamedTensor& slot : first.slots()) saved.push_back({slot.name, slot.tensor.clone()});
    const Tensor middle = p.tensor.clone();
    step(first);
    const Tensor expected = p.tensor.clone();

    std::ranges::copy(middle.as<float>(), p.tensor.as<float>().begin());
    Optimizer second(settings, std::span(&p, 1));
    second.restore(saved, first.steps() - 1);
    step(second);
    EXPECT_TRUE(std::ranges::equal(p.tensor.as<float>(), expected.as<float>())) << name;
    EXPECT_EQ(second.steps(), 4);
  }
}

TEST(Optimizer, NamesItsSlotsAsPyTorchDoes) {
  const NamedTensor p{"fc.weight", Tensor({{2, 3}, DType::f32})};
  const auto names = [&](const std::string& name) {
    std::vector<std::string> out;
    for (const NamedTensor& slot :
         Optimizer(OptimizerSettings::from(cases().at(name)), std::span(&p, 1)).slots()) {
      EXPECT_EQ(slot.tensor.type(), p.tensor.type());
      out.push_back(slot.name);
    }
    return out;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(names("sgd"), ElementsAre());
  EXPECT_THAT(names("sgd_momentum"), ElementsAre("momentum_buffer.fc.weight"));
  EXPECT_THAT(names("rmsprop_all"), ElementsAre("square_avg.fc.weight", "grad_avg.fc.weight",
                                                "momentum_buffer.fc.weight"));
  EXPECT_THAT(names("adam"), ElementsAre("exp_avg.fc.weight", "exp_avg_sq.fc.weight"));
}

TEST(Optimizer, RefusesAStateOfAnotherShapeOrKind) {
  const NamedTensor p{"w", Tensor({{2}, DType::f32})}, longer{"w", Tensor({{3}, DType::f32})};
  const OptimizerSettings settings = OptimizerSettings::from(cases().at("adam"));
  Optimizer optimizer(settings, std::span(&p, 1));
  Optimizer other(settings, std::span(&longer, 1));
  Optimizer sgd(OptimizerSettings::from(cases().at("sgd")), std::span(&p, 1));
  EXPECT_THROW(optimizer.restore(other.slots(), 1), Error);
  EXPECT_THROW(optimizer.restore(sgd.slots(), 1), Error);
  EXPECT_THROW(sgd.restore(optimizer.slots(), 1), Error);
}

TEST(SumOfSquares, IsExactInDoubleAndTheSameForAnyThreads) {
  Tensor big({{40'000}, DType::f32});
  for (float& v : big.as<float>()) v = 1e20f;  // its square leaves f32
  EXPECT_NEAR(sum_of_squares(big.view()) / 4e44, 1, 1e-6);
  EXPECT_EQ(sum_of_squares(big.view(), 1), sum_of_squares(big.view(), 2));
}

}  // namespace
}  // namespace limen
