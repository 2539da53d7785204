#include "check/row_forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/random.hpp"

namespace limen::check {

std::string Form::name() const {
  return (rows == 1 ? fmt::format("a row of {}", n) : fmt::format("{} rows of {}", rows, n)) +
         (gap == 0 ? "" : fmt::format(", {} elements apart", gap)) +
         (constant ? ", one upstream for all" : "");
}

namespace {

// The shortest in tiles of many rows, because one is not much to see.
std::vector<Form> all_forms() {
  constexpr std::size_t kRows = 11;
  std::vector<Form> forms{{1, kRows}, {2, kRows, 3}, {3, kRows}, {4, kRows}, {5, kRows, 2, 8}};
  for (std::size_t n = 6; n <= 67; ++n) forms.push_back({n});
  for (const std::size_t n : {96u, 100u, 127u, 128u, 129u, 255u, 256u}) forms.push_back({n});
  for (const std::size_t n : {kLongRow, kSlowRow, kLongestRow}) forms.push_back({n});
  for (const std::size_t n : {3u, 16u, 33u, 64u}) forms.push_back({n, 1, 0, 1, true});
  return forms;
}

}  // namespace

// From one sequence, at another place for each form: to draw anew would cost more than kernels do.
std::vector<Case> drawn_cases(const ActivationContext& context) {
  constexpr std::size_t kDrawn = 6007;  // elements of the longest row are no two equal
  Random random(context.options.seed, "rows of all lengths", context.op.op().name);
  const auto sequence = [&](auto draw_one) {
    Row row(kDrawn);
    for (double& v : row) v = static_cast<double>(static_cast<float>(draw_one()));
    return row;
  };
  const Row xs = sequence([&] { return context.inside(random.normal(), random); });
  const Row vs = sequence([&] { return random.upstream(); });
  const limen_op& op = context.op.op();
  std::vector<Case> cases;
  for (Form form : all_forms()) {
    Case& c = cases.emplace_back();
    if (context.has(LIMEN_FACT_DOMAIN)) form.spread = 1;
    c.form = form;
    const auto fill = [&](Row& row, std::size_t tensors, const Row& from, std::size_t first,
                          double factor) {
      row.assign(tensors * form.size(), 0);
      std::size_t next = (first + 17 * form.n) % kDrawn;
      for (std::size_t r = 0; r < tensors * form.rows; ++r) {
        for (std::size_t i = 0; i < form.n; ++i) {
          row[r * form.stride() + i] = factor * from[next];
          next = next + 1 < kDrawn ? next + 1 : 0;
        }
      }
    };
    fill(c.x, op.arity, xs, 0, form.spread);
    fill(c.v, op.arity, vs, 0, 1);
    fill(c.second, op.arity, vs, 400, 1);
    fill(c.dy, op.outputs, vs, 800, 1);
    if (form.constant) std::fill(c.dy.begin(), c.dy.end(), 0.75);
    if (form.n < kLongRow) continue;
    // Sums over long rows of numbers of either sign are next to nothing, whatever they leave out.
    for (Row* row : {&c.v, &c.dy}) {
      for (std::size_t i = 0; i < row->size(); ++i) {
        if (i % 4 != 0) (*row)[i] = std::abs((*row)[i]);
      }
    }
  }
  return cases;
}

std::string which_rows(const std::vector<Form>& good, const std::vector<Form>& bad) {
  const auto same = [&](auto belongs) {
    return std::all_of(bad.begin(), bad.end(), belongs) &&
           std::none_of(good.begin(), good.end(), belongs);
  };
  const auto all = [&](auto belongs) { return std::all_of(bad.begin(), bad.end(), belongs); };
  if (all([](const Form& f) { return f.constant; })) {
    return "only an upstream that is the same for the whole row goes wrong: it needs no branch";
  }
  if (all([](const Form& f) { return f.gap > 0; })) {
    return "only rows that lie apart are wrong: element i of row r is at r * row_stride + i";
  }
  if (bad.size() > 2 && all([](const Form& f) { return f.rows > 1; })) {
    return fmt::format("only tiles of {} rows are wrong: a tile may have any number", bad[0].rows);
  }
  std::size_t first = kLongestRow;
  for (const Form& f : bad) first = std::min(first, f.n);
  std::string which;
  if (same([&](const Form& f) { return f.n >= first; })) {
    which = fmt::format("of {} and more", first);
  } else if (same([&](const Form& f) { return f.n == first; })) {
    which = fmt::format("of exactly {}", first);
  }
  for (std::size_t m = 64; m > 1 && which.empty(); m /= 2) {
    if (same([&](const Form& f) { return f.n >= first && f.n % m == first % m; })) {
      which = fmt::format("with n % {} == {}{}", m, first % m,
                          first >= m ? fmt::format(", n >= {}", first) : "");
    }
  }
  if (which.empty()) return {};
  return fmt::format(
      "only rows {} are wrong: look at the code for whole vectors and for what is left of them. A "
      "kernel must take any n >= 1",
      which);
}

}  // namespace limen::check
