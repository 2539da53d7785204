// Reading models from texts.
#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limen/model.hpp>

#include "support/expect_error.hpp"
#include "support/plugins.hpp"

namespace limen::test {

inline Model read(const std::string& text, const ModelOptions& options = {}) {
  PluginRegistry registry = shipped_plugins();
  return Model::parse(text, "model.yaml", registry, options);
}

// A model around one piece that a test is about.
inline std::string with_graph(const std::string& steps, const std::string& input = "f32[N, 3]",
                              const std::string& rest = "") {
  return "limen: 1\ninputs:\n  x: " + input + "\ngraph:\n" + steps + rest;
}

inline BuildOptions sizes(std::int64_t n) { return {.sizes = {{"N", n}}}; }

// What is said about `text`, in the human form, all findings.
inline std::string said(const std::string& text, const ModelOptions& options = {}) {
  try {
    read(text, options);
  } catch (const Error& error) {
    std::string out;
    for (const Diagnostic& diagnostic : error.diagnostics()) {
      out += render(diagnostic, ErrorFormat::human);
    }
    return out;
  }
  return {};
}

}  // namespace limen::test
