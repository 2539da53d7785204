// The layout of limen/plugin.h: what a plugin compiled years ago relies on.
#include <limen/plugin.h>
#include <limen/differentiate.hpp>
#include <limen/executable.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <type_traits>

#include "kernels.hpp"

namespace limen {
namespace {

// layout.h holds every size and place; these two files of this program included it.
extern "C" int limen_layout_as_c();
extern "C" int limen_layout_as_cpp();

TEST(PluginAbi, EveryFieldKeepsItsPlaceInCAndInCpp) {
  EXPECT_EQ(limen_layout_as_c(), 208);
  EXPECT_EQ(limen_layout_as_cpp(), 208);
}

TEST(PluginAbi, EveryFieldKeepsItsPlaceForClang) {
  const std::string clang = LIMEN_CLANG;
  if (clang.empty() || clang.ends_with("NOTFOUND")) GTEST_SKIP() << "no clang here";
  for (const char* language : {"c -std=c11", "c++ -std=c++20", "c++ -std=c++11"}) {
    const std::string command = clang + " -x " + language +
                                " -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I" +
                                LIMEN_SOURCE_DIR "/core/include " LIMEN_LAYOUT;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
}

// The stored header is that of version 1.0 for good: what it says must be said today.
TEST(PluginAbi, TodaysHeaderSaysWhatTheFirstOneSaid) {
  const std::string path = "/limen/plugin.h";
  const auto lines_of = [](const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("#define LIMEN_") && line.find("ABI_MINOR") == std::string::npos) {
        lines.push_back(line.substr(0, line.find("/*")));
      }
    }
    return lines;
  };
  const auto first = lines_of(LIMEN_SOURCE_DIR "/tests/plugin/abi/v1.0" + path);
  const auto today = lines_of(LIMEN_SOURCE_DIR "/core/include" + path);
  ASSERT_GT(first.size(), 50u);
  for (const std::string& line : first) EXPECT_THAT(today, testing::Contains(line));
}

class Compatibility : public testing::TestWithParam<const char*> {};

TEST_P(Compatibility, PluginsOfOtherHeadersRunInThisEngine) {
  PluginRegistry registry;
  const std::string name = GetParam();
  registry.load(LIMEN_ABI_PLUGINS "/abi_" + name + ".so");  // its golden tables are right: no E0520
  const Activation f = registry.find("compat_" + name);
  const auto params = f.params();
  ASSERT_EQ(params.size(), 2u);
  EXPECT_EQ(params[1].name, "knee");
  EXPECT_EQ(params[1].min, -1);
  EXPECT_EQ(test::forward<float>(f, {-2, 0.25, 1, 3}), (std::vector<float>{-2, 0.25, 2, 6}));
  EXPECT_EQ(test::derivative<double>(f, {-2, 3}), (std::vector<double>{1, 2}));
  Graph g;
  const Value x = g.input("x", {{4}});
  const Value y = activate(x, f.with({{"scale", 4}, {"knee", -1}}));
  g.output("y", y);
  const std::vector<Value> wanted = {x};
  g.output("dx", differentiate(sum(y), wanted)[0]);
  Executable program = compile(g);
  const Tensor in({{4}});
  std::ranges::copy(std::vector<float>{-2, 0.25, 1, 3}, in.as<float>().begin());
  program.bind("x", in);
  program.run();
  EXPECT_THAT(program.output("y").as<float>(), testing::ElementsAre(-2, 1, 4, 12));
  EXPECT_THAT(program.output("dx").as<float>(), testing::ElementsAre(1, 4, 4, 4));
}

INSTANTIATE_TEST_SUITE_P(Headers, Compatibility, testing::Values("today", "v1_0", "v1_1"));

TEST(PluginAbi, TheEngineStepsEveryTableByTheSizeOfItsEntries) {
  static const std::regex kIndexed(R"((->|\.)(kernels|params|goldens)\[)");
  int files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(LIMEN_SOURCE_DIR "/core")) {
    const std::string file = entry.path().string();
    if (!file.ends_with(".cpp")) continue;
    ++files;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      EXPECT_FALSE(std::regex_search(line, kIndexed)) << file << ": " << line;
    }
  }
  EXPECT_GT(files, 50);
}

TEST(PluginAbi, StructsArePlainData) {
  EXPECT_TRUE(std::is_trivial_v<limen_tile> && std::is_standard_layout_v<limen_tile>);
  EXPECT_TRUE(std::is_trivial_v<limen_op> && std::is_standard_layout_v<limen_op>);
}

TEST(PluginAbi, ArraysAreSteppedByTheSizeTheirProducerWrote) {
  struct LaterKernel {  // a later version appended a field
    limen_kernel kernel;
    std::uint64_t added[2];
  };
  LaterKernel table[2] = {};
  for (LaterKernel& entry : table) entry.kernel.size = sizeof(LaterKernel);
  table[1].kernel.role = LIMEN_BACKWARD;
  EXPECT_EQ(LIMEN_AT(limen_kernel, &table[0].kernel, 1)->role, LIMEN_BACKWARD);
}

TEST(PluginAbi, FieldsBeyondAProducersSizeAreNotRead) {
  limen_facts facts{};
  facts.size = offsetof(limen_facts, accuracy);
  EXPECT_TRUE(LIMEN_HAS(limen_facts, &facts, gain));
  EXPECT_FALSE(LIMEN_HAS(limen_facts, &facts, accuracy));
}

}  // namespace
}  // namespace limen
