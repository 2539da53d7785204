// limen gradcheck --selftest. That all is caught is a test of its own; this is about the command.
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

class Selftest : public Program {};

TEST_F(Selftest, SaysWhichTestCaughtAMistake) {
  const Json json = good_json({"gradcheck", "--selftest", "--only", "m10", "--json"});
  EXPECT_EQ(json["kind"], "gradcheck.selftest");
  EXPECT_EQ(json["verdict"], "pass");
  EXPECT_EQ(json["named"]["mutants"], 1);
  EXPECT_EQ(json["named"]["caught"], 1);
  EXPECT_EQ(json["named"]["right"], 0);
  std::string tests;
  for (const Json& check : json["named"]["checks"]) tests += check["check"].get<std::string>();
  EXPECT_THAT(tests, HasSubstr("derivative-fd"));
}

TEST_F(Selftest, MakesUpTheSameOpsForTheSameSeed) {
  const auto bytes = [&](const char* seed) {
    return good({"gradcheck", "--selftest", "--only", "g5", "--seed", seed, "--json"});
  };
  EXPECT_EQ(bytes("3"), bytes("3"));
  EXPECT_EQ(Json::parse(bytes("3"))["generated"]["mutants"], 1);
}

TEST_F(Selftest, AnUnknownOpIsWrongUsage) {
  const Outcome outcome = limen({"gradcheck", "--selftest", "--only", "zebra"});
  EXPECT_EQ(outcome.exit, 2);
  EXPECT_THAT(outcome.err, HasSubstr("zebra"));
}

}  // namespace
}  // namespace limen::test
