// limen bench: the time of one compiled step.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include <limen/executable.hpp>
#include <limen/train.hpp>

#include "base/philox.hpp"
#include "model_sizes.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsWanted = 1.0;  // of measuring, where --repeat does not say
constexpr std::int64_t kFewest = 11, kMost = 20'000, kBatch = 64;

double seconds_of(const std::function<void()>& step) {
  const Clock::time_point begin = Clock::now();
  step();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// The forward pass alone, as `limen run` computes it.
class ForwardBenchmark {
 public:
  ForwardBenchmark(const Model& model, std::int64_t batch, int threads)
      : executable_(compile(build(model, batch).graph, {.threads = threads})) {
    const BuiltModel built = build(model, batch);
    const std::uint64_t seed = model.train() != nullptr ? model.train()->seed : 0;
    for (const NamedTensor& weight : initial_weights(built.parameters, seed)) {
      executable_.bind(weight.name, weight.tensor);
    }
    for (const Value& input : built.graph.inputs()) {
      Tensor tensor(input.type());
      fill(tensor, random_key(seed, "bench", input.name()));
      executable_.bind(input.name(), tensor);
    }
  }

  Executable& executable() { return executable_; }

 private:
  static BuiltModel build(const Model& model, std::int64_t batch) {
    return model.build({.sizes = sizes_with_batch(model, batch),
                        .float_type = model.train() != nullptr ? model.train()->dtype : DType::f32,
                        .training = false,
                        .loss = false,
                        .outputs = true});
  }

  static void fill(const Tensor& tensor, RandomKey key) {
    std::uint64_t i = 0;
    switch (tensor.type().dtype) {
      case DType::f32:
        for (float& v : tensor.as<float>()) v = random_uniform_float(key, i++);
        break;
      case DType::f64:
        for (double& v : tensor.as<double>()) v = random_uniform(key, i++);
        break;
      case DType::i32:
        for (std::int32_t& v : tensor.as<std::int32_t>()) v = static_cast<std::int32_t>(i++ % 2);
        break;
    }
  }

  Executable executable_;
};

class BenchVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "MODEL", path_, "a model file or a run folder");
    add_choice(app, "--mode", mode_, {"train", "run"},
               "train: forward, loss, backward, update; run: forward; default: train");
    add_count(app, "--batch", batch_, "examples (64)");
    add_count(app, "--repeat", repeat_, "steps to time; default: about a second's worth");
    add_count(app, "--warmup", warmup_, "steps before (3)", 0);
    add_switch(app, "--per-op", per_op_, "also the time of each kind of op");
  }

  Exit run(Context& context) override {
    if (path_.empty()) throw usage_error("`limen bench` needs a model file or a run folder");
    const OpenedModel opened = context.open(path_);
    const std::int64_t batch = batch_.value_or(kBatch);
    if (mode_ == "run") {
      ForwardBenchmark bench(opened.model, batch, context.threads());
      Executable& executable = bench.executable();
      measure([&] { executable.run(); });
      report(context, opened.model, batch, executable, executable.stats().flops);
    } else {
      StepBenchmark bench(opened.model, batch, context.threads());
      measure([&] { bench.run(); });
      report(context, opened.model, batch, bench.executable(), bench.flops());
    }
    return Exit::ok;
  }

 private:
  void measure(const std::function<void()>& step) {
    double once = 0;
    for (std::int64_t i = 0; i < warmup_.value_or(3); ++i) once = seconds_of(step);
    std::int64_t repeat = repeat_.value_or(kFewest);
    if (!repeat_) {
      if (once <= 0) once = seconds_of(step);
      repeat = std::clamp(static_cast<std::int64_t>(kSecondsWanted / std::max(once, 1e-9)), kFewest,
                          kMost);
    }
    times_.reserve(static_cast<std::size_t>(repeat));
    for (std::int64_t i = 0; i < repeat; ++i) times_.push_back(seconds_of(step));
  }

  void report(Context& context, const Model& model, std::int64_t batch, Executable& executable,
              double flops) const {
    const double middle = median(times_);
    std::vector<double> distances;
    for (const double time : times_) distances.push_back(std::fabs(time - middle));
    const double mad = median(distances), gflops = flops / middle / 1e9;
    std::vector<Executable::OpTime> ops;
    if (per_op_)
      ops = executable.profile(static_cast<int>(std::min<std::size_t>(times_.size(), 1000)));
    const std::string mode = mode_.empty() ? "train" : mode_;
    if (context.globals.json) {
      Json json{{"limen", 1},
                {"kind", "bench"},
                {"model", model.name()},
                {"mode", mode},
                {"batch", batch},
                {"threads", context.threads()},
                {"repeat", times_.size()},
                {"median_us", middle * 1e6},
                {"mad_us", mad * 1e6},
                {"gflops", gflops},
                {"examples_per_second", static_cast<double>(batch) / middle}};
      if (per_op_) json["ops"] = ops_json(ops);
      context.out.json(json);
      return;
    }
    std::string text = fmt::format(
        "{}  {}  batch {}  {} {}\nmedian {:.1f} us  mad {:.1f} us  {:.1f} gflop/s  {:.0f} "
        "examples/s  ({} steps)\n",
        model.name(), mode, batch, context.threads(), context.threads() == 1 ? "thread" : "threads",
        middle * 1e6, mad * 1e6, gflops, static_cast<double>(batch) / middle, times_.size());
    if (per_op_) text += ops_text(ops);
    context.out.write(text);
  }

  static Json ops_json(const std::vector<Executable::OpTime>& ops) {
    Json list = Json::array();
    for (const Executable::OpTime& op : ops) {
      list.push_back({{"op", op.op}, {"us", op.seconds * 1e6}, {"calls", op.calls}});
    }
    return list;
  }

  static std::string ops_text(const std::vector<Executable::OpTime>& ops) {
    Table table({"op", "us", "calls"}, {false, true, true});
    for (const Executable::OpTime& op : ops) {
      table.add({op.op, fmt::format("{:.2f}", op.seconds * 1e6), std::to_string(op.calls)});
    }
    return table.text();
  }

  std::string path_, mode_;
  std::optional<std::int64_t> batch_, repeat_, warmup_;
  bool per_op_ = false;
  std::vector<double> times_;
};

}  // namespace

std::unique_ptr<Verb> make_bench() { return std::make_unique<BenchVerb>(); }

}  // namespace limen::tools
