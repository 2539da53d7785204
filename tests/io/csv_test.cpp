#include "io/csv.hpp"

#include <gmock/gmock.h>

#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
using test::message_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Csv parse(const std::string& text) { return Csv::parse(text, "t.csv"); }

TEST(Csv, ReadsCellsAndFindsTheHeader) {
  const Csv csv = parse("a,b\n1,2\n3,4\n");
  EXPECT_THAT(csv.header(), ElementsAre("a", "b"));
  EXPECT_EQ(csv.rows(), 2);
  EXPECT_EQ(csv.columns(), 2);
  EXPECT_EQ(csv.number(1, 0), 3);
  EXPECT_EQ(csv.column("b"), 1);
}

TEST(Csv, SeesThatThereIsNoHeader) {
  EXPECT_TRUE(parse("1,2\n3,4").header().empty());
  EXPECT_EQ(parse("red,1\nblue,2\n").rows(), 2) << "a number in the first row makes it data";
  EXPECT_EQ(Csv::parse("a,b\nc,d\n", "t", ',', false).rows(), 2);
  EXPECT_THAT(Csv::parse("1,2\n3,4\n", "t", ',', true).header(), ElementsAre("1", "2"));
}

TEST(Csv, ReadsQuotesLineEndsAndByteOrderMarks) {
  const Csv csv = parse("\xef\xbb\xbf\"na\"\"me\",b\r\n\"x,y\",\"1\"\r\n\"two\nlines\",2\r\"\",3");
  EXPECT_THAT(csv.header(), ElementsAre("na\"me", "b"));
  ASSERT_EQ(csv.rows(), 3);
  EXPECT_EQ(csv.cell(0, 0), "x,y");
  EXPECT_EQ(csv.number(0, 1), 1);
  EXPECT_EQ(csv.cell(1, 0), "two\nlines");
  EXPECT_EQ(csv.cell(2, 0), "");
  EXPECT_EQ(csv.number(2, 1), 3);
}

TEST(Csv, KeepsEmptyCellsAndSkipsEmptyLines) {
  const Csv csv = parse("a,b\n\n1,\n,2\n\n");
  ASSERT_EQ(csv.rows(), 2);
  EXPECT_EQ(csv.cell(0, 1), "");
  EXPECT_EQ(csv.cell(1, 0), "");
}

TEST(Csv, TakesAnotherDelimiter) {
  EXPECT_EQ(Csv::parse("a;b\n1,5;2\n", "t", ';').cell(0, 0), "1,5");
}

TEST(Csv, SaysWhereACellIsNoNumber) {
  const auto what = [] { parse("rooms,price\n3,100\n4,n/a\n").number(1, 1); };
  EXPECT_EQ(diagnostic_of(what).code, "E0902");
  EXPECT_EQ(diagnostic_of(what).message, "t.csv:3:3: `price` is not a number: \"n/a\"");
  EXPECT_THAT(message_of(what), AllOf(HasSubstr("column 2 of 2; 1 row was read before this one"),
                                      HasSubstr("`missing: drop` or `missing: 0`")));
}

TEST(Csv, CountsLinesInsideQuotesAndColumnsInCharacters) {
  // The bad cell stands on line 4, behind five characters, one of them of two bytes.
  const auto what = [] { parse("name,x\n\"a\"\"\n\"\"b\",1\n\"\xc3\xa9t\",oops\n").number(1, 1); };
  EXPECT_THAT(diagnostic_of(what).message, HasSubstr("t.csv:4:6: `x` is not a number: \"oops\""));
  EXPECT_THAT(message_of(what), HasSubstr("vocab: auto"));
  EXPECT_THAT(diagnostic_of([] { parse("1,2\r3,4\r5,x").number(2, 1); }).message,
              HasSubstr("t.csv:3:3"));
}

TEST(Csv, RefusesRowsOfDifferentLengths) {
  EXPECT_THAT(diagnostic_of([] { parse("a,b\n1,2\n3\n"); }).message,
              HasSubstr("t.csv:3:1: this row has 1 cell, the first has 2"));
  EXPECT_THAT(diagnostic_of([] { parse("1,2\n3,4,\n"); }).message, HasSubstr("has 3 cells"));
}

TEST(Csv, RefusesBrokenQuotes) {
  EXPECT_THAT(diagnostic_of([] { parse("a\n1\n\"open\n\n"); }).message,
              HasSubstr("t.csv:3:1: this quote does not end"));
  EXPECT_THAT(diagnostic_of([] { parse("1,\"2\"3\n"); }).message,
              HasSubstr("t.csv:1:6: text behind the closing quote"));
}

TEST(Csv, RefusesTablesWithoutRows) {
  for (const auto* text : {"", "\n\n", "a,b\n", "\xef\xbb\xbf"}) {
    EXPECT_THAT(message_of([&] { parse(text); }), HasSubstr("no rows")) << text;
  }
  EXPECT_THAT(message_of([] {
                parse(
                    std::string("\xff\xfe"
                                "a\0",
                                4));
              }),
              HasSubstr("UTF-16"));
}

TEST(Csv, NamesTheColumnsThatThereAre) {
  EXPECT_THAT(message_of([] { parse("rooms,price\n1,2\n").column("prize"); }),
              AllOf(HasSubstr("no column is called `prize`"), HasSubstr("did you mean `price`?"),
                    HasSubstr("columns: rooms, price")));
  EXPECT_THAT(message_of([] { parse("a,a\n1,2\n").column("a"); }), HasSubstr("two columns"));
  EXPECT_THAT(message_of([] { parse("1,2\n").column("a"); }), HasSubstr("no header"));
}

TEST(Csv, KnowsNumbersAndMissingValues) {
  EXPECT_EQ(parse_number(" +1.5e3\t"), 1500.0);
  EXPECT_EQ(parse_number("-0.25"), -0.25);
  for (const auto* text : {"", "nan", "inf", "1e999", "0x10", "1,5", "1 2", "+-1", "yes",
                           "1."
                           " 0"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
  for (const auto* text : {"", " ", "NA", "n/a", "NaN", "null", "None", "?", "-"}) {
    EXPECT_TRUE(Csv::is_missing(text)) << text;
  }
  EXPECT_FALSE(Csv::is_missing("nanny"));
  EXPECT_FALSE(Csv::is_missing("0"));
}

TEST(Csv, NeverCrashesOnChangedBytes) {
  const std::string good = "\"a\"\"\",b\r\n1,\"2\"\n\"x\ny\",4\n";
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      for (const std::string& text : {bad, bad.substr(0, at)}) {
        try {
          const Csv csv = parse(text);
          for (std::int64_t r = 0; r < csv.rows(); ++r) {
            for (std::int64_t c = 0; c < csv.columns(); ++c) {
              EXPECT_LE(csv.cell(r, c).size(), text.size());
              EXPECT_GE(csv.place(r, c).line, 1);
            }
          }
        } catch (const Error&) {
        }
      }
    }
  }
}

}  // namespace
}  // namespace limen
