// Results for build servers, in JUnit's XML.
#pragma once

#include <string>
#include <vector>

namespace limen::tools {

struct JunitCase {
  std::string group, name;            // classname and name
  std::vector<std::string> failures;  // it failed, if there are any
  std::string skipped;                // why it has no answer; empty: it has one
  bool not_run = false;               // skipped without a reason
  std::vector<std::string> remarks;   // printed, neither failures nor reasons
};

// Whole or not at all. Throws Error E0903.
void write_junit(const std::string& path, const std::string& suite,
                 const std::vector<JunitCase>& cases);

}  // namespace limen::tools
