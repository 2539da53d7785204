// An op that works on whole tensors (LIMEN_GENERAL), on operands of one shape, as a function of
// several numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check/activation.hpp"
#include "check/row_function.hpp"

namespace limen::check {

// How the elements of a tensor lie: `step` apart along the last axis, and `gap` more behind each
// run of an axis; all axes backwards; or all of the last axis are one element in memory.
struct Layout {
  std::int64_t step = 1, gap = 0;
  bool backwards = false, spread = false;
  bool operator==(const Layout&) const = default;
};
// Of the tensors of a call; what lies one behind the other by default.
struct Layouts {
  Layout x{}, y{}, dy{}, dx{};
  bool operator==(const Layouts&) const = default;
};

class GeneralFunction : public VectorFunction {
 public:
  using Dims = std::vector<std::int64_t>;
  std::size_t inputs() const override { return elements(forward_.in); }
  std::size_t outputs() const override { return elements(forward_.out); }
  bool reads_y() const override { return false; }
  Row f(const Row& x) override;
  Row b(const Row& x, const Row& dy) override;
  Row jacobian(const Row& x, std::size_t k, double relative) override;
  std::size_t rank() const { return x_shape().size(); }
  const Dims& x_shape() const { return forward_.in[0]; }
  const Dims& y_shape() const { return forward_.out[0]; }
  std::string name() const;  // "a tensor [2, 6]"
  // What dx holds before a backward; it must not matter.
  void prefill(double value) { prefill_ = value; }
  void lay_out(const Layouts& layouts);  // from now on
  // One call in three steps: sets x, or x, y and dy, one behind the other; executes, false if the
  // op refuses; what it wrote.
  void set(std::uint32_t role, const Row& in);
  bool run(std::uint32_t role);
  Row results(std::uint32_t role);

 private:
  friend std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase&, DType,
                                                                         const std::vector<Dims>&);
  struct Memory;   // of the calls of one role
  struct Shapes {  // of one role
    std::vector<Dims> in, out;
    std::uint64_t scratch = 0;
    std::shared_ptr<Memory> memory{};
  };

  GeneralFunction(const OpCase& op, DType dtype) : op_(op), dtype_(dtype) {}
  static std::size_t elements(const Dims& dims);
  static std::size_t elements(const std::vector<Dims>& list);
  // Whether it can be called at all.
  bool survives();
  // The shapes that the op gives for its operands' shapes in `shapes.in`; false if it takes none.
  bool infer(std::uint32_t role, std::uint32_t results, Shapes& shapes) const;
  // All three steps; throws Error E0513 if the op refuses.
  Row execute(std::uint32_t role, const Row& in);
  Shapes& shapes(std::uint32_t role) { return role == LIMEN_FORWARD ? forward_ : backward_; }

  const OpCase& op_;
  DType dtype_;
  Shapes forward_, backward_;
  double prefill_ = 0;
  Layouts layouts_;
  std::string refusal_;  // what the op said
};

// The functions for those of some shapes that infer() accepts, in their order; none if there is no
// backward. By default small shapes, smallest first.
std::vector<std::unique_ptr<GeneralFunction>> general_functions(
    const OpCase& op, DType dtype, const std::vector<GeneralFunction::Dims>& shapes);
std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase& op, DType dtype);

// Repeatability, linearity in the upstream, what dx held before.
void check_general_contract(const ActivationContext& context, GeneralFunction& function,
                            const std::string& subject);
// Tensors whose elements lie apart, and large ones.
void check_whole_tensors(const ActivationContext& context);

}  // namespace limen::check
