// Whole files in and out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace limen {

// Larger files, and gzip streams that unpack to more, are refused before memory is asked for.
constexpr std::uint64_t kLargestFile = std::uint64_t{16} << 30;
constexpr std::uint64_t kLargestUnzipped = std::uint64_t{4} << 30;

// The bytes of a regular file. Throws Error E0901 if it is missing, unreadable, a folder, a device
// or a pipe, or larger than `limit`.
std::string read_file(const std::string& path, std::uint64_t limit = kLargestFile);

// The same, unpacked where the content is gzip (whatever the file is called).
std::string read_file_unzipped(const std::string& path, std::uint64_t limit = kLargestUnzipped);

bool is_gzip(std::string_view bytes);

// Unpacks one or more gzip members. `name` is for messages. Throws Error E0901 where the stream is
// damaged, cut short, or unpacks to more than `limit` bytes.
std::string unzip(std::string_view bytes, const std::string& name,
                  std::uint64_t limit = kLargestUnzipped);

// Writes the pieces one after the other to a temporary name in the same folder, syncs, renames,
// and syncs the folder: at every moment `path` is the old file or the new one, whole. A link is
// followed; a device or pipe is written directly. Throws Error E0903 (exit code 7 if the disk is
// full) and leaves no temporary file behind.
void write_file_atomically(const std::string& path, std::span<const std::string_view> pieces);
void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace limen
