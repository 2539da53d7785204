// Files that are no good plugins: each is refused with its own words, none ends the process.
#include <limen/plugin_registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <random>

#include "../support/expect_error.hpp"
#include "../support/scratch.hpp"
#include "kernels.hpp"
#include "plugin/elf_file.hpp"

namespace limen::test {
namespace {

using testing::IsEmpty;

void expect_refused(const std::string& file, std::initializer_list<const char*> texts) {
  PluginRegistry registry;
  const std::string error = error_of([&] { registry.load(file); });
  EXPECT_THAT(error, testing::AllOfArray(substrings(texts)));
  EXPECT_THAT(error, testing::HasSubstr(file));
  EXPECT_THAT(registry.plugins(), IsEmpty()) << "nothing is registered";
}

TEST(LoadFault, FilesThatAreNoLibraries) {
  const Scratch scratch;
  expect_refused(scratch.path("missing.so"), {"E0501", "not found"});
  expect_refused(scratch.write("text.so", "hello I am a text"),
                 {"E0502", "not an ELF file (starts with \"hello I a\")"});
  expect_refused(scratch.write("empty.so", ""), {"E0502", "it is empty"});
  expect_refused(scratch.write("script.so", "/* GNU ld script */ INPUT(x.so)"),
                 {"E0502", "is a linker script"});
  expect_refused(scratch.write("archive.so", "!<arch>\nx"), {"E0502", "is a static archive"});
  expect_refused(scratch.folder(), {"E0502", "no regular file"});
  const std::string fifo = scratch.path("fifo.so");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_refused(fifo, {"E0502", "no regular file"});
}

TEST(LoadFault, LibrariesThatAreCutShortAnywhere) {
  const Scratch scratch;
  const std::string whole = Scratch::read(shipped("relu"));
  for (const std::size_t size : {1, 3, 4, 16, 63, 64, 100, 500, 3000, 5000, 20000}) {
    ASSERT_LT(size, whole.size());
    const std::string file =
        scratch.write("cut" + std::to_string(size) + ".so", whole.substr(0, size));
    expect_refused(file, {"E0504", "file is cut short", "(still being written?)"});
  }
}

TEST(LoadFault, LibrariesForOtherMachines) {
  const Scratch scratch;
  std::string bytes = Scratch::read(shipped("relu"));
  bytes[18] = static_cast<char>(bytes[18] == 62 ? 183 : 62);  // e_machine: x86-64, aarch64
  expect_refused(scratch.write("foreign.so", bytes), {"E0503", "built for", "this engine runs on"});
  bytes = Scratch::read(shipped("relu"));
  bytes[4] = 1;  // 32 bits
  expect_refused(scratch.write("narrow.so", bytes), {"E0503"});
  bytes = Scratch::read(shipped("relu"));
  bytes[16] = 1;  // an object file
  expect_refused(scratch.write("object.so", bytes), {"E0502", "is an object file"});
}

TEST(LoadFault, LibrariesWithoutAnEntryPoint) {
  expect_refused(faulty("NOT_A_PLUGIN"),
                 {"E0505",
                  "is a shared library but not a limen plugin (no limen note, no "
                  "limen_plugin_v* symbol)"});
  expect_refused(faulty("NO_ENTRY"), {"E0508", "no entry point limen_plugin_v1"});
  expect_refused(faulty("MANGLED_ENTRY"),
                 {"E0508", "no entry point limen_plugin_v1, but exports _Z15limen_plugin_v1",
                  "was compiled as C++ without including limen/plugin.h"});
}

TEST(LoadFault, PluginsOfAnotherAbi) {
  expect_refused(faulty("ABI_2"), {"E0506",
                                   "built for limen ABI 2; this engine has 1. It also exports no "
                                   "limen_plugin_v1"});
  expect_refused(faulty("NEEDS_9"), {"E0507", "needs limen ABI 1.9 or later; this engine has 1.0"});
}

TEST(LoadFault, LibrariesThatTheSystemCannotLoad) {
  expect_refused(faulty("UNDEFINED_SYMBOL"),
                 {"E0511",
                  "undefined symbol missing_function_xyz (used by bad_UNDEFINED_SYMBOL.so; "
                  "defined by no library it names)",
                  "-Wl,-z,defs"});
  expect_refused(faulty("MISSING_LIBRARY"), {"E0509", "needs liblimen_absent.so"});
}

TEST(LoadFault, EntryPointsThatFailSayWhy) {
  expect_refused(faulty("ENTRY_FAILS"),
                 {"E0513", "entry point failed: the table of sines is missing"});
}

TEST(LoadFault, DescriptorsThatMakeNoSense) {
  expect_refused(faulty("BAD_DEFAULT"),
                 {"E0514", "op \"faulty\": parameter \"alpha\": default 2 is outside [0, 1]"});
  expect_refused(faulty("NO_F64"),
                 {"E0515", "op \"faulty\": no forward kernel for f64, which dtypes announces"});
  expect_refused(faulty("TWO_OPS_ONE_NAME"), {"E0516", "op \"faulty\" is offered twice"});
  expect_refused(faulty("BAD_NAME"), {"E0513", "the op's name is \"Bad-Name\""});
  expect_refused(faulty("BAD_KIND"), {"E0513", "op \"faulty\"", "kind 9 is not known"});
  expect_refused(faulty("WILD_POINTER"), {"E0513", "op \"faulty\"", "no text of the library"});
  expect_refused(faulty("NULL_KERNEL"), {"E0513", "kernel 0 has no function of the library"});
  expect_refused(faulty("SMALL_OP"), {"E0513", "op 0", "it is too small"});
  expect_refused(faulty("REQUIRED_EXTENSION"),
                 {"E0513", "it requires the extension org.example.gpu/1"});
}

TEST(LoadFault, DirectoriesRememberTheirBadFilesAndLoadTheGoodOnes) {
  const Scratch scratch;
  scratch.write("a.so", "text");
  std::filesystem::copy_file(shipped("relu"), scratch.path("b.so"));
  PluginRegistry registry;
  registry.load_path(scratch.folder());
  EXPECT_EQ(registry.find("relu").plugin().file, scratch.path("b.so"));
  ASSERT_EQ(registry.problems().size(), 1u);
  EXPECT_EQ(registry.problems()[0].code, "E0502");
  EXPECT_EQ(registry.problems()[0].spans.at(0).file, scratch.path("a.so"));
  EXPECT_EQ(registry.searched().at(0).plugins, 1);
  EXPECT_ERROR(registry.load_path(scratch.path("missing")), "E0501");
}

// Only the look at the file, not the loading: what the file claims must not crash the reader.
TEST(InspectElf, SurvivesAnyBytes) {
  const std::string whole = Scratch::read(shipped("relu"));
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = whole;
    const std::size_t reach = round % 2 == 0 ? 1024 : bytes.size();
    for (int k = 0; k < 1 + round % 9; ++k) bytes[random() % reach] = static_cast<char>(random());
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    try {
      inspect_elf(bytes, "fuzzed.so");
      ++accepted;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("fuzzed.so: error[E05"));
    }
  }
  EXPECT_GT(accepted, 0) << "changes in the code leave the file readable";
}

TEST(InspectElf, ReadsNamesAndVersionWithoutLoading) {
  const ElfFile elf = inspect_elf(Scratch::read(shipped("identity")), "identity.so");
  EXPECT_TRUE(elf.has_note);
  EXPECT_EQ(elf.abi_major, 1);
  ASSERT_EQ(elf.ops.size(), 1u);
  EXPECT_THAT(elf.ops[0], testing::ElementsAre("identity", "linear", "none"));
  EXPECT_THAT(elf.entries, testing::ElementsAre("limen_plugin_v1"));
}

}  // namespace
}  // namespace limen::test
