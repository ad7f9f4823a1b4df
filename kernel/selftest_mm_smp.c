/*
 * A self-test of memory on several CPUs: they allocate into one table and free out of it, so that
 * most of what a CPU frees comes from another. Who frees an object checks that it is whole.
 */
#include <kernel/cpu/smp.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>

#define SLOTS  256
#define ROUNDS 20000

enum kind { KMALLOC, PAGES, VMALLOC, STACK, NR_KINDS };

/* At the start of each piece of memory; its second half is at the end. */
struct stamp {
	u32 kind, order;
	u64 size, secret;
};

static struct {
	struct stamp *slots[SLOTS]; /* exchanged atomically */
	u32 seed, broken, missing;  /* atomic */
} stress;

static struct stamp *new_piece(enum kind kind, u32 random, struct stamp *stamp)
{
	*stamp = (struct stamp){ .kind = kind, .secret = random, .order = random % 4 };
	switch (kind) {
	case KMALLOC:
		stamp->size = sizeof(*stamp) + sizeof(u64) + random % 3000;
		return kmalloc(stamp->size, GFP_KERNEL);
	case PAGES: {
		struct page *page = alloc_pages(stamp->order, GFP_KERNEL);

		stamp->size = PAGE_SIZE << stamp->order;
		return page ? page_address(page) : NULL;
	}
	case VMALLOC:
		stamp->size = PAGE_SIZE * (1 + random % 20);
		return vmalloc(stamp->size, GFP_KERNEL);
	default:
		stamp->size = KERNEL_STACK_SIZE;
		return kernel_stack_alloc();
	}
}

static u64 *secret_at_end(struct stamp *piece)
{
	return (u64 *)((char *)piece + ALIGN_DOWN(piece->size, sizeof(u64))) - 1;
}

static struct stamp *allocate(u32 random)
{
	/* mostly small objects, as in life */
	enum kind kind = random % 64 < 60 ? random % 2 : NR_KINDS - 1 - random % 2;
	struct stamp stamp, *piece = new_piece(kind, random / 64, &stamp);

	if (!piece) {
		__atomic_add_fetch(&stress.missing, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	*piece = stamp;
	*secret_at_end(piece) = ~stamp.secret;
	return piece;
}

static void release(struct stamp *piece)
{
	if (!piece)
		return;
	if (*secret_at_end(piece) != ~piece->secret)
		__atomic_add_fetch(&stress.broken, 1, __ATOMIC_RELAXED);
	switch (piece->kind) {
	case KMALLOC:
		kfree(piece);
		break;
	case PAGES:
		free_pages(virt_to_page(piece), piece->order);
		break;
	case VMALLOC:
		vfree(piece);
		break;
	default:
		kernel_stack_free(piece);
	}
}

static void stress_memory(void *arg)
{
	u32 random = __atomic_add_fetch(&stress.seed, 12345, __ATOMIC_RELAXED);
	u64 rounds = ROUNDS * selftest_scale;

	for (u64 i = 0; i < rounds; i++) {
		u32 slot = next_random(&random) % SLOTS;
		struct stamp *piece = i % 2 ? NULL : allocate(next_random(&random));

		release(__atomic_exchange_n(&stress.slots[slot], piece, __ATOMIC_ACQ_REL));
		cond_resched();
	}
}

SELFTEST(mm_many_cpus)
{
	struct crew crew;

	memset(&stress, 0, sizeof(stress));
	crew_init(&crew, stress_memory, NULL);
	for_each_cpu(cpu)
		crew_start_on(&crew, cpu, "memory");
	crew_wait(&crew, nr_cpus);
	for (u32 slot = 0; slot < SLOTS; slot++)
		release(stress.slots[slot]);
	EXPECT(stress.broken == 0);
	EXPECT(stress.missing == 0);
}
