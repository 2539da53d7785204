// Numbers far out among those that kernels are called with: a clamp at 6, or a shortcut for large
// numbers, may be missing on one of the ways through a kernel only.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "check/activation.hpp"

namespace limen::check {
namespace {

constexpr std::array<double, 8> kFar{4.3, 6.7, 7.9, 9.3, 12.7, 23, 45, 150};
constexpr std::size_t kElements = 2 * kFar.size();  // behind the middle
constexpr std::size_t kVector = 16;                 // the longest

// What element i of input k becomes. Of rows the second is far out here and there, the third as a
// whole: of a softmax with one large number nothing is left.
double far_number(const Call& call, std::size_t k, std::size_t i, double x) {
  std::size_t at = i - call.n / 2;
  if (call.op.rows()) {
    if (i / call.n == 2) return x + kFar[4];
    if (i / call.n != 1 || i % 2 == 0) return x;
    at = i / 2 % kFar.size() + i % 4 / 2 * kFar.size();
  } else if (i < call.n / 2 || at >= kElements) {
    return x;
  }
  const double size = kFar[(at + 3 * k) % kFar.size()];
  return (at >> (3 - std::min<std::size_t>(k, 3)) & 1u) != 0 ? -size : size;
}

}  // namespace

bool beside_far(std::size_t i, std::size_t n) {
  return i + kVector > n / 2 && i < n / 2 + kElements + kVector - 1;
}

void go_far(const ActivationContext& context, const KernelPair& pair, Call& call) {
  Call near = call, far = call;
  for (std::size_t k = 0; k < far.x.size(); ++k) {
    for (std::size_t i = 0; i < far.x[k].size(); ++i) {
      const double x = far_number(call, k, i, near.x[k].get(i));
      if (context.defined_at(x)) far.x[k].set(i, x);
    }
  }
  for (Call* each : {&near, &far}) {
    each->run(*pair.forward);
    if (pair.backward != pair.forward) each->run(*pair.backward);
  }
  std::vector<Operand*> results = results_of(near, pair.backward->role);
  std::vector<Operand*> others = results_of(far, pair.backward->role);
  for (std::size_t k = 0; k < near.y.size(); ++k) {
    results.push_back(&near.y[k]);
    others.push_back(&far.y[k]);
  }
  const std::size_t unit = call.op.rows() ? call.n : 1;
  std::vector<bool> good(near.x[0].size() / unit, true);
  for (std::size_t r = 0; r < results.size(); ++r) {
    const double most = results[r]->largest();
    for (std::size_t i = 0; i < others[r]->size(); ++i) {
      if (!(std::abs(others[r]->get(i)) <= 100 * most)) good[i / unit] = false;
    }
  }
  for (std::size_t k = 0; k < call.x.size(); ++k) {
    for (std::size_t i = 0; i < call.x[k].size(); ++i) {
      if (good[i / unit]) call.x[k].set(i, far.x[k].get(i));
    }
  }
}

}  // namespace limen::check
