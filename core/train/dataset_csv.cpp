#include "train/dataset_csv.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/csv.hpp"
#include "train/dataset_load.hpp"

namespace limen {
namespace {

using Rows = std::vector<std::int64_t>;

// How one field is read, from its entry in `fields`.
struct CsvField {
  std::string name;
  Span at;
  std::vector<DataValue> columns{};
  bool standardize = false;
  bool drop_missing = false;
  std::optional<double> fill{};
  bool has_vocab = false;
  std::map<std::string, double, std::less<>> vocab{};  // filled from the training rows for `auto`
};

std::vector<DataValue> column_list(const DataValue& value) {
  return value.list() != nullptr ? *value.list() : std::vector<DataValue>{value};
}

// The columns' positions in this table.
std::vector<std::int64_t> resolve(const std::vector<DataValue>& columns, const Csv& csv) {
  std::vector<std::int64_t> positions;
  for (const DataValue& column : columns) {
    if (const auto* name = column.text()) {
      positions.push_back(csv.column(*name));
      continue;
    }
    const auto position = static_cast<std::int64_t>(column.number());
    if (position >= csv.columns()) {
      throw Error(
          "E0902",
          fmt::format("{}: no column {}, the table has {}", csv.name(), position, csv.columns()),
          {"positions count from 0"});
    }
    positions.push_back(position);
  }
  return positions;
}

Csv open_csv(const DataCall& call, const std::string& path) {
  const std::string delimiter = call.text("delimiter");
  std::optional<bool> header;
  if (call.find("header") != nullptr) header = call.flag("header");
  return Csv::read(path, delimiter.front(), header);
}

CsvField described_field(const DataEntry& entry) {
  const DataCall args{.kind = {}, .at = entry.at, .args = *entry.value.map()};
  CsvField field{.name = entry.name, .at = entry.at};
  const DataValue* columns = args.find("columns");
  field.columns =
      columns != nullptr ? column_list(*columns) : std::vector<DataValue>{{entry.name, entry.at}};
  field.standardize = args.flag("standardize");
  if (const DataValue* missing = args.find("missing")) {
    field.drop_missing = missing->text() != nullptr;
    if (missing->is_number()) field.fill = missing->number();
  }
  if (const DataValue* vocab = args.find("vocab")) {
    field.has_vocab = true;
    double number = 0;
    for (const DataValue& text : vocab->list() != nullptr ? *vocab->list() : DataValue::List{}) {
      field.vocab.emplace(*text.text(), number++);
    }
  }
  return field;
}

// `fields` as written; else a column for each input; else every column of the table.
std::vector<CsvField> fields_of(const DataCall& call, std::span<const DataInput> inputs,
                                const Csv& csv) {
  std::vector<CsvField> fields;
  if (const DataValue* written = call.find("fields")) {
    for (const DataEntry& entry : *written->map()) fields.push_back(described_field(entry));
    return fields;
  }
  for (const DataInput& input : inputs) {
    fields.push_back({.name = input.name, .at = input.at, .columns = {{input.name, input.at}}});
  }
  for (std::int64_t column = 0; inputs.empty() && column < csv.columns(); ++column) {
    fields.push_back(
        {.name = csv.column_name(column), .at = call.at, .columns = {{column, call.at}}});
  }
  return fields;
}

// The rows that no field wants dropped.
Rows kept_rows(const Csv& csv, const std::vector<CsvField>& fields) {
  std::vector<std::int64_t> strict;
  for (const CsvField& field : fields) {
    if (!field.drop_missing) continue;
    const auto columns = resolve(field.columns, csv);
    strict.insert(strict.end(), columns.begin(), columns.end());
  }
  Rows rows;
  for (std::int64_t row = 0; row < csv.rows(); ++row) {
    if (std::none_of(strict.begin(), strict.end(),
                     [&](std::int64_t column) { return Csv::is_missing(csv.cell(row, column)); })) {
      rows.push_back(row);
    }
  }
  return rows;
}

void learn_vocab(CsvField& field, const Csv& csv, const Rows& rows) {
  if (!field.has_vocab || !field.vocab.empty()) return;
  for (const std::int64_t column : resolve(field.columns, csv)) {
    for (const std::int64_t row : rows) field.vocab.emplace(csv.cell(row, column), 0.0);
  }
  double number = 0;
  for (auto& [text, index] : field.vocab) index = number++;
}

double cell_value(const CsvField& field, const Csv& csv, std::int64_t row, std::int64_t column) {
  const std::string_view cell = csv.cell(row, column);
  if (field.fill && Csv::is_missing(cell)) return *field.fill;
  if (!field.has_vocab) return csv.number(row, column);
  const auto found = field.vocab.find(cell);
  if (found != field.vocab.end()) return found->second;
  const Csv::Place place = csv.place(row, column);
  throw Error("E0902",
              fmt::format("{}:{}:{}: {} is not in the vocabulary of `{}`", csv.name(), place.line,
                          place.column, json_quote(cell.substr(0, 40)), field.name),
              {"give `vocab` as a list of all texts"});
}

Tensor read_field(const CsvField& field, const Csv& csv, const Rows& rows) {
  const auto columns = resolve(field.columns, csv);
  Tensor out(TensorType{
      Shape{static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns.size())},
      DType::f64});
  double* to = out.as<double>().data();
  for (const std::int64_t row : rows) {
    for (const std::int64_t column : columns) *to++ = cell_value(field, csv, row, column);
  }
  return out;
}

// Mean and standard deviation (over n) of each column. A constant column is only centred.
struct Moments {
  std::vector<double> mean, deviation;
};

Moments moments_of(const Tensor& values) {
  const auto n = static_cast<std::size_t>(values.shape()[0]);
  const auto columns = static_cast<std::size_t>(values.shape()[1]);
  Moments moments{std::vector<double>(columns), std::vector<double>(columns, 1.0)};
  const auto in = values.as<double>();
  for (std::size_t c = 0; c < columns; ++c) {
    double sum = 0, squares = 0;
    for (std::size_t r = 0; r < n; ++r) sum += in[r * columns + c];
    moments.mean[c] = n > 0 ? sum / static_cast<double>(n) : 0.0;
    for (std::size_t r = 0; r < n; ++r) {
      const double d = in[r * columns + c] - moments.mean[c];
      squares += d * d;
    }
    if (squares > 0) moments.deviation[c] = std::sqrt(squares / static_cast<double>(n));
  }
  return moments;
}

void standardize(const Tensor& values, const Moments& moments) {
  const std::size_t columns = moments.mean.size();
  const auto out = values.as<double>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = (out[i] - moments.mean[i % columns]) / moments.deviation[i % columns];
  }
}

// A set of the split: rows of a table.
struct Part {
  std::string name;
  const Csv* csv;
  Rows rows;
};

Dataset read_part(const Part& part, const std::vector<CsvField>& fields,
                  const std::vector<Moments>& moments, std::span<const DataInput> inputs) {
  std::vector<Field> out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const CsvField& field = fields[i];
    with_place(field.at, "this field", [&] {
      Tensor values = read_field(field, *part.csv, part.rows);
      if (field.standardize) standardize(values, moments[i]);
      for (const DataInput& input : inputs) {
        if (input.name == field.name) values = fit_to_input(values, input, part.name);
      }
      out.push_back({field.name, std::move(values)});
    });
  }
  return Dataset(std::move(out));
}

// Cuts the rows of `argument` off the end of the training rows, or opens its file.
std::optional<Part> cut_part(const DataCall& call, const std::string& argument, Part& train,
                             std::optional<Csv>& file, const std::vector<CsvField>& fields,
                             const DataOptions& options, std::int64_t all) {
  if (const std::string path = call.text(argument); !path.empty()) {
    file = open_csv(call, beside(options, path));
    return Part{argument, &*file, kept_rows(*file, fields)};
  }
  const auto count = static_cast<std::size_t>(count_of(call, argument, all));
  if (count == 0) return {};
  if (count >= train.rows.size()) {
    throw Error("E0905", "`val` and `test` together leave no row to train with");
  }
  const auto first = train.rows.end() - static_cast<std::ptrdiff_t>(count);
  Part part{argument, train.csv, Rows(first, train.rows.end())};
  train.rows.erase(first, train.rows.end());
  return part;
}

}  // namespace

DataSplit load_csv(const DataCall& call, std::span<const DataInput> inputs,
                   const DataOptions& options) {
  const Csv csv = open_csv(call, beside(options, call.text("file")));
  std::vector<CsvField> fields = fields_of(call, inputs, csv);
  Part train{"train", &csv, kept_rows(csv, fields)};
  const auto all = static_cast<std::int64_t>(train.rows.size());
  std::optional<Csv> val_file, test_file;
  const auto test = cut_part(call, "test", train, test_file, fields, options, all);
  const auto val = cut_part(call, "val", train, val_file, fields, options, all);

  std::vector<Moments> moments(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    with_place(fields[i].at, "this field", [&] {
      learn_vocab(fields[i], csv, train.rows);
      if (fields[i].standardize) moments[i] = moments_of(read_field(fields[i], csv, train.rows));
    });
  }
  DataSplit split{.train = read_part(train, fields, moments, inputs), .val = {}, .test = {}};
  if (val) split.val = read_part(*val, fields, moments, inputs);
  if (test) split.test = read_part(*test, fields, moments, inputs);
  return split;
}

Tensor load_csv_source(const DataCall& source, const std::string& path) {
  const Csv csv = open_csv(source, path);
  CsvField field{.name = path, .at = source.at};
  if (const DataValue* columns = source.find("columns")) field.columns = column_list(*columns);
  for (std::int64_t column = 0; source.find("columns") == nullptr && column < csv.columns();
       ++column) {
    field.columns.push_back({column, source.at});
  }
  if (source.find("missing") != nullptr) field.fill = source.number("missing");
  Rows rows(static_cast<std::size_t>(csv.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return read_field(field, csv, rows);
}

}  // namespace limen
