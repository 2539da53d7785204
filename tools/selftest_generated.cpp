// The ops that the self-test makes up: parameters for the one op of the library "generated".
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "check/random.hpp"
#include "plugin/library.hpp"
#include "selftest.hpp"

namespace limen::tools {
namespace {

using check::Random;

constexpr std::int64_t kBatch = 100;
enum Param { kFunction, kForm, kMistake, kA, kB, kC, kD, kQ, kPlace, kStrength, kCount = 11 };

std::string generated_library() {
  const auto libraries = selftest_libraries();
  const auto at = std::find_if(libraries.begin(), libraries.end(), [](const std::string& file) {
    return std::filesystem::path(file).stem() == "generated";
  });
  return at == libraries.end() ? libraries.front() : *at;
}

// The generated op with parameters of its own; what checks see is an ordinary op.
class MadeUp {
 public:
  MadeUp(const limen_op& op, std::uint64_t seed, std::int64_t index, bool wrong)
      : random_(seed, wrong ? "wrong op" : "right op", std::to_string(index)), op_(op) {
    for (std::uint32_t i = 0; i < op.n_params; ++i) {
      params_.push_back(*LIMEN_AT(limen_param, op.params, i));
    }
    do {
      draw(wrong);
    } while (wrong && !differs());
    for (limen_param& p : params_) {  // at other values it would be another op
      p.type = LIMEN_P_REAL;
      p.min = p.max = p.def;
    }
    name_ = fmt::format("{}{}_{}_{}", wrong ? 'g' : 'k', index, word(kFunction),
                        word(wrong ? kMistake : kForm));
    op_.name = name_.c_str();
    op_.params = params_.data();
  }
  MadeUp(const MadeUp&) = delete;
  MadeUp& operator=(const MadeUp&) = delete;

  const limen_op& op() const { return op_; }
  std::string what() const {
    std::string text = fmt::format("c F(a x + b) + d, F = {}, computed {}, mistake {}",
                                   word(kFunction), word(kForm), word(kMistake));
    for (const Param p : {kA, kB, kC, kD, kQ, kPlace, kStrength}) {
      text += fmt::format(", {} = {:.9g}", params_[p].name, params_[p].def);
    }
    return text;
  }

 private:
  Random random_;
  limen_op op_;
  std::vector<limen_param> params_;
  std::string name_;

  const char* word(Param p) const {
    return params_[p].choices[static_cast<std::size_t>(params_[p].def)];
  }
  // A number that f32 holds, so that both kernels have the same function.
  void set(Param p, double value) {
    params_[p].def = static_cast<double>(static_cast<float>(value));
  }
  double log_uniform(double low, double high) { return std::pow(10, random_.uniform(low, high)); }

  void draw(bool wrong) {
    const auto any = [&](Param p) {
      return static_cast<double>(random_.below(params_[p].n_choices));
    };
    set(kFunction, any(kFunction));
    set(kForm, any(kForm));
    set(kMistake,
        wrong ? 1 + static_cast<double>(random_.below(params_[kMistake].n_choices - 1)) : 0);
    set(kA, random_.sign() * log_uniform(-2, 2));
    set(kB, random_.below(3) == 0 ? 0 : random_.uniform(-3, 3));
    set(kC, random_.sign() * log_uniform(-6, 6));
    set(kD, random_.below(2) == 0 ? 0 : params_[kC].def * random_.sign() * log_uniform(-1, 2));
    constexpr double kKinks[] = {0, 1, 0.5};
    const std::uint64_t kink = random_.below(4);
    set(kQ, kink < 3 ? kKinks[kink] : random_.uniform(0, 1));
    const auto [place, strength] = size_of_mistake(word(kMistake));
    set(kPlace, place);
    set(kStrength, strength);
  }

  // Where a mistake is, in a x + b, and how large.
  std::pair<double, double> size_of_mistake(std::string_view mistake) {
    const double near = random_.uniform(-2.5, 2.5), far = random_.uniform(1, 6);
    const double sign = random_.sign();
    if (mistake == "factor")
      return {0, std::abs(sign) * (near > 0 ? 1 + sign * far / 20 : far / 3)};
    if (mistake == "band") return {near, log_uniform(-2, -0.3)};
    if (mistake.starts_with("half_line")) return {near, 1 + sign * far / 12};
    if (mistake == "clipped") return {0, far / 10};
    if (mistake == "float_overflow" || mistake == "nan_far") return {far * far, 0};
    if (mistake.ends_with("_far")) return {far, 0};
    if (mistake == "tiny_factor") return {0, sign * far * 1e-7};
    if (mistake == "float_constants") return {0, random_.uniform(0.5, 1)};
    if (mistake == "additive_linear") return {0, log_uniform(-4, -1)};
    if (mistake == "steeper") return {0, sign * far / 60};
    if (mistake == "moved") return {0, sign * log_uniform(-2.3, -0.5)};
    if (mistake == "difference") return {0, log_uniform(-3, -1)};
    if (mistake == "at_one_number") {
      constexpr double kNumbers[] = {1, 2, -1, 0.5, 3, -2, 10, 100, 4, 1.5};
      return {kNumbers[random_.below(std::size(kNumbers))], 0};
    }
    return {near, 0};
  }

  // Whether the mistake shows: a mirrored derivative that is even is none.
  bool differs() {
    const std::string_view mistake = word(kMistake);
    if (mistake == "never_adds" || mistake == "always_adds" || mistake == "leaves_tail" ||
        mistake == "wrong_tail" || mistake == "at_one_number") {
      return true;
    }
    std::vector<double> x;
    const auto add = [&](double t) { x.push_back((t - params_[kB].def) / params_[kA].def); };
    for (int i = -400; i <= 400; ++i) add(0.02 * (i + 0.37));
    for (const double by : {0.0, 0.5, -0.5, 2.0, -2.0}) {
      add(params_[kPlace].def + by * params_[kStrength].def);
    }
    const bool as_float = mistake.starts_with("float_o");
    if (as_float)
      x.insert(x.end(), {-4, 4});  // floats are compared at the scale of slopes up to there
    const std::vector<double> got = as_float ? backward<float>(x, params_[kMistake].def)
                                             : backward<double>(x, params_[kMistake].def);
    const std::vector<double> right = as_float ? backward<float>(x, 0) : backward<double>(x, 0);
    double size = 0, difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(got[i]) && !std::isnan(right[i])) return true;
      size = std::max({size, std::abs(right[i]), std::abs(got[i])});
      difference = std::max(difference, std::abs(got[i] - right[i]));
    }
    const bool tiny = mistake == "tiny_factor" || mistake == "float_constants" ||
                      mistake == "bump" || mistake == "ripple";
    return difference > (tiny ? 2e-8 : 1e-4) * size;
  }

  template <class T>
  std::vector<double> backward(const std::vector<double>& at, double mistake) const {
    std::vector<double> hyper;
    for (const limen_param& p : params_) hyper.push_back(p.def);
    hyper[kMistake] = mistake;
    std::vector<T> x(at.begin(), at.end()), dy(at.size(), T(-1.7)), dx(at.size());
    const void *xs = x.data(), *dys = dy.data();
    void* dxs = dx.data();
    limen_tile tile{};
    tile.size = sizeof tile;
    tile.n = at.size();
    tile.rows = 1;
    tile.hyper = hyper.data();
    tile.x = &xs;
    tile.dy = &dys;
    tile.dx = &dxs;
    for (std::uint32_t i = 0; i < op_.n_kernels; ++i) {
      const limen_kernel& k = *LIMEN_AT(limen_kernel, op_.kernels, i);
      if (k.role == LIMEN_BACKWARD && k.dtype == (sizeof(T) == 4 ? LIMEN_F32 : LIMEN_F64)) {
        k.run(&tile);
      }
    }
    return {dx.begin(), dx.end()};
  }
};

struct Batch {
  bool wrong;
  std::int64_t begin, end;
  std::int64_t next;  // to be tried
};

Job batch_job(const std::string& library, std::uint64_t seed, const std::shared_ptr<Batch>& batch,
              Score& score) {
  const auto last = std::make_shared<Trial>();
  Job job;
  job.body = [=](const Say& say) {
    const limen_plugin* plugin = open_library(library, library);
    for (std::int64_t i = batch->next; i < batch->end; ++i) {
      const MadeUp made(*plugin->ops[0], seed, i, batch->wrong);
      Trial trial;
      trial.op = made.op().name;
      trial.what = made.what();
      trial.wrong = batch->wrong;
      say(to_line({{"begin", to_json(trial)}}));
      try_op(
          made.op(), false, seed, [](std::string_view) {}, trial);
      say(to_line(to_json(trial)));
    }
  };
  job.hear = [=, &score](const std::string& message) {
    const Json json = parse_json(message);
    if (json.contains("begin")) {
      *last = trial_from(json["begin"]);
      return;
    }
    score.add(trial_from(json));
    ++batch->next;
  };
  // No op of these may die, right or wrong.
  job.ended = [=, &score](const std::string& death) {
    if (death.empty()) return false;
    last->undecided.insert("survives");
    last->text = death;
    score.add(*last);
    return ++batch->next < batch->end;
  };
  return job;
}

// "g123" or "k123_...": which one; -1: no name of a generated op.
std::int64_t index_of(const std::string& only) {
  if (only.size() < 2 || (only[0] != 'g' && only[0] != 'k')) return -1;
  const std::string digits = only.substr(1, only.find('_') - 1);
  if (digits.empty() || digits.size() > 15 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return -1;
  }
  return std::stoll(digits);
}

}  // namespace

void add_generated(const SelftestOptions& options, SelftestJobs& jobs) {
  const auto add = [&](bool wrong, std::int64_t begin, std::int64_t end) {
    jobs.jobs.push_back(batch_job(generated_library(), options.seed,
                                  std::make_shared<Batch>(Batch{wrong, begin, end, begin}),
                                  jobs.generated.emplace_back()));
  };
  if (!options.only.empty()) {
    const std::int64_t index = index_of(options.only);
    if (index >= 0) add(options.only[0] == 'g', index, index + 1);
    return;
  }
  for (std::int64_t begin = 0; begin < options.generated; begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, options.generated);
    add(true, begin, end);
    add(false, begin, end);
  }
}

}  // namespace limen::tools
