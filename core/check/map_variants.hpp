// Forward mode, second order and other forwards of element-wise ops: kernels that are held against
// a backward kernel which has been checked.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "check/activation.hpp"
#include "check/map_scan.hpp"

namespace limen::check {

class Variants {
 public:
  Variants(const ActivationContext& context, const KernelPair& reference, const Slice& slice,
           int points);

  void forward(const limen_kernel& kernel, Tally& t);
  bool rounds_so(const limen_kernel& kernel, std::size_t i, double error);
  bool too_fast(std::size_t i, double change);
  bool moved_jump(std::size_t i, double got, double bound);
  void jvp(const limen_kernel& kernel, Tally& t);
  void backward2(const limen_kernel& kernel, Tally& first, Tally& second);

 private:
  // What a kernel of one element type is held against at every point.
  struct Reference {
    double unit = 0, min_normal = 0;
    Row f, f_change, f_size;  // values, how far rounding of x moves them, and their size nearby
    // Of <v, gradient> for each v: the value, its change with rounding of x, and sum |v_k dx_k|.
    std::map<Row, std::array<Row, 3>> along;
  };

  const ActivationContext& context_;
  KernelPair reference_;
  Slice slice_;
  MapFunction exact_;
  MapScan scan_;
  Row scales_;                                     // of the scan, at its points
  Row direction_, dy_;                             // tangents or gx, and upstreams
  std::map<std::uint32_t, Reference> references_;  // by element type
  Row exact_f_;
  std::vector<Derivative> curvatures_;  // of <gx, J^T dy>, found when first wanted

  Reference& reference(std::uint32_t dtype);
  const std::array<Row, 3>& along(std::uint32_t dtype, const Row& v);
  Call call_for(const limen_kernel& kernel) const;
  Row values(const limen_kernel& kernel, Row& x);
  Point point(const char* tensor, std::size_t i, double got) const;
  // `got` against <v, gradient at point i>, at the precision of `kernel`, either side at a branch
  // of b.
  Judgement against_b(const limen_kernel& kernel, std::size_t i, const Row& v, double got);
  void run_backward2(const limen_kernel& kernel, Call& call, const Row& x, Row& dx, Row* gy);
  Row curvature_moves(const limen_kernel& kernel, Call& call, const Row& dx);
  template <class Run>
  void by_pieces(Call& call, const Row& x, const Run& run) const;
};

// Runs over x as many at a time as the call holds; `run(begin, count)` calls kernels.
template <class Run>
void Variants::by_pieces(Call& call, const Row& x, const Run& run) const {
  Operand& moving = call.x[slice_.input];
  for (std::size_t begin = 0; begin < x.size(); begin += call.n) {
    call.n = std::min(moving.size(), x.size() - begin);
    moving.assign(std::span(x).subspan(begin, call.n));
    run(begin, call.n);
  }
}

}  // namespace limen::check
