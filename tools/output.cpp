#include "output.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <unistd.h>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::tools {
namespace {

// Everything, or the reason why not.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json parse_json(const std::string& text) { return Json::parse(text, nullptr, false); }

void Output::write(std::string_view bytes) {
  if (closed_) return;
  const int fault = write_all(STDOUT_FILENO, bytes);
  if (fault == 0) return;
  closed_ = true;
  if (fault == EPIPE) return;
  throw Error({{.code = "E0903",
                .message = fmt::format("cannot write to the standard output: {}",
                                       std::generic_category().message(fault)),
                .spans = {},
                .notes = {},
                .help = {}}},
              fault == ENOSPC ? Exit::memory : Exit::data);
}

void Messages::show(const Diagnostic& diagnostic) const {
  if (quiet && diagnostic.warning) return;
  raw(render(diagnostic, format, color));
}

void Messages::show(const Error& error) const {
  for (const Diagnostic& diagnostic : error.diagnostics()) show(diagnostic);
}

void Messages::warn(std::string message, std::vector<std::string> help) const {
  show(Diagnostic{.code = "",
                  .message = std::move(message),
                  .spans = {},
                  .notes = {},
                  .help = std::move(help),
                  .warning = true});
}

void Messages::note(const std::string& text) const {
  if (quiet) return;
  if (format == ErrorFormat::json) {
    raw(to_line(Json{{"level", "note"}, {"message", text}}) + "\n");
  } else {
    raw("note: " + text + "\n");
  }
}

void Messages::raw(std::string_view text) const {
  write_all(STDERR_FILENO, text);  // nobody is left to tell if this fails
}

Table::Table(std::vector<std::string> header, std::vector<bool> right) : right_(std::move(right)) {
  right_.resize(header.size(), false);
  rows_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row) {
  row.resize(right_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(right_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += right_[i] ? pad + row[i] : row[i] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (number < 0 ? 1 : 0);
       at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::size_t width_of(std::string_view text) { return decode_utf8(text).size(); }

}  // namespace limen::tools
