#pragma once

/* The prompt inside the kernel. Does not return. */
void monitor_run(void);
