// The tests' own checker, on a subject that is wrong.
#include <gtest/gtest-spi.h>

#include "support/gradients.hpp"

namespace limen::test {
namespace {

// x^2 whose gradient is 2 x dy times `factor`, a proper op otherwise.
class Faulty final : public Op {
 public:
  explicit Faulty(double factor) : factor_(factor) {}
  std::string_view name() const override { return "faulty"; }
  TensorType infer(std::span<const TensorType> in) const override { return in[0]; }
  std::vector<Value> vjp(Value y, Value dy) const override {
    return {scale(mul(dy, y.input(0)), 2 * factor_)};
  }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target&) const override {
    return {[n = out.elements()](const KernelArgs& args) {
      for (std::int64_t i = 0; i < n; ++i) {
        args.output<double>()[i] = args.input<double>(0)[i] * args.input<double>(0)[i];
      }
    }};
  }

 private:
  double factor_;
};

int failures_with(double factor) {
  const Build build = [factor](Graph&, std::span<const Value> in) {
    return add_node(std::make_shared<Faulty>(factor), {in[0]});
  };
  testing::TestPartResultArray failures;
  {
    testing::ScopedFakeTestPartResultReporter reporter(&failures);
    expect_gradients(build, {random_tensor({{3}, DType::f64}, 1)});
  }
  return failures.size();
}

TEST(ExpectGradients, FindsAFlippedSignAndAWrongFactor) {
  EXPECT_EQ(failures_with(1), 0);
  EXPECT_EQ(failures_with(-1), 3);  // the second derivatives agree with the first ones
  EXPECT_EQ(failures_with(1.00001), 3);
}

}  // namespace
}  // namespace limen::test
