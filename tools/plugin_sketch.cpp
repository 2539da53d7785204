#include "plugin_sketch.hpp"

#include <charconv>

#include <fmt/format.h>

#include "plugin_sketch_texts.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr int kWidth = 16;  // of the model's layers, behind the activation

void replace_all(std::string& text, std::string_view mark, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += with.size()) {
    text.replace(at, mark.size(), with);
  }
}

// The name as bytes of an ELF note: ended and padded with zeros.
std::string note_bytes(const std::string& name) {
  std::string bytes = name;
  for (std::size_t size = name.size(); size == name.size() || size % 4 != 0; ++size) {
    bytes += "\\0";
  }
  return bytes;
}

std::string source(const PluginSketch& wanted) {
  using Language = PluginSketch::Language;
  if (wanted.language == Language::c) return std::string(kCSource);
  if (wanted.language == Language::rust) {
    std::string text(kRustSource);
    replace_all(text, "@note@", note_bytes(wanted.name));
    replace_all(text, "@note_size@", std::to_string((wanted.name.size() + 4) / 4 * 4));
    replace_all(text, "@name_size@", std::to_string(wanted.name.size() + 1));
    return text;
  }
  if (wanted.rows) return std::string(kRowsSource);
  constexpr std::string_view kExamples[] = {"x * tanh(softplus(x))", "a * sigmoid(b)",
                                            "a * sigmoid(b) + c"};
  const std::string text =
      wanted.formula.empty() ? std::string(kExamples[wanted.pieces - 1]) : wanted.formula;
  const Formula formula = Formula::parse(text, {.inputs = {}, .params = names_of(wanted.params)});
  if (wanted.pieces > 1 && static_cast<int>(formula.inputs().size()) != wanted.pieces) {
    throw usage_error(fmt::format("--pieces {} does not fit a formula of {} inputs", wanted.pieces,
                                  formula.inputs().size()));
  }
  return formula_source(formula, wanted.name, "org.example." + wanted.name, wanted.params);
}

}  // namespace

std::string PluginSketch::source_file() const {
  return name + (language == Language::c ? ".c" : language == Language::rust ? ".rs" : ".cpp");
}

std::vector<SketchedFile> sketch(const PluginSketch& wanted) {
  std::vector<SketchedFile> files = {{wanted.source_file(), source(wanted)}};
  const bool rust = wanted.language == PluginSketch::Language::rust;
  if (!rust) files.push_back({"CMakeLists.txt", std::string(kProject)});
  files.push_back({"model.yaml", std::string(kModelFile)});
  files.push_back({"README.md", std::string(kReadme)});
  const int pieces =
      wanted.formula.empty() || wanted.rows
          ? wanted.pieces
          : static_cast<int>(
                Formula::parse(wanted.formula, {.inputs = {}, .params = names_of(wanted.params)})
                    .inputs()
                    .size());
  for (SketchedFile& file : files) {
    const std::string op =
        wanted.name_taken ? fmt::format("org.example.{0}:{0}", wanted.name) : wanted.name;
    const bool quote = wanted.name_taken && file.name == "model.yaml";
    replace_all(file.text, "@op@", quote ? "\"" + op + "\"" : op);
    replace_all(file.text, "@cmake@",
                rust ? "" : "With CMake: `find_package(limen)`, see `CMakeLists.txt`. ");
    replace_all(file.text, "@width@", std::to_string(kWidth * pieces));
    replace_all(file.text, "@file@", wanted.source_file());
    replace_all(file.text, "@name@", wanted.name);
  }
  return files;
}

std::vector<FormulaParam> read_formula_params(const std::vector<std::string>& words) {
  std::vector<FormulaParam> params;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    FormulaParam param{.name = word.substr(0, equals)};
    const std::string number = equals == std::string::npos ? "" : word.substr(equals + 1);
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), param.value);
    if (number.empty() || error != std::errc{} || end != number.data() + number.size()) {
      throw usage_error(fmt::format("--param takes NAME=NUMBER, found `{}`", word),
                        {"for example --param alpha=0.01"});
    }
    if (const std::string wrong = bad_formula_name(param.name, true); !wrong.empty()) {
      throw usage_error(fmt::format("--param {}: {}", word, wrong));
    }
    params.push_back(std::move(param));
  }
  return params;
}

std::vector<std::string> names_of(const std::vector<FormulaParam>& params) {
  std::vector<std::string> names;
  for (const FormulaParam& param : params) names.push_back(param.name);
  return names;
}

}  // namespace limen::tools
