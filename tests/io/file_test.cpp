#include "io/file.hpp"

#include <filesystem>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>

#include <gmock/gmock.h>

#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
using test::expect_robust;
using test::message_of;
using test::Scratch;
using ::testing::HasSubstr;

std::string gzipped(const std::string& bytes) {
  std::string out(compressBound(bytes.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(ReadFile, ReturnsTheBytes) {
  const Scratch scratch;
  const std::string bytes("a\0b\n", 4);
  EXPECT_EQ(read_file(scratch.write("f", bytes)), bytes);
  EXPECT_EQ(read_file(scratch.write("empty", "")), "");
}

TEST(ReadFile, RefusesWhatIsNoReadableFile) {
  const Scratch scratch;
  EXPECT_THAT(diagnostic_of([&] { read_file(scratch.path("gone")); }).message,
              HasSubstr("gone: no such file"));
  EXPECT_THAT(message_of([&] { read_file(scratch.folder()); }), HasSubstr("is a folder"));
  EXPECT_THAT(message_of([&] { read_file("/dev/zero"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of([&] { read_file(scratch.write("long", "12345"), 4); }),
              HasSubstr("limit of 4"));
}

TEST(ReadFile, DoesNotWaitForAPipeWithoutAWriter) {
  const Scratch scratch;
  ASSERT_EQ(::mkfifo(scratch.path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(message_of([&] { read_file(scratch.path("pipe")); }),
              HasSubstr("not a regular file"));
}

TEST(ReadFile, RefusesAHugeSparseFileBeforeAllocating) {
  const Scratch scratch;
  const std::string path = scratch.write("sparse", "");
  ASSERT_EQ(::truncate(path.c_str(), off_t{1} << 40), 0);
  EXPECT_THAT(message_of([&] { read_file(path); }), HasSubstr("larger than the limit"));
}

TEST(Unzip, UnpacksByContentWhateverTheName) {
  const Scratch scratch;
  const std::string text(100000, 'x');
  EXPECT_EQ(read_file_unzipped(scratch.write("a.gz", gzipped(text))), text);
  EXPECT_EQ(read_file_unzipped(scratch.write("a", gzipped(text))), text);
  EXPECT_EQ(read_file_unzipped(scratch.write("plain.gz", "plain")), "plain");
}

TEST(Unzip, JoinsMembersAndAllowsZeroPadding) {
  EXPECT_EQ(unzip(gzipped("ab") + gzipped("cd"), "f"), "abcd");
  EXPECT_EQ(unzip(gzipped("ab") + std::string(512, '\0'), "f"), "ab");
  EXPECT_THAT(message_of([] { unzip(gzipped("ab") + "rest", "f"); }), HasSubstr("4 bytes behind"));
}

TEST(Unzip, RefusesEveryCutAndNeverCrashes) {
  expect_robust(gzipped("some text, some text, some text"),
                [](const std::string& bytes) { unzip(bytes, "f"); });
}

TEST(Unzip, StopsAtTheLimit) {
  EXPECT_EQ(unzip(gzipped(std::string(1000, 'x')), "f", 1000).size(), 1000u);
  EXPECT_THAT(message_of([] { unzip(gzipped(std::string(1001, 'x')), "f", 1000); }),
              HasSubstr("larger than the limit of 1000"));
  EXPECT_THAT(message_of([] { unzip(gzipped(std::string(10'000'000, 'x')), "f", 1000); }),
              HasSubstr("larger than the limit of 1000"));
}

TEST(WriteFileAtomically, WritesPiecesAndLeavesNoOtherFile) {
  const Scratch scratch;
  const std::string_view pieces[] = {"ab", "", "cd"};
  write_file_atomically(scratch.path("f"), pieces);
  EXPECT_EQ(Scratch::read(scratch.path("f")), "abcd");
  write_file_atomically(scratch.path("f"), "new");
  EXPECT_EQ(Scratch::read(scratch.path("f")), "new");
  EXPECT_EQ(scratch.files(), 1u);
}

TEST(WriteFileAtomically, KeepsTheModeAndTheLink) {
  const Scratch scratch;
  const std::string file = scratch.write("real", "old");
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  ASSERT_EQ(::symlink("real", scratch.path("link").c_str()), 0);
  write_file_atomically(scratch.path("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(scratch.path("link")));
  EXPECT_EQ(Scratch::read(file), "new");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST(WriteFileAtomically, RefusesFoldersAndMissingFolders) {
  const Scratch scratch;
  EXPECT_THAT(message_of([&] { write_file_atomically(scratch.folder(), "x"); }),
              HasSubstr("cannot be written"));
  EXPECT_EQ(diagnostic_of([&] { write_file_atomically(scratch.path("no/f"), "x"); }).code, "E0903");
}

TEST(WriteFileAtomically, WritesToADeviceInsteadOfReplacingIt) {
  write_file_atomically("/dev/null", "x");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(WriteFileAtomically, SaysThatTheDiskIsFullWithExitCodeSeven) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  try {
    write_file_atomically("/dev/full", "x");
    ADD_FAILURE() << "no Error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::memory);
  }
}

// The limit on file sizes stands in for a full disk: the write fails after some bytes.
TEST(WriteFileAtomically, KeepsTheOldFileWhenWritingFails) {
  const Scratch scratch;
  const std::string file = scratch.write("f", "old");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string big(5000, 'x');
  EXPECT_THROW(write_file_atomically(file, big), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(Scratch::read(file), "old");
  EXPECT_EQ(scratch.files(), 1u);
}

}  // namespace
}  // namespace limen
