// Mistakes that show at extreme numbers only, and what is merely worth a note.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <limen/gradient_check.hpp>

#include "check/faults/element.hpp"

namespace limen {
namespace {

template <class T>
T bent(T x) {  // without corners, so that nothing else finds them
  return std::tanh(x);
}
template <class T>
T slope(T x) {
  return 1 / (std::cosh(x) * std::cosh(x));
}

struct ClipsHugeUpstreams {
  static constexpr auto name = "clips_huge_upstreams";
  template <class T>
  static T f(T x) {
    return bent(x);
  }
  template <class T>
  static T b(T x, T, T g) {
    return (g > T(1e8) ? T(1e8) : g < T(-1e8) ? T(-1e8) : g) * slope(x);
  }
};

struct DropsTinyUpstreams : ClipsHugeUpstreams {
  static constexpr auto name = "drops_tiny_upstreams";
  template <class T>
  static T b(T x, T, T g) {
    return std::abs(g) < T(1e-7) ? T(0) : g * slope(x);
  }
};

struct LosesInfiniteUpstreams : ClipsHugeUpstreams {
  static constexpr auto name = "loses_infinite_upstreams";
  template <class T>
  static T b(T x, T, T g) {
    return std::isinf(g) ? T(0) : g * slope(x);
  }
};

struct FailsNearTheSmallest : ClipsHugeUpstreams {  // 1 / x overflows
  static constexpr auto name = "fails_near_the_smallest";
  template <class T>
  static T f(T x) {
    return x;
  }
  template <class T>
  static T b(T x, T, T g) {
    return x == 0 || std::isnan(x) ? g : (1 / x) * x * g;
  }
};

void only_extremes_fail(const limen_op& op, const char* note) {
  const CheckReport report = check_activation(op);
  EXPECT_EQ(report.verdict, Verdict::fail) << op.name;
  for (const CheckResult& result : report.checks) {
    EXPECT_EQ(result.verdict, result.test == "extremes" ? Verdict::fail : Verdict::pass)
        << to_text(report);
    if (result.verdict != Verdict::fail) continue;
    EXPECT_THAT(result.failures.at(0).note, testing::HasSubstr(note));
  }
}

TEST(Extremes, AloneSeeWhatHappensAtTheEndsOfTheNumbers) {
  only_extremes_fail(limen_test::kOp<ClipsHugeUpstreams>, "B(g) must be g B(1)");
  only_extremes_fail(limen_test::kOp<DropsTinyUpstreams>, "B(g) must be g B(1)");
  only_extremes_fail(limen_test::kOp<LosesInfiniteUpstreams>, "must not vanish");
  only_extremes_fail(limen_test::kOp<FailsNearTheSmallest>, "finite gradient");
}

struct Multiplies {  // 0 * inf
  static constexpr auto name = "multiplies";
  template <class T>
  static T f(T x) {
    return x > 0 || std::isnan(x) ? x : T(0);
  }
  template <class T>
  static T b(T x, T, T g) {
    return g * (x > 0 ? T(1) : T(0));
  }
};

struct Selects : Multiplies {
  static constexpr auto name = "selects";
  template <class T>
  static T b(T x, T, T g) {
    return x > 0 ? g : T(0);
  }
};

TEST(Extremes, AMaskByMultiplicationIsWorthANote) {
  const CheckReport multiplies = check_activation(limen_test::kOp<Multiplies>);
  EXPECT_EQ(multiplies.verdict, Verdict::pass) << to_text(multiplies);
  EXPECT_THAT(multiplies.notes, testing::ElementsAre(testing::HasSubstr("mask by select")));
  EXPECT_TRUE(check_activation(limen_test::kOp<Selects>).notes.empty());
}

}  // namespace
}  // namespace limen
