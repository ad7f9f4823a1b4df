/* How many tasks wanted a CPU, on average over 1, 5 and 15 minutes. */
#pragma once

#include <kernel/lib/types.h>

#define LOAD_SHIFT 11 /* fixed point: 1 << LOAD_SHIFT is one task */

u64 load_average(int which);
