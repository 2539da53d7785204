#include "base/cache_folder.hpp"

#include <cstdlib>

namespace limen {

std::filesystem::path cache_folder() {
  const auto absolute = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value != nullptr && value[0] == '/' ? value : "";
  };
  if (auto own = absolute("LIMEN_CACHE"); !own.empty()) return own;
  if (auto caches = absolute("XDG_CACHE_HOME"); !caches.empty()) return caches / "limen";
  if (auto home = absolute("HOME"); !home.empty()) return home / ".cache" / "limen";
  return {};
}

}  // namespace limen
