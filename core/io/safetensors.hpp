// Safetensors files: named tensors and text, the format of checkpoints. Layout: an 8-byte length, a
// JSON header of that length, the elements without holes. Source:
// https://github.com/huggingface/safetensors#format
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <limen/tensor.hpp>

namespace limen {

struct SafeTensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

// Reads F32, F64, I32, and I64, U8 (held as i32). The file is refused with Error E1001 and the
// reason unless the header starts with `{`, is at most 100 MB of JSON without a key twice, the
// metadata is text to text, every tensor's bytes agree with its shape and type, and the tensors
// cover the rest of the file without hole or overlap. A file that cannot be read is E0901.
SafeTensors read_safetensors(const std::string& path);
SafeTensors parse_safetensors(std::string_view bytes, const std::string& name);

// Writes the file whole or not at all (see write_file_atomically). The bytes depend on the content
// only: tensors lie by falling element size, then by name, so that all are aligned. Throws Error
// E0903.
void write_safetensors(const std::string& path, const SafeTensors& content);
std::string format_safetensors(const SafeTensors& content);

}  // namespace limen
