#include "plugin/image.hpp"

#include <link.h>

#include <cstring>

namespace limen {

Image::Image(const void* inside) {
  struct Search {
    std::uintptr_t address;
    std::vector<Part> parts;
  } search{reinterpret_cast<std::uintptr_t>(inside), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        std::vector<Part> parts;
        bool found = false;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_R)) continue;
          const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
          parts.push_back({begin, begin + segment.p_memsz, (segment.p_flags & PF_X) != 0});
          found = found || (wanted.address >= begin && wanted.address < parts.back().end);
        }
        if (found) wanted.parts = std::move(parts);
        return found ? 1 : 0;
      },
      &search);
  parts_ = std::move(search.parts);
}

bool Image::holds(const void* at, std::uint64_t size) const {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  for (const Part& part : parts_) {
    if (address >= part.begin && address < part.end) return size <= part.end - address;
  }
  return false;
}

bool Image::code(std::uintptr_t at) const {
  for (const Part& part : parts_) {
    if (at >= part.begin && at < part.end) return part.executable;
  }
  return false;
}

std::optional<std::string_view> Image::text(const char* at) const {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  for (const Part& part : parts_) {
    if (address < part.begin || address >= part.end) continue;
    const void* end = std::memchr(at, '\0', part.end - address);
    if (end == nullptr) return std::nullopt;
    return std::string_view(at, static_cast<std::size_t>(static_cast<const char*>(end) - at));
  }
  return std::nullopt;
}

}  // namespace limen
