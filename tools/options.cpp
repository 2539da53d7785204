// Options that read their own values.
#include <charconv>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "verbs.hpp"

namespace limen::tools {

void add_text(CLI::App& app, const std::string& flag, std::string& value, const std::string& kind,
              const std::string& help) {
  app.add_option_function<std::string>(
         flag, [&value](const std::string& text) { value = text; }, help)
      ->type_name(kind)
      ->allow_extra_args(false);
}

void add_list(CLI::App& app, const std::string& flag, std::vector<std::string>& values,
              const std::string& kind, const std::string& help) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [&values](const std::vector<std::string>& texts) {
           values.insert(values.end(), texts.begin(), texts.end());
         },
         help)
      ->type_name(kind)
      ->allow_extra_args(false);
}

void add_count(CLI::App& app, const std::string& flag, std::optional<std::int64_t>& value,
               const std::string& help, std::int64_t least) {
  app.add_option_function<std::string>(
         flag,
         [flag, &value, least](const std::string& text) {
           std::int64_t number = 0;
           const char* const end = text.data() + text.size();
           const auto [stop, fault] = std::from_chars(text.data(), end, number);
           if (fault != std::errc{} || stop != end || number < least) {
             throw usage_error(fmt::format("`{}` wants a whole number of at least {}, got `{}`",
                                           flag, least, text));
           }
           value = number;
         },
         help)
      ->type_name("N")
      ->allow_extra_args(false);
}

void add_choice(CLI::App& app, const std::string& flag, std::string& value,
                std::vector<std::string> choices, const std::string& help) {
  const std::string kind = join(choices, "|");
  app.add_option_function<std::string>(
         flag,
         [flag, &value, choices = std::move(choices)](const std::string& text) {
           for (const std::string& choice : choices) {
             if (text == choice) value = text;
           }
           if (value == text) return;
           std::vector<std::string> hints;
           if (std::string hint = did_you_mean(text, choices); !hint.empty()) {
             hints.push_back(std::move(hint));
           }
           throw usage_error(
               fmt::format("`{}` wants one of {}, got `{}`", flag, join(choices), text),
               std::move(hints));
         },
         help)
      ->type_name(kind)
      ->allow_extra_args(false);
}

void add_word(CLI::App& app, const std::string& name, std::string& value, const std::string& help) {
  app.add_option_function<std::string>(
         name, [&value](const std::string& text) { value = text; }, help)
      ->type_name(name);
}

void add_words(CLI::App& app, const std::string& name, std::vector<std::string>& values, int most,
               const std::string& help) {
  app.add_option_function<std::vector<std::string>>(
         name, [&values](const std::vector<std::string>& words) { values = words; }, help)
      ->type_name(name)
      ->expected(0, most);
}

void add_switch(CLI::App& app, const std::string& flag, bool& value, const std::string& help) {
  app.add_flag(flag, value, help);
}

}  // namespace limen::tools
