#include "check/map_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "check/activation.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kPiece = 512;  // elements of one kernel call

bool draws(const OpCase& op, const Slice& slice) {
  return op.stochastic() && (slice.settings.flags & LIMEN_TILE_EVAL) == 0;
}

CallSettings of_first_order(CallSettings settings) {
  settings.first_order = true;
  return settings;
}

// Of the first elements the one whose draw leaves most of x: a mask leaves nothing to many.
std::uint64_t lively_element(const ActivationContext& context) {
  const KernelPair pair = reference_pair(context);
  if (pair.forward == nullptr) return 0;
  Call call(context.op, dtype_of_bit(pair.forward->dtype), 1, 8, {.first_order = true});
  const auto f = [&](double x) {
    for (Operand& operand : call.x) operand.fill(x);
    call.run(*pair.forward);
    return call.y[0].values();
  };
  const Row low = f(-1.2345), high = f(0.7654);
  std::uint64_t best = 0;
  for (std::size_t i = 1; i < low.size(); ++i) {
    if (std::abs(high[i] - low[i]) > std::abs(high[best] - low[best])) best = i;
  }
  return best;
}

// Settings, and whether few points do.
std::vector<std::pair<CallSettings, bool>> draws_of(const ActivationContext& context) {
  if (!context.op.stochastic()) return {{{}, false}};
  const CallSettings far{.base = kFarElement}, evaluation{.flags = LIMEN_TILE_EVAL};
  if (!context.first) return {{far, true}, {evaluation, true}};
  return {{{.base = lively_element(context)}, false}, {far, true}, {evaluation, false}};
}

}  // namespace

std::vector<Slice> slices_of(const ActivationContext& context) {
  const OpCase& op = context.op;
  const std::size_t arity = op.op().arity, outputs = op.op().outputs;
  Random random(context.options.seed, "slices", op.op().name);
  std::vector<Slice> result;
  for (const auto& [draw, brief] : draws_of(context)) {
    for (std::size_t place = 0; place < (arity == 1 ? 1u : 3u); ++place) {
      for (std::size_t k = 0; k < arity; ++k) {
        Slice slice;
        slice.input = k;
        slice.settings = draw;
        slice.brief = brief;
        // Numbers that f32 holds, of both signs.
        for (std::size_t j = 0; j < arity; ++j) {
          const double size = std::round(64 * random.uniform(0.3, 2)) / 64;
          slice.others.push_back(place == 2 ? 2 * size * random.sign() : place == 0 ? size : -size);
        }
        for (slice.output = 0; slice.output < outputs; ++slice.output) {
          if (arity > 1 || outputs > 1) {
            slice.tensor = fmt::format("dx[{}] of y[{}]", k, slice.output);
          }
          if (op.stochastic()) {
            slice.tensor +=
                draw.flags != 0 ? " (evaluation)" : fmt::format(" (draw of element {})", draw.base);
          }
          result.push_back(slice);
        }
      }
    }
  }
  return result;
}

MapFunction::MapFunction(const OpCase& op, const limen_kernel& forward,
                         const limen_kernel& backward, const Slice& slice, bool own_draws)
    : forward_(forward),
      backward_(backward),
      slice_(slice),
      dtype_(dtype_of_bit(backward.dtype)),
      call_(op, dtype_, 1, draws(op, slice) && !own_draws ? 1 : kPiece,
            of_first_order(slice.settings)) {
  for (std::size_t k = 0; k < slice.others.size(); ++k) call_.x[k].fill(slice.others[k]);
}

double MapFunction::round(double x) const {
  return dtype_ == DType::f32 ? static_cast<double>(static_cast<float>(x)) : x;
}

template <class Part>
void MapFunction::pieces(std::span<const double> x, const Part& part) {
  Operand& moving = call_.x[slice_.input];
  for (std::size_t begin = 0; begin < x.size(); begin += call_.n) {
    call_.n = std::min(moving.size(), x.size() - begin);
    moving.assign(x.subspan(begin, call_.n));
    call_.run(forward_);
    part(begin, call_.n);
  }
}

void MapFunction::set_upstream(double value) {
  if (value == upstream_) return;
  upstream_ = value;
  pulled_.clear();
  for (Operand& dy : call_.dy) dy.fill(0);
  call_.dy[slice_.output].fill(value);
}

Row MapFunction::f(std::span<const double> x) {
  Row result(x.size());
  pieces(x, [&](std::size_t begin, std::size_t count) {
    call_.y[slice_.output].read(std::span(result).subspan(begin, count));
  });
  return result;
}

Row MapFunction::b(std::span<const double> x, double upstream) {
  return std::move(for_upstreams(x, std::span(&upstream, 1))[0]);
}

std::pair<Row, Row> MapFunction::both(std::span<const double> x) {
  set_upstream(1);
  Row f(x.size()), b(x.size());
  pieces(x, [&](std::size_t begin, std::size_t count) {
    call_.y[slice_.output].read(std::span(f).subspan(begin, count));
    call_.run(backward_);
    call_.dx[slice_.input].read(std::span(b).subspan(begin, count));
  });
  return {std::move(f), std::move(b)};
}

std::vector<Row> MapFunction::for_upstreams(std::span<const double> x,
                                            std::span<const double> upstreams) {
  std::vector<Row> results(upstreams.size(), Row(x.size()));
  pieces(x, [&](std::size_t begin, std::size_t count) {
    for (std::size_t k = 0; k < upstreams.size(); ++k) {
      set_upstream(upstreams[k]);
      call_.run(backward_);
      call_.dx[slice_.input].read(std::span(results[k]).subspan(begin, count));
    }
  });
  return results;
}

Row MapFunction::b_with_y(std::span<const double> x, double relative) {
  set_upstream(1);
  Row result(x.size());
  pieces(x, [&](std::size_t begin, std::size_t count) {
    for (Operand& y : call_.y) {
      for (std::size_t i = 0; i < count; ++i) y.set(i, y.get(i) * (1 + relative));
    }
    call_.run(backward_);
    call_.dx[slice_.input].read(std::span(result).subspan(begin, count));
  });
  return result;
}

Row MapFunction::pull(std::span<const double> x, const Row& dy, const Row& v) {
  if (dy != pulled_) {
    for (std::size_t i = 0; i < dy.size(); ++i) call_.dy[i].fill(dy[i]);
    pulled_ = dy;
    upstream_ = std::numeric_limits<double>::quiet_NaN();
  }
  Row result(x.size()), part(std::min(x.size(), call_.x[0].size()));
  pieces(x, [&](std::size_t begin, std::size_t count) {
    call_.run(backward_);
    for (std::size_t k = 0; k < v.size(); ++k) {
      const std::span<double> slopes = std::span(part).first(count);
      call_.dx[k].read(slopes);
      for (std::size_t i = 0; i < count; ++i) result[begin + i] += v[k] * slopes[i];
    }
  });
  return result;
}

Row MapFunction::along(std::span<const double> x, const Row& v) {
  Row dy(call_.dy.size(), 0);
  dy[slice_.output] = 1;
  return pull(x, dy, v);
}

std::vector<Derivative> MapFunction::derivatives(std::span<const double> x,
                                                 std::span<const double> ranges) {
  std::vector<LadderOptions> options(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) options[i].range = ranges[i];
  return derivatives_at(
      [&](std::span<const double> at, std::span<double> to) {
        const Row values = f(at);
        std::copy(values.begin(), values.end(), to.begin());
      },
      x, precision_of(dtype_), options);
}

}  // namespace limen::check
