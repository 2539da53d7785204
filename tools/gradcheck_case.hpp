// --case ID: one op, test, check or point of a gradient check, by the id that a report prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <limen/gradient_check.hpp>

namespace limen::tools {

// The id of a test that ended in a death: not a point, but whether the test comes to its end.
inline constexpr std::string_view kSurvives = "survives", kProcess = "process";

class CaseFilter {
 public:
  explicit CaseFilter(std::string wanted) : wanted_(std::move(wanted)) {}

  bool any() const { return !wanted_.empty(); }
  // Whether the case can lie in this test of this op, for CheckOptions::begin.
  bool wants_test(std::string_view test, std::string_view op);
  // Lets `options` leave out all other points. The filter must outlive it.
  void apply_to(CheckOptions& options);
  // Whether the id asks for the end of a test, and the test was begun.
  bool survived() const;
  bool found() const { return found_; }
  // "did you mean `...`?" among what was seen; may be empty.
  std::string suggestion() const;

 private:
  std::string wanted_;
  bool found_ = false, begun_ = false;
  std::vector<std::string> seen_;

  bool wants_point(std::string_view id);
};

}  // namespace limen::tools
