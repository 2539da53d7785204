// The fenced blocks of a Markdown file.
#pragma once

#include <fstream>
#include <string>
#include <vector>

namespace limen::test {

struct Snippet {
  std::string file, language, text;  // language: "sh", "yaml", "cpp", "text", ...
  int line = 0;                      // of its first line
};

inline std::vector<Snippet> snippets_of(const std::string& name) {
  std::vector<Snippet> found;
  std::ifstream in(LIMEN_SOURCE_DIR "/" + name);
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.starts_with("```")) {
      if (inside) found.back().text += line + "\n";
      continue;
    }
    inside = !inside;
    if (inside) found.push_back({name, line.substr(3), "", number + 1});
  }
  return found;
}

}  // namespace limen::test
