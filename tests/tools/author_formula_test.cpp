// Formulas in model files: compiled once, cached, and checked like any plugin.
#include "tools/support/author.hpp"

namespace limen::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string model_with(const std::string& step) {
  std::string text = kSmallModel;
  text.replace(text.find("tanh"), 4, step);
  return text;
}

std::vector<std::string> cached(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

TEST_F(Author, WritesAFormulaIntoTheModelAndNoCppAnywhere) {
  write("m.yaml", model_with("formula: {f: \"x * sigmoid(beta*x)\", beta: 1.5}"));
  // Several at once, and none is there yet: each ends well, and one library is left.
  Child first(author({"check", "m.yaml"})), second(author({"check", "m.yaml"}));
  const Outcome one = first.wait(), two = second.wait();
  EXPECT_EQ(one.exit, 0) << one.err;
  EXPECT_EQ(two.exit, 0) << two.err;
  EXPECT_EQ(cached(scratch_.path("cache/formula")).size(), 1u);

  // From now on without a compiler; another value or spelling is the same library.
  const auto good = [&](std::vector<std::string> words) {
    const Outcome outcome = without_compilers(std::move(words));
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(good({"gradcheck", "m.yaml"}), HasSubstr("PASS"));
  write("m.yaml", model_with("formula: {f: \"x*sigmoid( beta * x )\", beta: 0.5, learn: true}"));
  good({"train", "m.yaml", "-q", "--out", "run"});
  good({"eval", "run"});
  EXPECT_THAT(read("run/ckpt/last.safetensors"),
              AllOf(HasSubstr("x * sigmoid(beta * x)"), HasSubstr("formula1.beta")));

  // A damaged library is made again, an unreadable folder is told.
  const std::string library = cached(scratch_.path("cache/formula")).front();
  write("cache/formula/" + library, "not a library");
  const Outcome damaged = without_compilers({"check", "m.yaml"});
  EXPECT_EQ(damaged.exit, 5);
  EXPECT_THAT(damaged.err, AllOf(HasSubstr("E0531"), HasSubstr("m.yaml:8:5"),
                                 HasSubstr("sudo apt-get install g++")));
  must({"check", "m.yaml"});
  std::filesystem::permissions(scratch_.path("cache/formula"), std::filesystem::perms::all);
  EXPECT_THAT(must({"check", "m.yaml"}, 4), HasSubstr("others may write there"));
}

TEST_F(Author, SeesMistakesInAFormulaAtTheirPlaceInTheModel) {
  struct Row {
    const char* step;
    const char* place;
    const char* text;
  };
  const Row rows[] = {
      {"formula: \"x * sofplus(x)\"", "m.yaml:8:19", "did you mean `softplus`?"},
      {"formula: x * (1 + x", "m.yaml:8:18", "this `(` is never closed"},
      {"formula: {f: \"x + gama\", gamma: 2}", "m.yaml:8:23", "did you mean `gamma`?"},
      {"formula: {f: \"x * beta\"}", "m.yaml:8:23", "a parameter needs a value"},
      {"formula: {f: \"x * x\", beta: 2}", "m.yaml:8:19", "does not mention the parameter `beta`"},
      {"formula: {f: \"x * double\", double: 2}", "m.yaml:8:32", "`double` cannot be a parameter"},
      {"formula: {beta: 2}", "m.yaml:8:5", "`formula` needs its argument `f`"},
      {"formula: [x]", "m.yaml:8:14", "must be a text"},
      {"formula", "m.yaml:8:5", "`formula` needs its argument `f`"},
      {"formula: \"x; system(1)\"", "m.yaml:8:16", "`;` has no meaning in a formula"},
  };
  for (const Row& row : rows) {
    write("m.yaml", model_with(row.step));
    EXPECT_THAT(must({"check", "m.yaml"}, 3), AllOf(HasSubstr(row.place), HasSubstr(row.text)))
        << row.step;
  }
  EXPECT_FALSE(exists("cache"));  // nothing was compiled
}

}  // namespace
}  // namespace limen::test
