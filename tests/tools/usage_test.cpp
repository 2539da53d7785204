// The command line itself: help, wrong usage, exit codes, error forms.
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Usage : public Program {};

TEST_F(Usage, AloneItShowsEightLinesWithTwoExamples) {
  const std::string text = good({});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 8);
  EXPECT_THAT(text, HasSubstr("limen train models/digits.yaml"));
  EXPECT_THAT(text, HasSubstr("limen gradcheck op:sigmoid"));
}

TEST_F(Usage, EveryVerbHasHelpThatNamesItsOptions) {
  for (const char* verb : {"train", "eval", "run", "check", "summary", "gradcheck", "bench", "list",
                           "version", "help"}) {
    const std::string text = good({"help", verb});
    EXPECT_THAT(text, StartsWith(verb + std::string(": "))) << verb;
    EXPECT_THAT(text, HasSubstr("usage: limen " + std::string(verb))) << verb;
    EXPECT_THAT(text, HasSubstr("example:\n  limen " + std::string(verb))) << verb;
    EXPECT_EQ(text, good({verb, "--help"})) << verb;
    EXPECT_THAT(good({"--help"}), HasSubstr(verb)) << verb;
  }
  EXPECT_THAT(good({"help", "plugin", "info"}), HasSubstr("usage: limen plugin info"));
  EXPECT_THAT(good({"help", "train"}), HasSubstr("--resume RUN"));
}

TEST_F(Usage, WrongWordsAreRefusedWithExitCode2AndAHint) {
  struct Case {
    std::vector<std::string> words;
    const char* says;
  };
  const std::vector<Case> cases = {
      {{"trian", "m.yaml"}, "did you mean `train`?"},
      {{"tra", "m.yaml"}, "unknown verb `tra`"},
      {{"plugin", "lst"}, "did you mean `list`?"},
      {{"train", "m.yaml", "--epoch", "3"}, "did you mean `--epochs`?"},
      {{"--jsn", "version"}, "did you mean `--json`?"},
      {{"train"}, "needs a model file"},
      {{"run"}, "needs a model file"},
      {{"eval"}, "needs a run folder"},
      {{"check"}, "needs at least one model file"},
      {{"summary"}, "needs a model file"},
      {{"gradcheck"}, "needs a FILE.so"},
      {{"bench"}, "needs a model file"},
      {{"list"}, "needs a word"},
      {{"plugin", "info"}, "needs a FILE.so or a name"},
      {{"list", "optimisers"}, "did you mean `optimizers`?"},
      {{"train", "m.yaml", "--epochs", "three"}, "wants a whole number of at least 1, got `three`"},
      {{"train", "m.yaml", "--epochs", "0"}, "wants a whole number of at least 1, got `0`"},
      {{"train", "m.yaml", "--threads", "-2"}, "--threads"},
      {{"train", "m.yaml", "--threads", "100000"}, "at most 1024"},
      {{"train", "m.yaml", "--epochs", "1", "--steps", "2"}, "not both"},
      {{"train", "m.yaml", "--resume", "r"}, "needs a model file, or"},
      {{"train", "--resume", "r", "--out", "o"}, "means nothing"},
      {{"bench", "m.yaml", "--mode", "trian"}, "did you mean `train`?"},
      {{"run", "m.yaml", "--dtype", "f16"}, "wants one of f32, f64"},
      {{"version", "extra"}, "has no use for `extra`"},
      {{"--threads", "2", "version"}, "means nothing to `limen version`"},
      {{"help", "trian"}, "did you mean `train`?"},
      {{"train", "m.yaml", "--out"}, "--out"},
      {{"version", "--color", "blue"}, "wants one of auto, always, never"}};
  for (const Case& c : cases) {
    const Outcome outcome = limen(c.words);
    EXPECT_EQ(outcome.exit, 2) << c.words.front() << ": " << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.says)) << c.words.front();
    EXPECT_THAT(outcome.err, StartsWith("error: ")) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Usage, GlobalOptionsStandBeforeOrAfterTheVerb) {
  write("m.yaml", kSmallModel);
  const std::string before = good({"--json", "summary", "m.yaml"});
  EXPECT_EQ(before, good({"summary", "m.yaml", "--json"}));
  EXPECT_EQ(before, good({"summary", "--json", "m.yaml"}));
}

TEST_F(Usage, TheVersionComesAsTextAndAsJson) {
  EXPECT_THAT(good({"version"}), StartsWith("limen "));
  EXPECT_EQ(good({"--version"}), good({"version"}));
  const Json json = good_json({"version", "--json"});
  EXPECT_EQ(json["kind"], "version");
  EXPECT_EQ(json["abi"], "1.0");
}

TEST_F(Usage, ErrorsComeInThreeForms) {
  std::string text = kSmallModel;
  text.replace(text.find("  epochs: 3"), 8, "  epoch");
  write("m.yaml", text);
  const std::string human = limen({"check", "m.yaml"}).err;
  EXPECT_THAT(human, HasSubstr("error[E0103]: unknown key `epoch`"));
  EXPECT_THAT(human, HasSubstr("--> m.yaml:15:3\n"));
  EXPECT_THAT(human, HasSubstr("= help: did you mean `epochs`?"));
  const std::string brief = limen({"check", "m.yaml", "--error-format", "short"}).err;
  EXPECT_THAT(brief, StartsWith("m.yaml:15:3: error[E0103]: unknown key `epoch`"));
  EXPECT_EQ(std::count(brief.begin(), brief.end(), '\n'), 1);
  const Json json = lines(limen({"check", "m.yaml", "--error-format", "json"}).err).at(0);
  EXPECT_EQ(json["code"], "E0103");
  EXPECT_EQ(json["spans"][0]["line"], 15);
  const Json usage = lines(limen({"--error-format=json", "trian"}).err).at(0);
  EXPECT_EQ(usage["code"], "");
}

TEST_F(Usage, ColoursComeOnlyWhenAskedFor) {
  write("m.yaml", "limen: 2\n");
  EXPECT_EQ(limen({"check", "m.yaml"}).err.find("\033["), std::string::npos);
  EXPECT_NE(limen({"check", "m.yaml", "--color", "always"}).err.find("\033["), std::string::npos);
  EXPECT_EQ(limen({"check", "m.yaml", "--color=never"}).err.find("\033["), std::string::npos);
}

TEST_F(Usage, AnotherFolderIsEnteredFirst) {
  write("deep/m.yaml", kSmallModel);
  EXPECT_EQ(good({"-C", "deep", "check", "m.yaml"}), "m.yaml: ok\n");
  EXPECT_EQ(limen({"-C", "nowhere", "check", "m.yaml"}).exit, 4);
}

TEST_F(Usage, AReaderThatGoesAwayDoesNoHarm) {
  Command wanted = command({"list", "ops"});
  Child child(wanted);
  child.close_output();
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(outcome.signal, 0);
}

TEST_F(Usage, AFullDiskBehindTheOutputIsAnError) {
  Command wanted = command({"list", "ops"});
  wanted.words = {"/bin/sh", "-c", std::string(LIMEN_PROGRAM) + " list ops > /dev/full"};
  const Outcome outcome = test::run(wanted);
  EXPECT_EQ(outcome.exit, 7);
  EXPECT_THAT(outcome.err, HasSubstr("cannot write to the standard output"));
}

TEST_F(Usage, ListsHaveTheirNames) {
  EXPECT_THAT(good({"list", "ops"}), HasSubstr("dense "));
  EXPECT_THAT(good({"list", "ops"}), HasSubstr("leaky_relu "));
  EXPECT_THAT(good({"list", "losses"}), HasSubstr("softmax_cross_entropy"));
  EXPECT_THAT(good({"list", "metrics"}), HasSubstr("accuracy"));
  EXPECT_THAT(good({"list", "optimizers"}), HasSubstr("adamw"));
  EXPECT_THAT(good({"list", "schedules"}), HasSubstr("cosine"));
  EXPECT_THAT(good({"list", "inits"}), HasSubstr("xavier_uniform"));
  EXPECT_THAT(good({"list", "datasets"}), HasSubstr("digits"));
  EXPECT_THAT(good({"list", "sources"}), HasSubstr("idx"));
  const Json json = good_json({"list", "activations", "--json"});
  EXPECT_GE(json["items"].size(), 40u);
  const auto leaky = std::find_if(json["items"].begin(), json["items"].end(),
                                  [](const Json& item) { return item["name"] == "leaky_relu"; });
  ASSERT_NE(leaky, json["items"].end());
  EXPECT_EQ((*leaky)["main"], "alpha");
}

}  // namespace
}  // namespace limen::test
