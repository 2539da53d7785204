// Who may include whom: the table of core/README.md, checked against every #include.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "house/tree.hpp"

namespace limen::house {
namespace {

const std::map<std::string, int>& floors() {
  static const std::map<std::string, int> kFloors = {
      {"base", 0},  {"tensor", 1}, {"kernels", 2},  {"plugin", 2}, {"io", 2},
      {"graph", 3}, {"ops", 4},    {"autodiff", 5}, {"passes", 5}, {"runtime", 6},
      {"check", 7}, {"model", 7},  {"train", 8}};
  return kFloors;
}

// The folder that a public header belongs to. The headers of the plugin kit use nothing of the
// engine, so every floor may use them; op.hpp knows tensors only.
const std::map<std::string, std::string>& header_owners() {
  static const std::map<std::string, std::string> kOwners = {{"error.hpp", "base"},
                                                             {"plugin.h", "base"},
                                                             {"plugin.map", "base"},
                                                             {"math.hpp", "base"},
                                                             {"math_gates.hpp", "base"},
                                                             {"math_gauss.hpp", "base"},
                                                             {"math_gauss_terms.hpp", "base"},
                                                             {"math_pow.hpp", "base"},
                                                             {"math_bits.hpp", "base"},
                                                             {"math_scalar.hpp", "base"},
                                                             {"math_trig.hpp", "base"},
                                                             {"math_var.hpp", "base"},
                                                             {"slope.hpp", "base"},
                                                             {"math_trig.hpp", "base"},
                                                             {"math_var.hpp", "base"},
                                                             {"activation.hpp", "base"},
                                                             {"activation_descriptor.hpp", "base"},
                                                             {"activation_formula.hpp", "base"},
                                                             {"activation_general.hpp", "base"},
                                                             {"activation_noise.hpp", "base"},
                                                             {"activation_params.hpp", "base"},
                                                             {"activation_kernels.hpp", "base"},
                                                             {"activation_map.hpp", "base"},
                                                             {"activation_rows.hpp", "base"},
                                                             {"tensor.hpp", "tensor"},
                                                             {"op.hpp", "tensor"},
                                                             {"plugin_registry.hpp", "plugin"},
                                                             {"data_spec.hpp", "io"},
                                                             {"graph.hpp", "graph"},
                                                             {"ops.hpp", "ops"},
                                                             {"differentiate.hpp", "autodiff"},
                                                             {"passes.hpp", "passes"},
                                                             {"executable.hpp", "runtime"},
                                                             {"gradient_check.hpp", "check"},
                                                             {"model.hpp", "model"},
                                                             {"dataset.hpp", "train"},
                                                             {"optimizer.hpp", "train"},
                                                             {"checkpoint.hpp", "train"},
                                                             {"train.hpp", "train"},
                                                             {"limen.hpp", "train"}};  // everything
  return kOwners;
}

// Each package belongs to one folder.
const std::vector<std::pair<std::string, std::string>>& packages() {
  static const std::vector<std::pair<std::string, std::string>> kPackages = {
      {"Eigen/", "kernels"},     {"dnnl", "kernels"},    {"boost/dll/", "plugin"},
      {"boost/graph/", "graph"}, {"yaml-cpp/", "model"}, {"nlohmann/", "io"},
      {"zlib.h", "io"},          {"omp.h", "base"},      {"nettle/", "base"}};
  return kPackages;
}

struct Include {
  std::string path;
  bool quoted = false;
};

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex kLine(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  for (const std::string& line : file.lines()) {
    std::smatch match;
    if (std::regex_search(line, match, kLine)) found.push_back({match[2], match[1] == "\""});
  }
  return found;
}

std::string folder_of(const std::string& path) {  // "core/base/text.cpp" -> "base"
  const std::size_t begin = path.find('/') + 1;
  return path.substr(begin, path.find('/', begin) - begin);
}

// What is wrong with one include of a file in `folder`, or nothing.
std::string complaint(const std::string& folder, const Include& include) {
  std::string target;
  if (include.path.starts_with("limen/")) {
    const auto owner = header_owners().find(include.path.substr(6));
    if (owner == header_owners().end()) return "a public header without a floor: " + include.path;
    target = owner->second;
  } else if (include.quoted) {
    target = include.path.substr(0, include.path.find('/'));
  } else {
    for (const auto& [prefix, owner] : packages()) {
      if (include.path.starts_with(prefix) && owner != folder) {
        return include.path + " belongs to " + owner;
      }
    }
    return "";
  }
  if (target == folder) return "";
  const auto at = floors().find(target);
  if (at == floors().end()) return "an unknown folder: " + include.path;
  return at->second < floors().at(folder) ? "" : include.path + " is not on a lower floor";
}

TEST(Floors, FoldersIncludeOnlyLowerOnesAndTheirOwnPackage) {
  for (const SourceFile& file : files_below("core")) {
    if (!file.is_cpp() || file.path.starts_with("core/include/")) continue;
    const std::string folder = folder_of(file.path);
    ASSERT_TRUE(floors().contains(folder)) << file.path << ": a folder without a floor";
    for (const Include& include : includes_of(file)) {
      EXPECT_EQ(complaint(folder, include), "") << file.path;
    }
  }
}

TEST(Floors, PublicHeadersIncludeOnlyLowerOnesAndNoPackage) {
  for (const SourceFile& file : files_below("core/include/limen")) {
    const std::string name = fs::path(file.path).filename();
    if (name == "README.md") continue;
    const auto owner = header_owners().find(name);
    ASSERT_NE(owner, header_owners().end()) << file.path << ": a header without a floor";
    for (const Include& include : includes_of(file)) {
      EXPECT_FALSE(include.quoted) << file.path << " includes \"" << include.path << "\"";
      EXPECT_EQ(complaint(owner->second, include), "") << file.path;
      const bool package =
          !include.path.starts_with("limen/") && include.path.find('/') != std::string::npos;
      EXPECT_FALSE(package) << file.path << " includes <" << include.path << ">";
    }
  }
}

TEST(Floors, EveryPublicHeaderOfTheTableIsThere) {
  for (const auto& [header, owner] : header_owners()) {
    EXPECT_TRUE(fs::exists(fs::path(LIMEN_SOURCE_DIR) / "core/include/limen" / header)) << header;
  }
}

TEST(Floors, OnlyTheCommandUsesItsParser) {
  for (const char* folder : {"core", "plugins"}) {
    for (const SourceFile& file : files_below(folder)) {
      for (const Include& include : includes_of(file)) {
        EXPECT_FALSE(include.path.starts_with("CLI/")) << file.path;
      }
    }
  }
}

TEST(Floors, PluginsIncludeNothingOfTheEngine) {
  for (const SourceFile& file : files_below("plugins")) {
    if (!file.is_cpp()) continue;
    for (const Include& include : includes_of(file)) {
      const bool kit = include.path == "limen/activation.hpp" || include.path == "limen/plugin.h" ||
                       include.path == "limen/math.hpp" || include.path == "limen/slope.hpp";
      EXPECT_TRUE(kit || include.path.find('/') == std::string::npos)
          << file.path << " includes " << include.path;
    }
  }
}

TEST(Floors, AnIncludeUpwardsSidewardsOrOfAStrangePackageIsNoticed) {
  EXPECT_NE(complaint("graph", {"ops/op_base.hpp", true}), "");
  EXPECT_NE(complaint("model", {"check/judge.hpp", true}), "");
  EXPECT_NE(complaint("tensor", {"limen/graph.hpp", false}), "");
  EXPECT_NE(complaint("ops", {"Eigen/Core", false}), "");
  EXPECT_EQ(complaint("ops", {"kernels/matmul.hpp", true}), "");
}

}  // namespace
}  // namespace limen::house
