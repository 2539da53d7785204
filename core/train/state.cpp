#include "train/state.hpp"

#include <charconv>

#include <fmt/format.h>

namespace limen {
namespace {

// No training comes near; sums of two such numbers stay inside 64 bits.
constexpr std::int64_t kLargestCount = std::int64_t{1} << 60;

constexpr std::string_view kSums = "running.", kLast = "last_epoch.";

class Reader {
 public:
  Reader(const Metadata& metadata, const std::string& file) : metadata_(metadata), file_(file) {}

  const std::string& text(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
      throw Error("E1001",
                  fmt::format("{}: not a checkpoint of a training: no `{}` in it", file_, key),
                  {"weights alone can be used with `--weights`, not resumed"});
    }
    return found->second;
  }

  std::int64_t count(const std::string& key) const {
    const std::string& digits = text(key);
    std::int64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, fault] = std::from_chars(digits.data(), end, value);
    if (fault != std::errc{} || stop != end || value < 0 || value > kLargestCount) {
      wrong(key, "a whole number >= 0");
    }
    return value;
  }

  double number(const std::string& key) const {
    const std::string& digits = text(key);
    double value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, fault] = std::from_chars(digits.data(), end, value);
    if (fault != std::errc{} || stop != end) wrong(key, "a number");
    return value;
  }

  // Entries "<prefix><k>.<name>" in the order of k.
  Figures figures(std::string_view prefix) const {
    Figures out;
    for (std::size_t k = 0;; ++k) {
      const std::string start = fmt::format("{}{}.", prefix, k);
      const auto found = metadata_.lower_bound(start);
      if (found == metadata_.end() || !found->first.starts_with(start)) return out;
      out.emplace_back(found->first.substr(start.size()), number(found->first));
    }
  }

 private:
  [[noreturn]] void wrong(const std::string& key, const char* expected) const {
    throw Error("E1001", fmt::format("{}: `{}` must be {}, found `{}`", file_, key, expected,
                                     metadata_.at(key).substr(0, 40)));
  }

  const Metadata& metadata_;
  const std::string& file_;
};

void write_figures(Metadata& metadata, std::string_view prefix, const Figures& figures) {
  for (std::size_t k = 0; k < figures.size(); ++k) {
    metadata[fmt::format("{}{}.{}", prefix, k, figures[k].first)] = exact_text(figures[k].second);
  }
}

}  // namespace

std::string exact_text(double value) { return fmt::format("{}", value); }

void write_state(const TrainState& state, Metadata& metadata) {
  metadata["position.epoch"] = std::to_string(state.epoch);
  metadata["position.examples"] = std::to_string(state.examples);
  metadata["position.step"] = std::to_string(state.step);
  metadata["position.seconds"] = exact_text(state.seconds);
  metadata["position.finished"] = state.finished ? "1" : "0";
  write_figures(metadata, kSums, state.sums);
  write_figures(metadata, kLast, state.last_epoch);
  if (!state.best_metric.empty()) {
    metadata["best.metric"] = state.best_metric;
    metadata["best.value"] = exact_text(state.best_value);
    metadata["best.epoch"] = std::to_string(state.best_epoch);
  }
  if (state.watched) metadata["early_stop.best"] = exact_text(state.watched_best);
  metadata["early_stop.since"] = std::to_string(state.watched_since);
}

TrainState read_state(const Metadata& metadata, const std::string& file) {
  const Reader reader(metadata, file);
  TrainState state;
  state.epoch = reader.count("position.epoch");
  state.examples = reader.count("position.examples");
  state.step = reader.count("position.step");
  state.seconds = reader.number("position.seconds");
  state.finished = reader.count("position.finished") != 0;
  state.sums = reader.figures(kSums);
  state.last_epoch = reader.figures(kLast);
  if (metadata.contains("best.metric")) {
    state.best_metric = reader.text("best.metric");
    state.best_value = reader.number("best.value");
    state.best_epoch = reader.count("best.epoch");
  }
  if (metadata.contains("early_stop.best")) {
    state.watched = true;
    state.watched_best = reader.number("early_stop.best");
  }
  state.watched_since = reader.count("early_stop.since");
  return state;
}

void write_list(Metadata& metadata, const std::string& key, std::span<const std::string> items) {
  for (std::size_t i = 0; i < items.size(); ++i) metadata[fmt::format("{}.{}", key, i)] = items[i];
}

std::vector<std::string> read_list(const Metadata& metadata, const std::string& key) {
  std::vector<std::string> items;
  for (std::size_t i = 0;; ++i) {
    const auto found = metadata.find(fmt::format("{}.{}", key, i));
    if (found == metadata.end()) return items;
    items.push_back(found->second);
  }
}

}  // namespace limen
