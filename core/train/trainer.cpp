#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "base/philox.hpp"
#include "train/evaluate.hpp"
#include "train/metrics.hpp"

namespace limen {
namespace {

constexpr std::size_t kNormsKept = 5;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Trainer::Trainer(const Model& model, const DataSplit& data, const TrainOptions& options,
                 TrainObserver& observer)
    : model_(model),
      data_(data),
      options_(options),
      observer_(observer),
      counter_(Tensor::scalar(0, DType::i32)),
      began_(Clock::now()) {
  const TrainSpec& spec = trainable(model);
  const DType float_type = spec.dtype;
  const BuiltModel built = model.build({.sizes = sizes_for(model, &data.train, spec.batch),
                                        .float_type = float_type,
                                        .training = false,
                                        .loss = true,
                                        .outputs = true});
  std::optional<Checkpoint> from;
  std::string path;
  if (options.resume && options.folder != nullptr) {
    path = options.folder->checkpoint("last");
    from = load_checkpoint(path);
    state_ = read_state(from->metadata, path);
  }
  const Metadata* const resumed = from ? &from->metadata : nullptr;
  plan_ = make_plan(model, data, options, built.metric_names, resumed);
  if (from) {
    check_changes(from->metadata, plan_, state_);
    weights_ = fit_weights(path, from->weights, built.parameters);
  } else if (!options.weights.empty()) {
    weights_ = load_weights(options.weights, built.parameters);
  } else {
    weights_ = initial_weights(built.parameters, spec.seed);
  }
  const std::uint32_t isa = options.isa != 0 ? options.isa : detect_isa();
  optimizer_ = std::make_unique<Optimizer>(plan_.optimizer, weights_, options.threads, isa);
  if (from) restore(*from);
  schedule_ =
      std::make_unique<Schedule>(spec.schedule, plan_.optimizer.lr, plan_.batches, plan_.steps);
  make_programs();
  if (options.watch != nullptr) {
    watch_ = std::make_unique<PluginWatch>(*options.watch, options.watch_quiet);
  }
  announce(resumed);
}

void Trainer::make_programs() {
  const std::uint32_t isa = options_.isa != 0 ? options_.isa : detect_isa();
  const CompileOptions compile_options{.threads = options_.threads, .isa = isa};
  training_ = std::make_unique<Programs>(model_, &data_.train, true, plan_.float_type, weights_,
                                         counter_, compile_options);
  evaluation_ = std::make_unique<Programs>(model_, &data_.train, false, plan_.float_type, weights_,
                                           counter_, compile_options);
}

// The weights stay where they are: only the code that works on them changes.
void Trainer::follow_plugins() {
  if (!watch_) return;
  bool changed = false;
  for (const PluginWatch::Change& change : watch_->poll()) {
    if (change.plugin != nullptr) {
      changed = true;
      observer_.on_plugin(*change.plugin);
      continue;
    }
    for (Diagnostic warning : change.refused->diagnostics()) {
      warning.warning = true;
      warning.notes.push_back("going on with the version that was loaded before");
      observer_.on_warning(warning);
    }
  }
  if (!changed) return;
  model_.follow_reloads();
  make_programs();
}

void Trainer::restore(const Checkpoint& from) {
  optimizer_->restore(from.slots, state_.step);
  seconds_before_ = state_.seconds;
  if (state_.examples >= plan_.examples) {
    throw Error("E1001",
                fmt::format("{}: the checkpoint is at example {} of {}",
                            options_.folder->checkpoint("last"), state_.examples, plan_.examples));
  }
  // The sums are only of use with the figures they were made of.
  std::vector<std::string> names;
  for (const auto& [name, sum] : state_.sums) names.push_back(name);
  if (names != plan_.figures) state_.sums.clear();
  if (state_.best_metric != plan_.best) state_.best_metric.clear();
  options_.folder->trim_metrics(state_.step);
}

void Trainer::announce(const Metadata* resumed) {
  TrainStart start{.model = model_.name(),
                   .train_examples = plan_.examples,
                   .val_examples = data_.val ? data_.val->size() : 0,
                   .test_examples = data_.test ? data_.test->size() : 0,
                   .batch = plan_.batch,
                   .batches = plan_.batches,
                   .epochs = plan_.epochs,
                   .steps = plan_.steps,
                   .optimizer = std::string(name_of(plan_.optimizer.kind)),
                   .lr = plan_.optimizer.lr,
                   .seed = plan_.spec->seed,
                   .threads = options_.threads,
                   .resumed = std::nullopt,
                   .changes = {}};
  for (const NamedTensor& weight : weights_) start.parameters += weight.tensor.type().elements();
  if (resumed != nullptr) {
    start.resumed = summarize(Checkpoint{{}, {}, *resumed});
    start.changes = changes_between(*resumed, plan_.settings);
  }
  observer_.on_start(start);
}

TrainResult Trainer::run() {
  saved_at_ = evaluated_at_ = Clock::now();
  if (!options_.resume) save("last", false);
  bool fresh = true;
  while (!plan_.ended(state_) && !stopped_early()) {
    follow_plugins();
    if (fresh) begin_epoch();
    step();
    const bool end_of_epoch = state_.examples >= plan_.examples;
    if (end_of_epoch) end_epoch();
    fresh = end_of_epoch;
    const bool evaluate_now = evaluation_due(end_of_epoch);
    if (evaluate_now || end_of_epoch) evaluate_and_report(end_of_epoch, evaluate_now);
    if (options_.interrupted && options_.interrupted() && !plan_.ended(state_)) return finish(true);
    save_if_due(end_of_epoch);
  }
  return finish(false);
}

void Trainer::begin_epoch() {
  const auto n = static_cast<std::size_t>(plan_.examples);
  if (plan_.spec->shuffle) {
    const RandomKey key = random_key(plan_.spec->seed, "shuffle");
    order_ = random_permutation(random_key(key, static_cast<std::uint64_t>(state_.epoch)),
                                plan_.examples);
  } else if (order_.size() != n) {
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
  }
  if (state_.examples == 0) state_.sums.clear();
  examples_timed_ = 0;
  busy_ = 0;
  epoch_began_ = Clock::now();
}

void Trainer::step() {
  step_began_ = Clock::now();
  const std::int64_t count = std::min(plan_.batch, plan_.examples - state_.examples);
  Program& program = training_->of(count);
  program.load(data_.train, std::span(order_).subspan(static_cast<std::size_t>(state_.examples),
                                                      static_cast<std::size_t>(count)));
  // The counter wraps after 2^31 steps, which only repeats a dropout mask.
  counter_.as<std::int32_t>()[0] = static_cast<std::int32_t>(state_.step & 0x7fffffff);
  program.run();
  const double loss = program.figure(0);
  if (!std::isfinite(loss)) {
    const std::string saved = options_.folder != nullptr ? save("nan", false) : std::string();
    const std::vector<double> norms(norms_.begin(), norms_.end());
    throw nonfinite_error(model_, data_, program,
                          {.loss = loss,
                           .state = &state_,
                           .norms = norms,
                           .lr = schedule_->rate(state_.step),
                           .clipped = plan_.spec->clip_norm.has_value(),
                           .saved = saved},
                          weights_, counter_, plan_.float_type);
  }
  update(program);
  if (state_.sums.empty()) {
    for (const std::string& name : plan_.figures) state_.sums.emplace_back(name, 0.0);
  }
  for (std::size_t i = 0; i < state_.sums.size(); ++i) {
    state_.sums[i].second += program.figure(i) * static_cast<double>(count);
  }
  state_.examples += count;
  ++state_.step;
  report_step(count, loss);
}

void Trainer::update(Program& program) {
  double scale = 1, squares = 0;
  const bool clip = plan_.spec->clip_norm.has_value();
  if (clip) {
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (program.gradient(i).data == nullptr) continue;
      squares += sum_of_squares(program.gradient(i), options_.threads);
    }
    // As torch.nn.utils.clip_grad_norm_.
    scale = std::min(1.0, *plan_.spec->clip_norm / (std::sqrt(squares) + 1e-6));
  }
  optimizer_->begin_step(schedule_->rate(state_.step), scale);
  double seen = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (program.gradient(i).data != nullptr) seen += optimizer_->update(i, program.gradient(i));
  }
  norms_.push_back(std::sqrt(clip ? squares : seen));
  if (norms_.size() > kNormsKept) norms_.pop_front();
}

void Trainer::report_step(std::int64_t count, double loss) {
  busy_ += seconds_between(step_began_, Clock::now());
  examples_timed_ += count;
  running_.resize(state_.sums.size());
  for (std::size_t i = 0; i < running_.size(); ++i) {
    running_[i].first = state_.sums[i].first;
    running_[i].second = state_.sums[i].second / static_cast<double>(state_.examples);
  }
  const double speed = busy_ > 0 ? static_cast<double>(examples_timed_) / busy_ : 0;
  observer_.on_step(
      {.epoch = state_.epoch + 1,
       .epochs = plan_.epochs,
       .batch = (state_.examples + plan_.batch - 1) / plan_.batch,
       .batches = plan_.batches,
       .step = state_.step,
       .steps = plan_.steps,
       .loss = loss,
       .lr = schedule_->rate(state_.step - 1),
       .examples_per_second = speed,
       .eta_seconds = speed > 0 ? static_cast<double>(plan_.examples - state_.examples) / speed : 0,
       .running = &running_});
}

void Trainer::end_epoch() {
  state_.last_epoch = running_means();
  state_.sums.clear();
  ++state_.epoch;
  state_.examples = 0;
}

Figures Trainer::running_means() const {
  Figures means = state_.sums;
  for (auto& [name, value] : means) value /= static_cast<double>(state_.examples);
  return means;
}

double Trainer::seconds() const { return seconds_before_ + seconds_between(began_, Clock::now()); }

bool Trainer::due(const Duration& every, bool end_of_epoch, Clock::time_point since) const {
  if (!(every.amount > 0)) return false;
  if (every.unit == Duration::Unit::seconds) {
    return seconds_between(since, Clock::now()) >= every.amount;
  }
  if (every.unit == Duration::Unit::epochs && every.amount == std::floor(every.amount)) {
    return end_of_epoch && state_.epoch % steps_of(every, 1) == 0;
  }
  return state_.step % steps_of(every, plan_.batches) == 0;
}

bool Trainer::evaluation_due(bool end_of_epoch) const {
  return plan_.ended(state_) || due(plan_.spec->eval, end_of_epoch, evaluated_at_);
}

SetFigures Trainer::measure_sets() {
  const std::int64_t batch = evaluation_batch(model_, 0);
  SetFigures figures;
  if (data_.val) figures.emplace_back("val", measure(*evaluation_, *data_.val, batch));
  if (data_.test) figures.emplace_back("test", measure(*evaluation_, *data_.test, batch));
  return figures;
}

void Trainer::evaluate_and_report(bool end_of_epoch, bool evaluate_now) {
  TrainEval report{.epoch = end_of_epoch ? state_.epoch : state_.epoch + 1,
                   .epochs = plan_.epochs,
                   .step = state_.step,
                   .end_of_epoch = end_of_epoch,
                   .figures = {{"train", end_of_epoch ? state_.last_epoch : running_means()}}};
  if (evaluate_now) {
    for (auto& set : measure_sets()) report.figures.push_back(std::move(set));
    last_figures_ = report.figures;
    measured_at_ = state_.step;
    evaluated_at_ = Clock::now();
    report.best = follow_best(report.figures);
    follow_early_stop(report.figures);
  }
  report.lr = schedule_->rate(state_.step - 1);
  report.examples_per_second = busy_ > 0 ? static_cast<double>(examples_timed_) / busy_ : 0;
  report.epoch_seconds = seconds_between(epoch_began_, Clock::now());
  report.seconds = seconds();
  if (options_.folder != nullptr) options_.folder->add_metrics(metrics_line(report));
  observer_.on_eval(report);
  if (report.best) save("best", true);
}

bool Trainer::follow_best(const SetFigures& figures) {
  const std::optional<double> value = find_figure(figures, plan_.best);
  if (!value || std::isnan(*value)) return false;
  const bool better =
      larger_is_better(plan_.best) ? *value > state_.best_value : *value < state_.best_value;
  if (!state_.best_metric.empty() && !better) return false;
  state_.best_metric = plan_.best;
  state_.best_value = *value;
  state_.best_epoch = state_.epoch + (state_.examples > 0 ? 1 : 0);
  return true;
}

void Trainer::follow_early_stop(const SetFigures& figures) {
  const auto& rule = plan_.spec->early_stop;
  if (!rule) return;
  const std::optional<double> value = find_figure(figures, rule->watch);
  if (!value) return;
  const double gain =
      larger_is_better(rule->watch) ? *value - state_.watched_best : state_.watched_best - *value;
  if (!std::isnan(*value) && (!state_.watched || gain > rule->min_delta)) {
    state_.watched = true;
    state_.watched_best = *value;
    state_.watched_since = 0;
  } else {
    ++state_.watched_since;
  }
}

bool Trainer::stopped_early() const {
  const auto& rule = plan_.spec->early_stop;
  return rule && state_.watched_since > 0 && state_.watched_since >= rule->patience;
}

}  // namespace limen
