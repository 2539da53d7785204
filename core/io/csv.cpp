#include "io/csv.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <new>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "base/text.hpp"
#include "io/file.hpp"

namespace limen {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Csv::Place place_of(const std::vector<char>& buffer, std::size_t offset) {
  Csv::Place place{1, 1};
  const char* text = buffer.data();
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < offset; ++i) {
    const bool lone_return = text[i] == '\r' && !(i + 1 < buffer.size() && text[i + 1] == '\n');
    if (text[i] == '\n' || lone_return) {
      ++place.line;
      line_start = i + 1;
    }
  }
  for (std::size_t i = line_start; i < offset; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0u) != 0x80u) ++place.column;
  }
  return place;
}

[[noreturn]] void fail(const std::string& name, Csv::Place place, const std::string& why,
                       std::vector<std::string> notes = {}, std::vector<std::string> help = {}) {
  throw Error(
      Diagnostic{.code = "E0902",
                 .message = fmt::format("{}:{}:{}: {}", name, place.line, place.column, why),
                 .spans = {},
                 .notes = std::move(notes),
                 .help = std::move(help)});
}

std::string shown(std::string_view cell) {
  constexpr std::size_t kLongest = 40;
  return json_quote(cell.substr(0, kLongest)) + (cell.size() > kLongest ? "..." : "");
}

}  // namespace

// Splits the buffer into cells. Quoted cells are unescaped where they stand: the text only gets
// shorter, and its bytes behind are blanked without touching line ends, so that places can still be
// counted in the buffer.
class CsvReader {
 public:
  CsvReader(Csv& csv, char delimiter) : csv_(csv), delimiter_(delimiter) {}

  void read() {
    auto& buffer = csv_.buffer_;
    const std::string_view text(buffer.data(), buffer.size());
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
      fail(csv_.name_, {1, 1}, "the text is UTF-16", {}, {"save it as UTF-8"});
    }
    if (text.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < buffer.size()) {
      if (is_line_end()) {
        skip_line_end();
        continue;
      }
      read_row();
    }
  }

 private:
  bool is_line_end() const { return csv_.buffer_[at_] == '\n' || csv_.buffer_[at_] == '\r'; }

  void skip_line_end() {
    const auto& buffer = csv_.buffer_;
    if (buffer[at_] == '\r' && at_ + 1 < buffer.size() && buffer[at_ + 1] == '\n') ++at_;
    ++at_;
  }

  void read_row() {
    const std::size_t start = at_;
    std::int64_t cells = 0;
    while (true) {
      csv_.cells_.push_back(read_cell());
      ++cells;
      if (at_ >= csv_.buffer_.size()) break;
      if (is_line_end()) {
        skip_line_end();
        break;
      }
      ++at_;  // the delimiter
    }
    if (csv_.columns_ == 0) csv_.columns_ = cells;
    if (cells != csv_.columns_) {
      fail(csv_.name_, place_of(csv_.buffer_, start),
           fmt::format("this row has {} {}, the first has {}", cells, cells == 1 ? "cell" : "cells",
                       csv_.columns_),
           {}, {"every row needs the same number of cells; quote texts that hold the delimiter"});
    }
    ++csv_.rows_;
  }

  std::string_view read_cell() {
    const auto& buffer = csv_.buffer_;
    if (at_ < buffer.size() && buffer[at_] == '"') return read_quoted();
    const std::size_t start = at_;
    while (at_ < buffer.size() && buffer[at_] != delimiter_ && !is_line_end()) ++at_;
    return {buffer.data() + start, at_ - start};
  }

  std::string_view read_quoted() {
    auto& buffer = csv_.buffer_;
    const std::size_t quote = at_++, start = at_;
    std::size_t end = start;  // of the unescaped text
    while (true) {
      if (at_ >= buffer.size()) {
        fail(csv_.name_, place_of(buffer, quote), "this quote does not end", {},
             {"close the quote; a quote inside quotes is written twice"});
      }
      if (buffer[at_] == '"') {
        if (at_ + 1 >= buffer.size() || buffer[at_ + 1] != '"') break;
        ++at_;
      }
      buffer[end++] = buffer[at_++];
    }
    for (std::size_t i = end; i < at_; ++i) buffer[i] = ' ';
    ++at_;
    if (at_ < buffer.size() && buffer[at_] != delimiter_ && !is_line_end()) {
      fail(csv_.name_, place_of(buffer, at_), "text behind the closing quote of a cell", {},
           {"a quote inside quotes is written twice"});
    }
    return {buffer.data() + start, end - start};
  }

  Csv& csv_;
  char delimiter_;
  std::size_t at_ = 0;
};

Csv Csv::read(const std::string& path, char delimiter, std::optional<bool> has_header) {
  return parse(read_file_unzipped(path), path, delimiter, has_header);
}

Csv Csv::parse(std::string text, const std::string& name, char delimiter,
               std::optional<bool> has_header) {
  Csv csv;
  csv.name_ = name;
  try {
    csv.buffer_.assign(text.begin(), text.end());
    text = std::string();
    CsvReader(csv, delimiter).read();
  } catch (const std::bad_alloc&) {
    throw Error({Diagnostic{.code = "E0901",
                            .message = fmt::format("{}: does not fit into memory", name),
                            .spans = {},
                            .notes = {},
                            .help = {}}},
                Exit::memory);
  }
  const auto first_end = csv.cells_.begin() + csv.columns_;
  const bool named = has_header.value_or(
      std::none_of(csv.cells_.begin(), first_end,
                   [](std::string_view cell) { return parse_number(cell).has_value(); }) &&
      std::any_of(csv.cells_.begin(), first_end,
                  [](std::string_view cell) { return !trimmed(cell).empty(); }));
  if (named && csv.rows_ > 0) {
    for (auto cell = csv.cells_.begin(); cell != first_end; ++cell) {
      csv.header_.emplace_back(trimmed(*cell));
    }
    csv.cells_.erase(csv.cells_.begin(), first_end);
    --csv.rows_;
  }
  if (csv.rows_ == 0) fail(name, {1, 1}, "the table has no rows");
  return csv;
}

std::string_view Csv::cell(std::int64_t row, std::int64_t column) const {
  return cells_[static_cast<std::size_t>(row * columns_ + column)];
}

Csv::Place Csv::place(std::int64_t row, std::int64_t column) const {
  return place_of(buffer_, static_cast<std::size_t>(cell(row, column).data() - buffer_.data()));
}

std::string Csv::column_name(std::int64_t column) const {
  return header_.empty() ? fmt::format("column {}", column)
                         : header_[static_cast<std::size_t>(column)];
}

std::int64_t Csv::column(const std::string& wanted) const {
  const auto found = std::find(header_.begin(), header_.end(), wanted);
  if (found == header_.end()) {
    if (header_.empty()) {
      fail(name_, {1, 1}, fmt::format("no column is called `{}`, the table has no header", wanted),
           {},
           {fmt::format("give positions, 0 to {}, or add a first row with names", columns_ - 1)});
    }
    std::vector<std::string> help{fmt::format("columns: {}", join(header_))};
    if (const auto near = did_you_mean(wanted, header_); !near.empty())
      help.insert(help.begin(), near);
    fail(name_, {1, 1}, fmt::format("no column is called `{}`", wanted), {}, help);
  }
  if (std::find(found + 1, header_.end(), wanted) != header_.end()) {
    fail(name_, {1, 1}, fmt::format("two columns are called `{}`", wanted), {},
         {"give the position instead"});
  }
  return found - header_.begin();
}

double Csv::number(std::int64_t row, std::int64_t column) const {
  const std::string_view text = cell(row, column);
  if (const auto value = parse_number(text)) return *value;
  fail(name_, place(row, column),
       fmt::format("`{}` is not a number: {}", column_name(column), shown(text)),
       {fmt::format("column {} of {}; {} {} read before this one", column + 1, columns_, row,
                    row == 1 ? "row was" : "rows were")},
       {is_missing(text) ? "add `missing: drop` or `missing: 0` to the field"
                         : "for categories add `vocab: auto` to the field"});
}

bool Csv::is_missing(std::string_view cell) {
  constexpr std::array<std::string_view, 8> kWords{"",    "?",   "-",    "na",
                                                   "n/a", "nan", "null", "none"};
  std::string word(trimmed(cell).substr(0, 8));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

std::optional<double> parse_number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace limen
