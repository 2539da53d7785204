#include <limen/model.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "model/build.hpp"
#include "model/program.hpp"

namespace limen {

using language::Program;

struct Model::Impl {
  std::unique_ptr<language::Reading> reading;
  std::vector<InputSpec> inputs;
  std::string file;
  std::vector<std::string> sets;

  const Program& program() const { return reading->program; }
};

Shape InputSpec::shape(const std::map<std::string, std::int64_t>& sizes) const {
  std::vector<language::SymDim> symbolic;
  for (const Dim& dim : dims) {
    symbolic.push_back(dim.symbol.empty() ? language::SymDim{dim.size, {}}
                                          : language::SymDim{1, {dim.symbol}});
  }
  return language::shape_of(symbolic, sizes);
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

Model Model::parse(std::string text, std::string file, PluginRegistry& registry,
                   const ModelOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->reading = language::read_model(std::move(text), file, registry, options);
  for (const language::InputPlan& plan : impl->program().inputs) impl->inputs.push_back(plan.spec);
  impl->file = std::move(file);
  impl->sets = options.sets;
  return Model(std::move(impl));
}

Model Model::load(const std::string& path, PluginRegistry& registry, const ModelOptions& options) {
  // One byte more than a model may have, so that endless inputs end.
  std::string text(language::kMaxBytes + 1, '\0');
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) {
      throw Error(
          std::vector<Diagnostic>{
              {.code = "E0109",
               .message = fmt::format("cannot read the model file `{}`", path),
               .spans = {},
               .notes = {},
               .help = {"check the path; the shipped models are in the folder `models`"}}},
          Exit::data);
    }
  }
  std::istream& stream = path == "-" ? std::cin : file;
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, stream.gcount())));
  if (stream.bad()) {
    throw Error(
        std::vector<Diagnostic>{{.code = "E0109",
                                 .message = fmt::format("cannot read the model file `{}`", path),
                                 .spans = {},
                                 .notes = {},
                                 .help = {"check that it is a file and that you may read it"}}},
        Exit::data);
  }
  return parse(std::move(text), path, registry, options);
}

const std::string& Model::name() const { return impl_->program().name; }
const std::string& Model::file() const { return impl_->file; }
const std::string& Model::source() const { return impl_->reading->sources.front().text(); }
const std::vector<std::string>& Model::sets() const { return impl_->sets; }
const std::vector<InputSpec>& Model::inputs() const { return impl_->inputs; }
const TrainSpec* Model::train() const {
  return impl_->program().train ? &*impl_->program().train : nullptr;
}
const DataSpec* Model::data() const {
  return impl_->program().data ? &*impl_->program().data : nullptr;
}
bool Model::has_loss() const { return !impl_->program().losses.empty(); }
const std::vector<Diagnostic>& Model::warnings() const { return impl_->reading->warnings; }

void Model::follow_reloads() const {
  for (language::Step& step : impl_->reading->program.steps) {
    if (step.activation) step.activation = step.activation->latest();
  }
}

namespace {

std::vector<std::string> each_once(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

std::vector<std::string> Model::plugins_used() const {
  std::vector<std::string> used;
  for (const language::Step& step : impl_->program().steps) {
    if (!step.activation) continue;
    const LoadedPlugin& plugin = step.activation->plugin();
    // A formula is known by its text, not by the name of its library.
    const std::string name = step.op == "formula"
                                 ? fmt::format("formula {}", step.activation->op().formula)
                                 : std::string(step.activation->name());
    used.push_back(fmt::format("{}@{}/{}", name, plugin.name(), plugin.version()));
  }
  return each_once(std::move(used));
}

std::vector<std::string> Model::plugin_files() const {
  std::vector<std::string> files;
  for (const language::Step& step : impl_->program().steps) {
    if (step.activation) files.push_back(step.activation->plugin().file);
  }
  return each_once(std::move(files));
}

BuiltModel Model::build(const BuildOptions& options) const {
  return language::build(impl_->program(), options);
}

}  // namespace limen
