/* From a kernel thread to the first program. */
#pragma once

#include <kernel/lib/types.h>

struct init_command {
	const char *path;	 /* init= (rdinit=), or NULL: the usual places */
	const char *const *argv; /* further arguments, ends with NULL */
	const char *const *envp;
};

/* The current kernel thread becomes process 1 and runs it. A panic if there is none. */
__noreturn void run_init(const struct init_command *command);
