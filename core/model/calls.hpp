// The one rule for everything that can be called: `name`, `name: main`, `name: {arg: value}`.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/model.hpp>

#include "model/findings.hpp"
#include "model/yaml.hpp"

namespace limen::language {

enum class ArgType : std::uint8_t { count, number, flag, text, sizes, init, duration };

struct ArgInfo {
  std::string_view name;
  ArgType type = ArgType::number;
  std::string_view standard;  // the default as one would write it; empty: none
  std::string_view help;
  bool required = false;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool above_low = false;   // the range leaves out its lower end
  bool below_high = false;  // likewise
};

struct CallInfo {
  std::string_view name;
  std::string_view main;  // the argument that `name: value` means; empty: none
  std::string_view help;
  std::span<const ArgInfo> args;
  std::string_view same_as;  // not empty: another name of that one
};

// An argument's value. Which member holds it depends on the type of the argument.
struct Arg {
  const ArgInfo* info = nullptr;
  const Node* node = nullptr;  // null: the default
  double number = 0;           // count, number
  bool flag = false;
  std::string text;
  std::vector<std::int64_t> sizes;
  InitSpec init;
  Duration duration;
};

// The arguments of one call: all that were written, and all that have a default. The tree must
// outlive it.
class Args {
 public:
  // Checks names, types and ranges. `what` begins the messages: "dropout" gives `dropout.rate`.
  // Findings: E0202 unknown argument, E0203 missing, E0204 nothing to give a plain value to, E0205
  // wrong type, E0208 out of range.
  static Args read(const CallInfo& info, const struct Call& call, Findings& findings);

  const Arg* find(std::string_view name) const;  // null: neither written nor a default
  bool written(std::string_view name) const;
  double number(std::string_view name) const;
  std::int64_t count(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::vector<Arg>& all() const { return args_; }
  bool good() const { return good_; }  // false: something was found

 private:
  std::vector<Arg> args_;
  bool good_ = true;
};

// A call as written, its name not yet looked up.
struct Call {
  std::string name;
  Node named;                   // a text node at the place of the name, with its origins
  const Node* value = nullptr;  // null: nothing stands behind the name
};

// `name` or `{name: ...}`; of a map with more keys, those in `reserved` are left to the caller.
// Findings: E0206 if it is neither.
std::optional<Call> read_call(const Node& node, std::string_view what,
                              std::span<const std::string_view> reserved, Findings& findings);

// The row with this name, or null.
const CallInfo* find_call(std::span<const CallInfo> table, std::string_view name);
std::vector<std::string> names_of(std::span<const CallInfo> table);

// Looks a call up. Findings: E0201 "unknown <kind> `name`".
const CallInfo* look_up(std::span<const CallInfo> table, const Call& call, std::string_view kind,
                        Findings& findings);

// Single values. Findings: E0205, E0208; nullopt then.
std::optional<double> read_number(const Node& node, std::string_view what, const ArgInfo& range,
                                  Findings& findings);
std::optional<bool> read_flag(const Node& node, std::string_view what, Findings& findings);
std::optional<std::string> read_text(const Node& node, std::string_view what, Findings& findings);
std::optional<Duration> read_duration(const Node& node, std::string_view what, Findings& findings);
std::optional<InitSpec> read_init(const Node& node, std::string_view what, Findings& findings);
std::optional<std::vector<std::int64_t>> read_sizes(const Node& node, std::string_view what,
                                                    Findings& findings);

// "in [0, 1)", "> 0", "at least 1".
std::string range_text(const ArgInfo& range);

// The initialisers, `limen list inits`.
std::span<const CallInfo> initialisers();

}  // namespace limen::language
