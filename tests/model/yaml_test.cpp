#include "model/yaml.hpp"

#include "model/reading.hpp"

namespace limen::test {
namespace {

using language::Node;
using language::Source;

struct Tree {
  explicit Tree(std::string text) : source("file.yaml", std::move(text)) {
    root = language::read_yaml(source, warnings);
  }
  Source source;
  std::vector<Diagnostic> warnings;
  Node root;
};

std::string kind_of(const std::string& scalar) {
  const Tree tree("x: " + scalar + "\n");
  return language::describe(tree.root.entries.at(0).value);
}

TEST(Yaml, ReadsScalarsByTheCoreSchemaWithOneSpellingOfTruth) {
  EXPECT_EQ(kind_of("1e-3"), "the number `1e-3`");
  EXPECT_EQ(kind_of("12"), "the integer `12`");
  EXPECT_EQ(kind_of("-7"), "the integer `-7`");
  EXPECT_EQ(kind_of("0x1F"), "the integer `0x1F`");
  EXPECT_EQ(kind_of(".5"), "the number `.5`");
  EXPECT_EQ(kind_of("1."), "the number `1.`");
  EXPECT_EQ(kind_of("true"), "`true`");
  for (const char* text :
       {"yes", "no", "on", "True", "FALSE", "1_000", "0.5.1", "1e", "e5", "0x", "+", ".", "1 2"}) {
    EXPECT_EQ(kind_of(text), "the text `" + std::string(text) + "`");
  }
  EXPECT_EQ(kind_of("'12'"), "the text `12`");
  EXPECT_EQ(kind_of("\"true\""), "the text `true`");
  EXPECT_EQ(kind_of("~"), "nothing");
  EXPECT_EQ(kind_of(""), "nothing");
}

TEST(Yaml, GivesNumbersTheirValues) {
  const Tree tree("[1e-3, 0x1F, 99999999999999999999, -.inf, +5, 0o17]\n");
  const auto& items = tree.root.items;
  EXPECT_DOUBLE_EQ(items[0].real, 1e-3);
  EXPECT_EQ(items[1].integer, 31);
  EXPECT_DOUBLE_EQ(items[2].number(), 1e20);
  EXPECT_EQ(items[3].real, -INFINITY);
  EXPECT_EQ(items[4].integer, 5);
  EXPECT_EQ(items[5].integer, 15);
}

TEST(Yaml, WarnsAboutLeadingZeros) {
  const Tree tree("x: 012\ny: 0\nz: 0.5\n");
  ASSERT_EQ(tree.warnings.size(), 1u);
  EXPECT_EQ(tree.warnings[0].code, "W0001");
  EXPECT_EQ(tree.warnings[0].spans[0].line, 1);
  EXPECT_EQ(tree.warnings[0].spans[0].column, 4);
}

TEST(Yaml, KnowsThePlaceAndLengthOfEveryNode) {
  const Tree tree(
      "a: plain text   # comment\nb: {c: [1, 22], d: \"q\\\"q\"}\ne:\n  - &x f\n  - *x\n");
  const auto place = [](const Node& node) {
    return std::vector<int>{node.at.line, node.at.column, node.at.length};
  };
  const Node& root = tree.root;
  EXPECT_EQ(place(root.find("a")->value), (std::vector<int>{1, 4, 10}));
  const Node& b = root.find("b")->value;
  EXPECT_EQ(place(b), (std::vector<int>{2, 4, 23}));
  EXPECT_EQ(place(b.find("c")->value), (std::vector<int>{2, 8, 7}));
  EXPECT_EQ(place(b.find("c")->value.items[1]), (std::vector<int>{2, 12, 2}));
  EXPECT_EQ(place(b.find("d")->value), (std::vector<int>{2, 20, 6}));
  EXPECT_EQ(place(root.find("e")->value.items[0]), (std::vector<int>{4, 8, 1}));
  EXPECT_EQ(root.find("e")->value.items[1].text, "f");
}

TEST(Yaml, CountsColumnsInCharacters) {
  const Tree tree("{größe: [\"ä\", zwölf]}\n");
  const Span span = tree.root.entries[0].value.items[1].at.span();
  EXPECT_EQ(span.column, 15);
  EXPECT_EQ(span.length, 5);
}

TEST(Yaml, ReadsWindowsLinesAndAByteOrderMark) {
  const Tree tree("\xEF\xBB\xBFlimen: 1\r\nname: x\r\n");
  EXPECT_EQ(tree.root.find("limen")->value.integer, 1);
  EXPECT_EQ(tree.root.find("name")->value.text, "x");
  EXPECT_EQ(tree.root.find("name")->value.at.line, 2);
}

TEST(Yaml, AnEmptyValueStandsWhereItsKeyDoes) {
  const Tree tree("a:\nb: 1\n");
  EXPECT_EQ(tree.root.find("a")->value.kind, Node::Kind::null);
  EXPECT_EQ(tree.root.find("a")->value.at.line, 1);
}

TEST(Yaml, RefusesWhatIsNoText) {
  EXPECT_ERROR(Tree(std::string("a: 1\0b", 6)), "E0002", "byte 0x00");
  EXPECT_ERROR(Tree("a: \xff\xfe\n"), "E0002", "UTF-8");
  EXPECT_ERROR(Tree(""), "E0002", "empty");
  EXPECT_ERROR(Tree(" \n\n"), "E0002", "empty");
  EXPECT_ERROR(Tree("\x7f"
                    "ELF"),
               "E0002");
  EXPECT_ERROR(Tree(std::string(language::kMaxBytes + 1, 'a')), "E0002", "too many");
}

TEST(Yaml, RefusesBombsOfEveryKind) {
  EXPECT_ERROR(Tree(std::string(200'000, '[')), "E00");
  EXPECT_ERROR(Tree(std::string(200'000, '{')), "E00");
  std::string dashes, keys, marks;
  for (int i = 0; i < 20'000; ++i) {
    dashes += "- ";
    keys += "{a: ";
    marks += "? ";
  }
  EXPECT_ERROR(Tree(dashes + "x"), "E0007");
  EXPECT_ERROR(Tree(keys), "E00");
  EXPECT_ERROR(Tree(std::string(70, '[') + std::string(70, ']')), "E0007", "levels");
  EXPECT_ERROR(Tree(marks), "E00");
  std::string chain = "a0: &a0 [x]\n";  // each alias one level deeper than the last
  for (int i = 1; i < 200; ++i) {
    const std::string n = std::to_string(i), before = std::to_string(i - 1);
    chain += "a" + n + ": &a" + n + " [*a" + before + "]\n";
  }
  EXPECT_ERROR(Tree(chain), "E0007", "levels");
  EXPECT_ERROR(Tree("a: &a [*a]\n"), "E0007", "inside its own anchor");
}

}  // namespace
}  // namespace limen::test
