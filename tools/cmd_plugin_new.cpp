// limen plugin new: a folder to begin with.
#include <filesystem>

#include <fmt/format.h>

#include "io/file.hpp"
#include "plugin_sketch.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

namespace fs = std::filesystem;

class PluginNewVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "NAME", name_, "of the op and of the folder that is made");
    add_switch(app, "--c", c_, "write it in C, forward and backward by hand");
    add_switch(app, "--rust", rust_, "write it in Rust, without its standard library");
    add_switch(app, "--rows", rows_, "a function of whole rows, as softmax is");
    add_count(app, "--pieces", pieces_, "a function of 2 or 3 pieces of a tensor, as glu is");
    add_text(app, "--formula", formula_, "TEXT", "as in \"x * sigmoid(beta * x)\"");
    add_list(app, "--param", params_, "NAME=VALUE", "a parameter of the formula and its default");
  }

  Exit run(Context& context) override {
    const PluginSketch wanted = read(context);
    const std::vector<SketchedFile> files = sketch_or_usage(wanted);
    std::error_code error;
    if (fs::exists(wanted.name, error)) {
      throw usage_error(fmt::format("{} is there already", wanted.name),
                        {"choose another name, or remove it"});
    }
    if (!fs::create_directory(wanted.name, error)) {
      throw Error("E0903", fmt::format("{}: cannot be made: {}", wanted.name, error.message()));
    }
    for (const SketchedFile& file : files) {
      write_file_atomically((fs::path(wanted.name) / file.name).string(), file.text);
    }
    context.out.write(
        fmt::format("{0}/{1}  next: limen plugin build {0}, then limen train {0}/model.yaml\n",
                    wanted.name, wanted.source_file()));
    return Exit::ok;
  }

 private:
  PluginSketch read(Context& context) const {
    if (name_.empty()) throw usage_error("`limen plugin new` needs a NAME");
    if (const std::string wrong = bad_formula_name(name_, false); !wrong.empty()) {
      throw usage_error(fmt::format("`{}` cannot name an op: {}", name_, wrong));
    }
    PluginSketch wanted;
    using Language = PluginSketch::Language;
    wanted.language = c_ ? Language::c : rust_ ? Language::rust : Language::cpp;
    wanted.name = name_;
    wanted.rows = rows_;
    wanted.pieces = static_cast<int>(pieces_.value_or(1));
    wanted.formula = formula_;
    wanted.params = read_formula_params(params_);
    const int kinds =
        (c_ ? 1 : 0) + (rust_ ? 1 : 0) + (rows_ ? 1 : 0) + (pieces_ || !formula_.empty() ? 1 : 0);
    if (kinds > 1) {
      throw usage_error("--c, --rust, --rows and --formula or --pieces exclude each other");
    }
    if (wanted.pieces > 3) throw usage_error("--pieces takes 2 or 3");
    if (formula_.empty() && !params_.empty()) {
      throw usage_error("--param needs a --formula that mentions it");
    }
    try {
      context.registry().find(name_);
      wanted.name_taken = true;
    } catch (const Error&) {
    }
    return wanted;
  }

  // A wrong formula on the command line is wrong usage.
  static std::vector<SketchedFile> sketch_or_usage(const PluginSketch& wanted) {
    try {
      return sketch(wanted);
    } catch (const Error& error) {
      throw Error(error.diagnostics(), Exit::usage);
    }
  }

  std::string name_, formula_;
  bool c_ = false, rust_ = false, rows_ = false;
  std::optional<std::int64_t> pieces_;
  std::vector<std::string> params_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_new() { return std::make_unique<PluginNewVerb>(); }

}  // namespace limen::tools
