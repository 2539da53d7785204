// What an Error said.
#pragma once

#include <string>

#include <gtest/gtest.h>
#include <limen/error.hpp>

namespace limen::test {

// The diagnostic that f throws; a failure (and an empty one) if it throws none.
template <class F>
Diagnostic diagnostic_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.diagnostics().front();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

// The whole human form, to look for words in.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    std::string text;
    for (const Diagnostic& d : error.diagnostics()) text += render(d, ErrorFormat::human);
    return text;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

// Every cut of a good file must be refused, and every changed byte refused or read: never a crash.
template <class Parse>
void expect_robust(const std::string& good, Parse parse) {
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_THROW(parse(good.substr(0, length)), Error) << "cut to " << length << " bytes";
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x10, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      try {
        parse(bad);
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace limen::test
