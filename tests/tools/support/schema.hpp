// Does a JSON value keep to a JSON Schema? The words that limen's own schemas use; any other word
// in a schema is an error, so that nothing is left unchecked.
#pragma once

#include <regex>
#include <set>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace limen::test {

class Schema {
 public:
  using Json = nlohmann::ordered_json;
  explicit Schema(Json root) : root_(std::move(root)) {}

  // Empty, or where and what the first fault is.
  std::string fault(const Json& value) const { return fault(value, root_, "$"); }

 private:
  Json root_;

  static bool is_a(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    throw std::logic_error("unknown type " + type);
  }

  std::string fault(const Json& value, const Json& schema, const std::string& at) const {
    static const std::set<std::string> kComments{"$schema", "title", "description", "$defs"};
    for (const auto& [word, rule] : schema.items()) {
      if (kComments.contains(word)) continue;
      std::string text = fault_of(word, rule, value, schema, at);
      if (!text.empty()) return text;
    }
    return {};
  }

  std::string fault_of(const std::string& word, const Json& rule, const Json& value,
                       const Json& schema, const std::string& at) const {
    const auto wrong = [&] {
      return fmt::format("{}: {} against {} {}", at, value.dump(), word, rule.dump());
    };
    if (word == "$ref") {
      const std::string name = rule.get<std::string>().substr(sizeof "#/$defs/" - 1);
      return fault(value, root_.at("$defs").at(name), at);
    }
    if (word == "type") return is_a(value, rule) ? "" : wrong();
    if (word == "const") return value == rule ? "" : wrong();
    if (word == "minimum") return value >= rule ? "" : wrong();
    if (word == "enum")
      return std::find(rule.begin(), rule.end(), value) != rule.end() ? "" : wrong();
    if (word == "pattern") {
      return std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))
                 ? ""
                 : wrong();
    }
    if (word == "anyOf") {
      for (const Json& one : rule) {
        if (fault(value, one, at).empty()) return {};
      }
      return wrong();
    }
    if (word == "required") {
      for (const Json& name : rule) {
        if (!value.contains(name.get<std::string>()))
          return fmt::format("{}: no {}", at, name.dump());
      }
      return {};
    }
    if (word == "items") {
      for (std::size_t i = 0; i < value.size(); ++i) {
        std::string text = fault(value[i], rule, fmt::format("{}[{}]", at, i));
        if (!text.empty()) return text;
      }
      return {};
    }
    if (word == "properties" || word == "additionalProperties") {
      for (const auto& [name, part] : value.items()) {
        const bool known = schema["properties"].contains(name);
        std::string text;
        if (word == "properties" && known) text = fault(part, rule[name], at + "." + name);
        if (word == "additionalProperties" && !known) {
          text = rule.is_boolean() ? at + "." + name + " is not in the schema"
                                   : fault(part, rule, at + "." + name);
        }
        if (!text.empty()) return text;
      }
      return {};
    }
    throw std::logic_error("unknown word in a schema: " + word);
  }
};

}  // namespace limen::test
