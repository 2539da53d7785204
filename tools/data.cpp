#include "data.hpp"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include <limen/train.hpp>

namespace limen::tools {

DataSplit open_data(const Model& model) {
  if (model.data() == nullptr) {
    throw Error("E0101", fmt::format("{}: the model has no `data` section", model.file()),
                {"add one, for example `data: digits`, which needs no files"});
  }
  const char* const library = std::getenv("LIMEN_DATA");
  return load_data(*model.data(), data_inputs(model),
                   {.folder = std::filesystem::path(model.file()).parent_path().string(),
                    .library = library != nullptr ? library : "",
                    .seed = model.train() != nullptr ? model.train()->seed : 0});
}

const Dataset& find_set(const DataSplit& data, const std::string& name) {
  if (name == "train") return data.train;
  const std::optional<Dataset>& set = name == "val" ? data.val : data.test;
  if (set) return *set;
  throw Error("E0806", fmt::format("the data of this model have no set `{}`", name));
}

}  // namespace limen::tools
