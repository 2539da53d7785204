// Kernels of limen's activation plugins beside loops written by hand with Highway, SLEEF and
// libmvec (each if it was there when this was built), in one run and taking turns:
//
//   bench_activation_peers [PLUGIN FOLDER]
//
// In cache: ns per element of a tile of 16 KiB, and best of the three / ours (the goal is 0.95).
// Out of cache: GB/s, and the share of what a loop with plain stores and the same traffic reaches.
#include <limen/plugin_registry.hpp>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "activation_peers.hpp"
#include "base/isa.hpp"
#include "peers_list.hpp"  // PEERS_LIST(X): X(library) for each

namespace peers {
#define PEERS_DECLARE(name) const Library& name();
PEERS_LIST(PEERS_DECLARE)
#undef PEERS_DECLARE
}  // namespace peers

namespace {

using peers::Library;
constexpr const char* kNames[] = {"sigmoid", "tanh", "silu", "gelu", "mish"};
constexpr std::size_t kTile = 4096, kLarge = std::size_t{1} << 25;

struct Arrays {
  explicit Arrays(std::size_t n) : x(n), dy(n), out(n, 0.0f) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 3);
    for (std::size_t i = 0; i < n; ++i) x[i] = i < kTile ? normal(random) : x[i % kTile];
    for (std::size_t i = 0; i < n; ++i) dy[i] = i < kTile ? normal(random) : dy[i % kTile];
  }
  std::vector<float> x, dy, out;
};

struct Contestant {
  std::string name;
  std::function<void(const Arrays&, float* out, std::size_t n)> run;
  std::vector<double> seconds = {};
};

// Time of this thread alone: the machine may be busy.
double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Fills `seconds` of each, one after the other in every round.
void race(std::vector<Contestant>& all, Arrays& a, std::size_t n, int calls, int rounds) {
  for (int round = -1; round < rounds; ++round) {  // the first is for warming up
    for (Contestant& c : all) {
      const double start = thread_seconds();
      for (int k = 0; k < calls; ++k) c.run(a, a.out.data(), n);
      const double spent = thread_seconds() - start;
      if (round >= 0) c.seconds.push_back(spent / calls);
    }
  }
}

// The median over rounds of the best of all others against the first.
double ratio_to_first(const std::vector<Contestant>& all) {
  std::vector<double> ratios;
  for (std::size_t r = 0; r < all[0].seconds.size(); ++r) {
    double best = HUGE_VAL;
    for (std::size_t c = 1; c < all.size(); ++c) best = std::min(best, all[c].seconds[r]);
    ratios.push_back(best / all[0].seconds[r]);
  }
  return median(ratios);
}

Contestant plugin(const limen::Activation& activation, bool derivative, std::uint32_t isa) {
  const limen_kernel* kernel = activation.kernel(derivative ? LIMEN_BACKWARD : LIMEN_FORWARD,
                                                 LIMEN_F32, isa, derivative ? LIMEN_X : 0);
  const auto run =
      [=, hyper = std::vector<double>(activation.hyper().begin(), activation.hyper().end())](
          const Arrays& a, float* out, std::size_t n) {
        const void *x = a.x.data(), *dy = a.dy.data();
        void* result = out;
        limen_tile tile{};
        tile.size = sizeof(tile);
        tile.n = n;
        tile.rows = 1;
        tile.row_stride = static_cast<std::int64_t>(n);
        tile.hyper = hyper.data();
        tile.x = &x;
        (derivative ? tile.dx : tile.y) = &result;
        if (derivative) tile.dy = &dy;
        kernel->run(&tile);
      };
  return {"limen", run};
}

std::vector<Contestant> contestants(const limen::Activation& activation, int function,
                                    bool derivative, std::uint32_t isa) {
  std::vector<Contestant> all = {plugin(activation, derivative, isa)};
  const int lanes = isa == limen::kIsaX86V4 ? 16 : 8;
  const auto add = [&](const Library& library) {
    const peers::Loop loop = (derivative ? library.derivative : library.forward)[function];
    if (library.lanes != lanes || loop == nullptr) return;
    all.push_back({library.name, [loop](const Arrays& a, float* out, std::size_t n) {
                     loop(a.x.data(), a.dy.data(), out, n);
                   }});
  };
#define PEERS_ADD(name) add(peers::name());
  PEERS_LIST(PEERS_ADD)
#undef PEERS_ADD
  return all;
}

// What the machine allows: the traffic of an activation and next to no work.
void plain(const float* x, const float* dy, float* out, std::size_t n) {
  if (dy == nullptr) {
    for (std::size_t i = 0; i < n; ++i) out[i] = x[i] * 1.5f;
  } else {
    for (std::size_t i = 0; i < n; ++i) out[i] = x[i] * dy[i];
  }
}

void compare(const limen::Activation& activation, int function, bool derivative, std::uint32_t isa,
             Arrays& small, Arrays& large) {
  const std::string what = fmt::format("{:<8} {:<10} {:<7}", kNames[function],
                                       derivative ? "derivative" : "forward", limen::isa_name(isa));
  std::vector<Contestant> all = contestants(activation, function, derivative, isa);
  race(all, small, kTile, 100, 41);
  std::string line;
  for (const Contestant& c : all) {
    line += fmt::format("  {} {:.3f}", c.name, median(c.seconds) / kTile * 1e9);
  }
  if (all.size() > 1) line += fmt::format("  best/limen {:.2f}", ratio_to_first(all));
  fmt::print("{} ns/element{}\n", what, line);

  std::vector<Contestant> streams = {
      plugin(activation, derivative, isa),
      {"plain stores", [derivative](const Arrays& a, float* out, std::size_t n) {
         plain(a.x.data(), derivative ? a.dy.data() : nullptr, out, n);
       }}};
  race(streams, large, kLarge, 1, 7);
  line.clear();
  for (const Contestant& c : streams) {
    line += fmt::format("  {} {:.1f}", c.name,
                        (derivative ? 12 : 8) * kLarge / median(c.seconds) * 1e-9);
  }
  fmt::print("{} GB/s      {}  share {:.2f}\n", what, line, ratio_to_first(streams));
}

}  // namespace

int main(int argc, char** argv) {
  limen::PluginRegistry registry;
  registry.load_directory(argc > 1 ? argv[1] : LIMEN_PLUGIN_DIRECTORY);
  Arrays small(kTile), large(kLarge);
  for (int function = 0; function < peers::kFunctions; ++function) {
    try {
      const limen::Activation activation = registry.find(kNames[function]);
      for (const bool derivative : {false, true}) {
        for (const std::uint32_t isa : {limen::kIsaX86V4, limen::kIsaX86V3}) {
          if (limen::isa_runs(isa, limen::detect_isa())) {
            compare(activation, function, derivative, isa, small, large);
          }
        }
      }
    } catch (const limen::Error& e) {
      fmt::print("{:<8} left out: {}\n", kNames[function], e.what());
    }
  }
}
