// An op that works on whole tensors (LIMEN_GENERAL), on operands of one shape, as a function of
// several numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check/activation.hpp"
#include "check/row_function.hpp"

namespace limen::check {

class GeneralFunction : public VectorFunction {
 public:
  std::size_t inputs() const override { return elements(forward_.in); }
  std::size_t outputs() const override { return elements(forward_.out); }
  bool reads_y() const override { return false; }
  Row f(const Row& x) override;
  Row b(const Row& x, const Row& dy) override;
  Row jacobian(const Row& x, std::size_t k, double relative) override;
  std::size_t rank() const { return forward_.in[0].size(); }
  std::string name() const;  // "a tensor [2, 6]"
  // What dx holds before a backward; it must not matter.
  void prefill(double value) { prefill_ = value; }
  // From now on elements of an axis lie `step` apart and `gap` more behind each run of an axis.
  void lay_out(std::int64_t step, std::int64_t gap);

 private:
  friend std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase&, DType);
  using Dims = std::vector<std::int64_t>;
  struct Memory;   // of the calls of one role
  struct Shapes {  // of one role
    std::vector<Dims> in, out;
    std::uint64_t scratch = 0;
    std::shared_ptr<Memory> memory{};
  };

  GeneralFunction(const OpCase& op, DType dtype) : op_(op), dtype_(dtype) {}
  static std::size_t elements(const Dims& dims);
  static std::size_t elements(const std::vector<Dims>& list);
  // The shapes that the op gives for its operands' shapes in `shapes.in`; false if it takes none.
  bool infer(std::uint32_t role, std::uint32_t results, Shapes& shapes) const;
  // Runs a role on numbers one behind the other.
  Row execute(std::uint32_t role, Shapes& shapes, const Row& in);

  const OpCase& op_;
  DType dtype_;
  Shapes forward_, backward_;
  double prefill_ = 0;
  std::int64_t step_ = 1, gap_ = 0;
};

// The functions for small shapes that infer() accepts, smallest first; none if there is no
// backward.
std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase& op, DType dtype);

// Repeatability, linearity in the upstream, what dx held before.
void check_general_contract(const ActivationContext& context, GeneralFunction& function,
                            const std::string& subject);

}  // namespace limen::check
