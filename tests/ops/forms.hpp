// What tests of the forms of activations share.
#pragma once

#include <limen/plugin_registry.hpp>

#include "support/expect_error.hpp"
#include "support/gradients.hpp"

namespace limen::test {

class Forms : public testing::Test {
 protected:
  Forms() { plugins_.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so"); }
  Activation op(const char* name) const { return plugins_.find(name); }

  // Every configuration gives the bits of the plain one.
  static void expect_same_everywhere(const Graph& g, const Tensors& inputs) {
    const Tensors expected = execute(g, inputs, {.optimize = false, .reuse_memory = false});
    for_each_config([&](CompileOptions o) {
      for (const auto& [name, tensor] : execute(g, inputs, o)) {
        EXPECT_TRUE(same_bits(tensor, expected.at(name))) << name << describe(o);
      }
    });
  }

  PluginRegistry plugins_;
};

}  // namespace limen::test
