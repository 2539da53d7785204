// What the program says: results on stdout, messages on stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <limen/error.hpp>

#include <nlohmann/json.hpp>

namespace limen::tools {

// Keys keep the order in which they were put in.
using Json = nlohmann::ordered_json;

// One line of JSON without a line break. Text that is not UTF-8 is mended, numbers that are not
// finite become null.
std::string to_line(const Json& json);

// The value that a text holds; a discarded one where it is no JSON.
Json parse_json(const std::string& text);

// Standard output. A reader that goes away (`| head`) ends the output, not the program: what comes
// after is dropped. Any other failure to write throws Error E0903 (exit code 7 for a full disk).
class Output {
 public:
  void write(std::string_view bytes);  // reaches the reader before this returns
  void json(const Json& json) { write(to_line(json) + "\n"); }
  bool closed() const { return closed_; }

 private:
  bool closed_ = false;
};

// Standard error. Diagnostics in the form that --error-format asks for; notes are left out by -q.
class Messages {
 public:
  ErrorFormat format = ErrorFormat::human;
  bool color = false;
  bool quiet = false;

  void show(const Diagnostic& diagnostic) const;  // warnings are left out by -q
  void show(const Error& error) const;
  void warn(std::string message, std::vector<std::string> help = {}) const;
  void note(const std::string& text) const;
  void raw(std::string_view text) const;  // as it is, -q or not
};

// Text in columns, two blanks apart; the columns that `right` marks are set to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<bool> right = {});
  void add(std::vector<std::string> row);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

std::string grouped(std::int64_t number);  // 79,510
// Characters that a terminal shows for a text (code points).
std::size_t width_of(std::string_view text);

}  // namespace limen::tools
