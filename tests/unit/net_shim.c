/* See net_shim.h. */
#include "net_shim.h"

#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "unit.h"

#include <kernel/context.h>
#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/random.h>
#include <kernel/timer.h>

#define ARENA_START (64 * MiB)
#define ARENA_PAGES 4096

unsigned long host_page_offset, host_vmemmap;

u64 host_clock_ns;
u32 nr_cpus = 1;
DEFINE_PER_CPU(u32, context_count);
DEFINE_PER_CPU(u32, softirq_pending);
DEFINE_PER_CPU(u32, cpu_number);

char net_shim_log[1024];
u32 net_shim_logged;

/* ---- memory ------------------------------------------------------------------------------------------- */

static u64 in_use, fail_in;
static bool has_failed;
static struct page *arena;
static u32 free_list[ARENA_PAGES], nr_free;

struct kmem_cache {
	size_t size, align;
};

static bool fail_now(void)
{
	if (!fail_in || --fail_in)
		return false;
	has_failed = true;
	return true;
}

u64 net_shim_fail_nth(u64 nth)
{
	u64 before = fail_in;

	fail_in = nth;
	has_failed = false;
	return before;
}

bool net_shim_failed(void)
{
	return has_failed;
}

u64 net_shim_in_use(void)
{
	return in_use;
}

static void *allocate(size_t size, size_t align, gfp_t gfp)
{
	void *object;

	if (fail_now())
		return NULL;
	in_use++;
	object = align > 16 ? aligned_alloc(align, ALIGN_UP(size, align)) : malloc(size);
	memset(object, gfp & GFP_ZERO ? 0 : 0xa5, size);
	return object;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	(void)name;
	*cache = (struct kmem_cache){ size, align ?: size >= 64 ? 64 : 8 };
	return cache;
}

void kmem_cache_pack(struct kmem_cache *cache)
{
}

void kmem_cache_keep(struct kmem_cache *cache, u32 count)
{
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	return allocate(cache->size, cache->align, gfp);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	(void)cache;
	in_use--;
	free(object);
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return allocate(size, 8, gfp);
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return allocate(size, 8, gfp | GFP_ZERO);
}

void *kcalloc(size_t count, size_t size, gfp_t gfp)
{
	return allocate(count * size, 8, gfp | GFP_ZERO);
}

void kfree(void *object)
{
	in_use -= object != NULL;
	free(object);
}

struct page *alloc_pages(unsigned order, gfp_t gfp)
{
	struct page *page;

	if (order || !nr_free || fail_now())
		return NULL;
	(void)gfp;
	in_use++;
	page = &arena[free_list[--nr_free]];
	*page = (struct page){ .state = PAGE_USED, .refcount = 1 };
	ASAN_UNPOISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
	return page;
}

void free_pages(struct page *page, unsigned order)
{
	if (page->state != PAGE_USED || order)
		panic("a page freed twice");
	in_use--;
	page->state = PAGE_FREE;
	ASAN_POISON_MEMORY_REGION(page_address(page), PAGE_SIZE);
	free_list[nr_free++] = (u32)(page - arena);
}

void put_page(struct page *page)
{
	if (--page->refcount == 0)
		free_pages(page, 0);
}

void page_stats_read(struct page_stats *stats)
{
	*stats = (struct page_stats){ .total = ARENA_PAGES, .free = nr_free };
}

void (*net_shim_copying)(void);

size_t user_copy(void *to, const void *from, size_t size)
{
	void (*meanwhile)(void) = net_shim_copying;

	net_shim_copying = NULL;
	if (meanwhile)
		meanwhile();
	memcpy(to, from, size);
	return 0;
}

size_t user_clear(void *to, size_t size)
{
	memset(to, 0, size);
	return 0;
}

void net_shim_boot(void)
{
	void *ram;

	net_shim_fail_nth(0);
	net_shim_logged = 0;
	if (arena)
		return;
	ram = mmap(NULL, ARENA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	arena = calloc(ARENA_PAGES, sizeof(*arena));
	host_page_offset = (unsigned long)ram - ARENA_START;
	host_vmemmap = (unsigned long)arena - ARENA_START / PAGE_SIZE * sizeof(struct page);
	for (u32 i = 0; i < ARENA_PAGES; i++)
		free_list[nr_free++] = i;
	ASAN_POISON_MEMORY_REGION(ram, ARENA_PAGES * PAGE_SIZE);
	host_clock_ns = 1000 * 1000000000ULL;
	skb_init();
	/* Room for all that reassembly may hold, and for what a test makes meanwhile. */
	skb_max_memory = ARENA_PAGES * PAGE_SIZE;
}

/* ---- time --------------------------------------------------------------------------------------------- */

#define MAX_TIMERS 4096
static struct timer *timers[MAX_TIMERS];
static u32 nr_timers;

u32 net_shim_timers(void)
{
	return nr_timers;
}

void timer_init(struct timer *timer, void (*function)(struct timer *timer))
{
	*timer = (struct timer){ .function = function };
}

bool timer_cancel(struct timer *timer)
{
	if (!timer->pending)
		return false;
	timer->pending = false;
	for (u32 i = 0; i < nr_timers; i++)
		if (timers[i] == timer)
			timers[i] = timers[--nr_timers];
	return true;
}

bool timer_cancel_sync(struct timer *timer)
{
	return timer_cancel(timer);
}

bool timer_start(struct timer *timer, u64 expires)
{
	bool was_pending = timer_cancel(timer);

	if (nr_timers == MAX_TIMERS)
		panic("too many timers");
	timer->expires = expires;
	timer->pending = true;
	timers[nr_timers++] = timer;
	return was_pending;
}

static struct timer *first_timer(void)
{
	struct timer *first = NULL;

	for (u32 i = 0; i < nr_timers; i++)
		if (!first || timers[i]->expires < first->expires)
			first = timers[i];
	return first;
}

u64 net_shim_next_timer(void)
{
	struct timer *timer = first_timer();

	return timer ? timer->expires : ~0ULL;
}

void net_shim_advance(u64 ns)
{
	u64 end = host_clock_ns + ns;
	struct timer *timer;

	while ((timer = first_timer()) && timer->expires <= end) {
		if (host_clock_ns < timer->expires)
			host_clock_ns = timer->expires;
		timer_cancel(timer);
		timer->function(timer);
	}
	host_clock_ns = end;
}

/* ---- the rest ----------------------------------------------------------------------------------------- */

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* The kernel's own %p forms come out as addresses; a test looks at the words. */
int printk(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(net_shim_log, sizeof(net_shim_log), format, args);
	va_end(args);
	net_shim_logged++;
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

void random_fill(void *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((u8 *)buffer)[i] = (u8)unit_random();
}

u64 random_u64(void)
{
	return unit_random();
}

u64 random_below(u64 limit)
{
	return unit_random_below(limit);
}

u64 wall_ns(void)
{
	return host_clock_ns;
}

void *vmalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

void vfree(void *memory)
{
	kfree(memory);
}
