// Gradients against central differences, in f64.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "support/execute.hpp"

namespace limen::test {

using Build = std::function<Value(Graph&, std::span<const Value>)>;

// sum(y * c) with a fixed c, so that every element of a tensor counts differently.
inline Value weighed(Value y, std::uint64_t seed) {
  return sum(mul(y, y.make_constant(random_tensor(y.type(), seed, 0.5, 1.5))));
}

// Compares output `gradient` of the leaf `name` with central differences of output `value`.
inline void expect_central_differences(Executable& exe, const std::string& value,
                                       const std::string& gradient, const Tensor& x,
                                       double tolerance) {
  exe.run();
  const std::vector<double> analytic = values(exe.output(gradient));
  const auto span = x.as<double>();
  for (std::size_t i = 0; i < span.size(); ++i) {
    const double here = span[i], h = 1e-5 * std::max(1.0, std::abs(here));
    span[i] = here + h;
    exe.run();
    const double above = exe.output(value).as<double>()[0];
    span[i] = here - h;
    exe.run();
    const double below = exe.output(value).as<double>()[0];
    span[i] = here;
    const double expected = (above - below) / (2 * h);
    EXPECT_NEAR(analytic[i], expected, tolerance * std::max(1.0, std::abs(expected)))
        << gradient << " element " << i << " at " << here;
  }
}

// Checks the first and, if `second`, the second derivatives of build(inputs) at the given tensors.
// i32 inputs are bound and not differentiated.
inline void expect_gradients(const Build& build, const std::vector<Tensor>& at, bool second = true,
                             double tolerance = 1e-6) {
  Graph graph;
  std::vector<Value> leaves, wrt;
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const DType dtype = is_float(at[i].type().dtype) ? DType::f64 : DType::i32;
    tensors.push_back(convert(at[i], dtype));
    leaves.push_back(graph.parameter("p" + std::to_string(i), tensors[i].type()));
    if (dtype == DType::f64) wrt.push_back(leaves.back());
  }
  const Value first = weighed(build(graph, leaves), 3);
  graph.output("L1", first);
  const std::vector<Value> gradients = differentiate(first, wrt);
  Value total;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    EXPECT_EQ(gradients[i].type(), wrt[i].type());
    graph.output("d1." + wrt[i].name(), gradients[i]);
    const Value part = weighed(gradients[i], 5 + i);
    total = total ? add(total, part) : part;
  }
  graph.output("L2", total);
  if (second) {
    const std::vector<Value> seconds = differentiate(total, wrt);
    for (std::size_t i = 0; i < wrt.size(); ++i) graph.output("d2." + wrt[i].name(), seconds[i]);
  }
  verify(graph);
  Executable exe = compile(graph);
  for (std::size_t i = 0; i < at.size(); ++i) exe.bind("p" + std::to_string(i), tensors[i]);
  for (const Value x : wrt) {
    const Tensor& values = tensors[static_cast<std::size_t>(std::stoi(x.name().substr(1)))];
    expect_central_differences(exe, "L1", "d1." + x.name(), values, tolerance);
    if (second) expect_central_differences(exe, "L2", "d2." + x.name(), values, tolerance);
  }
}

}  // namespace limen::test
