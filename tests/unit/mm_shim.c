/* See mm_shim.h. */
#include "mm_shim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/boot_info.h>
#include <kernel/context.h>
#include <kernel/cpu/smp.h>
#include <kernel/lockdep.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

#define SHIM_CPUS 4

struct boot_info boot_info;
u32 nr_cpus = SHIM_CPUS;
DEFINE_PER_CPU(u32, context_count);
DEFINE_PER_CPU(u32, softirq_pending);
DEFINE_PER_CPU(u32, cpu_number);
unsigned long host_page_offset, host_vmemmap;

bool mm_shim_zero_struct_pages;
unsigned mm_shim_tlb_flushes;
jmp_buf *mm_shim_panic_catcher;
char mm_shim_panic_text[256];

/* The image: 1 MiB at physical 1 MiB. */
char *kernel_start = (char *)KERNEL_BASE + 1 * MiB;
char *kernel_end = (char *)KERNEL_BASE + 2 * MiB;

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(mm_shim_panic_text, sizeof(mm_shim_panic_text), format, args);
	va_end(args);
	if (mm_shim_panic_catcher)
		longjmp(*mm_shim_panic_catcher, 1);
	fprintf(stderr, "panic: %s\n", mm_shim_panic_text);
	abort();
}

int printk(const char *format, ...)
{
	(void)format;
	return 0;
}

void do_softirq(void)
{
}

void spin_lock_slow(spinlock_t *lock)
{
	(void)lock;
	panic("deadlock: one CPU waits for a lock that it holds");
}

void lock_acquire(struct lock_class *class, enum lock_how how)
{
	(void)class, (void)how;
}

void lock_release(struct lock_class *class)
{
	(void)class;
}

void flush_tlb_kernel(u64 start, u64 end)
{
	(void)start, (void)end;
	mm_shim_tlb_flushes++;
}

void mm_shim_set_cpu(u32 cpu)
{
	cpu_number = cpu;
}

u64 mm_shim_free_pages(void)
{
	struct page_stats stats;

	for (u32 cpu = 0; cpu < SHIM_CPUS; cpu++) {
		mm_shim_set_cpu(cpu);
		slab_drain();
	}
	mm_shim_set_cpu(0);
	pages_drain_cpu();
	page_stats_read(&stats);
	return stats.free;
}

void mm_shim_boot(void)
{
	const size_t bytes = SHIM_RAM_SIZE / PAGE_SIZE * sizeof(struct page);
	void *ram, *pages;

	fault_inject_nth(0);
	fault_inject_every(0);
	mm_shim_set_cpu(0);
	if (host_page_offset)
		return;
	ram = aligned_alloc(PAGE_SIZE << MAX_ORDER, SHIM_RAM_SIZE);
	pages = malloc(bytes);
	/* All blocks are whole, so outside debug builds the struct pages may hold any rubbish. */
	memset(pages, mm_shim_zero_struct_pages ? 0 : 0x41, bytes);
	host_page_offset = (unsigned long)ram - SHIM_RAM_START;
	host_vmemmap = (unsigned long)pages - SHIM_RAM_START / PAGE_SIZE * sizeof(struct page);
	boot_info.nr_ram = 1;
	boot_info.ram[0] = (struct phys_range){ SHIM_RAM_START, SHIM_RAM_START + SHIM_RAM_SIZE };
	page_alloc_init();
	pages_release_reserved(boot_info.ram[0].start, boot_info.ram[0].end);
	page_allocator_ready = true;
	slab_init();
	vmalloc_init();
}
