// limen check: everything that can be said about a model file without its data.
#include <fmt/format.h>

#include "verbs.hpp"

namespace limen::tools {
namespace {

class CheckVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_words(app, "FILE", files_, -1, "model files, run folders, or - for standard input");
  }

  Exit run(Context& context) override {
    if (files_.empty()) throw usage_error("`limen check` needs at least one model file");
    Exit exit = Exit::ok;
    Json all = Json::array();
    for (const std::string& file : files_) {
      std::vector<Diagnostic> found;
      const Exit result = check(context, file, found);
      if (exit == Exit::ok) exit = result;
      if (context.globals.json) {
        Json list = Json::array();
        for (const Diagnostic& d : found) list.push_back(parse_json(render(d, ErrorFormat::json)));
        all.push_back({{"file", file}, {"ok", result == Exit::ok}, {"diagnostics", list}});
      } else {
        for (const Diagnostic& diagnostic : found) context.messages.show(diagnostic);
        if (result == Exit::ok && !context.globals.quiet) context.out.write(file + ": ok\n");
      }
    }
    if (context.globals.json) {
      context.out.json({{"limen", 1}, {"kind", "check"}, {"ok", exit == Exit::ok}, {"files", all}});
    }
    return exit;
  }

 private:
  // A registry for each file: the plugins of one must not help another.
  static Exit check(const Context& context, const std::string& file,
                    std::vector<Diagnostic>& found) {
    PluginRegistry registry;
    try {
      context.load_plugins(registry);
      found = context.open(file, registry).model.warnings();
      return Exit::ok;
    } catch (const Error& error) {
      found = error.diagnostics();
      return error.exit();
    }
  }

  std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Verb> make_check() { return std::make_unique<CheckVerb>(); }

}  // namespace limen::tools
