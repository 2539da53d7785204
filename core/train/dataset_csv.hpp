// Tables as data.
#pragma once

#include <string>

#include <limen/dataset.hpp>

namespace limen {

// The columns of the source `csv` as f64[rows, columns].
Tensor load_csv_source(const DataCall& source, const std::string& path);

}  // namespace limen
