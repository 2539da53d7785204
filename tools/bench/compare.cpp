// Ratios against the yardsticks, in one run: limen's training step beside the hand-written limit
// program, interleaved, and (through torch_step.py, where python3-torch is installed) PyTorch.
//   compare [--torch] [--rows 1,2,5] [--seconds S]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <omp.h>
#include <limen/limen.hpp>

#include "limit_network.hpp"

namespace {

using limen::bench::LimitActivation;

struct Row {
  int number;
  std::vector<int> sizes;
  LimitActivation activation;
  const char* activation_name;
  int batch;
};

const std::vector<Row> kRows{{1, {784, 128, 10}, LimitActivation::relu, "relu", 64},
                             {2, {784, 30, 10}, LimitActivation::sigmoid, "sigmoid", 10},
                             {3, {784, 512, 512, 10}, LimitActivation::relu, "relu", 128},
                             {4, {784, 1024, 1024, 1024, 10}, LimitActivation::relu, "relu", 256},
                             {5, {2, 16, 16, 2}, LimitActivation::tanh, "tanh", 32}};

std::string yaml_of(const Row& row) {
  std::string text = fmt::format("limen: 1\ninputs:\n  x: f32[N, {}]\n  label: i64[N]\ngraph:\n",
                                 row.sizes.front());
  for (std::size_t l = 1; l < row.sizes.size(); ++l) {
    text += fmt::format("  - dense: {}\n", row.sizes[l]);
    if (l + 1 < row.sizes.size()) text += fmt::format("  - {}\n", row.activation_name);
  }
  return text +
         "loss: softmax_cross_entropy\ntrain:\n  epochs: 1\n  batch: 1\n"
         "  optimizer: {sgd: {lr: 0.01, momentum: 0.9}}\n";
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Microseconds of one step of each, timed in turns; the median of the ratios of neighbours.
struct Times {
  double limen_us, limit_us, ratio;
};

template <class A, class B>
Times interleave(A&& limen_step, B&& limit_step, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto time = [](auto& step, int repeats) {
    const auto begin = Clock::now();
    for (int i = 0; i < repeats; ++i) step();
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / repeats;
  };
  for (int i = 0; i < 20; ++i) limen_step(), limit_step();
  const int repeats = std::max(1, static_cast<int>(2000 / time(limit_step, 10)));
  std::vector<double> a, b, ratios;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end || a.size() < 20) {
    a.push_back(time(limen_step, repeats));
    b.push_back(time(limit_step, repeats));
    ratios.push_back(a.back() / b.back());
  }
  return {median(a), median(b), median(ratios)};
}

std::string sizes_text(const Row& row) { return fmt::format("{}", fmt::join(row.sizes, "-")); }

// Microseconds of PyTorch's step, or 0 where it cannot be run. Debian's python3-torch belongs to
// Debian's own interpreter, whatever else is first in PATH.
double torch_us(const Row& row, const std::string& script) {
  const std::string command = fmt::format("/usr/bin/python3 '{}' {} {} {} 2>/dev/null", script,
                                          sizes_text(row), row.activation_name, row.batch);
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return 0;
  double us = 0;
  if (std::fscanf(pipe, "%lf", &us) != 1) us = 0;
  pclose(pipe);
  return us;
}

}  // namespace

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  bool torch = false;
  double seconds = 1;
  std::string wanted = "1,2,5";
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--torch")
      torch = true;
    else if (flag == "--rows" && i + 1 < argc)
      wanted = argv[++i];
    else if (flag == "--seconds" && i + 1 < argc)
      seconds = std::atof(argv[++i]);
    else
      return fmt::print(stderr, "usage: compare [--torch] [--rows 1,2,5] [--seconds S]\n"), 2;
  }
  limen::PluginRegistry plugins;
  plugins.load_directory(LIMEN_PLUGIN_DIRECTORY);
  fmt::print("{:<24}{:>6}{:>12}{:>12}{:>10}{:>12}{:>10}\n", "network", "batch", "limen us",
             "limit us", "ratio", "torch us", "x torch");
  for (const Row& row : kRows) {
    if (("," + wanted + ",").find(fmt::format(",{},", row.number)) == std::string::npos) continue;
    const limen::Model model = limen::Model::parse(yaml_of(row), "bench.yaml", plugins);
    limen::StepBenchmark ours(model, row.batch, 1);
    limen::bench::LimitNetwork limit(row.sizes, row.activation, row.batch);
    const Times times = interleave([&] { ours.run(); }, [&] { limit.step(); }, seconds);
    const double other = torch ? torch_us(row, LIMEN_TORCH_SCRIPT) : 0;
    fmt::print("{:<24}{:>6}{:>12.2f}{:>12.2f}{:>10.3f}",
               sizes_text(row) + " " + row.activation_name, row.batch, times.limen_us,
               times.limit_us, times.ratio);
    if (other > 0) fmt::print("{:>12.2f}{:>10.2f}", other, other / times.limen_us);
    fmt::print("\n");
    std::fflush(stdout);
  }
}
