// Copies of strangers' libraries that outlive the process: a library that was read, hashed, tried
// and copied once is mapped from its copy until the file changes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/catalogue.hpp"

namespace limen {

// In the cache folder, which must be the user's alone; without one nothing is kept. A copy is known
// by the stamp of the file it was made from, and by the engine and instruction set that found it
// good; nobody writes into it, so that processes may share it. Any thread.
class KeptCopies {
 public:
  static constexpr std::size_t kMost = 256;  // of more, those older than a day go

  KeptCopies();

  struct Copy {
    std::filesystem::path path;
    std::string hash;  // SHA-256 of its bytes
  };
  // The copy of `file` as it lies there now.
  std::optional<Copy> find(const CataloguedFile& file) const;
  // `bytes` are what the file held, and good. Says nothing where it cannot, or where the file has
  // changed since it was catalogued or so lately that its times might not tell.
  void keep(const CataloguedFile& file, std::string_view bytes, const std::string& hash) const;
  void forget(const std::string& hash) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace limen
