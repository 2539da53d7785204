#include "layout.h"

extern "C" int limen_layout_as_cpp();
extern "C" int limen_layout_as_cpp() { return static_cast<int>(sizeof(limen_op)); }
