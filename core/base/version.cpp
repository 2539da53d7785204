#include "base/version.hpp"

namespace limen {

std::string_view version() { return LIMEN_VERSION; }

}  // namespace limen
