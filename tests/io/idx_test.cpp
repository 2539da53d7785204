#include "io/idx.hpp"

#include <cstdlib>
#include <numeric>

#include <gmock/gmock.h>

#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
using test::expect_robust;
using test::message_of;
using test::Scratch;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kTwoByTwo("\0\0\x08\x02\0\0\0\x02\0\0\0\x02\x01\x02\x03\xff", 16);

LoadedArray parse(const std::string& bytes) { return parse_idx(bytes, "x-ubyte"); }

TEST(Idx, ReadsBytes) {
  const LoadedArray array = parse(kTwoByTwo);
  EXPECT_EQ(array.type, FileType::u8);
  EXPECT_EQ(array.tensor.shape(), (Shape{2, 2}));
  EXPECT_THAT(array.tensor.as<std::int32_t>(), ElementsAre(1, 2, 3, 255));
}

TEST(Idx, ReadsTheOtherElementTypes) {
  EXPECT_THAT(parse(std::string("\0\0\x09\x01\0\0\0\x02\x01\xff", 10)).tensor.as<std::int32_t>(),
              ElementsAre(1, -1));
  EXPECT_THAT(
      parse(std::string("\0\0\x0b\x01\0\0\0\x02\x01\0\xff\xfe", 12)).tensor.as<std::int32_t>(),
      ElementsAre(256, -2));
  EXPECT_THAT(parse(std::string("\0\0\x0c\x01\0\0\0\x01\0\x01\0\0", 12)).tensor.as<std::int32_t>(),
              ElementsAre(65536));
  EXPECT_THAT(parse(std::string("\0\0\x0d\x01\0\0\0\x01\x3f\xc0\0\0", 12)).tensor.as<float>(),
              ElementsAre(1.5f));
  EXPECT_THAT(
      parse(std::string("\0\0\x0e\x01\0\0\0\x01\x3f\xf8\0\0\0\0\0\0", 16)).tensor.as<double>(),
      ElementsAre(1.5));
}

TEST(Idx, RecognisesASavedWebPage) {
  const auto what = [] {
    parse_idx("<!DOCTYPE html><html>", "train-images-idx3-ubyte.gz",
              IdxExpectation{FileType::u8, 3});
  };
  EXPECT_EQ(diagnostic_of(what).code, "E0901");
  EXPECT_EQ(diagnostic_of(what).message, "train-images-idx3-ubyte.gz: not an IDX file");
  EXPECT_THAT(
      message_of(what),
      AllOf(HasSubstr("expected magic 0x00000803 (u8, 3 dims), found 0x3c21444f (\"<!DO\")"),
            HasSubstr("saved web page; download the file again")));
}

TEST(Idx, SaysWhenImagesAndLabelsAreSwapped) {
  EXPECT_THAT(message_of([] {
                parse_idx(kTwoByTwo, "f", IdxExpectation{FileType::u8, 1});
              }),
              AllOf(HasSubstr("expected magic 0x00000801 (u8, 1 dim), found 0x00000802"),
                    HasSubstr("swapped")));
}

TEST(Idx, RefusesSizesThatTheFileDoesNotHave) {
  EXPECT_THAT(message_of([] { parse(kTwoByTwo + "x"); }), HasSubstr("goes on behind its elements"));
  EXPECT_THAT(message_of([] { parse(kTwoByTwo.substr(0, 15)); }),
              AllOf(HasSubstr("u8[2, 2]"), HasSubstr("cut short")));
  EXPECT_THAT(
      message_of([] {
        parse(std::string("\0\0\x0e\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16));
      }),
      HasSubstr("cut short"));
}

TEST(Idx, RefusesEveryCutAndNeverCrashes) {
  expect_robust(kTwoByTwo, [](const std::string& bytes) { parse(bytes); });
}

TEST(Idx, ReadsTheRealMnistFiles) {
  const char* data = std::getenv("LIMEN_DATA");
  if (data == nullptr) GTEST_SKIP() << "LIMEN_DATA is not set";
  const std::string folder = std::string(data) + "/mnist/";
  const auto images =
      read_idx(folder + "train-images-idx3-ubyte.gz", IdxExpectation{FileType::u8, 3});
  EXPECT_EQ(images.tensor.shape(), (Shape{60000, 28, 28}));
  const auto labels =
      read_idx(folder + "train-labels-idx1-ubyte.gz", IdxExpectation{FileType::u8, 1});
  std::array<int, 10> count{};
  for (const std::int32_t label : labels.tensor.as<std::int32_t>()) {
    ++count.at(static_cast<std::size_t>(label));
  }
  EXPECT_THAT(count, ElementsAre(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949));
}

}  // namespace
}  // namespace limen
