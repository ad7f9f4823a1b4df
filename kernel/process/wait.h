/* A child's end, as signals and wait calls describe it. */
#pragma once

#include <kernel/lib/types.h>

/* CLD_EXITED, CLD_KILLED or CLD_DUMPED, and the exit code or signal, from a wait status. */
int child_code(u32 status);
u32 child_status(u32 status);
