#include "selftest.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "plugin/library.hpp"

namespace limen::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kSilence = 5;  // seconds; then a test hangs

// Wrong ops begin with another letter, and say which tests they expect.
Trial trial_of(const limen_op& op) {
  Trial trial;
  trial.op = op.name;
  trial.what = op.summary;
  trial.wrong = trial.op[0] != 'c';
  std::istringstream words(op.reference != nullptr ? op.reference : "");
  for (std::string word; words >> word;) trial.expected.insert(word);
  return trial;
}

// The ops of a library; read in a child, because its code runs when it is loaded.
Json ops_of(const std::string& library) {
  const IsolatedResult listed = run_isolated(
      [&]() -> IsolatedAnswer {
        Json ops = Json::array();
        const limen_plugin* plugin = open_library(library, library);
        for (std::uint32_t i = 0; i < plugin->n_ops; ++i) {
          ops.push_back(to_json(trial_of(*plugin->ops[i])));
        }
        return {Exit::ok, to_line(ops)};
      },
      kSilence);
  if (!listed.completed) throw Error("E0519", fmt::format("{}: {}", library, listed.death));
  return parse_json(listed.payload);
}

// One planted op: what it was in when it died has caught it.
Job named_job(const std::string& library, std::uint32_t index, std::uint64_t seed,
              std::shared_ptr<Trial> trial, Score& score) {
  const auto test = std::make_shared<std::string>("load");
  Job job;
  job.body = [=](const Say& say) {
    const limen_plugin* plugin = open_library(library, library);
    Trial found = *trial;
    try_op(
        *plugin->ops[index], true, seed,
        [&](std::string_view now) {
          say(to_line({{"begin", now}}));
        },
        found);
    say(to_line(to_json(found)));
  };
  job.hear = [=](const std::string& message) {
    const Json json = parse_json(message);
    if (json.contains("begin")) {
      *test = json["begin"];
    } else {
      *trial = trial_from(json);
    }
  };
  job.ended = [=, &score](const std::string& death) {
    if (!death.empty()) {
      trial->caught_by.insert(*test);
      trial->text = death;
    }
    score.add(*trial);
    return false;
  };
  return job;
}

}  // namespace

std::vector<std::string> selftest_libraries() {
  const fs::path folder = program_prefix() / "lib" / "limen" / "selftest";
  std::vector<std::string> libraries;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".so") libraries.push_back(entry.path());
  }
  std::sort(libraries.begin(), libraries.end());
  if (libraries.empty()) {
    Diagnostic missing;
    missing.code = "E0518";
    missing.message = fmt::format("the ops of the self-test are not in {}", folder.string());
    missing.help = {"configure with -DLIMEN_BUILD_TESTS=ON and build limen_selftest"};
    throw Error(std::vector<Diagnostic>{std::move(missing)});
  }
  return libraries;
}

void add_named(const SelftestOptions& options, SelftestJobs& jobs) {
  for (const std::string& library : selftest_libraries()) {
    if (fs::path(library).stem() == "generated") continue;
    std::uint32_t index = 0;
    for (const Json& op : ops_of(library)) {
      const std::uint32_t at = index++;
      auto trial = std::make_shared<Trial>(trial_from(op));
      if (!trial->op.starts_with(options.only)) continue;
      jobs.jobs.push_back(
          named_job(library, at, options.seed, std::move(trial), jobs.named.emplace_back()));
    }
  }
}

Exit run_selftest(Context& context, SelftestOptions options) {
  options.at_most = static_cast<std::size_t>(context.threads());
  SelftestJobs jobs;
  add_named(options, jobs);
  add_generated(options, jobs);
  run_side_by_side(jobs.jobs, options.at_most, kSilence);
  Score named, generated;
  for (const Score& score : jobs.named) named.add(score);
  for (const Score& score : jobs.generated) generated.add(score);
  if (named.empty() && generated.empty()) {
    throw usage_error(fmt::format("no op of the self-test begins with `{}`", options.only));
  }
  const bool good = named.perfect() && generated.perfect();
  if (context.globals.json) {
    context.out.json({{"limen", 1},
                      {"kind", "gradcheck.selftest"},
                      {"seed", options.seed},
                      {"verdict", good ? "pass" : "fail"},
                      {"named", named.json()},
                      {"generated", generated.json()}});
  } else if (!context.globals.quiet) {
    if (!named.empty()) context.out.write(named.text("planted"));
    if (!generated.empty()) context.out.write(generated.text("generated"));
  }
  return good ? Exit::ok : Exit::no;
}

}  // namespace limen::tools
