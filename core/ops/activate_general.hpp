// General ops: whole tensors in and out, with the plugin's own rule for shapes.
#pragma once

#include <span>
#include <string>

#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {

Value activate_general(std::span<const Value> inputs, const Activation& f,
                       const ActivateOptions& options);

}  // namespace limen
