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

// One piece of C: rows [r, r + rows), columns [c, c + columns).
struct Piece {
  std::int64_t r, rows, c, columns;
};

template <class T>
void multiply(const MatmulSpec& s, const Piece& p, const T* a, const T* b, const T* bias, T* c) {
  const Eigen::OuterStride<> stride_a(s.lda()), stride_b(s.ldb());
  const Block<T> pa(a + (s.transpose_a ? p.r : p.r * s.lda()), s.transpose_a ? s.k : p.rows,
                    s.transpose_a ? p.rows : s.k, stride_a);
  const Block<T> pb(b + (s.transpose_b ? p.c * s.ldb() : p.c), s.transpose_b ? p.columns : s.k,
                    s.transpose_b ? s.k : p.columns, stride_b);
  Out<T> pc(c + p.r * s.n + p.c, p.rows, p.columns, Eigen::OuterStride<>(s.n));
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
    pc.rowwise() += Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>(bias + p.c, p.columns);
  }
}

}  // namespace

MatmulKernel make_matmul_eigen(const MatmulSpec& spec, DType dtype, const Target& target) {
  const MatmulPieces pieces = cut_matmul(spec);
  const int threads = target.threads;
  return dispatch_float(dtype, [&]<class T>(T) {
    return MatmulKernel{[spec, pieces, threads](const void* a, const void* b, const void* bias,
                                                void* c, std::byte*) {
      parallel_for(threads, pieces.count, [&](std::int64_t i) {
        const std::int64_t begin = i * pieces.size;
        const std::int64_t size = std::min(pieces.size, (pieces.columns ? spec.n : spec.m) - begin);
        const Piece piece =
            pieces.columns ? Piece{0, spec.m, begin, size} : Piece{begin, size, 0, spec.n};
        if (piece.rows == 0 || piece.columns == 0) return;
        multiply(spec, piece, static_cast<const T*>(a), static_cast<const T*>(b),
                 static_cast<const T*>(bias), static_cast<T*>(c));
      });
    }};
  });
}

}  // namespace limen
