// The data section of a model, opened.
#pragma once

#include <string>

#include <limen/dataset.hpp>
#include <limen/model.hpp>

namespace limen::tools {

// Throws Error E0101 where the model has no `data`, and what load_data() throws.
DataSplit open_data(const Model& model);

// "train", "val" or "test". Throws Error E0806 where the data have no such set.
const Dataset& find_set(const DataSplit& data, const std::string& name);

}  // namespace limen::tools
