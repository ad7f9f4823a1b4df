/*
 * The fault injector: makes allocations fail on purpose, so that every failure path can be walked.
 * Command line: fail-nth=N (the Nth allocation after boot, once), fail-every=N (one in N, at random
 * with a fixed seed). Self-tests set it directly.
 */
#pragma once

#include <kernel/mm/page.h>

extern bool fault_inject_active;
bool fault_inject_decide(void);

/* Should this allocation fail? Asked by alloc_pages, kmem_cache_alloc and vmalloc. */
static inline bool should_fail_alloc(gfp_t gfp)
{
	return unlikely(fault_inject_active) && !(gfp & GFP_NOFAIL) && fault_inject_decide();
}

void fault_inject_nth(u64 nth);	    /* 0: off */
void fault_inject_every(u64 every); /* 0: off */
u64 fault_inject_rate(void);	    /* what fault_inject_every() was told */
u64 fault_inject_count(void);	    /* how many were made to fail */
/* Boot is over: options given on the command line take effect from here. */
void fault_inject_arm(void);
