// limen plugin doc: a page with pictures for every op.
#include <fmt/format.h>

#include "isolated_verb.hpp"
#include "kernel_run.hpp"
#include "plugin_pages.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr int kSeconds = 600;

class PluginDocVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "DIR", folder_, "where the pages go; made if missing");
    add_list(app, "--only", subjects_, "NAME", "a FILE.so, a plugin or an op, instead of all");
  }

  Exit run(Context& context) override {
    if (folder_.empty()) throw usage_error("`limen plugin doc` needs a DIR");
    return run_on_plugins(
        context, "drawing", kSeconds,
        [&]() -> IsolatedAnswer {
          std::vector<Activation> ops;
          for (const std::string& subject : subjects_) {
            const std::vector<Activation> some = ops_of_subject(context, subject);
            ops.insert(ops.end(), some.begin(), some.end());
          }
          if (subjects_.empty()) ops = context.registry().activations();
          return {Exit::ok, std::to_string(write_pages(ops, folder_))};
        },
        [&](const std::string& pages) {
          context.out.write(
              fmt::format("{}/index.md  {} page{}\n", folder_, pages, pages == "1" ? "" : "s"));
        });
  }

 private:
  std::string folder_;
  std::vector<std::string> subjects_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_doc() { return std::make_unique<PluginDocVerb>(); }

}  // namespace limen::tools
