// The house rules that a program can check.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "house/functions.hpp"
#include "house/tree.hpp"

namespace limen::house {
namespace {

constexpr int kFileLines = 400, kFunctionLines = 60, kHeaderLines = 200, kCoreLines = 46'000;

// Public headers that may be longer, and why.
const std::map<std::string, std::string>& long_headers() {
  static const std::map<std::string, std::string> kLong = {
      {"plugin.h", "the whole of a frozen ABI in one file that C programs can copy"},
      {"math.hpp", "the functions of formulas, which must be inline"},
      {"math_scalar.hpp", "the same functions for single numbers"},
      {"math_var.hpp", "the numbers of formulas and their operators"},
      {"activation.hpp", "the plugin kit, which must be inline"},
      {"activation_descriptor.hpp", "its tables, made from what an author says"},
      {"activation_formula.hpp", "its calls of a formula"},
      {"activation_kernels.hpp", "its loops"},
      {"activation_map.hpp", "its kernels for single elements"},
      {"activation_rows.hpp", "its kernels for rows"}};
  return kLong;
}

int lines_in(const SourceFile& file) {
  return static_cast<int>(std::count(file.text.begin(), file.text.end(), '\n'));
}

bool is_source(const SourceFile& file) {
  return file.ends_with(
      {".cpp", ".hpp", ".c", ".h", ".sh", ".cmake", ".py", ".yaml", "CMakeLists.txt"});
}

TEST(Style, NoSourceFileHasMoreThan400Lines) {
  for (const SourceFile& file : all_files()) {
    if (!is_source(file)) continue;
    EXPECT_LE(lines_in(file), kFileLines) << file.path;
  }
}

TEST(Style, NoFunctionHasMoreThan60Lines) {
  int functions = 0;
  for (const SourceFile& file : all_files()) {
    if (!file.is_cpp()) continue;
    for (const FunctionSpan& function : functions_of(file.text)) {
      ++functions;
      EXPECT_LE(function.lines(), kFunctionLines) << file.path << ":" << function.first;
    }
  }
  EXPECT_GT(functions, 500);  // the scanner found them
}

TEST(Style, PublicHeadersAreShort) {
  for (const SourceFile& file : files_below("core/include/limen")) {
    const std::string name = fs::path(file.path).filename();
    if (long_headers().contains(name)) continue;
    EXPECT_LE(lines_in(file), kHeaderLines) << file.path;
  }
}

TEST(Style, TheCoreStaysWithinItsBudget) {
  int lines = 0;
  for (const SourceFile& file : files_below("core")) {
    if (file.is_cpp() || file.ends_with({".h"})) lines += lines_in(file);
  }
  EXPECT_LE(lines, kCoreLines) << "raise the budget on purpose, or make the core smaller";
}

TEST(Style, NothingIsLeftToDoInASource) {
  const std::vector<std::string> marks = {std::string("TO") + "DO", std::string("FIX") + "ME"};
  for (const SourceFile& file : all_files()) {
    for (const std::string& mark : marks) {
      EXPECT_EQ(file.text.find(mark), std::string::npos) << file.path << " says " << mark;
    }
  }
}

TEST(Style, NoFileNamesAMachine) {
  const std::vector<std::string> marks = {
      std::string("/wo") + "rk/", std::string("/ro") + "ot/", std::string("/ho") + "me/",
      std::string("arti") + "factory", std::string("local") + "host:"};
  for (const SourceFile& file : all_files()) {
    if (file.path.ends_with("house/style_test.cpp")) continue;
    for (const std::string& mark : marks) {
      EXPECT_EQ(file.text.find(mark), std::string::npos) << file.path << " names " << mark;
    }
  }
}

TEST(Style, HeadersAreGuardedAndOpenNoNamespace) {
  for (const SourceFile& file : all_files()) {
    if (!file.ends_with({".hpp"})) continue;
    EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
    EXPECT_EQ(without_text(file.text).find("using namespace"), std::string::npos) << file.path;
  }
}

TEST(Style, EveryHeaderOfTheCoreBeginsWithAComment) {
  for (const SourceFile& file : files_below("core")) {
    if (!file.ends_with({".hpp", ".h"})) continue;
    EXPECT_TRUE(file.text.starts_with("//") || file.text.starts_with("/*")) << file.path;
  }
}

TEST(Scanner, FindsFunctionsAndTheirLengths) {
  const std::string source =
      "namespace a {\n"
      "// a brace in a comment {\n"
      "int f(int x) {\n"
      "  if (x) { return '{'; }\n"
      "  return 1'000;\n"
      "}\n"
      "struct S {\n"
      "  int g() const {\n"
      "    const char* s = \"}\"; return [] { return 1; }();\n"
      "  }\n"
      "  int table[2] = {1, 2};\n"
      "};\n"
      "constexpr int k[] = {1,\n 2};\n"
      "auto h() -> int {\n"
      "  return R\"(}})\"[0];\n"
      "}\n"
      "}\n";
  const auto functions = functions_of(source);
  ASSERT_EQ(functions.size(), 3u);
  EXPECT_EQ(functions[0].first, 3);
  EXPECT_EQ(functions[0].lines(), 4);
  EXPECT_EQ(functions[1].lines(), 3);
  EXPECT_EQ(functions[2].lines(), 3);
}

}  // namespace
}  // namespace limen::house
