#include "kernels/reduce.hpp"

#include <algorithm>
#include <limits>

#include "base/parallel.hpp"
#include "base/simd.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

constexpr std::int64_t kLanes = 32;     // independent partial results, whatever the vector width
constexpr std::int64_t kBlock = 1024;   // elements per block of a contiguous sum
constexpr std::int64_t kRowBlock = 64;  // rows per block of a column sum
constexpr std::int64_t kGrain = 16384;  // elements read per parallel piece
constexpr std::int64_t kColumnTile = 256;

template <class T>
T larger(T a, T b) {
  return a > b || a != a ? a : b;  // a NaN stays
}

template <class T>
T block_sum(const T* in, std::int64_t n) {
  T lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += in[i + l];
  }
  for (std::int64_t l = 0; i + l < n; ++l) lanes[l] += in[i + l];
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  }
  return lanes[0];
}

template <class T>
T row_sum(const T* in, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    total += static_cast<double>(block_sum(in + i, std::min(kBlock, n - i)));
  }
  return static_cast<T>(total);
}

template <class T>
T row_max(const T* in, std::int64_t n) {
  T best = -std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < n; ++i) best = larger(in[i], best);
  return best;
}

// Columns [begin, end) of one outer slice, at most kColumnTile of them.
template <class T>
void column_sums(const T* __restrict in, std::int64_t count, std::int64_t inner, std::int64_t begin,
                 std::int64_t end, T* __restrict out) {
  T block[kColumnTile];
  const std::int64_t width = end - begin;
  for (std::int64_t i = 0; i < width; ++i) out[begin + i] = 0;
  for (std::int64_t first = 0; first < count; first += kRowBlock) {
    const std::int64_t last = std::min(count, first + kRowBlock);
    for (std::int64_t i = 0; i < width; ++i) block[i] = 0;
    for (std::int64_t c = first; c < last; ++c) {
      const T* row = in + c * inner + begin;
      for (std::int64_t i = 0; i < width; ++i) block[i] += row[i];
    }
    for (std::int64_t i = 0; i < width; ++i) out[begin + i] += block[i];
  }
}

template <class T>
void column_maxima(const T* __restrict in, std::int64_t count, std::int64_t inner,
                   std::int64_t begin, std::int64_t end, T* __restrict out) {
  for (std::int64_t i = begin; i < end; ++i) out[i] = -std::numeric_limits<T>::infinity();
  for (std::int64_t c = 0; c < count; ++c) {
    const T* row = in + c * inner;
    for (std::int64_t i = begin; i < end; ++i) out[i] = larger(row[i], out[i]);
  }
}

template <class T>
void reduce_rows(Reduction kind, const ReduceSizes& s, const T* in, T* out, int threads,
                 std::uint32_t isa) {
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, s.count));
  parallel_ranges(threads, s.outer, grain, [&](std::int64_t begin, std::int64_t end) {
    vectorised(isa, [=] {
      for (std::int64_t o = begin; o < end; ++o) {
        const T* row = in + o * s.count;
        out[o] = kind == Reduction::sum ? row_sum(row, s.count) : row_max(row, s.count);
      }
    });
  });
}

template <class T>
void reduce_columns(Reduction kind, const ReduceSizes& s, const T* in, T* out, int threads,
                    std::uint32_t isa) {
  const std::int64_t tiles = (s.inner + kColumnTile - 1) / kColumnTile;
  const std::int64_t work = std::max<std::int64_t>(1, std::min(kColumnTile, s.inner) * s.count);
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / work);
  parallel_ranges(threads, s.outer * tiles, grain, [&](std::int64_t first, std::int64_t last) {
    vectorised(isa, [=] {
      for (std::int64_t t = first; t < last; ++t) {
        const std::int64_t o = t / tiles, begin = t % tiles * kColumnTile;
        const std::int64_t end = std::min(s.inner, begin + kColumnTile);
        const T* slice = in + o * s.count * s.inner;
        if (kind == Reduction::sum) {
          column_sums(slice, s.count, s.inner, begin, end, out + o * s.inner);
        } else {
          column_maxima(slice, s.count, s.inner, begin, end, out + o * s.inner);
        }
      }
    });
  });
}

}  // namespace

void reduce(Reduction kind, DType dtype, const ReduceSizes& sizes, const void* in, void* out,
            int threads, std::uint32_t isa) {
  dispatch_float(dtype, [&]<class T>(T) {
    const auto* from = static_cast<const T*>(in);
    auto* to = static_cast<T*>(out);
    if (sizes.inner == 1) {
      reduce_rows(kind, sizes, from, to, threads, isa);
    } else {
      reduce_columns(kind, sizes, from, to, threads, isa);
    }
  });
}

}  // namespace limen
