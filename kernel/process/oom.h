/* Who is killed when memory runs out. */
#pragma once

#include <kernel/process.h>

/* How much it would be worth to kill it, in pages; `total`: all pages there are. tree_lock held. */
s64 oom_score(const struct process *process, u64 total);

void oom_init(void);
