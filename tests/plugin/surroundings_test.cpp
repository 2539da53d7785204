// What a library needs of others, found out before the system's loader is asked.
#include "plugin/surroundings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/environment.hpp"
#include "../support/expect_error.hpp"
#include "../support/scratch.hpp"
#include "kernels.hpp"

namespace limen::test {
namespace {

TEST(Surroundings, NameThePlacesWhereALibraryIsNot) {
  ElfFile elf;
  elf.needed = {"libc.so.6", "libfoo.so.3"};
  elf.runpath = "$ORIGIN/../lib:/opt/foo";
  Surroundings surroundings;
  EXPECT_ERROR(surroundings.check(elf, "/x/plugins/a.so"), "E0509", "/x/plugins/a.so",
               "needs libfoo.so.3, which is in none of: RUNPATH $ORIGIN/../lib (=/x/lib), RUNPATH "
               "/opt/foo, ld.so.cache, /lib");
  elf.rpath = "/only/without/runpath";
  EXPECT_THAT(error_of([&] { surroundings.check(elf, "/x/a.so"); }),
              testing::Not(testing::HasSubstr("/only/without")));
}

TEST(Surroundings, FindLibrariesWhereTheLoaderWould) {
  const Scratch scratch;
  scratch.write("lib/libfoo.so.3", "x");
  ElfFile elf;
  elf.needed = {"libfoo.so.3"};
  Surroundings surroundings;
  const std::string file = scratch.write("plugins/a.so", "x");
  EXPECT_ERROR(surroundings.check(elf, file), "E0509");
  elf.runpath = "${ORIGIN}/../lib";
  EXPECT_NO_THROW(surroundings.check(elf, file));
  elf.runpath = "/nowhere";
  elf.rpath = scratch.path("lib");
  EXPECT_ERROR(surroundings.check(elf, file), "E0509") << "RUNPATH hides RPATH";
  elf.runpath.clear();
  EXPECT_NO_THROW(surroundings.check(elf, file));
  elf.rpath.clear();
  const Environment path("LD_LIBRARY_PATH", "/nowhere:" + scratch.path("lib"));
  EXPECT_NO_THROW(surroundings.check(elf, file));
  elf.needed = {scratch.path("lib/absent.so"), "x"};
  EXPECT_ERROR(surroundings.check(elf, file), "E0509", "absent.so");
  elf.needed = {"libm.so.6", "libz.so.1"};  // mapped, or known to the system
  EXPECT_NO_THROW(surroundings.check(elf, file));
}

TEST(Surroundings, CompareVersionsWithThoseOfTheProcess) {
  ElfFile elf;
  elf.versions = {{"libc.so.6", "GLIBC_2.2.5"}, {"libstdc++.so.6", "GLIBCXX_3.4.9999"}};
  Surroundings surroundings;
  EXPECT_ERROR(surroundings.check(elf, "a.so"), "E0510",
               "needs GLIBCXX_3.4.9999; this process has up to 3.4.", "-static-libstdc++");
  elf.versions = {{"libc.so.6", "GLIBC_2.999"}};
  EXPECT_ERROR(surroundings.check(elf, "a.so"), "E0510",
               "needs GLIBC_2.999; this process has up "
               "to 2.");
  elf.versions = {{"libc.so.6", "STRANGE_1"}, {"libnobody.so", "ANY_1"}};
  EXPECT_ERROR(surroundings.check(elf, "a.so"), "E0510", "this process has no STRANGE in libc");
}

TEST(Surroundings, ReadTheVersionsThatALibraryNeeds) {
  const ElfFile elf = inspect_elf(Scratch::read(faulty("JOINT_CHECK")), "joint.so");
  EXPECT_FALSE(elf.build_id.empty());
#if defined(__SANITIZE_ADDRESS__)  // its own library stands for the C library
  EXPECT_THAT(elf.needed, testing::Contains(testing::StartsWith("libasan.so")));
#else
  EXPECT_THAT(elf.needed, testing::Contains("libc.so.6"));
  ASSERT_FALSE(elf.versions.empty());
  EXPECT_EQ(elf.versions[0].library, "libc.so.6");
  EXPECT_THAT(elf.versions[0].version, testing::StartsWith("GLIBC_2."));
#endif
}

}  // namespace
}  // namespace limen::test
