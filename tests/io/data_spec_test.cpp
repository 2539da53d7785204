#include <limen/data_spec.hpp>

#include <gmock/gmock.h>

#include "support/data_values.hpp"
#include "support/diagnostics.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
using test::list;
using test::map;
using test::message_of;
using test::real;
using test::text;
using test::whole;
using test::yes;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const DataValue& value, const std::string& code) {
  const auto what = [&] { read_data_spec(value); };
  EXPECT_EQ(diagnostic_of(what).code, code);
  EXPECT_EQ(diagnostic_of(what).spans.size(), 1u);
  return message_of(what);
}

TEST(DataSpec, ReadsANameAndFillsInDefaults) {
  const DataSpec spec = read_data_spec(text("digits"));
  ASSERT_TRUE(spec.dataset);
  EXPECT_EQ(spec.dataset->kind, "digits");
  EXPECT_EQ(spec.dataset->number("train"), 60000);
  EXPECT_EQ(spec.dataset->number("test"), 10000);
  EXPECT_EQ(spec.dataset->find("seed"), nullptr);
}

TEST(DataSpec, ReadsTheMainArgumentAndNamedOnes) {
  EXPECT_EQ(read_data_spec(map({{"moons", whole(500)}})).dataset->number("n"), 500);
  const DataSpec spec =
      read_data_spec(map({{"moons", map({{"n", whole(50)}, {"noise", real(0.2)}})}}));
  EXPECT_EQ(spec.dataset->number("n"), 50);
  EXPECT_EQ(spec.dataset->number("noise"), 0.2);
  EXPECT_EQ(read_data_spec(map({{"mnist", DataValue{}}})).dataset->kind, "mnist");
}

TEST(DataSpec, ReadsCsvFieldsInShortAndLongForm) {
  const DataSpec spec = read_data_spec(
      map({{"csv", map({{"file", text("t.csv")},
                        {"val", real(0.1)},
                        {"test", text("test.csv")},
                        {"fields", map({{"x", map({{"columns", list({whole(0), whole(1)})},
                                                   {"standardize", yes()}})},
                                        {"y", text("label")}})}})}}));
  const auto& fields = *spec.dataset->find("fields")->map();
  ASSERT_EQ(fields.size(), 2u);
  const DataCall y{.kind = {}, .at = {}, .args = *fields[1].value.map()};
  EXPECT_EQ(y.text("columns"), "label");
  EXPECT_FALSE(y.flag("standardize"));
}

TEST(DataSpec, ReadsTheJointForm) {
  const auto image =
      map({{"idx", map({{"file", text("i.gz")}, {"scale", real(1.0 / 255)}, {"flatten", yes()}})}});
  const DataSpec spec = read_data_spec(
      map({{"root", text("data/mnist")},
           {"train", map({{"image", image}, {"label", map({{"idx", text("l.gz")}})}})},
           {"val", map({{"take_from", map({{"set", text("train")}, {"last", whole(5000)}})}})}}));
  EXPECT_FALSE(spec.dataset);
  EXPECT_EQ(spec.root, "data/mnist");
  ASSERT_EQ(spec.train->inputs.size(), 2u);
  EXPECT_EQ(spec.train->inputs[1].source.text("file"), "l.gz");
  EXPECT_TRUE(spec.train->inputs[0].source.flag("flatten"));
  EXPECT_EQ(spec.train->inputs[1].source.number("scale"), 1);
  EXPECT_EQ(spec.val->take_from->count, 5000);
  EXPECT_TRUE(spec.val->take_from->last);
}

TEST(DataSpec, GuessesMisspeltNames) {
  EXPECT_THAT(refusal(text("minst"), "E0801"), HasSubstr("did you mean `mnist`?"));
  EXPECT_THAT(refusal(map({{"train", map({{"x", map({{"idxx", text("f")}})}})}}), "E0802"),
              AllOf(HasSubstr("unknown source `idxx`"), HasSubstr("did you mean `idx`?")));
  EXPECT_THAT(
      refusal(map({{"moons", map({{"nosie", real(1)}})}}), "E0202"),
      AllOf(HasSubstr("`moons` has no argument `nosie`"), HasSubstr("did you mean `noise`?"),
            HasSubstr("arguments of `moons`: n, noise")));
  EXPECT_THAT(
      refusal(map({{"train", map({{"x", map({{"idx", text("f")}})}})}, {"tets", text("x")}}),
              "E0103"),
      HasSubstr("did you mean `test`?"));
}

TEST(DataSpec, RefusesWrongTypesAndRanges) {
  const auto moons = [](const std::string& name, DataValue value, const std::string& code) {
    return refusal(map({{"moons", map({{name, std::move(value)}})}}), code);
  };
  EXPECT_THAT(moons("n", text("many"), "E0205"),
              HasSubstr("`moons.n` must be a whole number, found the text `many`"));
  EXPECT_THAT(moons("n", real(1.5), "E0205"), HasSubstr("found `1.5`"));
  EXPECT_THAT(moons("n", whole(0), "E0208"), HasSubstr("must be in [1, 10000000], found `0`"));
  EXPECT_THAT(moons("n", real(1e300), "E0208"), HasSubstr("found `1e+300`"));
  EXPECT_THAT(moons("noise", real(-1), "E0208"), HasSubstr("`moons.noise`"));
  EXPECT_THAT(moons("val", text("x"), "E0205"), HasSubstr("a fraction below 1"));
  EXPECT_THAT(moons("fields", list({}), "E0205"), HasSubstr("an empty list"));
  EXPECT_THAT(refusal(map({{"mnist", whole(5)}}), "E0205"), HasSubstr("takes a map of arguments"));
  EXPECT_THAT(refusal(map({{"csv", map({{"val", whole(5)}})}}), "E0203"),
              HasSubstr("needs the argument `file`"));
  EXPECT_THAT(
      refusal(map({{"csv", map({{"file", text("f")}, {"delimiter", text("\"")}})}}), "E0208"),
      HasSubstr("one character"));
  EXPECT_THAT(refusal(map({{"csv", map({{"file", text("f")}, {"header", text("yes")}})}}), "E0205"),
              HasSubstr("write `true` or `false`"));
}

TEST(DataSpec, RefusesSectionsOfNeitherForm) {
  refusal(whole(3), "E0804");
  refusal(DataValue{}, "E0804");
  refusal(map({}), "E0804");
  refusal(map({{"mnist", text("x")}, {"digits", text("y")}}), "E0804");
  EXPECT_THAT(refusal(map({{"root", text("r")}}), "E0804"), HasSubstr("no set `train`"));
  EXPECT_THAT(refusal(map({{"train", text("x")}}), "E0804"), HasSubstr("a source for each input"));
}

TEST(DataSpec, RefusesTakeFromThatLeadsNowhere) {
  const auto taking = [](DataValue take) {
    return map({{"train", map({{"x", map({{"npy", text("f")}})}})},
                {"val", map({{"take_from", std::move(take)}})}});
  };
  EXPECT_THAT(refusal(taking(map({{"set", text("test")}, {"last", whole(5)}})), "E0804"),
              HasSubstr("takes from `test`, which has no sources of its own"));
  EXPECT_THAT(refusal(taking(map({{"set", text("val")}, {"last", whole(5)}})), "E0804"),
              HasSubstr("`val`"));
  EXPECT_THAT(refusal(taking(map({{"set", text("train")}})), "E0804"),
              HasSubstr("either `last` or `first`"));
  EXPECT_THAT(refusal(taking(map({{"set", text("train")}, {"last", whole(0)}})), "E0205"),
              HasSubstr("positive"));
  EXPECT_THAT(refusal(taking(whole(5)), "E0205"), HasSubstr("must be a map"));
}

TEST(DataSpec, ReportsEveryFaultAtOnceUpToTwenty) {
  DataValue::Map args;
  for (int i = 0; i < 30; ++i) args.push_back({"wrong" + std::to_string(i), {}, whole(1)});
  DataValue moons;
  moons.value = args;
  try {
    read_data_spec(map({{"moons", moons}}));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics().size(), 20u);
  }
}

std::vector<DataInput> inputs(const std::vector<std::string>& names) {
  std::vector<DataInput> result;
  for (const std::string& name : names) {
    Span at{.file = "m.yaml",
            .line = 9,
            .column = 11,
            .length = 11,
            .text = "  images: f32[N, 784]",
            .label = {}};
    result.push_back({name, DType::f32, {-1, 784}, at});
  }
  return result;
}

// Message 26 of the model language.
TEST(CheckDataInputs, SaysWhichFieldsThereAre) {
  DataValue mnist = text("mnist");
  mnist.at = {
      .file = "m.yaml", .line = 19, .column = 7, .length = 5, .text = "data: mnist", .label = {}};
  const DataSpec spec = read_data_spec(mnist);
  const auto wanted = inputs({"images", "label"});
  const std::string message = message_of([&] { check_data_inputs(spec, wanted); });
  EXPECT_THAT(message, HasSubstr("error[E0803]: dataset `mnist` has no field for input `images`"));
  EXPECT_THAT(message, HasSubstr("declared here"));
  EXPECT_THAT(message, HasSubstr("the dataset"));
  EXPECT_THAT(message, HasSubstr("did you mean `image`?"));
  EXPECT_THAT(message, HasSubstr("fields: image, label; rename with `fields: {images: image}`"));
}

TEST(CheckDataInputs, FollowsRenames) {
  const auto renamed = [](const std::string& input, const std::string& field) {
    return read_data_spec(map({{"mnist", map({{"fields", map({{input, text(field)}})}})}}));
  };
  check_data_inputs(renamed("images", "image"), inputs({"images", "label"}));
  EXPECT_THAT(
      message_of([&] { check_data_inputs(renamed("images", "pixels"), inputs({"images"})); }),
      HasSubstr("no field for input `images` (`pixels`)"));
  EXPECT_THAT(
      message_of([&] { check_data_inputs(renamed("picture", "image"), inputs({"image"})); }),
      HasSubstr("the model has no input `picture`"));
}

TEST(CheckDataInputs, WantsASourceForEachInputOfEachSet) {
  const auto source = map({{"npy", text("f")}});
  const DataSpec spec = read_data_spec(map({{"train", map({{"x", source}, {"y", source}})},
                                            {"test", map({{"x", source}, {"z", source}})}}));
  check_data_inputs(read_data_spec(map({{"train", map({{"x", source}})}})), inputs({"x"}));
  EXPECT_THAT(message_of([&] {
                check_data_inputs(spec, inputs({"x", "y"}));
              }),
              AllOf(HasSubstr("the model has no input `z`"),
                    HasSubstr("`data.test` has no source for input `y`")));
}

TEST(DataTables, NameAMainArgumentThatExists) {
  for (const auto table : {datasets(), data_sources()}) {
    for (const DataKindInfo& kind : table) {
      bool found = kind.main.empty();
      for (const DataArgInfo& arg : kind.args) {
        found = found || arg.name == kind.main;
        EXPECT_FALSE(arg.help.empty()) << kind.name << "." << arg.name;
      }
      EXPECT_TRUE(found) << kind.name;
    }
  }
}

}  // namespace
}  // namespace limen
