#include "model/yaml.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

[[noreturn]] void fail(std::string code, std::string message, std::vector<Span> spans,
                       std::vector<std::string> help) {
  throw Error(Diagnostic{.code = std::move(code),
                         .message = std::move(message),
                         .spans = std::move(spans),
                         .notes = {},
                         .help = std::move(help)});
}

// The end of a quoted text that begins at `from`; npos if it does not close in `line`.
std::size_t quoted_end(std::string_view line, std::size_t from) {
  const char quote = line[from];
  for (std::size_t i = from + 1; i < line.size(); ++i) {
    if (line[i] == '\\' && quote == '"') {
      ++i;
    } else if (line[i] == quote) {
      if (quote == '"' || i + 1 >= line.size() || line[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return std::string_view::npos;
}

// The end of the bracket that opens at `from`, or the bracket alone if it closes on another line.
std::size_t bracket_end(std::string_view line, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' || c == '\'') i = std::min(quoted_end(line, i), line.size()) - 1;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) return i + 1;
  }
  return from + 1;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const Source& source, std::vector<Diagnostic>& warnings)
      : source_(source), warnings_(warnings) {}

  bool started() const { return started_; }
  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) {
      const int line = std::max(1, std::min(mark.line + 1, source_.lines()));
      fail("E0006", "a file holds one document, here a second one begins",
           {Place{&source_, line, 1, 3}.span()}, {"remove everything from this `---` on"});
    }
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node = make(mark);
    node.at.length = 1;
    finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Node here = make(mark);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      fail("E0007", "an alias stands inside its own anchor", {here.at.span()},
           {"write the values out instead of `*alias`"});
    }
    spend(found->second.nodes, here.at);
    if (static_cast<int>(frames_.size()) + found->second.height > kMaxDepth) too_deep(here.at);
    finish(found->second.node, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(mark);
    refuse_tag(tag, node.at);
    const std::string_view line = source_.line(node.at.line);
    const auto begin = static_cast<std::size_t>(node.at.column - 1);
    const char first = begin < line.size() ? line[begin] : ' ';
    node.quoted = first == '"' || first == '\'' || first == '|' || first == '>';
    node.text = value;
    if (first == '"' || first == '\'') {
      const std::size_t end = quoted_end(line, begin);
      node.at.length = static_cast<int>(std::min(end, line.size()) - begin);
      if (end == std::string_view::npos) check_closed(node.at);
    } else if (!node.quoted) {
      node.at.length = plain_length(line, begin, value);
    }
    resolve_scalar(node);
    warn_about(node);
    finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    Entry pending;
    std::unordered_set<std::string> keys;
  };
  struct Anchored {
    Node node;
    std::size_t nodes;
    int height;
  };

  // A node at the mark, past anchors written on the same line.
  Node make(const YAML::Mark& mark) {
    Node node;
    node.at = {&source_, std::clamp(mark.line + 1, 1, source_.lines()),
               std::max(1, mark.column + 1), 1};
    const std::string_view line = source_.line(node.at.line);
    auto i = static_cast<std::size_t>(node.at.column - 1);
    while (i < line.size() && line[i] == '&') {
      const std::size_t value =
          line.find_first_not_of(' ', std::min(line.find(' ', i), line.size()));
      if (value == std::string_view::npos || line[value] == '#') break;
      i = value;
    }
    node.at.column = static_cast<int>(i) + 1;
    if (i < line.size() && line[i] == '*') {
      const std::size_t end = line.find_first_of(" ,]}", i);
      node.at.length = static_cast<int>(std::min(end, line.size()) - i);
    }
    spend(1, node.at);
    return node;
  }

  // The quote that opens here closes on no line of its own. The parser would take the end of the
  // file for its end.
  void check_closed(const Place& at) const {
    const std::string_view text = source_.text();
    const auto line = static_cast<std::size_t>(source_.line(at.line).data() - text.data());
    const auto begin = line + static_cast<std::size_t>(at.column - 1);
    if (quoted_end(text, begin) != std::string_view::npos) return;
    fail("E0001", "not valid YAML: a quote is not closed", {at.span("opened here")},
         {fmt::format("close it with `{}`", text[begin])});
  }

  static int plain_length(std::string_view line, std::size_t begin, const std::string& value) {
    if (line.substr(std::min(begin, line.size()), value.size()) == value) {
      return static_cast<int>(std::max<std::size_t>(1, value.size()));
    }
    std::string_view rest = line.substr(std::min(begin, line.size()));  // goes on below
    rest = rest.substr(0, rest.find(" #"));
    while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
    return static_cast<int>(std::max<std::size_t>(1, rest.size()));
  }

  void warn_about(const Node& node) {
    if (node.quoted || node.kind != Node::Kind::text) return;
    Node number = node;
    number.text = node.text.substr(node.text.find_first_not_of("+-0") == std::string::npos
                                       ? 0
                                       : node.text.find_first_not_of("+-0"));
    if (node.text[0] != '0' && node.text.find('0') != 1) return;
    resolve_scalar(number);
    if (!number.is_number() || node.text.size() < 2) return;
    warnings_.push_back({.code = "W0001",
                         .message = fmt::format("`{}` is read as text, not as a number", node.text),
                         .spans = {node.at.span()},
                         .notes = {},
                         .help = {"leave out the leading zero, or put the text in quotes"},
                         .warning = true});
  }

  void refuse_tag(const std::string& tag, const Place& at) {
    const std::string_view line = source_.line(at.line);
    const auto column = static_cast<std::size_t>(at.column - 1);
    const bool written = column < line.size() && line[column] == '!';
    if (tag.empty() || tag == "?" || (tag == "!" && !written)) return;
    Place place = at;
    if (written) {
      place.length = static_cast<int>(std::min(line.find(' ', column), line.size()) - column);
    }
    fail("E0004", "tags such as `!x` are not part of the model language", {place.span()},
         {"remove the tag; a text that looks like a number is put in quotes"});
  }

  [[noreturn]] static void too_deep(const Place& at) {
    fail("E0007", fmt::format("more than {} levels of nesting", kMaxDepth), {at.span()},
         {"flatten the lists and maps; a model needs fewer than ten levels"});
  }

  void spend(std::size_t nodes, const Place& at) {
    nodes_ += nodes;
    if (nodes_ <= kMaxNodes) return;
    fail("E0007", fmt::format("more than {} values in one file", kMaxNodes), {at.span()},
         {"make the file smaller; every use of an alias counts as a copy"});
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    Node node = make(mark);
    refuse_tag(tag, node.at);
    if (static_cast<int>(frames_.size()) + 1 >= kMaxDepth) too_deep(node.at);
    node.kind = kind;
    const std::string_view line = source_.line(node.at.line);
    const auto begin = static_cast<std::size_t>(node.at.column - 1);
    if (begin < line.size() && (line[begin] == '[' || line[begin] == '{')) {
      node.at.length = static_cast<int>(bracket_end(line, begin) - begin);
    }
    if (in_key_position()) refuse_key(node.at, kind == Node::Kind::list ? "a list" : "a map");
    frames_.push_back(Frame{std::move(node), anchor, false, {}, {}});
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Node& node = frame.node;
    if (node.kind == Node::Kind::map && !node.entries.empty() && node.at.length == 1) {
      node.at = node.entries.front().key_at;
    }
    finish(std::move(node), frame.anchor);
  }

  bool in_key_position() const {
    return !frames_.empty() && frames_.back().node.kind == Node::Kind::map &&
           !frames_.back().has_key;
  }

  [[noreturn]] void refuse_key(const Place& at, std::string_view what) const {
    if (auto open = unbalanced_error(source_)) throw Error(std::move(*open));
    fail("E0008", fmt::format("a key must be a plain word, found {}", what), {at.span()},
         {"write `key: value`, with a word before the colon"});
  }

  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      const std::size_t nodes = count_nodes(node);
      spend(nodes, node.at);
      anchors_[anchor] = Anchored{node, nodes, height(node)};
    }
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.has_key) {
      begin_entry(frame, node);
    } else {
      // An empty value has no place of its own: it stands where its key does.
      if (node.kind == Node::Kind::null && node.text.empty()) node.at = frame.pending.key_at;
      frame.pending.value = std::move(node);
      frame.node.entries.push_back(std::move(frame.pending));
      frame.pending = {};
      frame.has_key = false;
    }
  }

  void begin_entry(Frame& frame, const Node& key) {
    if (!key.is_scalar()) refuse_key(key.at, describe(key));
    if (key.kind == Node::Kind::null && key.text.empty()) refuse_key(key.at, "nothing");
    if (key.text == "<<" && !key.quoted) {
      fail("E0005", "merge keys `<<` are not part of the model language", {key.at.span()},
           {"write the keys out, or put them in a variable and use `$name`"});
    }
    if (!frame.keys.insert(key.text).second) {
      fail("E0003", fmt::format("key `{}` appears twice in the same map", key.text),
           {key.at.span("second time here"), frame.node.find(key.text)->key_at.span("first here")},
           {"keep one of them"});
    }
    frame.has_key = true;
    frame.pending.key = key.text;
    frame.pending.key_at = key.at;
  }

  const Source& source_;
  std::vector<Diagnostic>& warnings_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  Node root_;
  std::size_t nodes_ = 0;
  bool started_ = false;
};

}  // namespace

Node read_yaml(const Source& source, std::vector<Diagnostic>& warnings, std::size_t skip) {
  check_text(source);
  TreeBuilder builder(source, warnings);
  std::string text = source.text();
  std::fill_n(text.begin(), std::min(skip, text.size()), ' ');  // the columns stay
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw Error(syntax_error(source, error.mark.line + 1, error.mark.column + 1, error.msg));
  }
  return builder.take();
}

}  // namespace limen::language
