#include "io/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <fmt/format.h>
#include <limen/error.hpp>

namespace limen {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool close() {  // false on failure: some file systems report a full disk only here
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

std::string reason(int code) { return std::generic_category().message(code); }

[[noreturn]] void fail_to_read(const std::string& path, int code) {
  if (code == ENOENT) throw Error("E0901", fmt::format("{}: no such file", path));
  throw Error("E0901", fmt::format("{}: cannot be read: {}", path, reason(code)));
}

[[noreturn]] void fail_to_write(const std::string& path, int code) {
  const bool full = code == ENOSPC || code == EDQUOT || code == ENOMEM;
  Diagnostic diagnostic{.code = "E0903",
                        .message = fmt::format("{}: cannot be written: {}", path, reason(code)),
                        .spans = {},
                        .notes = {},
                        .help = {}};
  if (full) diagnostic.help.push_back("make room, or write to another disk");
  throw Error({diagnostic}, full ? Exit::memory : Exit::data);
}

[[noreturn]] void fail_for_size(const std::string& path, std::uint64_t limit) {
  throw Error("E0901", fmt::format("{}: larger than the limit of {} bytes", path, limit));
}

[[noreturn]] void fail_for_memory(const std::string& path) {
  throw Error({Diagnostic{.code = "E0901",
                          .message = fmt::format("{}: does not fit into memory", path),
                          .spans = {},
                          .notes = {},
                          .help = {}}},
              Exit::memory);
}

std::string read_all(int fd, const std::string& path, std::size_t size, std::uint64_t limit) {
  std::string bytes;
  bytes.resize(size + 1);  // one spare byte sees the end of the file without growing
  std::size_t filled = 0;
  while (true) {
    if (filled == bytes.size()) bytes.resize(bytes.size() * 2);  // the file grew meanwhile
    const ssize_t got = ::read(fd, bytes.data() + filled,
                               std::min<std::size_t>(bytes.size() - filled, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read(path, errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > limit) fail_for_size(path, limit);
  }
  bytes.resize(filled);
  return bytes;
}

// False with errno set on failure.
bool write_all(int fd, std::span<const std::string_view> pieces) {
  for (std::string_view rest : pieces) {
    while (!rest.empty()) {
      const ssize_t put = ::write(fd, rest.data(), std::min(rest.size(), std::size_t{1} << 30));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  return true;
}

// Where the bytes go in the end: links are followed, so that the link stays one.
std::string resolved(const std::string& path) {
  std::error_code ignored;
  const auto target = std::filesystem::canonical(path, ignored);
  return ignored ? path : target.string();
}

int open_temporary(const std::string& target, mode_t mode, std::string& name) {
  const std::filesystem::path path(target);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    name = (path.parent_path() /
            fmt::format(".{}.{}-{}.tmp", path.filename().string(), ::getpid(), attempt))
               .string();
    const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

void sync_folder(const std::string& target) {
  std::string folder = std::filesystem::path(target).parent_path().string();
  if (folder.empty()) folder = ".";
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());  // not every file system can; the rename stands anyway
}

void write_directly(const std::string& path, std::span<const std::string_view> pieces) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || !write_all(fd.get(), pieces) || !fd.close()) fail_to_write(path, errno);
}

// Owns zlib's state while a stream is unpacked.
struct Inflater {
  z_stream stream{};
  bool ready = false;
  Inflater() { ready = inflateInit2(&stream, 15 + 16) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
};

// One gzip member from the front of `bytes`, appended to `out`; returns the bytes it took.
std::size_t unzip_member(std::string_view bytes, std::string& out, const std::string& name,
                         std::uint64_t limit) {
  Inflater inflater;
  if (!inflater.ready) throw std::bad_alloc();
  z_stream& stream = inflater.stream;
  std::size_t used = 0, filled = out.size();
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    if (filled > limit) fail_for_size(name + " (unpacked)", limit);
    if (filled == out.size())
      out.resize(std::max<std::size_t>(out.size() * 2, bytes.size() * 3 + 4096));
    const std::size_t chunk = std::min<std::size_t>(bytes.size() - used, 1u << 30);
    const std::size_t room = std::min<std::size_t>(out.size() - filled, 1u << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + used));
    stream.avail_in = static_cast<uInt>(chunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    used += chunk - stream.avail_in;
    filled += room - stream.avail_out;
    if (state == Z_BUF_ERROR || (state == Z_OK && used == bytes.size() && stream.avail_out > 0)) {
      throw Error(
          "E0901",
          fmt::format("{}: the gzip stream is cut short after {} bytes", name, bytes.size()),
          {"the download may have stopped early; download the file again"});
    }
    if (state == Z_MEM_ERROR) throw std::bad_alloc();
    if (state != Z_OK && state != Z_STREAM_END) {
      throw Error("E0901",
                  fmt::format("{}: the gzip stream is damaged: {}", name,
                              stream.msg != nullptr ? stream.msg : "wrong data"),
                  {"download or copy the file again"});
    }
  }
  out.resize(filled);
  if (filled > limit) fail_for_size(name + " (unpacked)", limit);
  return used;
}

}  // namespace

std::string read_file(const std::string& path, std::uint64_t limit) {
  // Not blocking, so that a pipe without a writer is refused rather than waited for.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) fail_to_read(path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail_to_read(path, errno);
  if (S_ISDIR(info.st_mode)) throw Error("E0901", fmt::format("{}: is a folder, not a file", path));
  if (!S_ISREG(info.st_mode)) throw Error("E0901", fmt::format("{}: is not a regular file", path));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > limit) fail_for_size(path, limit);
  try {
    return read_all(fd.get(), path, size, limit);
  } catch (const std::bad_alloc&) {
    fail_for_memory(path);
  } catch (const std::length_error&) {
    fail_for_memory(path);
  }
}

std::string read_file_unzipped(const std::string& path, std::uint64_t limit) {
  std::string bytes = read_file(path);
  return is_gzip(bytes) ? unzip(bytes, path, limit) : bytes;
}

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1f\x8b"; }

std::string unzip(std::string_view bytes, const std::string& name, std::uint64_t limit) {
  std::string out;
  try {
    do {
      bytes.remove_prefix(unzip_member(bytes, out, name, limit));
    } while (is_gzip(bytes));
  } catch (const std::bad_alloc&) {
    fail_for_memory(name);
  } catch (const std::length_error&) {
    fail_for_memory(name);
  }
  if (bytes.find_first_not_of('\0') != std::string_view::npos) {
    throw Error("E0901", fmt::format("{}: {} bytes behind the gzip stream", name, bytes.size()),
                {"download or copy the file again"});
  }
  return out;
}

void write_file_atomically(const std::string& path, std::span<const std::string_view> pieces) {
  const std::string target = resolved(path);
  struct stat info {};
  const bool exists = ::stat(target.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) fail_to_write(path, EISDIR);
  if (exists && !S_ISREG(info.st_mode)) return write_directly(path, pieces);

  std::string temporary;
  Descriptor fd(open_temporary(target, 0666, temporary));
  if (fd.get() < 0) fail_to_write(path, errno);
  bool good = write_all(fd.get(), pieces);
  if (good && exists) good = ::fchmod(fd.get(), info.st_mode & 07777) == 0;
  good = good && ::fsync(fd.get()) == 0;
  good = good && fd.close();
  good = good && ::rename(temporary.c_str(), target.c_str()) == 0;
  if (!good) {
    const int code = errno;
    ::unlink(temporary.c_str());
    fail_to_write(path, code);
  }
  sync_folder(target);
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  write_file_atomically(path, std::span<const std::string_view>(&bytes, 1));
}

}  // namespace limen
