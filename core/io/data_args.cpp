#include "io/data_args.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/csv.hpp"

namespace limen {
namespace {

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

std::vector<std::string> with_guess(const std::string& word, const std::vector<std::string>& names,
                                    std::string last) {
  std::vector<std::string> help;
  if (auto near = did_you_mean(word, names); !near.empty()) help.push_back(std::move(near));
  help.push_back(std::move(last));
  return help;
}

// One argument against its row of the table.
class ArgCheck {
 public:
  ArgCheck(const DataArgInfo& info, std::string label, Findings& findings)
      : info_(info), label_(std::move(label)), findings_(findings) {}

  void check(DataEntry& entry) {
    const DataValue& value = entry.value;
    switch (info_.type) {
      case DataArgType::count:
        check_range(value, is_whole(value), "a whole number");
        break;
      case DataArgType::number:
      case DataArgType::fill:
        check_range(value, value.is_number(), "a number");
        break;
      case DataArgType::flag:
        expect(value, std::get_if<bool>(&value.value) != nullptr, "true or false");
        break;
      case DataArgType::text:
        check_text(value);
        break;
      case DataArgType::portion:
        if (value.text() != nullptr) return check_text(value);
        check_share(value, "a whole number, a fraction below 1, or a file");
        break;
      case DataArgType::share:
        check_share(value, "a whole number or a fraction below 1");
        break;
      case DataArgType::sizes:
        check_sizes(value);
        break;
      case DataArgType::columns:
        check_columns(value);
        break;
      case DataArgType::missing:
        expect(value, value.is_number() || is_word(value, "drop"), "`drop` or a number");
        break;
      case DataArgType::vocab:
        check_vocab(value);
        break;
      case DataArgType::renames:
        check_renames(value);
        break;
      case DataArgType::csv_fields:
        check_csv_fields(entry.value);
        break;
    }
  }

 private:
  static bool is_whole(const DataValue& value) {
    return std::holds_alternative<std::int64_t>(value.value) ||
           (value.is_number() && value.number() == std::floor(value.number()));
  }
  static bool is_word(const DataValue& value, std::string_view word) {
    return value.text() != nullptr && *value.text() == word;
  }

  bool expect(const DataValue& value, bool good, const std::string& wanted) {
    if (good) return true;
    std::vector<std::string> help;
    if (info_.type == DataArgType::flag && value.text() != nullptr) {
      help.push_back("write `true` or `false`; in YAML 1.2 other words are plain text");
    }
    report(findings_, "E0205",
           fmt::format("{} must be {}, found {}", label_, wanted, describe(value)), value.at,
           std::move(help));
    return false;
  }

  void check_range(const DataValue& value, bool good, const std::string& wanted) {
    if (!expect(value, good, wanted)) return;
    const double number = value.number();
    if (std::isfinite(number) && number >= info_.least && number <= info_.most) return;
    report(
        findings_, "E0208",
        fmt::format("{} must be in [{}, {}], found `{}`", label_, info_.least, info_.most, number),
        value.at);
  }

  void check_share(const DataValue& value, const std::string& wanted) {
    const bool fraction = value.is_number() && value.number() > 0 && value.number() < 1;
    if (!fraction) check_range(value, is_whole(value), wanted);
  }

  void check_text(const DataValue& value) {
    if (!expect(value, value.text() != nullptr, "a text")) return;
    if (info_.name == "delimiter" &&
        (value.text()->size() != 1 ||
         std::string_view("\"\r\n").find(*value.text()) != std::string_view::npos)) {
      report(findings_, "E0208",
             fmt::format("{} must be one character that is no quote and no line end", label_),
             value.at);
    }
    if (value.text()->empty() || value.text()->find('\0') != std::string::npos) {
      report(findings_, "E0208", fmt::format("{} must be a text that is not empty", label_),
             value.at);
    }
  }

  void check_sizes(const DataValue& value) {
    const auto* list = value.list();
    if (!expect(value, list != nullptr && !list->empty(), "a list of sizes")) return;
    int open = 0;
    for (const DataValue& size : *list) {
      if (!expect(size, is_whole(size), "a list of whole numbers")) return;
      const double number = size.number();
      if (number == -1) ++open;
      if ((number < 1 && number != -1) || number > 1e9) {
        report(findings_, "E0208",
               fmt::format("a size in {} must be positive, found `{}`", label_, number), size.at);
      }
    }
    if (open > 1) {
      report(findings_, "E0208", fmt::format("only one size in {} can be -1", label_), value.at);
    }
    if (list->size() >= static_cast<std::size_t>(Shape::kMaxRank)) {
      report(findings_, "E0208",
             fmt::format("{} has {} sizes, at most {} are possible", label_, list->size(),
                         Shape::kMaxRank - 1),
             value.at);
    }
  }

  void check_columns(const DataValue& value) {
    const auto column = [&](const DataValue& one) {
      const bool position = is_whole(one) && one.number() >= 0 && one.number() < 1e9;
      return expect(one, position || one.text() != nullptr, "columns: positions from 0, or names");
    };
    const auto* list = value.list();
    if (list == nullptr) {
      column(value);
    } else if (expect(value, !list->empty(), "at least one column")) {
      for (const DataValue& one : *list) {
        if (!column(one)) return;
      }
    }
  }

  void check_vocab(const DataValue& value) {
    const auto* list = value.list();
    if (!expect(value, is_word(value, "auto") || (list != nullptr && !list->empty()),
                "`auto` or a list of texts")) {
      return;
    }
    if (list == nullptr) return;
    for (const DataValue& one : *list) {
      if (!expect(one, one.text() != nullptr, "`auto` or a list of texts")) return;
    }
  }

  void check_renames(const DataValue& value) {
    const auto* map = value.map();
    if (!expect(value, map != nullptr, "a map from inputs to fields")) return;
    for (const DataEntry& entry : *map) {
      expect(entry.value, entry.value.text() != nullptr, "a map from inputs to fields");
    }
  }

  void check_csv_fields(DataValue& value) {
    auto* map = std::get_if<DataValue::Map>(&value.value);
    if (!expect(value, map != nullptr && !map->empty(), "a map from inputs to their columns"))
      return;
    for (DataEntry& entry : *map) {
      const std::string owner = "csv.fields." + entry.name;
      if (entry.value.list() != nullptr || entry.value.text() != nullptr ||
          entry.value.is_number()) {
        const Span at = entry.value.at;
        entry.value = {DataValue::Map{{"columns", at, entry.value}}, at};
      }
      auto* args = std::get_if<DataValue::Map>(&entry.value.value);
      if (args == nullptr) {
        expect(entry.value, false, "a map from inputs to their columns");
        continue;
      }
      *args = check_args(std::move(*args), csv_field_args(), owner, entry.at, findings_);
    }
  }

  const DataArgInfo& info_;
  std::string label_;
  Findings& findings_;
};

DataValue standard_value(const DataArgInfo& info, const Span& at) {
  if (info.type == DataArgType::flag) return {info.standard == "true", at};
  if (info.type == DataArgType::text) return {std::string(info.standard), at};
  return {parse_number(info.standard).value_or(0.0), at};
}

}  // namespace

void report(Findings& findings, std::string code, std::string message, const Span& at,
            std::vector<std::string> help) {
  findings.push_back({.code = std::move(code),
                      .message = std::move(message),
                      .spans = {at},
                      .notes = {},
                      .help = std::move(help)});
}

std::string describe(const DataValue& value) {
  if (const auto* text = value.text()) return fmt::format("the text `{}`", *text);
  if (const auto* flag = std::get_if<bool>(&value.value)) return *flag ? "`true`" : "`false`";
  if (value.is_number()) return fmt::format("`{}`", value.number());
  if (value.list() != nullptr) return value.list()->empty() ? "an empty list" : "a list";
  if (value.map() != nullptr) return "a map";
  return "nothing";
}

std::vector<DataEntry> check_args(std::vector<DataEntry> written,
                                  std::span<const DataArgInfo> known, const std::string& owner,
                                  const Span& at, Findings& findings) {
  for (DataEntry& entry : written) {
    const auto info = std::find_if(known.begin(), known.end(),
                                   [&](const DataArgInfo& k) { return k.name == entry.name; });
    if (info == known.end()) {
      const auto names = names_of(known);
      report(
          findings, "E0202", fmt::format("`{}` has no argument `{}`", owner, entry.name), entry.at,
          with_guess(entry.name, names, fmt::format("arguments of `{}`: {}", owner, join(names))));
      continue;
    }
    ArgCheck(*info, fmt::format("`{}.{}`", owner, entry.name), findings).check(entry);
  }
  for (const DataArgInfo& info : known) {
    const bool there = std::any_of(written.begin(), written.end(),
                                   [&](const DataEntry& e) { return e.name == info.name; });
    if (there) continue;
    if (info.required) {
      report(findings, "E0203", fmt::format("`{}` needs the argument `{}`", owner, info.name), at,
             {fmt::format("`{}`: {}", info.name, info.help)});
    }
    if (!info.standard.empty()) {
      written.push_back({std::string(info.name), at, standard_value(info, at)});
    }
  }
  return written;
}

DataCall read_call(const DataValue& value, std::span<const DataKindInfo> kinds,
                   const std::string& what, const std::string& code, Findings& findings) {
  DataCall call{.kind = {}, .at = value.at, .args = {}};
  const DataValue* behind = nullptr;
  if (const auto* text = value.text()) {
    call.kind = *text;
  } else if (const auto* map = value.map(); map != nullptr && map->size() == 1) {
    call.kind = map->front().name;
    call.at = map->front().at;
    behind = &map->front().value;
  } else {
    report(findings, "E0804",
           fmt::format("expected a {}: `name` or `name: {{...}}`, found {}", what, describe(value)),
           value.at, {fmt::format("{}s: {}", what, join(names_of(kinds)))});
    return call;
  }
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const DataKindInfo& k) { return k.name == call.kind; });
  if (kind == kinds.end()) {
    const auto names = names_of(kinds);
    report(findings, code, fmt::format("unknown {} `{}`", what, call.kind), call.at,
           with_guess(call.kind, names, fmt::format("{}s: {}", what, join(names))));
    return call;
  }
  if (behind != nullptr && behind->map() != nullptr) {
    call.args = *behind->map();
  } else if (behind != nullptr && behind->value.index() != 0) {
    if (kind->main.empty()) {
      report(findings, "E0205",
             fmt::format("`{}` takes a map of arguments, found {}", call.kind, describe(*behind)),
             behind->at,
             {fmt::format("arguments of `{}`: {}", call.kind, join(names_of(kind->args)))});
      return call;
    }
    call.args.push_back({std::string(kind->main), behind->at, *behind});
  }
  call.args = check_args(std::move(call.args), kind->args, call.kind, call.at, findings);
  return call;
}

}  // namespace limen
