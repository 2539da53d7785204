// limen plugin build: one call of the system's compiler.
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/file.hpp"
#include "isolate.hpp"
#include "plugin/compile.hpp"
#include "plugin_pages.hpp"
#include "plugin_sketch.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

namespace fs = std::filesystem;
using Language = CompileJob::Language;

constexpr int kLoadSeconds = 20, kDocSeconds = 120;

std::optional<Language> language_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".cpp" || extension == ".cc" || extension == ".cxx") return Language::cpp;
  if (extension == ".c") return Language::c;
  if (extension == ".rs") return Language::rust;
  return std::nullopt;
}

// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  if (!word.empty() &&
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "_-+=./,:@%") == std::string::npos) {
    return word;
  }
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

class PluginBuildVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "SUBJECT", subject_,
             "FILE.cpp, FILE.c, FILE.rs, a folder with one of them, or the NAME of a --formula");
    add_text(app, "-o,--output", output_, "DIR", "where NAME.so goes (beside the source)");
    add_text(app, "--formula", formula_, "TEXT", "no source: an op of this formula");
    add_list(app, "--param", params_, "NAME=VALUE", "a parameter of the formula and its default");
    add_text(app, "--compiler", compiler_, "PATH", "which compiler (gcc, else clang, of PATH)");
    add_switch(app, "--debug", debug_, "for a debugger");
    add_switch(app, "--asan", asan_, "with the address and undefined-behaviour sanitizers");
    add_switch(app, "--install", install_, "into the user's plugin folder");
    add_switch(app, "--doc", doc_, "also write a page with pictures into doc beside it");
    add_switch(app, "--print-command", print_, "print the compiler call instead of running it");
  }

  Exit run(Context& context) override {
    CompileJob job = read(context);
    if (print_) {
      print_command(context, job);
      return Exit::ok;
    }
    const auto begin = std::chrono::steady_clock::now();
    const CompileOutcome outcome = compile(job);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (!outcome.messages.empty()) context.messages.raw(outcome.messages);
    for (const std::string& line : outcome.not_vectors) context.messages.warn(line);
    return report(context, job, seconds.count(), outcome.not_vectors);
  }

 private:
  CompileJob read(Context& context) const {
    if (subject_.empty()) throw usage_error("`limen plugin build` needs a source file or a folder");
    if (doc_ && asan_) throw usage_error("--doc and --asan exclude each other");
    if (debug_ && asan_) throw usage_error("--debug and --asan exclude each other");
    if (install_ && !output_.empty()) throw usage_error("--install and -o exclude each other");
    CompileJob job;
    job.build = debug_  ? CompileJob::Build::debug
                : asan_ ? CompileJob::Build::asan
                        : CompileJob::Build::release;
    job.compiler = compiler_;
    job.report_vectors = true;
    fs::path folder;
    std::string name = subject_;
    if (formula_.empty()) {
      if (!params_.empty()) throw usage_error("--param needs a --formula that mentions it");
      job.source = source();
      job.language = *language_of(job.source);
      if (asan_ && job.language == Language::rust) {
        throw usage_error("--asan is for C and C++", {"use --debug"});
      }
      folder = job.source.parent_path();
      name = job.source.stem().string();
    } else {
      job.text = formula_text();
    }
    if (!output_.empty()) folder = output_;
    if (install_) folder = user_folder(context);
    job.output = folder / (name + ".so");
    return job;
  }

  fs::path source() const {
    std::error_code error;
    if (!fs::exists(subject_, error)) {
      throw Error("E0901", fmt::format("{}: not found", subject_));
    }
    if (!fs::is_directory(subject_, error)) {
      if (language_of(subject_)) return subject_;
      throw usage_error(fmt::format("{}: not a .cpp, .c or .rs file", subject_));
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(subject_, error)) {
      if (language_of(entry.path())) found.push_back(entry.path().string());
    }
    if (found.size() == 1) return found.front();
    std::sort(found.begin(), found.end());
    throw Error(
        "E0901",
        found.empty() ? fmt::format("{}: no .cpp, .c or .rs file in it", subject_)
                      : fmt::format("{}: several sources: {}", subject_, join(found)),
        {found.empty() ? "`limen plugin new NAME` makes such a folder" : "name one of them"});
  }

  std::string formula_text() const {
    if (const std::string wrong = bad_formula_name(subject_, false); !wrong.empty()) {
      throw usage_error(fmt::format("`{}` cannot name an op: {}", subject_, wrong),
                        {"limen plugin build --formula \"x * sigmoid(x)\" NAME"});
    }
    const std::vector<FormulaParam> params = read_formula_params(params_);
    try {
      const Formula formula = Formula::parse(formula_, {.inputs = {}, .params = names_of(params)});
      return formula_source(formula, subject_, "org.example." + subject_, params);
    } catch (const Error& error) {
      throw Error(error.diagnostics(), Exit::usage);
    }
  }

  static fs::path user_folder(Context& context) {
    for (const SearchedDirectory& place : context.registry().searched()) {
      if (place.origin == "user's data folder") return place.path;
    }
    throw Error("E0901", "there is no user's plugin folder", {"set HOME or XDG_DATA_HOME"});
  }

  void print_command(Context& context, const CompileJob& job) const {
    std::string line;
    for (const std::string& word : compile_command(job, job.output)) {
      line += (line.empty() ? "" : " ") + quoted(word);
    }
    if (!job.text.empty()) line += " <<'END'\n" + job.text + "END";
    context.out.write(line + "\n");
  }

  static fs::path doc_folder(const CompileJob& job) { return job.output.parent_path() / "doc"; }

  // Loads what was built, in a child, and says what it offers.
  Exit report(Context& context, const CompileJob& job, double seconds,
              const std::vector<std::string>& not_vectors) const {
    const std::string file = job.output.string();
    const IsolatedResult loaded = run_isolated(
        [&]() -> IsolatedAnswer {
          try {
            PluginRegistry registry;
            const auto plugin = registry.load(file);
            Json ops = Json::array();
            for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
              ops.push_back(plugin->descriptor->ops[i]->name);
            }
            if (doc_) write_pages(registry.activations(), doc_folder(job).string());
            return {Exit::ok, to_line(ops)};
          } catch (const Error& error) {
            context.messages.show(error);
            return {error.exit(), ""};
          }
        },
        doc_ ? kDocSeconds : kLoadSeconds);
    if (!loaded.completed) {
      throw Error("E0519",
                  fmt::format("{}: the plugin was {} while it was loaded", file, loaded.death));
    }
    if (loaded.exit != Exit::ok && !asan_) return loaded.exit;
    const Json ops = loaded.payload.empty() ? Json::array() : parse_json(loaded.payload);
    if (context.globals.json) {
      context.out.json({{"limen", 1},
                        {"kind", "plugin.build"},
                        {"file", file},
                        {"ops", ops},
                        {"seconds", seconds},
                        {"not_vectorised", not_vectors}});
    } else {
      std::string names;
      for (const Json& op : ops) names += (names.empty() ? "" : ", ") + op.get<std::string>();
      context.out.write(fmt::format("{}  {}  {:.1f} s\n", file, names, seconds));
      if (doc_) context.out.write(fmt::format("{}\n", (doc_folder(job) / "index.md").string()));
    }
    return Exit::ok;
  }

  std::string subject_, output_, formula_, compiler_;
  std::vector<std::string> params_;
  bool debug_ = false, asan_ = false, install_ = false, print_ = false, doc_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_build() { return std::make_unique<PluginBuildVerb>(); }

}  // namespace limen::tools
