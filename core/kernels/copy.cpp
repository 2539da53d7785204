#include "kernels/copy.hpp"

#include <array>
#include <cstring>

namespace limen {
namespace {

struct Axis {
  std::int64_t size, stride;
};

// Neighbouring axes that are one run of memory (or one repetition) become one axis; axes of size 1
// go.
std::vector<Axis> merged_axes(const Shape& shape, const std::vector<std::int64_t>& strides) {
  std::vector<Axis> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    const Axis axis{shape[i], strides[static_cast<std::size_t>(i)]};
    if (axis.size == 1) continue;
    if (!axes.empty() && axes.back().stride == axis.stride * axis.size) {
      axes.back() = {axes.back().size * axis.size, axis.stride};
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

template <class T>
void copy_run(const T* from, Axis run, T* to) {
  if (run.stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(run.size) * sizeof(T));
  } else if (run.stride == 0) {
    const T value = *from;
    for (std::int64_t i = 0; i < run.size; ++i) to[i] = value;
  } else {
    for (std::int64_t i = 0; i < run.size; ++i) to[i] = from[i * run.stride];
  }
}

template <class T>
void strided_copy(const std::vector<Axis>& axes, Axis run, std::int64_t runs, const T* from,
                  T* to) {
  std::array<std::int64_t, Shape::kMaxRank> index{};
  for (std::int64_t r = 0; r < runs; ++r) {
    copy_run(from, run, to);
    to += run.size;
    for (std::size_t i = axes.size(); i-- > 0;) {  // an odometer over the outer axes
      from += axes[i].stride;
      if (++index[i] < axes[i].size) break;
      from -= axes[i].stride * axes[i].size;
      index[i] = 0;
    }
  }
}

template <class T>
Kernel make(std::vector<Axis> axes, Axis run) {
  std::int64_t runs = 1;
  for (const Axis& axis : axes) runs *= axis.size;
  return [axes = std::move(axes), run, runs](const KernelArgs& args) {
    strided_copy<T>(axes, run, runs, args.input<T>(0), args.output<T>());
  };
}

}  // namespace

Kernel make_strided_copy(const Shape& out, const std::vector<std::int64_t>& strides,
                         std::size_t element_bytes) {
  if (out.elements() == 0) return [](const KernelArgs&) {};
  std::vector<Axis> axes = merged_axes(out, strides);
  Axis run{1, 1};
  if (!axes.empty()) {
    run = axes.back();
    axes.pop_back();
  }
  return element_bytes == 8 ? make<double>(std::move(axes), run)
                            : make<float>(std::move(axes), run);
}

}  // namespace limen
