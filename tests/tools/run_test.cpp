// limen run: values and gradients against hand-made figures, inputs and outputs of every form.
#include <fmt/format.h>

#include "io/safetensors.hpp"
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHandModel =
    "limen: 1\n"
    "inputs:\n"
    "  x: f32[N, 2]\n"
    "graph:\n"
    "  - dense: 2\n"
    "    name: fc\n";

// A .npy file of any element type: "<i8", "|u1".
std::string npy(const std::string& descr, const std::string& shape, const std::string& bytes) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr, shape);
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  return file + header + bytes;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

class Run : public Program {
 protected:
  void SetUp() override {
    write("hand.yaml", kHandModel);
    Tensor weight({{2, 2}, DType::f32}), bias({{2}, DType::f32});
    const float w[] = {1, 2, 3, 4}, b[] = {0.5f, -0.5f};
    std::copy(w, w + 4, weight.as<float>().begin());
    std::copy(b, b + 2, bias.as<float>().begin());
    SafeTensors content;
    content.tensors = {{"fc.weight", weight}, {"fc.bias", bias}};
    write_safetensors(scratch_.path("w.safetensors"), content);
    write_array<float>("x.npy", {2, 2}, {1, 1, 2, -1});
  }

  static std::vector<std::string> words(std::vector<std::string> more) {
    std::vector<std::string> all{"run", "hand.yaml", "--weights", "w.safetensors"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(Run, WritesTheOutputsIntoAFolder) {
  EXPECT_EQ(good(words({"--input", "x=x.npy", "--output", "deep/out"})), "");
  EXPECT_THAT(read_array<float>("deep/out/fc.npy"), ElementsAre(3.5f, 6.5f, 0.5f, 1.5f));
}

TEST_F(Run, WritesTheGradientWithOnesOrWithACotangent) {
  good(words({"--input", "x=x.npy", "--output", "out", "--grad", "x"}));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(4, 6, 4, 6));
  write_array<float>("c.npy", {2, 2}, {1, 0, 0, 2});
  good(words({"--input", "x=x.npy", "--output", "out", "--grad", "x", "--cotangent", "fc=c.npy"}));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(1, 2, 6, 8));
}

TEST_F(Run, AddsTheProductsOfSeveralCotangents) {
  write("hand.yaml", std::string(kHandModel) + "outputs: [fc, relu]\n");
  write_array<float>("x.npy", {1, 2}, {1, -1});  // fc = [-0.5, -1.5]: relu is 0, so is its slope
  good(words({"-i", "x.npy", "-o", "out", "--grad", "x"}));
  EXPECT_THAT(read_array<float>("out/relu1.npy"), ElementsAre(0, 0));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(4, 6));
  write_array<float>("x.npy", {1, 2}, {1, 1});
  good(words({"-i", "x.npy", "-o", "out", "--grad", "x"}));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(8, 12));
  write_array<float>("c.npy", {1, 2}, {1, 0});
  good(words({"-i", "x.npy", "-o", "out", "--grad", "x", "--cotangent", "fc=c.npy", "--cotangent",
              "relu1=c.npy"}));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(2, 4));
  good(words({"-i", "x.npy", "-o", "out", "--grad", "x", "--cotangent", "fc=c.npy"}));
  EXPECT_THAT(read_array<float>("out/grad.x.npy"), ElementsAre(1, 2));
}

TEST_F(Run, ComputesInDoublePrecisionWhenAsked) {
  write_array<double>("x64.npy", {1, 2}, {0.1, 0.2});
  good(words({"--input", "x=x64.npy", "--output", "out", "--grad", "x", "--dtype", "f64"}));
  const auto y = read_array<double>("out/fc.npy");
  EXPECT_DOUBLE_EQ(y[0], 0.1 * 1 + 0.2 * 2 + 0.5);
  EXPECT_DOUBLE_EQ(y[1], 0.1 * 3 + 0.2 * 4 - 0.5);
  EXPECT_THAT(read_array<double>("out/grad.x.npy"), ElementsAre(4, 6));
  const Outcome narrowed = limen(words({"--input", "x=x64.npy", "--output", "out"}));
  EXPECT_EQ(narrowed.exit, 0);
  EXPECT_THAT(narrowed.err, HasSubstr("f64 values rounded to f32"));
}

TEST_F(Run, TakesEveryElementTypeOfNpyFiles) {
  write("u8.npy", npy("|u1", "(1, 2)", std::string("\x01\xff", 2)));
  write("i64.npy", npy("<i8", "(1, 2)", bytes_of<std::int64_t>({1, 255})));
  write("i32.npy", npy("<i4", "(1, 2)", bytes_of<std::int32_t>({1, 255})));
  for (const char* file : {"u8.npy", "i64.npy", "i32.npy"}) {
    good(words({"--input", std::string("x=") + file, "--output", "out"}));
    EXPECT_THAT(read_array<float>("out/fc.npy"), ElementsAre(511.5f, 1022.5f)) << file;
  }
  write("big.npy", npy("<i8", "(1, 2)", bytes_of<std::int64_t>({1, std::int64_t{1} << 40})));
  EXPECT_EQ(limen(words({"--input", "x=big.npy"})).exit, 4);
}

TEST_F(Run, GivesASingleItemItsLeadingAxis) {
  write_array<float>("one.npy", {2}, {1, 1});
  const Outcome outcome = limen(words({"--input", "one.npy", "--output", "out"}));
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_THAT(outcome.err, HasSubstr("one item, taken as [1, 2]"));
  EXPECT_THAT(read_array<float>("out/fc.npy"), ElementsAre(3.5f, 6.5f));
  EXPECT_EQ(limen(words({"--input", "one.npy", "--output", "out", "-q"})).err, "");
}

TEST_F(Run, ReadsLiteralsAndStandardInput) {
  good(words({"--input", "x=[[1, 1], [2, -1]]", "--output", "out"}));
  EXPECT_THAT(read_array<float>("out/fc.npy"), ElementsAre(3.5f, 6.5f, 0.5f, 1.5f));
  const Outcome outcome =
      limen(words({"--input", "-", "--output", "-"}), Scratch::read(scratch_.path("x.npy")));
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  write("piped.npy", outcome.out);
  EXPECT_THAT(read_array<float>("piped.npy"), ElementsAre(3.5f, 6.5f, 0.5f, 1.5f));
}

TEST_F(Run, WritesFilesByTheirExtension) {
  good(words(
      {"-i", "x.npy", "-o", "fc=y.npy", "-o", "y.csv", "-o", "y.json", "-o", "y.safetensors"}));
  EXPECT_THAT(read_array<float>("y.npy"), ElementsAre(3.5f, 6.5f, 0.5f, 1.5f));
  EXPECT_EQ(Scratch::read(scratch_.path("y.csv")), "3.5,6.5\n0.5,1.5\n");
  const Json json = Json::parse(Scratch::read(scratch_.path("y.json")));
  EXPECT_EQ(json["outputs"]["fc"]["data"], Json::parse("[[3.5, 6.5], [0.5, 1.5]]"));
  EXPECT_EQ(read_safetensors(scratch_.path("y.safetensors")).tensors.at("fc").shape(),
            Shape({2, 2}));
}

TEST_F(Run, PrintsJsonATableAndTheLargest) {
  const Json json = good_json(words({"-i", "x.npy", "--grad", "x", "--json"}));
  EXPECT_EQ(json["outputs"]["fc"]["dtype"], "f32");
  EXPECT_EQ(json["outputs"]["fc"]["shape"], Json::parse("[2, 2]"));
  EXPECT_EQ(json["gradients"]["x"]["data"], Json::parse("[[4, 6], [4, 6]]"));
  EXPECT_THAT(good(words({"-i", "x.npy"})), HasSubstr("fc  f32[2, 2]\n"));
  EXPECT_EQ(good(words({"-i", "x=[[1, 1]]", "--top", "1"})), "fc  f32[1, 2]\n     1  6.5000\n");
}

TEST_F(Run, CutsTheExamplesIntoBatches) {
  std::vector<float> values;
  for (int i = 0; i < 14; ++i) values.push_back(static_cast<float>(i) / 8);
  write_array<float>("x.npy", {7, 2}, values);
  good(words({"-i", "x.npy", "-o", "whole"}));
  good(words({"-i", "x.npy", "-o", "cut", "--batch", "3"}));
  EXPECT_EQ(read_array<float>("whole/fc.npy"), read_array<float>("cut/fc.npy"));
  EXPECT_EQ(limen(words({"-i", "x.npy", "--grad", "x", "--batch", "3"})).exit, 2);
}

TEST_F(Run, UsesTheInitialWeightsWithAWarning) {
  const Outcome outcome = limen({"run", "hand.yaml", "-i", "x.npy", "-o", "a"});
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_THAT(outcome.err, HasSubstr("warning: no weights given: using the initial weights"));
  good({"run", "hand.yaml", "-i", "x.npy", "-o", "b"});
  EXPECT_EQ(read_array<float>("a/fc.npy"), read_array<float>("b/fc.npy"));
}

TEST_F(Run, AFixedShapeNeedsNoFreeSize) {
  write("fixed.yaml", "limen: 1\ninputs:\n  x: f32[3, 4]\ngraph:\n  - relu:\n");
  good({"run", "fixed.yaml", "-i", "[[1,-1,2,-2],[3,-3,4,-4],[5,-5,6,-6]]", "-o", "out"});
  EXPECT_THAT(read_array<float>("out/relu1.npy"), ElementsAre(1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0));
}

TEST_F(Run, OnlyTheInputsThatAreReadMustBeGiven) {
  write("small.yaml", kSmallModel);
  good({"run", "small.yaml", "-i", "x=[[0.1, 0.2]]", "-o", "out"});
  const Outcome outcome = limen({"run", "small.yaml", "-i", "x=[[0.1, 0.2]]", "-i", "label=[1]"});
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_THAT(outcome.err, HasSubstr("no output reads the input `label`"));
}

TEST_F(Run, TakesExamplesFromTheSetsOfTheModel) {
  write("small.yaml", kSmallModel);
  const Json three = good_json({"run", "small.yaml", "-i", "test[0:3]", "--json"});
  const Json third = good_json({"run", "small.yaml", "-i", "x=test[2]", "--json"});
  EXPECT_EQ(three["outputs"]["scores"]["shape"], Json::parse("[3, 2]"));
  EXPECT_EQ(three["outputs"]["scores"]["data"][2], third["outputs"]["scores"]["data"][0]);
  EXPECT_EQ(limen({"run", "small.yaml", "-i", "test[40]"}).exit, 4);
  EXPECT_EQ(limen({"run", "small.yaml", "-i", "test[x]"}).exit, 2);
}

TEST_F(Run, WrongInputsAreLocatedErrors) {
  write("two.yaml", "limen: 1\ninputs:\n  a: f32[N, 2]\n  b: f32[N, 2]\ngraph:\n  - add: [a, b]\n");
  const Outcome outcome = limen(
      {"run", "two.yaml", "-i", "a=[[1,2]]", "-i", "b=[[1,2],[3,4]]", "--error-format", "short"});
  EXPECT_EQ(outcome.exit, 4);
  EXPECT_THAT(outcome.err, HasSubstr("two.yaml:4:6: error[E0904]"));
  EXPECT_THAT(outcome.err, HasSubstr("gives N = 2, but `a` gives N = 1"));
}

struct BadRun {
  std::vector<std::string> words;
  int exit;
  const char* says;
};

TEST_F(Run, WrongArgumentsSayWhatIsWrong) {
  write("two.yaml", "limen: 1\ninputs:\n  a: f32[N, 2]\n  b: f32[N, 2]\ngraph:\n  - add: [a, b]\n");
  write("u8.yaml", "limen: 1\ninputs:\n  p: u8[N, 2]\ngraph:\n  - reshape: [1, 2]\n");
  write_array<float>("c1.npy", {1, 2}, {1, 0});
  const std::vector<BadRun> cases = {
      {words({}), 2, "no value for the input `x`"},
      {words({"-i", "y=x.npy"}), 2, "the model has no input `y`"},
      {words({"-i", "x.npy", "-i", "x=x.npy"}), 2, "every input has its value already"},
      {words({"-i", "x=x.npy", "-i", "x=x.npy"}), 2, "is given twice"},
      {words({"-i", "x="}), 2, "names no file"},
      {words({"-i", "x=[[1, 2], [3]]"}), 2, "not an array of numbers of one shape"},
      {words({"-i", "x=[[1, 2"}), 2, "not an array as JSON writes it"},
      {words({"-i", "x=[[1, 2, 3]]"}), 4, "axis 1 is 3, expected 2"},
      {words({"-i", "x=[[[1, 2]]]"}), 4, "3 axes instead of 2"},
      {words({"-i", "x=[]"}), 4, "axis 1 is 0"},
      {words({"-i", "missing.npy"}), 4, "missing.npy"},
      {words({"-i", "x.npy", "--grad", "y"}), 2, "no gradient with respect to `y`"},
      {words({"-i", "x.npy", "--cotangent", "fc=x.npy"}), 2, "without `--grad"},
      {words({"-i", "x.npy", "--grad", "x", "--cotangent", "fx=x.npy"}), 2, "no output `fx`"},
      {words({"-i", "x.npy", "--grad", "x", "--cotangent", "fc=c1.npy"}), 4, "expected [2, 2]"},
      {words({"-i", "x.npy", "--grad", "x", "-o", "all.npy"}), 2, "holds one array"},
      {words({"-i", "x.npy", "-o", "fd=y.npy"}), 2, "did you mean `fc`?"},
      {words({"-i", "x.npy", "-o", "x.npy/out"}), 4, "x.npy/out"},
      {words({"-i", "x.npy", "--set", "hidden=3"}), 2, "hidden"},
      {{"run", "hand.yaml", "--weights", "x.npy", "-i", "x.npy"}, 4, "x.npy"},
      {{"run", "hand.yaml", "--weights", "no.safetensors", "-i", "x.npy"}, 4, "no.safetensors"},
      {{"run", "two.yaml", "-i", "x.npy"}, 2, "which input is x.npy?"},
      {{"run", "u8.yaml", "-i", "p=[[1, 256]]"}, 4, "outside [0, 255]"},
      {{"run", "u8.yaml", "-i", "p=[[1, 1.5]]"}, 4, "`p`"},
      {{"run", "missing.yaml"}, 4, "missing.yaml"},
      {{"run", "."}, 4, "holds no run"}};
  for (const BadRun& c : cases) {
    const Outcome outcome = limen(c.words);
    std::string line;
    for (const std::string& word : c.words) line += " " + word;
    EXPECT_EQ(outcome.exit, c.exit) << line << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.says)) << line;
    EXPECT_EQ(outcome.out, "") << line;
  }
}

}  // namespace
}  // namespace limen::test
