// Variables: `vars`, `$name`, `$(expr)`, text with variables in it, and --set.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/findings.hpp"
#include "model/yaml.hpp"

namespace limen::language {

// The main argument of a call by its name; empty if it has none.
using MainArgument = std::function<std::string(const std::string& call)>;

// Changes the tree as `PATH=VALUE` says. `source` holds that text, is called "--set", and must
// outlive the tree. PATH is a variable, or a dotted path: keys, names of steps, names of calls and
// of their arguments. Keys are made where they are missing; that they mean something is checked
// later, with everything else. Findings: E0411. Throws Error (usage) where VALUE is no YAML.
void apply_set(Node& root, const Source& source, const MainArgument& main_of, Findings& findings);

// Replaces every variable of the tree but in `vars`, `doc` and `x-...`. A value that came from a
// variable keeps the place of its use and remembers where the variable was set. Findings: E0401
// unknown variable, E0412 bad name, E03xx expressions, E0007 too large.
Node substitute(const Node& root, Findings& findings);

// [a-z_][a-z0-9_]*
bool is_name(std::string_view text);

}  // namespace limen::language
