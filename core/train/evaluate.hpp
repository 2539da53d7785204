// Measuring a model on a data set.
#pragma once

#include <limen/dataset.hpp>
#include <limen/train.hpp>

#include "train/program.hpp"

namespace limen {

// Loss and metrics over every example once, in batches of `batch` (the last may be shorter).
Figures measure(Programs& programs, const Dataset& data, std::int64_t batch);

// `wanted`, or what the model says, or 1000.
std::int64_t evaluation_batch(const Model& model, std::int64_t wanted);

// What `train.dtype` says.
DType float_type_of(const Model& model);

}  // namespace limen
