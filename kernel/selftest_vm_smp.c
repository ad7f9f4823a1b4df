/*
 * A self-test of one address space on several CPUs: what one takes away, no other may use a moment
 * later, whatever its TLB remembers.
 */
#include <kernel/cpu/smp.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>
#include <kernel/task.h>

#define BASE   0x10000000UL
#define PAGES  8
#define ROUNDS 40

static struct {
	struct mm *mm;
	u64 revoked; /* bit mask of pages that nobody may write to now */
	bool stop;
	u32 ready; /* writers that have begun; atomic, as the others */
	u64 tries, writes, wrong;
} game;

/* Writes all over the place. A write that was begun after the page was taken away must fail. */
static void write_everywhere(void *arg)
{
	u32 random = (u32)(u64)current;

	mm_use(game.mm);
	__atomic_add_fetch(&game.ready, 1, __ATOMIC_RELAXED);
	while (!READ_ONCE(game.stop)) {
		u32 page = next_random(&random) % PAGES;
		bool revoked = READ_ONCE(game.revoked) & BIT(page);
		int error = put_user(random, (u32 *)(BASE + page * PAGE_SIZE));

		__atomic_add_fetch(&game.tries, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&game.writes, !error, __ATOMIC_RELAXED);
		if (revoked && !error && READ_ONCE(game.revoked) & BIT(page))
			__atomic_add_fetch(&game.wrong, 1, __ATOMIC_RELAXED);
		cond_resched();
	}
	mm_use(NULL);
	mm_put_user(game.mm);
}

/* Until each of the writers has probably tried each of the pages. */
static void wait_for_tries(void)
{
	u64 enough = READ_ONCE(game.tries) + 4ULL * PAGES * nr_cpus;

	while (READ_ONCE(game.tries) < enough)
		yield();
}

/* Take a page away, by one means or the other, and give it back. */
static bool revoke_and_restore(u32 page, u32 how)
{
	u64 at = BASE + page * PAGE_SIZE;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	int error =
		how ? sys_mprotect(at, PAGE_SIZE, PROT_READ) : vm_munmap(game.mm, at, PAGE_SIZE);

	__atomic_or_fetch(&game.revoked, BIT(page), __ATOMIC_SEQ_CST);
	wait_for_tries();
	__atomic_and_fetch(&game.revoked, ~BIT(page), __ATOMIC_SEQ_CST);
	if (error)
		return false;
	if (how)
		return sys_mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE) == 0;
	return vm_mmap(game.mm, at, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, NULL, 0) > 0;
}

static bool play(u32 rounds)
{
	u32 random = 1;

	for (u32 i = 0; i < rounds; i++) {
		if (!revoke_and_restore(next_random(&random) % PAGES, i & 1))
			return false;
		/* A fork write-protects everything under the writers' feet. */
		if (i % 16 == 0) {
			struct mm *copy = mm_clone(game.mm);

			if (IS_ERR(copy))
				return false;
			mm_put_user(copy);
		}
		cond_resched();
	}
	return true;
}

SELFTEST(vm_many_cpus)
{
	struct crew crew;
	bool played;

	game.mm = mm_create();
	EXPECT(game.mm);
	game.stop = false;
	game.ready = 0;
	game.tries = game.wrong = game.writes = 0;
	mm_use(game.mm);
	EXPECT(vm_mmap(game.mm, BASE, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) > 0);
	crew_init(&crew, write_everywhere, NULL);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		mm_get_user(game.mm);
		crew_start_on(&crew, cpu, "writer");
	}
	while (READ_ONCE(game.ready) < nr_cpus)
		yield();
	played = play(ROUNDS * (u32)selftest_scale);
	WRITE_ONCE(game.stop, true);
	crew_wait(&crew, nr_cpus);
	mm_use(NULL);
	mm_put_user(game.mm);
	EXPECT(played);
	EXPECT(game.wrong == 0 && game.writes > 0);
}
