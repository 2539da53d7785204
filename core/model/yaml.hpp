// YAML text as a tree whose every node knows its place. Built on yaml-cpp's events; nothing outside
// this folder, and in it nothing but yaml.cpp, sees yaml-cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <limen/error.hpp>

namespace limen::language {

// A text cut into lines. Places point into it, so it must outlive them.
class Source {
 public:
  Source(std::string file, std::string text);

  const std::string& file() const { return file_; }
  const std::string& text() const { return text_; }
  int lines() const { return static_cast<int>(starts_.size()); }
  std::string_view line(int number) const;  // 1-based, without its end; empty outside

 private:
  std::string file_, text_;
  std::vector<std::size_t> starts_;
};

// Bytes of one line. Lines and columns are 1-based; span() turns bytes into characters.
struct Place {
  const Source* source = nullptr;
  int line = 0, column = 1, length = 1;

  Span span(std::string label = {}) const;
};

// A further place that an error about a value shows: where its variable was set.
struct Origin {
  std::string variable;
  Place place;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, list, map };
  Kind kind = Kind::null;
  bool quoted = false;
  bool flag = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;  // of a scalar: as written, quotes and escapes resolved
  Place at;
  std::shared_ptr<const std::vector<Origin>> origins;  // null: written here
  std::vector<Node> items;
  std::vector<Entry> entries;  // in the order of the file

  bool is_scalar() const { return kind != Kind::list && kind != Kind::map; }
  bool is_number() const { return kind == Kind::integer || kind == Kind::real; }
  double number() const { return kind == Kind::integer ? static_cast<double>(integer) : real; }
  const Entry* find(std::string_view key) const;  // null if there is none
  Entry* find(std::string_view key);
};

struct Entry {
  std::string key;
  Place key_at;
  Node value;
};

// Limits of what a tree may grow to, by nesting, aliases and variables alike.
inline constexpr int kMaxDepth = 64;
inline constexpr std::size_t kMaxNodes = 400'000;
inline constexpr std::size_t kMaxBytes = 4u << 20;

// Reads one document. Throws Error E0001 (syntax), E0002 (not a text), E0003 (a key twice), E0004
// (tags), E0005 (merge keys), E0006 (several documents), E0007 (too large or too deep), E0008 (a
// key that is no text). `warnings` receives W0001 for numbers that YAML 1.2 would read otherwise.
// The first `skip` bytes are not looked at: the PATH= of --set.
Node read_yaml(const Source& source, std::vector<Diagnostic>& warnings, std::size_t skip = 0);

// Gives a scalar its kind by YAML 1.2's core schema with true/false for booleans.
void resolve_scalar(Node& node);

// Nodes in the tree, and its height (1 for a scalar).
std::size_t count_nodes(const Node& node);
int height(const Node& node);

// What a person would call the node: "the text `yes`", "the integer `-1`", "a list".
std::string describe(const Node& node);

}  // namespace limen::language
