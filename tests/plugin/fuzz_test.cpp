// A thousand damaged libraries, loaded one after the other: each is loaded or refused with a code,
// and the process is still there.
#include <limen/plugin_registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "../support/environment.hpp"
#include "../support/expect_error.hpp"
#include "../support/scratch.hpp"
#include "kernels.hpp"
#include "plugin/elf_file.hpp"
#include "plugin/fp_state.hpp"

namespace limen::test {
namespace {

struct Range {
  std::uint64_t begin, size;
};

// Where a damage could mislead a loader: headers, notes, the dynamic section, and what the first
// segment holds (names, symbols, hashes, versions, relocations).
std::vector<Range> weak_places(const std::string& bytes) {
  ByteSource in{std::string_view(bytes)};
  const std::vector<Elf64_Phdr> segments = read_segments(in, "good.so");
  std::vector<Range> all = {{0, sizeof(Elf64_Ehdr)},
                            {sizeof(Elf64_Ehdr), segments.size() * sizeof(Elf64_Phdr)},
                            {sizeof(Elf64_Ehdr), segments.size() * sizeof(Elf64_Phdr)}};
  bool first = true;
  for (const Elf64_Phdr& s : segments) {
    const bool wanted = s.p_type == PT_NOTE || s.p_type == PT_DYNAMIC ||
                        (s.p_type == PT_LOAD && std::exchange(first, false));
    if (wanted) all.push_back({s.p_offset, s.p_filesz});
    if (s.p_type == PT_DYNAMIC) all.insert(all.end(), 3, all.back());
  }
  return all;
}

std::string damaged(std::string bytes, const std::vector<Range>& places, std::mt19937_64& random) {
  const auto below = [&](std::uint64_t n) { return random() % n; };
  if (below(10) == 0) {
    bytes.resize(below(bytes.size()));
    return bytes;
  }
  for (std::uint64_t i = 0, n = 1 + below(3); i < n; ++i) {
    const Range place = places[below(places.size())];
    if (below(2) == 0) {  // some bits of a byte
      bytes[place.begin + below(place.size)] ^= static_cast<char>(1 + below(255));
      continue;
    }
    std::uint64_t word = 0;  // a word: small, near, huge
    switch (below(4)) {
      case 0:
        word = below(64);
        break;
      case 1:
        word = below(2 * bytes.size());
        break;
      case 2:
        word = ~below(4096);
        break;
      default:
        word = random();
    }
    std::memcpy(bytes.data() + place.begin + below(place.size / 8) * 8, &word, sizeof word);
  }
  return bytes;
}

TEST(DamagedLibraries, NeverEndTheProcessThatLoadsThem) {
  const Scratch scratch;
  const Environment cache("LIMEN_CACHE", scratch.path("cache"));
  std::mt19937_64 random(20);
  std::map<std::string, int> outcomes;
  const auto before = fp_state();
  const std::string files[] = {shipped("relu"), sample("square"), faulty("JOINT_CHECK")};
  for (int round = 0; round < 1000; ++round) {
    const std::string good = Scratch::read(files[round % 3]);
    const std::string file = scratch.write("round" + std::to_string(round) + ".so",
                                           damaged(good, weak_places(good), random));
    PluginRegistry registry;
    try {
      registry.load(file);
      ++outcomes["loaded"];
    } catch (const Error& error) {
      const std::string& code = error.diagnostics().front().code;
      ASSERT_THAT(code, testing::MatchesRegex("E05(0[1-9]|1[0-9]|2[0-2])")) << error.what();
      ++outcomes[code];
    }
    std::filesystem::remove(file);
  }
  EXPECT_EQ(fp_state(), before);
  std::string figures;
  for (const auto& [outcome, count] : outcomes) {
    figures += outcome + ": " + std::to_string(count) + "  ";
  }
  std::puts(figures.c_str());
  EXPECT_GT(outcomes["loaded"], 10) << "some damages mean nothing";
  EXPECT_GT(outcomes["E0519"], 0) << "some only show in the child";
  EXPECT_GE(outcomes.size(), 8u) << figures;
}

}  // namespace
}  // namespace limen::test
