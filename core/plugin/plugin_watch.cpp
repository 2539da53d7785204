#include "plugin/plugin_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace limen {

namespace fs = std::filesystem;

PluginWatch::PluginWatch(PluginRegistry& registry, std::chrono::milliseconds quiet)
    : registry_(registry), quiet_(quiet), events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  for (const PluginFile& file : registry.files()) {
    if (file.plugin == nullptr) continue;
    files_.insert(file.file);
    const std::string folder = fs::path(file.file).parent_path().string();
    const int watch = ::inotify_add_watch(events_, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
    if (watch < 0) {
      const int why = errno;
      ::close(events_);
      throw Error("E0511", fmt::format("{}: cannot be watched: {}", folder, std::strerror(why)));
    }
    folders_[watch] = folder;
  }
}

PluginWatch::~PluginWatch() { ::close(events_); }

void PluginWatch::read_events() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(events_, buffer.data(), buffer.size());
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const auto folder = folders_.find(event->wd);
      if (folder == folders_.end() || event->len == 0) continue;
      const std::string file = (fs::path(folder->second) / event->name).string();
      if (files_.contains(file)) due_[file] = Clock::now() + quiet_;
    }
  }
}

std::vector<PluginWatch::Change> PluginWatch::poll() {
  read_events();
  std::vector<Change> changes;
  for (auto at = due_.begin(); at != due_.end();) {
    if (Clock::now() < at->second) {
      ++at;
      continue;
    }
    const std::string file = at->first;
    at = due_.erase(at);
    try {
      changes.push_back({registry_.reload(file), std::nullopt});
    } catch (const Error& error) {
      changes.push_back({nullptr, error});
    }
  }
  return changes;
}

}  // namespace limen
