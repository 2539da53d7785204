#include "base/sha256.hpp"

#include <gtest/gtest.h>

namespace limen {
namespace {

TEST(Sha256, GivesThePublishedValues) {  // of FIPS 180-4 and its examples
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, CountsEveryByteAroundTheEndOfABlock) {
  std::string before;
  for (const std::size_t size : {55, 56, 63, 64, 65, 119, 120}) {
    const std::string hash = sha256(std::string(size, 'x'));
    EXPECT_EQ(hash.size(), 64u);
    EXPECT_NE(hash, before);
    before = hash;
  }
}

}  // namespace
}  // namespace limen
