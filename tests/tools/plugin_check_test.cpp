// limen plugin check: plugins with planted mistakes are caught by the test that is meant to, right
// ones pass.
#include <filesystem>
#include <map>
#include <set>

#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

// What a run says: the ops that each test complains about ("" for the library).
struct Findings {
  std::map<std::string, std::set<std::string>> bad;
  Json json;

  bool has(const std::string& test, const std::string& op) const {
    const auto at = bad.find(test);
    if (at == bad.end()) return false;
    return std::any_of(at->second.begin(), at->second.end(), [&](const std::string& name) {
      return name == op || name.starts_with(op + "{");
    });
  }
  std::set<std::string> ops() const {
    std::set<std::string> names;
    for (const auto& [test, list] : bad) {
      for (const std::string& op : list) names.insert(op.substr(0, op.find('{')));
    }
    return names;
  }
};

class PluginCheck : public Program {
 protected:
  static std::string planted(const std::string& name) {
    return std::string(LIMEN_TOOL_PLUGINS) + "/planted_" + name + ".so";
  }

  Findings check(const std::string& file, int exit, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"plugin", "check", file, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = limen(words);
    EXPECT_EQ(outcome.exit, exit) << file << "\n" << outcome.err;
    EXPECT_EQ(outcome.signal, 0);
    Findings found{{}, Json::parse(outcome.out, nullptr, false)};
    EXPECT_FALSE(found.json.is_discarded()) << outcome.out;
    for (const Json& test : found.json["tests"]) {
      if (test["verdict"] != "fail") continue;
      for (const Json& finding : test["findings"]) found.bad[test["id"]].insert(finding["op"]);
    }
    return found;
  }

  struct Planted {
    const char* op;
    const char* test;
  };

  static void expect_caught(const Findings& found, const std::vector<Planted>& table) {
    for (const Planted& row : table) {
      EXPECT_TRUE(found.has(row.test, row.op)) << row.test << " must catch " << row.op << "\n"
                                               << found.json.dump(1);
    }
  }
};

TEST_F(PluginCheck, MistakesInKernelsAreCaught) {
  const Findings found = check(planted("kernels"), 1);
  expect_caught(found, {{"wrong_slope", "derivative-fd"},
                        {"wrong_sign", "derivative-fd"},
                        {"missing_upstream", "upstream-linear"},
                        {"float_constant", "derivative-fd"},
                        {"slope_overflows", "derivative-fd"},
                        {"writes_behind", "canary"},
                        {"reads_behind", "canary"},
                        {"writes_input", "canary"},
                        {"leaves_tail", "overwrites"},
                        {"always_adds", "overwrites"},
                        {"never_adds", "accumulate"},
                        {"reads_y", "reads-honest"},
                        {"uses_length", "tiles-ragged"},
                        {"static_scratch", "64-threads"},
                        {"alias_too_far", "in-place"},
                        {"coarse_float", "dtype-agree"},
                        {"loses_nan", "nan-in"},
                        {"sets_errno", "errno"},
                        {"changes_rounding", "fp-environment"},
                        {"wrong_tangent", "jvp-vjp-adjoint"},
                        {"wrong_second", "second-derivative"},
                        {"widest_differs", "isa-agree"},
                        {"wrong_formula", "formula-matches"}});
  EXPECT_FALSE(found.ops().contains("right_square")) << found.json.dump(1);
}

TEST_F(PluginCheck, MistakesInFunctionsAreCaught) {
  const Findings found = check(planted("functions"), 1);
  expect_caught(found, {{"claims_odd", "facts"},
                        {"wrong_range", "facts"},
                        {"undeclared_kink", "kinks-declared"},
                        {"wrong_kink_slope", "kink-slope"},
                        {"wrong_golden", "golden"},
                        {"surrogate_unnamed", "surrogate-declared"},
                        {"alpha_mean", "param-gradient"},
                        {"alpha_in_float", "param-gradient"},
                        {"alpha_overwritten", "param-gradient"},
                        {"alpha_from_hyper", "param-gradient"},
                        {"global_generator", "deterministic"},
                        {"global_generator", "stochastic-counter"},
                        {"draws_again", "derivative-fd"},
                        {"draws_by_place", "stochastic-counter"},
                        {"draws_in_evaluation", "stochastic-counter"},
                        {"ignores_seed", "stochastic-counter"},
                        {"glu_swapped", "derivative-fd"},
                        {"glu_needs_both", "null-outputs"}});
  EXPECT_TRUE(found.bad.contains("semver"));  // bad_version
  for (const char* right : {"right_prelu", "right_noisy", "right_glu"}) {
    EXPECT_FALSE(found.ops().contains(right)) << right << "\n" << found.json.dump(1);
  }
}

TEST_F(PluginCheck, WhatOpsLeaveBehindIsCaughtAndNothingElseIsBlamed) {
  const std::vector<Planted> table {
    {"prints", "silent"}, {"writes_file", "silent"}, {"subnormal_constant", "fp-modes"},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {"leaks_memory", "resources"}, {"leaks_calls", "resources"},
#endif
        {"leaks_files", "resources"}, {
      "leaks_threads", "resources"
    }
  };
  const Findings found = check(planted("resources"), 1);
  expect_caught(found, table);
  EXPECT_FALSE(found.ops().contains("quiet_square")) << found.json.dump(1);
  for (const Planted& row : table) {  // no other test sees it
    for (const auto& [test, ops] : found.bad) {
      if (test != row.test) {
        EXPECT_FALSE(ops.contains(row.op)) << test << " " << row.op;
      }
    }
  }
  const Outcome gradcheck = limen({"gradcheck", planted("resources"), "--points", "10"});
  EXPECT_EQ(gradcheck.exit, 1);
  EXPECT_THAT(gradcheck.out, ::testing::HasSubstr("under flush-to-zero"));
  EXPECT_THAT(gradcheck.out, ::testing::HasSubstr("files stay open"));
}

TEST_F(PluginCheck, DeathsBelongToTheTestThatCausedThem) {
  const Findings found = check(planted("deadly"), 5, {"--timeout", "1"});
  expect_caught(found, {{"crashes_on_nan", "nan-in"},
                        {"needs_alignment", "unaligned"},
                        {"exits", "canary"},
                        {"hangs_on_subnormal", "denormal-speed"},
                        {"hangs_on_subnormal", "extremes"}});
  const std::string text = found.json.dump();
  EXPECT_THAT(text, HasSubstr("killed by SIGABRT"));
  EXPECT_THAT(text, HasSubstr("killed by SIGSEGV"));
  EXPECT_THAT(text, HasSubstr("ended itself with status 0"));
  EXPECT_THAT(text, HasSubstr("no answer within 1 s"));
}

TEST_F(PluginCheck, AnOpThatCannotBeSetUpIsAFailure) {
  const Findings found = check(std::string(LIMEN_TOOL_PLUGINS) + "/tools_refusing.so", 5);
  expect_caught(found, {{"", "descriptor"}});
  EXPECT_THAT(found.json.dump(), HasSubstr("create() failed: N"));
}

TEST_F(PluginCheck, MistakesOfALibraryAreCaught) {
  const Findings found = check(planted("library"), 1);
  expect_caught(found, {{"", "one-export"},
                        {"", "no-constructors"},
                        {"", "no-thread-local"},
                        {"", "fp-environment"},
                        {"", "notes-match"},
                        {"", "load-twice"},
                        {"", "newer-host"}});
}

TEST_F(PluginCheck, EveryShippedPluginPasses) {
  int plugins = 0;
  for (const auto& entry : std::filesystem::directory_iterator(LIMEN_SHIPPED_PLUGINS)) {
    if (entry.path().extension() != ".so") continue;
    const Json json = good_json({"plugin", "check", entry.path(), "--json"});
    EXPECT_EQ(json["failed"], 0) << json.dump(1);
    EXPECT_GE(json["passed"], 30) << entry.path();  // a general op has no kernels to look at
    ++plugins;
  }
  EXPECT_GE(plugins, 7);
}

TEST_F(PluginCheck, SomeTestsOnlyByNameOfAnOp) {
  const Json json = good_json({"plugin", "check", "relu", "--only", "^golden$|^canary$", "--json"});
  EXPECT_EQ(json["passed"], 2);
  EXPECT_EQ(json["tests"].size(), 2u);
  EXPECT_THAT(good({"plugin", "check", "tanh", "--only", "golden", "--in-process"}),
              HasSubstr("1 passed, 0 failed, 0 warnings, 0 not applicable"));
  EXPECT_EQ(limen({"plugin", "check", "relu", "--only", "("}).exit, 2);
  EXPECT_EQ(limen({"plugin", "check", "relu", "--only", "nothing"}).exit, 2);
  EXPECT_EQ(limen({"plugin", "check"}).exit, 2);
}

TEST_F(PluginCheck, TheListIsTheTable) {
  const Json json = good_json({"plugin", "check", "--list", "--json"});
  std::set<std::string> ids;
  for (const Json& test : json["tests"]) {
    EXPECT_THAT(test["id"].get<std::string>(), ::testing::MatchesRegex("[a-z0-9-]+"));
    EXPECT_TRUE(ids.insert(test["id"]).second) << test["id"];
  }
  EXPECT_GE(ids.size(), 55u);
}

TEST_F(PluginCheck, AFailureNamesKernelElementAndValues) {
  const Outcome outcome = limen({"plugin", "check", planted("kernels"), "--only",
                                 "canary|derivative-fd", "--junit", scratch_.path("junit.xml")});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.out, HasSubstr("writes_behind"));
  EXPECT_THAT(outcome.out, HasSubstr("dx[0][1] of 1, 8 bytes past the end"));
  EXPECT_THAT(outcome.out, HasSubstr("f64 backward, base, reads x"));
  EXPECT_THAT(outcome.out, HasSubstr("0 passed, 2 failed"));
  std::ifstream file(scratch_.path("junit.xml"));
  const std::string xml((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"numbers\" name=\"canary\"><failure>"));
}

TEST_F(PluginCheck, WhatIsNoPluginHasAVerdictToo) {
  write("text.so", "this is text");
  const Outcome outcome = limen({"plugin", "check", "text.so", "--json"});
  EXPECT_EQ(outcome.exit, 5);
  const Json json = Json::parse(outcome.out);
  EXPECT_EQ(json["verdict"], "fail");
  EXPECT_EQ(json["tests"][0]["id"], "file-preflight");
  EXPECT_EQ(json["tests"][0]["verdict"], "fail");
}

}  // namespace
}  // namespace limen::test
