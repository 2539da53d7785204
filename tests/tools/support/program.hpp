// The limen program under test, in a folder of its own.
#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/npy.hpp"
#include "support/process.hpp"
#include "support/scratch.hpp"

namespace limen::test {

using Json = nlohmann::ordered_json;

// y = x w^T + b with three inputs and two outputs, then sigmoid; trains on a moons-like set.
inline constexpr const char* kSmallModel =
    "limen: 1\n"
    "name: small\n"
    "inputs:\n"
    "  x: f32[N, 2]\n"
    "  label: i64[N]\n"
    "graph:\n"
    "  - dense: 8\n"
    "  - tanh\n"
    "  - dense: 2\n"
    "    name: scores\n"
    "loss: softmax_cross_entropy\n"
    "metrics: [accuracy]\n"
    "data: {moons: {n: 200}}\n"
    "train:\n"
    "  epochs: 3\n"
    "  batch: 20\n"
    "  seed: 5\n"
    "  optimizer: {sgd: 0.1}\n";

class Program : public ::testing::Test {
 protected:
  static Command command(std::vector<std::string> words) {
    words.insert(words.begin(), LIMEN_PROGRAM);
    // One thread: the tests run side by side.
    return {.words = std::move(words),
            .environment = {{"LIMEN_THREADS", "1"},
                            {"LIMEN_PLUGIN_PATH", ""},
                            {"LIMEN_ISA", ""},
                            {"XDG_DATA_HOME", "/nonexistent"}}};
  }

  // Runs limen in the scratch folder.
  Outcome limen(std::vector<std::string> words, const std::string& input = "") const {
    Command wanted = command(std::move(words));
    wanted.folder = scratch_.folder();
    wanted.input = input;
    return test::run(wanted);
  }

  // The output of a run that must succeed.
  std::string good(std::vector<std::string> words) const {
    const Outcome outcome = limen(std::move(words));
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    return outcome.out;
  }

  Json good_json(std::vector<std::string> words) const {
    const std::string text = good(std::move(words));
    Json json = Json::parse(text, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << text;
    return json;
  }

  // The lines of JSON that a program printed.
  static std::vector<Json> lines(const std::string& text) {
    std::vector<Json> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      result.push_back(Json::parse(line, nullptr, false));
      EXPECT_FALSE(result.back().is_discarded()) << line;
    }
    return result;
  }

  std::string write(std::string_view name, std::string_view bytes) const {
    return scratch_.write(name, bytes);
  }

  // Writes numbers as a .npy file of that element type.
  template <class T>
  void write_array(const std::string& name, const Shape& shape,
                   const std::vector<T>& values) const {
    Tensor tensor({shape, dtype_of<T>()});
    std::copy(values.begin(), values.end(), tensor.as<T>().begin());
    write_npy(scratch_.path(name), tensor.view());
  }

  template <class T>
  std::vector<T> read_array(const std::string& name) const {
    const Tensor tensor = read_npy(scratch_.path(name)).tensor;
    EXPECT_EQ(tensor.type().dtype, dtype_of<T>());
    const auto values = tensor.as<T>();
    return {values.begin(), values.end()};
  }

  Scratch scratch_;
};

}  // namespace limen::test
