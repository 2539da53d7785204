// The activations built in this tree.
#pragma once

#include <limen/plugin_registry.hpp>

namespace limen::test {

inline PluginRegistry shipped_plugins() {
  PluginRegistry registry;
  registry.load_directory(LIMEN_BINARY_DIR "/lib/limen/plugins");
  return registry;
}

}  // namespace limen::test
