// Where the results of `limen run` go.
#pragma once

#include <string>
#include <vector>

#include <limen/checkpoint.hpp>

#include "context.hpp"

namespace limen::tools {

// The values of --output, understood: a folder, files, or the standard output.
struct Destination {
  std::string name;  // of one result; empty: all of them
  std::string path;
  enum class Kind { folder, npy, csv, json, safetensors, standard_output } kind = Kind::folder;
};

// `NAME=FILE`, `-`, a file with a known extension, or else a folder. Throws Error (usage) where
// results cannot go there: a file that holds one array and several results, an unknown NAME.
std::vector<Destination> read_destinations(const std::vector<std::string>& texts,
                                           const std::vector<std::string>& results);

// Writes every result to every destination that wants it; each file whole or not at all.
void write_results(const std::vector<Destination>& destinations,
                   const std::vector<NamedTensor>& results, Context& context);

// {"outputs":{"logits":{"dtype":..,"shape":..,"data":..}}}, gradients likewise under "gradients".
Json results_json(const std::vector<NamedTensor>& results);

// A short table for people: at most ten rows of eight values of each result.
std::string results_text(const std::vector<NamedTensor>& results);

// The `count` largest values of each of the first ten rows.
std::string top_text(const NamedTensor& result, std::int64_t count);

}  // namespace limen::tools
