// Turns a program into a graph.
#pragma once

#include "model/program.hpp"

namespace limen::language {

BuiltModel build(const Program& program, const BuildOptions& options);

}  // namespace limen::language
