#include "base/parallel.hpp"

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/isa.hpp"
#include "base/simd.hpp"

namespace limen {
namespace {

TEST(ParallelFor, VisitsEachIndexOnce) {
  for (const int threads : {0, 1, 2, 3, 4}) {
    for (const std::int64_t count : {0, 1, 2, 3, 5, 64, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(threads, count, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
      for (const auto& v : visits) EXPECT_EQ(v, 1) << threads << " threads, " << count;
    }
  }
}

TEST(ParallelFor, WaitsForAllPieces) {
  std::vector<int> results(100);
  parallel_for(4, 100, [&](std::int64_t i) {
    std::this_thread::yield();
    results[static_cast<std::size_t>(i)] = static_cast<int>(i);
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i);
}

TEST(ParallelRanges, CoversTheRangeInPiecesOfTheGrain) {
  for (const int threads : {1, 2, 3, 4}) {
    for (const std::int64_t n : {0, 1, 9, 10, 11, 95, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      parallel_ranges(threads, n, 10, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 10, 0);
        EXPECT_LE(end - begin, 10);
        EXPECT_LT(begin, end);
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& v : visits) EXPECT_EQ(v, 1);
    }
  }
}

TEST(ParallelFor, RunsFromSeveralThreadsAtOnce) {
  std::atomic<int> sum = 0;
  const auto work = [&] {
    for (int r = 0; r < 20; ++r)
      parallel_for(2, 10, [&](std::int64_t i) { sum += static_cast<int>(i); });
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(sum, 2 * 20 * 45);
}

TEST(DefaultThreads, FollowsTheEnvironment) {
  ::setenv("LIMEN_THREADS", "3", 1);
  EXPECT_EQ(default_threads(), 3);
  for (const char* wrong : {"0", "-2", "many", ""}) {
    ::setenv("LIMEN_THREADS", wrong, 1);
    EXPECT_GE(default_threads(), 1);
  }
  ::unsetenv("LIMEN_THREADS");
  EXPECT_GE(default_threads(), 1);
}

TEST(Vectorised, ComputesTheSameAtEveryLevel) {
  std::vector<float> in(1003), expected(1003);
  for (std::size_t i = 0; i < in.size(); ++i) {
    in[i] = static_cast<float>(i) - 500;
    expected[i] = in[i] * 3;
  }
  for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
    if (!isa_runs(isa, detect_isa())) continue;
    std::vector<float> out(in.size());
    const float* from = in.data();
    float* to = out.data();
    vectorised(isa, [=] {
      for (int i = 0; i < 1003; ++i) to[i] = from[i] * 3;
    });
    EXPECT_EQ(out, expected) << isa_name(isa);
  }
}

TEST(DetectIsa, IsLoweredByTheEnvironmentAndNeverRaised) {
  ::unsetenv("LIMEN_ISA");
  const std::uint32_t machine = detect_isa();
  ::setenv("LIMEN_ISA", "base", 1);
  EXPECT_EQ(detect_isa(), kIsaBase);
  ::setenv("LIMEN_ISA", "avx512", 1);
  EXPECT_EQ(detect_isa(), machine);
  ::setenv("LIMEN_ISA", "avx2", 1);
  EXPECT_EQ(detect_isa(), std::min(machine, kIsaX86V3));
  ::unsetenv("LIMEN_ISA");
}

TEST(IsaRuns, HoldsWithinAFamilyOnly) {
  EXPECT_TRUE(isa_runs(kIsaBase, kIsaBase));
  EXPECT_TRUE(isa_runs(kIsaBase, kIsaX86V4));
  EXPECT_TRUE(isa_runs(kIsaX86V3, kIsaX86V4));
  EXPECT_FALSE(isa_runs(kIsaX86V4, kIsaX86V3));
  EXPECT_FALSE(isa_runs(0x201u, kIsaX86V4));
}

}  // namespace
}  // namespace limen
