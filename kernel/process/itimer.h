/* The timers of a process: alarm() and setitimer(), and POSIX timers. */
#pragma once

#include <kernel/process.h>

void itimers_init(struct process *process);
/* The last thread has ended; process context, no lock held. */
void itimers_exit(struct process *process);

/* exec, and the end: they go. By the only thread that is left, or the last one. */
void posix_timers_delete_all(struct process *process);
