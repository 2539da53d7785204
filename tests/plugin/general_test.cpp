// A general op called as an engine would: shapes first, then values, with strides and threads.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limen/plugin.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace limen::test {
namespace {

using Dims = std::vector<std::int64_t>;

// A tensor with room for eight axes, contiguous unless strides are given.
template <class F>
struct Whole {
  Whole(Dims shape, std::vector<F> numbers) : dims(std::move(shape)), values(std::move(numbers)) {
    dims.resize(8), strides.assign(8, 1);
  }
  limen_tensor view(std::uint32_t rank, bool given_strides = false) {
    std::int64_t step = 1;
    for (std::uint32_t d = rank; !given_strides && d-- > 0; step *= dims[d]) strides[d] = step;
    const std::uint32_t dtype = sizeof(F) == 4 ? LIMEN_F32 : LIMEN_F64;
    return {sizeof(limen_tensor), dtype, rank, 0, dims.data(), strides.data(), values.data()};
  }
  Dims dims, strides;
  std::vector<F> values;
};

const limen_op& maxout() {
  void* library = dlopen(LIMEN_GENERAL_PLUGINS "/general_maxout.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto entry = reinterpret_cast<limen_entry_fn>(dlsym(library, LIMEN_ENTRY_NAME));
  char text[256];
  limen_error error{sizeof error, 0, -1, sizeof text, text};
  return *entry(nullptr, &error)->ops[0];
}

struct Call {
  Call(const limen_op& o, std::vector<double> parameters) : op(o), hyper(std::move(parameters)) {}

  // Runs [begin, end) in two parts, as two threads would.
  static void halves(void*, std::uint64_t n, void (*body)(void*, std::uint64_t, std::uint64_t),
                     void* arg) {
    body(arg, n / 2, n);
    body(arg, 0, n / 2);
  }
  std::int32_t infer(limen_tensor in, limen_tensor out) {
    limen_call call = make(LIMEN_FORWARD, &in, 1, &out);
    const std::int32_t code = op.infer(&call, &error);
    rank = out.rank;
    return code;
  }
  std::int32_t execute(std::uint32_t role, std::vector<limen_tensor> in, limen_tensor out) {
    limen_call call = make(role, in.data(), static_cast<std::uint32_t>(in.size()), &out);
    return op.execute(&call, &error);
  }
  limen_call make(std::uint32_t role, limen_tensor* in, std::uint32_t n_in, limen_tensor* out) {
    limen_call call{};
    call.size = sizeof call, call.role = role, call.hyper = hyper.data();
    call.in = in, call.out = out, call.n_in = n_in, call.n_out = 1, call.parallel = halves;
    return call;
  }
  const limen_op& op;
  std::vector<double> hyper;
  std::uint32_t rank = 0;
  char text[256] = "";
  limen_error error{sizeof error, 0, -1, sizeof text, text};
};

TEST(Maxout, SaysThatItIsAGeneralOp) {
  EXPECT_EQ(maxout().kind, LIMEN_GENERAL);
  EXPECT_EQ(maxout().n_kernels, 0u);
  EXPECT_STREQ(maxout().name, "maxout");
}

TEST(Maxout, DividesItsAxisAndRefusesWhatDoesNotFit) {
  Whole<float> x({4, 6}, std::vector<float>(24)), y({0, 0}, {});
  Call last(maxout(), {3, -1}), first(maxout(), {2, 0}), odd(maxout(), {4, -1}),
      absent(maxout(), {2, 2});
  EXPECT_EQ(last.infer(x.view(2), y.view(2)), LIMEN_OK);
  EXPECT_THAT((Dims{y.dims[0], y.dims[1]}), testing::ElementsAre(4, 2));
  EXPECT_EQ(first.infer(x.view(2), y.view(2)), LIMEN_OK);
  EXPECT_THAT((Dims{y.dims[0], y.dims[1]}), testing::ElementsAre(2, 6));
  EXPECT_EQ(odd.infer(x.view(2), y.view(2)), LIMEN_E_INVALID);
  EXPECT_STREQ(odd.text, "an axis of 6 cannot be cut in 4 equal pieces");
  EXPECT_EQ(odd.error.param, 0);
  EXPECT_EQ(absent.infer(x.view(2), y.view(2)), LIMEN_E_INVALID);
  EXPECT_STREQ(absent.text, "axis 2 of a tensor that has 2");
  EXPECT_EQ(absent.error.param, 1);
}

template <class F>
void takes_the_largest() {
  const F nan = std::nan("");
  Whole<F> x({2, 4}, {1, 5, 3, 5, nan, -2, 7, nan}), y({2, 2}, std::vector<F>(4)),
      dx = x, dy({2, 2}, {10, 20, 30, 40});
  Call call(maxout(), {2, -1});
  ASSERT_EQ(call.execute(LIMEN_FORWARD, {x.view(2)}, y.view(2)), LIMEN_OK);
  EXPECT_EQ(y.values[0], 3);
  EXPECT_EQ(y.values[1], 5);
  EXPECT_TRUE(std::isnan(y.values[2]) && std::isnan(y.values[3]));
  ASSERT_EQ(call.execute(LIMEN_BACKWARD, {x.view(2), y.view(2), dy.view(2)}, dx.view(2)), LIMEN_OK);
  EXPECT_THAT(dx.values, testing::ElementsAre(0, 20, 10, 0, 30, 0, 0, 40))
      << "the first of equals, and a NaN, get the gradient";
}

TEST(Maxout, TakesTheLargestAndGivesItTheGradient) {
  takes_the_largest<float>();
  takes_the_largest<double>();
}

// x[2, 6, 3] as it is, and the same numbers with the axes stored in another order.
TEST(Maxout, ReadsAndWritesAnyStrides) {
  std::vector<double> numbers(36);
  for (std::size_t i = 0; i < 36; ++i) numbers[i] = std::sin(static_cast<double>(i * i));
  for (const int axis : {1, -2}) {
    Whole<double> x({2, 6, 3}, numbers), y({2, 2, 3}, std::vector<double>(12)),
        dy({2, 2, 3}, std::vector<double>(12)), dx = x;
    std::iota(dy.values.begin(), dy.values.end(), 1);
    Whole<double> tx = x, ty = y, tdy = dy, tdx = x;
    for (Whole<double>* t : {&tx, &ty, &tdy, &tdx}) t->strides = {1, 6, 2};
    tx.strides = tdx.strides = {1, 6, 2}, ty.strides = tdy.strides = {1, 6, 2};
    const auto at = [](const Whole<double>& t, int i, int j, int k) {
      return static_cast<std::size_t>(i * t.strides[0] + j * t.strides[1] + k * t.strides[2]);
    };
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 6; ++j) {
        for (int k = 0; k < 3; ++k) {
          tx.values[at(tx, i, j, k)] = numbers[static_cast<std::size_t>(i * 18 + j * 3 + k)];
          if (j < 2) tdy.values[at(tdy, i, j, k)] = i * 6 + j * 3 + k + 1;
        }
      }
    }
    Call call(maxout(), {3, static_cast<double>(axis)});
    call.execute(LIMEN_FORWARD, {x.view(3)}, y.view(3));
    call.execute(LIMEN_FORWARD, {tx.view(3, true)}, ty.view(3, true));
    call.execute(LIMEN_BACKWARD, {x.view(3), y.view(3), dy.view(3)}, dx.view(3));
    call.execute(LIMEN_BACKWARD, {tx.view(3, true), ty.view(3, true), tdy.view(3, true)},
                 tdx.view(3, true));
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 6; ++j) {
        for (int k = 0; k < 3; ++k) {
          EXPECT_EQ(dx.values[at(dx, i, j, k)], tdx.values[at(tdx, i, j, k)]);
          if (j >= 2) continue;
          EXPECT_EQ(y.values[at(y, i, j, k)], ty.values[at(ty, i, j, k)]);
          EXPECT_EQ(y.values[at(y, i, j, k)],
                    std::max({numbers[at(x, i, j, k)], numbers[at(x, i, j + 2, k)],
                              numbers[at(x, i, j + 4, k)]}));
        }
      }
    }
    EXPECT_DOUBLE_EQ(std::accumulate(dx.values.begin(), dx.values.end(), 0.0), 78)
        << "each cotangent goes to one place";
  }
}

TEST(Maxout, RefusesARoleItDoesNotHave) {
  Whole<float> x({2, 2}, std::vector<float>(4));
  Call call(maxout(), {2, -1});
  EXPECT_EQ(call.execute(LIMEN_JVP, {x.view(2)}, x.view(2)), LIMEN_E_UNSUPPORTED);
  EXPECT_STREQ(call.text, "no kernel for role 3 and type 1");
}

}  // namespace
}  // namespace limen::test
