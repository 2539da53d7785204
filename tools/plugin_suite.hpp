// The tests of `limen plugin check`: their table, and the code that runs them all on one library.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <limen/gradient_check.hpp>

namespace limen::tools {

struct PluginTest {
  std::string_view id;     // stable: scripts name it
  std::string_view group;  // library, descriptor, numbers, calculus, training, fuzz
  std::string_view summary;
  bool advice = false;  // a failure is a warning
};
std::span<const PluginTest> plugin_tests();
const PluginTest* find_test(std::string_view id);  // null: no such test

// What one test said about one op (or the library: `op` is empty).
struct Finding {
  std::string test, op;
  bool good = true;
  std::string text;  // of a failure: what, where, with which values
};

// One line that locates a failure: kernel, element, values.
std::string describe(const CheckResult& check);

// Where a suite reports to. `begin` comes before the first instruction of a test, so that a crash
// has an owner; a test that it answers with false is left out.
class SuiteListener {
 public:
  virtual ~SuiteListener() = default;
  virtual bool begin(std::string_view test, std::string_view op) = 0;
  virtual void add(Finding finding) = 0;

  void add(std::string_view test, bool good, std::string text) {
    add(Finding{std::string(test), {}, good, good ? std::string() : std::move(text)});
  }
};

struct Suite {
  std::string file;
  std::uint64_t seed = 0;
};

// What loading a library did to the floating-point environment, in words.
std::string fp_change_of_load(std::uint64_t before, std::uint64_t after);

// Loads the library into this process and runs everything. Throws Error if it cannot be loaded;
// the test that says so has failed then.
void run_suite(const Suite& suite, SuiteListener& listener);

// The file as data, and what happens when it is loaded; before anything else has loaded it.
void test_library(const Suite& suite, SuiteListener& listener);
// Two moons with the op between two dense layers: the loss falls, and a second run gives its bits.
void test_training(const Suite& suite, const limen_op& op, SuiteListener& listener);

}  // namespace limen::tools
