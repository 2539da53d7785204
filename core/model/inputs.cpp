// `inputs`: names and types.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/program.hpp"
#include "model/substitute.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

constexpr std::int64_t kMostSize = std::int64_t{1} << 40;

struct DTypeName {
  std::string_view name;
  std::optional<DType> held;  // nothing: part of the language, not of this version
};

constexpr auto kDTypes = std::to_array<DTypeName>({{"f16", {}},
                                                   {"bf16", {}},
                                                   {"f32", DType::f32},
                                                   {"f64", DType::f64},
                                                   {"i8", {}},
                                                   {"u8", DType::i32},
                                                   {"i32", DType::i32},
                                                   {"i64", DType::i32},
                                                   {"bool", {}}});

std::string dtype_list() {
  std::vector<std::string> names;
  for (const DTypeName& row : kDTypes) names.emplace_back(row.name);
  return fmt::format("dtypes: {}", join(names));
}

class TypeReader {
 public:
  TypeReader(const Node& node, std::string_view input, Findings& findings)
      : node_(node), input_(input), findings_(findings) {}

  std::optional<SymType> read() {
    if (node_.kind == Node::Kind::map) return read_map();
    if (node_.kind != Node::Kind::text) return refuse();
    std::string_view text = node_.text;
    const std::size_t open = text.find('[');
    SymType type;
    if (!dtype(trim(text.substr(0, open)), type)) return std::nullopt;
    if (open == std::string_view::npos) return type;
    if (text.back() != ']') return refuse();
    text = text.substr(open + 1, text.size() - open - 2);
    while (!trim(text).empty()) {
      const std::size_t comma = text.find(',');
      if (!dim(trim(text.substr(0, comma)), type)) return std::nullopt;
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
    }
    return too_many(type) ? std::nullopt : std::optional(type);
  }

 private:
  static std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
  }

  std::optional<SymType> refuse() {
    Diagnostic& found = findings_.error(
        "E0104",
        fmt::format("`{}` needs a type such as f32[N, 784], found {}", input_, describe(node_)),
        node_);
    if (node_.kind == Node::Kind::text) add_help(found, missing_space_help(node_.text));
    add_help(found, "write a dtype and sizes: `f32[N, 784]`; a name is a free size");
    return std::nullopt;
  }

  std::optional<SymType> read_map() {
    const std::size_t before = findings_.count();
    check_keys(node_, input_, {"dtype", "shape"}, {}, findings_);
    const Entry* name = node_.find("dtype");
    const Entry* shape = node_.find("shape");
    if (findings_.count() != before) return std::nullopt;
    if (name == nullptr || shape == nullptr || shape->value.kind != Node::Kind::list ||
        name->value.kind != Node::Kind::text) {
      return refuse();
    }
    SymType type;
    if (!dtype(name->value.text, type)) return std::nullopt;
    for (const Node& size : shape->value.items) {
      if (!size.is_scalar() || !dim(size.text, type))
        return findings_.count() == before ? refuse() : std::nullopt;
    }
    return too_many(type) ? std::nullopt : std::optional(type);
  }

  bool dtype(std::string_view name, SymType& type) {
    for (const DTypeName& row : kDTypes) {
      if (row.name != name) continue;
      if (!row.held) {
        add_help(
            findings_.error(
                "E0110", fmt::format("dtype `{}` is not available in this version of limen", name),
                node_),
            "use f32, f64, i32, i64 or u8");
        return false;
      }
      type.declared = std::string(name);
      type.dtype = *row.held;
      return true;
    }
    Diagnostic& found = findings_.error("E0105", fmt::format("unknown dtype `{}`", name), node_);
    std::vector<std::string> names;
    for (const DTypeName& row : kDTypes) names.emplace_back(row.name);
    add_help(found, suggest(name, names));
    add_help(found, missing_space_help(node_.text));
    add_help(found, dtype_list());
    return false;
  }

  bool dim(std::string_view text, SymType& type) {
    const bool word = !text.empty() &&
                      (std::isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_') &&
                      std::all_of(text.begin(), text.end(), [](char c) {
                        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
                      });
    if (word) {
      type.dims.push_back(SymDim{1, {std::string(text)}});
      return true;
    }
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || end != text.data() + text.size() || size < 1 || size > kMostSize) {
      add_help(findings_.error("E0606", fmt::format("`{}` is no size", text), node_),
               "a size is a whole number of at least 1, or a name for a free size");
      return false;
    }
    type.dims.push_back(SymDim{size, {}});
    return true;
  }

  bool too_many(const SymType& type) {
    if (type.rank() <= static_cast<std::size_t>(Shape::kMaxRank)) return false;
    add_help(findings_.error("E0606", fmt::format("`{}` has {} sizes", input_, type.rank()), node_),
             fmt::format("a tensor has at most {} axes", Shape::kMaxRank));
    return true;
  }

  const Node& node_;
  std::string_view input_;
  Findings& findings_;
};

}  // namespace

void read_inputs(const Node& node, Program& program, Findings& findings) {
  if (node.kind != Node::Kind::map || node.entries.empty()) {
    Diagnostic& found = findings.error(
        "E0205", fmt::format("`inputs` must be a map of names to types, found {}", describe(node)),
        node);
    if (node.kind == Node::Kind::text) add_help(found, missing_space_help(node.text));
    add_help(found, "write a line such as `image: f32[N, 784]` below it");
    return;
  }
  for (const Entry& entry : node.entries) {
    if (!is_name(entry.key) || entry.key == "step") {
      add_help(findings.error("E0406", fmt::format("an input cannot be called `{}`", entry.key),
                              entry.key_at),
               entry.key == "step"
                   ? "`step` is the counter that dropout reads: choose another name"
                   : "names are lower-case letters, digits and `_`, and do not begin with a digit");
    }
    const auto type = TypeReader(entry.value, entry.key, findings).read();
    if (!type) continue;
    InputPlan plan;
    plan.type = *type;
    plan.named = entry.key_at;
    plan.spec.name = entry.key;
    plan.spec.declared = type->declared;
    plan.spec.dtype = type->dtype;
    plan.spec.at = entry.value.at.span();
    for (const SymDim& dim : type->dims) {
      plan.spec.dims.push_back(dim.fixed() ? Dim{dim.factor, {}} : Dim{0, dim.symbols.front()});
    }
    program.inputs.push_back(std::move(plan));
  }
}

}  // namespace limen::language
