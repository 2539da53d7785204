// Where limen keeps what it can find out again.
#pragma once

#include <filesystem>

namespace limen {

// $LIMEN_CACHE, else $XDG_CACHE_HOME/limen, else ~/.cache/limen; it need not exist. Empty if the
// environment names none.
std::filesystem::path cache_folder();

}  // namespace limen
