// Data from files that hold one array each: MNIST's four, and the sources idx and npy.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/csv.hpp"
#include "io/idx.hpp"
#include "io/npy.hpp"
#include "tensor/dispatch.hpp"
#include "train/dataset_csv.hpp"
#include "train/dataset_load.hpp"

namespace limen {
namespace {

struct MnistFile {
  std::string_view name, sha256;  // of the original .gz
};
constexpr std::array<MnistFile, 4> kMnistFiles{
    {{"train-images-idx3-ubyte",
      "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
     {"train-labels-idx1-ubyte",
      "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
     {"t10k-images-idx3-ubyte", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
     {"t10k-labels-idx1-ubyte",
      "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}};

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The file as it lies in the folder, gzip or not; empty if it does not.
std::string find_in(const std::string& folder, std::string_view name) {
  const std::string plain = (std::filesystem::path(folder) / name).string();
  if (exists(plain + ".gz")) return plain + ".gz";
  return exists(plain) ? plain : std::string();
}

[[noreturn]] void refuse_missing(const std::vector<std::string>& folders, std::string_view lacking,
                                 const std::string& folder) {
  Diagnostic diagnostic{
      .code = "E0901",
      .message = lacking.empty() ? "the MNIST files were not found"
                                 : fmt::format("{}: no {} (.gz or not)", folder, lacking),
      .spans = {},
      .notes = {fmt::format("looked in: {}", join(folders))},
      .help = {"put the four files into data/mnist beside the model file, or set LIMEN_DATA to the "
               "folder that holds mnist/",
               "`data: digits` needs no file"}};
  diagnostic.notes.emplace_back("four files are needed, gzip or not; SHA-256 of the originals:");
  for (const MnistFile& file : kMnistFiles) {
    diagnostic.notes.push_back(fmt::format("{}.gz {}", file.name, file.sha256));
  }
  throw Error(std::move(diagnostic));
}

std::array<std::string, 4> find_mnist(const DataOptions& options) {
  std::vector<std::string> folders;
  const auto add = [&](const std::string& folder) {
    if (std::find(folders.begin(), folders.end(), folder) == folders.end())
      folders.push_back(folder);
  };
  if (!options.library.empty()) {
    add((std::filesystem::path(options.library) / "mnist").string());
  }
  add(beside(options, "data/mnist"));
  add("data/mnist");
  add(".");
  for (const std::string& folder : folders) {
    std::array<std::string, 4> paths;
    std::string_view lacking;
    for (std::size_t i = 0; i < kMnistFiles.size(); ++i) {
      paths[i] = find_in(folder, kMnistFiles[i].name);
      if (paths[i].empty() && lacking.empty()) lacking = kMnistFiles[i].name;
    }
    const bool empty =
        std::all_of(paths.begin(), paths.end(), [](const auto& path) { return path.empty(); });
    if (empty) continue;
    if (!lacking.empty()) refuse_missing(folders, lacking, folder);
    return paths;
  }
  if (options.library.empty()) folders.insert(folders.begin(), "$LIMEN_DATA/mnist (unset)");
  refuse_missing(folders, {}, {});
}

// value * factor / divisor + offset, computed in f64. Division apart, so that a pixel is exactly
// what u8 / 255 rounds to.
Tensor scaled(const Tensor& raw, double factor, double divisor, double offset, DType to) {
  Tensor out(TensorType{raw.shape(), to});
  dispatch(raw.type().dtype, [&]<class From>(From) {
    dispatch_float(to, [&]<class To>(To) {
      const auto in = raw.as<From>();
      const auto result = out.as<To>();
      for (std::size_t i = 0; i < in.size(); ++i) {
        result[i] = static_cast<To>(static_cast<double>(in[i]) * factor / divisor + offset);
      }
    });
  });
  return out;
}

Dataset read_mnist_set(const std::string& images, const std::string& labels, DType precision) {
  Tensor label = read_idx(labels, IdxExpectation{FileType::u8, 1}).tensor;
  for (const std::int32_t value : label.as<std::int32_t>()) {
    if (value > 9) throw Error("E0901", fmt::format("{}: label {} is no digit", labels, value));
  }
  const Tensor image = read_idx(images, IdxExpectation{FileType::u8, 3}).tensor;
  return Dataset(
      {{"image", scaled(image, 1.0, 255.0, 0.0, precision)}, {"label", std::move(label)}});
}

// The shape that `flatten` and `reshape` ask for.
Shape asked_shape(const DataCall& source, const Shape& have) {
  std::int64_t elements = 1;
  for (int axis = 1; axis < have.rank(); ++axis) elements *= have[axis];
  if (source.flag("flatten")) return Shape{have[0], elements};
  const DataValue* reshape = source.find("reshape");
  if (reshape == nullptr || reshape->list() == nullptr) return have;
  std::vector<std::int64_t> sizes{have[0]};
  std::int64_t known = 1;
  for (const DataValue& size : *reshape->list()) {
    sizes.push_back(static_cast<std::int64_t>(size.number()));
    if (sizes.back() > 0 && __builtin_mul_overflow(known, sizes.back(), &known)) known = 0;
  }
  const auto open = std::find(sizes.begin() + 1, sizes.end(), -1);
  if (open != sizes.end() && known > 0 && elements % known == 0) {
    *open = elements / known;
    known = elements;
  }
  if (known != elements || std::find(sizes.begin(), sizes.end(), -1) != sizes.end()) {
    throw Error("E0904", fmt::format("`reshape` does not fit examples of {} elements", elements),
                {fmt::format("the file holds {}", to_string(have))});
  }
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace

DataSplit load_mnist(const DataCall&, const DataOptions& options, DType precision) {
  const auto paths = find_mnist(options);
  return {.train = read_mnist_set(paths[0], paths[1], precision),
          .val = {},
          .test = read_mnist_set(paths[2], paths[3], precision)};
}

Tensor load_source(const DataCall& source, const std::string& root, const DataOptions& options,
                   DType wanted) {
  const std::string path =
      beside(options, (std::filesystem::path(root) / source.text("file")).string());
  Tensor values = source.kind == "idx"   ? read_idx(path).tensor
                  : source.kind == "npy" ? read_npy(path).tensor
                                         : load_csv_source(source, path);
  if (values.shape().rank() == 0) {
    throw Error("E0904", fmt::format("{}: holds a single number, no examples", path));
  }
  const double factor = source.number("scale"), offset = source.number("offset");
  if (factor != 1 || offset != 0) {
    values = scaled(values, factor, 1.0, offset, is_float(wanted) ? wanted : DType::f64);
  }
  return values.reshaped(asked_shape(source, values.shape()));
}

}  // namespace limen
