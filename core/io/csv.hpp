// Comma-separated tables, RFC 4180: quotes, doubled quotes, line ends inside quotes, CRLF, LF or
// CR, a UTF-8 byte order mark, empty cells. Empty lines are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace limen {

// A table in memory. Cells are views into one buffer that the table owns.
class Csv {
 public:
  struct Place {
    std::int64_t line = 0, column = 0;  // 1-based; the column counts characters
  };

  // Reads a file, gzip or not. `has_header`: the first row names the columns; if not said, it does
  // when none of its cells is a number. Throws Error E0901 for a file that cannot be read and E0902
  // (line:column) for a quote that does not end, text behind a closing quote, rows of different
  // lengths, or a table without rows.
  static Csv read(const std::string& path, char delimiter = ',',
                  std::optional<bool> has_header = {});
  static Csv parse(std::string text, const std::string& name, char delimiter = ',',
                   std::optional<bool> has_header = {});

  const std::string& name() const { return name_; }
  const std::vector<std::string>& header() const { return header_; }  // empty without one
  std::int64_t rows() const { return rows_; }                         // without the header
  std::int64_t columns() const { return columns_; }
  std::string_view cell(std::int64_t row, std::int64_t column) const;
  Place place(std::int64_t row, std::int64_t column) const;
  // What messages call a column: its name, else its position.
  std::string column_name(std::int64_t column) const;
  // The position of a named column. Throws Error E0902 naming the near ones.
  std::int64_t column(const std::string& wanted) const;

  // The cell as a finite number. Throws Error E0902 naming line, column and what stands there.
  double number(std::int64_t row, std::int64_t column) const;
  // True where a cell says that there is no value: empty, ?, -, na, n/a, nan, null, none.
  static bool is_missing(std::string_view cell);

 private:
  // On the heap, because a moved short string would leave the cells behind.
  std::vector<char> buffer_;
  std::string name_;
  std::vector<std::string> header_;
  std::vector<std::string_view> cells_;
  std::int64_t rows_ = 0, columns_ = 0;

  friend class CsvReader;
};

// A finite number, blanks around it allowed; nothing for anything else.
std::optional<double> parse_number(std::string_view text);

}  // namespace limen
