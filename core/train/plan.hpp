// What a training is going to do, decided before its first step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <limen/dataset.hpp>
#include <limen/optimizer.hpp>
#include <limen/train.hpp>

#include "train/schedule.hpp"
#include "train/state.hpp"

namespace limen {

struct TrainPlan {
  const TrainSpec* spec = nullptr;
  OptimizerSettings optimizer;
  DType float_type = DType::f32;
  std::int64_t examples = 0;  // of the training set
  std::int64_t batch = 0, batches = 0;
  std::int64_t epochs = 0, steps = 0;
  bool by_steps = false;             // ends at `steps`; otherwise at `epochs`
  std::vector<std::string> sets;     // "train", "val", "test" as far as they exist
  std::vector<std::string> figures;  // "loss" and the metrics
  std::string best;                  // "test.loss": what best.safetensors follows
  Metadata settings;                 // "train.*": everything that changes the numbers

  bool ended(const TrainState& state) const {
    return by_steps ? state.step >= steps : state.epoch >= epochs;
  }
};

// The model's `train` section. Throws what train() says where something is missing for a training.
const TrainSpec& trainable(const Model& model);

// Throws what train() says about the model's sections and the data. `resumed` is the metadata of
// the checkpoint a resumed run goes on from, else null.
TrainPlan make_plan(const Model& model, const DataSplit& data, const TrainOptions& options,
                    const std::vector<std::string>& metrics, const Metadata* resumed);

// The settings that differ, as "train.epochs: 20 → 40".
std::vector<std::string> changes_between(const Metadata& old, const Metadata& now);

// Throws Error E1005 where a change makes the state meaningless.
void check_changes(const Metadata& old, const TrainPlan& plan, const TrainState& state);

// Whether a figure is better when larger.
bool larger_is_better(std::string_view figure);

}  // namespace limen
