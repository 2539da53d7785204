// A plugin's file loaded again while the old code may still run.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.hpp"
#include "plugin/catalogue.hpp"
#include "plugin/fault.hpp"
#include "plugin/param_range.hpp"

namespace limen {
namespace {

std::string param_text(const limen_op& op, std::uint32_t i) {
  const limen_param& p = *LIMEN_AT(limen_param, op.params, i);
  return fmt::format("{} in {}", p.name, range_text(p));
}

// What models rely on and a new version has changed; empty if nothing.
std::string difference(const limen_op& old, const limen_op& now) {
  if (now.kind != old.kind) return fmt::format("kind {} instead of {}", now.kind, old.kind);
  if (now.arity != old.arity || now.outputs != old.outputs) {
    return fmt::format("{} inputs and {} outputs instead of {} and {}", now.arity, now.outputs,
                       old.arity, old.outputs);
  }
  if ((old.dtypes & ~now.dtypes) != 0) return "an element type is missing";
  if (now.n_params != old.n_params) {
    return fmt::format("{} parameters instead of {}", now.n_params, old.n_params);
  }
  for (std::uint32_t i = 0; i < old.n_params; ++i) {
    const std::string before = param_text(old, i), after = param_text(now, i);
    const std::uint32_t flags = LIMEN_AT(limen_param, old.params, i)->flags;
    if (before != after || LIMEN_AT(limen_param, now.params, i)->flags != flags) {
      return fmt::format("parameter {} instead of {}", after, before);
    }
  }
  return "";
}

void check_same_interface(const LoadedPlugin& old, const LoadedPlugin& now) {
  std::vector<std::string> differences;
  if (now.name() != old.name()) {
    differences.push_back(fmt::format("plugin {} instead of {}", now.name(), old.name()));
  }
  const std::span ops(now.descriptor->ops, now.descriptor->n_ops);
  for (std::uint32_t i = 0; i < old.descriptor->n_ops; ++i) {
    const limen_op& op = *old.descriptor->ops[i];
    const auto same = std::find_if(ops.begin(), ops.end(), [&](const limen_op* o) {
      return std::string_view(o->name) == op.name;
    });
    const std::string what = same == ops.end() ? "is gone" : difference(op, **same);
    if (!what.empty()) differences.push_back(fmt::format("op \"{}\": {}", op.name, what));
  }
  if (differences.empty()) return;
  throw plugin_fault("E0511", old.file,
                     fmt::format("cannot take the place of the loaded one: {}", join(differences)),
                     {"start again to use it"});
}

}  // namespace

std::shared_ptr<const LoadedPlugin> PluginRegistry::reload(const std::string& file) {
  const std::lock_guard lock(state_->mutex);
  const auto known = std::find_if(
      state_->files.begin(), state_->files.end(),
      [&](const CataloguedFile& f) { return f.is.file == file && f.is.plugin != nullptr; });
  if (known == state_->files.end()) throw Error("E0501", fmt::format("{}: not loaded yet", file));
  CataloguedFile fresh = examine_file(file, known->is.own, true, *state_->surroundings);
  const std::shared_ptr<const LoadedPlugin> old = known->is.plugin;
  auto plugin = open_plugin(fresh, "", true, old->generation + 1);
  if (plugin->descriptor == old->descriptor) return old;  // the same content
  check_same_interface(*old, *plugin);
  old->successor.set(plugin);
  fresh.is.plugin = plugin;
  fresh.is.ops.clear();
  for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
    fresh.is.ops.push_back(names_of(*plugin->descriptor->ops[i]));
  }
  *known = std::move(fresh);
  return plugin;
}

void PluginRegistry::keep_copies() { state_->copies = true; }

}  // namespace limen
