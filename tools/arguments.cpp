// From the table of verbs to CLI11's tree, and from a command line to a running verb.
#include <map>

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr std::size_t kMostThreads = 1024;

// The flag that stands for each bit, to say which one does not belong.
constexpr std::pair<std::uint32_t, const char*> kFlags[] = {
    {kJson, "--json"},       {kQuiet, "--quiet"},
    {kVerbose, "--verbose"}, {kNoProgress, "--no-progress"},
    {kPlugin, "--plugin"},   {kThreads, "--threads"},
    {kSet, "--set"},         {kAllowPlugin, "--allow-plugin"}};

struct Common {
  std::string error_format, folder;
  bool version = false;
};

void declare_globals(CLI::App& app, Context& context, Common& common, std::uint32_t mask) {
  Globals& g = context.globals;
  const char* const kGroup = "Common options";
  const std::size_t before = app.get_options().size();
  if (mask & kJson) app.add_flag("--json", g.json, "results as JSON on the standard output");
  if (mask & kQuiet) app.add_flag("-q,--quiet", g.quiet, "no progress, notes or warnings");
  if (mask & kVerbose) app.add_flag("-v,--verbose", g.verbose, "say more");
  if (mask & kNoProgress) app.add_flag("--no-progress", g.no_progress, "no progress bar");
  if (mask & kPlugin) {
    add_list(app, "--plugin", g.plugins, "PATH", "a plugin, or a folder of plugins, to load first");
  }
  if (mask & kAllowPlugin) {
    add_list(app, "--allow-plugin", g.allowed_plugins, "PATH",
             "a file or folder outside the model's that its `plugins` may name");
  }
  if (mask & kThreads)
    add_count(app, "--threads", g.threads, "threads to use; results do not depend on it");
  if (mask & kSet) {
    add_list(app, "-s,--set", g.sets, "PATH=VALUE",
             "change the model: a variable or a dotted path");
  }
  add_choice(app, "--color", g.color, {"auto", "always", "never"}, "colours in messages");
  add_choice(app, "--error-format", common.error_format, {"human", "short", "json"},
             "how errors are written");
  add_text(app, "-C", common.folder, "DIR", "go to this folder first");
  const auto options = app.get_options();
  for (std::size_t i = before; i < options.size(); ++i) options[i]->group(kGroup);
  app.set_help_flag("-h,--help", "show this help")->group(kGroup);
}

struct Node {
  CLI::App* app = nullptr;
  const VerbInfo* info = nullptr;
  std::unique_ptr<Verb> verb;
};

// The whole tree.
struct Tree {
  CLI::App root{"", "limen"};
  Common common;
  std::vector<Node> nodes;

  explicit Tree(Context& context) {
    root.allow_extras()->require_subcommand(0, 1)->allow_windows_style_options(false);
    declare_globals(root, context, common, ~0u);
    root.add_flag("-V,--version", common.version, "show the version")->group("Common options");
    std::map<std::string, CLI::App*, std::less<>> groups;
    for (const VerbInfo& info : verbs()) {
      CLI::App* parent = &root;
      std::string name(info.name);
      if (const std::size_t gap = name.find(' '); gap != std::string::npos) {
        parent = groups.at(name.substr(0, gap));
        name.erase(0, gap + 1);
      }
      CLI::App* const app = parent->add_subcommand(name, std::string(info.summary));
      app->allow_extras()->require_subcommand(0, info.make == nullptr ? 1 : 0);
      groups.emplace(name, app);
      Node node{app, &info, info.make != nullptr ? info.make() : nullptr};
      if (node.verb) node.verb->declare(*app);
      declare_globals(*app, context, common, info.globals);
      nodes.push_back(std::move(node));
    }
  }

  // The deepest verb that the command line named; null if none.
  Node* chosen() {
    CLI::App* at = &root;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    for (Node& node : nodes) {
      if (node.app == at) return &node;
    }
    return nullptr;
  }
};

std::string dashes(const std::string& name) { return (name.size() == 1 ? "-" : "--") + name; }

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back(dashes(name));
    for (const std::string& name : option->get_snames()) flags.push_back(dashes(name));
  }
  return flags;
}

bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::vector<std::string> hints(const std::string& word, const std::vector<std::string>& known,
                               std::string rest) {
  std::vector<std::string> help;
  if (std::string hint = did_you_mean(word, known); !hint.empty()) help.push_back(std::move(hint));
  help.push_back(std::move(rest));
  return help;
}

[[noreturn]] void refuse_flag(const std::string& word, const CLI::App& app,
                              const std::string& verb) {
  const std::string flag = word.substr(0, word.find('='));
  const std::string whose = verb.empty() ? "limen" : "limen " + verb;
  throw usage_error(fmt::format("`{}` has no option `{}`", whose, flag),
                    hints(flag, flags_of(app), fmt::format("`{} --help` shows all", whose)));
}

// Words that nobody took: an unknown flag first, then an unknown verb, then one word too many.
void refuse_extras(Tree& tree, Node* chosen) {
  const CLI::App& app = chosen != nullptr ? *chosen->app : tree.root;
  const std::string verb(chosen != nullptr ? chosen->info->name : "");
  for (const std::string& word : tree.root.remaining()) {
    if (is_flag(word)) refuse_flag(word, tree.root, "");
  }
  const bool group = chosen == nullptr || chosen->info->make == nullptr;
  for (const std::string& word : app.remaining()) {
    if (is_flag(word)) refuse_flag(word, app, verb);
    if (!group) {
      throw usage_error(fmt::format("`limen {}` has no use for `{}`", verb, word),
                        {fmt::format("`limen {} --help` shows what it takes", verb)});
    }
    std::vector<std::string> known;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(sub->get_name());
    }
    const std::string name = verb.empty() ? word : verb + " " + word;
    throw usage_error(fmt::format("unknown verb `{}`", name),
                      hints(word, known, "verbs: " + join(known)));
  }
}

// Global options may stand before the verb, but only where they mean something to it.
void refuse_idle_globals(const Tree& tree, const Node& chosen) {
  for (const auto& [bit, flag] : kFlags) {
    if ((chosen.info->globals & bit) == 0 && tree.root.get_option(flag)->count() > 0) {
      throw usage_error(fmt::format("`{}` means nothing to `limen {}`", flag, chosen.info->name));
    }
  }
}

bool on_terminal(int file) { return ::isatty(file) != 0; }

bool has_text(const char* variable) {
  const char* const text = std::getenv(variable);
  return text != nullptr && *text != '\0';
}

bool wants_color(const std::string& setting) {
  if (setting != "auto") return setting == "always";
  if (has_text("NO_COLOR")) return false;
  if (has_text("CLICOLOR_FORCE") && std::strcmp(std::getenv("CLICOLOR_FORCE"), "0") != 0)
    return true;
  const char* const terminal = std::getenv("TERM");
  return on_terminal(STDERR_FILENO) && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

void apply(const Common& common, Context& context) {
  context.messages.color = wants_color(context.globals.color);
  context.messages.quiet = context.globals.quiet;
  if (context.globals.threads &&
      *context.globals.threads > static_cast<std::int64_t>(kMostThreads)) {
    throw usage_error(fmt::format("`--threads` wants at most {}, got {}", kMostThreads,
                                  *context.globals.threads));
  }
  if (common.folder.empty()) return;
  if (::chdir(common.folder.c_str()) != 0) {
    throw Error("E0901", fmt::format("{}: cannot go to this folder: {}", common.folder,
                                     std::strerror(errno)));
  }
}

// CLI11's own complaints (a flag without its value, a flag twice) in our form.
Error from_parser(const CLI::ParseError& error, const Node* chosen) {
  const std::string whose =
      chosen != nullptr ? "limen " + std::string(chosen->info->name) : "limen";
  return usage_error(error.what(), {fmt::format("`{} --help` shows all options", whose)});
}

}  // namespace

Exit run_command(Context& context, std::vector<std::string> words) {
  Tree tree(context);
  if (words.size() <= 1) {
    context.out.write(short_help());
    return Exit::ok;
  }
  std::vector<std::string> reversed(words.rbegin(), words.rend() - 1);
  try {
    tree.root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    Node* const chosen = tree.chosen();
    if (chosen == nullptr || chosen->info->make == nullptr) refuse_extras(tree, chosen);
    context.out.write(help_text(chosen != nullptr ? std::string(chosen->info->name) : ""));
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    throw from_parser(error, tree.chosen());
  }
  Node* const chosen = tree.chosen();
  refuse_extras(tree, chosen);
  apply(tree.common, context);
  if (tree.common.version) return make_version()->run(context);
  if (chosen == nullptr) {
    throw usage_error("no verb given", {"`limen` alone shows how to begin"});
  }
  if (!chosen->verb) {
    context.messages.raw(help_text(std::string(chosen->info->name)));
    return Exit::usage;
  }
  refuse_idle_globals(tree, *chosen);
  return chosen->verb->run(context);
}

namespace {

std::string flags_text(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(dashes(name));
  for (const std::string& name : option.get_lnames()) names.push_back(dashes(name));
  if (names.empty()) return option.get_name(true);
  const bool takes_value = option.get_items_expected_max() > 0;
  return join(names) + (takes_value ? " " + option.get_type_name() : "");
}

void append_options(std::string& text, const CLI::App& app, const std::string& title,
                    const std::function<bool(const CLI::Option&)>& wanted) {
  std::string lines;
  for (const CLI::Option* option : app.get_options()) {
    if (!wanted(*option)) continue;
    const std::string flags = flags_text(*option);
    const std::string gap(flags.size() < 24 ? 26 - flags.size() : 2, ' ');
    lines += "  " + flags + gap + option->get_description() + "\n";
  }
  if (!lines.empty()) text += "\n" + title + ":\n" + lines;
}

std::string verb_help(const Node& node) {
  std::string usage = "limen " + std::string(node.info->name);
  for (const CLI::Option* option : node.app->get_options()) {
    if (option->get_positional()) usage += " " + option->get_name(true);
  }
  std::string text =
      fmt::format("{}: {}\n\nusage: {} [options]\n", node.info->name, node.info->summary, usage);
  append_options(text, *node.app, "arguments",
                 [](const CLI::Option& o) { return o.get_positional(); });
  append_options(text, *node.app, "options", [](const CLI::Option& o) {
    return !o.get_positional() && o.get_group() != "Common options";
  });
  append_options(text, *node.app, "common options",
                 [](const CLI::Option& o) { return o.get_group() == "Common options"; });
  return text + fmt::format("\nexample:\n  {}\n", node.info->example);
}

}  // namespace

std::string help_text(const std::string& verb) {
  Context context;  // the options are declared for their names only
  Tree tree(context);
  for (const Node& node : tree.nodes) {
    if (node.info->name != verb) continue;
    if (node.verb) return verb_help(node);
  }
  std::string text = verb.empty() ? "usage: limen VERB [MODEL.yaml | RUN] [options]\n\nverbs:\n"
                                  : fmt::format("usage: limen {} VERB [options]\n\nverbs:\n", verb);
  for (const VerbInfo& info : verbs()) {
    if (info.make == nullptr) continue;
    if (!verb.empty() && !info.name.starts_with(verb + " ")) continue;
    text += fmt::format("  {:<13} {}\n", info.name, info.summary);
  }
  if (verb.empty()) {
    append_options(text, tree.root, "options of most verbs",
                   [](const CLI::Option& o) { return !o.get_positional(); });
    text += "\n`limen help VERB` shows the options of a verb\n";
  }
  return text;
}

std::string short_help() {
  return "limen trains neural networks whose activation functions are plugins\n"
         "\n"
         "  limen train models/digits.yaml    train a model; no files needed\n"
         "  limen gradcheck op:sigmoid        check a plugin's gradient\n"
         "\n"
         "verbs: train eval run check summary gradcheck bench list plugin version\n"
         "`limen --help` says what they do, `limen help VERB` how\n"
         "a run folder can stand wherever a model file can\n";
}

}  // namespace limen::tools
