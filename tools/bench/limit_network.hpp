// The yardstick: a training step of a fully connected network written by hand for that network.
// oneDNN products on fixed buffers, plain loops for the rest, nothing else; one thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace limen::bench {

enum class LimitActivation { relu, sigmoid, tanh };

class LimitNetwork {
 public:
  // sizes: inputs, hidden layers, classes.
  LimitNetwork(std::vector<int> sizes, LimitActivation activation, int batch);
  ~LimitNetwork();

  // Forward, softmax cross entropy, backward, SGD with momentum 0.9. Returns the loss.
  float step();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limen::bench
