// The reference product, and the only one in f64.
#define EIGEN_DONT_PARALLELIZE  // the parallel loop is ours
#include <Eigen/Core>

#include "base/parallel.hpp"
#include "kernels/matmul.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Block = Eigen::Map<const RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <class T>
using Out = Eigen::Map<RowMajor<T>, Eigen::Unaligned, Eigen::OuterStride<>>;

// Rows [r, r + rows) of C.
template <class T>
void multiply(const MatmulSpec& s, std::int64_t r, std::int64_t rows, const T* a, const T* b,
              const T* bias, T* c) {
  const Eigen::OuterStride<> stride_a(s.lda()), stride_b(s.ldb());
  const Block<T> pa(a + (s.transpose_a ? r : r * s.lda()), s.transpose_a ? s.k : rows,
                    s.transpose_a ? rows : s.k, stride_a);
  const Block<T> pb(b, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n, stride_b);
  Out<T> pc(c + r * s.n, rows, s.n, Eigen::OuterStride<>(s.n));
  if (s.k == 0) {
    pc.setZero();
  } else if (s.transpose_a && s.transpose_b) {
    pc.noalias() = pa.transpose() * pb.transpose();
  } else if (s.transpose_a) {
    pc.noalias() = pa.transpose() * pb;
  } else if (s.transpose_b) {
    pc.noalias() = pa * pb.transpose();
  } else {
    pc.noalias() = pa * pb;
  }
  if (bias != nullptr) {
    pc.rowwise() += Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>(bias, s.n);
  }
}

}  // namespace

MatmulKernel make_matmul_eigen(const MatmulSpec& spec, DType dtype, const Target& target) {
  const MatmulPieces pieces = cut_matmul(spec);
  const int threads = target.threads;
  return dispatch_float(dtype, [&]<class T>(T) {
    return MatmulKernel{[spec, pieces, threads](const void* a, const void* b, const void* bias,
                                                void* c, std::byte*) {
      if (spec.m == 0 || spec.n == 0) return;
      parallel_for(threads, pieces.count, [&](std::int64_t i) {
        multiply(spec, i * pieces.size, pieces.rows(i, spec.m), static_cast<const T*>(a),
                 static_cast<const T*>(b), static_cast<const T*>(bias), static_cast<T*>(c));
      });
    }};
  });
}

}  // namespace limen
