// The bytes of a file, read where they are wanted: a look at a library's head should not cost a
// read of the whole.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace limen {

class ByteSource {
 public:
  explicit ByteSource(std::string_view whole) : size_(whole.size()), head_(whole) {}
  // Reads the first bytes now and others when asked for. `file` stays open and the caller's.
  ByteSource(int file, std::uint64_t size);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  std::uint64_t size() const { return size_; }
  std::string_view head() const { return head_; }
  bool holds(std::uint64_t offset, std::uint64_t size) const {
    return offset <= size_ && size <= size_ - offset;
  }
  // At most `size` bytes from `offset`: fewer at the end of the file, or where it cannot be read.
  // Valid as long as the source.
  std::string_view bytes(std::uint64_t offset, std::uint64_t size);

  template <class T>
  std::optional<T> get(std::uint64_t offset) {
    const std::string_view found = bytes(offset, sizeof(T));
    if (found.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, found.data(), sizeof(T));
    return value;
  }
  // The text at `offset`, up to its end mark or `limit` bytes.
  std::string_view text(std::uint64_t offset, std::uint64_t limit);

 private:
  int file_ = -1;
  std::uint64_t size_ = 0;
  std::string_view head_;
  std::string buffer_;
  std::deque<std::pair<std::uint64_t, std::string>> pieces_;  // read later
};

}  // namespace limen
