#include "base/text.hpp"
#include "model/yaml.hpp"

namespace limen::language {
namespace {

// A line beyond this is not shown: the mark would stand far off any screen.
constexpr std::size_t kLongestShownLine = 4096;

int characters(std::string_view bytes) { return static_cast<int>(decode_utf8(bytes).size()); }

}  // namespace

Source::Source(std::string file, std::string text)
    : file_(std::move(file)), text_(std::move(text)), starts_{0} {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.erase(0, 3);  // a byte order mark has no column
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n' && i + 1 < text_.size()) starts_.push_back(i + 1);
  }
}

std::string_view Source::line(int number) const {
  if (number < 1 || number > lines()) return {};
  const std::size_t begin = starts_[static_cast<std::size_t>(number) - 1];
  std::size_t end = text_.find('\n', begin);
  if (end == std::string::npos) end = text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

Span Place::span(std::string label) const {
  Span out;
  out.label = std::move(label);
  if (source == nullptr) return out;
  out.file = source->file();
  out.line = line;
  const std::string_view shown = source->line(line);
  if (shown.size() > kLongestShownLine) {
    out.column = column;
    out.length = std::max(1, length);
    return out;
  }
  const auto before = std::min(shown.size(), static_cast<std::size_t>(std::max(0, column - 1)));
  out.column = characters(shown.substr(0, before)) + 1;
  out.length =
      std::max(1, characters(shown.substr(before, static_cast<std::size_t>(std::max(1, length)))));
  out.text = std::string(shown);
  return out;
}

const Entry* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

Entry* Node::find(std::string_view key) {
  for (Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

// The depth of a tree is bounded by kMaxDepth, so these may recurse.
std::size_t count_nodes(const Node& node) {
  std::size_t count = 1 + node.text.size() / 64;  // a long text weighs what it holds
  for (const Node& item : node.items) count += count_nodes(item);
  for (const Entry& entry : node.entries) count += count_nodes(entry.value);
  return count;
}

int height(const Node& node) {
  int tallest = 0;
  for (const Node& item : node.items) tallest = std::max(tallest, height(item));
  for (const Entry& entry : node.entries) tallest = std::max(tallest, height(entry.value));
  return tallest + 1;
}

}  // namespace limen::language
