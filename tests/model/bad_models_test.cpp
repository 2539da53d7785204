// tests/bad_models: each file says on its first line what is to be found in it:
// `# expect CODE [FILE:]LINE:COLUMN [--set PATH=VALUE]`.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/reading.hpp"

namespace limen::test {
namespace {

namespace fs = std::filesystem;

struct Expectation {
  std::string code, place, set;
};

Expectation expectation(const std::string& text) {
  std::istringstream line(text.substr(0, text.find('\n')));
  std::string hash, word, flag;
  Expectation out;
  line >> hash >> word >> out.code >> out.place >> flag;
  if (flag == "--set") std::getline(line >> std::ws, out.set);
  return out;
}

std::vector<fs::path> bad_models() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(LIMEN_SOURCE_DIR "/tests/bad_models")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class BadModel : public testing::TestWithParam<fs::path> {};

TEST_P(BadModel, IsRefusedAtItsPlaceWithHelp) {
  std::ifstream file(GetParam());
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const Expectation expected = expectation(text);
  PluginRegistry registry = shipped_plugins();
  registry.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so");
  ModelOptions options;
  if (!expected.set.empty()) options.sets.push_back(expected.set);
  try {
    Model::load(GetParam().string(), registry, options);
    FAIL() << "the file was read";
  } catch (const Error& error) {
    const Diagnostic& first = error.diagnostics().front();
    const std::string human = render(first, ErrorFormat::human);
    ASSERT_FALSE(first.spans.empty()) << human;
    const Span& at = first.spans.front();
    const bool here = at.file == GetParam().string();
    EXPECT_EQ(first.code, expected.code) << human;
    EXPECT_EQ((here ? std::string() : at.file + ":") + std::to_string(at.line) + ":" +
                  std::to_string(at.column),
              expected.place)
        << human;
    EXPECT_THAT(human, testing::HasSubstr("= help: ")) << human;
    EXPECT_EQ(error.diagnostics().size(), 1u) << error.what();
    const bool plugin = expected.code.substr(0, 3) == "E05";
    EXPECT_EQ(error.exit(), at.file == "--set" ? Exit::usage : plugin ? Exit::plugin : Exit::model);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, BadModel, testing::ValuesIn(bad_models()),
                         [](const auto& param) { return param.param.stem().string(); });

TEST(BadModels, AreMany) { EXPECT_GE(bad_models().size(), 100u); }

}  // namespace
}  // namespace limen::test
