// Values and vector-Jacobian products of PyTorch, kinks included: tests/golden/make_activations.py.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "family/kernels.hpp"

namespace limen::test {
namespace {

struct Block {
  std::string kind, name;
  std::map<std::string, double> with;
  std::vector<std::vector<double>> columns;  // x y dy dx, or a b y dy da db
};

Block read_head(const std::string& line) {
  std::istringstream words(line);
  Block block;
  words >> block.kind >> block.name;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    block.with[word.substr(0, equals)] = std::stod(word.substr(equals + 1));
  }
  block.columns.resize(block.kind == "pair" ? 6 : 4);
  return block;
}

std::vector<Block> read_blocks() {
  std::ifstream file(LIMEN_SOURCE_DIR "/tests/golden/activations.txt");
  std::vector<Block> blocks;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    if (std::isalpha(static_cast<unsigned char>(line[0]))) {
      blocks.push_back(read_head(line));
      continue;
    }
    std::istringstream numbers(line);
    for (auto& column : blocks.back().columns) numbers >> column.emplace_back();
  }
  return blocks;
}

template <class F>
struct Checked {
  Activation a;
  std::vector<std::vector<F>> in;  // as in the block
  std::vector<std::vector<F>> out;

  void run(const limen_kernel* k, std::vector<F>* y) {
    const bool pair = in.size() == 6;
    const std::size_t n = in[0].size(), inputs = pair ? 2 : 1;
    out.assign(2, std::vector<F>(n));
    const void *xs[] = {in[0].data(), in[1].data()}, *dys[] = {in[inputs + 1].data()};
    void *ys[] = {y->data()}, *dxs[] = {out[0].data(), out[1].data()};
    limen_tile t{};
    t.size = sizeof t;
    t.flags = LIMEN_TILE_EVAL;
    t.n = n, t.rows = 1;
    t.row_stride = static_cast<std::int64_t>(n);
    t.hyper = a.hyper().data();
    t.x = xs, t.y = ys, t.dy = dys, t.dx = dxs;
    k->run(&t);
  }
};

template <class F>
void expect_near(F got, double want, double scale) {
  const double relative = sizeof(F) == 4 ? 4 * 0x1p-23 : 1e-12;
  const double absolute = sizeof(F) == 4 ? 4 * 0x1p-23 * scale : 1e-14;
  EXPECT_NEAR(got, want, relative * std::abs(want) + absolute);
}

template <class F>
void expect_block(const Block& block) {
  SCOPED_TRACE(block.name + (sizeof(F) == 4 ? " f32" : " f64"));
  Checked<F> c{shipped().find(block.name).with(block.with), {}, {}};
  for (const auto& column : block.columns) c.in.emplace_back(column.begin(), column.end());
  const std::size_t inputs = block.kind == "pair" ? 2 : 1, n = c.in[0].size();
  std::vector<F> y(n);
  for (const limen_kernel* k : kernels<F>(c.a, LIMEN_FORWARD)) {
    c.run(k, &y);
    for (std::size_t i = 0; i < n; ++i) {
      SCOPED_TRACE(block.columns[0][i]);
      expect_near(y[i], block.columns[inputs][i], 0x1p-10);
    }
  }
  for (const limen_kernel* k : kernels<F>(c.a, LIMEN_BACKWARD)) {
    c.run(k, &y);
    for (std::size_t i = 0; i < n; ++i) {
      SCOPED_TRACE(block.columns[0][i]);
      for (std::size_t j = 0; j < inputs; ++j) {
        expect_near(c.out[j][i], block.columns[inputs + 2 + j][i], 2);  // |dy| <= 2
      }
    }
  }
}

TEST(FamilyPyTorch, ValuesAndProductsAgree) {
  const std::vector<Block> blocks = read_blocks();
  EXPECT_EQ(blocks.size(), 36u);
  for (const Block& block : blocks) {
    expect_block<float>(block);
    expect_block<double>(block);
  }
}

}  // namespace
}  // namespace limen::test
