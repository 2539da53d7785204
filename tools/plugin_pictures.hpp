// The pictures of an op's page. Each is the text of an SVG file; empty: nothing to show.
#pragma once

#include <string>

#include <limen/plugin_registry.hpp>

namespace limen::tools {

std::string curves_picture(const Activation& activation);      // f, f', f'', kinks
std::string thumbnail_picture(const Activation& activation);   // f alone, small
std::string rows_picture(const Activation& activation);        // outputs as one number moves
std::string parameters_picture(const Activation& activation);  // f at values over each range
std::string error_picture(const Activation& activation);       // ulp against the formula
std::string speed_picture(const Activation& activation);       // ns for an element

struct Spread {
  double mean = 0, variance = 0;
  std::string picture;  // histogram of y
};
Spread spread_of(const Activation& activation);  // of y for x ~ N(0, 1)

}  // namespace limen::tools
