// limen gradcheck and the plugin verbs, with plugins that misbehave.
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

class Gradcheck : public Program {
 protected:
  static std::string plugin(const std::string& fault) {
    return std::string(LIMEN_TOOL_PLUGINS) + "/tools_" + fault + ".so";
  }
};

TEST_F(Gradcheck, AShippedPluginPassesAsFileAndByName) {
  const Json file = good_json({"gradcheck", LIMEN_SHIPPED_PLUGINS "/tanh.so", "--json"});
  EXPECT_EQ(file["verdict"], "pass");
  ASSERT_FALSE(file["checks"].empty());
  for (const Json& check : file["checks"]) {
    EXPECT_EQ(check["op"], "tanh");
    EXPECT_FALSE(check["check"].get<std::string>().empty());
    EXPECT_EQ(check["verdict"], "pass");
  }
  EXPECT_EQ(good_json({"gradcheck", "op:tanh", "--json"})["verdict"], "pass");
}

TEST_F(Gradcheck, TheSameSeedGivesTheSameBytes) {
  const std::string first = good({"gradcheck", "op:relu", "--json", "--seed", "3"});
  EXPECT_EQ(first, good({"gradcheck", "op:relu", "--json", "--seed", "3"}));
}

TEST_F(Gradcheck, AModelPasses) {
  write("m.yaml", kSmallModel);
  const Json json = good_json({"gradcheck", "m.yaml", "--json"});
  EXPECT_EQ(json["verdict"], "pass");
  std::string names;
  for (const Json& check : json["checks"]) names += check["op"].get<std::string>() + " ";
  EXPECT_THAT(names, HasSubstr("dense1.weight"));
  EXPECT_THAT(names, HasSubstr("scores.bias"));
}

TEST_F(Gradcheck, AWrongGradientFailsWithExitCode1AndFigures) {
  const Outcome json = limen({"gradcheck", plugin("wrong"), "--json"});
  EXPECT_EQ(json.exit, 1) << json.err;
  const Json report = Json::parse(json.out);
  EXPECT_EQ(report["verdict"], "fail");
  EXPECT_EQ(report["checks"][0]["op"], "odd_square");
  const Outcome text = limen({"gradcheck", plugin("wrong")});
  EXPECT_EQ(text.exit, 1);
  EXPECT_THAT(text.out, HasSubstr("odd_square"));
  EXPECT_THAT(text.out, HasSubstr("expected"));
  EXPECT_THAT(text.out, HasSubstr("got"));
}

TEST_F(Gradcheck, ACrashIsAFailureOfThePluginNotOfLimen) {
  const Outcome outcome = limen({"gradcheck", plugin("crashing"), "--json"});
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.exit, 5) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["verdict"], "fail");
  EXPECT_TRUE(std::any_of(report["checks"].begin(), report["checks"].end(), [](const Json& check) {
    return check["op"] == "odd_square" && check["verdict"] == "fail" &&
           check["where"] == "killed by SIGSEGV";
  })) << outcome.out;
}

TEST_F(Gradcheck, AHangIsGivenUp) {
  const Outcome outcome = limen({"gradcheck", plugin("hanging"), "--json", "--timeout", "2"});
  EXPECT_EQ(outcome.exit, 5);
  EXPECT_THAT(outcome.out, HasSubstr("no answer within 2 s"));
}

TEST_F(Gradcheck, APluginThatLeavesIsAFailure) {
  const Outcome outcome = limen({"gradcheck", plugin("leaving"), "--json"});
  EXPECT_EQ(outcome.exit, 5);
  EXPECT_THAT(outcome.out, HasSubstr("ended itself with status 0"));
}

TEST_F(Gradcheck, ALibraryThatCannotBeLoadedHasAVerdictToo) {
  write("text.so", "this is text");
  const Outcome outcome = limen({"gradcheck", "text.so", "--json"});
  EXPECT_EQ(outcome.exit, 5);
  EXPECT_EQ(Json::parse(outcome.out)["verdict"], "fail");
  EXPECT_THAT(outcome.err, HasSubstr("error[E05"));
}

TEST_F(Gradcheck, PluginsAreListedAndDescribed) {
  const Json list = good_json({"plugin", "list", "--json"});
  EXPECT_GE(list["plugins"].size(), 7u);
  EXPECT_EQ(list["plugins"][0]["shipped"], true);
  const Json more = good_json({"plugin", "list", "--json", "--plugin", plugin("wrong")});
  EXPECT_EQ(more["plugins"].size(), list["plugins"].size() + 1);
  const Json info = good_json({"plugin", "info", "leaky_relu", "--json"});
  EXPECT_EQ(info["plugin"], "org.limen.leaky_relu");
  const Json& param = info["ops"][0]["params"][0];
  EXPECT_EQ(param["name"], "alpha");
  EXPECT_EQ(param["default"], 0.01);
  EXPECT_EQ(param["min"], 0);
  EXPECT_EQ(param["max"], 1);
  EXPECT_FALSE(info["ops"][0]["kernels"].empty());
  EXPECT_THAT(good({"plugin", "info", LIMEN_SHIPPED_PLUGINS "/leaky_relu.so"}), HasSubstr("alpha"));
  EXPECT_THAT(good({"plugin", "info", "org.limen.relu"}), HasSubstr("relu"));
}

TEST_F(Gradcheck, AModelUsesAPluginOfTheCommandLine) {
  std::string text = kSmallModel;
  write("m.yaml", text.replace(text.find("- tanh"), 6, "- odd_square"));
  EXPECT_EQ(limen({"check", "m.yaml"}).exit, 3);
  EXPECT_EQ(limen({"check", "m.yaml", "--plugin", plugin("wrong")}).exit, 0);
  const Outcome outcome = limen({"gradcheck", "m.yaml", "--plugin", plugin("wrong")});
  EXPECT_EQ(outcome.exit, 1) << outcome.err;
}

}  // namespace
}  // namespace limen::test
