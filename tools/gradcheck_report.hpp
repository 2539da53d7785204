// Reports of gradient checks on their way from a child to what is printed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <limen/error.hpp>
#include <limen/gradient_check.hpp>

#include "junit.hpp"

namespace limen::tools {

// Of this machine and this process: cpu, isa, compiler, mxcsr.
std::map<std::string, std::string> environment_of_checks();

// The checks of which points are left, after CheckOptions::wants_point has left out the others.
CheckReport chosen_checks(const CheckReport& report);

// A check of one property, for what is found outside of the checks of an op.
CheckResult property_result(const std::string& op, const std::string& test,
                            const std::string& check, bool good, const std::string& what);

// What limen gradcheck has found so far. Exit 5, a plugin's fault, outranks 1.
struct Collected {
  CheckReport report;
  bool broken = false;     // it could not be loaded, crashed or hung
  Exit failed = Exit::ok;  // without a report: why there is none

  void add(CheckReport part);
  // A test that came to no end, or could not begin: `what` says how.
  void add_death(const std::string& op, const std::string& test, const std::string& check,
                 const std::string& what);
  Exit exit() const;
};

// One case for each op, type and check.
std::vector<JunitCase> junit_cases(const CheckReport& report);

}  // namespace limen::tools
