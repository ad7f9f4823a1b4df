/* `ip=` on the command line: an address before the first program runs. */
#pragma once

#include <kernel/lib/types.h>

/* lo, and the device that `ip=` names, up with their addresses. After the drivers, before the first program. */
void ipconfig_init(void);
