// The documents: what they show must work.
#include "support/snippets.hpp"
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

const std::vector<std::string>& documents() {
  static const std::vector<std::string> kDocuments = {"README.md", "core/README.md",
                                                      "models/README.md", "plugins/README.md"};
  return kDocuments;
}

class Readme : public Program {
 protected:
  void SetUp() override {
    std::filesystem::copy(LIMEN_SOURCE_DIR "/models", scratch_.path("models"),
                          std::filesystem::copy_options::recursive);
  }
};

TEST_F(Readme, EveryModelOfTheDocumentsIsRight) {
  int models = 0;
  for (const std::string& document : documents()) {
    for (const Snippet& snippet : snippets_of(document)) {
      if (snippet.language != "yaml") continue;
      ++models;
      const Outcome outcome = limen({"check", "-"}, snippet.text);
      EXPECT_EQ(outcome.exit, 0) << snippet.file << ":" << snippet.line << "\n" << outcome.err;
    }
  }
  EXPECT_GE(models, 5);
}

TEST_F(Readme, EveryCommandOfTheReadmeRuns) {
  int commands = 0;
  std::filesystem::create_symlink(LIMEN_PROGRAM, scratch_.path("limen"));
  for (const Snippet& snippet : snippets_of("README.md")) {
    if (snippet.language != "sh") continue;
    std::istringstream in(snippet.text);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("limen ")) continue;
      ++commands;
      Command wanted = command({});
      wanted.words = {"/bin/sh", "-c", "PATH=.:$PATH; " + line};
      wanted.folder = scratch_.folder();
      const Outcome outcome = test::run(wanted);
      EXPECT_EQ(outcome.exit, 0) << line << "\n" << outcome.err;
    }
  }
  EXPECT_GE(commands, 5);
}

// The text without its fenced blocks: `[](auto x)` is no link.
std::string prose_of(const std::string& text) {
  std::string prose;
  bool inside = false;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) inside = !inside;
    if (!inside) prose += line + "\n";
  }
  return prose;
}

TEST_F(Readme, EveryLinkOfTheDocumentsLeadsSomewhere) {
  for (const std::string& document : documents()) {
    const std::filesystem::path path = std::filesystem::path(LIMEN_SOURCE_DIR) / document;
    const std::string text = prose_of(Scratch::read(path.string()));
    EXPECT_FALSE(text.empty()) << document;
    for (std::size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
      const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
      if (target.find("://") != std::string::npos) continue;
      EXPECT_TRUE(std::filesystem::exists(path.parent_path() / target.substr(0, target.find('#'))))
          << document << " leads to " << target;
    }
  }
}

TEST_F(Readme, EveryShippedModelIsRight) {
  for (const auto& entry : std::filesystem::directory_iterator(LIMEN_SOURCE_DIR "/models")) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_EQ(limen({"check", entry.path().string()}).exit, 0) << entry.path();
    EXPECT_EQ(limen({"summary", entry.path().string()}).exit, 0) << entry.path();
  }
}

}  // namespace
}  // namespace limen::test
