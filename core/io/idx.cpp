#include "io/idx.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "io/file.hpp"
#include "io/npy.hpp"

namespace limen {
namespace {

struct IdxType {
  unsigned code;
  FileType type;
};
constexpr std::array<IdxType, 6> kTypes{{{0x08, FileType::u8},
                                         {0x09, FileType::i8},
                                         {0x0b, FileType::i16},
                                         {0x0c, FileType::i32},
                                         {0x0d, FileType::f32},
                                         {0x0e, FileType::f64}}};

const IdxType* known_type(std::string_view bytes) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const IdxType& t) {
    return t.code == static_cast<unsigned char>(bytes[2]);
  });
  return found == kTypes.end() ? nullptr : found;
}

bool looks_like_idx(std::string_view bytes) {
  return bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0 && known_type(bytes) != nullptr &&
         static_cast<unsigned char>(bytes[3]) <= Shape::kMaxRank;
}

std::uint32_t big_endian_word(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | static_cast<unsigned char>(bytes[at + i]);
  return word;
}

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 4)) {
    out += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '.';
  }
  return out;
}

// What the user can do, judged by how the file begins.
std::string advice(std::string_view bytes) {
  std::string start(bytes.substr(0, 16));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::size_t first = start.find_first_not_of(" \t\r\n");
  start.erase(0, first == std::string::npos ? start.size() : first);
  if (start.starts_with("<!do") || start.starts_with("<htm") || start.starts_with("<?xm")) {
    return "this looks like a saved web page; download the file again";
  }
  if (start.starts_with("pk\x03\x04")) return "this is a zip archive; unpack it first";
  if (is_npy(bytes)) return "this is an NPY file; read it with the source `npy`";
  if (bytes.empty()) return "the file is empty; download the file again";
  return "IDX files begin with two zero bytes; is this the right file?";
}

[[noreturn]] void refuse_magic(std::string_view bytes, const std::string& name,
                               const std::optional<IdxExpectation>& expected) {
  std::string wanted = "0x000008NN (u8, NN dims)";
  if (expected) {
    const auto* known = std::find_if(kTypes.begin(), kTypes.end(),
                                     [&](const IdxType& t) { return t.type == expected->type; });
    wanted =
        fmt::format("0x{:04x}{:02x}{:02x} ({}, {} {})", 0, known->code, expected->rank,
                    name_of(expected->type), expected->rank, expected->rank == 1 ? "dim" : "dims");
  }
  std::string found;
  for (const char c : bytes.substr(0, 4))
    found += fmt::format("{:02x}", static_cast<unsigned char>(c));
  const bool other_kind = looks_like_idx(bytes);
  throw Error(Diagnostic{
      .code = "E0901",
      .message = fmt::format("{}: {}", name,
                             other_kind ? "not the expected kind of IDX file" : "not an IDX file"),
      .spans = {},
      .notes = {found.empty() ? fmt::format("expected magic {}, found an empty file", wanted)
                              : fmt::format("expected magic {}, found 0x{} (\"{}\")", wanted, found,
                                            printable(bytes))},
      .help = {other_kind ? "were images and labels swapped?" : advice(bytes)}});
}

[[noreturn]] void refuse_size(const std::string& name, const std::string& why, bool cut_short) {
  throw Error("E0901", fmt::format("{}: {}", name, why),
              {cut_short ? "the file is cut short; download or copy it again"
                         : "the file goes on behind its elements; download or copy it again"});
}

}  // namespace

LoadedArray parse_idx(std::string_view bytes, const std::string& name,
                      std::optional<IdxExpectation> expected) {
  if (!looks_like_idx(bytes)) refuse_magic(bytes, name, expected);
  const IdxType* known = known_type(bytes);
  const int rank = static_cast<unsigned char>(bytes[3]);
  if (expected && (expected->type != known->type || expected->rank != rank)) {
    refuse_magic(bytes, name, expected);
  }
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(rank);
  if (bytes.size() < header) refuse_size(name, "the IDX file ends inside its header", true);
  std::vector<std::int64_t> sizes;
  for (int axis = 0; axis < rank; ++axis) {
    sizes.push_back(big_endian_word(bytes, 4 + 4 * static_cast<std::size_t>(axis)));
  }
  const Shape shape{std::span<const std::int64_t>(sizes)};
  bytes.remove_prefix(header);
  std::uint64_t wanted = 0;
  const bool countable = bytes_of(shape, known->type, wanted);
  if (!countable || wanted != bytes.size()) {
    refuse_size(name,
                fmt::format("the header says {}{}, which {} bytes do not hold exactly",
                            name_of(known->type), to_string(shape), bytes.size()),
                !countable || wanted > bytes.size());
  }
  return {decode(bytes, known->type, true, shape, name), known->type};
}

LoadedArray read_idx(const std::string& path, std::optional<IdxExpectation> expected) {
  return parse_idx(read_file_unzipped(path), path, expected);
}

}  // namespace limen
