#include "layout.h"

int limen_layout_as_c(void);
int limen_layout_as_c(void) { return (int)sizeof(limen_op); }
