// Private copies of libraries: what was hashed is what is loaded, and nobody can change a file that
// the process has mapped (which would end it).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace limen {

// Whether the folder's file system lets programs be mapped.
bool allows_programs(const std::filesystem::path& folder);
// A new file that can be mapped and is never written again; false if that fails.
bool write_program(const std::filesystem::path& file, std::string_view bytes);

// A copy at a path that only this process uses and that is named by content: the same bytes have
// the same path, other bytes another (the system's loader knows libraries by their paths). The file
// is gone when the object is; what is mapped stays. Throws Error E0511 where no folder allows it.
class Shadow {
 public:
  Shadow(std::string_view bytes, const std::string& hash, const std::string& original);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace limen
