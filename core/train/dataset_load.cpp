#include "train/dataset_load.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "train/synthetic.hpp"

namespace limen {
namespace {

// The name of the field that feeds an input of a data set with named fields.
std::string field_for(const DataCall& call, const std::string& input) {
  const DataValue* fields = call.find("fields");
  if (fields == nullptr || fields->map() == nullptr) return input;
  for (const DataEntry& entry : *fields->map()) {
    if (entry.name == input && entry.value.text() != nullptr) return *entry.value.text();
  }
  return input;
}

Dataset fitted(const Dataset& data, const DataCall& call, std::span<const DataInput> inputs,
               std::string_view set) {
  if (inputs.empty()) return data;
  std::vector<Field> fields;
  for (const DataInput& input : inputs) {
    fields.push_back(
        {input.name, fit_to_input(data.field(field_for(call, input.name)), input, set)});
  }
  return Dataset(std::move(fields));
}

void cut_off_val(DataSplit& split, std::int64_t count) {
  if (count == 0) return;
  const std::int64_t rest = split.train.size() - count;
  split.val = split.train.slice(rest, count);
  split.train = split.train.slice(0, rest);
}

DataSplit load_dataset(const DataCall& call, std::span<const DataInput> inputs,
                       const DataOptions& options) {
  if (call.kind == "csv") return load_csv(call, inputs, options);
  const bool precise = std::any_of(inputs.begin(), inputs.end(),
                                   [](const DataInput& i) { return i.dtype == DType::f64; });
  DataSplit split = call.kind == "mnist"
                        ? load_mnist(call, options, precise ? DType::f64 : DType::f32)
                        : make_synthetic(call, options);
  split.train = fitted(split.train, call, inputs, "train");
  if (split.test) split.test = fitted(*split.test, call, inputs, "test");
  cut_off_val(split, count_of(call, "val", split.train.size()));
  return split;
}

Dataset load_sources(const SetSpec& set, std::string_view name, const std::string& root,
                     std::span<const DataInput> inputs, const DataOptions& options) {
  std::vector<Field> fields;
  for (const SetSpec::Input& given : set.inputs) {
    const auto input = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const DataInput& i) { return i.name == given.name; });
    if (!inputs.empty() && input == inputs.end()) continue;
    with_place(given.source.at, "this source", [&] {
      const DType wanted = inputs.empty() ? DType::f32 : input->dtype;
      Tensor values = load_source(given.source, root, options, wanted);
      if (!inputs.empty()) values = fit_to_input(values, *input, name);
      fields.push_back({given.name, std::move(values)});
    });
  }
  return with_place(set.at, "this set", [&] { return Dataset(std::move(fields)); });
}

Dataset take(const TakeFrom& from, Dataset& source) {
  return with_place(from.at, "here", [&] {
    if (from.count >= source.size()) {
      throw Error("E0905",
                  fmt::format("`take_from` takes {} of the {} examples of `{}`", from.count,
                              source.size(), from.set),
                  {"leave at least one example in the other set"});
    }
    const std::int64_t rest = source.size() - from.count;
    Dataset part = source.slice(from.last ? rest : 0, from.count);
    source = source.slice(from.last ? 0 : from.count, rest);
    return part;
  });
}

DataSplit load_sets(const DataSpec& spec, std::span<const DataInput> inputs,
                    const DataOptions& options) {
  std::optional<Dataset> train, val, test;
  struct Part {
    std::string name;
    const std::optional<SetSpec>& set;
    std::optional<Dataset>& data;
  };
  const Part parts[] = {
      {"train", spec.train, train}, {"val", spec.val, val}, {"test", spec.test, test}};
  for (const Part& part : parts) {
    if (part.set && !part.set->take_from) {
      part.data = load_sources(*part.set, part.name, spec.root, inputs, options);
    }
  }
  for (const Part& part : parts) {
    if (!part.set || !part.set->take_from) continue;
    for (const Part& source : parts) {
      if (source.name == part.set->take_from->set)
        part.data = take(*part.set->take_from, *source.data);
    }
  }
  return {std::move(*train), std::move(val), std::move(test)};
}

}  // namespace

std::string beside(const DataOptions& options, const std::string& path) {
  return options.folder.empty() ? path : (std::filesystem::path(options.folder) / path).string();
}

std::int64_t count_of(const DataCall& call, std::string_view argument, std::int64_t of) {
  const double share = call.number(argument);
  const double count = share < 1 ? std::round(share * static_cast<double>(of)) : share;
  if (count > 0 && count >= static_cast<double>(of)) {
    throw Error("E0905",
                fmt::format("`{}.{}` takes {} of {} examples", call.kind, argument, count, of),
                {"leave at least one example to train with"});
  }
  return static_cast<std::int64_t>(count);
}

DataSplit make_synthetic(const DataCall& call, const DataOptions& options) {
  const std::uint64_t seed =
      call.find("seed") != nullptr ? static_cast<std::uint64_t>(call.number("seed")) : options.seed;
  const auto make = [&](std::int64_t examples, std::string_view set) {
    if (call.kind == "digits") return make_digits(examples, seed, set);
    const PointsOptions points{.examples = examples,
                               .noise = call.number("noise"),
                               .classes = static_cast<int>(call.number("classes"))};
    if (call.kind == "xor") return make_xor(points, seed, set);
    if (call.kind == "moons") return make_moons(points, seed, set);
    return make_spiral(points, seed, set);
  };
  const std::string_view size = call.kind == "digits" ? "train" : "n";
  const auto train = static_cast<std::int64_t>(call.number(size));
  const auto test =
      call.find("test") != nullptr ? static_cast<std::int64_t>(call.number("test")) : train / 5;
  DataSplit split{.train = make(train, "train"), .val = {}, .test = {}};
  if (test > 0) split.test = make(test, "test");
  return split;
}

DataSplit load_data(const DataSpec& spec, std::span<const DataInput> inputs,
                    const DataOptions& options) {
  if (!inputs.empty()) check_data_inputs(spec, inputs);
  if (!spec.dataset) return load_sets(spec, inputs, options);
  return with_place(spec.dataset->at, "this dataset",
                    [&] { return load_dataset(*spec.dataset, inputs, options); });
}

}  // namespace limen
