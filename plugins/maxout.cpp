#include <limen/activation.hpp>

// A call as lines: every operand is a list of rows, and a row of the output is the largest of
// `pieces` rows of x that lie `apart` elements from each other.
struct maxout_lines {
  std::uint64_t rows = 1, length = 1;
  std::uint32_t rank = 0;  // of the axes that count the rows
  std::int64_t dims[8], y_strides[8], x_strides[8];
  std::int64_t apart = 0, y_step = 1, x_step = 1;

  // `packed`: both tensors are contiguous, so that the axes from `axis` on count as one.
  maxout_lines(const limen_tensor& x, const limen_tensor& y, std::uint32_t axis, bool packed) {
    if (packed) {
      for (std::uint32_t d = axis; d < y.rank; ++d) length *= static_cast<std::uint64_t>(y.dims[d]);
      for (std::uint32_t d = 0; d < axis; ++d) rows *= static_cast<std::uint64_t>(y.dims[d]);
      apart = static_cast<std::int64_t>(length);
      rank = 1;
      dims[0] = static_cast<std::int64_t>(rows);
      y_strides[0] = apart;
      x_strides[0] = apart * (x.dims[axis] / y.dims[axis]);
      return;
    }
    rank = y.rank - 1;
    for (std::uint32_t d = 0; d < rank; ++d) {
      rows *= static_cast<std::uint64_t>(dims[d] = y.dims[d]);
      y_strides[d] = y.strides[d], x_strides[d] = x.strides[d];
    }
    length = static_cast<std::uint64_t>(y.dims[rank]);
    apart = y.dims[axis] * x.strides[axis];
    y_step = y.strides[rank], x_step = x.strides[rank];
  }
  std::int64_t offset(std::uint64_t row, const std::int64_t* strides) const {
    std::int64_t at = 0;
    for (std::uint32_t d = rank; d-- > 0;) {
      at += static_cast<std::int64_t>(row) % dims[d] * strides[d];
      row /= static_cast<std::uint64_t>(dims[d]);
    }
    return at;
  }
};

struct maxout {
  static constexpr auto formula = "max(x_i, x_(i + m), x_(i + 2 m), ...), m = n / pieces";
  static constexpr auto latex = R"(\max_j x_{i + j m})";
  static constexpr auto summary = "the largest of several pieces of an axis";
  static constexpr auto reference = "I. Goodfellow et al., ICML 2013";
  static constexpr bool general = true;
  static constexpr limen::param params[] = {
      {"pieces", 2, 1, 1 << 20, "how many pieces the axis is cut in", 0, LIMEN_P_INT},
      {"axis", -1, -8, 7, "which axis; negative counts from the last", 0, LIMEN_P_INT}};

  static std::uint32_t axis_of(double axis, std::uint32_t rank) {
    return static_cast<std::uint32_t>(axis < 0 ? axis + rank : axis);
  }
  static bool infer(const limen::shapes& s) {
    const auto pieces = static_cast<std::int64_t>(s.param(0));
    const auto axis = static_cast<std::int64_t>(s.param(1)), rank = std::int64_t{s.rank()};
    if (axis < -rank || axis >= rank) {
      return s.refuse(1, "axis ", axis, " of a tensor that has ", rank);
    }
    const std::uint32_t d = axis_of(s.param(1), s.rank());
    if (s.dim(d) % pieces != 0) {
      return s.refuse(0, "an axis of ", s.dim(d), " cannot be cut in ", pieces, " equal pieces");
    }
    s.set_dim(d, s.dim(d) / pieces);
    return true;
  }

  // NaN is the largest of all, and the first of equals stays.
  template <class F>
  static bool beats(F a, F b) {
    return a > b || (a != a && b == b);
  }

  template <class F>
  static void forward(const limen::tensors<F>& t) {
    const auto pieces = static_cast<std::int64_t>(t.param(0));
    const maxout_lines lines(t.x(), t.y(), axis_of(t.param(1), t.x().rank),
                             limen::contiguous(t.x()) && limen::contiguous(t.y()));
    t.parallel(lines.rows, [&](std::uint64_t begin, std::uint64_t end) {
      for (std::uint64_t row = begin; row < end; ++row) {
        const F* x = t.values(t.x()) + lines.offset(row, lines.x_strides);
        F* y = t.result(t.y()) + lines.offset(row, lines.y_strides);
        const std::int64_t x_step = lines.x_step, y_step = lines.y_step;
        const auto length = static_cast<std::int64_t>(lines.length);
        for (std::int64_t i = 0; i < length; ++i) y[i * y_step] = x[i * x_step];
        for (std::int64_t j = 1; j < pieces; ++j) {
          const F* piece = x + j * lines.apart;
          for (std::int64_t i = 0; i < length; ++i) {
            const F a = piece[i * x_step], b = y[i * y_step];
            y[i * y_step] = beats(a, b) ? a : b;
          }
        }
      }
    });
  }

  // dy goes to the first of the largest pieces, zero to the others.
  template <class F>
  static void backward(const limen::tensors<F>& t) {
    const auto pieces = static_cast<std::int64_t>(t.param(0));
    const std::uint32_t axis = axis_of(t.param(1), t.x().rank);
    const bool packed =
        limen::contiguous(t.x()) && limen::contiguous(t.dy()) && limen::contiguous(t.dx());
    const maxout_lines in(t.x(), t.dy(), axis, packed), out(t.dx(), t.dy(), axis, packed);
    t.parallel(in.rows, [&](std::uint64_t begin, std::uint64_t end) {
      for (std::uint64_t row = begin; row < end; ++row) {
        const F* x = t.values(t.x()) + in.offset(row, in.x_strides);
        const F* dy = t.values(t.dy()) + in.offset(row, in.y_strides);
        F* dx = t.result(t.dx()) + out.offset(row, out.x_strides);
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(in.length); ++i) {
          std::int64_t best = 0;
          for (std::int64_t j = 1; j < pieces; ++j) {
            if (beats(x[i * in.x_step + j * in.apart], x[i * in.x_step + best * in.apart]))
              best = j;
          }
          for (std::int64_t j = 0; j < pieces; ++j) {
            dx[i * out.x_step + j * out.apart] = j == best ? dy[i * in.y_step] : F(0);
          }
        }
      }
    });
  }
};
LIMEN_ACTIVATION(maxout)
LIMEN_PLUGIN("org.limen.maxout", "1.0.0", .author = "limen")
