#include <limen/dataset.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include <gmock/gmock.h>

#include "io/npy.hpp"
#include "support/data_values.hpp"
#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
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

Tensor counted(const Shape& shape, DType dtype = DType::f32) {
  Tensor t(TensorType{shape, DType::i32});
  const auto values = t.as<std::int32_t>();
  std::iota(values.begin(), values.end(), 0);
  return convert(t, dtype);
}

DataInput input(const std::string& name, DType dtype, std::vector<std::int64_t> dims) {
  return {name, dtype, std::move(dims),
          Span{.file = "m.yaml",
               .line = 3,
               .column = 5,
               .length = 1,
               .text = "  " + name + ": f32",
               .label = {}}};
}

DataSplit load(const DataValue& data, const std::vector<DataInput>& inputs,
               const std::string& folder = {}, const std::string& library = {}) {
  return load_data(read_data_spec(data), inputs, {.folder = folder, .library = library, .seed = 1});
}

TEST(Dataset, WantsFieldsOfOneSize) {
  const Dataset data({{"x", counted({4, 2})}, {"y", counted({4}, DType::i32)}});
  EXPECT_EQ(data.size(), 4);
  EXPECT_TRUE(data.has("y"));
  EXPECT_THAT(message_of([&] { data.field("z"); }), HasSubstr("fields: x, y"));
  const auto bad = [] { Dataset({{"x", counted({4, 2})}, {"y", counted({3})}}); };
  EXPECT_EQ(diagnostic_of(bad).code, "E0905");
  EXPECT_THAT(message_of(bad), HasSubstr("`x` has 4 examples, `y` has 3"));
}

TEST(Dataset, CutsAndGathersExamples) {
  const Dataset data({{"x", counted({4, 2})}});
  EXPECT_THAT(data.slice(1, 2).field("x").as<float>(), ElementsAre(2, 3, 4, 5));
  EXPECT_EQ(data.slice(4, 0).size(), 0);
  Tensor batch(TensorType{{3, 2}, DType::f32});
  const std::int64_t rows[] = {3, 0, 3};
  gather_rows(data.field("x"), rows, batch.view());
  EXPECT_THAT(batch.as<float>(), ElementsAre(6, 7, 0, 1, 6, 7));
}

TEST(FitToInput, ReshapesExamplesAndKeepsTheirNumber) {
  const Tensor images = counted({5, 4, 4});
  EXPECT_EQ(fit_to_input(images, input("x", DType::f32, {-1, 16}), "train").shape(),
            (Shape{5, 16}));
  EXPECT_EQ(fit_to_input(images, input("x", DType::f32, {-1, 1, 4, 4}), "train").shape(),
            (Shape{5, 1, 4, 4}));
  EXPECT_EQ(fit_to_input(images, input("x", DType::f32, {-1, -1, 8}), "train").shape(),
            (Shape{5, 2, 8}));
  EXPECT_EQ(fit_to_input(images, input("x", DType::f32, {-1, 2, -1}), "train").shape(),
            (Shape{5, 2, 8}));
  EXPECT_EQ(fit_to_input(counted({5, 1}), input("x", DType::f32, {-1}), "train").shape(),
            (Shape{5}));
}

TEST(FitToInput, ConvertsWhereNothingIsLost) {
  EXPECT_THAT(
      fit_to_input(counted({3}, DType::i32), input("x", DType::f64, {-1}), "train").as<double>(),
      ElementsAre(0, 1, 2));
  EXPECT_THAT(fit_to_input(counted({3}, DType::f64), input("x", DType::i32, {-1}), "train")
                  .as<std::int32_t>(),
              ElementsAre(0, 1, 2));
  Tensor halves = counted({3, 2}, DType::f64);
  halves.as<double>()[3] = 2.5;
  EXPECT_THAT(message_of([&] {
                fit_to_input(halves, input("x", DType::i32, {-1, 2}), "test");
              }),
              HasSubstr("`x` of test does not fit its input: example 1 holds 2.5"));
  halves.as<double>()[3] = 1e18;
  EXPECT_THROW(fit_to_input(halves, input("x", DType::i32, {-1, 2}), "test"), Error);
}

TEST(FitToInput, NamesBothTypesWhereTheSizesDiffer) {
  const auto what = [] {
    fit_to_input(counted({5, 4, 4}), input("x", DType::f32, {-1, 100}), "train");
  };
  EXPECT_EQ(diagnostic_of(what).code, "E0904");
  EXPECT_THAT(message_of(what),
              AllOf(HasSubstr("an example has 16 elements"), HasSubstr("m.yaml:3:5"),
                    HasSubstr("the data is f32[N, 4, 4], the input f32[N, 100]")));
  EXPECT_THROW(fit_to_input(counted({5, 3}), input("x", DType::f32, {}), "train"), Error);
  EXPECT_THROW(fit_to_input(counted({5, 6}), input("x", DType::f32, {-1, -1, 4}), "train"), Error);
  EXPECT_THROW(
      fit_to_input(counted({5, 6}),
                   input("x", DType::f32, {-1, std::int64_t{1} << 40, std::int64_t{1} << 40}), "t"),
      Error);
}

TEST(LoadData, MakesSyntheticSetsWithATestSetAFifthAsLarge) {
  const std::vector<DataInput> inputs{input("x", DType::f32, {-1, 2}),
                                      input("label", DType::i32, {-1})};
  for (const auto* name : {"xor", "moons", "spiral"}) {
    const DataSplit split = load(text(name), inputs);
    EXPECT_EQ(split.train.size(), 1000);
    EXPECT_EQ(split.test->size(), 200);
    EXPECT_FALSE(split.val);
  }
  const DataSplit split = load(
      map({{"moons", map({{"n", whole(50)}, {"test", whole(0)}, {"val", real(0.2)}})}}), inputs);
  EXPECT_EQ(split.train.size(), 40);
  EXPECT_EQ(split.val->size(), 10);
  EXPECT_FALSE(split.test);
}

TEST(LoadData, FitsDigitsToTheDeclaredSizesAndNames) {
  const auto data = map({{"digits", map({{"train", whole(30)},
                                         {"test", whole(10)},
                                         {"fields", map({{"picture", text("image")}})}})}});
  const DataSplit split =
      load(data, {input("picture", DType::f32, {-1, 1, 28, 28}), input("label", DType::i32, {-1})});
  EXPECT_EQ(split.train.field("picture").shape(), (Shape{30, 1, 28, 28}));
  EXPECT_EQ(split.test->size(), 10);
  EXPECT_EQ(load(map({{"digits", whole(30)}}), {}).train.field("image").shape(),
            (Shape{30, 28, 28}));
}

TEST(LoadData, UsesTheSeedOfTheModelUnlessTheSetHasItsOwn) {
  const auto image = [](const DataValue& data, std::uint64_t seed) {
    return load_data(read_data_spec(data), {}, {.folder = {}, .library = {}, .seed = seed})
        .train.field("image");
  };
  const auto same = [](const Tensor& a, const Tensor& b) {
    return std::memcmp(a.data(), b.data(), a.type().bytes()) == 0;
  };
  const DataValue plain = map({{"digits", whole(5)}});
  const DataValue own = map({{"digits", map({{"train", whole(5)}, {"seed", whole(7)}})}});
  EXPECT_FALSE(same(image(plain, 1), image(plain, 2)));
  EXPECT_TRUE(same(image(own, 1), image(own, 2)));
  EXPECT_TRUE(same(image(own, 1), image(plain, 7)));
}

TEST(LoadData, SaysWhichInputHasNoField) {
  EXPECT_EQ(diagnostic_of([] {
              load(text("moons"), {input("y", DType::f32, {-1, 2})});
            }).code,
            "E0803");
  EXPECT_THAT(message_of([] {
                load(map({{"moons", map({{"n", whole(10)}, {"val", whole(10)}})}}), {});
              }),
              HasSubstr("`moons.val` takes 10 of 10 examples"));
}

// Three images of 2 x 2 and their labels.
const std::string kImages(
    "\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02\0\x33\x66\x99\xcc\xff\1\2\3\4\5\6", 28);
const std::string kLabels("\0\0\x08\x01\0\0\0\x03\x05\x00\x09", 11);

void write_mnist(const Scratch& scratch, const std::string& folder) {
  scratch.write(folder + "/train-images-idx3-ubyte", kImages);
  scratch.write(folder + "/train-labels-idx1-ubyte", kLabels);
  scratch.write(folder + "/t10k-images-idx3-ubyte", kImages);
  scratch.write(folder + "/t10k-labels-idx1-ubyte", kLabels);
}

TEST(LoadMnist, ReadsPixelsAsFractionsOf255) {
  const Scratch scratch;
  write_mnist(scratch, "data/mnist");
  const DataSplit split =
      load(text("mnist"), {input("image", DType::f32, {-1, 4}), input("label", DType::i32, {-1})},
           scratch.folder());
  EXPECT_EQ(split.train.field("image").shape(), (Shape{3, 4}));
  EXPECT_EQ(split.train.field("image").as<float>()[1], 51 / 255.0f);
  EXPECT_THAT(split.test->field("label").as<std::int32_t>(), ElementsAre(5, 0, 9));
  const DataSplit f64 =
      load(text("mnist"), {input("image", DType::f64, {-1, 4})}, scratch.folder());
  EXPECT_EQ(f64.train.field("image").as<double>()[1], 51 / 255.0);
}

TEST(LoadMnist, LooksInTheLibraryFirst) {
  const Scratch scratch;
  write_mnist(scratch, "lib/mnist");
  scratch.write("data/mnist/train-images-idx3-ubyte", "broken");
  EXPECT_EQ(load(text("mnist"), {}, scratch.folder(), scratch.path("lib")).train.size(), 3);
}

TEST(LoadMnist, SaysWhereItLookedAndWhatToGet) {
  const Scratch scratch;
  DataValue mnist = text("mnist");
  mnist.at = {
      .file = "m.yaml", .line = 19, .column = 7, .length = 5, .text = "data: mnist", .label = {}};
  const auto what = [&] { load(mnist, {}, scratch.folder(), scratch.path("lib")); };
  const Diagnostic d = diagnostic_of(what);
  EXPECT_EQ(d.code, "E0901");
  ASSERT_EQ(d.spans.size(), 1u);
  EXPECT_EQ(d.spans[0].line, 19);
  EXPECT_THAT(
      message_of(what),
      AllOf(HasSubstr(scratch.path("lib/mnist")), HasSubstr(scratch.path("data/mnist")),
            HasSubstr("train-images-idx3-ubyte.gz "
                      "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            HasSubstr("train-labels-idx1-ubyte.gz"), HasSubstr("t10k-images-idx3-ubyte.gz"),
            HasSubstr("t10k-labels-idx1-ubyte.gz"), HasSubstr("`data: digits` needs no file")));
  scratch.write("lib/mnist/train-images-idx3-ubyte", kImages);
  EXPECT_THAT(message_of(what), HasSubstr("no train-labels-idx1-ubyte"));
}

TEST(LoadMnist, RefusesFilesThatDoNotGoTogether) {
  const Scratch scratch;
  write_mnist(scratch, "data/mnist");
  const auto what = [&] { load(text("mnist"), {}, scratch.folder()); };
  scratch.write("data/mnist/t10k-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\1\2", 10));
  EXPECT_THAT(message_of(what), HasSubstr("`image` has 3 examples, `label` has 2"));
  scratch.write("data/mnist/t10k-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x01\x0a", 9));
  EXPECT_THAT(message_of(what), HasSubstr("label 10 is no digit"));
  scratch.write("data/mnist/t10k-labels-idx1-ubyte", "<!DOCTYPE html>");
  EXPECT_THAT(message_of(what), HasSubstr("saved web page"));
}

TEST(LoadMnist, ReadsTheRealFiles) {
  const char* library = std::getenv("LIMEN_DATA");
  if (library == nullptr) GTEST_SKIP() << "LIMEN_DATA is not set";
  const DataSplit split =
      load(text("mnist"), {input("image", DType::f32, {-1, 784}), input("label", DType::i32, {-1})},
           {}, library);
  EXPECT_EQ(split.train.field("image").shape(), (Shape{60000, 784}));
  EXPECT_EQ(split.test->field("image").shape(), (Shape{10000, 784}));
  std::array<int, 10> count{};
  for (const std::int32_t label : split.test->field("label").as<std::int32_t>())
    ++count.at(static_cast<std::size_t>(label));
  EXPECT_THAT(count, ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
  const auto pixels = split.train.field("image").as<float>();
  EXPECT_NEAR(
      std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(pixels.size()),
      0.1307, 1e-4);
}

TEST(LoadSources, ReadIdxNpyAndCsvBesideTheModel) {
  const Scratch scratch;
  scratch.write("d/images", kImages);
  scratch.write("d/t.csv", "a,b,c\n1,2,3\n4,NA,6\n7,8,9\n");
  write_npy(scratch.path("d/y.npy"), counted({3, 2}, DType::i32).view());
  const auto train = map(
      {{"image",
        map({{"idx",
              map({{"file", text("images")}, {"scale", real(1.0 / 255)}, {"flatten", yes()}})}})},
       {"y", map({{"npy", text("y.npy")}})},
       {"t", map({{"csv", map({{"file", text("t.csv")},
                               {"columns", list({text("c"), whole(1)})},
                               {"missing", whole(-1)}})}})}});
  const auto val = map({{"take_from", map({{"set", text("train")}, {"last", whole(1)}})}});
  const auto test = map({{"take_from", map({{"set", text("train")}, {"first", whole(1)}})}});
  const DataSplit split =
      load(map({{"root", text("d")}, {"train", train}, {"val", val}, {"test", test}}),
           {input("image", DType::f32, {-1, 4}), input("y", DType::i32, {-1, 2}),
            input("t", DType::f64, {-1, 2})},
           scratch.folder());
  EXPECT_EQ(split.train.size(), 1);
  EXPECT_THAT(split.train.field("t").as<double>(), ElementsAre(6, -1));
  EXPECT_THAT(split.val->field("y").as<std::int32_t>(), ElementsAre(4, 5));
  EXPECT_EQ(split.test->field("image").as<float>()[3], 153 / 255.0f);
}

TEST(LoadSources, ReshapeAndShiftValues) {
  const Scratch scratch;
  write_npy(scratch.path("x.npy"), counted({2, 6}).view());
  const auto source = [](DataValue sizes) {
    return map({{"train", map({{"x", map({{"npy", map({{"file", text("x.npy")},
                                                       {"scale", whole(2)},
                                                       {"offset", whole(-1)},
                                                       {"reshape", std::move(sizes)}})}})}})}});
  };
  const DataSplit split = load(source(list({whole(3), whole(-1)})), {}, scratch.folder());
  EXPECT_EQ(split.train.field("x").shape(), (Shape{2, 3, 2}));
  EXPECT_THAT(split.train.field("x").as<float>(),
              ElementsAre(-1, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21));
  EXPECT_THAT(message_of([&] { load(source(list({whole(4)})), {}, scratch.folder()); }),
              HasSubstr("`reshape` does not fit"));
  EXPECT_THAT(message_of([&] {
                load(source(list({whole(4), whole(-1)})), {}, scratch.folder());
              }),
              HasSubstr("6 elements"));
}

TEST(LoadSources, RefuseSetsThatDoNotGoTogether) {
  const Scratch scratch;
  write_npy(scratch.path("x.npy"), counted({2, 6}).view());
  write_npy(scratch.path("y.npy"), counted({3}).view());
  write_npy(scratch.path("one.npy"), Tensor::scalar(1, DType::f32).view());
  const auto x = map({{"npy", text("x.npy")}});
  EXPECT_EQ(diagnostic_of([&] {
              load(map({{"train", map({{"x", x}, {"y", map({{"npy", text("y.npy")}})}})}}), {},
                   scratch.folder());
            }).code,
            "E0905");
  EXPECT_THAT(
      message_of([&] {
        load(map({{"train", map({{"x", map({{"npy", text("one.npy")}})}})}}), {}, scratch.folder());
      }),
      HasSubstr("no examples"));
  EXPECT_THAT(
      message_of([&] {
        load(
            map({{"train", map({{"x", x}})},
                 {"val", map({{"take_from", map({{"set", text("train")}, {"last", whole(2)}})}})}}),
            {}, scratch.folder());
      }),
      HasSubstr("takes 2 of the 2 examples of `train`"));
  EXPECT_THAT(
      message_of([&] {
        load(map({{"train", map({{"x", map({{"idx", text("gone")}})}})}}), {}, scratch.folder());
      }),
      HasSubstr("gone: no such file"));
}

}  // namespace
}  // namespace limen
