// What every command has at hand: the global options, the two outputs, plugins and models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <limen/checkpoint.hpp>
#include <limen/model.hpp>
#include <limen/plugin_registry.hpp>

#include "output.hpp"

namespace limen::tools {

struct Globals {
  bool json = false, quiet = false, verbose = false, no_progress = false;
  std::string color = "auto";
  std::optional<std::int64_t> threads;
  std::vector<std::string> plugins, allowed_plugins, sets;
};

// A model as the command line named it.
struct OpenedModel {
  Model model;
  std::optional<RunFolder> run;  // if a run folder was named

  // `given` if not empty, else the run's best or last checkpoint; nothing for a bare model file.
  std::optional<std::string> weights_file(const std::string& given) const;
};

class Context {
 public:
  Globals globals;
  Output out;
  Messages messages;
  std::vector<std::string> command;  // the words of the command line
  bool copy_plugins = false;         // map copies, so that the files may change meanwhile

  int threads() const;  // --threads, else LIMEN_THREADS, else the cores

  // The plugins of --plugin, then of the usual places; loaded when first asked for.
  PluginRegistry& registry();
  // A model file, "-" for standard input, or a run folder; warnings are shown.
  OpenedModel open(const std::string& path);
  // The same without showing warnings, for a registry of the caller's.
  OpenedModel open(const std::string& path, PluginRegistry& registry) const;
  void load_plugins(PluginRegistry& registry) const;

  // The weights of a file, or without one the initial weights of the seed with a warning.
  std::vector<NamedTensor> weights(const OpenedModel& opened, const std::string& given,
                                   const std::vector<ParameterSpec>& parameters) const;

 private:
  std::optional<PluginRegistry> registry_;
};

// Wrong usage: exit code 2.
Error usage_error(std::string message, std::vector<std::string> help = {});

}  // namespace limen::tools
