// The tests of one pair of element-wise kernels along one line through its arguments.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "check/activation.hpp"
#include "check/integral.hpp"
#include "check/map_scan.hpp"

namespace limen::check {

// What a test says about one point.
struct Finding {
  Point point;
  Judgement judgement;
};
using Findings = std::vector<Finding>;

// Whether `error` at one place is of the kind that the errors around it are: rounding scatters, of
// either sign and at most `most`, where a mistake does not.
bool scatters(const Row& got, const Row& right, double error, double most);

// max |f| or |b| at x where other inputs have other signs or are 0: the size of terms of which they
// may have left little (1 + tanh far out, h - tanh(n) where these are close).
double size_elsewhere(const ActivationContext& context, const KernelPair& pair, const Slice& slice,
                      double x, bool of_f);

// How far apart numbers lie that an f32 kernel's f tells from each other beside x, where `exact`
// tells all: twice as many of 17 (x + 1000 is rounded in f). 0 if it tells all too, and if it does
// not tell numbers that lie farther apart (a table, half precision) but where the domain ends
// nearer.
double grain(const std::function<Row(const Row&)>& f, MapFunction& exact, double x);

class MapCheck;
// The checks of one slice, in the order in which kernels were met.
using Peers = std::vector<std::unique_ptr<MapCheck>>;

// One pair of kernels on one slice. A pair that gives the same bits as an earlier one at every
// place looked at takes over what was found out about that one.
class MapCheck {
 public:
  using Part = Findings (MapCheck::*)();

  // `exact`: the f64 kernel that an f32 one is held against, or nullptr.
  MapCheck(const ActivationContext& context, const KernelPair& pair, const limen_kernel* exact,
           const Slice& slice, std::size_t slices, const Peers& peers);

  // What the twin says, if there is one.
  const Findings& findings(const char* test, Part part) {
    if (twin_ != nullptr) return twin_->findings(test, part);
    const auto [at, fresh] = found_.try_emplace(test);
    if (fresh) at->second = (this->*part)();
    return at->second;
  }

  Findings pointwise();
  Findings integral();
  Findings declared_kinks();
  Findings undeclared_kinks();
  Findings precision();
  // At places that the comparison with the twin leaves out: a kernel may hang or crash there.
  Findings extremes();
  Findings not_a_number();
  // Lets a guess at the mistake ask the function.
  void testify(Evidence& evidence);

 private:
  const ActivationContext& context_;
  const KernelPair pair_;
  const limen_kernel* exact_;
  const Slice& slice_;
  std::size_t slices_;
  MapFunction function_;
  Precision precision_;
  double low_, high_;         // the domain
  MapCheck* twin_ = nullptr;  // an earlier one with equal values
  MapCheck* same_f_ = this;   // whose f has the same bits, and which keeps the derivatives
  MapScan scan_;              // empty where there is a twin
  Row probes_, f_, b_;        // places, and values there, of many draws; the last are dense_
  Row dense_;
  std::map<double, Derivative> derivatives_;
  std::map<std::string_view, Findings> found_;

  int points() const {
    if (context_.brief || slice_.brief) return kBriefPoints;
    const int all = context_.options.points / (context_.first ? 1 : 4);
    return slices_ == 1 ? all : std::max(24, all / 4);
  }
  void compare_with(const Peers& peers, MapFunction& many);
  std::vector<const Derivative*> derivatives(const Row& x);
  const Derivative& derivative(double x) { return *derivatives({x})[0]; }
  Row allowances(const Row& x, const Row& slopes);
  // Closely spaced places and round numbers, for comparisons that cost next to nothing at each: a
  // kernel may be wrong in a narrow band or at one number only.
  Row dense() const;
  std::span<const double> at_dense() const { return std::span(b_).last(dense_.size()); }
  Row all_outputs(const Row& x);
  bool is_slope_near_zero(double x, double got);
  MapFunction exact_function() const;  // the f64 kernel that this one is held against
  Row suspicious();
  double allowance(double x, double slope) { return allowances({x}, {slope})[0]; }
  Tolerance tolerance(double x, const Derivative& d, double allowed) const;
  Tolerance tolerance(double x, const Derivative& d) {
    return tolerance(x, d, allowance(x, d.value));
  }
  IntegralSubject subject();
  Point point(std::size_t i, std::size_t n, double x, double y, double got) const;
  bool steps_hide(double x, double got, const Derivative& d);
  void doubt(double x, double got, const Derivative& d, Judgement& judgement);
  bool integral_confirms(double x, double got);
  bool blurred(double x, const Derivative& d);
  void leave_out(Findings& findings, std::size_t suspicious,
                 const std::vector<const Derivative*>& d);
  bool moved_threshold(MapFunction& exact, double x, double got, double expected, double bound);
  // How many values f has at 17 places from x on.
  std::size_t different_values(double x, double distance);
  bool rounds_so(MapFunction& exact, double x, double error);
  bool out_of_range(double x, double got);
  void extreme_upstreams(Findings& findings);
  void huge_slopes(Findings& findings);
  std::optional<Finding> far_slope(double center);
  Findings precision_at(const Row& x, const Row& y, const Row& got);
};

}  // namespace limen::check
