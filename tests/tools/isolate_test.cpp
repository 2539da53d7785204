// Jobs in children, side by side.
#include "isolate.hpp"

#include <csignal>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace limen::test {
namespace {

using tools::Job;
using tools::Say;

struct Told {
  std::vector<std::string> messages;
  std::vector<std::string> deaths;
};

// Jobs whose bodies get their number and how often they have been started before.
std::vector<Told> run(
    std::size_t count, std::size_t at_most, int seconds,
    const std::function<void(std::size_t job, std::size_t round, const Say&)>& body,
    std::size_t rounds = 1) {
  std::vector<Told> told(count);
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < count; ++i) {
    jobs.push_back({[&, i](const Say& say) { body(i, told[i].deaths.size(), say); },
                    [&, i](const std::string& message) { told[i].messages.push_back(message); },
                    [&, i](const std::string& death) {
                      told[i].deaths.push_back(death);
                      return !death.empty() && told[i].deaths.size() < rounds;
                    }});
  }
  tools::run_side_by_side(jobs, at_most, seconds);
  return told;
}

TEST(SideBySide, EveryJobIsHeardWhateverTheOrderOfTheirEnds) {
  for (const std::size_t at_most : {1, 3, 20}) {
    const auto told = run(9, at_most, 20, [](std::size_t job, std::size_t, const Say& say) {
      ::usleep(static_cast<unsigned>(9 - job) * 1000);
      say(std::to_string(job));
      say(std::string(100'000, 'x'));  // more than a pipe holds
    });
    for (std::size_t i = 0; i < told.size(); ++i) {
      ASSERT_EQ(told[i].messages.size(), 2U) << i;
      EXPECT_EQ(told[i].messages[0], std::to_string(i));
      EXPECT_EQ(told[i].messages[1].size(), 100'000U);
      EXPECT_EQ(told[i].deaths, std::vector<std::string>{""});
    }
  }
}

// To be woken for each word of a child would cost more than most tests that it tells of.
TEST(SideBySide, ManyMessagesAreHeardTogether) {
  constexpr int kMessages = 5000;
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto told = run(1, 1, 20, [](std::size_t, std::size_t, const Say& say) {
    for (int i = 0; i < kMessages; ++i) say(std::to_string(i));
  });
  ::getrusage(RUSAGE_SELF, &after);
  ASSERT_EQ(told[0].messages.size(), std::size_t{kMessages});
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(told[0].messages[static_cast<std::size_t>(i)], std::to_string(i));
  }
  EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, kMessages / 2);
}

TEST(SideBySide, ACrashAndASilenceBelongToTheirJobs) {
  const auto told = run(4, 4, 1, [](std::size_t job, std::size_t, const Say& say) {
    say("begun");
    if (job == 1) ::raise(SIGKILL);
    if (job == 2) ::_exit(3);
    if (job == 3) ::pause();
  });
  const char* const expected[] = {"", "killed by SIGKILL", "ended itself with status 3",
                                  "no answer within 1 s"};
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].messages, std::vector<std::string>{"begun"});
    EXPECT_EQ(told[i].deaths, std::vector<std::string>{expected[i]});
  }
}

TEST(SideBySide, AJobGoesOnBehindACrash) {
  const auto told = run(
      2, 1, 20,
      [](std::size_t, std::size_t round, const Say& say) {
        say(std::to_string(round));
        if (round < 2) ::raise(SIGKILL);
      },
      5);
  for (const Told& t : told) {
    EXPECT_EQ(t.messages, (std::vector<std::string>{"0", "1", "2"}));
    EXPECT_EQ(t.deaths, (std::vector<std::string>{"killed by SIGKILL", "killed by SIGKILL", ""}));
  }
}

TEST(SideBySide, WhatChildrenPrintComesInTheOrderOfTheJobs) {
  ::testing::internal::CaptureStderr();
  run(6, 3, 20, [](std::size_t job, std::size_t, const Say&) {
    std::fprintf(stderr, "a%zu ", job);
    ::usleep(static_cast<unsigned>(6 - job) * 2000);
    std::fprintf(stderr, "b%zu ", job);
  });
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "a0 b0 a1 b1 a2 b2 a3 b3 a4 b4 a5 b5 ");
}

}  // namespace
}  // namespace limen::test
