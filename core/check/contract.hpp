// The class behind check_contract(): one pair of kernels and the calls that are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"

namespace limen::check {

inline void fill_all(Operands& operands, double value) {
  for (Operand& operand : operands) operand.fill(value);
}

// Runs a kernel to which the pointer `which` is given as null; false, and a failure, if it follows
// it.
bool survives_null(Tally& tally, Call& call, const limen_kernel& kernel, const std::string& which);

// Of each number in `right`, which `got` holds over and over, the result that is farthest off;
// `first` becomes the first that is.
Operand farthest_off(const Operand& got, const Operand& right, std::size_t elements,
                     std::size_t& first);

// Which elements are compared, and how.
struct Elements {
  std::size_t count = SIZE_MAX;  // the first of them
  bool elsewhere = false;        // they began elsewhere, or came with others than before
  bool loose = false;            // up to rounding
};

// The operands that every test starts from, and the gradient that is right by definition here.
class Contract {
 public:
  Contract(const ActivationContext& context, const limen_kernel& forward,
           const limen_kernel& backward)
      : context_(context),
        forward_(forward),
        backward_(backward),
        dtype_(dtype_of_bit(backward.dtype)),
        precision_(precision_of(dtype_)),
        exact_(!context.has(LIMEN_FACT_NONDETERMINISTIC)),
        rows_(context.op.rows() ? 3 : 1),
        n_(context.op.rows() ? 13 : 67),
        drawn_(draw()),
        base_(make()) {
    base_.run(forward_);
    fill_all(base_.dx, 7);
    base_.run(backward_);
  }

  bool repeatable() const { return repeatable_; }
  void linearity();
  void repeat();
  void poison();
  void reads();
  void accumulate();
  void evaluation();
  void in_place();
  void one_tensor();
  void unwanted();
  void unaligned();
  void tiles();
  void beside_others();

 private:
  const ActivationContext& context_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  DType dtype_;
  Precision precision_;
  bool exact_;
  std::size_t rows_, n_;
  bool repeatable_ = true;
  Call drawn_;  // before them
  Call base_;   // after forward and backward

  Call draw(double spread) const;
  Call draw() const;
  Call make() const { return drawn_; }
  Tally tally(const char* test, const char* check) const {
    Tally t = context_.tally(test, check, describe(backward_));
    t.explain();
    return t;
  }
  // Adds one point per element: `got` against `expected`, exactly or up to `bound(i)`.
  template <class Bound>
  void compare_all(Tally& tally, const Operand& got, const Operand& expected,
                   const std::string& tensor, const std::string& note, const Bound& bound,
                   std::size_t count = SIZE_MAX) const;
  void same(Tally& tally, const Operands& got, const Operands& expected, const std::string& note,
            const char* tensor, const Elements& part = {}) const;
  void same(Tally& tally, const Operand& got, const Operand& expected, const std::string& note,
            const std::string& tensor, const Elements& part = {}) const;
  // Backward of `call` between whose forward and backward others were run.
  void after_others(Tally& tally, Call& call) const;
  void saved_state(Tally& tally, std::uint32_t flags) const;
  void accumulate(Tally& tally, const Call& plain) const;
  void run_both(Call& call) const {
    call.run(forward_);
    call.run(backward_);
  }
  // The whole in tiles of these lengths (in rows for row functions), whose base grows by `stride`.
  void compute(Operands& y, Operands& dx, const std::vector<std::size_t>& lengths,
               std::uint64_t base, std::size_t stride) const;
  void in_tiles(Tally& tally, const std::vector<std::size_t>& lengths,
                std::uint64_t begin = 0) const;
  std::size_t long_tile() const;
  void in_a_long_tile(Tally& tally) const;
  // `got` against `right`, over and over, in the first of these elements.
  void repeats(Tally& tally, const Operands& got, const Operands& right, const std::string& role,
               const char* tensor, std::size_t elements, bool loose) const;
  void lengths(Tally& tally) const;
  void same_where(Tally& tally, Call& call, const std::vector<bool>& kept,
                  const std::string& how) const;
  void of_one_sign(Tally& tally) const;
  void rows_apart(Tally& tally) const;
};

template <class Bound>
void Contract::compare_all(Tally& tally, const Operand& got, const Operand& expected,
                           const std::string& tensor, const std::string& note, const Bound& bound,
                           std::size_t count) const {
  Point point;
  point.tensor = tensor;
  for (std::size_t i = 0; i < std::min(count, got.size()); ++i) {
    point.element = static_cast<std::int64_t>(i);
    point.elements = static_cast<std::int64_t>(got.size());
    point.x = base_.x[0].get(i);
    point.y = base_.y[0].get(i);
    point.upstream = base_.dy[0].get(i);
    point.got = got.get(i);
    tally.add(point, compare(point.got, expected.get(i), bound(i), note, context_.options));
  }
}

}  // namespace limen::check
