#include "plugin/byte_source.hpp"

#include <unistd.h>

#include <algorithm>

namespace limen {
namespace {

constexpr std::uint64_t kHead = 8192, kPiece = 4096;

// Whatever part can be read; a file may shrink while it is looked at.
std::string read_part(int file, std::uint64_t offset, std::uint64_t size) {
  std::string part(size, '\0');
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(file, part.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got <= 0) break;
    done += static_cast<std::uint64_t>(got);
  }
  part.resize(done);
  return part;
}

}  // namespace

ByteSource::ByteSource(int file, std::uint64_t size)
    : file_(file), size_(size), buffer_(read_part(file, 0, std::min(size, kHead))) {
  head_ = buffer_;
}

std::string_view ByteSource::bytes(std::uint64_t offset, std::uint64_t size) {
  if (offset >= size_) return {};
  size = std::min(size, size_ - offset);
  const auto inside = [&](std::uint64_t begin, std::string_view piece) {
    return offset >= begin && size <= piece.size() && offset - begin <= piece.size() - size;
  };
  if (inside(0, head_)) return head_.substr(offset, size);
  if (file_ < 0) return {};
  for (const auto& [begin, piece] : pieces_) {
    if (inside(begin, piece)) return std::string_view(piece).substr(offset - begin, size);
  }
  const std::uint64_t wanted = std::min(std::max(size, kPiece), size_ - offset);
  pieces_.emplace_back(offset, read_part(file_, offset, wanted));
  return std::string_view(pieces_.back().second).substr(0, size);
}

std::string_view ByteSource::text(std::uint64_t offset, std::uint64_t limit) {
  for (std::uint64_t size = 64;; size *= 4) {
    const std::string_view part = bytes(offset, std::min(size, limit));
    const std::size_t end = part.find('\0');
    if (end != std::string_view::npos) return part.substr(0, end);
    if (size >= limit || part.size() < size) return part;
  }
}

}  // namespace limen
