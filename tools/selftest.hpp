// limen gradcheck --selftest: does the gradient checker catch planted mistakes, and does it leave
// alone what is right?
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <limen/gradient_check.hpp>

#include "context.hpp"
#include "isolate.hpp"

namespace limen::tools {

struct SelftestOptions {
  std::int64_t generated = 0;  // so many wrong and so many right ops are made up
  std::uint64_t seed = 0;      // of what is made up, and of the checks' random points
  std::string only;            // one op, by its name or the front of it; empty: all
  std::size_t at_most = 1;     // children at a time
};

// What the checker said about one op.
struct Trial {
  std::string op, what;
  bool wrong = false;
  std::set<std::string> expected;   // the tests that may catch a wrong op; empty: any
  std::set<std::string> caught_by;  // the tests that failed; where it died, the test it was in
  std::set<std::string> undecided;  // tests without an answer
  std::string text;                 // the first of their findings
  std::int64_t points = 0, undecided_points = 0;

  bool good() const;  // a mistake was caught where it should, a right op was accepted
};
Json to_json(const Trial& trial);
Trial trial_from(const Json& json);

// Runs the checks of one op in this process. `tell` hears of each test before it begins.
void try_op(const limen_op& op, bool kernels, std::uint64_t seed,
            const std::function<void(std::string_view test)>& tell, Trial& trial);

// How many mistakes were caught and by which tests, how many right ops were accepted.
class Score {
 public:
  void add(const Trial& trial);
  void add(const Score& other);
  bool perfect() const { return bad_.empty(); }
  bool empty() const { return wrong_.all + right_.all == 0; }
  Json json() const;
  std::string text(std::string_view kind) const;

 private:
  struct Count {
    std::int64_t all = 0, good = 0;
  };
  struct Catches {
    std::int64_t all = 0, alone = 0;
  };
  Count wrong_, right_;
  std::map<std::string, Catches> checks_;
  std::vector<Trial> bad_;
  std::int64_t points_ = 0, undecided_ = 0;  // of right ops
};

// Jobs for children; each writes into a score of its own, so that the order does not matter.
struct SelftestJobs {
  std::vector<Job> jobs;
  std::deque<Score> named, generated;
};
// The planted ops that come with limen, each in a child of its own. Throws Error E0518 if they were
// not built.
void add_named(const SelftestOptions& options, SelftestJobs& jobs);
// The ops that are made up, in batches.
void add_generated(const SelftestOptions& options, SelftestJobs& jobs);

// The libraries of the self-test, sorted.
std::vector<std::string> selftest_libraries();

Exit run_selftest(Context& context, SelftestOptions options);

}  // namespace limen::tools
