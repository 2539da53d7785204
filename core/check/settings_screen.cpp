// Many settings of all parameters together: a glance at each, no proof. Which deserve a look?
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include <limen/error.hpp>

#include "check/activation.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kFew = 36, kMany = 64, kMostDoubtful = 4;
// Values of a parameter that are counted one by one; 0: too many, or a real.
std::size_t count_of(const limen_param& p) {
  if (p.type == LIMEN_P_REAL) return 0;
  if (p.type == LIMEN_P_BOOL) return 2;
  if (p.type == LIMEN_P_CHOICE) return p.n_choices;
  return p.max - p.min < kMany ? static_cast<std::size_t>(p.max - p.min) + 1 : 0;
}

// For t in [0, 1): two thirds in even steps over the range, the rest of all sizes.
double value_at(const limen_param& p, double t, double sign) {
  const double low = std::isfinite(p.min) ? p.min : std::min(p.def, 0.0) - 2;
  const double high = std::isfinite(p.max) ? p.max : std::max(p.def, 0.0) + 2;
  double value = low + 1.5 * t * (high - low);
  if (t >= 2.0 / 3) {
    if (!(p.min < 0 && p.max > 0)) sign = p.max > 0 ? 1 : -1;
    const double usual = std::max(1.0, std::abs(p.def));
    const double near = std::max(sign > 0 ? p.min : -p.max, 1e-4 * usual);
    const double far = std::min(sign > 0 ? p.max : -p.min, 1e3 * usual);
    value = sign * near * std::pow(far / near, 3 * t - 2);
  }
  return p.type == LIMEN_P_INT ? std::floor(value) : static_cast<double>(static_cast<float>(value));
}

// The numbers below n in an order of their own.
std::vector<std::size_t> shuffled(std::size_t n, Random& random) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

// All combinations of what can be counted if these are few, and with each of them the rest evenly
// spread: what is wrong under one switch is wrong for some numbers only, at times.
std::vector<Row> joint_settings(const limen_op& op, Random random) {
  std::size_t combinations = 1;
  bool all = true;  // are counted
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    const std::size_t count = count_of(*LIMEN_AT(limen_param, op.params, p));
    combinations = std::min(combinations * std::max<std::size_t>(count, 1), 2 * kMany);
    all = all && count > 0;
  }
  const std::size_t n = all ? std::min(combinations, kMany) : op.n_params == 1 ? kFew : kMany;
  const std::size_t classes = combinations <= n ? combinations : 1, each = (n - 1) / classes + 1;
  std::vector<Row> settings(n, Row(op.n_params));
  std::size_t stride = 1;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
    const std::size_t count = count_of(param);
    const double lowest = param.type == LIMEN_P_INT ? param.min : 0;
    for (std::size_t c = 0; c < classes; ++c) {
      const std::vector<std::size_t> order = shuffled(each, random);
      const double offset = (static_cast<double>(c) + 0.5) / static_cast<double>(classes);
      for (std::size_t i = c; i < n; i += classes) {
        const std::size_t place = order[i / classes], turn = classes > 1 ? i / stride : place;
        const double t = (static_cast<double>(place) + offset) / static_cast<double>(each);
        settings[i][p] = count > 0 ? lowest + static_cast<double>(turn % count)
                                   : value_at(param, t, random.sign());
      }
    }
    stride *= std::max<std::size_t>(count, 1);
  }
  std::erase_if(settings, [&](const Row& hyper) {
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      if (!is_legal(*LIMEN_AT(limen_param, op.params, p), hyper[p])) return true;
    }
    return !accepts(op, hyper);
  });
  return settings;
}

// Slopes along one direction, of each element or each row: differences of fourth order.
class Screen {
 public:
  Screen(const ActivationContext& context, const std::vector<Row>& settings);

  // The type of a kernel whose gradient is not the slope of f at this setting; 0: there is none.
  std::uint32_t doubt(std::size_t i);

 private:
  static constexpr double kStep = 0x1.1p-12;
  static constexpr std::array<double, 5> kPlaces{0, 1, -1, 2, -2};

  const ActivationContext& context_;
  const std::vector<Row>& settings_;
  const std::size_t rows_, n_;
  std::array<std::vector<Row>, 5> x_;      // of each place and input
  std::vector<Row> direction_, upstream_;  // of each input and output

  void give(Call& call, std::size_t i) const;
  Row products(const Operands& a, const std::vector<Row>& b) const;
  Row slopes(Call& call, const limen_kernel& forward, Row& bound) const;
};

Screen::Screen(const ActivationContext& context, const std::vector<Row>& settings)
    : context_(context),
      settings_(settings),
      rows_(context.op.rows() ? 3 : 1),
      n_(context.op.rows() ? 5 : 12) {
  Random random(context.options.seed, "screen", context.op.op().name);
  for (std::size_t k = 0; k < context.op.op().arity; ++k) {
    Row& v = direction_.emplace_back(rows_ * n_);
    for (auto& place : x_) place.emplace_back(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double drawn = (i % 4 == 0 ? 4 : i % 4 == 1 ? 0.3 : 1.5) * random.normal();
      const double x = static_cast<double>(static_cast<float>(context.inside(drawn, random)));
      v[i] = random.upstream() * std::max(1.0, std::abs(x));
      for (std::size_t s = 0; s < 5; ++s) x_[s][k][i] = x + kPlaces[s] * kStep * v[i];
    }
  }
  for (std::size_t k = 0; k < context.op.op().outputs; ++k) {
    for (double& g : upstream_.emplace_back(rows_ * n_)) g = random.upstream();
  }
}

// Every second time learned parameters have a value for each element: those of other settings.
void Screen::give(Call& call, std::size_t i) const {
  for (std::size_t k = 0; k < call.dy.size(); ++k) call.dy[k].assign(upstream_[k]);
  if (i % 2 == 0 || context_.op.rows() || context_.op.op().check != nullptr) return;
  for (std::size_t p = 0; p < call.w.size(); ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, context_.op.op().params, p);
    if ((param.flags & LIMEN_PF_TRAINABLE) == 0) continue;
    Row values;
    for (std::size_t e = 0; e < n_; ++e) values.push_back(settings_[(i + e) % settings_.size()][p]);
    call.learn(p, values);
    call.w_step[p] = 1;
    call.hyper[p] = std::numeric_limits<double>::quiet_NaN();
  }
}

// sum_k a_k b_k of each element or row.
Row Screen::products(const Operands& a, const std::vector<Row>& b) const {
  const std::size_t each = context_.op.rows() ? n_ : 1;
  Row sums(rows_ * n_ / each, 0), values(rows_ * n_);
  for (std::size_t k = 0; k < a.size(); ++k) {
    a[k].read(values);
    for (std::size_t i = 0; i < values.size(); ++i) sums[i / each] += values[i] * b[k][i];
  }
  return sums;
}

// The slopes of f, and in `bound` how far a right gradient may be from them.
Row Screen::slopes(Call& call, const limen_kernel& forward, Row& bound) const {
  std::array<Row, 4> phi;
  for (std::size_t s = 0; s < phi.size(); ++s) {
    for (std::size_t k = 0; k < call.x.size(); ++k) call.x[k].assign(x_[s + 1][k]);
    call.run(forward);
    phi[s] = products(call.y, upstream_);
  }
  Row slopes(phi[0].size());
  bound.resize(slopes.size());
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    const double near = (phi[0][i] - phi[1][i]) / (2 * kStep);
    const double far = (phi[2][i] - phi[3][i]) / (4 * kStep);
    slopes[i] = (4 * near - far) / 3;
    bound[i] = std::abs(near - far) + 1e-5 * std::abs(slopes[i]) + 1e-10 * std::abs(phi[0][i]);
    const bool told = std::abs(near - far) < 0.1 * std::abs(near) || bound[i] < 1e-3;
    if (!told || !(std::abs(slopes[i]) < 1e30)) bound[i] = INFINITY;  // a kink, or too fast a wave
  }
  return slopes;
}

std::uint32_t Screen::doubt(std::size_t i) {
  std::optional<OpCase> which;
  try {
    which.emplace(context_.op.op(), settings_[i]);
  } catch (const Error&) {
    return 0;  // create() says no
  }
  Row expected, bounds;
  double largest = 0;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    const bool narrow = dtype == LIMEN_F32;
    std::optional<Call> call;
    for (const limen_kernel* k : different_kernels(context_, LIMEN_BACKWARD, dtype)) {
      const limen_kernel* forward = forward_for(context_.op.op(), *k, context_.isa);
      if (forward == nullptr || (narrow && expected.empty())) continue;
      if (!call) {
        call.emplace(*which, dtype_of_bit(dtype), rows_, n_, CallSettings{.first_order = true});
        give(*call, i);
        if (!narrow) expected = slopes(*call, *forward, bounds);
      }
      for (std::size_t j = 0; j < call->x.size(); ++j) call->x[j].assign(x_[0][j]);
      call->run(*forward);
      const Row y = products(call->y, upstream_);
      call->run(*k);
      const Row got = products(call->dx, direction_);
      for (std::size_t j = 0; j < got.size(); ++j) {
        if (!std::isfinite(bounds[j]) || !std::isfinite(y[j])) continue;
        largest = std::max({largest, std::abs(expected[j]), 0.1 * std::abs(y[j])});
      }
      const double slack = (narrow ? 1e-2 + context_.accuracy() : context_.accuracy()) * largest;
      for (std::size_t j = 0; j < got.size(); ++j) {
        const bool known = std::isfinite(bounds[j]) && std::isfinite(y[j]);
        if (known && !(std::abs(got[j] - expected[j]) <= bounds[j] + slack)) return dtype;
      }
    }
  }
  return 0;
}

}  // namespace

std::vector<DoubtfulSetting> doubtful_settings(const ActivationContext& context) {
  std::vector<DoubtfulSetting> doubtful;
  if (context.surrogate() || context.op.op().kind == LIMEN_GENERAL) return doubtful;
  const std::vector<Row> settings = joint_settings(
      context.op.op(), Random(context.options.seed, "joint settings", context.op.op().name));
  Screen screen(context, settings);
  for (std::size_t i = 0; i < settings.size() && doubtful.size() < kMostDoubtful; ++i) {
    const std::uint32_t dtype = screen.doubt(i);
    if (dtype != 0) doubtful.push_back({settings[i], dtype});
  }
  return doubtful;
}

}  // namespace limen::check
