// What the `data` section of a model file says, as plain values with places, so that whoever reads
// the file (YAML or anything else) and whoever loads the data need not know each other.
//
// The reader of the file hands over the value of `data:` as one DataValue (variables and
// expressions already replaced); read_data_spec() checks it against the tables below and makes a
// DataSpec; load_data() of limen/dataset.hpp opens the files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <limen/error.hpp>
#include <limen/tensor.hpp>

namespace limen {

struct DataEntry;

// One value as written. A map keeps the order of the file.
struct DataValue {
  using List = std::vector<DataValue>;
  using Map = std::vector<DataEntry>;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> value;
  Span at;

  bool is_number() const;  // integer or real
  double number() const;   // of either, 0 for anything else
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const List* list() const { return std::get_if<List>(&value); }
  const Map* map() const { return std::get_if<Map>(&value); }
};

struct DataEntry {
  std::string name;
  Span at;  // of the name
  DataValue value;
};

// `mnist`, `{digits: {train: 6000}}`, `{idx: file.gz}`: a data set or source with its arguments.
// Every argument stands under its own name, the main one too, and what was not written with its
// default, if it has one.
struct DataCall {
  std::string kind;
  Span at;
  std::vector<DataEntry> args;

  const DataValue* find(std::string_view name) const;  // null where there is none
  double number(std::string_view name) const;          // 0 where there is none
  bool flag(std::string_view name) const;              // likewise false
  std::string text(std::string_view name) const;       // likewise empty
};

// `val: {take_from: {set: train, last: 5000}}`: examples that leave the other set.
struct TakeFrom {
  std::string set;  // "train" or "test"
  bool last = true;
  std::int64_t count = 0;
  Span at;
};

// One set of the joint form: either a source for each input, or a part of another set.
struct SetSpec {
  struct Input {
    std::string name;
    Span at;
    DataCall source;
  };
  Span at;
  std::vector<Input> inputs;
  std::optional<TakeFrom> take_from;
};

// Exactly one of `dataset` and `train` is there.
struct DataSpec {
  Span at;
  std::optional<DataCall> dataset;
  std::string root;  // as written; sources are relative to it, and it to the model file's folder
  std::optional<SetSpec> train, val, test;
};

// An input of the model that data must feed.
struct DataInput {
  std::string name;
  DType dtype = DType::f32;        // i64 and u8 are held as i32
  std::vector<std::int64_t> dims;  // with the leading size of the examples; -1: free
  Span at;
};

// What an argument may hold.
enum class DataArgType {
  count,  // whole number
  number,
  flag,  // true or false
  text,
  share,       // a count, or a fraction below 1
  portion,     // a share, or a file of its own
  sizes,       // list of whole numbers, one of them may be -1
  columns,     // a column or a list of columns: positions from 0, or names of the header
  missing,     // `drop`, or the number to put there
  fill,        // the number to put there
  vocab,       // `auto`, or the list of texts
  renames,     // map input -> field
  csv_fields,  // map input -> {columns, standardize, vocab, missing}
};

struct DataArgInfo {
  std::string_view name;
  DataArgType type;
  std::string_view standard;  // the default as one would write it; empty: there is none
  std::string_view help;
  bool required = false;
  double least = 0, most = 1e9;  // of count, number and share
};

struct DataKindInfo {
  std::string_view name;
  std::string_view main;  // the argument that `name: scalar` means; empty: none
  std::string_view help;
  std::span<const std::string_view> fields;  // of a data set; empty where the arguments decide
  std::span<const DataArgInfo> args;
};

// The tables: data sets (`data: NAME`) and sources (`image: {NAME: ...}`).
std::span<const DataKindInfo> datasets();
std::span<const DataKindInfo> data_sources();
std::span<const DataArgInfo> csv_field_args();  // keys of one entry of csv's `fields`

// Checks the value of `data:` and fills in defaults. Throws Error with one diagnostic per fault:
// E0103 unknown key, E0202 unknown argument, E0203 missing argument, E0205 wrong type, E0208 out of
// range, E0801 unknown data set, E0802 unknown source, E0804 a section of neither form.
DataSpec read_data_spec(const DataValue& data);

// Checks that every input is fed in every set, without opening a file; E0803 names the input and
// where the data stands. Inputs of csv without `fields` are columns of that name, seen at load
// time.
void check_data_inputs(const DataSpec& spec, std::span<const DataInput> inputs);

}  // namespace limen
