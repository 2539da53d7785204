// The first program of a user, as it stands in the documentation: no name of limen but these.
#include <array>
#include <sstream>

#include <gtest/gtest.h>
#include <limen/limen.hpp>

namespace {

void first_program(const char* library, std::ostream& out) {
  limen::PluginRegistry plugins;
  plugins.load(library);

  limen::Graph g;
  auto x = g.input("x", {{4, 3}});
  auto w = g.parameter("w", {{3, 2}});
  auto y = sum(activate(matmul(x, w), plugins.find("silu")));
  g.output("y", y);
  g.output("dw", differentiate(y, std::array{w})[0]);

  limen::Executable exe = compile(g);
  limen::Tensor xs({{4, 3}}), ws({{3, 2}});
  for (auto& v : xs.as<float>()) v = 0.5f;
  for (auto& v : ws.as<float>()) v = 0.1f;
  exe.bind("x", xs), exe.bind("w", ws), exe.run();
  for (float d : exe.output("dw").as<float>()) out << d << ' ';
}

TEST(FirstProgram, PrintsTheHandComputedGradient) {
  std::ostringstream out;
  first_program(LIMEN_BINARY_DIR "/tests/plugins/smooth.so", out);
  // 4 rows x 0.5 x silu'(0.15) in each place
  EXPECT_EQ(out.str(), "1.14944 1.14944 1.14944 1.14944 1.14944 1.14944 ");
}

}  // namespace
