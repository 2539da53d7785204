#include "junit.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "io/file.hpp"

namespace limen::tools {
namespace {

std::string xml(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else
      result += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
  }
  return result;
}

bool is_skipped(const JunitCase& c) { return c.not_run || !c.skipped.empty(); }

std::string inside_of(const JunitCase& c) {
  std::string inside;
  for (const std::string& text : c.failures) {
    inside += fmt::format("<failure>{}</failure>", xml(text));
  }
  if (c.failures.empty() && is_skipped(c)) {
    inside += c.skipped.empty() ? std::string("<skipped/>")
                                : fmt::format("<skipped message=\"{}\"/>", xml(c.skipped));
  }
  for (const std::string& text : c.remarks) {
    inside += fmt::format("<system-out>{}</system-out>", xml(text));
  }
  return inside;
}

}  // namespace

void write_junit(const std::string& path, const std::string& suite,
                 const std::vector<JunitCase>& cases) {
  const auto failures = std::count_if(cases.begin(), cases.end(),
                                      [](const JunitCase& c) { return !c.failures.empty(); });
  const auto skipped = std::count_if(cases.begin(), cases.end(), [](const JunitCase& c) {
    return c.failures.empty() && is_skipped(c);
  });
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
      xml(suite), cases.size(), failures, skipped);
  for (const JunitCase& c : cases) {
    const std::string inside = inside_of(c);
    text += fmt::format("  <testcase classname=\"{}\" name=\"{}\"{}\n", xml(c.group), xml(c.name),
                        inside.empty() ? "/>" : fmt::format(">{}</testcase>", inside));
  }
  write_file_atomically(path, text + "</testsuite>\n");
}

}  // namespace limen::tools
