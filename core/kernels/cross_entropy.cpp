#include "kernels/cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <limen/math_scalar.hpp>

#include "base/parallel.hpp"
#include "base/simd.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

constexpr std::int64_t kElementsPerPiece = 8192;

std::int64_t rows_per_piece(std::int64_t classes) {
  return std::max<std::int64_t>(1, kElementsPerPiece / std::max<std::int64_t>(1, classes));
}

// e[i] = exp(z[i] - largest of its row), and the largest of each row. In two passes, so that the
// exponentials of short rows fill whole vectors.
template <class T>
void exponentials(const T* z, std::int64_t rows, std::int64_t classes, T* e, T* largest) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T best = -std::numeric_limits<T>::infinity();
    for (std::int64_t c = 0; c < classes; ++c) {
      const T value = z[r * classes + c];
      best = value > best || value != value ? value : best;
    }
    if (largest != nullptr) largest[r] = best;
    for (std::int64_t c = 0; c < classes; ++c) e[r * classes + c] = z[r * classes + c] - best;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < rows * classes; ++i) e[i] = limen::exp(e[i]);
}

template <class T>
T total(const T* e, std::int64_t n) {
  T sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += e[i];
  return sum;
}

template <class T>
double piece_loss(const CrossEntropySizes& s, std::int64_t begin, std::int64_t end, const T* logits,
                  const std::int32_t* labels, T* e, T* largest) {
  const T* z = logits + begin * s.classes;
  exponentials(z, end - begin, s.classes, e, largest);
  double loss = 0;
  for (std::int64_t r = 0; r < end - begin; ++r) {
    const T* row = z + r * s.classes;
    const std::int32_t label = labels[begin + r];
    if (label < 0 || label >= s.classes) return std::numeric_limits<double>::quiet_NaN();
    const double normaliser = std::log(static_cast<double>(total(e + r * s.classes, s.classes)));
    double hit = static_cast<double>(row[label] - largest[r]);
    if (s.label_smoothing != 0) {
      double sum = 0;
      for (std::int64_t c = 0; c < s.classes; ++c) sum += static_cast<double>(row[c] - largest[r]);
      hit =
          (1 - s.label_smoothing) * hit + s.label_smoothing / static_cast<double>(s.classes) * sum;
    }
    loss += normaliser - hit;
  }
  return loss;
}

template <class T>
void piece_gradient(const CrossEntropySizes& s, std::int64_t begin, std::int64_t end,
                    const T* logits, const std::int32_t* labels, T dloss, T* dlogits) {
  T* d = dlogits + begin * s.classes;
  exponentials<T>(logits + begin * s.classes, end - begin, s.classes, d, nullptr);
  const T factor = dloss / static_cast<T>(s.rows);
  const T spread = static_cast<T>(s.label_smoothing / static_cast<double>(s.classes)) * factor;
  const T hit = static_cast<T>(1 - s.label_smoothing) * factor;
  for (std::int64_t r = 0; r < end - begin; ++r) {
    T* row = d + r * s.classes;
    const std::int32_t label = labels[begin + r];
    if (label < 0 || label >= s.classes) {
      std::fill_n(row, s.classes, std::numeric_limits<T>::quiet_NaN());
      continue;
    }
    const T share = factor / total(row, s.classes);
    for (std::int64_t c = 0; c < s.classes; ++c) row[c] = row[c] * share - spread;
    row[label] -= hit;
  }
}

}  // namespace

// Per piece: the exponentials and the largest of each row, then one f64 for the piece's loss.
std::size_t cross_entropy_scratch(const CrossEntropySizes& sizes, DType dtype) {
  const std::int64_t per = rows_per_piece(sizes.classes);
  const std::int64_t pieces = (sizes.rows + per - 1) / per;
  return static_cast<std::size_t>(sizes.rows * (sizes.classes + 1)) * size_of(dtype) + 64 +
         static_cast<std::size_t>(pieces) * sizeof(double);
}

void cross_entropy(const CrossEntropySizes& sizes, DType dtype, const void* logits,
                   const std::int32_t* labels, void* loss, std::byte* scratch, int threads,
                   std::uint32_t isa) {
  const std::int64_t per = rows_per_piece(sizes.classes);
  const std::int64_t pieces = (sizes.rows + per - 1) / per;
  auto* losses = reinterpret_cast<double*>(scratch);
  dispatch_float(dtype, [&]<class T>(T) {
    const std::size_t head = (static_cast<std::size_t>(pieces) * sizeof(double) + 63) / 64 * 64;
    T* e = reinterpret_cast<T*>(scratch + head);
    T* largest = e + sizes.rows * sizes.classes;
    const T* z = static_cast<const T*>(logits);
    parallel_for(threads, pieces, [&](std::int64_t p) {
      const std::int64_t begin = p * per, end = std::min(sizes.rows, begin + per);
      vectorised(isa, [&] {
        losses[p] =
            piece_loss(sizes, begin, end, z, labels, e + begin * sizes.classes, largest + begin);
      });
    });
    double sum = 0;
    for (std::int64_t p = 0; p < pieces; ++p) sum += losses[p];
    *static_cast<T*>(loss) = static_cast<T>(sum / static_cast<double>(sizes.rows));
  });
}

void cross_entropy_vjp(const CrossEntropySizes& sizes, DType dtype, const void* logits,
                       const std::int32_t* labels, const void* dloss, void* dlogits, int threads,
                       std::uint32_t isa) {
  dispatch_float(dtype, [&]<class T>(T) {
    const T* z = static_cast<const T*>(logits);
    const T factor = *static_cast<const T*>(dloss);
    T* d = static_cast<T*>(dlogits);
    parallel_ranges(threads, sizes.rows, rows_per_piece(sizes.classes),
                    [&](std::int64_t begin, std::int64_t end) {
                      vectorised(isa,
                                 [&] { piece_gradient(sizes, begin, end, z, labels, factor, d); });
                    });
  });
}

void softmax_rows(std::int64_t rows, std::int64_t classes, DType dtype, const void* in, void* out,
                  int threads, std::uint32_t isa) {
  dispatch_float(dtype, [&]<class T>(T) {
    const T* z = static_cast<const T*>(in);
    T* y = static_cast<T*>(out);
    parallel_ranges(threads, rows, rows_per_piece(classes),
                    [&](std::int64_t begin, std::int64_t end) {
                      vectorised(isa, [&] {
                        exponentials<T>(z + begin * classes, end - begin, classes,
                                        y + begin * classes, nullptr);
                        for (std::int64_t r = begin; r < end; ++r) {
                          T* row = y + r * classes;
                          const T share = 1 / total(row, classes);
                          for (std::int64_t c = 0; c < classes; ++c) row[c] *= share;
                        }
                      });
                    });
  });
}

}  // namespace limen
