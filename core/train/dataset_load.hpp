// The steps of load_data(): one function for each kind of `data` section.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <limen/dataset.hpp>

namespace limen {

// A path of the model file, seen from its folder.
std::string beside(const DataOptions& options, const std::string& path);

// The count that a share (`val: 5000` or `val: 0.1`) means for `of` examples. Throws Error E0905
// where nothing would be left.
std::int64_t count_of(const DataCall& call, std::string_view argument, std::int64_t of);

// Fields under their own names; load_data() renames, fits and cuts off `val`. Pixels are divided by
// 255 in `precision`, f32 or f64.
DataSplit load_mnist(const DataCall& call, const DataOptions& options, DType precision);
DataSplit make_synthetic(const DataCall& call, const DataOptions& options);

// Fields under the names of the inputs, one for each; without inputs, those of `fields`, or else
// all columns. Takes `val` and `test` off itself.
DataSplit load_csv(const DataCall& call, std::span<const DataInput> inputs,
                   const DataOptions& options);

// What one source gives: examples along the first axis. Where values are scaled, that is done in
// f64 and rounded once, to `wanted`.
Tensor load_source(const DataCall& source, const std::string& root, const DataOptions& options,
                   DType wanted);

// Runs f; adds `at` with `label` to the places of an error that passes.
template <class F>
decltype(auto) with_place(const Span& at, const std::string& label, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    for (Diagnostic& diagnostic : diagnostics) {
      if (at.file.empty()) continue;
      diagnostic.spans.push_back(at);
      diagnostic.spans.back().label = label;
    }
    throw Error(std::move(diagnostics), error.exit());
  }
}

}  // namespace limen
