// Data sets in memory: named fields whose first axis counts the examples.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/data_spec.hpp>
#include <limen/tensor.hpp>

namespace limen {

struct Field {
  std::string name;
  Tensor values;  // first axis = examples
};

// Immutable once made; copies share the tensors. Safe to read from many threads.
class Dataset {
 public:
  Dataset() = default;
  // All fields have the same number of examples, else Error E0905 naming two of them.
  explicit Dataset(std::vector<Field> fields);

  std::int64_t size() const { return size_; }  // examples
  const std::vector<Field>& fields() const { return fields_; }
  bool has(std::string_view name) const;
  const Tensor& field(std::string_view name) const;  // throws Error E0803 listing the fields
  // The examples [first, first + count), copied. Both must lie inside.
  Dataset slice(std::int64_t first, std::int64_t count) const;

 private:
  std::vector<Field> fields_;
  std::int64_t size_ = 0;
};

// Copies rows of a field, in the order given, into a batch of the same dtype and example size.
// Allocates nothing. Row numbers must lie inside.
void gather_rows(const Tensor& field, std::span<const std::int64_t> rows, TensorView batch);

// The field as the input wants it: dtype converted (i32 to a float always, a float to i32 where
// every value is a whole number), examples reshaped where the number of elements agrees; a free
// size
// (-1) beyond the first is taken from the data. Throws Error E0904 naming both types otherwise.
// `set` is for messages ("test").
Tensor fit_to_input(const Tensor& field, const DataInput& input, std::string_view set);

struct DataSplit {
  Dataset train;
  std::optional<Dataset> val, test;
};

struct DataOptions {
  std::string folder;      // of the model file; paths are relative to it. Empty: the current one
  std::string library;     // the value of LIMEN_DATA; empty if unset
  std::uint64_t seed = 0;  // of synthetic sets that are given none of their own
};

// Opens or makes the data. With inputs, every set has exactly one field for each of them, of its
// dtype and shape; without, the fields are those of the data set. Throws Error: E0803 an input
// without a field, E0901 a file that is missing or wrong, E0902 a table's cell, E0904 a field that
// does not fit its input, E0905 fields or sets of sizes that do not go together. Messages point at
// the place in the model file.
DataSplit load_data(const DataSpec& spec, std::span<const DataInput> inputs,
                    const DataOptions& options);

}  // namespace limen
