// What general ops owe besides a derivative: bits that do not change, any strides, large tensors,
// no memory that calls share.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "check/general_function.hpp"
#include "check/signals.hpp"

namespace limen::check {
namespace {

struct Numbers {
  Row x, y, dy, dx;
};

Numbers drawn(const ActivationContext& context, const GeneralFunction& function, double size,
              Random& random) {
  Numbers s{Row(function.inputs()), {}, Row(function.outputs()), {}};
  const auto rounded = [](double v) { return static_cast<double>(static_cast<float>(v)); };
  for (double& v : s.x) v = rounded(context.inside(size * random.normal(), random));
  for (double& v : s.dy) v = rounded(random.upstream());
  return s;
}

// Up to a part of the largest.
bool near(const Row& got, const Row& expected, double part) {
  double size = 0;
  for (const double v : expected) size = std::max(size, std::abs(v));
  return std::equal(got.begin(), got.end(), expected.begin(), [&](double a, double b) {
    return a == b || std::abs(a - b) <= part * size || (std::isnan(a) && std::isnan(b));
  });
}

// Whoever takes contiguous tensors only gets no others from the engine; who reads strides in
// forward must do so in backward, those of each tensor.
class Strides {
 public:
  Strides(const ActivationContext& context, GeneralFunction& function) : function_(function) {
    Random random(context.options.seed, "strides", context.op.op().name);
    for (const double size : {1.5, 6.0, 30.0}) {
      samples_.push_back(drawn(context, function, size, random));
    }
    fill_in();
    function.prefill(std::numeric_limits<double>::quiet_NaN());
  }
  // What is wrong, or nothing.
  std::string mistake(const Layout& layout);
  std::string mistake_of_spread();  // the last; it changes the samples

 private:
  enum class Answer : std::uint8_t { right, wrong, refused };
  GeneralFunction& function_;
  std::vector<Numbers> samples_;

  void fill_in() {
    function_.lay_out({});
    for (Numbers& s : samples_) s.y = function_.f(s.x), s.dx = function_.b(s.x, s.dy);
  }
  Answer answer(std::uint32_t role, const Layouts& layouts);
};

Strides::Answer Strides::answer(std::uint32_t role, const Layouts& layouts) {
  function_.lay_out(layouts);
  const bool forward = role == LIMEN_FORWARD;
  for (const Numbers& s : samples_) {
    Row in = s.x;
    if (!forward) in.insert(in.end(), s.y.begin(), s.y.end());
    if (!forward) in.insert(in.end(), s.dy.begin(), s.dy.end());
    function_.set(role, in);
    if (!function_.run(role)) return Answer::refused;
    if (!near(function_.results(role), forward ? s.y : s.dx, 1e-2)) return Answer::wrong;
  }
  return Answer::right;
}

// Whether elements of such a tensor lie elsewhere than they would.
bool moves(const GeneralFunction::Dims& shape, const Layout& layout) {
  const bool gaps_alone = layout.step == 1 && !layout.backwards && !shape.empty();
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()) >
         (gaps_alone ? shape.back() : 1);
}

std::string Strides::mistake(const Layout& l) {
  const bool x_moves = moves(function_.x_shape(), l), y_moves = moves(function_.y_shape(), l);
  const Answer of_x = answer(LIMEN_FORWARD, {.x = l}), of_y = answer(LIMEN_FORWARD, {.y = l});
  const bool any = (x_moves || y_moves) && answer(LIMEN_FORWARD, {l, l, l, l}) == Answer::right;
  if (any && (of_x == Answer::wrong || of_y == Answer::wrong)) {
    return fmt::format(
        "forward takes x and y whose elements lie apart in the same way, but not {} alone: use the "
        "strides of x for x and those of y for y",
        of_x == Answer::wrong ? "x" : "y");
  }
  const bool in = any || (of_x == Answer::right && x_moves);
  const bool out = any || (of_y == Answer::right && y_moves);
  std::string wrong;
  const auto look = [&](const char* name, const Layouts& layouts) {
    if (answer(LIMEN_BACKWARD, layouts) != Answer::wrong) return;
    wrong += (wrong.empty() ? "" : ", or of ") + std::string(name);
  };
  if (in) look("x", {.x = l}), look("y", {.y = l}), look("dy", {.dy = l});
  if (out) look("dx", {.dx = l});
  if (any && wrong.empty()) look("all of them", {l, l, l, l});
  return wrong.empty() ? ""
                       : "forward takes tensors whose elements lie apart, backward does not: dx is "
                         "another where those of " +
                             wrong + " do. Use the strides of x, y, dy and dx, each its own";
}

// An upstream that is one number for a whole axis, as the gradient of a sum: stride 0.
std::string Strides::mistake_of_spread() {
  const auto even = [](Row& row, const GeneralFunction::Dims& shape) {
    const auto n = static_cast<std::size_t>(shape.empty() ? 1 : shape.back());
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = row[k / n * n];
  };
  for (Numbers& s : samples_) even(s.x, function_.x_shape()), even(s.dy, function_.y_shape());
  fill_in();
  const Layout l{.spread = true};
  const bool takes = function_.rank() > 0 && function_.x_shape().back() > 1 &&
                     answer(LIMEN_FORWARD, {.x = l}) == Answer::right;
  if (!takes || answer(LIMEN_BACKWARD, {.dy = l}) != Answer::wrong) return {};
  return "forward takes an x whose elements do not lie apart along an axis (stride 0), backward no "
         "such dy, as the gradient of a sum is: a stride of 0 is no mistake, and is not 1";
}

void check_strides(const ActivationContext& context, DType dtype, const std::string& subject) {
  std::map<std::size_t, std::unique_ptr<GeneralFunction>> by_rank;  // the largest
  for (auto& function : general_functions(context.op, dtype)) {
    by_rank[function->rank()] = std::move(function);
  }
  for (const auto& [rank, function] : by_rank) {
    Strides strides(context, *function);
    Tally t = context.tally("unaligned", "strides", subject + ", " + function->name());
    const auto add = [&t](const char* how, const std::string& mistake) {
      t.require(mistake.empty(), how, mistake);
    };
    add("a gap between rows", strides.mistake({1, 3}));
    add("elements 2 apart", strides.mistake({2, 1}));
    add("negative strides", strides.mistake({2, 1, true}));
    add("stride 0", strides.mistake_of_spread());
    context.add(t);
  }
}

// Of some larger shapes that the op takes at most two, each as large as it can be in a short time.
std::vector<std::unique_ptr<GeneralFunction>> large_functions(const ActivationContext& context,
                                                              DType dtype) {
  using Clock = std::chrono::steady_clock;
  using Shapes = std::vector<GeneralFunction::Dims>;
  Random random(context.options.seed, "large tensors", context.op.op().name);
  std::vector<std::unique_ptr<GeneralFunction>> found;
  for (const Shapes& shapes :
       {Shapes{{4, 70}, {4, 2100}}, Shapes{{70, 4}, {2100, 4}}, Shapes{{6, 10, 4}, {6, 40, 36}},
        Shapes{{2, 4, 10, 4}, {2, 4, 40, 30}}, Shapes{{70}, {8400}}}) {
    if (found.size() == 2) break;
    std::unique_ptr<GeneralFunction> best;
    for (auto& function : general_functions(context.op, dtype, shapes)) {
      function->set(LIMEN_FORWARD, drawn(context, *function, 1.5, random).x);
      Clock::duration least = Clock::duration::max();
      for (int turn = 0; turn < 2; ++turn) {
        const auto begin = Clock::now();
        if (function->run(LIMEN_FORWARD)) least = std::min(least, Clock::now() - begin);
      }
      if (least > std::chrono::milliseconds(best ? 5 : 1)) break;
      best = std::move(function);
    }
    if (best) found.push_back(std::move(best));
  }
  return found;
}

// <g, f(x + t v)> as a function of t, for random x, g and v, over two small steps, or where there
// is one against an f64 gradient. One of very many kinks may be met, hence three lines.
void check_line(const ActivationContext& context, GeneralFunction& function, GeneralFunction* exact,
                const std::string& subject) {
  Random random(context.options.seed, "lines", context.op.op().name);
  const auto product = [](const Row& a, const Row& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  Judgement judgement;
  Point point{"dx times a direction"};
  for (int line = 0; line < 3 && (line == 0 || judgement.outcome == Outcome::fail); ++line) {
    const Numbers s = drawn(context, function, 1.5, random);
    Row v(s.x.size());
    for (double& direction : v) direction = random.upstream();
    const auto f = [&](double t) {
      Row moved = s.x;
      for (std::size_t j = 0; j < v.size(); ++j) moved[j] += t * v[j];
      return product(s.dy, function.f(moved));
    };
    const auto slope = [&](double h) { return (f(h) - f(-h)) / (2 * h); };
    constexpr double h = 0x1.3p-18;
    const double wide = exact != nullptr ? product(exact->b(s.x, s.dy), v) : slope(h);
    const double narrow = exact != nullptr ? wide : slope(h / 8);
    const Row dx = function.b(s.x, s.dy);
    point.got = product(dx, v);
    // Of sums whose terms have random signs.
    const double size = std::max(std::abs(wide), std::sqrt(product(dx, dx)));
    const double bound = 8 * std::abs(wide - narrow) + (1e-3 + context.accuracy()) * size;
    judgement = compare(point.got, wide, bound, "along a random line through a large tensor");
    if (!std::isfinite(wide) || !(bound <= 1e-2 * size)) judgement.outcome = Outcome::skipped;
  }
  Tally t = context.tally(exact != nullptr ? "dtype-agree" : "derivative-fd", "large tensor",
                          subject + ", " + function.name());
  t.add(point, judgement);
  t.suspect("if small tensors pass, look for a block, a buffer or a table of a fixed size");
  context.add(t);
}

}  // namespace

void check_general_contract(const ActivationContext& context, GeneralFunction& function,
                            const std::string& subject) {
  Random random(context.options.seed, "general", context.op.op().name);
  Row x(function.inputs()), dy(function.outputs());
  for (double& v : x) v = context.inside(1.5 * random.normal(), random);
  for (double& v : dy) v = random.upstream();
  const auto same = [&](const char* test, const char* check, const char* note, const Row& got,
                        const Row& expected) {
    Tally t = context.tally(test, check, subject + ", " + function.name());
    for (std::size_t i = 0; i < got.size(); ++i) {
      Point point;
      point.element = static_cast<std::int64_t>(i);
      point.elements = static_cast<std::int64_t>(got.size());
      point.got = got[i];
      t.add(point, compare(got[i], expected[i], 0, note));
    }
    context.add(t);
  };
  const bool exact = !context.has(LIMEN_FACT_NONDETERMINISTIC);
  if (context.wants("deterministic") && exact) {
    same("deterministic", "repeat", "a second forward gave another result", function.f(x),
         function.f(x));
    same("deterministic", "repeat", "a second backward gave another gradient", function.b(x, dy),
         function.b(x, dy));
  }
  if (context.wants("overwrites") && exact) {
    const Row y = function.f(x), dx = function.b(x, dy);
    function.prefill(std::numeric_limits<double>::quiet_NaN());
    same("overwrites", "poison", "the result depends on what y held before", function.f(x), y);
    same("overwrites", "poison", "the result depends on what dx held before", function.b(x, dy),
         dx);
    function.prefill(0);
  }
  if (context.wants("upstream-linear") && exact) {
    Row doubled = dy, dx = function.b(x, dy);
    for (double& v : doubled) v *= -2;
    for (double& v : dx) v *= -2;
    same("upstream-linear", "upstream linearity", "B(-2 g) must be -2 B(g)", function.b(x, doubled),
         dx);
  }
}

void check_whole_tensors(const ActivationContext& context) {
  std::vector<std::unique_ptr<GeneralFunction>> exact;
  for (const std::uint32_t bit : {LIMEN_F64, LIMEN_F32}) {
    if ((context.op.op().dtypes & bit) == 0) continue;
    const bool single = bit == LIMEN_F32;
    const std::string subject = single ? "f32 execute" : "f64 execute";
    if (!context.has(LIMEN_FACT_NONDETERMINISTIC) && context.wants("unaligned")) {
      check_strides(context, dtype_of_bit(bit), subject);
    }
    if (!context.first || !context.wants(single ? "dtype-agree" : "derivative-fd")) continue;
    auto large = large_functions(context, dtype_of_bit(bit));
    for (std::size_t i = 0; i < large.size(); ++i) {
      const bool twin = i < exact.size() && exact[i]->x_shape() == large[i]->x_shape();
      if (single ? !twin : context.surrogate()) continue;
      check_line(context, *large[i], single ? exact[i].get() : nullptr, subject);
    }
    if (!single) exact = std::move(large);
  }
}

// Another call of execute(), on tensors of its own, in the midst of one.
void check_general_threads(const ActivationContext& context) {
  const DType dtype = (context.op.op().dtypes & LIMEN_F64) != 0 ? DType::f64 : DType::f32;
  if (context.has(LIMEN_FACT_NONDETERMINISTIC) || !context.wants("64-threads")) return;
  const auto large = large_functions(context, dtype);
  if (large.empty()) return;
  GeneralFunction& mine = *large[0];
  // Of another size, or what is counted may come out the same.
  GeneralFunction::Dims shorter = mine.x_shape();
  shorter.back() = shorter.back() * 2 / 3;
  const auto others = general_functions(context.op, dtype, {shorter, mine.x_shape()});
  GeneralFunction& other = *others[0];
  Random random(context.options.seed, "interrupted", context.op.op().name);
  for (const bool forward : {true, false}) {
    const std::uint32_t role = forward ? LIMEN_FORWARD : LIMEN_BACKWARD;
    for (GeneralFunction* function : {&mine, &other}) {
      const Numbers s = drawn(context, *function, 1.5, random);
      function->b(s.x, s.dy);  // leaves the numbers of both roles behind
    }
    const Row expected = mine.results(role);
    bool same = true;
    run_interrupted([&] { mine.run(role); }, [&] { other.run(role); },
                    [&] { same = same && near(mine.results(role), expected, 0); });
    Tally t = context.tally("64-threads", "interrupted by itself",
                            fmt::format("{} execute, {}", dtype == DType::f32 ? "f32" : "f64",
                                        forward ? "forward" : "backward"));
    t.require(same, "results", "a call that another call interrupts gives other results");
    context.add(t);
  }
}

}  // namespace limen::check
