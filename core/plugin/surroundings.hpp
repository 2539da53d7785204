// What a library would find around it if it were loaded now: the libraries of this process and
// those that the system's loader would find.
#pragma once

#include <map>
#include <set>
#include <string>

#include "plugin/elf_file.hpp"

namespace limen {

class Surroundings {
 public:
  Surroundings();  // looks at what is mapped now

  // Throws Error E0509 (a library that it needs is nowhere, with the places) or E0510 (a mapped
  // library lacks a version that it needs).
  void check(const ElfFile& elf, const std::string& file);

 private:
  bool found(const ElfFile& elf, const std::string& file, const std::string& library,
             std::vector<std::string>& places);
  const std::set<std::string>& cache();

  std::map<std::string, std::set<std::string>> mapped_;  // soname: the versions it offers
  std::set<std::string> cache_;                          // names in ld.so.cache, read when wanted
  bool cache_read_ = false;
};

}  // namespace limen
