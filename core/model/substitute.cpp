#include "model/substitute.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/expression.hpp"
#include "model/suggest.hpp"

namespace limen::language {
namespace {

constexpr std::size_t kMostOrigins = 4;

bool name_start(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
bool name_char(char c) { return name_start(c) || (c >= '0' && c <= '9'); }

// The length of the name that begins the text; 0 if none does.
std::size_t name_length(std::string_view text) {
  if (text.empty() || !name_start(text[0])) return 0;
  std::size_t n = 1;
  while (n < text.size() && name_char(text[n])) ++n;
  return n;
}

// The length of `(...)` with its brackets; 0 if it does not close.
std::size_t bracket_length(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
  }
  return 0;
}

class Substituter {
 public:
  explicit Substituter(Findings& findings) : findings_(findings) {}

  Node all(const Node& root) {
    if (const Entry* vars = root.find("vars")) define(vars->value);
    Node out = shell(root);
    for (const Entry& entry : root.entries) {
      const bool verbatim =
          entry.key == "vars" || entry.key == "doc" || entry.key.starts_with("x-");
      out.entries.push_back(
          {entry.key, entry.key_at, verbatim ? entry.value : replaced(entry.value, 1)});
    }
    warn_unused();
    return out;
  }

 private:
  struct Variable {
    Place named;
    Node value;
    bool used = false;
  };

  void define(const Node& vars) {
    if (vars.kind == Node::Kind::null) return;
    if (vars.kind != Node::Kind::map) {
      add_help(findings_.error("E0205",
                               fmt::format("`vars` must be a map, found {}", describe(vars)), vars),
               "write `vars: {hidden: 100}`");
      return;
    }
    for (const Entry& entry : vars.entries) {
      if (!is_name(entry.key)) {
        add_help(findings_.error("E0412",
                                 fmt::format("`{}` cannot be the name of a variable", entry.key),
                                 entry.key_at),
                 "names are lower-case letters, digits and `_`, and do not begin with a digit");
        continue;
      }
      Node value = replaced(entry.value, 1);
      variables_[entry.key] = Variable{entry.key_at, std::move(value), false};
    }
  }

  void warn_unused() {
    for (const auto& [name, variable] : variables_) {
      if (variable.used) continue;
      add_help(findings_.warning("W0401", fmt::format("nothing uses the variable `{}`", name),
                                 variable.named),
               fmt::format("write `${}` where it belongs, or remove it", name));
    }
  }

  // The node without its children.
  static Node shell(const Node& node) {
    Node out;
    out.kind = node.kind;
    out.quoted = node.quoted;
    out.flag = node.flag;
    out.integer = node.integer;
    out.real = node.real;
    out.text = node.text;
    out.at = node.at;
    out.origins = node.origins;
    return out;
  }

  bool spend(std::size_t nodes, int depth, const Node& at) {
    nodes_ += nodes;
    if (nodes_ <= kMaxNodes && depth <= kMaxDepth) return true;
    if (!overflowed_) {
      add_help(findings_.error("E0007", "the variables blow the file up beyond all bounds", at),
               "a variable that holds a list is copied at every use: make it smaller");
    }
    overflowed_ = true;
    return false;
  }

  // Recursion is bounded: trees have at most kMaxDepth levels, and spend() keeps it so.
  Node replaced(const Node& node, int depth) {
    if (overflowed_ || !spend(1, depth, node)) return shell(node);
    if (node.kind == Node::Kind::text) return replaced_text(node, depth);
    Node out = shell(node);
    for (const Node& item : node.items) out.items.push_back(replaced(item, depth + 1));
    for (const Entry& entry : node.entries) {
      Entry copy{entry.key, entry.key_at, replaced(entry.value, depth + 1)};
      replace_key(copy, node);
      if (out.find(copy.key) != nullptr && copy.key != entry.key) {
        add_help(findings_.error("E0003",
                                 fmt::format("key `{}` appears twice in the same map", copy.key),
                                 copy.key_at),
                 "keep one of them");
        continue;
      }
      out.entries.push_back(std::move(copy));
    }
    return out;
  }

  // `$act:` as a key: a step that has more keys.
  void replace_key(Entry& entry, const Node& map) {
    if (entry.key.empty() || entry.key[0] != '$') return;
    Node key;
    key.kind = Node::Kind::text;
    key.text = entry.key;
    key.at = entry.key_at;
    key.origins = map.origins;
    const Node value = replaced_text(key, 1);
    if (value.kind == Node::Kind::text) {
      entry.key = value.text;
    } else {
      add_help(
          findings_.error(
              "E0304", fmt::format("`{}` stands as a key, but is {}", entry.key, describe(value)),
              value),
          "only a variable that holds a name can be a key");
    }
  }

  Node replaced_text(const Node& node, int depth) {
    const std::string_view text = node.text;
    if (text.find('$') == std::string_view::npos) return shell(node);
    if (text[0] == '$') {
      const std::size_t name = name_length(text.substr(1));
      if (name > 0 && name + 1 == text.size()) return variable(node, text.substr(1), depth);
      if (text.substr(1, 1) == "(" && bracket_length(text.substr(1)) + 1 == text.size()) {
        return expression(node, text.substr(2, text.size() - 3));
      }
    }
    return text_with_variables(node);
  }

  Variable* find(std::string_view name) {
    const auto found = variables_.find(std::string(name));
    if (found == variables_.end()) return nullptr;
    found->second.used = true;
    return &found->second;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, variable] : variables_) out.push_back(name);
    return out;
  }

  void unknown(std::string_view name, const Node& at) {
    Diagnostic& found =
        findings_.error("E0401", fmt::format("no variable is called `{}`", name), at);
    const std::vector<std::string> known = names();
    add_help(found, suggest(name, known));
    add_help(found, known.empty() ? fmt::format("define it: `vars: {{{}: ...}}`", name)
                                  : fmt::format("variables: {}", join(known)));
  }

  static void remember(Node& value, const Node& use, std::string_view name, const Place& set_at) {
    auto origins = std::make_shared<std::vector<Origin>>();
    origins->push_back({std::string(name), set_at});
    for (const Node* node : {static_cast<const Node*>(&value), &use}) {
      if (node->origins == nullptr) continue;
      for (const Origin& origin : *node->origins) {
        if (origins->size() < kMostOrigins) origins->push_back(origin);
      }
    }
    value.origins = std::move(origins);
  }

  Node variable(const Node& use, std::string_view name, int depth) {
    const Variable* variable = find(name);
    if (variable == nullptr) {
      unknown(name, use);
      return shell(use);
    }
    if (!spend(count_nodes(variable->value), depth + height(variable->value) - 1, use))
      return shell(use);
    Node value = variable->value;
    const Place set_at = value.at;
    value.at = use.at;
    remember(value, use, name, set_at);
    return value;
  }

  ExprValue number_of(std::string_view name, std::vector<Origin>& origins) {
    const Variable* variable = find(name);
    if (variable == nullptr) {
      const std::vector<std::string> known = names();
      std::string help = suggest(name, known);
      if (help.empty()) {
        help = known.empty() ? fmt::format("define it: `vars: {{{}: ...}}`", name)
                             : fmt::format("variables: {}", join(known));
      }
      throw ExprError{"E0401", fmt::format("uses the variable `{}`, which does not exist", name),
                      help};
    }
    const Node& value = variable->value;
    if (origins.size() < kMostOrigins) origins.push_back({std::string(name), value.at});
    if (value.kind == Node::Kind::boolean) return value.flag;
    if (value.kind == Node::Kind::integer) return value.integer;
    if (value.kind == Node::Kind::real) return value.real;
    throw ExprError{"E0304", fmt::format("uses `{}`, which is {}", name, describe(value)),
                    "expressions work on numbers, true and false"};
  }

  std::optional<ExprValue> value_of(const Node& use, std::string_view text,
                                    std::vector<Origin>& origins) {
    try {
      return evaluate(text, [&](std::string_view name) { return number_of(name, origins); });
    } catch (const ExprError& error) {
      Diagnostic& found =
          findings_.error(error.code, fmt::format("`$({})` {}", text, error.message), use);
      add_help(found, error.help);
      return std::nullopt;
    }
  }

  Node expression(const Node& use, std::string_view text) {
    std::vector<Origin> origins;
    const std::optional<ExprValue> value = value_of(use, text, origins);
    Node out = shell(use);
    if (!value) return out;
    out.quoted = false;
    out.text = to_text(*value);
    if (const auto* flag = std::get_if<bool>(&*value)) {
      out.kind = Node::Kind::boolean;
      out.flag = *flag;
    } else if (const auto* whole = std::get_if<std::int64_t>(&*value)) {
      out.kind = Node::Kind::integer;
      out.integer = *whole;
    } else {
      out.kind = Node::Kind::real;
      out.real = std::get<double>(*value);
    }
    if (use.origins != nullptr)
      origins.insert(origins.end(), use.origins->begin(), use.origins->end());
    if (!origins.empty())
      out.origins = std::make_shared<const std::vector<Origin>>(std::move(origins));
    return out;
  }

  // What `$...` at the front of `rest` stands for, written into `out`; its length, 0 on an error.
  std::size_t piece(const Node& use, std::string_view rest, std::string& out,
                    std::vector<Origin>& origins) {
    if (rest.substr(0, 2) == "$$") return out += '$', 2;
    if (const std::size_t length = name_length(rest.substr(1)); length > 0) {
      const std::string_view name = rest.substr(1, length);
      const Variable* variable = find(name);
      if (variable == nullptr) return unknown(name, use), 0;
      if (!variable->value.is_scalar() || variable->value.kind == Node::Kind::null) {
        add_help(findings_.error("E0304",
                                 fmt::format("`${}` stands inside a text, but is {}", name,
                                             describe(variable->value)),
                                 use),
                 "let the variable stand alone, or make it a text or a number");
        return 0;
      }
      if (origins.size() < kMostOrigins) origins.push_back({std::string(name), variable->value.at});
      out += variable->value.text;
      return length + 1;
    }
    const std::size_t bracket = rest.substr(1, 1) == "(" ? bracket_length(rest.substr(1)) : 0;
    if (bracket > 0) {
      const std::optional<ExprValue> value = value_of(use, rest.substr(2, bracket - 2), origins);
      if (!value) return 0;
      out += to_text(*value);
      return bracket + 1;
    }
    Diagnostic& found =
        findings_.error("E0302", fmt::format("`{}` has a `$` that begins nothing", use.text), use);
    if (rest.substr(1, 1) == "{") {
      add_help(found, "write `$name` or `$(expr)`; `${...}` is not limen syntax");
    } else if (rest.substr(1, 1) == "(") {
      add_help(found,
               "close the bracket; inside { } or [ ] put an expression with a comma in quotes");
    } else {
      add_help(found, "write `$name`, `$(expr)`, or `$$` for a dollar sign; names are lower case");
    }
    return 0;
  }

  Node text_with_variables(const Node& use) {
    std::string out;
    std::vector<Origin> origins;
    std::string_view rest = use.text;
    while (!rest.empty()) {
      const std::size_t dollar = std::min(rest.find('$'), rest.size());
      out += rest.substr(0, dollar);
      rest.remove_prefix(dollar);
      if (rest.empty()) break;
      const std::size_t length = piece(use, rest, out, origins);
      if (length == 0) return shell(use);
      rest.remove_prefix(length);
      if (out.size() > kMaxBytes) break;
    }
    Node node = shell(use);
    if (!spend(out.size() / 16, 1, use)) return node;
    node.text = std::move(out);
    if (use.origins != nullptr)
      origins.insert(origins.end(), use.origins->begin(), use.origins->end());
    if (!origins.empty())
      node.origins = std::make_shared<const std::vector<Origin>>(std::move(origins));
    return node;
  }

  Findings& findings_;
  std::map<std::string, Variable> variables_;
  std::size_t nodes_ = 0;
  bool overflowed_ = false;
};

}  // namespace

bool is_name(std::string_view text) { return name_length(text) == text.size() && !text.empty(); }

Node substitute(const Node& root, Findings& findings) { return Substituter(findings).all(root); }

}  // namespace limen::language
