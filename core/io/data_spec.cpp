#include <limen/data_spec.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/data_args.hpp"

namespace limen {
namespace {

constexpr std::size_t kMostFindings = 20;
constexpr std::array<std::string_view, 4> kSectionKeys{"root", "train", "val", "test"};

void throw_if_any(Findings findings) {
  if (findings.size() > kMostFindings) findings.resize(kMostFindings);
  if (!findings.empty()) throw Error(std::move(findings));
}

const DataEntry* find_entry(const DataValue::Map& map, std::string_view name) {
  const auto found =
      std::find_if(map.begin(), map.end(), [&](const DataEntry& e) { return e.name == name; });
  return found == map.end() ? nullptr : &*found;
}

bool is_section(const DataValue::Map& map) {
  return std::any_of(kSectionKeys.begin(), kSectionKeys.end(),
                     [&](std::string_view key) { return find_entry(map, key) != nullptr; });
}

void report_unknown_key(const DataEntry& entry, const std::string& where,
                        const std::vector<std::string>& known, Findings& findings) {
  std::vector<std::string> help{fmt::format("known: {}", join(known))};
  if (auto near = did_you_mean(entry.name, known); !near.empty()) help.insert(help.begin(), near);
  report(findings, "E0103", fmt::format("unknown key `{}` in `{}`", entry.name, where), entry.at,
         help);
}

TakeFrom read_take_from(const DataEntry& entry, Findings& findings) {
  TakeFrom take{.set = {}, .last = true, .count = 0, .at = entry.at};
  const auto* map = entry.value.map();
  if (map == nullptr) {
    report(findings, "E0205",
           fmt::format("`take_from` must be a map, found {}", describe(entry.value)),
           entry.value.at, {"write `take_from: {set: train, last: 5000}`"});
    return take;
  }
  int ends = 0;
  for (const DataEntry& key : *map) {
    if (key.name == "set") {
      const auto* set = key.value.text();
      if (set == nullptr || (*set != "train" && *set != "val" && *set != "test")) {
        report(findings, "E0205",
               fmt::format("`take_from.set` must be train, val or test, found {}",
                           describe(key.value)),
               key.value.at);
      } else {
        take.set = *set;
      }
    } else if (key.name == "last" || key.name == "first") {
      ++ends;
      take.last = key.name == "last";
      const double count = key.value.number();
      if (!key.value.is_number() || count != std::floor(count) || count < 1 || count > 1e9) {
        report(findings, "E0205",
               fmt::format("`take_from.{}` must be a positive whole number, found {}", key.name,
                           describe(key.value)),
               key.value.at);
      } else {
        take.count = static_cast<std::int64_t>(count);
      }
    } else {
      report_unknown_key(key, "take_from", {"set", "last", "first"}, findings);
    }
  }
  if (find_entry(*map, "set") == nullptr || ends != 1) {
    report(findings, "E0804", "`take_from` needs `set` and either `last` or `first`", entry.at,
           {"write `take_from: {set: train, last: 5000}`"});
  }
  return take;
}

SetSpec read_set(const DataEntry& entry, Findings& findings) {
  SetSpec set;
  set.at = entry.at;
  const auto* map = entry.value.map();
  if (map == nullptr || map->empty()) {
    report(findings, "E0804",
           fmt::format("`data.{}` must give a source for each input, found {}", entry.name,
                       describe(entry.value)),
           entry.value.at, {"write `image: {idx: file.gz}` below it, or `take_from`"});
    return set;
  }
  if (const DataEntry* take = find_entry(*map, "take_from")) {
    if (map->size() > 1) {
      report(findings, "E0804",
             fmt::format("`data.{}` has `take_from` and sources, only one is possible", entry.name),
             take->at);
    }
    set.take_from = read_take_from(*take, findings);
    return set;
  }
  for (const DataEntry& input : *map) {
    set.inputs.push_back({input.name, input.at,
                          read_call(input.value, data_sources(), "source", "E0802", findings)});
  }
  return set;
}

// take_from must lead to another set that has sources of its own.
void check_take_from(const DataSpec& spec, const std::optional<SetSpec>& set,
                     const std::string& name, Findings& findings) {
  if (!set || !set->take_from || set->take_from->set.empty()) return;
  const TakeFrom& take = *set->take_from;
  const auto& source = take.set == "train" ? spec.train : take.set == "val" ? spec.val : spec.test;
  if (take.set == name || !source || source->take_from) {
    report(
        findings, "E0804",
        fmt::format("`data.{}` takes from `{}`, which has no sources of its own", name, take.set),
        take.at);
  }
}

DataSpec read_section(const DataValue& data, Findings& findings) {
  DataSpec spec;
  spec.at = data.at;
  for (const DataEntry& entry : *data.map()) {
    if (entry.name == "root") {
      if (const auto* root = entry.value.text(); root != nullptr && !root->empty()) {
        spec.root = *root;
      } else {
        report(findings, "E0205",
               fmt::format("`data.root` must be a text, found {}", describe(entry.value)),
               entry.value.at);
      }
    } else if (entry.name == "train") {
      spec.train = read_set(entry, findings);
    } else if (entry.name == "val") {
      spec.val = read_set(entry, findings);
    } else if (entry.name == "test") {
      spec.test = read_set(entry, findings);
    } else {
      report_unknown_key(entry, "data", {kSectionKeys.begin(), kSectionKeys.end()}, findings);
    }
  }
  if (!spec.train) report(findings, "E0804", "`data` has no set `train`", data.at);
  check_take_from(spec, spec.train, "train", findings);
  check_take_from(spec, spec.val, "val", findings);
  check_take_from(spec, spec.test, "test", findings);
  return spec;
}

Span labelled(Span span, std::string label) {
  span.label = std::move(label);
  return span;
}

// What an input is fed from: its own name unless `fields` says otherwise.
std::string field_for(const DataCall& call, const std::string& input) {
  if (const DataValue* fields = call.find("fields");
      fields != nullptr && fields->map() != nullptr) {
    const DataEntry* entry = find_entry(*fields->map(), input);
    if (entry != nullptr && entry->value.text() != nullptr) return *entry->value.text();
  }
  return input;
}

bool is_input(std::span<const DataInput> inputs, std::string_view name) {
  return std::any_of(inputs.begin(), inputs.end(), [&](const auto& i) { return i.name == name; });
}

void report_no_field(const std::string& message, const DataInput& input, const Span& other,
                     const std::string& label, std::vector<std::string> help, Findings& findings) {
  findings.push_back({.code = "E0803",
                      .message = message,
                      .spans = {labelled(input.at, "declared here"), labelled(other, label)},
                      .notes = {},
                      .help = std::move(help)});
}

void report_no_input(const DataEntry& entry, std::span<const DataInput> inputs,
                     Findings& findings) {
  std::vector<std::string> names;
  for (const DataInput& input : inputs) names.push_back(input.name);
  report(findings, "E0803", fmt::format("the model has no input `{}`", entry.name), entry.at,
         {fmt::format("inputs: {}", join(names))});
}

void check_dataset_inputs(const DataCall& call, std::span<const DataInput> inputs,
                          Findings& findings) {
  const auto kinds = datasets();
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const DataKindInfo& k) { return k.name == call.kind; });
  if (kind == kinds.end()) return;
  const DataValue* written = call.find("fields");
  const auto* map = written != nullptr ? written->map() : nullptr;
  for (const DataEntry& entry : map != nullptr ? *map : DataValue::Map{}) {
    if (!is_input(inputs, entry.name)) report_no_input(entry, inputs, findings);
  }
  if (kind->fields.empty() && map == nullptr) return;  // csv: known once the table is open
  std::vector<std::string> fields(kind->fields.begin(), kind->fields.end());
  for (const DataEntry& entry : kind->fields.empty() ? *map : DataValue::Map{}) {
    fields.push_back(entry.name);
  }
  for (const DataInput& input : inputs) {
    const std::string field = field_for(call, input.name);
    if (std::find(fields.begin(), fields.end(), field) != fields.end()) continue;
    std::vector<std::string> help;
    const auto near = nearest(field, fields);
    if (near) help.push_back(fmt::format("did you mean `{}`?", *near));
    std::string known = fmt::format("fields: {}", join(fields));
    if (!kind->fields.empty()) {
      known += fmt::format("; rename with `fields: {{{}: {}}}`", input.name,
                           near ? *near : fields.front());
    }
    help.push_back(std::move(known));
    const std::string wanted = field == input.name ? "" : fmt::format(" (`{}`)", field);
    report_no_field(
        fmt::format("dataset `{}` has no field for input `{}`{}", call.kind, input.name, wanted),
        input, call.at, "the dataset", std::move(help), findings);
  }
}

void check_set_inputs(const SetSpec& set, const std::string& name,
                      std::span<const DataInput> inputs, Findings& findings) {
  if (set.take_from) return;
  std::vector<std::string> given;
  for (const SetSpec::Input& source : set.inputs) {
    given.push_back(source.name);
    if (!is_input(inputs, source.name)) {
      report_no_input({source.name, source.at, {}}, inputs, findings);
    }
  }
  for (const DataInput& input : inputs) {
    if (std::find(given.begin(), given.end(), input.name) != given.end()) continue;
    std::vector<std::string> help;
    if (auto near = did_you_mean(input.name, given); !near.empty()) help.push_back(near);
    help.push_back(fmt::format("add `{}: {{idx: FILE}}` or another source", input.name));
    report_no_field(fmt::format("`data.{}` has no source for input `{}`", name, input.name), input,
                    set.at, "this set", std::move(help), findings);
  }
}

}  // namespace

bool DataValue::is_number() const {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

double DataValue::number() const {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&value);
  return real != nullptr ? *real : 0.0;
}

const DataValue* DataCall::find(std::string_view name) const {
  const DataEntry* entry = find_entry(args, name);
  return entry != nullptr ? &entry->value : nullptr;
}

double DataCall::number(std::string_view name) const {
  const DataValue* found = find(name);
  return found != nullptr ? found->number() : 0.0;
}

bool DataCall::flag(std::string_view name) const {
  const DataValue* found = find(name);
  const bool* flag = found != nullptr ? std::get_if<bool>(&found->value) : nullptr;
  return flag != nullptr && *flag;
}

std::string DataCall::text(std::string_view name) const {
  const DataValue* found = find(name);
  return found != nullptr && found->text() != nullptr ? *found->text() : std::string();
}

DataSpec read_data_spec(const DataValue& data) {
  Findings findings;
  DataSpec spec;
  if (data.map() != nullptr && is_section(*data.map())) {
    spec = read_section(data, findings);
  } else {
    spec.at = data.at;
    spec.dataset = read_call(data, datasets(), "dataset", "E0801", findings);
  }
  throw_if_any(std::move(findings));
  return spec;
}

void check_data_inputs(const DataSpec& spec, std::span<const DataInput> inputs) {
  Findings findings;
  if (spec.dataset) check_dataset_inputs(*spec.dataset, inputs, findings);
  if (spec.train) check_set_inputs(*spec.train, "train", inputs, findings);
  if (spec.val) check_set_inputs(*spec.val, "val", inputs, findings);
  if (spec.test) check_set_inputs(*spec.test, "test", inputs, findings);
  throw_if_any(std::move(findings));
}

}  // namespace limen
