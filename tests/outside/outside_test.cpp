// limen installed into an empty prefix, and a project outside of the tree that builds against it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/process.hpp"
#include "support/scratch.hpp"
#include "support/snippets.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kProject = R"(
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES CXX)
find_package(limen REQUIRED)
limen_add_plugin(my_mish my_mish.cpp)
add_executable(small small.cpp)
target_link_libraries(small PRIVATE limen::limen)
)";

// sum(tanh(x w)) for x = 0.5 and w = 0.1 everywhere: d/dw = 4 * 0.5 * (1 - tanh(0.15)^2) = 1.95567.
constexpr const char* kProgram = R"(
#include <iostream>
#include <limen/limen.hpp>

int main(int, char** argv) {
  limen::PluginRegistry plugins;
  plugins.load(argv[1]);

  limen::Graph g;
  auto x = g.input("x", {{4, 3}});
  auto w = g.parameter("w", {{3, 2}});
  auto y = sum(activate(matmul(x, w), plugins.find("tanh")));
  g.output("y", y);
  g.output("dw", differentiate(y, std::array{w})[0]);

  limen::Executable exe = compile(g);
  limen::Tensor xs({{4, 3}}), ws({{3, 2}});
  for (auto& v : xs.as<float>()) v = 0.5f;
  for (auto& v : ws.as<float>()) v = 0.1f;
  exe.bind("x", xs), exe.bind("w", ws), exe.run();
  for (float d : exe.output("dw").as<float>()) std::cout << d << ' ';
}
)";

constexpr const char* kModel = R"(limen: 1
name: outside
plugins: [plugins/my_mish.so]
inputs:
  x: f32[N, 2]
  label: i64[N]
graph:
  - [dense: 16, my_mish, dense: 2]
loss: softmax_cross_entropy
metrics: [accuracy]
data: {moons: {n: 1000}}
train: {epochs: 30, batch: 20, seed: 1, optimizer: {adam: 0.02}}
)";

// The first block of plugins/README.md in that language.
std::string readme(const std::string& language) {
  for (const Snippet& snippet : snippets_of("plugins/README.md")) {
    if (snippet.language == language) return snippet.text;
  }
  ADD_FAILURE() << "plugins/README.md has no block of " << language;
  return "";
}

class Outside : public ::testing::Test {
 protected:
  std::string must(std::vector<std::string> words) const {
    const Outcome outcome =
        run({.words = std::move(words),
             .environment = {{"LIMEN_PLUGIN_PATH", ""}, {"XDG_DATA_HOME", "/nonexistent"}},
             .folder = scratch_.folder()});
    EXPECT_EQ(outcome.exit, 0) << outcome.out << outcome.err;
    return outcome.out;
  }

  Scratch scratch_;
};

TEST_F(Outside, APluginBuiltElsewhereTrainsWithTheInstalledLimen) {
  must({LIMEN_CMAKE, "--install", LIMEN_BINARY_DIR, "--prefix", scratch_.path("prefix")});
  const std::string limen = scratch_.path("prefix/bin/limen");
  const auto plugins = nlohmann::json::parse(must({limen, "plugin", "list", "--json"}));
  ASSERT_EQ(plugins["plugins"].size(), 43u);
  EXPECT_THAT(std::string(plugins["plugins"][0]["file"]),
              HasSubstr("/prefix/lib/limen/plugins/"));  // found from where the program lies

  scratch_.write("project/CMakeLists.txt", kProject);
  scratch_.write("project/my_mish.cpp", readme("cpp"));
  scratch_.write("project/small.cpp", kProgram);
  must({LIMEN_CMAKE, "-S", "project", "-B", "build",
        "-DCMAKE_PREFIX_PATH=" + scratch_.path("prefix"),
        std::string("-DCMAKE_CXX_COMPILER=") + LIMEN_CXX, "-DCMAKE_BUILD_TYPE=Release"});
  must({LIMEN_CMAKE, "--build", "build"});

  scratch_.write("model/m.yaml", kModel);
  std::filesystem::create_directories(scratch_.path("model/plugins"));
  std::filesystem::copy(scratch_.path("build/my_mish.so"),
                        scratch_.path("model/plugins/my_mish.so"));
  must({limen, "train", "model/m.yaml", "--out", "run", "-q"});
  must({limen, "eval", "run", "--require", "accuracy>0.95"});
  const auto check =
      nlohmann::json::parse(must({limen, "gradcheck", "model/plugins/my_mish.so", "--json"}));
  EXPECT_EQ(check["verdict"], "pass");
  must({limen, "gradcheck", "model/m.yaml"});

  // The same by hand, as the README says.
  std::string by_hand = readme("sh");
  by_hand.replace(by_hand.find("PREFIX"), 6, scratch_.path("prefix"));
  must({"/bin/sh", "-c", "cd project && " + by_hand});
  must({limen, "gradcheck", "project/my_mish.so"});

  const std::string tanh = scratch_.path("prefix/lib/limen/plugins/tanh.so");
  EXPECT_THAT(must({scratch_.path("build/small"), tanh}), StartsWith("1.95567 1.95567 "));
}

}  // namespace
}  // namespace limen::test
