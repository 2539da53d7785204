#include "context.hpp"

#include <filesystem>

#include <fmt/format.h>

#include <limen/train.hpp>

#include "base/parallel.hpp"

namespace limen::tools {

namespace fs = std::filesystem;

Error usage_error(std::string message, std::vector<std::string> help) {
  return Error("", std::move(message), std::move(help));
}

std::optional<std::string> OpenedModel::weights_file(const std::string& given) const {
  if (!given.empty()) return given;
  if (!run) return std::nullopt;
  for (const char* name : {"best", "last"}) {
    std::error_code fault;
    if (fs::exists(run->checkpoint(name), fault)) return run->checkpoint(name);
  }
  throw Error("E1004", fmt::format("{}: the run has no checkpoint yet", run->path()),
              {"give weights with `--weights FILE.safetensors`"});
}

int Context::threads() const {
  return globals.threads ? static_cast<int>(*globals.threads) : default_threads();
}

void Context::load_plugins(PluginRegistry& registry) const {
  if (copy_plugins) registry.keep_copies();
  for (const std::string& path : globals.plugins) registry.load_path(path);
  registry.load_default();
}

PluginRegistry& Context::registry() {
  if (!registry_) load_plugins(registry_.emplace());
  return *registry_;
}

OpenedModel Context::open(const std::string& path, PluginRegistry& registry) const {
  const ModelOptions options{.sets = globals.sets, .allow_plugins = globals.allowed_plugins};
  if (path != "-" && RunFolder::is_run(path)) {
    RunFolder run = RunFolder::open(path);
    Model model = run.load_model(registry, options.sets, options.allow_plugins);
    return {std::move(model), std::move(run)};
  }
  std::error_code fault;
  if (path != "-" && fs::is_directory(path, fault)) RunFolder::open(path);  // says what is missing
  return {Model::load(path, registry, options), std::nullopt};
}

OpenedModel Context::open(const std::string& path) {
  OpenedModel opened = open(path, registry());
  for (const Diagnostic& warning : opened.model.warnings()) messages.show(warning);
  return opened;
}

std::vector<NamedTensor> Context::weights(const OpenedModel& opened, const std::string& given,
                                          const std::vector<ParameterSpec>& parameters) const {
  if (parameters.empty() && given.empty()) return {};
  if (const std::optional<std::string> file = opened.weights_file(given)) {
    return load_weights(*file, parameters);
  }
  const TrainSpec* const train = opened.model.train();
  const std::uint64_t seed = train != nullptr ? train->seed : 0;
  messages.warn(fmt::format("no weights given: using the initial weights of seed {}", seed),
                {"train the model and name the run folder, or give `--weights FILE.safetensors`"});
  return initial_weights(parameters, seed);
}

}  // namespace limen::tools
