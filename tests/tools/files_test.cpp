// Files that are not what they should be, each with its exit code and never a crash.
#include "io/safetensors.hpp"
#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Files : public Program {
 protected:
  void SetUp() override { write("m.yaml", kSmallModel); }

  // limen must end with that exit code and an error that names the file.
  void expect_refused(std::vector<std::string> words, int exit, const std::string& names) const {
    std::string line;
    for (const std::string& word : words) line += " " + word;
    const Outcome outcome = limen(std::move(words));
    EXPECT_EQ(outcome.signal, 0) << line;
    EXPECT_EQ(outcome.exit, exit) << line << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("error")) << line;
    EXPECT_THAT(outcome.err, HasSubstr(names)) << line;
  }
};

TEST_F(Files, CutAndSpoiledArraysAreRefused) {
  write_array<float>("x.npy", {3, 2}, {1, 2, 3, 4, 5, 6});
  const std::string whole = Scratch::read(scratch_.path("x.npy"));
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{5}, std::size_t{9}, std::size_t{40}, whole.size() - 1}) {
    write("cut.npy", whole.substr(0, length));
    expect_refused({"run", "m.yaml", "-i", "x=cut.npy"}, 4, "cut.npy");
  }
  write("long.npy", whole + "x");
  expect_refused({"run", "m.yaml", "-i", "x=long.npy"}, 4, "long.npy");
  std::string other = whole;
  other.replace(other.find("<f4"), 3, "<c8");
  write("complex.npy", other);
  expect_refused({"run", "m.yaml", "-i", "x=complex.npy"}, 4, "complex.npy");
  write("text.npy", "these are no numbers");
  expect_refused({"run", "m.yaml", "-i", "x=text.npy"}, 4, "text.npy");
  expect_refused({"run", "m.yaml", "-i", "x=."}, 4, ".");
}

TEST_F(Files, CutAndSpoiledWeightsAreRefused) {
  good({"train", "m.yaml", "--out", "run", "--steps", "2", "-q"});
  const std::string whole = Scratch::read(scratch_.path("run/ckpt/last.safetensors"));
  const std::vector<std::string> base{"run", "m.yaml", "-i", "x=[[1, 2]]", "--weights"};
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{7}, std::size_t{20}, whole.size() / 2, whole.size() - 1}) {
    write("cut.safetensors", whole.substr(0, length));
    auto words = base;
    words.emplace_back("cut.safetensors");
    expect_refused(words, 4, "cut.safetensors");
  }
  std::string bomb = whole;
  bomb.replace(0, 8, std::string(7, '\xff') + '\x7f');
  write("bomb.safetensors", bomb);
  auto words = base;
  words.emplace_back("bomb.safetensors");
  expect_refused(words, 4, "bomb.safetensors");
}

TEST_F(Files, WeightsOfAnotherModelAreNamed) {
  good({"train", "m.yaml", "--out", "run", "--steps", "2", "-q"});
  write("wide.yaml", [] {
    std::string text = kSmallModel;
    return text.replace(text.find("dense: 8"), 8, "dense: 9");
  }());
  expect_refused({"eval", "wide.yaml", "--weights", "run/ckpt/last.safetensors"}, 4,
                 "dense1.weight");
  expect_refused({"train", "wide.yaml", "--out", "b", "--weights", "run/ckpt/last.safetensors"}, 4,
                 "dense1.weight");
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("b")));  // no empty run stays behind
}

TEST_F(Files, ModelsThatAreNoneAreRefused) {
  expect_refused({"check", "missing.yaml"}, 4, "missing.yaml");
  expect_refused({"check", "."}, 4, ".");
  write("empty.yaml", "");
  expect_refused({"check", "empty.yaml"}, 3, "empty.yaml");
  write("binary.yaml", std::string("\x7f"
                                   "ELF\0\0\xff\xfe",
                                   8));
  expect_refused({"check", "binary.yaml"}, 3, "binary.yaml");
  write("deep.yaml", "limen: 1\ngraph: " + std::string(5000, '[') + "\n");
  expect_refused({"check", "deep.yaml"}, 3, "deep.yaml");
  expect_refused({"check", "m.yaml", "--set", "train.epoch=3"}, 2, "epoch");
  expect_refused({"check", "m.yaml", "--set", "nonsense"}, 2, "nonsense");
}

TEST_F(Files, SeveralModelsAreCheckedAndTheFirstErrorDecides) {
  write("bad.yaml", "limen: 2\n");
  const Outcome outcome = limen({"check", "m.yaml", "bad.yaml", "missing.yaml"});
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_EQ(outcome.out, "m.yaml: ok\n");
  EXPECT_THAT(outcome.err, HasSubstr("E0102"));
  EXPECT_THAT(outcome.err, HasSubstr("missing.yaml"));
  const Outcome json = limen({"check", "m.yaml", "bad.yaml", "--json"});
  EXPECT_EQ(json.exit, 3);
  const Json report = Json::parse(json.out);
  EXPECT_EQ(report["ok"], false);
  EXPECT_EQ(report["files"][0]["ok"], true);
  EXPECT_EQ(report["files"][1]["diagnostics"][0]["code"], "E0102");
}

TEST_F(Files, AModelCanComeFromStandardInput) {
  const Outcome outcome = limen({"check", "-"}, kSmallModel);
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
}

TEST_F(Files, LibrariesThatAreNoPluginsAreRefused) {
  write("text.so", "this is text");
  write("empty.so", "");
  const std::string real = Scratch::read(LIMEN_SHIPPED_PLUGINS "/relu.so");
  write("cut.so", real.substr(0, 3000));
  for (const char* file : {"text.so", "empty.so", "cut.so", "missing.so"}) {
    expect_refused({"gradcheck", file}, 5, file);
    expect_refused({"plugin", "info", file}, 5, file);
    expect_refused({"check", "m.yaml", "--plugin", file}, 5, file);
    write("named.yaml",
          std::string("limen: 1\nplugins: [") + file + "]\n" + std::string(kSmallModel).substr(9));
    expect_refused({"check", "named.yaml"}, 5, file);
  }
  expect_refused({"plugin", "info", "rellu"}, 5, "relu");
  expect_refused({"gradcheck", "op:rellu"}, 2, "relu");
}

TEST_F(Files, DataThatAreNotThereAreNamed) {
  const std::string head =
      "limen: 1\ninputs:\n  x: f32[N, 2]\n  label: i64[N]\ngraph:\n  - dense: 2\n"
      "loss: softmax_cross_entropy\ntrain: {epochs: 1, optimizer: {sgd: 0.1}}\n";
  write("none.yaml", head);
  expect_refused({"train", "none.yaml", "--out", "a"}, 3, "no `data` section");
  write("csv.yaml", head + "data: {csv: missing.csv}\n");
  expect_refused({"train", "csv.yaml", "--out", "a"}, 4, "missing.csv");
  write("t.csv", "x,label\n1,2\n3\n");
  write("short.yaml", head + "data: {csv: t.csv}\n");
  expect_refused({"train", "short.yaml", "--out", "a"}, 4, "t.csv");
  write("mnist.yaml",
        "limen: 1\ninputs:\n  image: f32[N, 784]\n  label: i64[N]\ngraph:\n  - dense: 10\n"
        "loss: softmax_cross_entropy\ndata: mnist\ntrain: {epochs: 1, optimizer: {sgd: 0.1}}\n");
  Command wanted = command({"train", "mnist.yaml", "--out", "a"});
  wanted.folder = scratch_.folder();
  wanted.environment.emplace_back("LIMEN_DATA", "");
  const Outcome outcome = test::run(wanted);
  EXPECT_EQ(outcome.exit, 4);
  EXPECT_THAT(outcome.err, HasSubstr("train-images-idx3-ubyte"));
  EXPECT_THAT(outcome.err, HasSubstr("digits"));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("a")));
}

}  // namespace
}  // namespace limen::test
