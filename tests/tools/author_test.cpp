// From nothing to a plugin, through the command: new, build, bench, diff, doc.
#include <fmt/format.h>

#include <chrono>

#include "tools/support/author.hpp"

namespace limen::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSwitch =
    "#include <limen/activation.hpp>\n"
    "struct half {\n"
    "  static constexpr auto formula = \"x / 2\";\n"
    "  static auto f(auto x) { return x / 2; }\n"
    "};\n"
    "LIMEN_ACTIVATION(half)\n"
    "LIMEN_PLUGIN(\"org.example.half\", \"1.0.0\")\n";

bool has_rustc() { return test::run({.words = {"/bin/sh", "-c", "command -v rustc"}}).exit == 0; }

TEST_F(Author, GetsATrainedModelAndPicturesOfAnOwnActivationInThreeCommands) {
  const auto begin = std::chrono::steady_clock::now();
  must({"plugin", "new", "my_mish"});
  must({"plugin", "build", "my_mish", "--doc"});
  must({"train", "my_mish/model.yaml", "-q", "--out", "run"});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(seconds.count(), 60);

  const std::string source = read("my_mish/my_mish.cpp");
  EXPECT_EQ(std::count(source.begin(), source.end(), '\n'), 7) << source;
  must({"eval", "run", "--require", "accuracy>0.95"});
  EXPECT_EQ(good_json({"gradcheck", "my_mish/my_mish.so", "--json"})["verdict"], "pass");
  const std::string page = read("my_mish/doc/my_mish.md");
  for (const char* picture : {"curves", "spread", "speed", "error"}) {
    const std::string file = fmt::format("my_mish_{}.svg", picture);
    EXPECT_THAT(page, HasSubstr("(" + file + ")"));
    const std::string svg = read("my_mish/doc/" + file);
    EXPECT_THAT(svg, AllOf(HasSubstr("<svg xmlns="), HasSubstr("</svg>"))) << file;
    EXPECT_THAT(svg, AllOf(Not(HasSubstr("href")), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  }
  EXPECT_THAT(read("my_mish/doc/index.md"), HasSubstr("(my_mish.md)"));
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path("my_mish"))) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();  // left over
  }
}

TEST_F(Author, WritesAPluginInPlainC) {
  must({"plugin", "new", "squared", "--c"});
  const std::string source = read("squared/squared.c");
  EXPECT_LE(std::count(source.begin(), source.end(), '\n'), 45);
  must({"plugin", "build", "squared"});
  EXPECT_EQ(good_json({"gradcheck", "squared/squared.so", "--json"})["verdict"], "pass");
  must({"train", "squared/model.yaml", "-q", "--epochs", "2"});

  const Json bench = good_json({"plugin", "bench", "squared/squared.so", "--json"});
  ASSERT_EQ(bench["ops"][0]["kernels"].size(), 4u);
  for (const Json& kernel : bench["ops"][0]["kernels"]) {
    for (const char* time : {"cache_ns", "memory_ns", "call_ns"}) {
      EXPECT_GT(kernel[time].get<double>(), 0) << kernel;
    }
  }
}

TEST_F(Author, WritesAPluginInRust) {
  if (!has_rustc()) GTEST_SKIP() << "there is no rustc";
  must({"plugin", "new", "squared_by_rust", "--rust"});
  must({"plugin", "build", "squared_by_rust"});
  EXPECT_EQ(good_json({"gradcheck", "squared_by_rust/squared_by_rust.so", "--json"})["verdict"],
            "pass");
  must({"train", "squared_by_rust/model.yaml", "-q", "--epochs", "2"});
  const Json list = good_json({"plugin", "list", "--json", "--plugin", "squared_by_rust"});
  EXPECT_EQ(list["plugins"][0]["name"], "org.example.squared_by_rust");
}

TEST_F(Author, WritesAFunctionOfRows) {
  must({"plugin", "new", "centred", "--rows"});
  must({"plugin", "build", "centred"});
  EXPECT_EQ(good_json({"gradcheck", "centred/centred.so", "--json"})["verdict"], "pass");
  must({"plugin", "doc", "pages", "--only", "centred/centred.so"});
  EXPECT_THAT(read("pages/centred_row.svg"), HasSubstr("centred of the row (x, 0, 1)"));
}

TEST_F(Author, WritesAFunctionOfPieces) {
  must({"plugin", "new", "gate", "--pieces", "2"});
  must({"plugin", "build", "gate"});
  EXPECT_EQ(good_json({"gradcheck", "gate/gate.so", "--json"})["verdict"], "pass");
  must({"train", "gate/model.yaml", "-q", "--epochs", "2"});
}

TEST_F(Author, NeedsNoSourceForAFormula) {
  must({"plugin", "build", "--formula", "x > 0 ? x : alpha*x", "leak", "--param", "alpha=0.2"});
  EXPECT_EQ(good_json({"gradcheck", "leak.so", "--json"})["verdict"], "pass");
  const Json info = good_json({"plugin", "info", "leak.so", "--json"});
  EXPECT_EQ(info["ops"][0]["params"][0]["default"], 0.2);

  EXPECT_EQ(must({"plugin", "diff", "leak.so", "leak.so"}), "no difference\n");
  const Outcome other = run({"plugin", "diff", "leak.so", "leaky_relu", "--json"});
  EXPECT_EQ(other.exit, 1);
  std::vector<std::string> whats;
  const Json differences = Json::parse(other.out);
  for (const Json& d : differences["differences"]) whats.push_back(d["what"]);
  EXPECT_THAT(whats,
              ::testing::IsSupersetOf({"name", "parameter alpha", "derivative, most at x = -10"}));
}

TEST_F(Author, InstallsWhereEveryModelFindsIt) {
  write("half.cpp", kSwitch);
  must({"plugin", "build", "half.cpp", "--install"});
  EXPECT_TRUE(exists("data/limen/plugins/half.so"));
  EXPECT_FALSE(exists("half.so"));
  EXPECT_THAT(must({"list", "ops"}), HasSubstr("half"));
}

TEST_F(Author, IsToldWhatTheCompilerRefuses) {
  write("wrong.c", "#include <limen/plugin.h>\nint f(void) { return undeclared; }\n");
  EXPECT_THAT(must({"plugin", "build", "wrong.c"}, 5),
              AllOf(HasSubstr("error[E0532]"), HasSubstr("wrong.c:2"), HasSubstr("undeclared")));
  EXPECT_FALSE(exists("wrong.so"));
  write("link.c", "double lookup(double); double f(double x) { return lookup(x); }\n");
  EXPECT_THAT(must({"plugin", "build", "link.c"}, 5),
              HasSubstr("uses lookup, which no file of the plugin defines"));
  write("empty.c", "int limen_nothing;\n");  // compiles, and is no plugin
  EXPECT_THAT(must({"plugin", "build", "empty.c"}, 5),
              HasSubstr("is a shared library but not a limen plugin"));
  const Outcome nothing = without_compilers({"plugin", "build", "wrong.c"});
  EXPECT_EQ(nothing.exit, 5);
  EXPECT_THAT(nothing.err,
              AllOf(HasSubstr("no gcc or clang in PATH"), HasSubstr("sudo apt-get install gcc")));
}

TEST_F(Author, IsToldWrongUsage) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"plugin", "new"}, "needs a NAME"},
      {{"plugin", "new", "Big"}, "a name has small letters"},
      {{"plugin", "new", "../x"}, "a name has small letters"},
      {{"plugin", "new", "double"}, "means something else in C++"},
      {{"plugin", "new", "a", "--c", "--rust"}, "exclude each other"},
      {{"plugin", "new", "a", "--pieces", "4"}, "--pieces takes 2 or 3"},
      {{"plugin", "new", "a", "--param", "b=1"}, "--param needs a --formula"},
      {{"plugin", "new", "act", "--formula", "x * beta"}, "unknown name `beta`"},
      {{"plugin", "build"}, "needs a source file"},
      {{"plugin", "build", "act", "--formula", "x +"}, "the formula ends too early"},
      {{"plugin", "build", "act", "--formula", "x", "--param", "k=z"}, "NAME=NUMBER"},
      {{"plugin", "build", "../act", "--formula", "x"}, "cannot name an op"},
      {{"plugin", "diff", "relu"}, "needs two plugins"},
      {{"plugin", "bench"}, "needs a FILE.so or a name"},
      {{"plugin", "doc"}, "needs a DIR"},
  };
  for (const auto& [words, text] : rows) EXPECT_THAT(must(words, 2), HasSubstr(text));
  EXPECT_THAT(must({"plugin", "build", "nowhere.cpp"}, 4), HasSubstr("nowhere.cpp: not found"));
  std::filesystem::create_directory(scratch_.path("taken"));
  EXPECT_THAT(must({"plugin", "new", "taken"}, 2), HasSubstr("taken is there already"));
  EXPECT_THAT(must({"plugin", "build", "taken"}, 4), HasSubstr("no .cpp, .c or .rs file in it"));
}

// The words of the compiler calls of a shipped plugin, as CMake and as `plugin build` make them.
TEST_F(Author, BuildsWithTheFlagsThatCMakeUses) {
  const auto flags = [](const std::string& line) {
    std::vector<std::string> found;
    std::istringstream in(line);
    for (std::string word; in >> word;) {
      const bool kept = word.starts_with("-f") || word.starts_with("-O") ||
                        word.starts_with("-std") || word.starts_with("-Wl,");
      if (kept) found.push_back(word);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  };
  const Json commands = Json::parse(Scratch::read(LIMEN_BINARY_DIR "/compile_commands.json"));
  for (const Json& command : commands) {
    const std::string file = command["file"];
    if (!file.ends_with("/plugins/relu.cpp")) continue;
    const std::string text = command["command"];
    if (text.find("-fsanitize") != std::string::npos) GTEST_SKIP() << "built with a sanitizer";
    const std::vector<std::string> ours = flags(must({"plugin", "build", file, "--print-command"}));
    for (const std::string& flag : flags(text)) {
      if (flag == "-O2") continue;  // of the build type, before -O3
      EXPECT_THAT(ours, ::testing::Contains(flag));
    }
    EXPECT_THAT(ours, ::testing::IsSupersetOf({"-Wl,-z,defs", "-Wl,-z,now", "-O3"}));
    return;
  }
  FAIL() << "relu.cpp is not compiled";
}

TEST_F(Author, CanRunThePrintedCommandByHand) {
  const std::string line =
      must({"plugin", "build", "--formula", "x / 2", "half", "--print-command"});
  EXPECT_FALSE(exists("half.so"));
  ASSERT_EQ(test::run({.words = {"/bin/sh", "-c", line}, .folder = scratch_.folder()}).exit, 0);
  must({"gradcheck", "half.so"});
}

}  // namespace
}  // namespace limen::test
