// limen gradcheck with several subjects, and on every float.
#include "tools/support/program.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <sys/resource.h>

#include "base/philox.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

class GradcheckMany : public Program {
 protected:
  static std::string plugin(const std::string& name) {
    return std::string(LIMEN_SHIPPED_PLUGINS) + "/" + name + ".so";
  }
  std::filesystem::path path(const std::string& name) const {
    return std::filesystem::path(scratch_.folder()) / name;
  }
  static std::string misbehaving(const std::string& fault) {
    return std::string(LIMEN_TOOL_PLUGINS) + "/tools_" + fault + ".so";
  }
};

TEST_F(GradcheckMany, SubjectsAreReportedInTheirOrderWithTheSameBytes) {
  write("m.yaml", kSmallModel);
  const std::vector<std::string> words{"gradcheck", plugin("tanh"),     "m.yaml",
                                       "op:relu",   plugin("identity"), "--json"};
  const std::string first = good(words);
  Command wide = command(words);  // several children at a time
  wide.folder = scratch_.folder();
  wide.environment[0] = {"LIMEN_THREADS", "4"};
  EXPECT_EQ(first, test::run(wide).out);
  const Json json = Json::parse(first);
  EXPECT_EQ(json["verdict"], "pass");
  ASSERT_EQ(json["subjects"].size(), 4U);
  const char* const ops[] = {"tanh", "x", "relu", "identity"};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Json& subject = json["subjects"][i];
    EXPECT_EQ(subject["subject"], words[i + 1]);
    EXPECT_EQ(subject["first_check"], at);
    if (i != 1) {
      EXPECT_EQ(json["checks"][at]["op"], ops[i]);
    }
    at += subject["checks"].get<std::size_t>();
  }
  EXPECT_EQ(json["checks"].size(), at);
}

// In CPU time, and against work of this process, so that the machine and its load do not matter:
// a third of it in truth.
// One library has several children too, if there are cores: what they find is put in order.
TEST_F(GradcheckMany, ChildrenThatShareALibraryReportTheSame) {
  const std::string bad = std::string(LIMEN_TOOL_PLUGINS) + "/../bad/bad_";
  for (const std::string& file :
       {plugin("gelu"), plugin("maxout"), misbehaving("wrong"), bad + "CRASHING.so",
        bad + "JOINT_CHECK.so", bad + "NO_ENTRY.so", misbehaving("crashing")}) {
    Command alone = command({"gradcheck", file, "--json"});
    alone.folder = scratch_.folder();
    const auto expected = test::run(alone);
    EXPECT_NE(expected.out, "") << file;
    for (const char* const threads : {"2", "4"}) {
      Command shared = alone;
      shared.environment[0] = {"LIMEN_THREADS", threads};
      const auto outcome = test::run(shared);
      EXPECT_EQ(outcome.exit, expected.exit) << file;
      EXPECT_EQ(outcome.out, expected.out) << file << " on " << threads;
      EXPECT_EQ(outcome.err, expected.err) << file;
    }
  }
}

TEST_F(GradcheckMany, AnOpCostsLessThanAMillionAndAHalfRandomNumbers) {
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "times mean nothing in this build";
#endif
  const auto seconds = [](int whose) {
    rusage used{};
    ::getrusage(whose, &used);
    const auto sum = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return sum(used.ru_utime) + sum(used.ru_stime);
  };
  const RandomKey key = random_key(1, "cost");
  double op = 1e9, numbers = 0;
  for (int round = 0; round < 3; ++round) {
    const double before = seconds(RUSAGE_CHILDREN);
    good({"gradcheck", plugin("relu")});
    op = std::min(op, seconds(RUSAGE_CHILDREN) - before);
    const double begin = seconds(RUSAGE_SELF);
    double sum = 0;
    for (std::uint64_t i = 0; i < 1'500'000; ++i) sum += random_normal(key, i);
    EXPECT_LT(std::abs(sum), 1e5);
    numbers = std::max(numbers, seconds(RUSAGE_SELF) - begin);
  }
  EXPECT_LT(op, numbers);
}

TEST_F(GradcheckMany, TheWorstDecidesAndNothingElseIsLost) {
  const Outcome wrong = limen({"gradcheck", misbehaving("wrong"), plugin("identity")});
  EXPECT_EQ(wrong.exit, 1);
  EXPECT_THAT(wrong.out, HasSubstr("1 of 2 subjects passed"));
  const Outcome crash =
      limen({"gradcheck", misbehaving("wrong"), misbehaving("crashing"), plugin("identity")});
  EXPECT_EQ(crash.exit, 5);
  EXPECT_THAT(crash.out, HasSubstr("SIG"));
  EXPECT_LT(crash.out.find("tools_wrong.so: "), crash.out.find("tools_crashing.so: "));
  EXPECT_LT(crash.out.find("tools_crashing.so: "), crash.out.find("identity.so: "));
  // What cannot be checked at all.
  const Outcome missing = limen({"gradcheck", "nothing.yaml", plugin("identity"), "--json"});
  EXPECT_EQ(missing.exit, limen({"gradcheck", "nothing.yaml"}).exit);
  EXPECT_THAT(missing.err, HasSubstr("nothing.yaml"));
  EXPECT_EQ(Json::parse(missing.out)["verdict"], "fail");
}

TEST_F(GradcheckMany, AFolderIsThePluginsInIt) {
  std::filesystem::create_directory(path("some"));
  for (const char* name : {"tanh", "relu"}) {
    std::filesystem::copy(plugin(name), path("some") / (std::string(name) + ".so"));
  }
  const Json json = good_json({"gradcheck", "some", "--points", "20", "--json"});
  EXPECT_EQ(json["subjects"][0]["subject"], "some/relu.so");
  EXPECT_EQ(json["subjects"][1]["subject"], "some/tanh.so");
  std::filesystem::create_directory(path("empty"));
  const Outcome empty = limen({"gradcheck", "empty"});
  EXPECT_EQ(empty.exit, 2);
  EXPECT_THAT(empty.err, HasSubstr("no plugin"));
}

TEST_F(GradcheckMany, ExhaustiveCanRepeatASingleFloat) {
  for (const std::string& subject : {plugin("softsign"), std::string("op:softsign")}) {
    const Json json = good_json({"gradcheck", subject, "--exhaustive", "--case",
                                 "softsign/exhaustive/f32-backward-base-reads-x/"
                                 "a-sample-of-all-floats/x=0x1.8p+1",
                                 "--json"});
    ASSERT_EQ(json["checks"].size(), 1U) << json.dump(1);
    EXPECT_EQ(json["checks"][0]["test"], "exhaustive");
    EXPECT_EQ(json["checks"][0]["passed"], 1);
  }
}

TEST_F(GradcheckMany, ExhaustiveSaysWhatItIsNotFor) {
  write("m.yaml", kSmallModel);
  for (const auto& [subject, why] :
       std::vector<std::pair<std::string, std::string>>{{plugin("softmax"), "rows"},
                                                        {"op:matmul", "engine"},
                                                        {"op:geglu", "2 inputs"},
                                                        {"m.yaml", "model"}}) {
    const Outcome outcome = limen({"gradcheck", subject, "--exhaustive"});
    EXPECT_EQ(outcome.exit, 2) << subject << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr("cannot be used on"));
    EXPECT_THAT(outcome.err, HasSubstr(why));
  }
}

}  // namespace
}  // namespace limen::test
