#include <limen/dataset.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen {
namespace {

std::size_t bytes_per_example(const TensorType& type) {
  std::int64_t elements = 1;
  for (int axis = 1; axis < type.shape.rank(); ++axis) elements *= type.shape[axis];
  return static_cast<std::size_t>(elements) * size_of(type.dtype);
}

// "f32[N, 784]", with N for the examples and `?` for other free sizes.
std::string declared(const DataInput& input) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : input.dims) {
    sizes.push_back(size >= 0 ? std::to_string(size) : sizes.empty() ? "N" : "?");
  }
  return fmt::format("{}[{}]", name_of(input.dtype), join(sizes));
}

std::string found_type(const TensorType& type) {
  std::vector<std::string> sizes{"N"};
  for (int axis = 1; axis < type.shape.rank(); ++axis) {
    sizes.push_back(std::to_string(type.shape[axis]));
  }
  return fmt::format("{}[{}]", name_of(type.dtype), join(sizes));
}

[[noreturn]] void refuse_fit(const Tensor& field, const DataInput& input, std::string_view set,
                             const std::string& why, std::vector<std::string> help) {
  Span at = input.at;
  at.label = "declared here";
  throw Error(Diagnostic{
      .code = "E0904",
      .message = fmt::format("`{}` of {} does not fit its input: {}", input.name, set, why),
      .spans = {at},
      .notes = {fmt::format("the data is {}, the input {}", found_type(field.type()),
                            declared(input))},
      .help = std::move(help)});
}

// The input's shape with every free size filled in; the first is the number of examples.
Shape wanted_shape(const Tensor& field, const DataInput& input, std::string_view set) {
  const auto& dims = input.dims;
  const Shape& have = field.shape();
  if (dims.empty()) {
    refuse_fit(field, input, set, "it has no axis for the examples",
               {fmt::format("declare it as {}[N]", name_of(input.dtype))});
  }
  std::vector<std::int64_t> sizes(dims.begin(), dims.end());
  sizes[0] = have[0];
  const auto open = std::count_if(sizes.begin() + 1, sizes.end(), [](auto d) { return d < 0; });
  const bool same_rank = static_cast<int>(sizes.size()) == have.rank();
  std::int64_t elements = 1, known = 1;
  for (int axis = 1; axis < have.rank(); ++axis) elements *= have[axis];
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    if (sizes[i] < 0 && open > 1 && same_rank) sizes[i] = have[static_cast<int>(i)];
    if (sizes[i] >= 0 && __builtin_mul_overflow(known, sizes[i], &known)) known = -1;
  }
  if (open == 1 && known > 0 && elements % known == 0) {
    *std::find_if(sizes.begin() + 1, sizes.end(), [](auto d) { return d < 0; }) = elements / known;
    known = elements;
  }
  const bool closed = std::none_of(sizes.begin(), sizes.end(), [](auto d) { return d < 0; });
  if (!closed || known != elements) {
    refuse_fit(
        field, input, set,
        fmt::format("an example has {} {}", elements, elements == 1 ? "element" : "elements"),
        {"declare the input with as many elements, or reshape the data"});
  }
  return Shape(std::span<const std::int64_t>(sizes));
}

void check_whole(const Tensor& field, const DataInput& input, std::string_view set) {
  const auto check = [&](const auto& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = values[i];
      if (value == std::floor(value) &&
          std::abs(value) <= std::numeric_limits<std::int32_t>::max()) {
        continue;
      }
      const auto example =
          static_cast<std::int64_t>(i) /
          std::max<std::int64_t>(1, static_cast<std::int64_t>(values.size()) /
                                        std::max<std::int64_t>(1, field.shape()[0]));
      refuse_fit(
          field, input, set,
          fmt::format("example {} holds {}, which is no 32-bit whole number", example, value),
          {"declare the input as f32"});
    }
  };
  if (field.type().dtype == DType::f32) check(field.as<float>());
  if (field.type().dtype == DType::f64) check(field.as<double>());
}

}  // namespace

Dataset::Dataset(std::vector<Field> fields) : fields_(std::move(fields)) {
  for (const Field& field : fields_) {
    assert(field.values.valid() && field.values.shape().rank() >= 1);
    const std::int64_t size = field.values.shape()[0];
    const Field& first = fields_.front();
    if (&field == &first) size_ = size;
    if (size != size_) {
      throw Error(
          "E0905",
          fmt::format("`{}` has {} examples, `{}` has {}", first.name, size_, field.name, size),
          {"all inputs of a set need the same number of examples"});
    }
  }
}

bool Dataset::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const Field& f) { return f.name == name; });
}

const Tensor& Dataset::field(std::string_view name) const {
  std::vector<std::string> names;
  for (const Field& field : fields_) {
    if (field.name == name) return field.values;
    names.push_back(field.name);
  }
  throw Error("E0803", fmt::format("the data has no field `{}`", name),
              {fmt::format("fields: {}", join(names))});
}

Dataset Dataset::slice(std::int64_t first, std::int64_t count) const {
  assert(first >= 0 && count >= 0 && first + count <= size_);
  std::vector<Field> parts;
  for (const Field& field : fields_) {
    const TensorType& type = field.values.type();
    const std::size_t stride = bytes_per_example(type);
    Tensor part(TensorType{type.shape.with(0, count), type.dtype});
    std::memcpy(part.data(), field.values.data() + static_cast<std::size_t>(first) * stride,
                static_cast<std::size_t>(count) * stride);
    parts.push_back({field.name, std::move(part)});
  }
  return Dataset(std::move(parts));
}

void gather_rows(const Tensor& field, std::span<const std::int64_t> rows, TensorView batch) {
  const std::size_t stride = bytes_per_example(field.type());
  assert(batch.type.dtype == field.type().dtype && batch.type.bytes() == rows.size() * stride);
  std::byte* to = batch.data;
  for (const std::int64_t row : rows) {
    assert(row >= 0 && row < field.shape()[0]);
    std::memcpy(to, field.data() + static_cast<std::size_t>(row) * stride, stride);
    to += stride;
  }
}

Tensor fit_to_input(const Tensor& field, const DataInput& input, std::string_view set) {
  const Shape shape = wanted_shape(field, input, set);
  if (field.type().dtype == input.dtype) return field.reshaped(shape);
  if (input.dtype == DType::i32) check_whole(field, input, set);
  return convert(field, input.dtype).reshaped(shape);
}

}  // namespace limen
