// `train`: how long, how fast, with which optimizer.
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/program.hpp"
#include "model/schema.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kMostSteps = 1e15;

// Shorter rows for the tables below.
constexpr ArgInfo number(std::string_view name, std::string_view standard, std::string_view help,
                         double low, double high, bool above_low = false, bool below_high = false) {
  return {.name = name,
          .type = ArgType::number,
          .standard = standard,
          .help = help,
          .required = standard.empty(),
          .low = low,
          .high = high,
          .above_low = above_low,
          .below_high = below_high};
}
constexpr ArgInfo flag(std::string_view name, std::string_view help) {
  return {.name = name, .type = ArgType::flag, .standard = "false", .help = help};
}
constexpr ArgInfo duration(std::string_view name, std::string_view help) {
  return {.name = name, .type = ArgType::duration, .standard = {}, .help = help};
}

// PyTorch's arguments and defaults (torch.optim of 1.13).
constexpr auto kSgdArgs = std::to_array<ArgInfo>({
    number("lr", "", "learning rate", 0, kInf, true),
    number("momentum", "0", "share of the last update that is kept", 0, 1, false, true),
    number("dampening", "0", "share of the gradient that momentum leaves out", 0, 1),
    flag("nesterov", "look ahead along the momentum"),
    number("weight_decay", "0", "pull towards 0", 0, kInf),
});
constexpr auto kRmspropArgs = std::to_array<ArgInfo>({
    number("lr", "0.01", "learning rate", 0, kInf, true),
    number("alpha", "0.99", "memory of the mean square", 0, 1, false, true),
    number("eps", "1e-8", "added to the denominator", 0, kInf),
    number("momentum", "0", "share of the last update that is kept", 0, 1, false, true),
    flag("centered", "divide by the deviation instead of the root mean square"),
    number("weight_decay", "0", "pull towards 0", 0, kInf),
});
constexpr auto kAdamArgs = std::to_array<ArgInfo>({
    number("lr", "1e-3", "learning rate", 0, kInf, true),
    number("beta1", "0.9", "memory of the mean", 0, 1, false, true),
    number("beta2", "0.999", "memory of the mean square", 0, 1, false, true),
    number("eps", "1e-8", "added to the denominator", 0, kInf),
    number("weight_decay", "0", "added to the gradient", 0, kInf),
});
constexpr auto kAdamwArgs = std::to_array<ArgInfo>({
    number("lr", "1e-3", "learning rate", 0, kInf, true),
    number("beta1", "0.9", "memory of the mean", 0, 1, false, true),
    number("beta2", "0.999", "memory of the mean square", 0, 1, false, true),
    number("eps", "1e-8", "added to the denominator", 0, kInf),
    number("weight_decay", "0.01", "pull towards 0, apart from the gradient", 0, kInf),
});
constexpr auto kOptimizers = std::to_array<CallInfo>({
    {"sgd", "lr", "stochastic gradient descent", kSgdArgs, {}},
    {"rmsprop", "lr", "steps scaled by the root mean square", kRmspropArgs, {}},
    {"adam", "lr", "adaptive moments", kAdamArgs, {}},
    {"adamw", "lr", "adam with decoupled weight decay", kAdamwArgs, {}},
});

constexpr auto kConstantArgs = std::to_array<ArgInfo>({duration("warmup", "time to rise from 0")});
constexpr auto kStepArgs = std::to_array<ArgInfo>({
    duration("every", "time between two drops; one epoch if left out"),
    number("gamma", "0.1", "factor of a drop", 0, kInf, true),
    duration("warmup", "time to rise from 0"),
});
constexpr auto kCosineArgs = std::to_array<ArgInfo>({
    number("final", "0", "the rate at the end", 0, kInf),
    duration("warmup", "time to rise from 0"),
});
constexpr auto kExponentialArgs = std::to_array<ArgInfo>({
    number("gamma", "", "factor", 0, kInf, true),
    duration("every", "how often; once an epoch if left out"),
    duration("warmup", "time to rise from 0"),
});
constexpr auto kSchedules = std::to_array<CallInfo>({
    {"constant", "", "the rate stays", kConstantArgs, {}},
    {"step", "every", "times gamma now and then", kStepArgs, {}},
    {"cosine", "final", "half a cosine down to `final`", kCosineArgs, {}},
    {"exponential", "gamma", "times gamma every epoch", kExponentialArgs, {}},
});

constexpr auto kClipArgs =
    std::to_array<ArgInfo>({number("norm", "", "largest norm of all gradients", 0, kInf, true)});
constexpr CallInfo kClip{"clip", "norm", "shorten gradients", kClipArgs, {}};
constexpr auto kStopArgs = std::to_array<ArgInfo>({
    {.name = "watch",
     .type = ArgType::text,
     .standard = "val.loss",
     .help = "the figure, as in `val.loss`"},
    {.name = "patience",
     .type = ArgType::count,
     .standard = {},
     .help = "evaluations without improvement",
     .required = true,
     .low = 1,
     .high = kMostSteps},
    number("min_delta", "0", "what counts as improvement", 0, kInf),
});
constexpr CallInfo kStop{"early_stop", "patience", "end when nothing improves", kStopArgs, {}};
constexpr auto kCheckpointArgs = std::to_array<ArgInfo>({
    duration("every", "how often; every epoch if left out"),
    {.name = "keep",
     .type = ArgType::count,
     .standard = "0",
     .help = "numbered ones to keep",
     .required = false,
     .low = 0,
     .high = 1e6},
    {.name = "best",
     .type = ArgType::text,
     .standard = {},
     .help = "the figure that decides, as in `val.accuracy`"},
});
constexpr CallInfo kCheckpoint{"checkpoint", "every", "when to save", kCheckpointArgs, {}};

class TrainReader {
 public:
  TrainReader(const Node& node, TrainSpec& train, Program& program, Findings& findings)
      : node_(node), train_(train), program_(program), findings_(findings) {}

  void read() {
    check_keys(node_, "train",
               {"batch", "checkpoint", "clip", "dtype", "early_stop", "epochs", "eval",
                "eval_batch", "optimizer", "schedule", "seed", "shuffle", "steps"},
               {"accumulate", "log", "record"}, findings_);
    count("epochs", 0, kMostSteps, train_.epochs);
    count("steps", 0, kMostSteps, train_.steps);
    count("batch", 1, kMostSteps, train_.batch);
    count("eval_batch", 1, kMostSteps, train_.eval_batch);
    count("seed", 0, 0x1p63, train_.seed);
    if (const Node* value = find("shuffle")) {
      train_.shuffle = read_flag(*value, "train.shuffle", findings_).value_or(true);
    }
    if (const Node* value = find("eval")) positive(*value, "train.eval", train_.eval);
    if (train_.epochs && train_.steps) {
      Diagnostic& found = findings_.error("E0106", "`epochs` and `steps` both say how long",
                                          node_.find("steps")->key_at);
      found.spans.push_back(node_.find("epochs")->key_at.span("also here"));
      add_help(found, "keep one of them");
    }
    dtype();
    optimizer();
    schedule();
    parts();
  }

 private:
  const Node* find(std::string_view key) const {
    const Entry* entry = node_.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }

  template <class T>
  void count(std::string_view key, double low, double high, T& into) {
    const Node* value = find(key);
    if (value == nullptr) return;
    const ArgInfo range{.name = key,
                        .type = ArgType::count,
                        .standard = {},
                        .help = {},
                        .required = false,
                        .low = low,
                        .high = high};
    if (read_number(*value, fmt::format("train.{}", key), range, findings_)) {
      into = static_cast<std::uint64_t>(value->integer);
    }
  }

  void positive(const Node& node, std::string_view what, Duration& into) {
    const auto read = read_duration(node, what, findings_);
    if (!read) return;
    if (read->amount > 0) {
      into = *read;
      return;
    }
    add_help(findings_.error("E0208", fmt::format("`{}` must be > 0, found `{}`", what, node.text),
                             node),
             "write `500 steps`, `1 epoch` or `10 min`");
  }

  void dtype() {
    const Node* value = find("dtype");
    if (value == nullptr) return;
    const bool narrow = value->text == "f32", wide = value->text == "f64";
    if (value->kind == Node::Kind::text && (narrow || wide)) {
      train_.dtype = wide ? DType::f64 : DType::f32;
      return;
    }
    Diagnostic& found = findings_.error(
        "E0105", fmt::format("`train.dtype` must be f32 or f64, found {}", describe(*value)),
        *value);
    const std::vector<std::string> names = {"f32", "f64"};
    add_help(found, suggest(value->text, names));
    if (found.help.empty()) add_help(found, "write `dtype: f32`");
  }

  // A call of a table as plain numbers.
  std::optional<NumericCall> numeric(std::span<const CallInfo> table, const Node& node,
                                     std::string_view kind) {
    const auto call = read_call(node, fmt::format("`train.{}`", kind), {}, findings_);
    if (!call) return std::nullopt;
    const CallInfo* info = look_up(table, *call, kind, findings_);
    if (info == nullptr) return std::nullopt;
    const Args args = Args::read(*info, *call, findings_);
    if (!args.good()) return std::nullopt;
    NumericCall out;
    out.name = info->name;
    out.where = call->named.at.span();
    for (const Arg& arg : args.all()) {
      const std::string name(arg.info->name);
      if (arg.info->type == ArgType::duration) {
        if (arg.duration.unit == Duration::Unit::seconds) {
          add_help(findings_.error("E0208",
                                   fmt::format("`{}.{}` must be in steps or epochs, found `{}`",
                                               out.name, name, arg.node->text),
                                   *arg.node),
                   "write `500 steps` or `1 epoch`");
        }
        out.durations.emplace(name, arg.duration);
      } else {
        out.args.emplace(name,
                         arg.info->type == ArgType::flag ? (arg.flag ? 1.0 : 0.0) : arg.number);
      }
    }
    return out;
  }

  void optimizer() {
    const Node* value = find("optimizer");
    if (value == nullptr) return;
    train_.optimizer = numeric(kOptimizers, *value, "optimizer");
    if (!train_.optimizer || train_.optimizer->name != "sgd") return;
    auto& args = train_.optimizer->args;
    if (args["nesterov"] == 0 || (args["momentum"] > 0 && args["dampening"] == 0)) return;
    add_help(findings_.error("E0208", "`sgd.nesterov` needs momentum and no dampening", *value),
             "write `{sgd: {lr: 0.1, momentum: 0.9, nesterov: true}}`");
  }

  void schedule() {
    const Node* value = find("schedule");
    if (value == nullptr) return;
    const bool milestones = value->text == "milestones" || value->find("milestones") != nullptr;
    if (milestones) {
      add_help(findings_.error(
                   "E0110", "the schedule `milestones` is not available in this version of limen",
                   *value),
               "use `step`, `exponential` or `cosine`");
      return;
    }
    train_.schedule = numeric(kSchedules, *value, "schedule");
  }

  Args sub(const CallInfo& info, const Node& value) {
    const Call call{std::string(info.name), value, &value};
    return Args::read(info, call, findings_);
  }

  void parts() {
    if (const Node* value = find("clip")) {
      const Args args = sub(kClip, *value);
      if (args.good()) train_.clip_norm = args.number("norm");
    }
    if (const Node* value = find("early_stop")) {
      const Args args = sub(kStop, *value);
      if (args.good()) {
        train_.early_stop = {figure(args, "watch"), args.count("patience"),
                             args.number("min_delta")};
      }
    }
    if (const Node* value = find("checkpoint")) {
      const Args args = sub(kCheckpoint, *value);
      if (!args.good()) return;
      train_.checkpoint_keep = args.count("keep");
      if (const Arg* every = args.find("every"))
        positive(*every->node, "checkpoint.every", train_.checkpoint_every);
      if (args.find("best") != nullptr) train_.checkpoint_best = figure(args, "best");
    }
  }

  // `val.loss`: a set and a figure. Which metrics there are is checked with the metrics.
  std::string figure(const Args& args, std::string_view name) {
    const Arg& arg = *args.find(name);
    const std::size_t dot = arg.text.find('.');
    const std::string set = arg.text.substr(0, dot);
    if (dot == std::string::npos || (set != "train" && set != "val" && set != "test")) {
      add_help(findings_.error("E0707", fmt::format("`{}` is no figure of a set", arg.text),
                               arg.node != nullptr ? *arg.node : node_),
               "write the set and the figure, as in `val.loss` or `test.accuracy`");
    } else if (arg.node != nullptr) {
      program_.figures.push_back(arg.node);
    }
    return arg.text;
  }

  const Node& node_;
  TrainSpec& train_;
  Program& program_;
  Findings& findings_;
};

}  // namespace

std::span<const CallInfo> optimizers() { return kOptimizers; }
std::span<const CallInfo> schedules() { return kSchedules; }

void read_train(const Node& node, Program& program, Findings& findings) {
  if (node.kind != Node::Kind::map) {
    Diagnostic& found = findings.error(
        "E0205", fmt::format("`train` must be a map, found {}", describe(node)), node);
    if (node.kind == Node::Kind::text) add_help(found, missing_space_help(node.text));
    add_help(found, "write `epochs: 10` and the other keys below it, with two spaces in front");
    return;
  }
  TrainSpec train;
  train.where = node.at.span();
  TrainReader(node, train, program, findings).read();
  program.seed = train.seed;
  program.train = std::move(train);
}

}  // namespace limen::language
