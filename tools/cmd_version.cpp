// limen version, limen help.
#include <fmt/format.h>

#include <limen/plugin.h>

#include "base/isa.hpp"
#include "base/text.hpp"
#include "base/version.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

class VersionVerb : public Verb {
 public:
  void declare(CLI::App&) override {}

  Exit run(Context& context) override {
    if (context.globals.json) {
      context.out.json({{"limen", 1},
                        {"kind", "version"},
                        {"version", version()},
                        {"abi", fmt::format("{}.{}", LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR)},
                        {"isa", isa_name(detect_isa())},
                        {"compiler", __VERSION__}});
    } else {
      context.out.write(
          fmt::format("limen {}, plugin ABI {}.{}\n", version(), LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR));
    }
    return Exit::ok;
  }
};

class HelpVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_words(app, "VERB", words_, 2, "the verb; all of them if left out");
  }

  Exit run(Context& context) override {
    const std::string name = join(words_, " ");
    std::vector<std::string> known;
    for (const VerbInfo& info : verbs()) known.emplace_back(info.name);
    for (const std::string& verb : known) {
      if (name.empty() || name == verb) {
        context.out.write(help_text(name));
        return Exit::ok;
      }
    }
    std::vector<std::string> help;
    if (std::string hint = did_you_mean(name, known); !hint.empty()) help.push_back(hint);
    help.push_back("verbs: " + join(known));
    throw usage_error(fmt::format("unknown verb `{}`", name), std::move(help));
  }

 private:
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Verb> make_version() { return std::make_unique<VersionVerb>(); }
std::unique_ptr<Verb> make_help() { return std::make_unique<HelpVerb>(); }

}  // namespace limen::tools
