// From a derivative with its bound and a gradient to a verdict on one point, and from many points
// to a CheckResult.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <limen/gradient_check.hpp>

#include "check/diagnosis.hpp"
#include "check/ladder.hpp"

namespace limen::check {

enum class Outcome : std::uint8_t { pass, fail, undecided, skipped };

struct Judgement {
  Outcome outcome = Outcome::pass;
  double expected = 0;
  double bound = 0;
  std::string note;
  double resolved = 0;    // how sharp the test was: `bound` without the gap of a kink
  double scale = 0;       // of gradients around the point; 0: every deviation is a wrong one
  Derivative measured{};  // no evaluations: not by differences
  bool property = false;  // the numbers have no meaning
};

struct Tolerance {
  double allowance = 0;   // rounding that a right gradient may have
  double scale = 0;       // of the gradient around the point
  double resolution = 0;  // the largest bound, relative to `scale`, at which a pass is believed
  double negligible = 1e-300;  // a bound that is small whatever the scale
  double declared = 0;  // the part of `allowance` that the op asked for: no lack of resolution
};

// The resolution below which a pass is refused: 1e-6 in f64, 1e-3 where only f32 exists.
double resolution_of(DType dtype);

// Whether rounding of the argument x alone takes that resolution from a difference over the step
// that `d` was found with.
bool too_fine(const Derivative& d, double x, const Precision& precision);

// Whether `got` can be the derivative of the function measured as `d`. At a kink anything between
// the one-sided slopes passes (Clarke's generalised gradient); at a jump one of them. NaN always
// fails where f(x) is finite.
Judgement judge(double got, const Derivative& d, const Tolerance& tolerance);

// Where a value must equal another one up to a known rounding.
Judgement compare(double got, double expected, double bound, std::string_view note = {});
// The same for many points, of which few are told about: the others need no note.
Judgement compare(double got, double expected, double bound, std::string_view note,
                  const CheckOptions& options);

// One point of a check: what judge() said, and what is reported if it said no.
struct Point {
  std::string tensor = "dx";
  std::int64_t element = 0, elements = 1;
  double x = 0, y = 0, upstream = 1, got = 0;
};

// Counts points and keeps the first failures.
class Tally {
 public:
  Tally(std::string op, std::string check, std::string subject, const CheckOptions& options,
        std::string_view test = {});

  void add(const Point& point, const Judgement& judgement);
  // Points that are counted, and no more is kept of them.
  void add_more(std::int64_t passed, std::int64_t failed) {
    result_.passed += passed;
    result_.failed += failed;
  }
  // Looks for a mistake that explains the failing points and, for element-wise functions, for the
  // region of x where they lie.
  void explain() { explains_ = true; }
  void explain_by_x() { explains_ = evidence_.by_x = true; }
  // What the guess may ask: the function itself, its parameters. Used by finish().
  Evidence& evidence() { return evidence_; }
  // Points of another function follow: a guess is made about the first one that fails.
  void next_function();
  // A mistake that the check itself has recognised, if it fails.
  void suspect(std::string mistake) { suspicion_ = std::move(mistake); }
  // For a check that is a property of the whole, not of an element.
  void require(bool good, std::string_view tensor, std::string_view note);
  bool any() const { return result_.points() > 0; }
  bool failed() const { return result_.failed > 0; }
  std::int64_t failures() const { return result_.failed; }
  std::int64_t passes() const { return result_.passed; }
  CheckResult finish();

 private:
  CheckResult result_;
  const CheckOptions& options_;
  bool explains_ = false, settled_ = false;
  Evidence evidence_;
  std::string suspicion_, id_;
  std::vector<double> bounds_;  // of points that passed
  std::vector<CheckFailure> undecided_, passed_;

  std::string place(const Point& point) const;
  void keep(const Point& point, const Judgement& judgement, std::vector<CheckFailure>& list) const;
  bool count(const Judgement& judgement);
};

}  // namespace limen::check
