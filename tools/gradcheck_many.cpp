#include "gradcheck_many.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <limen/checkpoint.hpp>

#include "base/text.hpp"
#include "gradcheck_message.hpp"
#include "isolated_verb.hpp"

namespace limen::tools {
namespace {

bool said_nothing(const Collected& part) {
  return part.report.checks.empty() && part.report.notes.empty();
}

}  // namespace

std::vector<std::string> gradcheck_subjects(const std::vector<std::string>& words) {
  namespace fs = std::filesystem;
  std::vector<std::string> subjects;
  for (const std::string& word : words) {
    std::error_code ignored;
    if (!fs::is_directory(word, ignored) || RunFolder::is_run(word)) {
      subjects.push_back(word);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(word, ignored)) {
      if (entry.path().extension() == ".so") found.push_back(entry.path().string());
    }
    if (found.empty()) {
      throw usage_error(fmt::format("{} is no run, and there is no plugin (*.so) in it", word));
    }
    std::sort(found.begin(), found.end());
    subjects.insert(subjects.end(), found.begin(), found.end());
  }
  return subjects;
}

std::vector<Collected> check_side_by_side(
    Context& context, const std::vector<std::string>& subjects,
    const std::function<Collected(const std::string& subject)>& check) {
  std::vector<Collected> results(subjects.size());
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    results[i].report.subject = subjects[i];
    jobs.push_back({[&, i](const Say& say) {
                      const IsolatedAnswer answer = answer_of(context, [&]() -> IsolatedAnswer {
                        return {Exit::ok, packed(check(subjects[i]))};
                      });
                      if (!answer.payload.empty()) return say(answer.payload);
                      Collected failed;
                      failed.report.subject = subjects[i];
                      failed.failed = answer.exit;
                      say(packed(failed));
                    },
                    [&, i](const std::string& message) { results[i] = unpacked(message); },
                    [&, i](const std::string& death) {  // of the one that minds the others
                      if (!death.empty()) results[i].add_death(subjects[i], "", "process", death);
                      return false;
                    }});
  }
  run_side_by_side(jobs, static_cast<std::size_t>(context.threads()), 0);
  return results;
}

CheckReport merged(const std::vector<Collected>& parts) {
  if (parts.size() == 1) return parts[0].report;
  Collected whole;
  std::vector<std::string> names;
  for (const Collected& part : parts) {
    names.push_back(part.report.subject);
    whole.add(part.report);
    whole.report.seed = part.report.seed;
  }
  whole.report.subject = join(names);
  whole.report.plugin = whole.report.sha256 = whole.report.abi = "";
  return whole.report;
}

std::string json_of(const std::vector<Collected>& parts) {
  const std::string text = to_json(merged(parts));
  if (parts.size() == 1) return text;
  Json json = parse_json(text);
  Json subjects = Json::array();
  std::size_t first = 0;
  for (const Collected& part : parts) {
    const CheckReport& report = part.report;
    subjects.push_back({{"subject", report.subject},
                        {"plugin", report.plugin},
                        {"sha256", report.sha256},
                        {"abi", report.abi},
                        {"verdict", said_nothing(part) ? "fail" : name_of(report.verdict)},
                        {"first_check", first},
                        {"checks", report.checks.size()}});
    first += report.checks.size();
  }
  json["subjects"] = subjects;
  if (std::any_of(parts.begin(), parts.end(), said_nothing)) json["verdict"] = "fail";
  return to_line(json) + "\n";
}

std::string text_of(const std::vector<Collected>& parts, bool verbose) {
  std::string text;
  std::size_t passed = 0;
  for (const Collected& part : parts) {
    if (said_nothing(part)) continue;  // its child has said why
    text += to_text(part.report, verbose);
    passed += part.report.verdict == Verdict::pass ? 1 : 0;
  }
  if (parts.size() == 1) return text;
  return text + fmt::format("{} of {} subjects passed\n", passed, parts.size());
}

Exit exit_of(const std::vector<Collected>& parts) {
  const auto rank = [](Exit exit) {
    return exit == Exit::ok ? 0 : exit == Exit::no ? 1 : exit == Exit::plugin ? 3 : 2;
  };
  Exit worst = Exit::ok;
  for (const Collected& part : parts) {
    const Exit exit = said_nothing(part) && part.failed != Exit::ok ? part.failed : part.exit();
    if (rank(exit) > rank(worst)) worst = exit;
  }
  return worst;
}

}  // namespace limen::tools
