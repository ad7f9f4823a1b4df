#pragma once

/* Start the threads; from then on softirqs over budget go to them. */
void ksoftirqd_init(void);
