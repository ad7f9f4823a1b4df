/*
 * Emptying the allocators' own caches: /proc/sys/vm/drop_caches.
 *
 * Most of them belong to a CPU, and nobody else may touch them. So the caller goes to each CPU in turn. That
 * also takes whoever exited there off its stack for good, and a dead program's address space out of CR3.
 *
 * Context: process. Locks: none.
 */
#include <kernel/drop_caches.h>

#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/sched.h>

/* In this order, for what the first ones free goes to the next ones. */
static void drop_this_cpu(void)
{
	tables_drain_cpu();
	vmalloc_drain();
	slab_drain();
	pages_drain_cpu();
}

void drop_caches(void)
{
	u64 allowed = current->allowed_cpus;

	for_each_cpu(cpu) {
		if (sched_set_affinity(current, BIT(cpu)) == 0)
			drop_this_cpu();
	}
	(void)!sched_set_affinity(current, allowed);
}
