#include "io/npy.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "io/file.hpp"

namespace limen {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

[[noreturn]] void refuse(const std::string& name, const std::string& why,
                         std::vector<std::string> help = {}) {
  throw Error("E0901", fmt::format("{}: {}", name, why), std::move(help));
}

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

// Reads the header's Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), },
// and nothing more general. Every method advances over the blanks behind what it took.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& name) : rest_(text), name_(name) {}

  Header read() {
    Header header;
    skip_blanks();
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        header.descr = element_type();
      } else if (key == "fortran_order") {
        header.fortran_order = truth();
      } else if (key == "shape") {
        header.shape = tuple();
      } else {
        broken(fmt::format("unknown key `{}`", key.substr(0, 40)));
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    if (!rest_.empty()) broken("text behind the closing brace");
    if (!header.descr) broken("no `descr`");
    if (!header.fortran_order) broken("no `fortran_order`");
    if (!header.shape) broken("no `shape`");
    return header;
  }

 private:
  [[noreturn]] void broken(const std::string& why) const {
    refuse(name_, fmt::format("damaged NPY header: {}", why), {"write the file again"});
  }

  void skip_blanks() {
    const std::size_t n = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    skip_blanks();
    return true;
  }

  void expect(char c) {
    if (!take(c)) broken(fmt::format("expected `{}`", c));
  }

  bool take_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    skip_blanks();
    return true;
  }

  std::string string() {
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) broken("expected a text");
    const std::size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) broken("a text that does not end");
    std::string out(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    skip_blanks();
    return out;
  }

  std::string element_type() {
    if (!rest_.empty() && rest_.front() == '[') {
      refuse(name_, "holds records with named fields, not numbers",
             {"save one field at a time: `numpy.save(file, array['field'])`"});
    }
    return string();
  }

  bool truth() {
    if (take_word("True")) return true;
    if (!take_word("False")) broken("`fortran_order` is neither True nor False");
    return false;
  }

  Shape tuple() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!take(')')) {
      std::int64_t size = 0;
      const auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (code != std::errc{} || size < 0) broken("`shape` is not a tuple of sizes");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      skip_blanks();
      sizes.push_back(size);
      if (sizes.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
        refuse(name_, fmt::format("has more than {} axes", Shape::kMaxRank));
      }
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return Shape(std::span<const std::int64_t>(sizes));
  }

  std::string_view rest_;
  const std::string& name_;
};

// The header's text; `bytes` is left with the elements. Version 1 has a 16-bit length, 2 and 3 (the
// same in UTF-8) a 32-bit one.
std::string_view take_header(std::string_view& bytes, const std::string& name) {
  if (!is_npy(bytes)) {
    refuse(name, "not an NPY file", {"NumPy writes one with `numpy.save(file, array)`"});
  }
  const auto byte = [&](std::size_t i) {
    return std::size_t{static_cast<unsigned char>(bytes[i])};
  };
  if (bytes.size() < 8) refuse(name, "the NPY file ends inside its header");
  const std::size_t major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0) {
    refuse(name, fmt::format("NPY version {}.{} is unknown, 1.0 to 3.0 are known", major, minor));
  }
  const std::size_t prefix = major == 1 ? 10 : 12;
  if (bytes.size() < prefix) refuse(name, "the NPY file ends inside its header");
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (bytes.size() - prefix < length) refuse(name, "the NPY file ends inside its header");
  const std::string_view text = bytes.substr(prefix, length);
  bytes.remove_prefix(prefix + length);
  return text;
}

// What numpy calls the element type that limen does not take, for the message.
std::string numpy_name(std::string_view descr) {
  struct Known {
    std::string_view code, name;
  };
  constexpr std::array<Known, 10> kKnown{{{"b1", "bool"},
                                          {"i1", "int8"},
                                          {"i2", "int16"},
                                          {"u2", "uint16"},
                                          {"u4", "uint32"},
                                          {"u8", "uint64"},
                                          {"f2", "float16"},
                                          {"f16", "longdouble"},
                                          {"c8", "complex64"},
                                          {"c16", "complex128"}}};
  const std::string_view code = descr.substr(descr.empty() ? 0 : 1);
  for (const Known& known : kKnown) {
    if (known.code == code) return std::string(known.name);
  }
  if (code.starts_with("U") || code.starts_with("S")) return "text";
  if (code.starts_with("M") || code.starts_with("m")) return "times";
  return std::string(descr.substr(0, 40));
}

FileType element_type(const std::string& descr, const std::string& name) {
  struct Known {
    std::string_view code;
    FileType type;
  };
  constexpr std::array<Known, 5> kKnown{{{"f4", FileType::f32},
                                         {"f8", FileType::f64},
                                         {"i4", FileType::i32},
                                         {"i8", FileType::i64},
                                         {"u1", FileType::u8}}};
  if (descr.find('O') != std::string::npos) {
    refuse(name, "holds Python objects, which only Python can read",
           {"make it an array of numbers first: `array.astype('float32')`"});
  }
  const bool ordered =
      !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string::npos;
  for (const Known& known : kKnown) {
    if (ordered && std::string_view(descr).substr(1) == known.code) return known.type;
  }
  refuse(name, fmt::format("holds {}; f32, f64, i32, i64 and u8 can be read", numpy_name(descr)),
         {"convert it in NumPy: `array.astype('float32')`"});
}

}  // namespace

bool is_npy(std::string_view bytes) { return bytes.starts_with(kMagic); }

LoadedArray parse_npy(std::string_view bytes, const std::string& name) {
  const Header header = HeaderReader(take_header(bytes, name), name).read();
  const FileType type = element_type(*header.descr, name);
  const Shape& shape = *header.shape;
  std::uint64_t size = 0;
  if (!bytes_of(shape, type, size)) {
    refuse(name, fmt::format("shape {} has more elements than memory can hold", to_string(shape)));
  }
  if (bytes.size() != size) {
    refuse(name,
           fmt::format("{}{} takes {} bytes, the file has {}", name_of(type), to_string(shape),
                       size, bytes.size()),
           {bytes.size() < size ? "the file is cut short; copy it again"
                                : "one array a file; save the others apart"});
  }
  const bool big_endian = header.descr->front() == '>';
  if (!*header.fortran_order) {
    return {decode(bytes, type, big_endian, shape, name), type};
  }
  return {from_fortran_order(decode(bytes, type, big_endian, Shape{shape.elements()}, name), shape),
          type};
}

LoadedArray read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

std::string npy_header(const TensorType& type) {
  constexpr std::string_view kCodes[] = {"<f4", "<f8", "<i4"};
  std::string sizes;
  for (const std::int64_t size : type.shape) sizes += fmt::format("{}, ", size);
  if (type.shape.rank() > 1) sizes.resize(sizes.size() - 2);
  if (type.shape.rank() == 1) sizes.pop_back();
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 kCodes[static_cast<std::size_t>(type.dtype)], sizes);
  constexpr std::size_t kPrefix = 10, kAlignment = 64;
  const std::size_t used = kPrefix + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  out += static_cast<char>(text.size() & 0xff);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

void write_npy(const std::string& path, const TensorView& tensor) {
  const std::string header = npy_header(tensor.type);
  const std::string_view pieces[] = {
      header, {reinterpret_cast<const char*>(tensor.data), tensor.type.bytes()}};
  write_file_atomically(path, pieces);
}

}  // namespace limen
