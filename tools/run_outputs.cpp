#include "run_outputs.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"
#include "run_inputs.hpp"

namespace limen::tools {
namespace {

namespace fs = std::filesystem;
using Kind = Destination::Kind;

Kind kind_of(const std::string& path) {
  if (path == "-") return Kind::standard_output;
  const std::string extension = fs::path(path).extension().string();
  if (extension == ".npy") return Kind::npy;
  if (extension == ".csv") return Kind::csv;
  if (extension == ".json") return Kind::json;
  if (extension == ".safetensors") return Kind::safetensors;
  return Kind::folder;
}

bool holds_one(Kind kind) {
  return kind == Kind::npy || kind == Kind::csv || kind == Kind::standard_output;
}

bool is_gradient(const std::string& name) { return name.starts_with("grad."); }

std::string npy_bytes(const Tensor& tensor) {
  std::string bytes = npy_header(tensor.type());
  bytes.append(reinterpret_cast<const char*>(tensor.data()), tensor.type().bytes());
  return bytes;
}

// Calls visit(i, number) for the elements; f32 become the shortest text's double.
template <class Visit>
void each(const Tensor& tensor, const Visit& visit) {
  const auto walk = [&](auto values) {
    for (std::size_t i = 0; i < values.size(); ++i) visit(i, values[i]);
  };
  switch (tensor.type().dtype) {
    case DType::f32:
      return walk(tensor.as<float>());
    case DType::f64:
      return walk(tensor.as<double>());
    case DType::i32:
      return walk(tensor.as<std::int32_t>());
  }
}

std::string csv_text(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  const auto elements = static_cast<std::size_t>(shape.elements());
  const std::size_t rows = shape.rank() == 0 ? 1 : static_cast<std::size_t>(shape[0]);
  const std::size_t columns = rows == 0 ? 1 : std::max<std::size_t>(1, elements / rows);
  std::string text;
  each(tensor, [&](std::size_t i, auto value) {
    text += fmt::format("{}{}", value, (i + 1) % columns == 0 ? "\n" : ",");
  });
  return text;
}

// Nested lists, built from the innermost axis outwards.
Json nested(const Tensor& tensor) {
  std::vector<Json> level;
  each(tensor, [&](std::size_t, auto value) {
    using T = decltype(value);
    if constexpr (std::is_same_v<T, float>) {
      level.push_back(std::isfinite(value) ? Json(std::stod(fmt::format("{}", value))) : Json());
    } else {
      level.emplace_back(value);
    }
  });
  const Shape& shape = tensor.shape();
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const auto size = static_cast<std::size_t>(shape[axis]);
    std::vector<Json> outer;
    for (std::size_t at = 0; at + size <= level.size() && size > 0; at += size) {
      Json list = Json::array();
      for (std::size_t i = 0; i < size; ++i) list.push_back(std::move(level[at + i]));
      outer.push_back(std::move(list));
    }
    level = std::move(outer);
  }
  return level.empty() ? Json::array() : std::move(level.front());
}

void write_file(const Destination& to, const std::vector<NamedTensor>& results) {
  if (to.kind == Kind::npy) return write_npy(to.path, results.front().tensor.view());
  if (to.kind == Kind::csv) {
    return write_file_atomically(to.path, csv_text(results.front().tensor));
  }
  if (to.kind == Kind::json) {
    return write_file_atomically(to.path, to_line(results_json(results)) + "\n");
  }
  SafeTensors content;
  for (const NamedTensor& result : results) content.tensors.emplace(result.name, result.tensor);
  write_safetensors(to.path, content);
}

void write_folder(const std::string& path, const std::vector<NamedTensor>& results) {
  std::error_code fault;
  fs::create_directories(path, fault);
  if (fault) {
    throw Error("E0903", fmt::format("{}: cannot make the folder: {}", path, fault.message()));
  }
  for (const NamedTensor& result : results) {
    write_npy((fs::path(path) / (result.name + ".npy")).string(), result.tensor.view());
  }
}

}  // namespace

std::vector<Destination> read_destinations(const std::vector<std::string>& texts,
                                           const std::vector<std::string>& results) {
  std::vector<Destination> destinations;
  for (const std::string& text : texts) {
    auto [name, path] = split_name(text);
    if (path.empty()) throw usage_error(fmt::format("`--output {}` names no place", text));
    const Kind kind = kind_of(path);
    if (!name.empty() && std::find(results.begin(), results.end(), name) == results.end()) {
      std::vector<std::string> help;
      if (std::string hint = did_you_mean(name, results); !hint.empty()) help.push_back(hint);
      help.push_back("results: " + join(results));
      throw usage_error(fmt::format("there is no result `{}`", name), std::move(help));
    }
    if (name.empty() && holds_one(kind) && results.size() != 1) {
      throw usage_error(
          fmt::format("`--output {}` holds one array, but there are {}: {}", text, results.size(),
                      join(results)),
          {fmt::format("write `--output {}={}`, or give a folder", results.front(), path)});
    }
    destinations.push_back({std::move(name), std::move(path), kind});
  }
  return destinations;
}

void write_results(const std::vector<Destination>& destinations,
                   const std::vector<NamedTensor>& results, Context& context) {
  for (const Destination& to : destinations) {
    std::vector<NamedTensor> wanted;
    for (const NamedTensor& result : results) {
      if (to.name.empty() || to.name == result.name) wanted.push_back(result);
    }
    if (to.kind == Kind::folder) {
      write_folder(to.path, wanted);
    } else if (to.kind == Kind::standard_output) {
      context.out.write(npy_bytes(wanted.front().tensor));
    } else {
      write_file(to, wanted);
    }
  }
}

Json results_json(const std::vector<NamedTensor>& results) {
  Json outputs = Json::object(), gradients = Json::object();
  for (const NamedTensor& result : results) {
    Json shape = Json::array();
    for (const std::int64_t size : result.tensor.shape()) shape.push_back(size);
    Json entry{{"dtype", name_of(result.tensor.type().dtype)},
               {"shape", shape},
               {"data", nested(result.tensor)}};
    if (is_gradient(result.name)) {
      gradients[result.name.substr(5)] = std::move(entry);
    } else {
      outputs[result.name] = std::move(entry);
    }
  }
  Json json{{"limen", 1}, {"kind", "run"}, {"outputs", outputs}};
  if (!gradients.empty()) json["gradients"] = gradients;
  return json;
}

namespace {

constexpr std::int64_t kRowsShown = 10, kColumnsShown = 8;

// The result as rows: [rows, columns] of the flattened array.
std::pair<std::int64_t, std::int64_t> rows_of(const Shape& shape) {
  const std::int64_t elements = shape.elements();
  const std::int64_t columns = shape.rank() == 0 ? 1 : shape[shape.rank() - 1];
  return {columns > 0 ? elements / columns : 0, columns};
}

std::vector<double> numbers(const Tensor& tensor) {
  std::vector<double> values;
  each(tensor, [&](std::size_t, auto value) { values.push_back(static_cast<double>(value)); });
  return values;
}

}  // namespace

std::string results_text(const std::vector<NamedTensor>& results) {
  std::string text;
  for (const NamedTensor& result : results) {
    const auto [rows, columns] = rows_of(result.tensor.shape());
    const std::vector<double> values = numbers(result.tensor);
    text += fmt::format("{}  {}\n", result.name, to_string(result.tensor.type()));
    for (std::int64_t r = 0; r < std::min(rows, kRowsShown); ++r) {
      text += " ";
      for (std::int64_t c = 0; c < std::min(columns, kColumnsShown); ++c) {
        text += fmt::format(" {:>11.5g}", values[static_cast<std::size_t>(r * columns + c)]);
      }
      text += columns > kColumnsShown ? "  ...\n" : "\n";
    }
    if (rows > kRowsShown) text += fmt::format("  ... {} rows more\n", grouped(rows - kRowsShown));
  }
  return text;
}

std::string top_text(const NamedTensor& result, std::int64_t count) {
  const auto [rows, columns] = rows_of(result.tensor.shape());
  const std::vector<double> values = numbers(result.tensor);
  std::string text = fmt::format("{}  {}\n", result.name, to_string(result.tensor.type()));
  for (std::int64_t r = 0; r < std::min(rows, kRowsShown); ++r) {
    const double* const row = values.data() + r * columns;
    std::vector<std::int64_t> order(static_cast<std::size_t>(columns));
    for (std::int64_t c = 0; c < columns; ++c) order[static_cast<std::size_t>(c)] = c;
    // NaN counts as smallest, so that the order is one.
    const auto rank = [row](std::int64_t c) { return row[c] == row[c] ? row[c] : -HUGE_VAL; };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return rank(a) > rank(b); });
    if (rows > 1) text += fmt::format("row {}\n", r);
    for (std::int64_t i = 0; i < std::min(count, columns); ++i) {
      const std::int64_t c = order[static_cast<std::size_t>(i)];
      text += fmt::format("{:>6}  {:.4f}\n", c, row[c]);
    }
  }
  if (rows > kRowsShown) text += fmt::format("... {} rows more\n", grouped(rows - kRowsShown));
  return text;
}

}  // namespace limen::tools
