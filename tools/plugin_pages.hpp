// Pages about ops: Markdown with pictures beside it, drawn from the ops' own kernels.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <limen/plugin_registry.hpp>

#include "plugin_sketch.hpp"

namespace limen::tools {

// The page of one op and its pictures; names of files begin with `stem`.
std::vector<SketchedFile> op_page(const Activation& activation, const std::string& stem);

// Pages of all of them with a gallery, index.md, written into `folder`, which is made. Returns how
// many pages. Throws Error E0903.
std::size_t write_pages(std::span<const Activation> ops, const std::string& folder);

}  // namespace limen::tools
