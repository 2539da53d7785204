// A model compiled for one batch size: for training with the gradient, or for evaluation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <limen/dataset.hpp>
#include <limen/executable.hpp>
#include <limen/model.hpp>
#include <limen/train.hpp>

namespace limen {

// The free sizes of a model for batches of `batch` examples: the leading ones are the batch, the
// others those of the data (1 without data). Throws Error E0601 for an input whose leading size is
// fixed to another number, E0904 where the data give one name two sizes.
std::map<std::string, std::int64_t> sizes_for(const Model& model, const Dataset* data,
                                              std::int64_t batch);

class Program {
 public:
  // Binds `weights` (sharing their buffers), and tensors of its own for the inputs. With
  // `gradients` the graph is the one of training. `step` is the i32[] counter that dropout reads.
  Program(const Model& model, const Dataset* data, std::int64_t batch, bool gradients,
          DType float_type, std::span<const NamedTensor> weights, const Tensor& step,
          const CompileOptions& options);

  std::int64_t batch() const { return batch_; }
  // Copies rows of the data into the inputs; as many as the batch is long.
  void load(const Dataset& data, std::span<const std::int64_t> rows);
  void run() { executable_.run(); }

  // After run(). Figure 0 is the loss.
  const std::vector<std::string>& figure_names() const { return figure_names_; }
  double figure(std::size_t i) const;
  // The gradient of weight i, as numbered at construction; no data if the loss does not read it.
  const TensorView& gradient(std::size_t i) const { return gradients_[i]; }

  const std::vector<NamedTensor>& inputs() const { return inputs_; }
  Executable& executable() { return executable_; }

 private:
  void bind(std::span<const NamedTensor> weights, const Tensor& step);

  std::int64_t batch_;
  std::vector<NamedTensor> inputs_;  // what load() fills
  std::vector<std::string> figure_names_;
  Executable executable_;
  std::vector<TensorView> figures_;
  std::vector<TensorView> gradients_;
};

// The programs of one kind for the batch sizes that come up, compiled when first wanted.
class Programs {
 public:
  Programs(const Model& model, const Dataset* data, bool gradients, DType float_type,
           std::vector<NamedTensor> weights, Tensor step, const CompileOptions& options)
      : model_(model),
        data_(data),
        gradients_(gradients),
        float_type_(float_type),
        weights_(std::move(weights)),
        step_(std::move(step)),
        options_(options) {}

  Program& of(std::int64_t batch);

 private:
  const Model& model_;
  const Dataset* data_;
  bool gradients_;
  DType float_type_;
  std::vector<NamedTensor> weights_;
  Tensor step_;
  CompileOptions options_;
  std::map<std::int64_t, std::unique_ptr<Program>> programs_;
};

}  // namespace limen
