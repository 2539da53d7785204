#include "io/safetensors_header.hpp"

#include <optional>
#include <set>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <nlohmann/json.hpp>

namespace limen {
namespace {

constexpr std::string_view kMetadata = "__metadata__";

// Where the reader stands. The form is fixed, so a depth and a key say it all.
enum class Level { outside, top, metadata, tensor, shape, offsets, done };

class HeaderEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderEvents(const std::string& file, std::map<std::string, std::string>& metadata)
      : file_(file), metadata_(metadata) {}

  std::vector<SafeTensorsEntry> take() { return std::move(entries_); }

  bool null() override { misplaced("null"); }
  bool boolean(bool value) override { misplaced(value ? "true" : "false"); }
  bool number_float(number_float_t, const string_t& text) override { misplaced(text); }
  bool binary(binary_t&) override { misplaced("binary data"); }
  bool number_integer(number_integer_t value) override { misplaced(std::to_string(value)); }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ == Level::shape) {
      if (value > static_cast<std::uint64_t>(INT64_MAX)) misplaced(std::to_string(value));
      sizes_.push_back(static_cast<std::int64_t>(value));
      if (sizes_.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
        refuse(fmt::format("tensor `{}` has more than {} axes", name_, Shape::kMaxRank));
      }
      return true;
    }
    if (level_ != Level::offsets) misplaced(std::to_string(value));
    offsets_.push_back(value);
    if (offsets_.size() > 2) refuse(fmt::format("tensor `{}` has more than two offsets", name_));
    return true;
  }

  bool string(string_t& value) override {
    if (level_ == Level::metadata) {
      metadata_[key_] = std::move(value);
      return true;
    }
    if (level_ != Level::tensor || key_ != "dtype")
      misplaced(fmt::format("the text \"{}\"", value));
    type_ = element_type(value);
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ == Level::outside) {
      level_ = Level::top;
    } else if (level_ == Level::top && key_ == kMetadata) {
      level_ = Level::metadata;
    } else if (level_ == Level::top) {
      level_ = Level::tensor;
      name_ = key_;
      type_.reset();
      seen_.clear();
      sizes_.clear();
      offsets_.clear();
    } else {
      misplaced("an object");
    }
    return true;
  }

  bool key(string_t& key) override {
    key_ = key;
    if (level_ == Level::top && !names_.insert(key).second) twice(key);
    if (level_ == Level::metadata && metadata_.count(key) != 0) twice(key);
    if (level_ == Level::tensor) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        refuse(fmt::format("tensor `{}` has the unknown key `{}`", name_, key));
      }
      if (!seen_.insert(key).second) twice(key);
    }
    return true;
  }

  bool end_object() override {
    if (level_ == Level::tensor) {
      if (seen_.size() != 3 || !type_ || offsets_.size() != 2) {
        refuse(fmt::format("tensor `{}` needs `dtype`, `shape` and two `data_offsets`", name_));
      }
      entries_.push_back(
          {name_, *type_, Shape(std::span<const std::int64_t>(sizes_)), offsets_[0], offsets_[1]});
    }
    level_ = level_ == Level::top ? Level::done : Level::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::tensor || key_ == "dtype") misplaced("a list");
    level_ = key_ == "shape" ? Level::shape : Level::offsets;
    return true;
  }

  bool end_array() override {
    level_ = Level::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    refuse(fmt::format("its header is not JSON at byte {}", position));
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error("E1001", fmt::format("{}: not a usable safetensors file: {}", file_, why));
  }
  [[noreturn]] void misplaced(const std::string& what) const {
    refuse(key_.empty() ? fmt::format("its header holds {} out of place", what)
                        : fmt::format("its header holds {} at `{}`", what, key_));
  }
  [[noreturn]] void twice(const std::string& key) const {
    refuse(fmt::format("its header has the key `{}` twice", key));
  }

  FileType element_type(const std::string& name) const {
    if (name == "F32") return FileType::f32;
    if (name == "F64") return FileType::f64;
    if (name == "I32") return FileType::i32;
    if (name == "I64") return FileType::i64;
    if (name == "U8") return FileType::u8;
    refuse(fmt::format("tensor `{}` has the element type {}; F32, F64, I32, I64 and U8 can be read",
                       name_, name));
  }

  const std::string& file_;
  std::map<std::string, std::string>& metadata_;
  std::vector<SafeTensorsEntry> entries_;
  std::set<std::string> names_, seen_;
  Level level_ = Level::outside;
  std::string key_, name_;
  std::optional<FileType> type_;
  std::vector<std::int64_t> sizes_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace

std::vector<SafeTensorsEntry> parse_safetensors_header(
    std::string_view json, const std::string& name, std::map<std::string, std::string>& metadata) {
  HeaderEvents events(name, metadata);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  return events.take();
}

}  // namespace limen
