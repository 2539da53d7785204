// limen run: outputs, and vector-Jacobian products, of a model for given inputs.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <limen/differentiate.hpp>
#include <limen/executable.hpp>
#include <limen/ops.hpp>
#include <limen/train.hpp>

#include "base/text.hpp"
#include "run_inputs.hpp"
#include "run_outputs.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr const char* kCotangent = "cotangent.";  // no input of a model has a dot in its name

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Rows [first, first + count) along the leading axis, copied.
Tensor rows_of(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  Tensor part({tensor.shape().with(0, count), tensor.type().dtype});
  const std::size_t row = tensor.type().bytes() / static_cast<std::size_t>(tensor.shape()[0]);
  std::memcpy(part.data(), tensor.data() + row * static_cast<std::size_t>(first),
              row * static_cast<std::size_t>(count));
  return part;
}

Tensor copy_of(const TensorView& view) {
  Tensor tensor(view.type);
  std::memcpy(tensor.data(), view.data, view.type.bytes());
  return tensor;
}

class RunVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "MODEL", path_, "a model file or a run folder");
    add_list(app, "-i,--input", inputs_, "[NAME=]SOURCE",
             "FILE.npy, - , test[7], or an array such as [[0.1, 0.2]]");
    add_list(app, "-o,--output", outputs_, "PLACE",
             "a folder, FILE.npy .csv .json .safetensors, - , or NAME=FILE");
    add_text(app, "--weights", weights_, "FILE", "a .safetensors file; default: the run's best");
    add_choice(app, "--dtype", dtype_, {"f32", "f64"}, "element type of the computation");
    add_list(app, "--grad", gradients_, "INPUT", "also the gradient with respect to this input");
    add_list(app, "--cotangent", cotangents_, "OUTPUT=FILE.npy",
             "what the gradient is weighted with; default: ones for every output");
    add_count(app, "--batch", batch_, "compute so many examples at a time");
    add_count(app, "--top", top_, "show the N largest values of each row");
  }

  Exit run(Context& context) override {
    if (path_.empty()) throw usage_error("`limen run` needs a model file or a run folder");
    const OpenedModel opened = context.open(path_);
    const Model& model = opened.model;
    float_type_ = dtype_.empty()    ? (model.train() != nullptr ? model.train()->dtype : DType::f32)
                  : dtype_ == "f64" ? DType::f64
                                    : DType::f32;
    const BuiltModel probe = build(model, sizes_of_one(model));
    const std::vector<std::string> needed = names_of(probe.graph.inputs());
    check_gradients(model, needed);
    const auto destinations = read_destinations(outputs_, result_names(probe));
    std::vector<GivenArray> given;
    for (const std::string& text : inputs_) {
      for (GivenArray& array : read_source(text, model, needed)) given.push_back(std::move(array));
    }
    bound_ = bind_inputs(std::move(given), model, needed, float_type_, context.messages);
    weight_values_ = context.weights(opened, weights_, probe.parameters);
    read_cotangents(probe);
    const std::vector<NamedTensor> results =
        batch_ ? in_batches(model, context) : compute(model, bound_, context.threads());
    show(results, destinations, context);
    return Exit::ok;
  }

 private:
  static std::map<std::string, std::int64_t> sizes_of_one(const Model& model) {
    std::map<std::string, std::int64_t> sizes;
    for (const InputSpec& input : model.inputs()) {
      for (const Dim& dim : input.dims) {
        if (!dim.symbol.empty()) sizes[dim.symbol] = 1;
      }
    }
    return sizes;
  }

  static std::vector<std::string> names_of(const std::vector<Value>& leaves) {
    std::vector<std::string> names;
    for (const Value& leaf : leaves) names.push_back(leaf.name());
    return names;
  }

  BuiltModel build(const Model& model, const std::map<std::string, std::int64_t>& sizes) const {
    return model.build({.sizes = sizes,
                        .float_type = float_type_,
                        .training = false,
                        .loss = false,
                        .outputs = true});
  }

  std::vector<std::string> result_names(const BuiltModel& built) const {
    std::vector<std::string> names = built.output_names;
    for (const std::string& input : gradients_) names.push_back("grad." + input);
    return names;
  }

  void check_gradients(const Model& model, const std::vector<std::string>& needed) {
    std::sort(gradients_.begin(), gradients_.end());
    gradients_.erase(std::unique(gradients_.begin(), gradients_.end()), gradients_.end());
    std::vector<std::string> known;
    for (const InputSpec& input : model.inputs()) {
      if (is_float(input.dtype) && contains(needed, input.name)) known.push_back(input.name);
    }
    for (const std::string& name : gradients_) {
      if (contains(known, name)) continue;
      std::vector<std::string> help;
      if (std::string hint = did_you_mean(name, known); !hint.empty()) help.push_back(hint);
      help.push_back("inputs that have one: " + join(known));
      throw usage_error(fmt::format("there is no gradient with respect to `{}`", name),
                        std::move(help));
    }
    if (gradients_.empty() && !cotangents_.empty()) {
      throw usage_error("`--cotangent` means nothing without `--grad INPUT`");
    }
    if (batch_ && !gradients_.empty()) {
      throw usage_error("`--batch` does not go together with `--grad`");
    }
  }

  void read_cotangents(const BuiltModel& built) {
    for (const std::string& text : cotangents_) {
      const auto [name, path] = split_name(text);
      if (name.empty() && built.output_names.size() != 1) {
        throw usage_error(fmt::format("`--cotangent {}`: which output?", text),
                          {"write OUTPUT=FILE.npy; outputs: " + join(built.output_names)});
      }
      const std::string output = name.empty() ? built.output_names.front() : name;
      if (!contains(built.output_names, output)) {
        throw usage_error(fmt::format("the model has no output `{}`", output),
                          {"outputs: " + join(built.output_names)});
      }
      if (!is_float(built.graph.output(output).dtype())) {
        throw usage_error(
            fmt::format("the output `{}` holds whole numbers: it has no cotangent", output));
      }
      if (!cotangent_values_.emplace(output, read_array(path)).second) {
        throw usage_error(fmt::format("the cotangent of `{}` is given twice", output));
      }
    }
  }

  // Appends the gradients: for each input the sum of the products with all cotangents. Returns the
  // cotangents to bind.
  std::vector<NamedTensor> append_gradients(BuiltModel& built) const {
    std::vector<Value> wrt;
    for (const std::string& input : gradients_) wrt.push_back(built.graph.leaf(input));
    std::vector<Value> sums(wrt.size());
    std::vector<NamedTensor> bindings;
    for (const std::string& name : built.output_names) {
      const Value output = built.graph.output(name);
      const auto given = cotangent_values_.find(name);
      if (!is_float(output.dtype())) continue;
      if (given == cotangent_values_.end() && !cotangent_values_.empty()) continue;
      Value seed;
      if (given != cotangent_values_.end()) {
        seed = built.graph.input(kCotangent + name, output.type());
        bindings.push_back({kCotangent + name, fitted(given->second, name, output.type())});
      }
      const std::vector<Value> products = differentiate(output, wrt, seed);
      for (std::size_t i = 0; i < wrt.size(); ++i) {
        sums[i] = sums[i] ? add(sums[i], products[i]) : products[i];
      }
    }
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      if (!sums[i]) throw usage_error("the model has no output of numbers with a gradient");
      built.graph.output("grad." + gradients_[i], sums[i]);
    }
    return bindings;
  }

  static Tensor fitted(const GivenArray& array, const std::string& output, const TensorType& type) {
    Tensor tensor = array.tensor;
    if (tensor.shape().rank() + 1 == type.shape.rank() && type.shape[0] == 1 &&
        tensor.shape() == type.shape.without(0)) {
      tensor = tensor.reshaped(type.shape);
    }
    if (!(tensor.shape() == type.shape)) {
      throw Error(
          "E0904",
          fmt::format("{} does not fit the output `{}`: it has shape {}, expected {}", array.source,
                      output, to_string(tensor.shape()), to_string(type.shape)));
    }
    return convert(tensor, type.dtype);
  }

  std::vector<NamedTensor> compute(const Model& model, const BoundInputs& inputs,
                                   int threads) const {
    BuiltModel built = build(model, inputs.sizes);
    const std::vector<std::string> results = result_names(built);
    std::vector<NamedTensor> cotangents;
    if (!gradients_.empty()) cotangents = append_gradients(built);
    Executable executable = compile(built.graph, {.threads = threads});
    for (const std::string& name : executable.input_names()) {
      if (const auto at = inputs.tensors.find(name); at != inputs.tensors.end()) {
        executable.bind(name, at->second);
      }
    }
    for (const std::vector<NamedTensor>* list : {&weight_values_, &std::as_const(cotangents)}) {
      for (const NamedTensor& item : *list) executable.bind(item.name, item.tensor);
    }
    executable.run();
    std::vector<NamedTensor> values;
    for (const std::string& name : results)
      values.push_back({name, copy_of(executable.output(name))});
    return values;
  }

  // The free size that leads the inputs, cut into pieces of --batch.
  std::vector<NamedTensor> in_batches(const Model& model, const Context& context) const {
    std::string symbol;
    for (const InputSpec& input : model.inputs()) {
      if (symbol.empty() && bound_.tensors.contains(input.name) && !input.dims.empty()) {
        symbol = input.dims[0].symbol;
      }
    }
    if (symbol.empty()) throw usage_error("`--batch` needs an input whose leading size is free");
    const std::int64_t total = bound_.sizes.at(symbol);
    check_cuttable(model, symbol);
    std::vector<NamedTensor> whole;
    for (std::int64_t first = 0; first < total; first += *batch_) {
      const std::int64_t count = std::min(*batch_, total - first);
      BoundInputs part = bound_;
      part.sizes[symbol] = count;
      for (const InputSpec& input : model.inputs()) {
        const auto at = part.tensors.find(input.name);
        if (at == part.tensors.end() || input.dims.empty()) continue;
        if (input.dims[0].symbol == symbol) at->second = rows_of(at->second, first, count);
      }
      append(whole, compute(model, part, context.threads()), first, total);
    }
    return whole;
  }

  // Every output must have one row per example.
  void check_cuttable(const Model& model, const std::string& symbol) const {
    auto sizes = bound_.sizes;
    for (const std::int64_t size : {2, 3}) {
      sizes[symbol] = size;
      const BuiltModel built = build(model, sizes);
      for (const std::string& name : built.output_names) {
        const Shape& shape = built.graph.output(name).shape();
        if (shape.rank() > 0 && shape[0] == size) continue;
        throw usage_error(
            fmt::format("`--batch`: the output `{}` has no row for each example", name));
      }
    }
  }

  static void append(std::vector<NamedTensor>& whole, const std::vector<NamedTensor>& part,
                     std::int64_t first, std::int64_t total) {
    if (whole.empty()) {
      for (const NamedTensor& piece : part) {
        whole.push_back(
            {piece.name, Tensor({piece.tensor.shape().with(0, total), piece.tensor.type().dtype})});
      }
    }
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Tensor& piece = part[i].tensor;
      const std::size_t row = piece.type().bytes() / static_cast<std::size_t>(piece.shape()[0]);
      std::memcpy(whole[i].tensor.data() + row * static_cast<std::size_t>(first), piece.data(),
                  piece.type().bytes());
    }
  }

  void show(const std::vector<NamedTensor>& results, const std::vector<Destination>& destinations,
            Context& context) const {
    write_results(destinations, results, context);
    if (context.globals.json) {
      context.out.json(results_json(results));
    } else if (top_) {
      for (const NamedTensor& result : results) context.out.write(top_text(result, *top_));
    } else if (destinations.empty()) {
      context.out.write(results_text(results));
    }
  }

  std::string path_, weights_, dtype_;
  std::vector<std::string> inputs_, outputs_, gradients_, cotangents_;
  std::optional<std::int64_t> batch_, top_;

  DType float_type_ = DType::f32;
  BoundInputs bound_;
  std::vector<NamedTensor> weight_values_;
  std::map<std::string, GivenArray> cotangent_values_;
};

}  // namespace

std::unique_ptr<Verb> make_run() { return std::make_unique<RunVerb>(); }

}  // namespace limen::tools
