// The values of a model's inputs, from files, data sets, standard input or the command line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <limen/model.hpp>

#include "context.hpp"

namespace limen::tools {

// What was given for one input: the array, and what it was called on the command line.
struct GivenArray {
  std::string input;   // empty until it is known which one
  std::string source;  // "x.npy", "test[3]", "[[0.1, 0.2]]"
  std::string held;    // the element type it had there: "u8"
  Tensor tensor;
};

// Reads `[NAME=]SOURCE`. A set of the model's data gives several arrays: those of the inputs in
// `needed`, or of NAME alone. Throws Error where the source cannot be read or NAME is no input.
std::vector<GivenArray> read_source(const std::string& text, const Model& model,
                                    const std::vector<std::string>& needed);

// Splits `NAME=REST`; NAME is empty where the text does not begin with a name and `=`.
std::pair<std::string, std::string> split_name(const std::string& text);

// The array of a `.npy` file.
GivenArray read_array(const std::string& path);

// Arrays bound to inputs: names resolved, shapes fitted, free sizes solved, element types
// converted.
struct BoundInputs {
  std::map<std::string, Tensor> tensors;  // by input
  std::map<std::string, std::int64_t> sizes;
};

// Binds the arrays to the inputs in `needed`. An array of a single item gets its missing leading
// axis, with a note; floats become `float_type`. Throws Error: usage for inputs that are missing,
// given twice or not known to be which; E0904, at the input's declaration, for shapes that do not
// fit or free sizes that contradict each other; E0603 or E0904 for values out of range.
BoundInputs bind_inputs(std::vector<GivenArray> given, const Model& model,
                        const std::vector<std::string>& needed, DType float_type,
                        const Messages& messages);

}  // namespace limen::tools
