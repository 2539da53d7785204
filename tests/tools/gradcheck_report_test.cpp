// What limen gradcheck prints: its JSON keeps to the schema, the commands it names work, and a
// plugin that misbehaves is named while the rest goes on.
#include <fstream>

#include "tools/support/program.hpp"
#include "tools/support/schema.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

class GradcheckReport : public Program {
 protected:
  static std::string tool(const std::string& name) {
    return std::string(LIMEN_TOOL_PLUGINS) + "/" + name + ".so";
  }
  static std::string selftest(const std::string& name) {
    return std::string(LIMEN_SELFTEST_PLUGINS) + "/" + name + ".so";
  }

  Json report(const std::vector<std::string>& words, int exit) const {
    std::vector<std::string> all{"gradcheck", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = limen(all);
    EXPECT_EQ(outcome.exit, exit) << outcome.err;
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    EXPECT_EQ(schema_.fault(json), "");
    return json;
  }

  // The command that a report names, with more words behind it.
  Outcome repeat(const std::string& command, const std::string& more) const {
    EXPECT_TRUE(command.starts_with("limen gradcheck ")) << command;
    Command wanted = this->command({});
    wanted.words = {"sh", "-c", LIMEN_PROGRAM + command.substr(5) + more};
    wanted.folder = scratch_.folder();
    return test::run(wanted);
  }

  static Json find(const Json& report, const std::string& op, const std::string& test) {
    for (const Json& check : report["checks"]) {
      if (check["op"] == op && check["test"] == test && check["verdict"] != "pass") return check;
    }
    ADD_FAILURE() << "no failed " << test << " of " << op;
    return {};
  }

  static Schema read_schema() {
    std::ifstream file(LIMEN_GRADCHECK_SCHEMA);
    return Schema(Json::parse(file));
  }

  Schema schema_ = read_schema();
};

TEST_F(GradcheckReport, KeepsToItsSchemaWhateverTheVerdict) {
  EXPECT_EQ(report({LIMEN_SHIPPED_PLUGINS "/relu.so"}, 0)["verdict"], "pass");
  EXPECT_EQ(report({tool("tools_wrong"), LIMEN_SHIPPED_PLUGINS "/step.so"}, 1)["subjects"].size(),
            2U);
  const Json wrong = report({tool("tools_wrong")}, 1);
  EXPECT_EQ(wrong["severity"], "wrong");
  EXPECT_EQ(wrong["abi"], "1.0");
  EXPECT_EQ(wrong["dtype"], "f64");
  EXPECT_EQ(wrong["sha256"].get<std::string>().size(), 64u);
  for (const char* key : {"cpu", "compiler", "flags", "mxcsr"})
    EXPECT_TRUE(wrong["env"].contains(key));
  report({tool("tools_leaving")}, 5);
  write("text.so", "this is text");
  report({"text.so"}, 5);
  report({"op:matmul"}, 0);
  write("m.yaml", kSmallModel);
  report({"m.yaml"}, 0);
  Json broken = wrong;
  broken["checks"][0]["verdict"] = "maybe";
  EXPECT_THAT(schema_.fault(broken), HasSubstr("$.checks[0].verdict"));
  broken = wrong;
  broken["when"] = "now";
  EXPECT_THAT(schema_.fault(broken), HasSubstr("$.when"));
}

// undecidable: the forward is different each time.
TEST_F(GradcheckReport, KeepsToItsSchemaWhereNothingCanBeDecided) {
  const Json json = report({selftest("memory"), "--case", "s03_running_mean/derivative-fd"}, 1);
  EXPECT_EQ(json["verdict"], "undecidable");
  EXPECT_GT(json["checks"][0]["undecided"], 0);
}

TEST_F(GradcheckReport, IsTheSameBytesFromTheSameSeed) {
  for (const std::string& file :
       {tool("tools_wrong"), tool("tools_leaving"), tool("planted_deadly")}) {
    const std::vector<std::string> words{"gradcheck", file,        "--json", "--seed",
                                         "3",         "--timeout", "2"};
    const Outcome first = limen(words), second = limen(words);
    EXPECT_EQ(first.out, second.out) << file;
    EXPECT_GT(first.out.size(), 1000u);
  }
}

TEST_F(GradcheckReport, ShowsPeopleOneFailureInFull) {
  const std::string text = limen({"gradcheck", tool("tools_wrong")}).out;
  EXPECT_THAT(text, ::testing::ContainsRegex(
                        "FAIL  odd_square   [^ ]*tools_wrong.so \\(sha256 [0-9a-f]{8}\\.\\.\\)   "
                        "f64 backward[^\n]*   "
                        "pointwise derivative   severity: wrong\n"
                        "  element   dx\\[[0-9]+\\] of [0-9]+     x = [^ ]+     upstream g = 1\n"
                        "  expected  [^ ]+ \\+- [^ ]+     \\(4th order, h = [^,]+, noise [^,]+, "
                        "[0-9]+ evaluations\\)\n"
                        "  got       [^ ]+     off by [^ ]+ = [^ ]+ bounds\n"
                        "  where     [0-9]+ of [0-9]+ points fail[^\n]*\n"
                        "  likely    it returns the derivative times 1.5[^\n]*\n"
                        "  also run  [0-9]+ of [0-9]+ other checks of odd_square passed[^\n]*\n"
                        "  repro     limen gradcheck [^\n]* --case "
                        "odd_square/derivative-fd/f64-[^\n]*x=0x[^\n]*\n"));
}

TEST_F(GradcheckReport, TellsWrongFromInexact) {
  const auto severity = [&](const std::string& op) -> Json {
    const Json json = report({selftest("element_wise"), "--case", op}, 1);
    return find(json, op, "derivative-fd")["severity"];
  };
  EXPECT_EQ(severity("m06_tanh_sign"), "wrong");
  EXPECT_EQ(severity("m39_float_literal"), "inexact");
}

TEST_F(GradcheckReport, NamesCommandsThatRepeatEachKindOfFailure) {
  const struct {
    std::string file, op, test;
  } rows[] = {{selftest("element_wise"), "m10_leaky_relu_input", "derivative-fd"},
              {selftest("element_wise"), "m49_float_only_coarse", "dtype-agree"},
              {selftest("element_wise"), "m32_upstream_twice", "upstream-linear"},
              {selftest("rows"), "r01_softmax_diagonal", "derivative-fd"},
              {selftest("params"), "p01_prelu_sums_all", "param-gradient"},
              {selftest("memory"), "s30_reads_behind", "canary"},
              {selftest("memory"), "s14_leaves_masked", "overwrites"}};
  for (const auto& row : rows) {
    const Json check =
        find(report({row.file, "--case", row.op, "--seed", "2"}, 1), row.op, row.test);
    ASSERT_FALSE(check.is_null());
    const Json& failure = check["failures"][0];
    const Outcome again = repeat(failure["repro"], " --json");
    EXPECT_EQ(again.exit, 1) << failure["repro"] << "\n" << again.err;
    const Json json = Json::parse(again.out);
    EXPECT_EQ(schema_.fault(json), "");
    ASSERT_EQ(json["checks"].size(), 1u) << again.out;
    EXPECT_EQ(json["checks"][0]["case"], check["case"]);
    EXPECT_EQ(json["checks"][0]["failures"][0]["got_hex"], failure["got_hex"]);
    EXPECT_EQ(json["checks"][0]["failures"][0]["expected_hex"], failure["expected_hex"]);
  }
}

TEST_F(GradcheckReport, NamesCommandsThatRepeatAFailureOfAModel) {
  std::string text = kSmallModel;
  write("m.yaml", text.replace(text.find("- tanh"), 6, "- odd_square"));
  const Outcome outcome = limen({"gradcheck", "m.yaml", "--json", "--plugin", tool("tools_wrong")});
  EXPECT_EQ(outcome.exit, 1);
  int repeated = 0;
  const Json report = Json::parse(outcome.out);
  for (const Json& check : report["checks"]) {
    if (check["verdict"] != "fail") continue;
    const Json& failure = check["failures"][0];
    const Outcome again = repeat(failure["repro"], " --json");
    EXPECT_EQ(again.exit, 1) << failure["repro"] << "\n" << again.err;
    const Json json = Json::parse(again.out);
    ASSERT_EQ(json["checks"].size(), 1u) << again.out;
    EXPECT_EQ(json["checks"][0]["failures"][0]["got_hex"], failure["got_hex"]);
    if (++repeated == 3) break;
  }
  EXPECT_EQ(repeated, 3);
}

TEST_F(GradcheckReport, ACaseThatPassesShowsItsFigures) {
  const std::string id =
      "tanh/derivative-fd/f64-backward-base-reads-x/pointwise-derivative/x=0x1p+1";
  const Outcome outcome = limen({"gradcheck", LIMEN_SHIPPED_PLUGINS "/tanh.so", "--case", id});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("PASS  tanh"));
  EXPECT_THAT(outcome.out, HasSubstr("x = 2 "));
  EXPECT_THAT(outcome.out, HasSubstr("expected  0.0706508"));
  EXPECT_THAT(outcome.out, HasSubstr("1 of 1 checks passed"));
}

TEST_F(GradcheckReport, AnUnknownCaseIsWrongUsageWithASuggestion) {
  const std::string relu = LIMEN_SHIPPED_PLUGINS "/relu.so";
  const Outcome test = limen({"gradcheck", relu, "--case", "relu/derivative-df"});
  EXPECT_EQ(test.exit, 2);
  EXPECT_THAT(test.err, HasSubstr("has no case `relu/derivative-df`"));
  EXPECT_THAT(test.err, HasSubstr("did you mean `relu/derivative-fd`?"));
  EXPECT_THAT(limen({"gradcheck", relu, "--case", "rely"}).err, HasSubstr("did you mean `relu`?"));
  write("m.yaml", kSmallModel);
  const Outcome model = limen({"gradcheck", "m.yaml", "--case",
                               "dense1.weight/f64-dense1.weight/every-element/dense1.weight[99]"});
  EXPECT_EQ(model.exit, 2) << model.out;
  EXPECT_THAT(
      model.err,
      HasSubstr("did you mean `dense1.weight/f64-dense1.weight/every-element/dense1.weight["));
}

TEST_F(GradcheckReport, WritesOneJunitCaseForEachOpTypeAndCheck) {
  const auto junit = [&](const char* op, const char* library = "memory") {
    limen(
        {"gradcheck", selftest(library), "--case", op, "--junit", scratch_.path("out.xml"), "-q"});
    std::ifstream file(scratch_.path("out.xml"));
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  const std::string behind = junit("s30_reads_behind");
  EXPECT_THAT(behind, HasSubstr("name=\"guard pages f64\"><failure>"));
  EXPECT_THAT(behind, HasSubstr("<testcase classname=\"s30_reads_behind\" "
                                "name=\"pointwise derivative f64\"/>"));
  EXPECT_THAT(junit("m27_hardtanh_inverted", "element_wise"),
              HasSubstr("name=\"integral f64\"><skipped message=\"undecidable: "));
  const Outcome nowhere =
      limen({"gradcheck", LIMEN_SHIPPED_PLUGINS "/relu.so", "--junit", "no/such/out.xml"});
  EXPECT_NE(nowhere.exit, 0);
  EXPECT_THAT(nowhere.err, HasSubstr("E0903"));
}

TEST_F(GradcheckReport, NamesWhatAMisbehavingPluginDid) {
  const struct {
    const char* op;
    const char* test;
    int exit;
    const char* note;
  } rows[] = {
      {"s30_reads_behind", "canary", 1, "[0][1] of 1, 8 bytes past the end"},
      {"s31_reads_before", "canary", 1, "8 bytes before the beginning"},
      {"s33_writes_x", "canary", 1, "it writes to x[0][0] of 1, an input that it may only read"},
      {"s18_hangs_on_nan", "nan-in", 5, "no answer within 1 s"},
      {"s23_exits", "canary", 5, "ended itself with status 0"},
      {"s23_aborts", "canary", 5, "killed by SIGABRT"},
      {"s38_flushes_to_zero", "fp-environment", 1, "it sets flush-to-zero"},
      {"s01_state_overwritten", "deterministic", 1, "a second backward gave another gradient"}};
  for (const auto& row : rows) {
    const std::string id = std::string(row.op) + "/" + row.test;
    const Json json = report({selftest("memory"), "--timeout", "1", "--case", id}, row.exit);
    const Json check = find(json, row.op, row.test);
    ASSERT_FALSE(check.is_null()) << json.dump(1);
    EXPECT_THAT(check["failures"][0]["note"].get<std::string>(), HasSubstr(row.note));
  }
  const Outcome thrown = limen({"gradcheck", tool("tools_throwing"), "--json"});
  EXPECT_EQ(thrown.exit, 5);
  EXPECT_THAT(thrown.out, HasSubstr("threw an exception: not today"));
}

TEST_F(GradcheckReport, GoesOnBehindWhatDiedAndRepeatsADeath) {
  const Json json = report({tool("planted_deadly"), "--timeout", "1"}, 5);
  const auto passes = [&](const char* op, const char* test) {
    return std::any_of(json["checks"].begin(), json["checks"].end(), [&](const Json& check) {
      return check["op"] == op && check["test"] == test && check["verdict"] == "pass";
    });
  };
  EXPECT_TRUE(passes("hangs_on_subnormal", "upstream-linear"));
  EXPECT_TRUE(passes("needs_alignment", "derivative-fd"));
  const Json death = find(json, "needs_alignment", "unaligned");
  const Outcome again = repeat(death["failures"][0]["repro"], "");
  EXPECT_EQ(again.exit, 5);
  EXPECT_THAT(again.out, HasSubstr("killed by SIGSEGV"));
}

}  // namespace
}  // namespace limen::test
