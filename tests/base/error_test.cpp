#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limen/error.hpp>
#include <nlohmann/json.hpp>

namespace limen {
namespace {

Diagnostic misspelt() {
  return {.code = "E0103",
          .message = "unknown key `epoch` in `train`",
          .spans = {{"mnist.yaml", 22, 3, 5, "  epoch: 10", ""}},
          .notes = {},
          .help = {"did you mean `epochs`?", "known: batch, epochs"}};
}

std::string human(const Diagnostic& d) { return render(d, ErrorFormat::human); }

TEST(Render, LaysAnErrorOutWithItsLineAndCarets) {
  EXPECT_EQ(human(misspelt()),
            "error[E0103]: unknown key `epoch` in `train`\n"
            "  --> mnist.yaml:22:3\n"
            "   |\n"
            "22 |   epoch: 10\n"
            "   |   ^^^^^\n"
            "   = help: did you mean `epochs`?\n"
            "   = help: known: batch, epochs\n");
}

TEST(Render, PutsASecondPlaceBelowTheFirst) {
  const Diagnostic twice{.code = "E0003",
                         .message = "key `epochs` appears twice in the same map",
                         .spans = {{"m.yaml", 24, 3, 6, "  epochs: 20", "second time here"},
                                   {"m.yaml", 22, 3, 6, "  epochs: 10", "first here"}},
                         .notes = {},
                         .help = {"keep one of them"}};
  EXPECT_EQ(human(twice),
            "error[E0003]: key `epochs` appears twice in the same map\n"
            "  --> m.yaml:24:3\n"
            "   |\n"
            "24 |   epochs: 20\n"
            "   |   ^^^^^^ second time here\n"
            "   ::: m.yaml:22:3\n"
            "22 |   epochs: 10\n"
            "   |   ------ first here\n"
            "   = help: keep one of them\n");
}

TEST(Render, MakesTheGutterAsWideAsTheLargestLineNumber) {
  Diagnostic d = misspelt();
  d.spans = {{"m.yaml", 14, 5, 4, "  - $act", ""}, {"--set", 1, 5, 5, "act=rellu", "set here"}};
  EXPECT_THAT(human(d),
              testing::HasSubstr("   ::: --set:1:5\n 1 | act=rellu\n   |     ----- set here\n"));
  d.spans = {{"m.yaml", 2, 8, 1, "limen: 2", ""}};
  EXPECT_THAT(human(d), testing::HasSubstr("\n --> m.yaml:2:8\n  |\n2 | limen: 2\n  |        ^\n"));
}

TEST(Render, CountsColumnsInCharacters) {
  Diagnostic d = misspelt();
  d.spans = {{"m.yaml", 1, 7, 3, "größe: abc", ""}};  // ö and ß are two bytes each
  EXPECT_THAT(human(d), testing::HasSubstr("1 | größe: abc\n  |       ^^^\n"));
}

TEST(Render, KeepsTabsInTheIndentationOfTheMarks) {
  Diagnostic d = misspelt();
  d.spans = {{"m.yaml", 5, 3, 2, "\ta\tbc", ""}};
  EXPECT_THAT(human(d), testing::HasSubstr("5 | \ta\tbc\n  | \t ^^\n"));
}

TEST(Render, EndsTheMarksWithTheLine) {
  Diagnostic d = misspelt();
  d.spans = {{"m.yaml", 5, 3, 1000, "abcd", ""}};
  EXPECT_THAT(human(d), testing::HasSubstr("  |   ^^\n"));
  d.spans = {{"m.yaml", 5, 5, 0, "abcd", "here"}};  // just behind the end, and no length
  EXPECT_THAT(human(d), testing::HasSubstr("  |     ^ here\n"));
}

TEST(Render, NamesAFileAsAWholeWithoutALine) {
  Diagnostic d = misspelt();
  d.spans = {{"m.yaml", 0, 0, 1, "", ""}};
  EXPECT_THAT(
      human(d),
      testing::StartsWith("error[E0103]: unknown key `epoch` in `train`\n --> m.yaml\n  = help:"));
}

TEST(Render, KeepsControlCharactersOfAFileFromTheTerminal) {
  Diagnostic d = misspelt();
  d.message = "bad \x1b[31m name";
  d.spans = {{"m\x07.yaml", 5, 3, 1, "a\x1b[2Jb\rc", "\x1b]0;x"}};
  for (const ErrorFormat format : {ErrorFormat::human, ErrorFormat::brief, ErrorFormat::json}) {
    const std::string text = render(d, format);
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\x07'), std::string::npos) << text;
    EXPECT_EQ(text.find('\r'), std::string::npos) << text;
  }
}

TEST(Render, ColoursOnRequestOnly) {
  EXPECT_EQ(human(misspelt()).find('\033'), std::string::npos);
  EXPECT_THAT(render(misspelt(), ErrorFormat::human, true), testing::HasSubstr("\033[31;1m"));
  EXPECT_EQ(render(misspelt(), ErrorFormat::brief, true).find('\033'), std::string::npos);
}

TEST(Render, BriefIsOneLineThatEditorsParse) {
  EXPECT_EQ(render(misspelt(), ErrorFormat::brief),
            "mnist.yaml:22:3: error[E0103]: unknown key `epoch` in `train`; help: did you mean "
            "`epochs`?; help: known: batch, epochs\n");
  Diagnostic d = misspelt();
  d.warning = true;
  d.message = "two\nlines";
  d.help = {};
  d.notes = {"a note"};
  EXPECT_EQ(render(d, ErrorFormat::brief), "mnist.yaml:22:3: warning[E0103]: two lines; a note\n");
}

TEST(Render, LeavesOutAMissingCode) {
  EXPECT_EQ(render({.code = "", .message = "no model given", .spans = {}, .notes = {}, .help = {}},
                   ErrorFormat::brief),
            "error: no model given\n");
}

TEST(Render, JsonIsOneObjectPerLine) {
  Diagnostic d = misspelt();
  d.notes = {"quote \" and backslash \\"};
  const std::string text = render(d, ErrorFormat::json);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["code"], "E0103");
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["message"], d.message);
  EXPECT_EQ(json["notes"][0], d.notes[0]);
  EXPECT_EQ(json["help"].size(), 2u);
  EXPECT_EQ(json["spans"][0]["file"], "mnist.yaml");
  EXPECT_EQ(json["spans"][0]["line"], 22);
  EXPECT_EQ(json["spans"][0]["col"], 3);
  EXPECT_EQ(json["spans"][0]["end_col"], 8);
  EXPECT_EQ(json["spans"][0]["primary"], true);
  EXPECT_EQ(json["rendered"], human(d));
}

TEST(Error, TakesItsExitCodeFromTheFirstCode) {
  EXPECT_EQ(exit_code("E0001"), Exit::model);
  EXPECT_EQ(exit_code("E0208"), Exit::model);
  EXPECT_EQ(exit_code("E0501"), Exit::plugin);
  EXPECT_EQ(exit_code("E0607"), Exit::model);
  EXPECT_EQ(exit_code("E0804"), Exit::model);
  EXPECT_EQ(exit_code("E0901"), Exit::data);
  EXPECT_EQ(exit_code("E1002"), Exit::data);
  EXPECT_EQ(exit_code("E1101"), Exit::numeric);
  EXPECT_EQ(exit_code(""), Exit::usage);
  EXPECT_EQ(Error("E0501", "x").exit(), Exit::plugin);
  EXPECT_EQ(Error({misspelt()}, Exit::bug).exit(), Exit::bug);
  EXPECT_EQ(
      Error(std::vector<Diagnostic>{
                misspelt(), {.code = "E0501", .message = "", .spans = {}, .notes = {}, .help = {}}})
          .exit(),
      Exit::model);
}

TEST(Error, SaysEveryDiagnosticInShort) {
  const Error error(std::vector<Diagnostic>{misspelt(), misspelt()});
  const std::string what = error.what();
  EXPECT_EQ(std::count(what.begin(), what.end(), '\n'), 1);
  EXPECT_THAT(what, testing::StartsWith("mnist.yaml:22:3: error[E0103]"));
}

}  // namespace
}  // namespace limen
