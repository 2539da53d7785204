// Finding activations and resolving their parameters.
#include <limen/plugin_registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "../support/environment.hpp"
#include "../support/expect_error.hpp"
#include "../support/scratch.hpp"
#include "base/isa.hpp"
#include "kernels.hpp"

namespace limen::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

PluginRegistry shipped_plugins() {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  return registry;
}

TEST(PluginRegistry, FindsTheShippedActivations) {
  const PluginRegistry registry = shipped_plugins();
  EXPECT_THAT(registry.problems(), IsEmpty());
  std::vector<std::string> names;
  for (const Activation& a : registry.activations()) names.emplace_back(a.name());
  EXPECT_THAT(names, IsSupersetOf({"identity", "mish", "relu", "sigmoid", "softmax", "step"}));
  for (const Activation& a : registry.activations()) {
    EXPECT_TRUE(a.plugin().shipped);
    EXPECT_EQ(a.plugin().name(), "org.limen." + std::string(a.name()));
    EXPECT_EQ(a.plugin().file, shipped(std::string(a.name())));
  }
}

TEST(PluginRegistry, FindsByNameAliasAndQualifiedName) {
  const PluginRegistry registry = shipped_plugins();
  EXPECT_EQ(registry.find("logistic").name(), "sigmoid");
  EXPECT_EQ(registry.find("linear").name(), "identity");
  EXPECT_EQ(registry.find("none").name(), "identity");
  EXPECT_EQ(registry.find("heaviside").name(), "step");
  EXPECT_EQ(registry.find("org.limen.relu:relu").name(), "relu");
  EXPECT_EQ(registry.find("org.limen.sigmoid:logistic").name(), "sigmoid");
  EXPECT_ERROR(registry.find("org.limen.relu:sigmoid"), "E0518");
}

TEST(PluginRegistry, NamesTheNearestOpAndTheFilesThatFailed) {
  PluginRegistry registry = shipped_plugins();
  EXPECT_ERROR(registry.find("sigmoyd"), "E0518",
               "op \"sigmoyd\": unknown. Did you mean sigmoid (org.limen.sigmoid)? ",
               " ops known; limen plugin list");
  EXPECT_ERROR(registry.find("zzz"), "op \"zzz\": unknown. ", " ops known");
  EXPECT_ERROR(registry.find(""), "E0518");
  EXPECT_ERROR(registry.find(":"), "E0518");
  const Scratch scratch;
  scratch.write("broken.so", "hello, I am no library");
  registry.load_directory(scratch.folder());
  EXPECT_ERROR(registry.find("zzz"), "1 file could not be loaded", "broken.so", "E0502");
}

TEST(PluginRegistry, SkipsHiddenFilesFoldersAndOtherSuffixes) {
  const Scratch scratch;
  scratch.write(".hidden.so", "x");
  scratch.write("notes.txt", "x");
  std::filesystem::create_directory(scratch.path("folder.so"));
  PluginRegistry registry;
  registry.load_directory(scratch.folder());
  EXPECT_THAT(registry.problems(), IsEmpty());
  registry.load_directory(scratch.path("missing"));
  ASSERT_THAT(registry.searched(), SizeIs(2));
  EXPECT_TRUE(registry.searched()[0].exists);
  EXPECT_FALSE(registry.searched()[1].exists);
}

TEST(PluginRegistry, TakesTheSameFileOrACopyOnce) {
  const Scratch scratch;
  std::filesystem::copy_file(shipped("relu"), scratch.path("copy.so"));
  std::filesystem::create_symlink(shipped("relu"), scratch.path("link.so"));
  PluginRegistry registry;
  const auto first = registry.load(shipped("relu"));
  EXPECT_EQ(registry.load(shipped("relu")), first);
  EXPECT_EQ(registry.load(scratch.path("copy.so")), first);
  EXPECT_EQ(registry.load(scratch.path("link.so")), first);
  EXPECT_THAT(registry.plugins(), SizeIs(1));
}

TEST(PluginRegistry, SaysWhenALoadedFileWasReplaced) {
  const Scratch scratch;
  std::filesystem::copy_file(faulty("NOTHING"), scratch.path("a.so"));
  PluginRegistry registry;
  registry.load(scratch.path("a.so"));
  std::filesystem::remove(scratch.path("a.so"));
  std::filesystem::copy_file(faulty("RIVAL"), scratch.path("a.so"));
  EXPECT_ERROR(registry.load(scratch.path("a.so")), "E0511", "was changed after");
}

TEST(PluginRegistry, AsksForThePluginWhenTwoOfferAnOp) {
  PluginRegistry registry;
  registry.load(faulty("NOTHING"));
  EXPECT_EQ(registry.find("faulty").plugin().name(), "org.example.faulty");
  registry.load(faulty("RIVAL"));
  EXPECT_ERROR(registry.find("faulty"), "E0516", "op \"faulty\" is offered by", "bad_NOTHING.so",
               "bad_RIVAL.so", "Say org.example.faulty:faulty or org.example.rival:faulty");
  EXPECT_EQ(registry.find("org.example.rival:faulty").plugin().file, faulty("RIVAL"));
  EXPECT_ERROR(registry.find("faultx"), "Did you mean faulty");
}

TEST(PluginRegistry, KeepsShippedNamesForLimensOwn) {
  PluginRegistry registry;
  registry.load(faulty("SHIPPED_NAME"));
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  EXPECT_EQ(registry.find("relu").plugin().name(), "org.limen.relu");
  EXPECT_EQ(registry.find("org.example.faulty:relu").plugin().file, faulty("SHIPPED_NAME"));
  const auto problems = registry.problems();
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems[0].code, "E0517");
  EXPECT_THAT(registry.hidden("relu"), testing::ElementsAre("org.example.faulty:relu"));
  EXPECT_THAT(registry.hidden("tanh"), IsEmpty());
  EXPECT_TRUE(problems[0].warning);
  EXPECT_THAT(problems[0].message, HasSubstr("call it org.example.faulty:relu or rename it"));
}

TEST(PluginRegistry, KeepsTheFirstOfTwoFilesWithOnePlugin) {
  PluginRegistry registry;
  registry.load(faulty("NOTHING"));
  EXPECT_ERROR(registry.load(faulty("SHIPPED_NAME")), "E0516", "plugin org.example.faulty 0.3",
               "is hidden by", "bad_NOTHING.so");
  EXPECT_THAT(registry.plugins(), SizeIs(1));
}

TEST(PluginRegistry, LoadsTheExampleOfTheReadme) {
  PluginRegistry registry;
  registry.load(sample("readme"));
  const Activation mish = registry.find("my_mish");
  const std::vector<double> y = forward<double>(mish, {-1.0, 0.0, 2.0});
  EXPECT_NEAR(y[0], -std::tanh(std::log1p(std::exp(-1.0))), 1e-15);
  EXPECT_EQ(y[1], 0);
  EXPECT_NEAR(y[2], 2 * std::tanh(std::log1p(std::exp(2.0))), 1e-14);
}

TEST(PluginRegistry, LoadsAPluginWrittenInC) {
  PluginRegistry registry;
  registry.load(sample("square"));
  const Activation square = registry.find("sq");
  EXPECT_EQ(forward<float>(square, {-3, 2}), (std::vector<float>{9, 4}));
  EXPECT_EQ(derivative<float>(square, {-3, 2}), (std::vector<float>{-6, 4}));
  EXPECT_EQ(square.kernel(LIMEN_FORWARD, LIMEN_F64, 0), nullptr);
}

TEST(PluginRegistry, SearchesPathUserFolderAndOwnFolderInThisOrder) {
  const Scratch scratch;
  const Environment path("LIMEN_PLUGIN_PATH",
                         ":" + scratch.path("a") + "::" + sample("square") + ":/no/such.so:");
  const Environment data("XDG_DATA_HOME", scratch.folder());
  std::filesystem::create_directories(scratch.path("limen/plugins"));
  std::filesystem::create_directories(scratch.path("a"));
  std::filesystem::copy_file(sample("functions"), scratch.path("limen/plugins/f.so"));
  PluginRegistry registry;
  registry.load_default();
  ASSERT_GE(registry.plugins().size(), 9u) << "square, functions and limen's own";
  EXPECT_EQ(registry.plugins()[0]->name(), "org.example.square");
  EXPECT_EQ(registry.plugins()[1]->name(), "org.example.functions");
  EXPECT_EQ(registry.find("relu").plugin().file, shipped("relu"));
  ASSERT_THAT(registry.searched(), SizeIs(3));
  EXPECT_EQ(registry.searched()[0].origin, "LIMEN_PLUGIN_PATH");
  EXPECT_EQ(registry.searched()[1].plugins, 1);
  ASSERT_THAT(registry.problems(), SizeIs(1));
  EXPECT_EQ(registry.problems()[0].code, "E0501");
}

TEST(Activation, OutlivesItsRegistry) {
  auto registry = std::make_unique<PluginRegistry>();
  registry->load(shipped("leaky_relu"));
  const Activation leaky = registry->find("leaky_relu").with({{"alpha", 0.5}});
  registry.reset();
  EXPECT_EQ(forward<float>(leaky, {-4, 4}), (std::vector<float>{-2, 4}));
  EXPECT_EQ(leaky.identity(), "leaky_relu{alpha=0.5}@org.limen.leaky_relu/1.0.0");
}

TEST(Activation, ResolvesParameters) {
  const PluginRegistry registry = shipped_plugins();
  const Activation leaky = registry.find("leaky_relu");
  EXPECT_THAT(leaky.hyper(), ElementsAre(0.01));
  EXPECT_THAT(leaky.with({{"alpha", 0.2}}).hyper(), ElementsAre(0.2));
  EXPECT_THAT(leaky.with({{"alpha", 0.2}}).with({}).hyper(), ElementsAre(0.2));
  EXPECT_EQ(leaky.identity(), "leaky_relu{alpha=0.01}@org.limen.leaky_relu/1.0.0");
  EXPECT_ERROR(leaky.with({{"alhpa", 0.2}}), "E0202", "`leaky_relu` has no parameter `alhpa`",
               "did you mean `alpha`?");
  EXPECT_ERROR(leaky.with({{"alpha", 1.5}}), "E0208",
               "`leaky_relu.alpha` must be in [0, 1], found `1.5`");
  EXPECT_ERROR(leaky.with({{"alpha", std::nan("")}}), "E0208");
  EXPECT_ERROR(registry.find("relu").with({{"alpha", 1}}), "E0202", "`relu` has no parameters");
}

TEST(Activation, ChecksEveryTypeOfParameter) {
  PluginRegistry registry;
  registry.load(sample("shapes"));
  const Activation bent = registry.find("bent");
  EXPECT_ERROR(bent.with({}), "E0203", "`bent` needs the parameter `floor`");
  const Activation ready = bent.with({{"floor", -3}});
  EXPECT_EQ(ready.identity(),
            "bent{scale=0.5,kind=0,times=1,on=1,floor=-3}@org.example.shapes/1.2.0");
  EXPECT_ERROR(ready.with({{"scale", 0}}), "must be in (0, 1], found `0`");
  EXPECT_ERROR(ready.with({{"times", 2.5}}), "must be an integer in [1, 8], found `2.5`");
  EXPECT_ERROR(ready.with({{"on", 2}}), "must be 0 or 1");
  EXPECT_ERROR(ready.with({{"kind", 2}}), "must be one of plain, shifted");
  EXPECT_EQ(ready.choice("kind", "shifted"), 1);
  EXPECT_ERROR(ready.choice("kind", "shiftet"), "E0208", "did you mean `shifted`?");
  EXPECT_ERROR(ready.choice("scale", "big"), "must be a number (0, 1], found the text `big`");
  EXPECT_ERROR(ready.choice("skale", "big"), "E0202", "did you mean `scale`?");
  const auto params = bent.params();
  ASSERT_THAT(params, SizeIs(5));
  EXPECT_EQ(params[0].doc, "slope below zero");
  EXPECT_THAT(params[1].choices, ElementsAre("plain", "shifted"));
  EXPECT_EQ(params[2].range, "an integer in [1, 8]");
}

TEST(Activation, AsksThePluginWhetherParametersGoTogether) {
  PluginRegistry registry;
  registry.load(faulty("JOINT_CHECK"));
  const Activation a = registry.find("faulty");
  EXPECT_NO_THROW(a.with({{"alpha", 0.25}}));
  EXPECT_ERROR(a.with({{"alpha", 0.5}}), "E0208", "`faulty.alpha`: alpha may not be one half");
}

TEST(Activation, ShowsTheAxisOfRowFunctions) {
  const PluginRegistry registry = shipped_plugins();
  const Activation softmax = registry.find("softmax");
  EXPECT_TRUE(softmax.rows());
  EXPECT_EQ(softmax.axis(), -1);
  EXPECT_EQ(softmax.along(1).identity(), "softmax{temperature=1,axis=1}@org.limen.softmax/1.0.0");
  EXPECT_EQ(registry.find("relu").identity(), "relu@org.limen.relu/1.0.0");
}

TEST(Activation, PicksTheBestKernelThatMayRun) {
  const PluginRegistry registry = shipped_plugins();
  const Activation sigmoid = registry.find("sigmoid");
  const auto isa_of = [&](std::uint32_t limit) {
    return sigmoid.kernel(LIMEN_FORWARD, LIMEN_F32, limit)->isa;
  };
  EXPECT_EQ(isa_of(LIMEN_ISA_ANY), LIMEN_ISA_ANY);
#if defined(__x86_64__)
  EXPECT_EQ(isa_of(LIMEN_ISA_X86_V3), LIMEN_ISA_X86_V3);
  EXPECT_EQ(isa_of(LIMEN_ISA_X86_V4), LIMEN_ISA_X86_V4);
  EXPECT_EQ(isa_of(LIMEN_ISA_ARM_SVE), LIMEN_ISA_ANY) << "another family";
#endif
  const auto reads = [&](std::uint32_t may_read) {
    const limen_kernel* k = sigmoid.kernel(LIMEN_BACKWARD, LIMEN_F64, kIsaX86V4, may_read);
    return k != nullptr ? k->reads : 0;
  };
  EXPECT_EQ(reads(LIMEN_X | LIMEN_Y), LIMEN_Y) << "the plugin's own first choice";
  EXPECT_EQ(reads(LIMEN_X), LIMEN_X);
  EXPECT_EQ(sigmoid.kernel(LIMEN_BACKWARD, LIMEN_F64, 0, 0), nullptr);
  EXPECT_EQ(sigmoid.kernel(LIMEN_FORWARD, LIMEN_BF16, 0), nullptr);
  EXPECT_EQ(sigmoid.kernel(LIMEN_FORWARD, LIMEN_F32, 0, LIMEN_X, 7), nullptr) << "no such variant";
}

TEST(DetectIsa, CanBeForcedDownButNotUp) {
  const Environment unset("LIMEN_ISA", "");
  const std::uint32_t machine = detect_isa();
  {
    const Environment isa("LIMEN_ISA", "sse2");
    EXPECT_EQ(detect_isa(), kIsaBase);
  }
  {
    const Environment isa("LIMEN_ISA", "avx2");
    EXPECT_EQ(detect_isa(), std::min(machine, kIsaX86V3));
  }
  {
    const Environment isa("LIMEN_ISA", "x86-64-v4");
    EXPECT_EQ(detect_isa(), machine);
  }
  const Environment isa("LIMEN_ISA", "mmx");
  EXPECT_ERROR(detect_isa(), "LIMEN_ISA is `mmx`", "x86-64-v3");
}

}  // namespace
}  // namespace limen::test
