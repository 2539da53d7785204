// What plugins cost before they compute: looking through a folder of 100, opening all of them, and
// one call of a kernel. Medians over child processes, since a library is never unmapped.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <limen/plugin_registry.hpp>

#include "base/isa.hpp"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kFiles = 100, kProcesses = 31;

double ns_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void replace_all(std::string& bytes, const std::string& from, const std::string& to) {
  for (std::size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1)) {
    bytes.replace(at, from.size(), to);
  }
}

// relu under 100 names of the same length.
void write_plugins(const fs::path& folder) {
  std::ifstream in(fs::path(LIMEN_PLUGIN_DIRECTORY) / "relu.so", std::ios::binary);
  const std::string relu((std::istreambuf_iterator<char>(in)), {});
  for (int i = 0; i < kFiles; ++i) {
    std::string bytes = relu;
    replace_all(bytes, "org.limen.", "org.bench.");
    replace_all(bytes, std::string("relu\0", 5), fmt::format("r{:03}", i) + '\0');
    // The linker's build id: equal ones make the registry compare whole files.
    const std::string note("\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0", 16);
    const std::size_t id = bytes.find(note);
    if (id != std::string::npos) bytes.replace(id + note.size(), 4, fmt::format("{:04}", i));
    std::ofstream(folder / fmt::format("r{:03}.so", i), std::ios::binary) << bytes;
  }
}

struct Costs {
  double catalogue = 0, open = 0;
};

Costs load_once(const fs::path& folder) {
  Costs costs;
  limen::PluginRegistry registry;
  Clock::time_point begin = Clock::now();
  registry.load_directory(folder);
  costs.catalogue = ns_since(begin);
  begin = Clock::now();
  const std::size_t opened = registry.plugins().size();
  costs.open = ns_since(begin);
  if (opened != kFiles) {
    fmt::print(stderr, "{} of {} plugins could be opened\n", opened, kFiles);
    for (const limen::Diagnostic& d : registry.problems()) fmt::print(stderr, "{}\n", d.message);
    std::_Exit(1);
  }
  return costs;
}

// Medians in milliseconds over processes of `program`, which look through `plugins`.
Costs in_children(const fs::path& program, const fs::path& plugins) {
  std::vector<double> catalogue, open;
  for (int i = -1; i < kProcesses; ++i) {
    FILE* child = popen(fmt::format("'{}' '{}'", program.string(), plugins.string()).c_str(), "r");
    double first = 0, second = 0;
    const bool good = child != nullptr && std::fscanf(child, "%lf %lf", &first, &second) == 2;
    if (child == nullptr || pclose(child) != 0 || !good) std::exit(1);
    if (i < 0) continue;  // contents that are new are probed
    catalogue.push_back(first), open.push_back(second);
  }
  return {median(catalogue), median(open)};
}

void print(const char* whose, const Costs& costs) {
  fmt::print("100 plugins {:<12}  catalogue {:.2f} ms  open {:.2f} ms\n", whose, costs.catalogue,
             costs.open);
}

// Nanoseconds of one call on n elements; the best of several, as everything else only adds.
double call_ns(const limen::Activation& f, std::uint64_t n) {
  const limen_kernel* kernel = f.kernel(LIMEN_FORWARD, LIMEN_F32, limen::detect_isa());
  std::vector<float> x(n, 0.5f), y(n);
  const void* in[] = {x.data()};
  void* out[] = {y.data()};
  limen_tile tile{};
  tile.size = sizeof tile;
  tile.n = n, tile.rows = 1, tile.row_stride = static_cast<std::int64_t>(n);
  tile.hyper = f.hyper().data();
  tile.x = in, tile.y = out;
  constexpr int kCalls = 20000;
  double best = 1e9;
  for (int repeat = 0; repeat < 50; ++repeat) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) kernel->run(&tile);
    best = std::min(best, ns_since(begin) / kCalls);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const Costs costs = load_once(argv[1]);
    return fmt::print("{} {}\n", costs.catalogue / 1e6, costs.open / 1e6), 0;
  }
  std::string root = (fs::temp_directory_path() / "limen-loading.XXXXXX").string();
  if (mkdtemp(root.data()) == nullptr) return 1;
  setenv("LIMEN_CACHE", (root + "/cache").c_str(), 1);
  // A prefix of its own: limen's own plugins are those in lib/limen/plugins beside the program.
  const fs::path program = root + "/bin/loading", own = root + "/lib/limen/plugins";
  fs::create_directory(root + "/bin");
  fs::copy_file("/proc/self/exe", program);
  for (const fs::path& folder : {own, fs::path(root + "/others")}) {
    fs::create_directories(folder);
    write_plugins(folder);
  }
  print("of limen", in_children(program, own));
  print("of others", in_children(program, root + "/others"));
  fs::remove_all(root);
  limen::PluginRegistry registry;
  registry.load_directory(LIMEN_PLUGIN_DIRECTORY);
  fmt::print("{:<12}{:>10}{:>10}{:>10}   ns a call, f32 forward\n", "elements", 1, 8, 64);
  for (const char* name : {"relu", "leaky_relu", "sigmoid"}) {
    const limen::Activation f = registry.find(name);
    fmt::print("{:<12}{:>10.1f}{:>10.1f}{:>10.1f}\n", name, call_ns(f, 1), call_ns(f, 8),
               call_ns(f, 64));
  }
}
