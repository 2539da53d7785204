// Where the values of inputs come from: files, standard input, sets of the data section, literals.
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include <fmt/format.h>

#include <limen/dataset.hpp>
#include <limen/train.hpp>

#include "base/text.hpp"
#include "data.hpp"
#include "io/npy.hpp"
#include "run_inputs.hpp"

namespace limen::tools {
namespace {

constexpr std::size_t kLargestPipe = std::size_t{4} << 30;

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.';
    if (!plain) return false;
  }
  return !(text[0] >= '0' && text[0] <= '9') && text[0] != '.';
}

std::string read_standard_input() {
  std::string bytes;
  char piece[1 << 16];
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error("E0901", "cannot read the standard input");
    if (count == 0) return bytes;
    bytes.append(piece, static_cast<std::size_t>(count));
    if (bytes.size() > kLargestPipe)
      throw Error("E0901", "the standard input is larger than 4 GiB");
  }
}

GivenArray from_npy(LoadedArray array, const std::string& source) {
  return {.input = {},
          .source = source,
          .held = std::string(name_of(array.type)),
          .tensor = std::move(array.tensor)};
}

// Appends the numbers of nested lists; `dims` is filled along the first path down and checked along
// the others.
void flatten(const Json& json, std::size_t depth, std::vector<std::int64_t>& dims, bool first,
             std::vector<double>& values, const std::string& source) {
  if (!json.is_array()) {
    if (!json.is_number() || depth != dims.size()) {
      throw usage_error(fmt::format("`{}` is not an array of numbers of one shape", source));
    }
    values.push_back(json.get<double>());
    return;
  }
  const auto size = static_cast<std::int64_t>(json.size());
  if (first && depth == dims.size()) {
    if (depth == Shape::kMaxRank) throw usage_error("an array has at most 8 axes");
    dims.push_back(size);
  }
  if (depth >= dims.size() || dims[depth] != size) {
    throw usage_error(fmt::format("`{}` is not an array of numbers of one shape", source));
  }
  for (std::size_t i = 0; i < json.size(); ++i) {
    flatten(json[i], depth + 1, dims, first && i == 0, values, source);
  }
}

GivenArray from_literal(const std::string& source) {
  const Json json = parse_json(source);
  if (json.is_discarded()) {
    throw usage_error(fmt::format("`{}` is not an array as JSON writes it", source),
                      {"an example: `--input x='[[0.1, 0.2]]'`"});
  }
  std::vector<std::int64_t> dims;
  std::vector<double> values;
  flatten(json, 0, dims, true, values, source);
  Tensor tensor({Shape(std::span<const std::int64_t>(dims)), DType::f64});
  std::copy(values.begin(), values.end(), tensor.as<double>().begin());
  return {.input = {}, .source = source, .held = "number", .tensor = std::move(tensor)};
}

// `test`, `test[7]`, `test[0:10]`.
struct SetSlice {
  std::string set;
  std::optional<std::int64_t> first, last;  // [first, last)
};

std::optional<SetSlice> set_slice(const std::string& source) {
  const std::size_t open = source.find('[');
  SetSlice slice{source.substr(0, open), {}, {}};
  if (slice.set != "train" && slice.set != "val" && slice.set != "test") return std::nullopt;
  if (open == std::string::npos) return slice;
  const auto wrong = [&] {
    return usage_error(fmt::format("`{}` is no part of a data set", source),
                       {"write `test`, `test[7]` or `test[0:10]`"});
  };
  if (source.back() != ']') throw wrong();
  const std::string inside = source.substr(open + 1, source.size() - open - 2);
  const std::size_t colon = inside.find(':');
  const auto number = [&](const std::string& text) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data(), end, value);
    if (fault != std::errc{} || stop != end || value < 0 || value > (std::int64_t{1} << 40)) {
      throw wrong();
    }
    return value;
  };
  slice.first = number(inside.substr(0, colon));
  slice.last = colon == std::string::npos ? *slice.first + 1 : number(inside.substr(colon + 1));
  if (*slice.last <= *slice.first) throw wrong();
  return slice;
}

std::vector<GivenArray> from_set(const SetSlice& slice, const std::string& source,
                                 const std::string& name, const Model& model,
                                 const std::vector<std::string>& needed) {
  const DataSplit split = open_data(model);
  const Dataset& data = find_set(split, slice.set);
  const std::int64_t first = slice.first.value_or(0), last = slice.last.value_or(data.size());
  if (last > data.size()) {
    throw Error("E0904", fmt::format("`{}`: the set `{}` has {} examples", source, slice.set,
                                     grouped(data.size())));
  }
  const Dataset part = data.slice(first, last - first);
  std::vector<GivenArray> arrays;
  for (const Field& field : part.fields()) {
    const bool wanted = name.empty()
                            ? std::find(needed.begin(), needed.end(), field.name) != needed.end()
                            : field.name == name;
    if (!wanted) continue;
    arrays.push_back({.input = field.name,
                      .source = source,
                      .held = std::string(name_of(field.values.type().dtype)),
                      .tensor = field.values});
  }
  return arrays;
}

}  // namespace

std::pair<std::string, std::string> split_name(const std::string& text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos || !is_name(text.substr(0, equal))) return {"", text};
  return {text.substr(0, equal), text.substr(equal + 1)};
}

GivenArray read_array(const std::string& path) { return from_npy(read_npy(path), path); }

std::vector<GivenArray> read_source(const std::string& text, const Model& model,
                                    const std::vector<std::string>& needed) {
  const auto [name, source] = split_name(text);
  std::vector<std::string> names;
  for (const InputSpec& input : model.inputs()) names.push_back(input.name);
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
    std::vector<std::string> help;
    if (std::string hint = did_you_mean(name, names); !hint.empty()) help.push_back(hint);
    help.push_back("inputs: " + join(names));
    throw usage_error(fmt::format("the model has no input `{}`", name), std::move(help));
  }
  if (source.empty()) throw usage_error(fmt::format("`--input {}` names no file", text));
  if (const std::optional<SetSlice> slice = set_slice(source)) {
    return from_set(*slice, source, name, model, needed);
  }
  GivenArray array;
  if (source == "-") {
    array = from_npy(parse_npy(read_standard_input(), "standard input"), "standard input");
  } else if (source.front() == '[') {
    array = from_literal(source);
  } else {
    array = read_array(source);
  }
  array.input = name;
  return {std::move(array)};
}

}  // namespace limen::tools
