#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "base/parallel.hpp"
#include "check/activation.hpp"
#include "check/map_scan.hpp"
#include "check/workers.hpp"

namespace limen::check {
namespace {

constexpr std::uint64_t kBatch = 2048, kChunk = 1 << 17;  // numbers in a call, and in a piece
// Kernels for other instruction sets than the best are run on one piece of so many.
constexpr std::uint64_t kSparse = 61;
constexpr double kUnit = FLT_EPSILON / 2;
constexpr std::array<double, 6> kSteps{16, -16, 7, -7, 3, -3};  // of x, in units of rounding
constexpr std::array<double, 4> kFar{1024, -1024, 64, -64};

// An f32 kernel, the forward kernel before it (or itself) and the f64 kernels it is held against.
struct Candidate {
  const limen_kernel *kernel, *forward;
  KernelPair exact;
  bool sparse;

  bool is_forward() const { return kernel == forward; }
  bool reads_y() const { return (kernel->reads & LIMEN_Y) != 0; }
};

// What one piece of the numbers has shown about one kernel.
struct Findings {
  std::int64_t passed = 0, failed = 0;
  double worst = 0, worst_x = 0;  // ulp
  struct Place {
    double x, y, expected, bound, got;
  };
  std::vector<Place> failures;
  Place good{NAN, 0, 0, 0, 0};  // one that passed
};

// The f64 kernels on many numbers at once.
struct Exact {
  Exact(const OpCase& op) : call(op, DType::f64, 1, kBatch) { call.dy[0].fill(1); }
  double* x() { return static_cast<double*>(call.x[0].data()); }
  const double* f() { return static_cast<double*>(call.y[0].data()); }
  const double* b() { return static_cast<double*>(call.dx[0].data()); }
  // As if y were (1 + relative) y.
  void run(const KernelPair& pair, std::size_t n, double relative = 0) {
    call.n = n;
    call.run(*pair.forward);
    auto* const y = static_cast<double*>(call.y[0].data());
    if (relative != 0) std::for_each(y, y + n, [&](double& v) { v *= 1 + relative; });
    call.run(*pair.backward);
  }
  Call call;
};

struct Setting {
  const ActivationContext& context;
  KernelPair reference;
  std::vector<Candidate> candidates;
  const MapScan& scan;
  double low, high;  // where the op is defined
};

// Runs pieces on one thread.
class Runner {
 public:
  explicit Runner(const Setting& setting)
      : setting_(setting),
        exact_(setting.context.op),
        probe_(setting.context.op),
        call_(setting.context.op, DType::f32, 1, kBatch) {
    call_.dy[0].fill(1);
  }

  // Numbers with the bits [begin, end), end - begin <= kChunk.
  void run(std::uint64_t begin, std::uint64_t end, bool sparse, std::vector<Findings>& findings);

 private:
  const Setting& setting_;
  Exact exact_, probe_;
  Call call_;
  double scale_ = 0;  // of gradients around the piece
  std::vector<std::size_t> suspects_;

  float* x() { return static_cast<float*>(call_.x[0].data()); }
  const float* y() { return static_cast<float*>(call_.y[0].data()); }
  const float* got(const Candidate& c) {
    return c.is_forward() ? y() : static_cast<const float*>(call_.dx[0].data());
  }
  const double* expected(const Candidate& c, Exact& exact) {
    return c.is_forward() ? exact.f() : exact.b();
  }
  bool inside(float x) const {
    const bool everywhere = std::isinf(setting_.low) && std::isinf(setting_.high);
    return everywhere || (x > setting_.low && x < setting_.high);
  }
  // The rounding that is allowed without looking at neighbours.
  double quick_bound(const Candidate& c, double value) const {
    const double size = c.is_forward() ? 2 * std::max(std::abs(value), scale_) : std::abs(value);
    return 32 * kUnit * size + (64 * kUnit + 2 * setting_.context.accuracy()) * scale_ + FLT_MIN;
  }
  void screen(const Candidate& c, std::size_t n, Findings& findings);
  void examine(const Candidate& c, Findings& findings);
  Outcome by_class(const Candidate& c, std::size_t i);
  bool displaced(const Candidate& c, std::size_t i, double bound);
};

void Runner::run(std::uint64_t begin, std::uint64_t end, bool sparse,
                 std::vector<Findings>& findings) {
  const float middle = std::bit_cast<float>(static_cast<std::uint32_t>((begin + end) / 2));
  scale_ = setting_.scan.scale(std::isfinite(middle) ? middle : std::copysign(FLT_MAX, middle));
  for (std::uint64_t at = begin; at < end; at += kBatch) {
    const auto n = static_cast<std::size_t>(std::min(kBatch, end - at));
    for (std::size_t i = 0; i < n; ++i) {
      x()[i] = std::bit_cast<float>(static_cast<std::uint32_t>(at + i));
      exact_.x()[i] = static_cast<double>(x()[i]);
    }
    exact_.run(setting_.reference, n);
    call_.n = n;
    for (std::size_t k = 0; k < setting_.candidates.size(); ++k) {
      const Candidate& c = setting_.candidates[k];
      if (c.sparse && !sparse) continue;
      call_.run(*c.forward);
      if (!c.is_forward()) call_.run(*c.kernel);
      screen(c, n, findings[k]);
      if (!suspects_.empty()) examine(c, findings[k]);
    }
  }
}

// Lets through what is within the quick bound and keeps the others.
void Runner::screen(const Candidate& c, std::size_t n, Findings& findings) {
  const float* const a = got(c);
  const double* const b = expected(c, exact_);
  suspects_.clear();
  double worst = findings.worst;
  for (std::size_t i = 0; i < n; ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(error <= quick_bound(c, b[i])) || !inside(x()[i])) {
      suspects_.push_back(i);
      continue;
    }
    // In units of the last place of b, whose exponent is turned round.
    const std::uint64_t exponent = std::bit_cast<std::uint64_t>(b[i]) & 0x7ff0'0000'0000'0000;
    const double ulps = error * 0x1p23 * std::bit_cast<double>(0x7fe0'0000'0000'0000 - exponent);
    if (ulps > worst && std::abs(b[i]) >= FLT_MIN) {
      worst = ulps;
      findings.worst_x = x()[i];
    }
  }
  findings.worst = worst;
  findings.passed += static_cast<std::int64_t>(n - suspects_.size());
  if (std::isnan(findings.good.x) && suspects_.empty()) {
    findings.good = {x()[n / 2], y()[n / 2], b[n / 2], quick_bound(c, b[n / 2]), a[n / 2]};
  }
}

// Where one of the values is no number of f32: whether they are of the same kind. `undecided`: they
// are numbers.
Outcome Runner::by_class(const Candidate& c, std::size_t i) {
  const double f = exact_.f()[i], b = expected(c, exact_)[i];
  const float a = got(c)[i];
  if (!inside(x()[i])) return Outcome::skipped;
  if (c.is_forward()) {
    if (std::isnan(b)) {
      const bool ignored = setting_.context.has(LIMEN_FACT_NAN_IGNORED);
      return std::isnan(a) ? Outcome::pass : ignored ? Outcome::skipped : Outcome::fail;
    }
    if (std::isinf(b)) return a == b ? Outcome::pass : Outcome::fail;
    if (std::abs(b) > 3e38) return a * b > 0 && std::abs(a) > 1e38f ? Outcome::pass : Outcome::fail;
    return Outcome::undecided;
  }
  const bool numbers = std::isfinite(f) && std::isfinite(b) && std::isfinite(y()[i]);
  return numbers && std::abs(b) <= FLT_MAX ? Outcome::undecided : Outcome::skipped;
}

// A threshold that moved by rounding: right on its other side, within 1024 units.
bool Runner::displaced(const Candidate& c, std::size_t i, double bound) {
  const double b = expected(c, exact_)[i], a = got(c)[i];
  for (const double e : kFar) {
    probe_.x()[0] = static_cast<double>(x()[i]) * (1 + e * kUnit);
    probe_.run(c.exact, 1);
    const double other = expected(c, probe_)[0];
    if (std::abs(a - other) <= bound && std::abs(other - b) > 4 * bound) return true;
  }
  return false;
}

// The bound in full, which knows how far the f64 value moves with the last bits of x and y.
void Runner::examine(const Candidate& c, Findings& findings) {
  std::erase_if(suspects_, [&](std::size_t i) {
    const Outcome outcome = by_class(c, i);
    if (outcome == Outcome::pass) ++findings.passed;
    return outcome == Outcome::pass || outcome == Outcome::skipped;
  });
  const std::size_t n = suspects_.size();
  std::vector<double> change(n, 0), largest(n, 0);
  const auto probe = [&](double x_step, double y_step) {
    for (std::size_t k = 0; k < n; ++k) {
      probe_.x()[k] = static_cast<double>(x()[suspects_[k]]) * (1 + x_step);
    }
    probe_.run(c.exact, n, y_step);
    for (std::size_t k = 0; k < n; ++k) {
      const double other = expected(c, probe_)[k];
      change[k] = std::max(change[k], std::abs(other - expected(c, exact_)[suspects_[k]]));
      largest[k] = std::max(largest[k], std::abs(other));
    }
  };
  for (const double e : kSteps) {
    if (n == 0) return;
    probe(e * kUnit, 0);
    if (!c.is_forward() && c.reads_y()) probe(0, e * kUnit / 4);
  }
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t i = suspects_[k];
    const double a = got(c)[i], b = expected(c, exact_)[i];
    const double bound = quick_bound(c, b) + change[k];
    if (by_class(c, i) == Outcome::undecided) {
      if (std::abs(a - b) <= bound) {
        ++findings.passed;
        continue;
      }
      // Where f32 does not resolve the function, nothing can be said.
      if (change[k] > 0.1 * (c.is_forward() ? largest[k] : scale_)) continue;
      if (displaced(c, i, bound)) continue;
    }
    ++findings.failed;
    if (findings.failures.size() < setting_.context.options.max_failures) {
      findings.failures.push_back({x()[i], y()[i], b, bound, a});
    }
  }
}

// The kernels with one of each variant and of what it reads at the best instruction set first.
std::vector<Candidate> candidates_of(const ActivationContext& context, const KernelPair& exact) {
  std::vector<Candidate> result;
  const limen_op& op = context.op.op();
  for (const std::uint32_t role : {LIMEN_FORWARD, LIMEN_BACKWARD}) {
    for (const limen_kernel* k : kernels_of(op, role, LIMEN_F32, context.isa)) {
      const limen_kernel* forward = role == LIMEN_FORWARD ? k : forward_for(op, *k, context.isa);
      if (forward == nullptr) continue;
      Candidate c{k, forward, exact, false};
      for (const limen_kernel* like : kernels_of(op, LIMEN_BACKWARD, LIMEN_F64, context.isa)) {
        const limen_kernel* before = forward_for(op, *like, context.isa);
        if (!c.reads_y() || like->reads != k->reads || before == nullptr) continue;
        c.exact = {before, like};
        break;
      }
      c.sparse = std::any_of(result.begin(), result.end(), [&](const Candidate& other) {
        return other.kernel->role == role && other.kernel->variant == k->variant &&
               other.kernel->reads == k->reads;
      });
      result.push_back(c);
    }
  }
  return result;
}

CheckResult result_of(const ActivationContext& context, const Candidate& c,
                      const std::vector<std::vector<Findings>>& pieces, std::size_t k) {
  Tally t = context.tally("exhaustive", c.sparse ? "a sample of all floats" : "all floats",
                          describe(*c.kernel));
  t.explain_by_x();
  Findings sum;
  for (const std::vector<Findings>& piece : pieces) {
    const Findings& f = piece[k];
    Point p;
    p.tensor = c.is_forward() ? "y" : "dx";
    const auto add = [&](const Findings::Place& place, Outcome outcome) {
      p.x = place.x;
      p.y = place.y;
      p.got = place.got;
      Judgement j{outcome, place.expected, place.bound, "the f64 kernel's value at the same x"};
      j.resolved = place.bound;
      t.add(p, j);
    };
    std::int64_t told = 0;
    for (const Findings::Place& place : f.failures) add(place, Outcome::fail);
    if (!std::isnan(f.good.x)) {
      add(f.good, Outcome::pass);
      ++told;
    }
    if (!context.options.wants_point) {
      t.add_more(f.passed - told, f.failed - static_cast<std::int64_t>(f.failures.size()));
    }
    sum.passed += f.passed;
    if (f.worst > sum.worst) {
      sum.worst = f.worst;
      sum.worst_x = f.worst_x;
    }
  }
  if (sum.worst > 0 && !context.options.wants_point) {
    context.report.notes.push_back(
        fmt::format("{}: {}: {} floats agree with f64, none farther off than {:.3g} ulp "
                    "(x = {:a})",
                    context.op.label(), describe(*c.kernel), sum.passed, sum.worst, sum.worst_x));
  }
  return t.finish();
}

}  // namespace

void check_all_floats(const ActivationContext& context, const ExhaustiveOptions& options) {
  if (!context.wants("exhaustive")) return;
  const KernelPair reference = reference_pair(context);
  MapFunction function(context.op, *reference.forward, *reference.backward, slices_of(context)[0]);
  double low = -std::numeric_limits<double>::infinity(), high = -low;
  if (context.has(LIMEN_FACT_DOMAIN)) {
    low = context.op.op().facts->x_min;
    high = context.op.op().facts->x_max;
  }
  const MapScan places = scan(function, low, high, 0, Random(options.seed, "exhaustive"));
  const Setting setting{context, reference, candidates_of(context, reference), places, low, high};
  const std::uint64_t first = options.first, all = std::uint64_t{options.last} + 1 - first;
  const std::uint64_t count = (all + kChunk - 1) / kChunk;
  std::vector<std::vector<Findings>> pieces(count,
                                            std::vector<Findings>(setting.candidates.size()));
  const auto threads =
      static_cast<std::size_t>(options.threads > 0 ? options.threads : default_threads());
  std::vector<Runner> runners;
  for (std::size_t w = 0; w < threads; ++w) runners.emplace_back(setting);
  std::mutex mutex;
  std::uint64_t done = 0;
  run_workers(threads, count, [&](std::size_t worker, std::size_t piece) {
    const std::uint64_t begin = first + piece * kChunk;
    runners[worker].run(begin, std::min(begin + kChunk, first + all), piece % kSparse == 0,
                        pieces[piece]);
    const std::lock_guard lock(mutex);
    ++done;
    if (options.progress) options.progress(static_cast<double>(done) / static_cast<double>(count));
  });
  for (std::size_t k = 0; k < setting.candidates.size(); ++k) {
    CheckResult result = result_of(context, setting.candidates[k], pieces, k);
    if (options.wants_point && result.points() == 0) continue;
    if (options.done) options.done(result);
    context.report.add(std::move(result));
  }
}

}  // namespace limen::check
