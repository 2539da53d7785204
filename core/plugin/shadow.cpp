#include "plugin/shadow.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "plugin/fault.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> places() {
  std::vector<fs::path> all;
  // In memory first: making a file on a disk costs more than all the rest of loading it.
  for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] == '/') all.emplace_back(value);
    if (all.empty()) all.emplace_back("/dev/shm");
  }
  all.emplace_back("/tmp");
  all.emplace_back("/var/tmp");
  return all;
}

// A folder of this process, which nobody else may write into.
bool make_private(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return true;
  struct stat status {};
  return errno == EEXIST && ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & 077) == 0;
}

}  // namespace

bool allows_programs(const fs::path& folder) {
  struct statvfs system {};
  return ::statvfs(folder.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) == 0;
}

bool write_program(const fs::path& file, std::string_view bytes) {
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
  if (out < 0) return false;
  bool good = true;
  while (good && !bytes.empty()) {
    const ssize_t written = ::write(out, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    good = written > 0;
    if (good) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::close(out) == 0 && good;
}

Shadow::Shadow(std::string_view bytes, const std::string& hash, const std::string& original) {
  for (const fs::path& place : places()) {
    if (!allows_programs(place)) continue;
    const fs::path folder = place / fmt::format("limen-{}", ::getpid());
    if (!make_private(folder)) continue;
    const fs::path inner = folder / hash.substr(0, 32);
    const fs::path file = inner / fs::path(original).filename();
    // Left behind by a process that had the same number and was killed, or by another thread.
    std::error_code ignored;
    ::mkdir(inner.c_str(), 0700);
    fs::remove(file, ignored);
    if (write_program(file, bytes)) {
      path_ = file;
      return;
    }
    fs::remove(file, ignored);
    fs::remove(inner, ignored);
    fs::remove(folder, ignored);
  }
  throw plugin_fault("E0511", original, "no folder for a private copy of it",
                     {"set TMPDIR to a folder that allows programs"});
}

Shadow::~Shadow() {
  std::error_code ignored;
  fs::remove(path_, ignored);
  fs::remove(path_.parent_path(), ignored);
  fs::remove(path_.parent_path().parent_path(), ignored);
}

}  // namespace limen
