// Files that are cut off or damaged are refused or read, and never crash.
#include <fstream>

#include "model/reading.hpp"

namespace limen::test {
namespace {

std::string shipped(const std::string& name) {
  std::ifstream file(LIMEN_SOURCE_DIR "/models/" + name + ".yaml");
  return {std::istreambuf_iterator<char>(file), {}};
}

void try_to_read(const std::string& text, PluginRegistry& registry) {
  try {
    Model::parse(text, "model.yaml", registry);
  } catch (const Error& error) {
    for (const Diagnostic& diagnostic : error.diagnostics()) {
      EXPECT_FALSE(diagnostic.spans.empty()) << diagnostic.message;
      EXPECT_FALSE(diagnostic.help.empty()) << diagnostic.message;
      EXPECT_FALSE(render(diagnostic, ErrorFormat::json).empty());
    }
  }
}

TEST(Hostile, CutsAtEveryByteNeverCrash) {
  PluginRegistry registry = shipped_plugins();
  for (const char* name : {"spiral", "digits"}) {
    const std::string text = shipped(name);
    ASSERT_GT(text.size(), 300u);
    for (std::size_t n = 0; n < text.size(); ++n) try_to_read(text.substr(0, n), registry);
  }
}

TEST(Hostile, ChangedBytesNeverCrash) {
  PluginRegistry registry = shipped_plugins();
  const std::string text = shipped("spiral");
  const std::string marks = "[]{}:,-#&*!|>'\"%@`$() \n\t0\\?x~";
  std::uint64_t random = 1;
  const auto next = [&] {
    return random = random * 6364136223846793005u + 1442695040888963407u, random >> 33;
  };
  for (int i = 0; i < 4000; ++i) {
    std::string bad = text;
    const std::size_t changes = 1 + next() % 4;
    for (std::size_t k = 0; k < changes; ++k) {
      const std::size_t at = next() % bad.size();
      const std::uint64_t what = next() % 4;
      if (what == 0) bad[at] = static_cast<char>(next() & 0xff);
      if (what == 1) bad[at] = marks[next() % marks.size()];
      if (what == 2) bad.erase(at, 1 + next() % 3);
      if (what == 3) bad.insert(at, 1 + next() % 3, marks[next() % marks.size()]);
    }
    try_to_read(bad, registry);
  }
}

TEST(Hostile, MovedLinesNeverCrash) {
  PluginRegistry registry = shipped_plugins();
  std::vector<std::string> lines;
  std::string text = shipped("digits"), line;
  std::istringstream stream(text);
  while (std::getline(stream, line)) lines.push_back(line + "\n");
  std::uint64_t random = 7;
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::string> mixed = lines;
    for (int k = 0; k < 3; ++k) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      std::swap(mixed[(random >> 33) % mixed.size()], mixed[(random >> 45) % mixed.size()]);
    }
    std::string joined;
    for (const std::string& part : mixed) joined += part;
    try_to_read(joined, registry);
  }
}

TEST(Hostile, HugeNumbersAndListsAreRefused) {
  PluginRegistry registry = shipped_plugins();
  for (const char* steps :
       {"  - dense: 99999999999999999999\n", "  - dense: 9223372036854775807\n",
        "  - reshape: [9223372036854775807, 9223372036854775807]\n", "  - dense: -1\n",
        "  - dense: 1e400\n", "  - transpose: [99999999999999999]\n"}) {
    EXPECT_FALSE(said(with_graph(steps)).empty()) << steps;
  }
  std::string many = "limen: 1\ninputs:\n  x: f32[";
  for (int i = 0; i < 100'000; ++i) many += "2, ";
  EXPECT_FALSE(said(many + "2]\ngraph: [tanh]\n").empty());
  std::string deep = with_graph("  - tanh\n");
  for (int i = 0; i < 100'000; ++i) deep += "x-" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(said(deep).empty());
}

}  // namespace
}  // namespace limen::test
