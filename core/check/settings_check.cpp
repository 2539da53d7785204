// A brief look at the values of parameters that are easily forgotten: every choice, both ends of a
// range, 0, 1, far out. One parameter moves at a time, and few points are looked at; where many
// settings of all are glanced at, those that do not look right.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <limen/error.hpp>

#include "check/general_function.hpp"
#include "check/map_check.hpp"
#include "check/map_variants.hpp"
#include "check/row_function.hpp"

namespace limen::check {

bool is_legal(const limen_param& p, double v) {
  return (v > p.min || (v == p.min && (p.flags & LIMEN_PF_OPEN_MIN) == 0)) &&
         (v < p.max || (v == p.max && (p.flags & LIMEN_PF_OPEN_MAX) == 0));
}

std::vector<const limen_kernel*> different_kernels(const ActivationContext& context,
                                                   std::uint32_t role, std::uint32_t dtype) {
  std::vector<const limen_kernel*> kernels;
  for (const limen_kernel* k : kernels_of(context.op.op(), role, dtype, context.isa)) {
    const bool is_new =
        std::none_of(kernels.begin(), kernels.end(), [&](const limen_kernel* other) {
          return other->reads == k->reads && other->variant == k->variant;
        });
    if (is_new) kernels.push_back(k);
  }
  return kernels;
}

namespace {

constexpr std::size_t kMostSettings = 12;

// The most telling first.
Row values_of(const limen_param& p) {
  Row values;
  const auto add = [&](double v) {
    if (std::find(values.begin(), values.end(), v) == values.end()) values.push_back(v);
  };
  if (p.type == LIMEN_P_BOOL || p.type == LIMEN_P_CHOICE) {
    const std::uint32_t count = p.type == LIMEN_P_BOOL ? 2 : p.n_choices;
    for (std::uint32_t i = 0; i < count; ++i) add(i);
    return values;
  }
  const bool whole = p.type == LIMEN_P_INT;
  constexpr double kLargest = 1e6;  // an end farther out is there to have one
  for (const double end : {p.min, p.max}) {
    if (std::abs(end) <= kLargest) add(end);
  }
  add(0);
  add(1);
  if (whole) {
    const double middle = p.max - p.min < 10 ? std::floor(0.5 * (p.min + p.max)) : 0;
    for (int i = 1; i <= 5; ++i) add(middle - i), add(middle + i);
  } else {
    const double far = 20 * std::max(1.0, std::abs(p.def));
    if (std::isinf(p.max)) add(far);
    if (std::isinf(p.min)) add(-far);
    const double width = std::isfinite(p.max - p.min) ? p.max - p.min : 1;
    if ((p.flags & LIMEN_PF_OPEN_MIN) != 0) add(p.min + width / 64);
    if ((p.flags & LIMEN_PF_OPEN_MAX) != 0) add(p.max - width / 64);
  }
  std::erase_if(values, [&](double v) { return !is_legal(p, v); });
  return values;
}

// Beside those that are `done`, of which the first is what others are made from.
std::vector<Row> further_settings(const limen_op& op, std::vector<Row> done) {
  std::vector<Row> settings, values;
  std::size_t most = 0;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    values.push_back(values_of(*LIMEN_AT(limen_param, op.params, p)));
    most = std::max(most, values.back().size());
  }
  for (std::size_t i = 0; i < most; ++i) {
    for (std::size_t p = 0; p < values.size() && settings.size() < kMostSettings; ++p) {
      if (i >= values[p].size()) continue;
      Row hyper = done[0];
      hyper[p] = values[p][i];
      if (std::find(done.begin(), done.end(), hyper) != done.end() || !accepts(op, hyper)) continue;
      done.push_back(hyper);
      settings.push_back(std::move(hyper));
    }
  }
  return settings;
}

// At one place, for one draw and in evaluation.
std::vector<Slice> few_slices(const ActivationContext& context) {
  std::vector<Slice> all = slices_of(context), few;
  const std::size_t lines = context.op.op().arity * context.op.op().outputs;
  const std::size_t block = (context.op.op().arity == 1 ? 1 : 3) * lines;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % block < lines) few.push_back(std::move(all[i]));
  }
  return few;
}

// A legal value at which there is no number anywhere is a mistake, in whatever.
void must_have_numbers(const ActivationContext& context, const KernelPair& pair, const Slice& slice,
                       Tally& t) {
  MapFunction function(context.op, *pair.forward, *pair.backward, slice);
  Row x{-2, -0.75, -0.25, 0.25, 0.5, 0.75, 2, 5};
  std::erase_if(x, [&](double v) { return !context.defined_at(v); });
  if (x.empty()) return;
  const Row y = function.f(x);
  const bool none = std::all_of(y.begin(), y.end(), [](double v) { return std::isnan(v); });
  if (none) t.suspect("0 times infinity, or 0 / 0, at this value");
  t.require(!none, "y",
            "y is NaN for every x at this value of the parameter, which its range allows: leave "
            "the value out of the range (LIMEN_PF_OPEN_MIN, LIMEN_PF_OPEN_MAX, check()), or "
            "compute it apart");
}

// Where a threshold is 0, 0 is the one number on neither side of it: there any number will do.
void add_decided(const Findings& findings, Tally& t) {
  for (const Finding& f : findings) {
    const bool at_zero = f.point.x == 0 && std::isfinite(f.point.got);
    if (f.judgement.outcome == Outcome::undecided) continue;
    if (f.judgement.outcome == Outcome::pass || !at_zero) t.add(f.point, f.judgement);
  }
}

std::int64_t check_map_briefly(const ActivationContext& context, bool narrow) {
  const std::vector<Slice> slices = few_slices(context);
  std::vector<Peers> peers(slices.size());
  const limen_kernel* exact = nullptr;
  std::int64_t passed = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    if (dtype == LIMEN_F32 && !narrow) break;
    for (const limen_kernel* k : different_kernels(context, LIMEN_BACKWARD, dtype)) {
      const KernelPair pair{forward_for(context.op.op(), *k, context.isa), k};
      if (pair.forward == nullptr) continue;
      const limen_kernel* like = dtype == LIMEN_F32 ? exact : nullptr;
      Tally t = context.tally(like != nullptr ? "dtype-agree" : "derivative-fd", kOtherSettings,
                              describe(*k));
      t.explain_by_x();
      for (std::size_t s = 0; s < slices.size(); ++s) {
        must_have_numbers(context, pair, slices[s], t);
        if (like == nullptr && context.surrogate()) continue;
        peers[s].push_back(
            std::make_unique<MapCheck>(context, pair, like, slices[s], slices.size(), peers[s]));
        MapCheck& check = *peers[s].back();
        if (!t.failed()) check.testify(t.evidence());
        add_decided(like != nullptr ? check.precision() : check.pointwise(), t);
        t.next_function();
      }
      passed += context.add_if_failed(t);
      if (dtype == LIMEN_F64 && (exact == nullptr || k->reads == LIMEN_X)) exact = k;
    }
  }
  return passed;
}

// Other forward kernels than the reference's.
std::int64_t check_forwards_briefly(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (reference.forward == nullptr) return 0;
  std::optional<Variants> variants;
  std::int64_t passed = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : different_kernels(context, LIMEN_FORWARD, dtype)) {
      if (k == reference.forward) continue;
      if (!variants) variants.emplace(context, reference, few_slices(context)[0], kBriefPoints);
      Tally t = context.tally("variants-agree", kOtherSettings, describe(*k));
      variants->forward(*k, t);
      passed += context.add_if_failed(t);
    }
  }
  return passed;
}

// phi(t) = <g, f(x + t v)> along one random line has the slope <J^T g, v>.
std::int64_t check_line(const ActivationContext& context, VectorFunction& function, DType dtype,
                        const std::string& subject) {
  Random random(context.options.seed, "line", context.op.op().name);
  const auto draw_row = [&](std::size_t n, const auto& draw_one) {
    Row row(n);
    for (double& v : row) v = static_cast<double>(static_cast<float>(draw_one()));
    return row;
  };
  const Row x =
      draw_row(function.inputs(), [&] { return context.inside(random.normal(), random); });
  const Row v = draw_row(function.inputs(), [&] { return random.upstream(); });
  const Row g = draw_row(function.outputs(), [&] { return random.upstream(); });
  const auto times = [](const Row& a, const double* b) {
    return std::inner_product(a.begin(), a.end(), b, 0.0);
  };
  const auto slope = [&](double by, std::size_t odd) {  // x moved by rounding, to and fro
    Row moved = x;
    for (std::size_t j = 0; j < x.size(); ++j) moved[j] *= (j & odd) != 0 ? 1 - by : 1 + by;
    return times(v, function.b(moved, g).data());
  };
  const Row slopes = function.b(x, g), y = function.f(x);
  const double step = dtype == DType::f32 ? 0x1p-10 : 0x1p-20;
  double size = 0, moves = 0;
  for (std::size_t j = 0; j < x.size(); ++j) size += std::abs(slopes[j] * v[j]);
  for (const std::size_t odd : {0u, 1u, 2u}) {
    const double change = std::abs(slope(step, odd) - slope(-step, odd)) / step;
    if (std::isfinite(change)) moves += change;
  }
  LadderOptions options;
  for (std::size_t i = 0; i < y.size(); ++i) options.value_scale += std::abs(g[i] * y[i]);
  const BatchFunction phi = [&](std::span<const double> offsets, std::span<double> to) {
    Row places;
    for (const double offset : offsets) {
      for (std::size_t j = 0; j < x.size(); ++j) places.push_back(x[j] + offset * v[j]);
    }
    const Row values = function.many(places);
    for (std::size_t k = 0; k < to.size(); ++k) to[k] = times(g, values.data() + k * g.size());
  };
  const Derivative d = derivative_at(phi, 1, precision_of(dtype), options);
  const double scale = std::max(size, 0.1 * options.value_scale);
  const double rounding = std::abs(d.value) + size + options.value_scale + moves;
  Point point{"dx times a direction"};
  point.got = times(v, slopes.data());
  Judgement judgement =
      judge(point.got, d,
            {16 * precision_of(dtype).unit * rounding + context.accuracy() * scale, scale,
             resolution_of(dtype)});
  judgement.note += "; <g, f(x + t v)> as a function of t, for random x, g and v";
  Tally t = context.tally("derivative-fd", kOtherSettings, subject);
  if (judgement.outcome != Outcome::undecided) t.add(point, judgement);
  return context.add_if_failed(t);
}

std::int64_t check_rows_briefly(const ActivationContext& context, bool narrow) {
  std::int64_t passed = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    if (dtype == LIMEN_F32 && !narrow) break;
    for (const limen_kernel* k : different_kernels(context, LIMEN_BACKWARD, dtype)) {
      const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
      if (forward == nullptr) continue;
      RowFunction function(context.op, *forward, *k, 5);
      passed += check_line(context, function, dtype_of_bit(dtype), describe(*k));
    }
  }
  return passed;
}

// Of each rank the largest small shape, since what a parameter says of axes depends on it.
std::int64_t check_general_briefly(const ActivationContext& context) {
  std::int64_t passed = 0;
  for (const std::uint32_t bit : {LIMEN_F64, LIMEN_F32}) {
    if ((context.op.op().dtypes & bit) == 0) continue;
    std::map<std::size_t, std::unique_ptr<GeneralFunction>> by_rank;
    for (auto& function : general_functions(context.op, dtype_of_bit(bit))) {
      if (function->inputs() <= 16) by_rank[function->rank()] = std::move(function);
    }
    for (const auto& [rank, function] : by_rank) {
      passed += check_line(
          context, *function, dtype_of_bit(bit),
          fmt::format("{} execute, {}", bit == LIMEN_F32 ? "f32" : "f64", function->name()));
    }
  }
  return passed;
}

std::int64_t check_setting(const ActivationContext& context) {
  switch (context.op.op().kind) {
    case LIMEN_MAP:
      return check_map_briefly(context, true) + check_forwards_briefly(context) +
             check_params_briefly(context);
    case LIMEN_ROWS:
      if (context.surrogate()) return 0;
      return check_rows_briefly(context, true) + check_params_briefly(context);
    default:
      return context.surrogate() ? 0 : check_general_briefly(context);
  }
}

// Only what did not look right, so that nobody is refused for what nobody asked at usual values.
void check_doubtful_settings(const limen_op& op, const CheckOptions& options, std::uint32_t isa,
                             const Row& middle, CheckReport& report) {
  const OpCase usual(op, middle);
  for (const auto& [hyper, dtype] : doubtful_settings({usual, options, isa, report, false, true})) {
    const OpCase which(op, hyper);
    const ActivationContext context{which, options, isa, report, false, true};
    const bool narrow = dtype == LIMEN_F32;
    context.op.rows() ? check_rows_briefly(context, narrow) : check_map_briefly(context, narrow);
    check_param_steps(context);
  }
}

// One of its cases may belong to any of these tests.
bool wants_settings(const limen_op& op, const CheckOptions& options) {
  const auto wants = [&](const char* test) { return options.begin(test, op.name); };
  return !options.begin || wants("derivative-fd") ||
         (options.wants_point &&
          (wants("dtype-agree") || wants("variants-agree") || wants("param-gradient")));
}

}  // namespace

void check_settings(const limen_op& op, const CheckOptions& options, std::uint32_t isa,
                    const std::vector<Row>& done, CheckReport& report) {
  if (done.empty()) return;
  const std::vector<Row> settings = further_settings(op, done);
  if (op.n_params == 0 || !wants_settings(op, options)) return;
  std::int64_t passed = 0;
  for (const Row& hyper : settings) {
    std::optional<OpCase> which;
    try {
      which.emplace(op, hyper);
    } catch (const Error&) {
      continue;  // create() may say no, as check() may
    }
    passed += check_setting({*which, options, isa, report, false, true});
  }
  check_doubtful_settings(op, options, isa, done[0], report);
  if (options.wants_point || passed == 0) return;
  Tally all(op.name, std::string(kOtherSettings), fmt::format("{} of them", settings.size()),
            options, "derivative-fd");
  all.add_more(passed, 0);  // what passed is told of as one
  CheckResult result = all.finish();
  if (options.done) options.done(result);
  report.add(std::move(result));
}

}  // namespace limen::check
