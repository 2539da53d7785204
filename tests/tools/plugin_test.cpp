// limen plugin path and list, and the report of a kernel that crashes.
#include "support/environment.hpp"
#include "support/program.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>

namespace limen::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Plugins : public Program {
 protected:
  static std::string plugin(const std::string& name) {
    return LIMEN_TOOL_PLUGINS "/tools_" + name + ".so";
  }
};

TEST_F(Plugins, PathShowsEveryFolderAndWhatIsSkippedThere) {
  write("mine/notes.txt", "x");
  write("mine/text.so", "hello I am a text");
  fs::copy_file(plugin("wrong"), scratch_.path("mine/wrong.so"));
  fs::copy_file(plugin("wrong"), scratch_.path("mine/zcopy.so"));
  const std::string text = good({"plugin", "path", "--plugin", "mine"});
  EXPECT_THAT(text, HasSubstr("mine  (--plugin): 2 plugins"));
  EXPECT_THAT(text, HasSubstr("  notes.txt: its name does not end in .so\n"));
  EXPECT_THAT(text, HasSubstr("  text.so: E0502: not an ELF file (starts with \"hello I a\")\n"));
  EXPECT_THAT(text, HasSubstr("  zcopy.so: the same as "));
  EXPECT_THAT(text, HasSubstr("/nonexistent/limen/plugins  (user's data folder): not there\n"));
  EXPECT_THAT(text, HasSubstr("(limen's own): "));
  const Json json = good_json({"plugin", "path", "--json", "--plugin", "mine"});
  EXPECT_EQ(json["kind"], "plugin.path");
  ASSERT_EQ(json["places"].size(), 3u);
  EXPECT_EQ(json["places"][0]["origin"], "--plugin");
  EXPECT_EQ(json["places"][0]["skipped"].size(), 3u);
  EXPECT_EQ(json["places"][1]["exists"], false);
}

TEST_F(Plugins, ListOpensThemAndShowsWhatFails) {
  write("mine/text.so", "hello");
  fs::copy_file(plugin("wrong"), scratch_.path("mine/wrong.so"));
  const Json json = good_json({"plugin", "list", "--json", "--plugin", "mine"});
  EXPECT_EQ(json["plugins"][0]["name"], "org.example.odd_square");
  EXPECT_EQ(json["plugins"][0]["ops"], Json::array({"odd_square"}));
  EXPECT_EQ(json["problems"][0]["code"], "E0502");
}

TEST_F(Plugins, CheckLiftsAQuarantine) {
  const Environment cache("LIMEN_CACHE", scratch_.path("cache"));
  const std::vector<std::string> use = {"plugin", "info", plugin("wrong")};
  good(use);
  const fs::path verdict = fs::directory_iterator(scratch_.path("cache/probe"))->path();
  write("cache/probe/" + verdict.filename().string(), "dead killed by a test\n");
  fs::remove_all(scratch_.path("cache/plugins"));  // of what died no copy is kept
  const Outcome refused = limen(use);
  EXPECT_EQ(refused.exit, 5);
  EXPECT_THAT(refused.err, HasSubstr("error[E0519]: probe: killed by a test. Quarantined"));
  EXPECT_THAT(refused.err, HasSubstr("limen plugin check " + plugin("wrong")));
  limen({"plugin", "check", plugin("wrong"), "--only", "names"});
  good(use);
}

TEST_F(Plugins, AChangedPluginIsInUseWithinASecond) {
  write("model.yaml",
        "limen: 1\nname: m\ninputs:\n  x: f32[N, 2]\n  label: i64[N]\ngraph:\n  - dense: 2\n"
        "  - odd_square\n  - dense: 2\nloss: softmax_cross_entropy\n"
        "data: {moons: {n: 40}}\n"
        "train: {epochs: 1000000, batch: 20, eval: 1000 epochs, optimizer: {sgd: 0.000001}}\n");
  const std::string old = Scratch::read(plugin("wrong"));
  write("square.so", old);
  std::string bytes = old;
  for (std::size_t at = 0; (at = bytes.find("1.0.0", at)) != std::string::npos; ++at) {
    bytes.replace(at, 5, "1.0.1");
  }
  write("next", bytes);
  Command wanted = command({"train", "model.yaml", "--plugin", "square.so", "--watch-plugins",
                            "--json", "--out", "run"});
  wanted.folder = scratch_.folder();
  Child child(wanted);
  ASSERT_TRUE(child.wait_for("\"event\":\"step\""));
  const auto begin = std::chrono::steady_clock::now();
  fs::rename(scratch_.path("next"), scratch_.path("square.so"));
  EXPECT_TRUE(child.wait_for("\"event\":\"plugin\""));
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(waited.count(), 3) << "one second on a machine that does nothing else";
  child.send(SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit, 130) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\"generation\":2"));
  EXPECT_THAT(outcome.out, HasSubstr("\"version\":\"1.0.1\""));
}

TEST_F(Plugins, AKernelThatCrashesIsNamedAndTheExitCodeIs5) {
  write("model.yaml",
        "limen: 1\nname: m\ninputs:\n  x: f32[N, 2]\n  label: i64[N]\ngraph:\n  - dense: 2\n"
        "  - odd_square:\n    name: bent\n  - dense: 2\nloss: softmax_cross_entropy\n"
        "data: {moons: {n: 40}}\ntrain: {epochs: 1, batch: 20, optimizer: {sgd: 0.1}}\n");
  const Outcome outcome = limen({"train", "model.yaml", "--plugin", plugin("crashing")});
  EXPECT_EQ(outcome.exit, 5) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("error[E0519]: org.example.odd_square:odd_square backward f32"));
  EXPECT_THAT(outcome.err, HasSubstr(", elements 0..39: SIGSEGV\n"));
  EXPECT_THAT(outcome.err, HasSubstr(" = help: "));
}

}  // namespace
}  // namespace limen::test
