#include <limen/activation.hpp>

struct sparsemax {
  static constexpr auto formula = "max(x_i - tau, 0), with tau such that the sum is 1";
  static constexpr auto latex = R"(\operatorname{argmin}_{p \in \Delta} \|p - x\|^2)";
  static constexpr auto summary = "scores along an axis as probabilities, most of them 0";
  static constexpr auto reference = "A. Martins, R. Astudillo, ICML 2016";
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1, .lipschitz = 1};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{1, 0.375}, {0.75, 0.125}, {1.125, 0.5}, {0.5, 0},
                                            {-3, 0},    {0, 0},        {-40, 0},     {0.625, 0}};

  // x - max, 0 at the maximum even where that is infinite.
  static auto below(auto x, auto max) { return x == max ? 0 : x - max; }

  // The threshold below the maximum: Newton steps from -1 upwards, each with the support of the one
  // before, until it stays the same.
  static auto threshold(const auto& r, auto max) {
    auto tau = 0 * max - 1;
    if (abs(max) == limen::kInfinity) {  // one infinity takes all; several have no limit
      const auto largest = r.sum([=](auto x) { return x == max ? 1 : 0; }, r.x);
      return largest > 1 ? tau * limen::kNaN : 0 * largest - 1;
    }
    for (auto before = tau - 1; before < tau;) {
      before = tau;
      decltype(tau) m[2];  // how many are above, and their sum
      LIMEN_ROLLED
      for (int j = 0; j < 2; ++j) {
        m[j] = r.sum(
            [=](auto x) {
              const auto d = below(x, max);
              return d > before ? (j == 0 ? 1 : d) : 0;
            },
            r.x);
      }
      const auto next = (m[1] - 1) / m[0];
      tau = next > before ? next : before;
    }
    return tau;
  }
  static void project(const auto& r, auto* y) {
    const auto max = r.max(r.x), tau = threshold(r, max);
    r.map(
        y, [=](auto x) { return limen::max(below(x, max) - tau, 0); }, r.x);
  }
  static void forward(const auto& r) { project(r, r.y); }

  // The mean over the support is taken away there; the rest is 0.
  static auto mean(const auto& r, const auto* y, const auto* of) {
    const auto count = r.sum([](auto p) { return p > 0 ? 1 : 0; }, y);
    return r.sum([](auto p, auto v) { return p > 0 ? v : 0; }, y, of) / count;
  }
  static void backward(const auto& r) {
    const auto m = mean(r, r.y, r.dy);
    r.map(
        r.dx, [=](auto p, auto dy) { return p > 0 ? dy - m : 0; }, r.y, r.dy);
  }
  static void jvp(const auto& r) {
    const auto y = r.y ? r.y : r.ty;
    project(r, y);
    const auto m = mean(r, y, r.tx);
    r.map(
        r.ty, [=](auto p, auto tx) { return p > 0 ? tx - m : 0; }, y, r.tx);
  }
  static void backward2(const auto& r) {
    const auto max = r.max(r.x), tau = threshold(r, max);
    const auto kept = [=](auto x) { return below(x, max) > tau; };
    const auto count = r.sum([=](auto x) { return kept(x) ? 1 : 0; }, r.x);
    const auto m = r.sum([=](auto x, auto gx) { return kept(x) ? gx : 0; }, r.x, r.gx) / count;
    r.map(
        r.gy, [=](auto x, auto gx) { return kept(x) ? gx - m : 0; }, r.x, r.gx);
    r.map(
        r.dx, [](auto) { return 0; }, r.gx);
  }
};
LIMEN_ACTIVATION(sparsemax)
LIMEN_PLUGIN("org.limen.sparsemax", "1.0.0", .author = "limen")
