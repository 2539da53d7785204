// The verbs: one class each, found through one table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "context.hpp"

namespace CLI {
class App;
}

namespace limen::tools {

class Verb {
 public:
  virtual ~Verb() = default;
  virtual void declare(CLI::App& app) = 0;  // its own arguments
  virtual Exit run(Context& context) = 0;   // after they were read
};

// Global options, as bits: which of them mean something to a verb.
enum GlobalOption : std::uint32_t {
  kJson = 0x01,
  kQuiet = 0x02,
  kVerbose = 0x04,
  kNoProgress = 0x08,
  kPlugin = 0x10,
  kThreads = 0x20,
  kSet = 0x40,
  kAllowPlugin = 0x80,
  kModel = kQuiet | kPlugin | kAllowPlugin | kSet,  // every verb that reads a model
};

struct VerbInfo {
  std::string_view name;  // "train"; "plugin info" stands below "plugin"
  std::string_view summary;
  std::string_view example;
  std::uint32_t globals = 0;
  std::unique_ptr<Verb> (*make)() = nullptr;  // null: a group of others
};

std::span<const VerbInfo> verbs();

std::unique_ptr<Verb> make_train();
std::unique_ptr<Verb> make_eval();
std::unique_ptr<Verb> make_run();
std::unique_ptr<Verb> make_check();
std::unique_ptr<Verb> make_summary();
std::unique_ptr<Verb> make_gradcheck();
std::unique_ptr<Verb> make_bench();
std::unique_ptr<Verb> make_list();
std::unique_ptr<Verb> make_plugin_list();
std::unique_ptr<Verb> make_plugin_path();
std::unique_ptr<Verb> make_plugin_info();
std::unique_ptr<Verb> make_plugin_new();
std::unique_ptr<Verb> make_plugin_build();
std::unique_ptr<Verb> make_plugin_bench();
std::unique_ptr<Verb> make_plugin_diff();
std::unique_ptr<Verb> make_plugin_doc();
std::unique_ptr<Verb> make_plugin_check();
std::unique_ptr<Verb> make_version();
std::unique_ptr<Verb> make_help();

// Options that read what they are given themselves, so that a wrong value is said in our words.
// Each flag may stand once; the list ones as often as wanted, one value each.
void add_text(CLI::App& app, const std::string& flag, std::string& value, const std::string& kind,
              const std::string& help);
void add_list(CLI::App& app, const std::string& flag, std::vector<std::string>& values,
              const std::string& kind, const std::string& help);
void add_count(CLI::App& app, const std::string& flag, std::optional<std::int64_t>& value,
               const std::string& help, std::int64_t least = 1);
void add_choice(CLI::App& app, const std::string& flag, std::string& value,
                std::vector<std::string> choices, const std::string& help);
// A word without a flag. `required` is checked after parsing, see arguments.cpp.
void add_word(CLI::App& app, const std::string& name, std::string& value, const std::string& help);

// Up to `most` words without a flag (-1: any number).
void add_words(CLI::App& app, const std::string& name, std::vector<std::string>& values, int most,
               const std::string& help);
// A flag without a value.
void add_switch(CLI::App& app, const std::string& flag, bool& value, const std::string& help);

// Reads the command line, runs the verb, returns the exit code. Errors are thrown.
Exit run_command(Context& context, std::vector<std::string> words);
// The help of `limen`, or of a verb ("plugin info").
std::string help_text(const std::string& verb);
std::string short_help();  // eight lines

}  // namespace limen::tools
