// Where a loaded library lies in memory, so that a descriptor's pointers can be checked before they
// are followed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace limen {

class Image {
 public:
  // The library that holds `inside`; an image without parts if there is none.
  explicit Image(const void* inside);

  // Whether `size` bytes at `at` are part of the library.
  bool holds(const void* at, std::uint64_t size) const;
  // Whether `at` is in its code. (A function pointer, as the address of its first instruction.)
  bool code(std::uintptr_t at) const;
  // The text at `at` if it lies, with its end mark, in the library.
  std::optional<std::string_view> text(const char* at) const;

 private:
  struct Part {
    std::uintptr_t begin, end;
    bool executable;
  };
  std::vector<Part> parts_;
};

}  // namespace limen
