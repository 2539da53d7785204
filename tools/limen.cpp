// The limen command.
#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/version.hpp"
#include "crash.hpp"
#include "verbs.hpp"

namespace limen::tools {

std::span<const VerbInfo> verbs() {
  static constexpr std::uint32_t kRuns = kModel | kThreads | kJson;
  static constexpr VerbInfo kVerbs[] = {
      {"train", "train a model and keep its weights in a run folder",
       "limen train models/digits.yaml --epochs 3", kRuns | kNoProgress, make_train},
      {"eval", "measure loss and metrics on a data set", "limen eval runs/digits/1", kRuns,
       make_eval},
      {"run", "compute outputs, and gradients, for given inputs",
       "limen run runs/digits/1 --input test[0] --top 3", kRuns, make_run},
      {"check", "find everything that is wrong in model files", "limen check models/*.yaml",
       kModel | kJson, make_check},
      {"summary", "show a model's steps, shapes and parameters", "limen summary models/digits.yaml",
       kModel | kJson, make_summary},
      {"gradcheck", "check gradients of a plugin, an op or a whole model",
       "limen gradcheck op:sigmoid", kModel | kJson | kVerbose, make_gradcheck},
      {"bench", "time one compiled step", "limen bench models/digits.yaml --mode train --batch 64",
       kRuns, make_bench},
      {"list", "list ops, losses, data sets and other names a model may use", "limen list ops",
       kJson | kPlugin, make_list},
      {"plugin", "look at plugins", "limen plugin list", 0, nullptr},
      {"plugin list", "list the plugins found, and files that are none", "limen plugin list",
       kJson | kPlugin | kVerbose, make_plugin_list},
      {"plugin path", "show where plugins are looked for, and what is skipped there",
       "limen plugin path", kJson | kPlugin, make_plugin_path},
      {"plugin info", "show what a plugin offers", "limen plugin info leaky_relu", kJson | kPlugin,
       make_plugin_info},
      {"plugin new", "write the files of a new activation", "limen plugin new mish", 0,
       make_plugin_new},
      {"plugin build", "compile an activation from source or from a formula",
       "limen plugin build --formula \"x * sigmoid(x)\" swish", kJson | kQuiet, make_plugin_build},
      {"plugin bench", "time every kernel of a plugin", "limen plugin bench sigmoid",
       kJson | kPlugin, make_plugin_bench},
      {"plugin diff", "compare two plugins, data and numbers", "limen plugin diff old.so new.so",
       kJson | kPlugin, make_plugin_diff},
      {"plugin doc", "write a page with pictures for every op", "limen plugin doc pages", kPlugin,
       make_plugin_doc},
      {"plugin check", "run every test on a plugin's library", "limen plugin check build/my_act.so",
       kJson | kQuiet | kPlugin | kVerbose, make_plugin_check},
      {"version", "show the version", "limen version --json", kJson, make_version},
      {"help", "show the help of a verb", "limen help train", 0, make_help},
  };
  return kVerbs;
}

namespace {

// The two options that say how errors look must hold for errors of the command line itself.
void read_error_options(const std::vector<std::string>& words, Messages& messages) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    constexpr std::string_view kFlag = "--error-format";
    std::string_view word = words[i], value;
    if (word == kFlag && i + 1 < words.size()) value = words[i + 1];
    if (word.starts_with(std::string(kFlag) + "=")) value = word.substr(kFlag.size() + 1);
    if (value == "short") messages.format = ErrorFormat::brief;
    if (value == "json") messages.format = ErrorFormat::json;
  }
}

Exit report_bug(const Messages& messages, const char* what) {
  messages.show(Diagnostic{
      .code = "E7000",
      .message = fmt::format("internal error: {}", what),
      .spans = {},
      .notes = {fmt::format("this is a mistake in limen {}, not in your files", version())},
      .help = {"please report it with the command line, the model file and this text"}});
  return Exit::bug;
}

Exit guarded_main(Context& context) {
  try {
    return run_command(context, context.command);
  } catch (const Error& error) {
    context.messages.show(error);
    return error.exit();
  } catch (const std::bad_alloc&) {
    context.messages.show(Diagnostic{.code = "",
                                     .message = "out of memory",
                                     .spans = {},
                                     .notes = {},
                                     .help = {"use smaller batches, inputs or sizes"}});
    return Exit::memory;
  } catch (const std::exception& error) {
    return report_bug(context.messages, error.what());
  } catch (...) {
    return report_bug(context.messages, "an exception that is no std::exception");
  }
}

}  // namespace
}  // namespace limen::tools

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  limen::tools::report_crashes_of_plugins();
  limen::tools::Context context;
  context.command.assign(argv, argv + argc);
  limen::tools::read_error_options(context.command, context.messages);
  return static_cast<int>(limen::tools::guarded_main(context));
}
