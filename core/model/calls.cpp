#include "model/calls.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

std::vector<std::string> arg_names(const CallInfo& info) {
  std::vector<std::string> names;
  for (const ArgInfo& arg : info.args) names.emplace_back(arg.name);
  return names;
}

const ArgInfo* find_arg(const CallInfo& info, std::string_view name) {
  for (const ArgInfo& arg : info.args) {
    if (arg.name == name) return &arg;
  }
  return nullptr;
}

// The node's value as the argument's type says; false if something was found.
bool read_value(Arg& arg, std::string_view what, Findings& findings) {
  const auto take = [](auto&& value, auto& into) {
    if (value) into = std::move(*value);
    return value.has_value();
  };
  const Node& node = *arg.node;
  switch (arg.info->type) {
    case ArgType::count:
    case ArgType::number:
      return take(read_number(node, what, *arg.info, findings), arg.number);
    case ArgType::flag:
      return take(read_flag(node, what, findings), arg.flag);
    case ArgType::text:
      return take(read_text(node, what, findings), arg.text);
    case ArgType::sizes:
      return take(read_sizes(node, what, findings), arg.sizes);
    case ArgType::init:
      return take(read_init(node, what, findings), arg.init);
    case ArgType::duration:
      return take(read_duration(node, what, findings), arg.duration);
  }
  return false;
}

// The default goes the same way as a value that was written.
Arg standard_value(const ArgInfo& info) {
  Node node;
  node.text = std::string(info.standard);
  resolve_scalar(node);
  Findings none;
  Arg arg{.info = &info, .node = &node, .text = {}, .sizes = {}, .init = {}, .duration = {}};
  read_value(arg, info.name, none);
  arg.node = nullptr;
  return arg;
}

void unknown_argument(const CallInfo& info, const Call& call, const Entry& entry,
                      Findings& findings) {
  Diagnostic& found = findings.error(
      "E0202", fmt::format("`{}` has no argument `{}`", call.name, entry.key), entry.key_at);
  const std::vector<std::string> names = arg_names(info);
  add_help(found, suggest(entry.key, names));
  add_help(found, names.empty() ? fmt::format("`{}` takes no arguments", call.name)
                                : fmt::format("arguments of `{}`: {}", call.name, join(names)));
}

}  // namespace

Args Args::read(const CallInfo& info, const Call& call, Findings& findings) {
  Args out;
  const std::size_t before = findings.count();
  const auto add = [&](const ArgInfo& arg_info, const Node& node) {
    Arg arg{.info = &arg_info, .node = &node, .text = {}, .sizes = {}, .init = {}, .duration = {}};
    if (read_value(arg, fmt::format("{}.{}", call.name, arg_info.name), findings)) {
      out.args_.push_back(std::move(arg));
    }
  };
  const Node* value = call.value;
  if (value != nullptr && value->kind == Node::Kind::map) {
    for (const Entry& entry : value->entries) {
      const ArgInfo* arg = find_arg(info, entry.key);
      arg != nullptr ? add(*arg, entry.value) : unknown_argument(info, call, entry, findings);
    }
  } else if (value != nullptr && value->kind != Node::Kind::null) {
    if (const ArgInfo* main = find_arg(info, info.main)) {
      add(*main, *value);
    } else {
      Diagnostic& found = findings.error(
          "E0204", fmt::format("`{}` has no main argument, found {}", call.name, describe(*value)),
          *value);
      const std::vector<std::string> names = arg_names(info);
      add_help(found, names.empty()
                          ? fmt::format("write `{}` alone", call.name)
                          : fmt::format("name the argument: `{}: {{{}: ...}}`; arguments: {}",
                                        call.name, names.front(), join(names)));
    }
  }
  if (findings.count() == before) {
    for (const ArgInfo& arg : info.args) {
      if (out.find(arg.name) != nullptr) continue;
      if (arg.required) {
        Diagnostic& found = findings.error(
            "E0203", fmt::format("`{}` needs its argument `{}`", call.name, arg.name), call.named);
        add_help(found,
                 arg.name == info.main
                     ? fmt::format("write `{}: ...` ({})", call.name, arg.help)
                     : fmt::format("write `{}: {{{}: ...}}` ({})", call.name, arg.name, arg.help));
      } else if (!arg.standard.empty()) {
        out.args_.push_back(standard_value(arg));
      }
    }
  }
  out.good_ = findings.count() == before;
  return out;
}

const Arg* Args::find(std::string_view name) const {
  for (const Arg& arg : args_) {
    if (arg.info->name == name) return &arg;
  }
  return nullptr;
}

bool Args::written(std::string_view name) const {
  const Arg* arg = find(name);
  return arg != nullptr && arg->node != nullptr;
}

double Args::number(std::string_view name) const {
  const Arg* arg = find(name);
  return arg == nullptr ? 0 : arg->number;
}

std::int64_t Args::count(std::string_view name) const { return std::llround(number(name)); }

bool Args::flag(std::string_view name) const {
  const Arg* arg = find(name);
  return arg != nullptr && arg->flag;
}

std::optional<Call> read_call(const Node& node, std::string_view what,
                              std::span<const std::string_view> reserved, Findings& findings) {
  if (node.kind == Node::Kind::text && !node.text.empty()) {
    return Call{node.text, node, nullptr};
  }
  if (node.kind != Node::Kind::map) {
    Diagnostic& found = findings.error(
        "E0206", fmt::format("{} must be a name or `name: value`, found {}", what, describe(node)),
        node);
    add_help(found, "write `name`, `name: value` or `name: {argument: value}`");
    return std::nullopt;
  }
  const Entry* named = nullptr;
  for (const Entry& entry : node.entries) {
    if (std::find(reserved.begin(), reserved.end(), entry.key) != reserved.end()) continue;
    if (named != nullptr) {
      Diagnostic& found = findings.error(
          "E0206", fmt::format("{} has two names, `{}` and `{}`", what, named->key, entry.key),
          entry.key_at);
      found.spans.push_back(named->key_at.span("the first one"));
      add_help(found,
               fmt::format("arguments of `{0}` stand inside it: `{0}: {{{1}: ...}}`; a second item "
                           "of a list gets a line and a dash of its own",
                           named->key, entry.key));
      if (!reserved.empty()) {
        std::vector<std::string> keys(reserved.begin(), reserved.end());
        add_help(found, known_list("keys that may stand beside the name", keys));
      }
      return std::nullopt;
    }
    named = &entry;
  }
  if (named == nullptr) {
    Diagnostic& found =
        findings.error("E0206", fmt::format("{} has no name of what to use", what), node);
    add_help(found, "write `name: value`, with the other keys below it");
    return std::nullopt;
  }
  Call call{named->key, {}, &named->value};
  call.named.kind = Node::Kind::text;
  call.named.text = named->key;
  call.named.at = named->key_at;
  call.named.origins = node.origins;
  return call;
}

const CallInfo* find_call(std::span<const CallInfo> table, std::string_view name) {
  for (const CallInfo& info : table) {
    if (info.name != name) continue;
    return info.same_as.empty() ? &info : find_call(table, info.same_as);
  }
  return nullptr;
}

std::vector<std::string> names_of(std::span<const CallInfo> table) {
  std::vector<std::string> names;
  for (const CallInfo& info : table) names.emplace_back(info.name);
  return names;
}

const CallInfo* look_up(std::span<const CallInfo> table, const Call& call, std::string_view kind,
                        Findings& findings) {
  if (const CallInfo* info = find_call(table, call.name)) return info;
  Diagnostic& found =
      findings.error("E0201", fmt::format("unknown {} `{}`", kind, call.name), call.named);
  const std::vector<std::string> names = names_of(table);
  add_help(found, suggest(call.name, names));
  add_help(found, missing_space_help(call.name));
  add_help(found, known_list("known", names));
  return nullptr;
}

}  // namespace limen::language
