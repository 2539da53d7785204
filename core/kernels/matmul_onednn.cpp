// f32 products by oneDNN: one primitive per piece of C, made and run under one OpenMP thread, so
// that the bits cannot depend on the number of threads. The only file that knows oneDNN (2.6 API).
#include "kernels/matmul.hpp"

#ifdef LIMEN_WITH_ONEDNN

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <vector>

#include <limen/plugin.h>
#include <dnnl.hpp>

#include "base/parallel.hpp"

namespace limen {
namespace {

using dnnl::memory;

dnnl::engine cpu_engine() { return dnnl::engine(dnnl::engine::kind::cpu, 0); }

memory::desc matrix(std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                    std::int64_t column_stride) {
  return {{rows, columns}, memory::data_type::f32, memory::dims{row_stride, column_stride}};
}

// A primitive with its memory objects. The handles are moved to the operands of each call; a piece
// is run by one thread at a time.
class PieceOfProduct {
 public:
  PieceOfProduct(const MatmulSpec& s, std::int64_t first_row, std::int64_t rows)
      : engine_(cpu_engine()),
        stream_(engine_),
        offset_a_(s.transpose_a ? first_row : first_row * s.lda()),
        offset_c_(first_row * s.n) {
    const auto da = matrix(rows, s.k, s.transpose_a ? 1 : s.lda(), s.transpose_a ? s.lda() : 1);
    const auto db = matrix(s.k, s.n, s.transpose_b ? 1 : s.ldb(), s.transpose_b ? s.ldb() : 1);
    const auto dc = matrix(rows, s.n, s.n, 1);
    const auto dbias = matrix(1, s.n, s.n, 1);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    using Product = dnnl::matmul;
    const auto description = s.bias ? Product::desc(da, db, dbias, dc) : Product::desc(da, db, dc);
    const Product::primitive_desc chosen(description, attributes, engine_);
    primitive_ = Product(chosen);
    scratch_bytes_ = chosen.scratchpad_desc().get_size();
    add(DNNL_ARG_SRC, da);
    add(DNNL_ARG_WEIGHTS, db);
    add(DNNL_ARG_DST, dc);
    add(DNNL_ARG_SCRATCHPAD, chosen.scratchpad_desc());
    if (s.bias) add(DNNL_ARG_BIAS, dbias);
    for (const Operand& operand : operands_)
      args_.push_back({operand.argument, operand.memory.get()});
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }

  // False: oneDNN failed (it allocates inside).
  bool run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch) const {
    set(0, const_cast<float*>(a) + offset_a_);
    set(1, const_cast<float*>(b));
    set(2, c + offset_c_);
    set(3, scratch);
    if (bias != nullptr) set(4, const_cast<float*>(bias));
    // The C call: the C++ one builds a vector of arguments each time.
    return dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(args_.size()),
                                  args_.data()) == dnnl_success;
  }

 private:
  struct Operand {
    int argument;
    dnnl::memory memory;
  };

  void add(int argument, const memory::desc& description) {
    operands_.push_back({argument, memory(description, engine_, nullptr)});
  }
  void set(std::size_t operand, void* data) const {
    dnnl_memory_set_data_handle(operands_[operand].memory.get(), data);
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::ptrdiff_t offset_a_, offset_c_;
  dnnl::primitive primitive_;
  std::size_t scratch_bytes_ = 0;
  std::vector<Operand> operands_;
  std::vector<dnnl_exec_arg_t> args_;
};

std::vector<PieceOfProduct> make_pieces(const MatmulSpec& s) {
  const MatmulPieces pieces = cut_matmul(s);
  std::vector<PieceOfProduct> made;
  made.reserve(static_cast<std::size_t>(pieces.count));
  for (std::int64_t i = 0; i < pieces.count; ++i) {
    made.emplace_back(s, i * pieces.size, pieces.rows(i, s.m));
  }
  return made;
}

}  // namespace

bool onednn_available() { return true; }

MatmulKernel make_matmul_onednn(const MatmulSpec& spec, const Target& target) {
  // Process-wide and only before oneDNN's first use; later calls are refused, which is harmless.
  if (target.isa < LIMEN_ISA_X86_V4) {
    dnnl_set_max_cpu_isa(target.isa < LIMEN_ISA_X86_V3 ? dnnl_cpu_isa_sse41 : dnnl_cpu_isa_avx2);
  }
  const OneThreadScope one_thread;
  auto pieces = std::make_shared<const std::vector<PieceOfProduct>>(make_pieces(spec));
  std::size_t each = 0;
  for (const PieceOfProduct& piece : *pieces) each = std::max(each, piece.scratch_bytes());
  each = (each + 63) / 64 * 64;
  const int threads = target.threads;
  MatmulKernel kernel;
  // One scratch per piece: pieces may run at the same time.
  kernel.scratch_bytes = each * (threads > 1 ? pieces->size() : 1);
  kernel.run = [pieces, each, threads](const void* a, const void* b, const void* bias, void* c,
                                       std::byte* scratch) {
    std::atomic<bool> failed = false;  // pieces must not throw
    parallel_for(threads, static_cast<std::int64_t>(pieces->size()), [&](std::int64_t i) {
      if (!(*pieces)[static_cast<std::size_t>(i)].run(
              static_cast<const float*>(a), static_cast<const float*>(b),
              static_cast<const float*>(bias), static_cast<float*>(c),
              scratch + (threads > 1 ? each * static_cast<std::size_t>(i) : 0))) {
        failed = true;
      }
    });
    if (failed) throw std::bad_alloc();  // the one reason for a product that could be made to fail
  };
  return kernel;
}

}  // namespace limen

#else

namespace limen {
bool onednn_available() { return false; }
MatmulKernel make_matmul_onednn(const MatmulSpec& spec, const Target& target) {
  return make_matmul_eigen(spec, DType::f32, target);
}
}  // namespace limen

#endif
