/* What the self-tests with threads share: a crew of threads that is waited for, and a random sequence. */
#pragma once

#include <kernel/wait.h>

struct crew {
	struct completion done;
	void (*work)(void *arg);
	void *arg;
};

void crew_init(struct crew *crew, void (*work)(void *arg), void *arg);
/* Starts threads that call work(arg). */
void crew_start(struct crew *crew, u32 count, const char *name);
/* One more, on one CPU. */
void crew_start_on(struct crew *crew, u32 cpu, const char *name);
/* Until that many have ended. */
void crew_wait(struct crew *crew, u32 count);

/* `selftest-scale=N`: how much longer than usual the stress tests run. */
extern u64 selftest_scale;

/* A pseudo-random sequence for one thread. */
static inline u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}
