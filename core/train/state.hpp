// Where a training stands, and how that is written as text in a checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <limen/train.hpp>

namespace limen {

using Metadata = std::map<std::string, std::string>;

// Everything that decides the next step, besides the weights and the optimizer's slots.
struct TrainState {
  std::int64_t epoch = 0;     // finished
  std::int64_t examples = 0;  // of the epoch under way that were used
  std::int64_t step = 0;      // done
  double seconds = 0;         // of the whole run; no step depends on it
  // Sums over the epoch under way of figure x examples.
  std::vector<std::pair<std::string, double>> sums;
  Figures last_epoch;  // means over the last finished epoch
  std::string best_metric;
  double best_value = 0;
  std::int64_t best_epoch = 0;
  double watched_best = 0;         // early stop: the value to beat
  bool watched = false;            // there is one
  std::int64_t watched_since = 0;  // evaluations since it was set
  bool finished = false;
};

void write_state(const TrainState& state, Metadata& metadata);

// Throws Error E1001 where an entry is missing or not what it should be; `file` is for the message.
TrainState read_state(const Metadata& metadata, const std::string& file);

// Texts by a counter: "<key>.0", "<key>.1", ...
void write_list(Metadata& metadata, const std::string& key, std::span<const std::string> items);
std::vector<std::string> read_list(const Metadata& metadata, const std::string& key);

// The shortest text that reads back as the same number.
std::string exact_text(double value);

}  // namespace limen
