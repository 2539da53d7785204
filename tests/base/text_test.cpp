#include "base/text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace limen {
namespace {

const std::vector<std::string> kNames{"relu", "sigmoid", "softmax", "leaky_relu", "epochs"};

TEST(Nearest, FindsSlips) {
  EXPECT_EQ(nearest("rellu", kNames), "relu");       // one letter too many
  EXPECT_EQ(nearest("epoch", kNames), "epochs");     // one too few
  EXPECT_EQ(nearest("softamx", kNames), "softmax");  // neighbours swapped
  EXPECT_EQ(nearest("sigmiod", kNames), "sigmoid");
  EXPECT_EQ(nearest("leakyrelu", kNames), "leaky_relu");
  EXPECT_EQ(nearest("relu", kNames), "relu");
}

TEST(Nearest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest("gelu2d_transposed", kNames), std::nullopt);
  EXPECT_EQ(nearest("abcd", kNames), std::nullopt);
  EXPECT_EQ(nearest("", kNames), std::nullopt);
  EXPECT_EQ(nearest("relu", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(100000, 'x'), kNames), std::nullopt);
}

TEST(Nearest, PrefersTheNearer) {
  const std::vector<std::string> names{"cosine", "rosin", "cosin"};
  EXPECT_EQ(nearest("cosin", names), "cosin");
}

TEST(DidYouMean, IsAQuestionOrNothing) {
  EXPECT_EQ(did_you_mean("rellu", kNames), "did you mean `relu`?");
  EXPECT_EQ(did_you_mean("zzzz", kNames), "");
}

TEST(Join, PutsSeparatorsBetween) {
  const std::vector<std::string> parts{"a", "b", "c"};
  EXPECT_EQ(join(parts), "a, b, c");
  EXPECT_EQ(join(parts, "/"), "a/b/c");
  EXPECT_EQ(join({}), "");
}

TEST(JsonQuote, IsUnderstoodByAJsonParser) {
  for (const std::string& text :
       {std::string("plain"), std::string("\"\\\n\t\r\b\f"), std::string("\0x\x1f\x7f", 4),
        std::string("größe → 10 €"), std::string("𝛼 𐐷"), std::string()}) {
    const std::string quoted = json_quote(text);
    EXPECT_EQ(nlohmann::json::parse(quoted).get<std::string>(), text) << quoted;
    for (const char c : quoted) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  }
}

TEST(JsonQuote, ReplacesBytesThatAreNoText) {
  const std::string replacement = "\xef\xbf\xbd";
  const auto parsed = [](const std::string& bytes) {
    return nlohmann::json::parse(json_quote(bytes)).get<std::string>();
  };
  EXPECT_EQ(parsed("a\xff"
                   "b"),
            "a" + replacement + "b");
  EXPECT_EQ(parsed("\xc3"), replacement);                                 // cut off
  EXPECT_EQ(parsed("\x80"), replacement);                                 // continuation alone
  EXPECT_EQ(parsed("\xc0\xaf"), replacement + replacement);               // overlong '/'
  EXPECT_EQ(parsed("\xed\xa0\x80").find('\xed'), std::string::npos);      // a surrogate
  EXPECT_EQ(parsed("\xf7\xbf\xbf\xbf").find('\xf7'), std::string::npos);  // above U+10FFFF
}

TEST(DecodeUtf8, CountsCharacters) {
  EXPECT_EQ(decode_utf8("größe"), U"größe");
  EXPECT_EQ(decode_utf8("€𝛼").size(), 2u);
  EXPECT_EQ(decode_utf8("\xff\xfe").size(), 2u);
}

}  // namespace
}  // namespace limen
