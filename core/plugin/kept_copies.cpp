#include "plugin/kept_copies.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

#include "base/cache_folder.hpp"
#include "base/isa.hpp"
#include "base/version.hpp"
#include "plugin/shadow.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

bool mine_alone(const fs::path& path, mode_t kind) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && (status.st_mode & S_IFMT) == kind &&
         status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool usable(const fs::path& folder) {
  return mine_alone(folder, S_IFDIR) && allows_programs(folder);
}

std::string link_name(const FileStamp& s) {
  return fmt::format("{:x}-{:x}-{:x}-{:x}-{:x}-{}-{}", s.device, s.inode, s.size, s.modified,
                     s.changed, version(), isa_name(detect_isa()));
}

// Two writes within one tick of the file system's clock leave the same times. Systems with whole
// seconds only are left alone.
bool old_enough(const FileStamp& stamp) {
  constexpr std::int64_t kSecond = 1'000'000'000, kTick = kSecond / 10;
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  return stamp.changed % kSecond != 0 && std::max(stamp.changed, stamp.modified) < now - kTick;
}

void remove_copy(const fs::path& link) {
  std::error_code ignored;
  const fs::path target = fs::read_symlink(link, ignored);
  fs::remove(link, ignored);
  if (!target.empty()) fs::remove_all(link.parent_path() / target.parent_path(), ignored);
}

std::vector<fs::path> links_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> links;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_symlink(error)) links.push_back(at->path());
  }
  return links;
}

// Those in use stay, however many there are: what is younger than a day is left alone.
void remove_oldest(const fs::path& folder) {
  std::vector<std::pair<std::time_t, fs::path>> links;
  for (const fs::path& link : links_of(folder)) {
    struct stat status {};
    if (::lstat(link.c_str(), &status) == 0) links.emplace_back(status.st_mtim.tv_sec, link);
  }
  if (links.size() <= KeptCopies::kMost) return;
  std::ranges::sort(links);
  links.resize(links.size() - KeptCopies::kMost);
  const std::time_t yesterday = std::time(nullptr) - 24 * 60 * 60;
  for (const auto& [made, link] : links) {
    if (made < yesterday) remove_copy(link);
  }
}

}  // namespace

KeptCopies::KeptCopies() {
  if (const fs::path cache = cache_folder(); !cache.empty()) folder_ = cache / "plugins";
}

std::optional<KeptCopies::Copy> KeptCopies::find(const CataloguedFile& file) const {
  if (folder_.empty() || !usable(folder_)) return std::nullopt;
  std::error_code error;
  const fs::path target = fs::read_symlink(folder_ / link_name(file.stamp), error);
  if (error || stamp_of(file.is.file) != file.stamp) return std::nullopt;
  Copy copy{folder_ / target, target.parent_path().string()};
  struct stat status {};
  const bool whole = ::lstat(copy.path.c_str(), &status) == 0 &&
                     static_cast<std::uint64_t>(status.st_size) == file.stamp.size;
  if (!whole || !mine_alone(copy.path, S_IFREG)) return std::nullopt;
  return copy;
}

void KeptCopies::keep(const CataloguedFile& file, std::string_view bytes,
                      const std::string& hash) const {
  if (folder_.empty() || !old_enough(file.stamp) || stamp_of(file.is.file) != file.stamp) return;
  std::error_code error;
  fs::create_directories(folder_.parent_path(), error);
  ::mkdir(folder_.c_str(), 0700);
  if (!usable(folder_)) return;
  const fs::path inner = folder_ / hash, name = fs::path(file.is.file).filename();
  ::mkdir(inner.c_str(), 0700);
  const fs::path draft = inner / fmt::format(".{}", ::getpid());
  const bool written = write_program(draft, bytes);
  if (written) fs::rename(draft, inner / name, error);
  if (!written || error) {
    fs::remove(draft, error);
    return;
  }
  const fs::path link = folder_ / link_name(file.stamp);
  fs::remove(link, error);
  fs::create_symlink(fs::path(hash) / name, link, error);
  remove_oldest(folder_);
}

void KeptCopies::forget(const std::string& hash) const {
  if (folder_.empty()) return;
  std::error_code error;
  for (const fs::path& link : links_of(folder_)) {
    if (fs::read_symlink(link, error).parent_path() == hash) remove_copy(link);
  }
}

}  // namespace limen
