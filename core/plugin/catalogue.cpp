#include "plugin/catalogue.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/text.hpp"
#include "plugin/fault.hpp"
#include "plugin/library.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 30;

FileStamp stamp_of(const struct stat& s) {
  const auto ns = [](const timespec& t) { return t.tv_sec * std::int64_t{1000000000} + t.tv_nsec; };
  return {s.st_dev, s.st_ino, static_cast<std::uint64_t>(s.st_size), ns(s.st_mtim), ns(s.st_ctim)};
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& file)
      : number_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0 && (errno == ENOENT || errno == ENOTDIR)) {
      throw Error("E0501", fmt::format("{}: not found", file));
    }
    if (number_ < 0) {
      throw plugin_fault("E0501", file, fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    ::fstat(number_, &status_);
    const bool regular = S_ISREG(status_.st_mode);
    if (!regular || stamp_of(status_).size > kLargestFile) {
      ::close(number_);
      throw plugin_fault(
          "E0502", file,
          regular ? "not a plugin: larger than 1 GiB" : "not an ELF file (it is no regular file)");
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(number_); }

  int number() const { return number_; }
  const struct stat& status() const { return status_; }

 private:
  int number_;
  struct stat status_ {};
};

std::string rights_of(const struct stat& status) {
  if ((status.st_mode & S_IWOTH) != 0) return "is writable by others";
  const bool third = status.st_uid != 0 && status.st_uid != ::geteuid();
  return third ? fmt::format("belongs to another user (number {})", status.st_uid) : "";
}

Error untrusted_fault(const std::string& file, const std::string& why) {
  return plugin_fault("E0522", file, why + "; refused",
                      {why.starts_with("is writable") ? "name the file itself, or `chmod o-w`"
                                                      : "name the file itself"});
}

std::string offer(const LoadedPlugin& plugin) {
  return fmt::format("{} ({} {})", plugin.file, plugin.name(), plugin.version());
}

}  // namespace

FileStamp stamp_of(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? stamp_of(status) : FileStamp{};
}

std::string untrusted(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? rights_of(status) : "";
}

std::string read_library(const std::string& file) {
  const OpenFile in(file);
  const std::uint64_t size = stamp_of(in.status()).size;
  ByteSource source(in.number(), size);
  return std::string(source.bytes(0, size));
}

fs::path own_folder() {
  const fs::path prefix = program_prefix();
  return prefix.empty() ? fs::path() : prefix / "lib" / "limen" / "plugins";
}

CataloguedFile examine_file(const std::string& file, bool own, bool named,
                            Surroundings& surroundings) {
  const OpenFile open(file);
  if (!own && !named) {
    if (const std::string why = rights_of(open.status()); !why.empty()) {
      throw untrusted_fault(file, why);
    }
  }
  CataloguedFile found{.is = {.file = file, .own = own}, .stamp = stamp_of(open.status())};
  ByteSource in(open.number(), found.stamp.size);
  ElfFile elf = inspect_elf(in, file);
  surroundings.check(elf, file);
  found.is.ops = std::move(elf.ops);
  found.build_id = std::move(elf.build_id);
  return found;
}

bool same_content(const CataloguedFile& a, const CataloguedFile& b) {
  if (a.stamp.size != b.stamp.size || a.build_id != b.build_id) return false;
  const std::string mine = read_library(a.is.file);
  return !mine.empty() && mine == read_library(b.is.file);
}

void Catalogue::remember(const Error& error) {
  problems.insert(problems.end(), error.diagnostics().begin(), error.diagnostics().end());
}

bool Catalogue::is_own(const std::string& folder) {
  const auto [at, fresh] = own_folders.emplace(folder, false);
  std::error_code error;
  if (fresh) at->second = fs::equivalent(folder, own_folder(), error) && !error;
  return at->second;
}

Catalogue::Added Catalogue::add(const std::string& file, bool named) {
  if (!surroundings) surroundings.emplace();
  const bool own = is_own(fs::path(file).parent_path().string());
  CataloguedFile fresh = examine_file(file, own, named, *surroundings);
  for (std::size_t i = 0; i < files.size(); ++i) {
    CataloguedFile& known = files[i];
    if (known.stamp == fresh.stamp) return {i, true};
    // The system's loader knows a library by its path and by its inode, whatever it holds now.
    const bool same_place = known.is.file == file || (known.stamp.device == fresh.stamp.device &&
                                                      known.stamp.inode == fresh.stamp.inode);
    if (same_place && known.is.plugin != nullptr) {
      throw plugin_fault("E0511", file, "was changed after it had been loaded",
                         {"start again, or train with `--watch-plugins`"});
    }
    if (same_place) {
      known = std::move(fresh);
      return {i, false};
    }
    if (same_content(known, fresh)) return {i, true};
  }
  files.push_back(std::move(fresh));
  return {files.size() - 1, false};
}

const std::shared_ptr<const LoadedPlugin>& Catalogue::open(CataloguedFile& file,
                                                           const std::string& sha256) {
  if (file.is.plugin != nullptr) {
    check_hash(*file.is.plugin, sha256);
    return file.is.plugin;
  }
  file.is.failed = true;  // until it is known better
  std::shared_ptr<const LoadedPlugin> plugin = open_plugin(file, sha256, copies);
  for (const CataloguedFile& other : files) {
    if (&other == &file || other.is.plugin == nullptr) continue;
    if (other.is.plugin->name() != plugin->name()) continue;
    throw plugin_fault("E0516", file.is.file,
                       fmt::format("plugin {} {} is hidden by {}, which was found first",
                                   plugin->name(), plugin->version(), offer(*other.is.plugin)));
  }
  file.is.failed = false;
  file.is.ops.clear();
  for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
    file.is.ops.push_back(names_of(*plugin->descriptor->ops[i]));
  }
  return file.is.plugin = std::move(plugin);
}

std::shared_ptr<const LoadedPlugin> Catalogue::try_open(CataloguedFile& file) {
  if (file.is.failed) return nullptr;
  try {
    return open(file, "");
  } catch (const Error& error) {
    remember(error);
    return nullptr;
  }
}

void Catalogue::open_all() {
  for (CataloguedFile& file : files) try_open(file);
}

std::vector<std::string> names_of(const limen_op& op) {
  std::vector<std::string> names = {op.name};
  for (const char* const* alias = op.aliases; alias != nullptr && *alias != nullptr; ++alias) {
    names.emplace_back(*alias);
  }
  return names;
}

}  // namespace limen
