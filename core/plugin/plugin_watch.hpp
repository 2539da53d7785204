// Plugins whose files change while they are in use.
#pragma once

#include <limen/plugin_registry.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace limen {

// Watches the files of a registry's loaded plugins. For one thread at a time.
class PluginWatch {
 public:
  // A file is loaded once nothing has changed it for so long. Throws Error E0511 where the system
  // does not let it watch.
  explicit PluginWatch(PluginRegistry& registry,
                       std::chrono::milliseconds quiet = std::chrono::milliseconds(50));
  ~PluginWatch();
  PluginWatch(const PluginWatch&) = delete;
  PluginWatch& operator=(const PluginWatch&) = delete;

  struct Change {
    std::shared_ptr<const LoadedPlugin> plugin;  // the new generation; null: it was refused
    std::optional<Error> refused;
  };
  // Reloads what was written or moved there since the last time. Costs one system call when nothing
  // was.
  std::vector<Change> poll();

 private:
  using Clock = std::chrono::steady_clock;

  void read_events();

  PluginRegistry& registry_;
  const std::chrono::milliseconds quiet_;
  int events_ = -1;                               // an inotify descriptor
  std::map<int, std::string> folders_;            // by its watches
  std::set<std::string> files_;                   // of loaded plugins
  std::map<std::string, Clock::time_point> due_;  // changed files: when to load them
};

}  // namespace limen
