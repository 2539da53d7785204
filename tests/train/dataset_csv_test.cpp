#include <gmock/gmock.h>
#include <limen/dataset.hpp>

#include "support/data_values.hpp"
#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::list;
using test::map;
using test::message_of;
using test::real;
using test::Scratch;
using test::text;
using test::whole;
using test::yes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

DataInput input(const std::string& name, DType dtype, std::vector<std::int64_t> dims) {
  return {name, dtype, std::move(dims), {}};
}

DataSplit load(const DataValue& data, const std::vector<DataInput>& inputs,
               const std::string& folder) {
  return load_data(read_data_spec(data), inputs, {.folder = folder, .library = {}, .seed = 1});
}

DataValue csv(std::initializer_list<std::pair<std::string, DataValue>> args) {
  return map({{"csv", map(args)}});
}

TEST(LoadCsv, ReadsColumnsOfTheInputsNames) {
  const Scratch scratch;
  scratch.write("t.csv", "price,rooms\n10,1\n20,2\n30,3\n40,4\n");
  const DataSplit split = load(
      csv({{"file", text("t.csv")}, {"val", whole(1)}, {"test", real(0.25)}}),
      {input("rooms", DType::i32, {-1}), input("price", DType::f32, {-1, 1})}, scratch.folder());
  EXPECT_THAT(split.train.field("rooms").as<std::int32_t>(), ElementsAre(1, 2));
  EXPECT_THAT(split.val->field("price").as<float>(), ElementsAre(30));
  EXPECT_THAT(split.test->field("price").as<float>(), ElementsAre(40));
}

TEST(LoadCsv, StandardizesOverTheTrainingRows) {
  const Scratch scratch;
  scratch.write("t.csv", "1,5,a\n3,5,b\n100,7,a\n");
  const auto fields =
      map({{"x", map({{"columns", list({whole(0), whole(1)})}, {"standardize", yes()}})},
           {"y", map({{"columns", whole(2)}, {"vocab", text("auto")}})}});
  const DataSplit split =
      load(csv({{"file", text("t.csv")}, {"test", whole(1)}, {"fields", fields}}),
           {input("x", DType::f32, {-1, 2}), input("y", DType::i32, {-1})}, scratch.folder());
  EXPECT_THAT(split.train.field("x").as<float>(), ElementsAre(-1, 0, 1, 0));
  EXPECT_THAT(split.test->field("x").as<float>(), ElementsAre(98, 2));
  EXPECT_THAT(split.train.field("y").as<std::int32_t>(), ElementsAre(0, 1));
}

TEST(LoadCsv, DropsOrFillsMissingCells) {
  const Scratch scratch;
  scratch.write("t.csv", "a,b\n1,2\nNA,4\n5,\n7,8\n");
  const auto fields =
      map({{"a", map({{"missing", text("drop")}})}, {"b", map({{"missing", real(-1)}})}});
  const DataSplit split =
      load(csv({{"file", text("t.csv")}, {"fields", fields}}), {}, scratch.folder());
  EXPECT_THAT(split.train.field("a").as<double>(), ElementsAre(1, 5, 7));
  EXPECT_THAT(split.train.field("b").as<double>(), ElementsAre(2, -1, 8));
}

TEST(LoadCsv, PointsAtCellsAndColumnsThatAreWrong) {
  const Scratch scratch;
  scratch.write("t.csv", "a,kind\n1,red\n2,blue\n");
  const auto message = [&](DataValue fields, int test_rows = 0) {
    return message_of([&] {
      load(
          csv({{"file", text("t.csv")}, {"test", whole(test_rows)}, {"fields", std::move(fields)}}),
          {}, scratch.folder());
    });
  };
  EXPECT_THAT(message(map({{"x", text("kind")}})),
              AllOf(HasSubstr("t.csv:2:3: `kind` is not a number"), HasSubstr("vocab: auto")));
  EXPECT_THAT(message(map({{"x", text("kin")}})), HasSubstr("did you mean `kind`?"));
  EXPECT_THAT(message(map({{"x", whole(2)}})), HasSubstr("no column 2, the table has 2"));
  EXPECT_THAT(message(map({{"x", map({{"columns", text("kind")}, {"vocab", text("auto")}})}}), 1),
              HasSubstr("t.csv:3:3: \"blue\" is not in the vocabulary of `x`"));
  EXPECT_THAT(message(map({{"x", text("a")}}), 2), HasSubstr("takes 2 of 2 examples"));
}

TEST(LoadCsv, ReadsValidationRowsFromAnotherFile) {
  const Scratch scratch;
  scratch.write("t.csv", "a\n1\n2\n");
  scratch.write("v.csv", "a\n7\n");
  const DataSplit split = load(csv({{"file", text("t.csv")}, {"val", text("v.csv")}}),
                               {input("a", DType::f32, {-1})}, scratch.folder());
  EXPECT_EQ(split.train.size(), 2);
  EXPECT_THAT(split.val->field("a").as<float>(), ElementsAre(7));
}

}  // namespace
}  // namespace limen
