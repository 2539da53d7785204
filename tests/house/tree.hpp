// The source tree as text, for tests that read it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace limen::house {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;  // relative to the root: "core/base/text.cpp"
  std::string text;

  bool ends_with(std::initializer_list<std::string_view> endings) const {
    return std::any_of(endings.begin(), endings.end(),
                       [this](std::string_view e) { return path.ends_with(e); });
  }
  bool is_cpp() const { return ends_with({".cpp", ".hpp"}); }

  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
  }
};

inline std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every file below a folder of the tree, sorted by path.
inline std::vector<SourceFile> files_below(const std::string& folder) {
  const fs::path root = LIMEN_SOURCE_DIR;
  std::vector<SourceFile> files;
  if (!fs::exists(root / folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    if (!entry.is_regular_file()) continue;
    files.push_back({fs::relative(entry.path(), root).generic_string(), read_text(entry.path())});
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

// The five folders and the files of the root.
inline std::vector<SourceFile> all_files() {
  std::vector<SourceFile> files;
  for (const char* folder : {"core", "models", "plugins", "tests", "tools", ".ci"}) {
    for (SourceFile& file : files_below(folder)) files.push_back(std::move(file));
  }
  for (const char* name : {"CMakeLists.txt", "CMakePresets.json", "README.md", ".clang-format",
                           ".clang-tidy", ".gitignore"}) {
    files.push_back({name, read_text(fs::path(LIMEN_SOURCE_DIR) / name)});
  }
  return files;
}

}  // namespace limen::house
