// Runs kernels of ops with any number of inputs, outputs and learned parameters.
#pragma once

#include <cmath>
#include <cstring>
#include <random>

#include "base/isa.hpp"
#include "kernels.hpp"

namespace limen::test {

template <class F>
using Columns = std::vector<std::vector<F>>;

// What a call is given, and what it wrote: NaN where it wrote nothing.
template <class F>
struct Operands {
  Operands(const Activation& activation, std::size_t count) : a(activation), n(count) {
    std::mt19937 random(1);
    std::normal_distribution<double> normal(0, 2);
    const auto fill = [&](Columns<F>& columns, std::size_t wide, double value) {
      columns.assign(wide, std::vector<F>(n));
      for (auto& column : columns) {
        for (F& v : column) v = static_cast<F>(std::isnan(value) ? normal(random) : value);
      }
    };
    const double any = std::nan("");
    const limen_op& op = a.op();
    fill(x, op.arity, any), fill(tx, op.arity, any), fill(gx, op.arity, any);
    fill(dy, op.outputs, any), fill(w, op.n_params, any);
    y.resize(op.outputs), ty.resize(op.outputs), gy.resize(op.outputs), dx.resize(op.arity);
    for (auto* out : {&y, &ty, &gy, &dx}) {
      for (auto& column : *out) column.assign(n, std::numeric_limits<F>::quiet_NaN());
    }
    step.assign(op.n_params, 0), learned.assign(op.n_params, false);
    dw.assign(op.n_params, std::vector<double>(n, 0.0));
    wants_dw.assign(op.n_params, true);
  }

  // Learns parameter p: one value (the first of w[p]), or one per element.
  Operands& learn(std::size_t p, bool per_element) {
    learned[p] = true, step[p] = per_element ? 1 : 0;
    return *this;
  }

  // The elements [begin, begin + count).
  void run(const limen_kernel* k, std::size_t begin, std::size_t count) {
    const auto at = [&](auto& columns) {
      std::vector<std::remove_reference_t<decltype(columns[0].data())>> all;
      for (auto& column : columns) all.push_back(column.data() + begin);
      return all;
    };
    auto px = at(x), pdy = at(dy), ptx = at(tx), pgx = at(gx), py = at(y), pdx = at(dx),
         pty = at(ty), pgy = at(gy);
    std::vector<const void*> pw;
    std::vector<double*> pdw;
    for (std::size_t p = 0; p < w.size(); ++p) {
      const std::size_t offset = step[p] ? begin : 0;
      pw.push_back(learned[p] ? w[p].data() + offset : nullptr);
      pdw.push_back(learned[p] && wants_dw[p] ? dw[p].data() + offset : nullptr);
    }
    limen_tile t{};
    t.size = sizeof t, t.n = count, t.rows = 1, t.row_stride = static_cast<std::int64_t>(count);
    t.base = base + begin, t.seed[0] = seed[0], t.seed[1] = seed[1], t.flags = flags;
    t.hyper = a.hyper().data();
    t.w = reinterpret_cast<const void* const*>(pw.data()), t.w_step = step.data();
    const auto in = [](auto& list) { return reinterpret_cast<const void* const*>(list.data()); };
    const auto out = [](auto& list) { return reinterpret_cast<void* const*>(list.data()); };
    const bool backward = k->role == LIMEN_BACKWARD;
    if (!backward || k->reads & LIMEN_X) t.x = in(px);
    if (backward ? k->reads & LIMEN_Y : k->role != LIMEN_BACKWARD2) t.y = out(py);
    if (backward || k->role == LIMEN_BACKWARD2) t.dy = in(pdy), t.dx = out(pdx);
    if (backward) t.dw = pdw.data();
    if (k->role == LIMEN_JVP) t.tx = in(ptx), t.ty = out(pty);
    if (k->role == LIMEN_BACKWARD2) t.gx = in(pgx), t.gy = out(pgy);
    for (std::size_t i = 0; i < pdx.size(); ++i) {
      if (!wants_dx) pdx[i] = nullptr;
    }
    k->run(&t);
  }
  Operands& run(const limen_kernel* k) { return run(k, 0, n), *this; }
  Operands& run(std::uint32_t role, std::uint32_t isa = LIMEN_ISA_ANY,
                std::uint32_t reads = LIMEN_X) {
    return run(a.kernel(role, kDtype<F>, isa, reads));
  }

  Activation a;
  std::size_t n;
  Columns<F> x, tx, gx, dy, w, y, ty, gy, dx;
  Columns<double> dw;
  std::vector<std::uint32_t> step;
  std::vector<bool> learned, wants_dw;
  bool wants_dx = true;
  std::uint64_t base = 0, seed[2] = {12, 34};
  std::uint32_t flags = 0;
};

template <class F>
bool same_bits(const Columns<F>& a, const Columns<F>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (std::memcmp(a[k].data(), b[k].data(), a[k].size() * sizeof(F)) != 0) return false;
  }
  return true;
}
template <class F>
bool same_outputs(const Operands<F>& a, const Operands<F>& b) {
  return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.ty, b.ty) &&
         same_bits(a.gy, b.gy);
}

}  // namespace limen::test
