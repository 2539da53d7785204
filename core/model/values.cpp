// Single values of the model language: numbers with ranges, truth values, durations, initialisers.
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "model/calls.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

// An upper end that only keeps numbers within what the machine can count.
constexpr double kNoRealLimit = 1e9;

bool inside(double value, const ArgInfo& range) {
  const bool low = range.above_low ? value > range.low : value >= range.low;
  const bool high = range.below_high ? value < range.high : value <= range.high;
  return low && high && std::isfinite(value);
}

// 20 where a share is wanted: a percentage, most likely.
std::string percentage_help(double value, const ArgInfo& range) {
  const bool share = range.low == 0 && range.high == 1;
  if (!share || !(value > 1 && value <= 100)) return {};
  return fmt::format("did you mean `{}`?", value / 100);
}

Diagnostic& wrong_type(const Node& node, std::string_view what, std::string_view wanted,
                       Findings& findings) {
  Diagnostic& found = findings.error(
      "E0205", fmt::format("`{}` must be {}, found {}", what, wanted, describe(node)), node);
  if (node.kind == Node::Kind::text) add_help(found, missing_space_help(node.text));
  return found;
}

constexpr double kInf = std::numeric_limits<double>::infinity();

constexpr auto kConstantArgs = std::to_array<ArgInfo>({
    {.name = "value",
     .type = ArgType::number,
     .standard = {},
     .help = "what every element is",
     .required = true},
});
constexpr auto kNormalArgs = std::to_array<ArgInfo>({
    {.name = "std",
     .type = ArgType::number,
     .standard = {},
     .help = "standard deviation",
     .required = true,
     .low = 0},
    {.name = "mean", .type = ArgType::number, .standard = "0", .help = "mean"},
});
constexpr auto kUniformArgs = std::to_array<ArgInfo>({
    {.name = "high",
     .type = ArgType::number,
     .standard = {},
     .help = "upper end",
     .required = true},
    {.name = "low",
     .type = ArgType::number,
     .standard = {},
     .help = "lower end; -high if left out"},
});
constexpr auto kGainArgs = std::to_array<ArgInfo>({
    {.name = "gain",
     .type = ArgType::number,
     .standard = "1",
     .help = "factor",
     .required = false,
     .low = 0,
     .high = kInf,
     .above_low = true},
});
constexpr auto kInitialisers = std::to_array<CallInfo>({
    {"zeros", "", "all 0", {}, {}},
    {"constant", "value", "all the same", kConstantArgs, {}},
    {"normal", "std", "normal with mean 0 (or `mean`)", kNormalArgs, {}},
    {"uniform", "high", "uniform in [low, high)", kUniformArgs, {}},
    {"xavier_uniform", "gain", "uniform within gain sqrt(6 / (fan_in + fan_out))", kGainArgs, {}},
    {"glorot_uniform", "gain", "xavier_uniform", kGainArgs, "xavier_uniform"},
    {"xavier_normal", "gain", "normal, std gain sqrt(2 / (fan_in + fan_out))", kGainArgs, {}},
    {"glorot_normal", "gain", "xavier_normal", kGainArgs, "xavier_normal"},
    {"he_uniform", "", "uniform within sqrt(6 / fan_in)", {}, {}},
    {"kaiming_uniform", "", "he_uniform", {}, "he_uniform"},
    {"he_normal", "", "normal, std sqrt(2 / fan_in)", {}, {}},
    {"kaiming_normal", "", "he_normal", {}, "he_normal"},
    {"lecun_uniform", "", "uniform within sqrt(3 / fan_in)", {}, {}},
    {"lecun_normal", "", "normal, std sqrt(1 / fan_in)", {}, {}},
});

}  // namespace

std::span<const CallInfo> initialisers() { return kInitialisers; }

std::string range_text(const ArgInfo& range) {
  const bool low = std::isfinite(range.low);
  const bool high = std::isfinite(range.high) && !(low && range.high >= kNoRealLimit);
  if (low && high) {
    return fmt::format("in {}{}, {}{}", range.above_low ? '(' : '[', range.low, range.high,
                       range.below_high ? ')' : ']');
  }
  if (low) return fmt::format("{} {}", range.above_low ? ">" : ">=", range.low);
  if (high) return fmt::format("{} {}", range.below_high ? "<" : "<=", range.high);
  return "a finite number";
}

std::optional<double> read_number(const Node& node, std::string_view what, const ArgInfo& range,
                                  Findings& findings) {
  const bool whole = range.type == ArgType::count;
  const bool fits = whole ? node.kind == Node::Kind::integer : node.is_number();
  if (!fits) {
    Diagnostic& found = wrong_type(node, what, whole ? "a whole number" : "a number", findings);
    if (found.help.empty()) {
      add_help(found,
               whole ? "write digits only, as in `10`" : "write a number, as in `0.5` or `1e-3`");
    }
    return std::nullopt;
  }
  const double value = node.number();
  if (inside(value, range)) return value;
  const bool beyond = value > range.high && range.high >= kNoRealLimit && std::isfinite(range.high);
  const std::string wanted = beyond ? fmt::format("at most {}", range.high) : range_text(range);
  Diagnostic& found = findings.error(
      "E0208", fmt::format("`{}` must be {}, found `{}`", what, wanted, node.text), node);
  add_help(found, percentage_help(value, range));
  if (found.help.empty()) add_help(found, fmt::format("give a value {}", wanted));
  return std::nullopt;
}

std::optional<bool> read_flag(const Node& node, std::string_view what, Findings& findings) {
  if (node.kind == Node::Kind::boolean) return node.flag;
  Diagnostic& found = wrong_type(node, what, "true or false", findings);
  const bool other = node.kind == Node::Kind::text && !node.quoted;
  add_help(found,
           other ? fmt::format("write `true` or `false`; in YAML 1.2 `{}` is plain text", node.text)
                 : "write `true` or `false`");
  return std::nullopt;
}

std::optional<std::string> read_text(const Node& node, std::string_view what, Findings& findings) {
  if (node.kind == Node::Kind::text) return node.text;
  add_help(wrong_type(node, what, "a text", findings), "put it in quotes if it is meant as text");
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> read_sizes(const Node& node, std::string_view what,
                                                    Findings& findings) {
  std::vector<std::int64_t> sizes;
  const bool single = node.kind == Node::Kind::integer;
  bool good = single || node.kind == Node::Kind::list;
  if (single) sizes.push_back(node.integer);
  for (const Node& item : node.items) {
    good = good && item.kind == Node::Kind::integer;
    sizes.push_back(item.integer);
  }
  if (good) return sizes;
  add_help(wrong_type(node, what, "a list of whole numbers", findings),
           "write a list, as in `[1, 28, 28]`");
  return std::nullopt;
}

std::optional<Duration> read_duration(const Node& node, std::string_view what, Findings& findings) {
  struct Unit {
    std::string_view name;
    Duration::Unit unit;
    double factor;
  };
  static constexpr auto kUnits = std::to_array<Unit>({{"step", Duration::Unit::steps, 1},
                                                      {"steps", Duration::Unit::steps, 1},
                                                      {"epoch", Duration::Unit::epochs, 1},
                                                      {"epochs", Duration::Unit::epochs, 1},
                                                      {"s", Duration::Unit::seconds, 1},
                                                      {"min", Duration::Unit::seconds, 60},
                                                      {"h", Duration::Unit::seconds, 3600}});
  if (node.kind == Node::Kind::integer && node.integer >= 0) {
    return Duration{static_cast<double>(node.integer), Duration::Unit::steps};
  }
  if (node.kind == Node::Kind::text) {
    const std::size_t space = node.text.find(' ');
    Node amount;
    amount.text = node.text.substr(0, space);
    resolve_scalar(amount);
    const std::string_view unit = space == std::string::npos
                                      ? std::string_view()
                                      : std::string_view(node.text).substr(space + 1);
    for (const Unit& row : kUnits) {
      if (row.name != unit || !amount.is_number()) continue;
      if (!(amount.number() >= 0 && std::isfinite(amount.number()))) break;
      return Duration{amount.number() * row.factor, row.unit};
    }
  }
  add_help(wrong_type(node, what, "a duration", findings),
           "write `500 steps`, `1 epoch` or `10 min`; a bare whole number is steps");
  return std::nullopt;
}

std::optional<InitSpec> read_init(const Node& node, std::string_view what, Findings& findings) {
  const std::optional<Call> call = read_call(node, fmt::format("`{}`", what), {}, findings);
  if (!call) return std::nullopt;
  const CallInfo* info = look_up(kInitialisers, *call, "initialiser", findings);
  if (info == nullptr) return std::nullopt;
  const Args args = Args::read(*info, *call, findings);
  if (!args.good()) return std::nullopt;
  InitSpec init{std::string(info->name), {}};
  for (const Arg& arg : args.all()) init.args.emplace(arg.info->name, arg.number);
  if (init.kind == "uniform") {
    init.args.try_emplace("low", -init.args.at("high"));
    if (!(init.args.at("low") < init.args.at("high"))) {
      Diagnostic& found = findings.error("E0208",
                                         fmt::format("`{}`: `low` {} must be below `high` {}", what,
                                                     init.args.at("low"), init.args.at("high")),
                                         call->named);
      add_help(found, "write `{uniform: {low: -0.1, high: 0.1}}`");
      return std::nullopt;
    }
  }
  return init;
}

}  // namespace limen::language
