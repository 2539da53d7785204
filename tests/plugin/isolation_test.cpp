// Libraries that nobody vouches for: tried in a child, copied, pinned, refused.
#include <limen/plugin_registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../support/environment.hpp"
#include "../support/expect_error.hpp"
#include "../support/scratch.hpp"
#include "base/sha256.hpp"
#include "kernels.hpp"
#include "plugin/probe.hpp"

namespace limen::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Probe, SaysHowAChildDied) {
  const auto death = [](auto body, int seconds = 5) {
    return probe(
               [&](const auto& stage) {
                 stage("in the entry point");
                 body();
               },
               seconds)
        .value_or("alive");
  };
  EXPECT_EQ(death([] {}), "alive");
  EXPECT_EQ(death([] { throw Error("E0513", "an orderly refusal"); }), "alive");
  EXPECT_EQ(death([] { std::raise(SIGSEGV); }), "killed by SIGSEGV in the entry point");
  EXPECT_EQ(death([] { ::_exit(3); }), "called exit(3) in the entry point");
  EXPECT_EQ(death([] { ::_exit(0); }), "called exit(0) in the entry point");
  EXPECT_EQ(death(
                [] {
                  for (;;) ::pause();
                },
                1),
            "timed out after 1 s in the entry point");
  EXPECT_EQ(probe([](const auto& stage) { stage("!spoke for itself"); }), "spoke for itself");
}

class Isolation : public testing::Test {
 protected:
  Scratch scratch_;
  Environment cache_{"LIMEN_CACHE", scratch_.path("cache")};
};

TEST_F(Isolation, ALibraryThatCrashesIsRefusedNowAndLater) {
  const std::string file = faulty("CRASHING");
  for (int round = 0; round < 2; ++round) {
    PluginRegistry registry;
    EXPECT_ERROR(registry.load(file), "E0519", "probe: killed by SIG", "in the entry point",
                 "Quarantined", "limen plugin check", file.c_str());
  }
  // What is remembered is the content, and it decides without another try.
  const fs::path verdict = fs::directory_iterator(scratch_.path("cache/probe"))->path();
  EXPECT_THAT(verdict.filename().string(), HasSubstr(sha256(Scratch::read(file))));
  std::ofstream(verdict) << "dead killed by a test\n";
  PluginRegistry registry;
  EXPECT_ERROR(registry.load(file), "E0519", "probe: killed by a test. Quarantined");
  forget_probe(file);
  EXPECT_ERROR(registry.load(file), "E0519", "in the entry point");
}

TEST_F(Isolation, ALibraryThatEndsTheProcessIsRefused) {
  PluginRegistry registry;
  EXPECT_ERROR(registry.load(faulty("LEAVING")), "E0519", "called exit(3) in the entry point");
  EXPECT_ERROR(registry.load(faulty("CRASH_AT_EXIT")), "E0519", "while it was mapped and unmapped");
  EXPECT_THAT(registry.plugins(), IsEmpty());
}

TEST_F(Isolation, WrongNumbersAreFoundAtTheFirstLoad) {
  for (int round = 0; round < 2; ++round) {
    PluginRegistry registry;
    EXPECT_ERROR(registry.load(faulty("WRONG_GOLDEN")), "E0520",
                 "self-test failed: faulty forward f32 base at x = -1.25: got -1.25, want 0.128",
                 "promised 4");
  }
}

TEST_F(Isolation, AGoodVerdictIsKept) {
  PluginRegistry registry;
  registry.load(faulty("NOTHING"));
  const fs::path verdict = fs::directory_iterator(scratch_.path("cache/probe"))->path();
  EXPECT_EQ(Scratch::read(verdict), "good\n");
}

TEST_F(Isolation, LimensOwnPluginsAreNotProbed) {
  PluginRegistry registry;
  registry.load(shipped("relu"));
  EXPECT_FALSE(fs::exists(scratch_.path("cache")));
}

TEST_F(Isolation, AFolderIsCataloguedWithoutRunningItsCode) {
  fs::copy_file(faulty("CRASHING"), scratch_.path("a.so"));
  fs::copy_file(sample("square"), scratch_.path("b.so"));
  PluginRegistry registry;
  registry.load_directory(scratch_.folder());
  EXPECT_THAT(registry.problems(), IsEmpty());
  ASSERT_EQ(registry.files().size(), 2u);
  EXPECT_EQ(registry.find("sq").name(), "square");
  EXPECT_EQ(registry.files()[0].plugin, nullptr) << "nobody asked for it";
  EXPECT_NE(registry.files()[1].plugin, nullptr);
  EXPECT_ERROR(registry.find("faulty"), "E0518", "1 file could not be loaded", "a.so", "E0519");
  EXPECT_TRUE(registry.files()[0].failed);
}

TEST_F(Isolation, AFileMayChangeWhileItsCodeRuns) {
  const std::string file = scratch_.path("a.so");
  fs::copy_file(sample("square"), file);
  PluginRegistry registry;
  registry.load(file);
  const Activation square = registry.find("square");
  std::ofstream(file, std::ios::in | std::ios::binary) << std::string(20000, '\xff');  // in place
  fs::resize_file(file, 100);
  EXPECT_EQ(forward<float>(square, {3}), std::vector<float>{9});
  EXPECT_EQ(square.plugin().file, file);
}

TEST_F(Isolation, AnotherRegistryMeetsTheNewContentOfAFile) {
  const std::string file = scratch_.path("a.so");
  fs::copy_file(faulty("NOTHING"), file);
  PluginRegistry first;
  EXPECT_EQ(first.load(file)->name(), "org.example.faulty");
  fs::remove(file);
  fs::copy_file(faulty("RIVAL"), file);
  PluginRegistry second;
  EXPECT_EQ(second.load(file)->name(), "org.example.rival");
  EXPECT_EQ(second.load(faulty("RIVAL")), second.load(file)) << "the same content";
}

// Whether the process has a file of that folder mapped.
bool mapped_from(const std::string& folder) {
  return Scratch::read("/proc/self/maps").find(folder) != std::string::npos;
}

TEST_F(Isolation, ACopyIsKeptUntilTheFileChanges) {
  const std::string file = scratch_.path("a.so"), kept = scratch_.path("cache/plugins");
  fs::copy_file(sample("square"), file);
  const auto load = [&] { return PluginRegistry().load(file)->name(); };
  EXPECT_EQ(load(), "org.example.square");
  EXPECT_FALSE(fs::exists(kept)) << "the file is too young to be told";
  const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(150)); };
  wait();
  load();
  EXPECT_FALSE(mapped_from(kept));
  EXPECT_EQ(load(), "org.example.square");
  EXPECT_TRUE(mapped_from(kept));

  // What the verdict file says is not asked again; a pin, another user's rights and a change are.
  fs::remove_all(scratch_.path("cache/probe"));
  load();
  EXPECT_FALSE(fs::exists(scratch_.path("cache/probe")));
  EXPECT_ERROR(PluginRegistry().load(file, std::string(64, 'a')), "E0521");
  ::chmod(kept.c_str(), 0770);
  load();
  EXPECT_TRUE(fs::exists(scratch_.path("cache/probe"))) << "a folder that others may write into";
  ::chmod(kept.c_str(), 0700);
  forget_probe(file);
  EXPECT_TRUE(fs::is_empty(kept));
  load();
  EXPECT_FALSE(fs::is_empty(kept));
  fs::copy_file(faulty("RIVAL"), file, fs::copy_options::overwrite_existing);
  wait();
  EXPECT_EQ(load(), "org.example.rival");
  EXPECT_EQ(load(), "org.example.rival");
}

TEST_F(Isolation, APinMustMatch) {
  const std::string hash = sha256(Scratch::read(sample("square")));
  PluginRegistry registry;
  EXPECT_ERROR(registry.load(sample("square"), std::string(64, 'a')), "E0521",
               "sha256 differs: want aaaa", hash.c_str());
  EXPECT_EQ(registry.load(sample("square"), hash)->sha256, hash);
  EXPECT_ERROR(registry.load(sample("square"), std::string(64, 'b')), "E0521");
  EXPECT_EQ(registry.find("square").name(), "square") << "what was loaded before stays";
  registry.load(shipped("relu"));
  EXPECT_ERROR(registry.load(shipped("relu"), hash), "E0521");
  registry.load(shipped("relu"), sha256(Scratch::read(shipped("relu"))));
}

TEST_F(Isolation, WhatOthersMayChangeIsRefusedUnlessItIsNamed) {
  const std::string file = scratch_.path("a.so");
  fs::copy_file(sample("square"), file);
  ::chmod(file.c_str(), 0646);
  PluginRegistry registry;
  registry.load_directory(scratch_.folder());
  ASSERT_EQ(registry.problems().size(), 1u);
  EXPECT_EQ(registry.problems()[0].code, "E0522");
  EXPECT_EQ(registry.problems()[0].message, "is writable by others; refused");
  EXPECT_ERROR(registry.find("square"), "E0518", "a.so (E0522: is writable by others; refused)");
  ::chmod(file.c_str(), 0644);
  ::chmod(scratch_.folder().c_str(), 0707);
  PluginRegistry other;
  other.load_directory(scratch_.folder());
  EXPECT_EQ(other.problems().at(0).code, "E0522");
  EXPECT_EQ(other.problems().at(0).spans.at(0).file, scratch_.folder());
  EXPECT_THAT(other.problems().at(0).help, testing::ElementsAre(HasSubstr("chmod o-w")));
  EXPECT_NO_THROW(other.load(file)) << "named";
  ::chmod(scratch_.folder().c_str(), 0700);
}

}  // namespace
}  // namespace limen::test
