// Ops by name: which file is opened for one, and what is said where there is none.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "plugin/catalogue.hpp"

namespace limen {
namespace {

bool names(const std::vector<std::string>& op, std::string_view name) {
  return std::find(op.begin(), op.end(), name) != op.end();
}

bool offers(const PluginFile& file, std::string_view name) {
  return std::any_of(file.ops.begin(), file.ops.end(),
                     [&](const auto& op) { return names(op, name); });
}

template <class Visit>
void for_each_op(const LoadedPlugin& plugin, Visit visit) {
  for (std::uint32_t i = 0; i < plugin.descriptor->n_ops; ++i) visit(plugin.descriptor->ops[i]);
}

std::string offer(const LoadedPlugin& plugin) {
  return fmt::format("{} ({} {})", plugin.file, plugin.name(), plugin.version());
}

// A file that nobody opened yet is limen's if it lies in limen's own folder.
bool is_shipped(const PluginFile& file) {
  return file.plugin != nullptr ? file.plugin->shipped : file.own;
}

// Whether an op of limen's own has this name.
bool ships(const Catalogue& catalogue, std::string_view name) {
  return std::any_of(catalogue.files.begin(), catalogue.files.end(), [&](const auto& file) {
    return !file.is.failed && is_shipped(file.is) && offers(file.is, name);
  });
}

std::string failures(const std::vector<Diagnostic>& problems) {
  std::vector<std::string> failed;
  for (const Diagnostic& problem : problems) {
    const std::string where = problem.spans.empty() ? "" : problem.spans.front().file;
    failed.push_back(where.empty()
                         ? fmt::format("{} ({})", problem.message, problem.code)
                         : fmt::format("{} ({}: {})", where, problem.code, problem.message));
  }
  if (failed.empty()) return "";
  return fmt::format("{} could not be loaded: {}",
                     failed.size() == 1 ? "1 file" : fmt::format("{} files", failed.size()),
                     join(failed, "; "));
}

Error unknown(Catalogue& catalogue, std::string_view name) {
  std::vector<std::string> known;
  std::vector<std::size_t> owners;
  std::size_t ops = 0;
  for (std::size_t i = 0; i < catalogue.files.size(); ++i) {
    if (catalogue.files[i].is.failed) continue;
    ops += catalogue.files[i].is.ops.size();
    for (const auto& op : catalogue.files[i].is.ops) {
      known.insert(known.end(), op.begin(), op.end());
      owners.insert(owners.end(), op.size(), i);
    }
  }
  const std::size_t colon = name.rfind(':');
  const std::string_view wanted = colon == std::string_view::npos ? name : name.substr(colon + 1);
  std::string hint;
  if (const auto near = nearest(wanted, known)) {
    const auto at = std::find(known.begin(), known.end(), *near) - known.begin();
    const auto plugin = catalogue.try_open(catalogue.files[owners[static_cast<std::size_t>(at)]]);
    if (plugin != nullptr) hint = fmt::format(" Did you mean {} ({})?", *near, plugin->name());
  }
  Diagnostic d{.code = "E0518",
               .message = fmt::format("op \"{}\": unknown.{} {} ops known; limen plugin list", name,
                                      hint, ops),
               .spans = {},
               .notes = {},
               .help = {}};
  if (std::string text = failures(catalogue.problems); !text.empty()) {
    d.notes.push_back(std::move(text));
  }
  return Error(std::move(d));
}

}  // namespace

Activation PluginRegistry::find(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  const std::size_t colon = name.rfind(':');
  const bool qualified = colon != std::string_view::npos;
  const std::string_view wanted = qualified ? name.substr(colon + 1) : name;
  std::vector<Activation> found;
  for (CataloguedFile& file : state_->files) {
    if (!offers(file.is, wanted)) continue;
    const auto plugin = state_->try_open(file);
    if (plugin == nullptr || (qualified && plugin->name() != name.substr(0, colon))) continue;
    for_each_op(*plugin, [&](const limen_op* op) {
      if (names(names_of(*op), wanted)) found.push_back(Catalogue::activation(plugin, op));
    });
  }
  if (found.empty()) throw unknown(*state_, name);
  const auto own = std::find_if(found.begin(), found.end(),
                                [](const Activation& a) { return a.plugin().shipped; });
  if (own != found.end()) return *own;
  if (found.size() == 1) return found.front();
  std::vector<std::string> offers_text, ways;
  for (const Activation& a : found) {
    offers_text.push_back(offer(a.plugin()));
    ways.push_back(fmt::format("{}:{}", a.plugin().name(), wanted));
  }
  throw Error("E0516", fmt::format("op \"{}\" is offered by {}. Say {}", wanted,
                                   join(offers_text, " and "), join(ways, " or ")));
}

std::vector<Activation> PluginRegistry::activations() const {
  const std::lock_guard lock(state_->mutex);
  state_->open_all();
  std::vector<Activation> all;
  for (const CataloguedFile& file : state_->files) {
    if (file.is.plugin == nullptr) continue;
    for_each_op(*file.is.plugin, [&](const limen_op* op) {
      all.push_back(Catalogue::activation(file.is.plugin, op));
    });
  }
  std::sort(all.begin(), all.end(), [](const Activation& a, const Activation& b) {
    return std::pair(a.name(), a.plugin().name()) < std::pair(b.name(), b.plugin().name());
  });
  return all;
}

std::vector<std::string> PluginRegistry::hidden(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> all;
  if (!ships(*state_, name)) return all;
  for (CataloguedFile& file : state_->files) {
    if (is_shipped(file.is) || !offers(file.is, name)) continue;
    const auto plugin = state_->try_open(file);  // for its name
    if (plugin != nullptr) all.push_back(fmt::format("{}:{}", plugin->name(), name));
  }
  return all;
}

std::vector<Diagnostic> PluginRegistry::problems() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Diagnostic> warnings;
  for (CataloguedFile& file : state_->files) {
    if (is_shipped(file.is)) continue;
    std::vector<std::string> names;
    for (const auto& op : file.is.ops) {
      std::copy_if(op.begin(), op.end(), std::back_inserter(names),
                   [&](const std::string& name) { return ships(*state_, name); });
    }
    const auto plugin = names.empty() ? nullptr : state_->try_open(file);  // for its name
    if (plugin == nullptr) continue;
    for (const std::string& name : names) {
      Span span;
      span.file = file.is.file;
      warnings.push_back({.code = "E0517",
                          .message = fmt::format("op \"{}\" is shipped with limen; call it {}:{} "
                                                 "or rename it",
                                                 name, plugin->name(), name),
                          .spans = {span},
                          .notes = {},
                          .help = {},
                          .warning = true});
    }
  }
  std::vector<Diagnostic> all = state_->problems;
  all.insert(all.end(), warnings.begin(), warnings.end());
  return all;
}

}  // namespace limen
