#include "io/safetensors.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "base/text.hpp"
#include "io/element.hpp"
#include "io/file.hpp"
#include "io/safetensors_header.hpp"

namespace limen {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error("E1001", fmt::format("{}: not a usable safetensors file: {}", name, why));
}

std::string_view take_header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < kLengthBytes) refuse(name, "it is shorter than the 8 bytes of its length");
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  bytes.remove_prefix(kLengthBytes);
  if (length > kLongestHeader) {
    refuse(name, fmt::format("its header would be {} bytes, at most {} are allowed", length,
                             kLongestHeader));
  }
  if (length > bytes.size()) {
    refuse(name, fmt::format("its header would be {} bytes, {} are there", length, bytes.size()));
  }
  const std::string_view header = bytes.substr(0, length);
  if (!header.starts_with('{')) refuse(name, "its header does not start with `{`");
  return header;
}

// Sizes agree with shapes, and the tensors cover all `available` bytes, each byte once.
void check_layout(std::vector<SafeTensorsEntry>& entries, std::uint64_t available,
                  const std::string& name) {
  for (const SafeTensorsEntry& entry : entries) {
    std::uint64_t wanted = 0;
    if (entry.begin > entry.end || entry.end > available) {
      refuse(name, fmt::format("tensor `{}` lies at bytes {} to {} of {}", entry.name, entry.begin,
                               entry.end, available));
    }
    if (!bytes_of(entry.shape, entry.type, wanted) || wanted != entry.end - entry.begin) {
      refuse(name,
             fmt::format("tensor `{}` is {}{} but has {} bytes", entry.name, name_of(entry.type),
                         to_string(entry.shape), entry.end - entry.begin));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t covered = 0;
  for (const SafeTensorsEntry& entry : entries) {
    if (entry.begin != covered) {
      refuse(name, fmt::format("tensor `{}` starts at byte {}, {} {}", entry.name, entry.begin,
                               entry.begin > covered ? "leaving a hole from" : "overlapping up to",
                               covered));
    }
    covered = entry.end;
  }
  if (covered != available) {
    refuse(name, fmt::format("{} bytes behind the last tensor", available - covered));
  }
}

std::string_view safetensors_name(DType dtype) {
  return dtype == DType::f32 ? "F32" : dtype == DType::f64 ? "F64" : "I32";
}

using Item = std::map<std::string, Tensor>::value_type;

std::vector<const Item*> in_file_order(const SafeTensors& content) {
  std::vector<const Item*> order;
  for (const Item& item : content.tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
    return size_of(a->second.type().dtype) > size_of(b->second.type().dtype);
  });
  return order;
}

// Length and JSON, padded with blanks so that the elements start at a multiple of 8.
std::string header_of(const SafeTensors& content, const std::vector<const Item*>& order) {
  std::string json = "{";
  if (!content.metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : content.metadata) {
      json += fmt::format("{}:{},", json_quote(key), json_quote(value));
    }
    json.back() = '}';
    json += ',';
  }
  std::size_t offset = 0;
  for (const Item* item : order) {
    const TensorType& type = item->second.type();
    json += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}},)",
                        json_quote(item->first), safetensors_name(type.dtype),
                        fmt::join(type.shape.begin(), type.shape.end(), ","), offset,
                        offset + type.bytes());
    offset += type.bytes();
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string out;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    out += static_cast<char>(json.size() >> (8 * i) & 0xff);
  return out + json;
}

std::vector<std::string_view> pieces_of(const std::string& header,
                                        const std::vector<const Item*>& order) {
  std::vector<std::string_view> pieces{header};
  for (const Item* item : order) {
    const Tensor& tensor = item->second;
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.data()), tensor.type().bytes());
  }
  return pieces;
}

}  // namespace

SafeTensors parse_safetensors(std::string_view bytes, const std::string& name) {
  const std::string_view header = take_header(bytes, name);
  bytes.remove_prefix(kLengthBytes + header.size());
  SafeTensors content;
  std::vector<SafeTensorsEntry> entries = parse_safetensors_header(header, name, content.metadata);
  check_layout(entries, bytes.size(), name);
  for (const SafeTensorsEntry& entry : entries) {
    content.tensors[entry.name] =
        decode(bytes.substr(entry.begin, entry.end - entry.begin), entry.type, false, entry.shape,
               fmt::format("{}: tensor `{}`", name, entry.name), "E1001");
  }
  return content;
}

SafeTensors read_safetensors(const std::string& path) {
  return parse_safetensors(read_file(path), path);
}

void write_safetensors(const std::string& path, const SafeTensors& content) {
  const auto order = in_file_order(content);
  const std::string header = header_of(content, order);
  const auto pieces = pieces_of(header, order);
  write_file_atomically(path, pieces);
}

std::string format_safetensors(const SafeTensors& content) {
  const auto order = in_file_order(content);
  const std::string header = header_of(content, order);
  std::string out;
  for (const std::string_view piece : pieces_of(header, order)) out += piece;
  return out;
}

}  // namespace limen
