// --set PATH=VALUE: finds the place in the tree, makes it where it is missing.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/schema.hpp"
#include "model/substitute.hpp"
#include "model/suggest.hpp"

namespace limen::language {
namespace {

constexpr auto kBesideOps = std::to_array<std::string_view>(
    {"name", "from", "doc", "weight", "if", "params", "share", "freeze"});

bool beside_op(std::string_view key) {
  return std::find(kBesideOps.begin(), kBesideOps.end(), key) != kBesideOps.end();
}

class PathSetter {
 public:
  PathSetter(Node& root, const Source& source, const MainArgument& main_of, Findings& findings)
      : root_(root), source_(source), main_of_(main_of), findings_(findings) {}

  void run() {
    const std::string& text = source_.text();
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || !split(std::string_view(text).substr(0, equals))) {
      add_help(findings_.error("E0411", fmt::format("`{}` is no PATH=VALUE", text), whole()),
               "write `--set hidden=128` or `--set train.batch=64`");
      return;
    }
    if (text.find_first_not_of(' ', equals + 1) == std::string::npos) {
      add_help(findings_.error("E0411", "nothing stands behind the `=`", whole()),
               "give the value, as in `--set hidden=128`");
      return;
    }
    Node value;
    try {
      value = read_yaml(source_, findings_.warnings(), equals + 1);
    } catch (const Error& error) {
      throw Error(error.diagnostics(), Exit::usage);
    }
    if (Node* target = find()) *target = std::move(value);
  }

 private:
  struct Part {
    std::string name;
    Place at;
  };

  Place whole() const {
    return {&source_, 1, 1, static_cast<int>(std::max<std::size_t>(1, source_.line(1).size()))};
  }

  bool split(std::string_view path) {
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = std::min(path.find('.', begin), path.size());
      if (end == begin || parts_.size() > static_cast<std::size_t>(kMaxDepth) / 2) return false;
      parts_.push_back({std::string(path.substr(begin, end - begin)),
                        {&source_, 1, static_cast<int>(begin) + 1, static_cast<int>(end - begin)}});
      if (end == path.size()) return true;
      begin = end + 1;
    }
  }

  Node* refuse(const Part& part, std::string message, const std::vector<std::string>& known,
               std::string_view what) {
    Diagnostic& found = findings_.error("E0411", std::move(message), part.at);
    add_help(found, suggest(part.name, known));
    add_help(found, known.empty() ? fmt::format("there are no {} in this file", what)
                                  : known_list(what, known));
    return nullptr;
  }

  Node* find() {
    const Part& first = parts_.front();
    Entry* vars = root_.find("vars");
    if (parts_.size() == 1 && vars != nullptr && vars->value.find(first.name) != nullptr) {
      return &vars->value.find(first.name)->value;
    }
    const std::vector<std::string> keys = top_level_keys();
    if (std::find(keys.begin(), keys.end(), first.name) == keys.end()) {
      std::vector<std::string> known;
      if (vars != nullptr) {
        for (const Entry& entry : vars->value.entries) known.push_back(entry.key);
      }
      if (parts_.size() > 1) known.clear();
      known.insert(known.end(), keys.begin(), keys.end());
      return refuse(first, fmt::format("no variable or key is called `{}`", first.name), known,
                    "known");
    }
    Node* at = child(root_, first);
    for (std::size_t i = 1; at != nullptr && i < parts_.size(); ++i) at = inside(at, i);
    return at;
  }

  // The entry of a map, made if missing.
  static Node* child(Node& map, const Part& part) {
    map.kind = Node::Kind::map;
    if (Entry* entry = map.find(part.name)) return &entry->value;
    Node empty;
    empty.at = part.at;
    map.entries.push_back({part.name, part.at, std::move(empty)});
    return &map.entries.back().value;
  }

  bool is_variable(const Node& node, const Part& part) {
    if (node.kind != Node::Kind::text || node.text.empty() || node.text[0] != '$') return false;
    Diagnostic& found = findings_.error(
        "E0411",
        fmt::format("`{}` is looked for in `{}`, which is a variable", part.name, node.text),
        part.at);
    found.spans.push_back(node.at.span("here"));
    add_help(found, fmt::format("set the variable: `--set {}=...`", node.text.substr(1)));
    return true;
  }

  Node* inside(Node* at, std::size_t i) {
    const std::string& section = parts_[0].name;
    const Part& part = parts_[i];
    if (call_.empty() && is_variable(*at, part)) return nullptr;
    if (section == "graph") return i == 1 ? named_step(*at, part) : call_part(*at, part, i == 2);
    if (section == "loss" || section == "metrics") {
      if (i == 1 && at->kind == Node::Kind::list) return term(*at, part);
      return call_part(*at, part, i <= 2);
    }
    const bool joint = at->find("train") != nullptr || at->find("root") != nullptr;
    if (section == "data" && !(i == 1 && joint)) return call_part(*at, part, i == 1);
    if (section == "train" && i >= 2) {
      const std::string& key = parts_[1].name;
      if (key == "optimizer" || key == "schedule") return call_part(*at, part, i == 2);
      if (i == 2 && at->is_scalar() && at->kind != Node::Kind::null)
        return into_arguments(*at, key, part);
    }
    return plain(*at, part);
  }

  Node* plain(Node& node, const Part& part) {
    if (node.kind == Node::Kind::map || node.kind == Node::Kind::null) return child(node, part);
    Diagnostic& found = findings_.error(
        "E0411", fmt::format("`{}` is looked for in {}", part.name, describe(node)), part.at);
    found.spans.push_back(node.at.span("here"));
    add_help(found, "shorten the path, or give the whole value");
    return nullptr;
  }

  // `units` of {dense: 10}: the plain value moves to the call's main argument first.
  Node* into_arguments(Node& value, const std::string& call, const Part& part) {
    if (value.kind != Node::Kind::map && value.kind != Node::Kind::null) {
      const std::string main = main_of_(call);
      if (main.empty()) return plain(value, part);
      Node map;
      map.kind = Node::Kind::map;
      map.at = value.at;
      map.entries.push_back({main, value.at, std::move(value)});
      value = std::move(map);
    }
    return child(value, part);
  }

  // A part of a path inside a call. `name` itself and its arguments can both be meant.
  Node* call_part(Node& node, const Part& part, bool at_call) {
    if (!at_call) return plain_or_arguments(node, part);
    if (node.kind == Node::Kind::null) return child(node, part);
    if (node.kind == Node::Kind::text) {
      Node name = node;
      Node map;
      map.kind = Node::Kind::map;
      map.at = node.at;
      map.origins = node.origins;
      Node empty;
      empty.at = node.at;
      map.entries.push_back({name.text, name.at, std::move(empty)});
      node = std::move(map);
    }
    if (node.kind != Node::Kind::map) return plain(node, part);
    if (beside_op(part.name)) return child(node, part);
    for (Entry& entry : node.entries) {
      if (beside_op(entry.key)) continue;
      call_ = entry.key;
      return entry.key == part.name ? &entry.value : into_arguments(entry.value, entry.key, part);
    }
    return child(node, part);
  }

  // Behind the name of a call: its arguments; deeper: whatever stands there.
  Node* plain_or_arguments(Node& node, const Part& part) {
    const std::string call = std::exchange(call_, {});
    return call.empty() ? plain(node, part) : into_arguments(node, call, part);
  }

  static void collect(Node& node, std::vector<Node*>& steps) {
    if (node.kind == Node::Kind::map) steps.push_back(&node);
    for (Node& item : node.items) collect(item, steps);
  }

  Node* named_step(Node& graph, const Part& part) {
    std::vector<Node*> steps;
    collect(graph, steps);
    std::vector<std::string> names;
    for (Node* step : steps) {
      const Entry* name = step->find("name");
      if (name == nullptr) continue;
      if (name->value.text == part.name) return step;
      names.push_back(name->value.text);
    }
    return refuse(part, fmt::format("no step is called `{}`", part.name), names, "named steps");
  }

  Node* term(Node& list, const Part& part) {
    std::vector<std::string> names;
    for (Node& item : list.items) {
      if (item.kind == Node::Kind::text && item.text == part.name) return &item;
      const Entry* name = item.find("name");
      if (name != nullptr && name->value.text == part.name) return &item;
      if (name == nullptr && item.find(part.name) != nullptr) return &item;
      if (name != nullptr) names.push_back(name->value.text);
      if (name == nullptr && item.kind == Node::Kind::text) names.push_back(item.text);
      for (const Entry& entry : item.entries) {
        if (name == nullptr && !beside_op(entry.key)) names.push_back(entry.key);
      }
    }
    return refuse(part, fmt::format("nothing in `{}` is called `{}`", parts_[0].name, part.name),
                  names, "known");
  }

  Node& root_;
  const Source& source_;
  const MainArgument& main_of_;
  Findings& findings_;
  std::vector<Part> parts_;
  std::string call_;
};

}  // namespace

void apply_set(Node& root, const Source& source, const MainArgument& main_of, Findings& findings) {
  PathSetter(root, source, main_of, findings).run();
}

}  // namespace limen::language
