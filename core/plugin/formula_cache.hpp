// Ops made from formulas: compiled when first used, kept as libraries in the user's cache.
#pragma once

#include <limen/plugin_registry.hpp>

#include "plugin/formula.hpp"

namespace limen {

// Where the libraries lie: $LIMEN_CACHE/formula, else $XDG_CACHE_HOME/limen/formula, else
// ~/.cache/limen/formula. Empty if none of these is set.
std::filesystem::path formula_folder();

// The formula as an op of a plugin "formula.fHASH"; its parameters start at 1 and have no bounds.
// A library that is there already is used without a compiler: its name holds the formula, the
// compiler's flags, limen's version and its headers. Several processes may do this at once. Throws
// Error E0531, E0532 (see compile.hpp), E0903 (no cache that can be written).
Activation compiled_formula(const Formula& formula);

}  // namespace limen
