#include "plugin_pages.hpp"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "fact_texts.hpp"
#include "io/file.hpp"
#include "plugin_pictures.hpp"

namespace limen::tools {
namespace {

namespace fs = std::filesystem;

// Text for a Markdown table or paragraph: what comes from a plugin must not become markup.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '\n') {
      out += ' ';
      continue;
    }
    if (std::string_view("|<>*_`[]\\#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string code(std::string_view text) {
  std::string inside = printable(text);
  for (char& c : inside) {
    if (c == '`') c = '\'';
    if (c == '\n') c = ' ';
  }
  return "`" + inside + "`";
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

std::string default_text(const ParamInfo& param) {
  if ((param.flags & LIMEN_PF_REQUIRED) != 0) return "none: must be given";
  if (param.type == LIMEN_P_CHOICE && static_cast<std::size_t>(param.def) < param.choices.size()) {
    return std::string(param.choices[static_cast<std::size_t>(param.def)]);
  }
  if (param.type == LIMEN_P_BOOL) return param.def != 0 ? "true" : "false";
  return fmt::format("{}", param.def);
}

std::string parameter_table(const Activation& f) {
  std::string text = "| parameter | default | range | learned | |\n|---|---|---|---|---|\n";
  for (const ParamInfo& param : f.params()) {
    const char* learned = (param.flags & LIMEN_PF_LEARNED) != 0     ? "yes"
                          : (param.flags & LIMEN_PF_TRAINABLE) != 0 ? "if asked"
                                                                    : "no";
    text += fmt::format("| {} | {} | {} | {} | {} |\n", code(param.name),
                        plain(default_text(param)), plain(param.range), learned, plain(param.doc));
  }
  return text + "\n";
}

std::string example(const Activation& f) {
  std::string settings;
  for (const ParamInfo& param : f.params()) {
    settings += fmt::format("{}{}: {}", settings.empty() ? "" : ", ", param.name,
                            (param.flags & LIMEN_PF_REQUIRED) != 0
                                ? fmt::format("{}", std::isfinite(param.min) ? param.min : 1)
                                : default_text(param));
  }
  std::string text = fmt::format("```yaml\n- {}\n", f.name());
  if (!settings.empty()) text = fmt::format("```yaml\n- {}: {{{}}}\n", f.name(), settings);
  return text + "```\n\n";
}

}  // namespace

std::vector<SketchedFile> op_page(const Activation& f, const std::string& stem) {
  const limen_op& op = f.op();
  std::vector<SketchedFile> files;
  std::string page = fmt::format("# {}\n\n", plain(f.name()));
  const auto paragraph = [&](const std::string& text) {
    if (!text.empty()) page += text + "\n\n";
  };
  const auto picture = [&](const char* name, const char* title, const std::string& svg) {
    if (svg.empty()) return;
    files.push_back({fmt::format("{}_{}.svg", stem, name), svg});
    page += fmt::format("![{} of {}]({})\n\n", title, plain(f.name()), files.back().name);
  };
  paragraph(plain(text_of(op.summary)));
  paragraph(code("y = " + text_of(op.formula)));
  paragraph(plain(join(fact_texts(op), "; ")));
  picture("curves", "function and derivatives", curves_picture(f));
  picture("row", "outputs", rows_picture(f));
  page += example(f);
  if (!f.params().empty()) page += parameter_table(f);
  picture("parameters", "parameters", parameters_picture(f));
  picture("spread", "histogram", spread_of(f).picture);
  picture("speed", "speed", speed_picture(f));
  picture("error", "rounding error", error_picture(f));
  paragraph(text_of(op.doc));
  if (op.reference != nullptr) paragraph("Reference: " + plain(op.reference));
  std::vector<std::string> aliases;
  for (const std::string_view alias : f.aliases()) aliases.push_back(code(alias));
  if (!aliases.empty()) paragraph("Also called " + join(aliases) + ".");
  paragraph(fmt::format("Plugin {} {}. [All ops](index.md)", code(f.plugin().name()),
                        plain(f.plugin().version())));
  files.insert(files.begin(), {stem + ".md", std::move(page)});
  return files;
}

std::size_t write_pages(std::span<const Activation> ops, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error("E0903", fmt::format("{}: cannot be made: {}", folder, error.message()));
  const auto write = [&](const SketchedFile& file) {
    write_file_atomically((fs::path(folder) / file.name).string(), file.text);
  };
  std::string index = "# Activations\n\n| | op | | |\n|---|---|---|---|\n";
  std::set<std::string> taken = {"index"};
  for (const Activation& f : ops) {
    std::string stem(f.name());
    if (taken.contains(stem)) stem = fmt::format("{}_{}", f.plugin().name(), f.name());
    if (!taken.insert(stem).second) continue;
    for (const SketchedFile& file : op_page(f, stem)) write(file);
    std::string small = thumbnail_picture(f);
    const bool drawn = !small.empty();
    if (drawn) write({stem + "_small.svg", std::move(small)});
    index += fmt::format("| {} | [{}]({}.md) | {} | {} |\n",
                         drawn ? fmt::format("![{0}]({0}_small.svg)", stem) : "", plain(f.name()),
                         stem, code(text_of(f.op().formula)), plain(text_of(f.op().summary)));
  }
  write({"index.md", std::move(index)});
  return taken.size() - 1;
}

}  // namespace limen::tools
