// The files of a new plugin, as `limen plugin new` writes them.
#pragma once

#include <string>
#include <vector>

#include "plugin/formula.hpp"

namespace limen::tools {

struct PluginSketch {
  enum class Language { cpp, c, rust } language = Language::cpp;
  std::string name;
  bool rows = false;
  int pieces = 1;
  std::string formula;  // empty: an example
  std::vector<FormulaParam> params;
  bool name_taken = false;  // by an op that limen would find first

  std::string source_file() const;  // "mish.cpp"
};

struct SketchedFile {
  std::string name, text;
};

// Throws Error E0209 where the formula is wrong.
std::vector<SketchedFile> sketch(const PluginSketch& wanted);

// The values of `--param NAME=VALUE`. Throws Error (usage).
std::vector<FormulaParam> read_formula_params(const std::vector<std::string>& words);
std::vector<std::string> names_of(const std::vector<FormulaParam>& params);

}  // namespace limen::tools
