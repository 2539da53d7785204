// Errors as test subjects.
#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limen/error.hpp>

namespace limen::test {

// The brief text of the Error that `body` throws; empty if it throws none.
template <class F>
std::string error_of(const F& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

inline std::vector<testing::Matcher<std::string>> substrings(
    std::initializer_list<const char*> texts) {
  std::vector<testing::Matcher<std::string>> matchers;
  for (const char* text : texts) matchers.push_back(testing::HasSubstr(text));
  return matchers;
}

}  // namespace limen::test

// The expression throws an Error whose brief form contains every given text.
#define EXPECT_ERROR(expression, ...)                                          \
  EXPECT_THAT(::limen::test::error_of([&] { static_cast<void>(expression); }), \
              ::testing::AllOfArray(::limen::test::substrings({__VA_ARGS__})))
