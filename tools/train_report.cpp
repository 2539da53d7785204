#include "train_report.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStepEvents = 100;  // of a whole training, about
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(10);

std::string span_text(const Figures& figures, const std::string& set, const char* join_with) {
  std::string text;
  for (const auto& [name, value] : figures) {
    if (!text.empty()) text += " ";
    text += set + name + join_with + figure_text(value);
  }
  return text;
}

std::string short_count(double value) {
  if (value >= 99950) return fmt::format("{:.0f}k", value / 1000);
  if (value >= 1000) return fmt::format("{:.1f}k", value / 1000);
  return fmt::format("{:.0f}", value);
}

class JsonReport : public TrainObserver {
 public:
  JsonReport(Context& context, std::string run) : context_(context), run_(std::move(run)) {}

  void on_start(const TrainStart& start) override {
    Json json{{"event", "start"},
              {"model", start.model},
              {"parameters", start.parameters},
              {"examples",
               {{"train", start.train_examples},
                {"val", start.val_examples},
                {"test", start.test_examples}}},
              {"batch", start.batch},
              {"batches", start.batches},
              {"epochs", start.epochs},
              {"steps", start.steps},
              {"optimizer", start.optimizer},
              {"lr", start.lr},
              {"seed", start.seed},
              {"threads", start.threads}};
    if (!run_.empty()) json["run"] = run_;
    if (start.resumed)
      json["resumed"] = {{"epoch", start.resumed->epoch}, {"step", start.resumed->step}};
    if (!start.changes.empty()) json["changes"] = start.changes;
    context_.out.json(json);
  }

  void on_step(const TrainStep& step) override {
    const std::int64_t every = std::max<std::int64_t>(1, step.steps / kStepEvents);
    if (step.step % every != 0 && step.step != 1) return;
    context_.out.json({{"event", "step"},
                       {"epoch", step.epoch},
                       {"step", step.step},
                       {"loss", step.loss},
                       {"lr", step.lr},
                       {"examples_per_second", step.examples_per_second}});
  }

  void on_eval(const TrainEval& eval) override {
    Json json{{"event", "eval"}, {"epoch", eval.epoch}, {"step", eval.step}};
    for (const auto& [set, figures] : eval.figures) json[set] = figures_json(figures);
    json["lr"] = eval.lr;
    json["examples_per_second"] = eval.examples_per_second;
    json["seconds"] = eval.seconds;
    json["best"] = eval.best;
    context_.out.json(json);
  }

  void on_checkpoint(const TrainCheckpoint& saved) override {
    context_.out.json({{"event", "checkpoint"},
                       {"path", saved.path},
                       {"epoch", saved.epoch},
                       {"step", saved.step},
                       {"best", saved.best}});
  }

  void on_warning(const Diagnostic& warning) override {
    context_.out.json({{"event", "warning"}, {"code", warning.code}, {"message", warning.message}});
  }

  void on_plugin(const LoadedPlugin& plugin) override {
    context_.out.json({{"event", "plugin"},
                       {"file", plugin.file},
                       {"generation", plugin.generation},
                       {"name", plugin.name()},
                       {"version", plugin.version()}});
  }

  void on_done(const TrainResult& result) override {
    const bool interrupted = result.end == TrainEnd::interrupted;
    Json json{{"event", interrupted ? "interrupted" : "done"},
              {"epochs", result.epochs},
              {"seconds", result.seconds}};
    for (const auto& [set, figures] : result.figures) json[set] = figures_json(figures);
    json["steps"] = result.steps;
    json["early_stop"] = result.end == TrainEnd::early_stop;
    if (!result.best_metric.empty()) {
      json["best"] = {{"metric", result.best_metric},
                      {"value", result.best_value},
                      {"epoch", result.best_epoch}};
    }
    if (!run_.empty()) json["run"] = run_;
    context_.out.json(json);
  }

 private:
  Context& context_;
  std::string run_;
};

// What the two forms for people have in common.
class TextReport : public TrainObserver {
 public:
  TextReport(Context& context, std::string run) : context_(context), run_(std::move(run)) {}

  void on_start(const TrainStart& start) override {
    std::string sets = grouped(start.train_examples) + " train";
    if (start.val_examples > 0) sets += " / " + grouped(start.val_examples) + " val";
    if (start.test_examples > 0) sets += " / " + grouped(start.test_examples) + " test";
    say(fmt::format("{}  {} parameters  {}  batch {}  {} lr {}  seed {}  {} {}\n", start.model,
                    grouped(start.parameters), sets, start.batch, start.optimizer, start.lr,
                    start.seed, start.threads, start.threads == 1 ? "thread" : "threads"));
    if (start.resumed) say(fmt::format("going on after {}\n", describe(*start.resumed)));
    for (const std::string& change : start.changes) say("  " + change + "\n");
  }

  void on_warning(const Diagnostic& warning) override {
    end_line();
    context_.messages.show(warning);
  }

  void on_plugin(const LoadedPlugin& plugin) override {
    end_line();
    say(fmt::format("plugin  {} {} reloaded, generation {}  {}\n", plugin.name(), plugin.version(),
                    plugin.generation, plugin.file));
  }

  void on_done(const TrainResult& result) override {
    end_line();
    if (result.end == TrainEnd::interrupted) return;
    std::string text = fmt::format("done  {} {} in {:.1f} s", result.epochs,
                                   result.epochs == 1 ? "epoch" : "epochs", result.seconds);
    if (result.end == TrainEnd::early_stop) text += " (stopped early)";
    for (const auto& [set, figures] : result.figures) {
      if (set == "train" && result.figures.size() > 1) continue;
      for (const auto& [name, value] : figures) {
        if (name == "loss" && figures.size() > 1) continue;
        text += fmt::format("  {} {} {}", set, name, figure_text(value));
      }
    }
    if (!result.best_metric.empty()) {
      std::string metric = result.best_metric;
      std::replace(metric.begin(), metric.end(), '.', ' ');
      text += fmt::format("  best {} {} at epoch {}", metric, figure_text(result.best_value),
                          result.best_epoch);
    }
    context_.out.write(text + "\n");
    if (!run_.empty()) {
      context_.out.write(fmt::format("run   {}   next: limen eval {}\n", run_, run_));
    }
  }

 protected:
  virtual void end_line() {}  // what stands on the terminal must not be written into

  void say(const std::string& text) const {
    if (!context_.globals.quiet) context_.messages.raw(text);
  }

  Context& context_;
  std::string run_;
};

std::string eval_figures(const TrainEval& eval, const char* separator, const char* dot,
                         const char* join_with) {
  std::string text;
  for (const auto& [set, figures] : eval.figures) {
    if (!text.empty()) text += separator;
    text += span_text(figures, set == "train" ? "" : set + dot, join_with);
  }
  return text;
}

class PlainReport : public TextReport {
 public:
  using TextReport::TextReport;

  void on_step(const TrainStep& step) override {
    if (Clock::now() - last_ < kPlainLine) return;
    line(fmt::format("epoch={}/{} step={} {} ex_per_s={:.0f}", step.epoch, step.epochs, step.step,
                     span_text(*step.running, "", "="), step.examples_per_second));
  }

  void on_eval(const TrainEval& eval) override {
    line(fmt::format("epoch={}/{} step={} {} ex_per_s={:.0f}", eval.epoch, eval.epochs, eval.step,
                     eval_figures(eval, " ", ".", "="), eval.examples_per_second));
  }

 private:
  void line(const std::string& text) {
    last_ = Clock::now();
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    say(fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}\n", fmt::gmtime(now), text));
  }

  Clock::time_point last_ = Clock::now();
};

class BarReport : public TextReport {
 public:
  using TextReport::TextReport;

  void on_step(const TrainStep& step) override {
    const Clock::time_point now = Clock::now();
    if (now - last_ < kRedraw) return;
    last_ = now;
    const std::string head = fmt::format("epoch {:>2}/{}  ", step.epoch, step.epochs);
    const std::string tail = fmt::format("  {}/{}  loss {}  {} ex/s  eta {:.1f} s", step.batch,
                                         step.batches, figure_text(step.running->front().second),
                                         short_count(step.examples_per_second), step.eta_seconds);
    draw(head + bar(step, columns() - static_cast<int>(head.size() + tail.size()) - 1) + tail);
  }

  void on_eval(const TrainEval& eval) override {
    draw(fmt::format("epoch {:>2}/{}  {} │ {:.1f} s", eval.epoch, eval.epochs,
                     eval_figures(eval, " │ ", " ", " "), eval.epoch_seconds));
    end_line();
  }

 protected:
  void end_line() override {
    if (drawn_) say("\n");
    drawn_ = false;
  }

 private:
  static int columns() {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
  }

  static std::string bar(const TrainStep& step, int room) {
    const int width = std::min(32, room);
    if (width < 4 || step.batches <= 0) return "";
    const double share = static_cast<double>(step.batch) / static_cast<double>(step.batches);
    const int done = static_cast<int>(share * width);
    std::string text;
    for (int i = 0; i < width; ++i) text += i < done ? "━" : i == done ? "╸" : "─";
    return text;
  }

  void draw(const std::string& text) {
    say("\r\033[K" + text);
    drawn_ = true;
  }

  Clock::time_point last_{};
  bool drawn_ = false;
};

bool draws_bar(const Context& context) {
  const char* const terminal = std::getenv("TERM");
  return !context.globals.no_progress && !context.globals.quiet && ::isatty(STDERR_FILENO) != 0 &&
         terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

}  // namespace

Json figures_json(const Figures& figures) {
  Json json = Json::object();
  for (const auto& [name, value] : figures) json[name] = value;
  return json;
}

std::string figure_text(double value) {
  const double size = std::fabs(value);
  return size == 0 || (size >= 1e-3 && size < 1e5) ? fmt::format("{:.4f}", value)
                                                   : fmt::format("{:.3g}", value);
}

std::unique_ptr<TrainObserver> make_train_report(Context& context, std::string run) {
  if (context.globals.json) return std::make_unique<JsonReport>(context, std::move(run));
  if (draws_bar(context)) return std::make_unique<BarReport>(context, std::move(run));
  return std::make_unique<PlainReport>(context, std::move(run));
}

}  // namespace limen::tools
