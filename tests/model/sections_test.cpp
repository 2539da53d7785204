// `inputs`, `train`, `data`, `plugins`: what they become.
#include <filesystem>
#include <fstream>

#include "base/sha256.hpp"
#include "model/reading.hpp"
#include "model/version_rule.hpp"

namespace limen::test {
namespace {

Model with_train(const std::string& train) {
  return read(with_graph("  - dense: 2\n", "f32[N, 3]", "train:\n" + train));
}

TEST(Inputs, KeepTheirOrderTypesAndFreeSizes) {
  const Model model = read(
      "limen: 1\ninputs:\n  a: f32[N, 3, K]\n  b: {dtype: u8, shape: [N, 4]}\n  c: f64\ngraph: "
      "[tanh]\n");
  ASSERT_EQ(model.inputs().size(), 3u);
  const InputSpec& a = model.inputs()[0];
  EXPECT_EQ(a.declared, "f32");
  EXPECT_EQ(a.dims[0].symbol, "N");
  EXPECT_EQ(a.dims[1].size, 3);
  EXPECT_EQ(a.shape({{"N", 2}, {"K", 5}}), (Shape{2, 3, 5}));
  EXPECT_EQ(a.at.line, 3);
  EXPECT_ERROR(a.shape({{"N", 2}}), "E0606", "`K`");
  EXPECT_EQ(model.inputs()[1].dtype, DType::i32);
  EXPECT_EQ(model.inputs()[1].declared, "u8");
  EXPECT_EQ(model.inputs()[2].dims.size(), 0u);
}

TEST(Train, HasTheDefaultsOfTheLanguage) {
  const Model model = with_train("  optimizer: {sgd: 0.1}\n");
  const TrainSpec& train = *model.train();
  EXPECT_FALSE(train.epochs);
  EXPECT_EQ(train.batch, 32);
  EXPECT_EQ(train.seed, 0u);
  EXPECT_TRUE(train.shuffle);
  EXPECT_EQ(train.eval.unit, Duration::Unit::epochs);
  EXPECT_EQ(
      train.optimizer->args,
      (std::map<std::string, double>{
          {"lr", 0.1}, {"momentum", 0}, {"dampening", 0}, {"nesterov", 0}, {"weight_decay", 0}}));
}

TEST(Train, ReadsEveryKey) {
  const Model model = with_train(R"(  steps: 900
  batch: 7
  eval_batch: 9
  seed: 3
  dtype: f64
  shuffle: false
  optimizer: {adamw: {lr: 1e-2, beta2: 0.99}}
  schedule: {cosine: {warmup: 2 epochs, final: 1e-4}}
  clip: 2.5
  eval: 50
  checkpoint: {every: 10 min, keep: 4, best: test.loss}
  early_stop: {patience: 3, min_delta: 1e-4}
)");
  const TrainSpec& train = *model.train();
  EXPECT_EQ(train.steps, 900);
  EXPECT_EQ(train.batch, 7);
  EXPECT_EQ(train.eval_batch, 9);
  EXPECT_EQ(train.seed, 3u);
  EXPECT_EQ(train.dtype, DType::f64);
  EXPECT_FALSE(train.shuffle);
  EXPECT_EQ(train.optimizer->name, "adamw");
  EXPECT_DOUBLE_EQ(train.optimizer->args.at("beta2"), 0.99);
  EXPECT_DOUBLE_EQ(train.optimizer->args.at("weight_decay"), 0.01);
  EXPECT_EQ(train.schedule->name, "cosine");
  EXPECT_DOUBLE_EQ(train.schedule->args.at("final"), 1e-4);
  EXPECT_DOUBLE_EQ(train.schedule->durations.at("warmup").amount, 2);
  EXPECT_EQ(train.schedule->durations.at("warmup").unit, Duration::Unit::epochs);
  EXPECT_EQ(train.clip_norm, 2.5);
  EXPECT_EQ(train.eval.unit, Duration::Unit::steps);
  EXPECT_EQ(train.eval.amount, 50);
  EXPECT_EQ(train.checkpoint_every.unit, Duration::Unit::seconds);
  EXPECT_EQ(train.checkpoint_every.amount, 600);
  EXPECT_EQ(train.checkpoint_keep, 4);
  EXPECT_EQ(train.checkpoint_best, "test.loss");
  EXPECT_EQ(train.early_stop->watch, "val.loss");
  EXPECT_EQ(train.early_stop->patience, 3);
}

TEST(Train, SeedsMayUseSixtyThreeBits) {
  EXPECT_EQ(with_train("  seed: 9007199254740993\n").train()->seed, 9007199254740993u);
}

TEST(Data, ArrivesAsPlainValuesWithPlaces) {
  const Model model = read(
      "limen: 1\nvars: {n: 50}\ninputs:\n  x: f32[N, 2]\n  label: i64[N]\ngraph: [dense: 2]\ndata: "
      "{moons: {n: $n, noise: 0.2}}\n");
  const DataCall& call = *model.data()->dataset;
  EXPECT_EQ(call.kind, "moons");
  EXPECT_DOUBLE_EQ(call.number("n"), 50);
  EXPECT_DOUBLE_EQ(call.number("noise"), 0.2);
  EXPECT_EQ(call.at.line, 7);
  EXPECT_EQ(call.at.column, 8);
}

TEST(Initialisers, HaveTheirArgumentsFilledIn) {
  const auto init = [](const std::string& text) {
    return read(with_graph("  - dense: {units: 2, init: " + text + "}\n"))
        .build(sizes(1))
        .parameters[0]
        .init;
  };
  EXPECT_EQ(init("zeros").kind, "zeros");
  EXPECT_EQ(init("{constant: 2}").args.at("value"), 2);
  EXPECT_EQ(init("{uniform: 0.5}").args.at("low"), -0.5);
  EXPECT_EQ(init("{uniform: {low: 0, high: 1}}").args.at("low"), 0);
  EXPECT_EQ(init("glorot_normal").kind, "xavier_normal");
  EXPECT_EQ(init("kaiming_uniform").kind, "he_uniform");
  EXPECT_EQ(init("{xavier_uniform: 2}").args.at("gain"), 2);
  EXPECT_EQ(init("lecun_normal").kind, "lecun_normal");
  EXPECT_THAT(said(with_graph("  - dense: {units: 2, init: {uniform: {low: 1, high: 0}}}\n")),
              testing::HasSubstr("E0208"));
}

TEST(Plugins, AreLoadedFromTheFolderOfTheModelOnly) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "limen_model_plugins";
  fs::remove_all(root);
  fs::create_directories(root / "model" / "plugins");
  fs::create_directories(root / "elsewhere");
  const fs::path shipped = LIMEN_BINARY_DIR "/lib/limen/plugins/tanh.so";
  fs::copy_file(shipped, root / "model" / "plugins" / "tanh.so");
  fs::copy_file(shipped, root / "elsewhere" / "tanh.so");
  fs::create_symlink(root / "elsewhere" / "tanh.so", root / "model" / "link.so");
  const auto load = [&](const std::string& plugin, const ModelOptions& options = {}) {
    PluginRegistry registry;
    return Model::parse(
               "limen: 1\nplugins:\n  - " + plugin + "\ninputs:\n  x: f32[N, 2]\ngraph: [tanh]\n",
               (root / "model" / "m.yaml").string(), registry, options)
        .plugins_used();
  };
  const std::vector<std::string> tanh = {"tanh@org.limen.tanh/1.0.0"};
  EXPECT_EQ(load("plugins/tanh.so"), tanh);
  EXPECT_EQ(load("./plugins/../plugins/tanh.so"), tanh);
  EXPECT_EQ(load("tanh"), tanh);  // a bare name
  EXPECT_ERROR(load("../elsewhere/tanh.so"), "E0519", "--allow-plugin");
  EXPECT_ERROR(load("link.so"), "E0519");
  EXPECT_ERROR(load((root / "elsewhere" / "tanh.so").string()), "E0519");
  EXPECT_EQ(load("../elsewhere/tanh.so", {.allow_plugins = {(root / "elsewhere").string()}}), tanh);
  EXPECT_EQ(load("link.so", {.allow_plugins = {(root / "elsewhere" / "tanh.so").string()}}), tanh);
  EXPECT_ERROR(load("../model_of_another/tanh.so"), "E0501");
  fs::remove_all(root);
}

TEST(Plugins, MayBePinnedToAVersionAndAContent) {
  namespace fs = std::filesystem;
  const std::string file = LIMEN_BINARY_DIR "/lib/limen/plugins/tanh.so";
  std::ifstream in(file, std::ios::binary);
  const std::string hash = sha256(std::string(std::istreambuf_iterator<char>(in), {}));
  const auto load = [&](const std::string& item) {
    PluginRegistry registry = shipped_plugins();
    return error_of([&] {
      Model::parse("limen: 1\nplugins:\n  - " + item + "\ninputs:\n  x: f32[N, 2]\ngraph: [tanh]\n",
                   "m.yaml", registry);
    });
  };
  EXPECT_EQ(load("{name: tanh, version: \">=1.0\", sha256: " + hash + "}"), "");
  EXPECT_EQ(load("{path: " + file + ", version: \">=0.9, <2\"}"), "");
  EXPECT_EQ(load("{name: org.limen.tanh}"), "");
  EXPECT_THAT(load("{name: tanh, version: \">1.0\"}"),
              testing::AllOf(testing::HasSubstr("E0507"), testing::HasSubstr("m.yaml:3:"),
                             testing::HasSubstr("is version 1.0.0, wanted is >1.0")));
  EXPECT_THAT(load("{name: tanh, sha256: " + std::string(64, '0') + "}"),
              testing::AllOf(testing::HasSubstr("E0521"), testing::HasSubstr(hash)));
  EXPECT_THAT(load("{name: tanh, sha256: abc}"), testing::HasSubstr("E0205"));
  EXPECT_THAT(load("{name: tanh, version: new}"), testing::HasSubstr("E0205"));
  EXPECT_THAT(load("{version: \">1\"}"), testing::HasSubstr("one `path` or one `name`"));
  EXPECT_THAT(load("{name: tanh, versoin: \">1\"}"), testing::HasSubstr("did you mean `version`"));
}

TEST(VersionRule, ComparesNumbers) {
  using language::is_version_rule, language::version_fits;
  EXPECT_TRUE(version_fits("1.10.0", ">=1.9"));
  EXPECT_TRUE(version_fits("1.2", "==1.2.0"));
  EXPECT_TRUE(version_fits("0.3-rc1", "<1"));
  EXPECT_FALSE(version_fits("2.0", ">=1, <2"));
  EXPECT_FALSE(version_fits("unknown", ">=0"));
  EXPECT_TRUE(is_version_rule(" >= 1.2 , < 2 "));
  for (const char* wrong : {"", "1.2", ">=", "~1", ">=1,", "latest"}) {
    EXPECT_FALSE(is_version_rule(wrong)) << wrong;
  }
}

TEST(Model, SaysWhereItCannotBeRead) {
  PluginRegistry registry;
  EXPECT_ERROR(Model::load("no/such/model.yaml", registry), "E0109", "no/such/model.yaml");
  EXPECT_ERROR(Model::load(testing::TempDir(), registry), "E0");
}

TEST(Model, IsCalledAfterItsFile) {
  PluginRegistry registry = shipped_plugins();
  const Model model = Model::load(LIMEN_SOURCE_DIR "/models/xor.yaml", registry);
  EXPECT_EQ(model.name(), "xor");
  EXPECT_EQ(read(with_graph("  - tanh\n")).name(), "model");
}

}  // namespace
}  // namespace limen::test
