// The JSON header of a safetensors file, read event by event: a document tree would keep the last
// of two equal keys without a word.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <limen/tensor.hpp>

#include "io/element.hpp"

namespace limen {

struct SafeTensorsEntry {
  std::string name;
  FileType type = FileType::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // in the bytes behind the header
};

// The tensors in the order of the header, and the metadata. Throws Error E1001 for anything that is
// not {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {text: text}}.
std::vector<SafeTensorsEntry> parse_safetensors_header(
    std::string_view json, const std::string& name, std::map<std::string, std::string>& metadata);

}  // namespace limen
