/* Self-tests of run queues, softirqs and several CPUs. */
#include <kernel/cpu/smp.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/lib/string.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>
#include <kernel/softirq.h>
#include <kernel/wait.h>

struct ping_pong {
	struct completion ping, pong;
	u32 rounds;
};

static void ponger(void *arg)
{
	struct ping_pong *game = arg;

	for (u32 i = 0; i < game->rounds; i++) {
		wait_for_completion(&game->ping);
		complete(&game->pong);
	}
}

SELFTEST(sched_ping_pong)
{
	struct ping_pong game = { .rounds = 500 };
	struct crew crew;

	init_completion(&game.ping);
	init_completion(&game.pong);
	crew_init(&crew, ponger, &game);
	crew_start(&crew, 1, "ponger");
	for (u32 i = 0; i < game.rounds; i++) {
		complete(&game.ping);
		wait_for_completion(&game.pong);
	}
	crew_wait(&crew, 1);
	EXPECT(game.ping.done == 0 && game.pong.done == 0);
}

#define HOGS 3

struct hogs {
	u32 counts[HOGS]; /* atomic */
	u32 next;
	bool stop;
};

/* Uses all the CPU it can get, and gives way only when asked. */
static void hog(void *arg)
{
	struct hogs *hogs = arg;
	u32 self = __atomic_fetch_add(&hogs->next, 1, __ATOMIC_RELAXED);

	while (!READ_ONCE(hogs->stop)) {
		__atomic_add_fetch(&hogs->counts[self], 1, __ATOMIC_RELAXED);
		cond_resched();
	}
}

/* Three that never sleep, on one CPU: slices must let each go on again and again. */
SELFTEST(sched_slices)
{
	struct hogs hogs = { 0 };
	struct crew crew;
	u32 seen[HOGS] = { 0 };

	crew_init(&crew, hog, &hogs);
	for (u32 i = 0; i < HOGS; i++)
		crew_start_on(&crew, nr_cpus - 1, "hog");
	for (u32 turn = 0; turn < 10; turn++) {
		for (u32 i = 0; i < HOGS; i++) {
			while (READ_ONCE(hogs.counts[i]) == seen[i])
				sleep_ns(NSEC_PER_MSEC);
			seen[i] = READ_ONCE(hogs.counts[i]);
		}
	}
	WRITE_ONCE(hogs.stop, true);
	crew_wait(&crew, HOGS);
}

/* As many that never sleep as there are CPUs, all begun here: idle CPUs must come and take them. */
struct spread {
	u64 cpus; /* atomic bit mask: where anyone has run */
	bool stop;
};

static void spreader(void *arg)
{
	struct spread *spread = arg;

	while (!READ_ONCE(spread->stop)) {
		__atomic_or_fetch(&spread->cpus, BIT(smp_processor_id()), __ATOMIC_RELAXED);
		cond_resched();
	}
}

SELFTEST(sched_spreads)
{
	struct spread spread = { 0 };
	struct crew crew;

	crew_init(&crew, spreader, &spread);
	crew_start(&crew, nr_cpus * 2, "spreader");
	while (READ_ONCE(spread.cpus) != BIT(nr_cpus) - 1)
		sleep_ns(NSEC_PER_MSEC);
	WRITE_ONCE(spread.stop, true);
	crew_wait(&crew, nr_cpus * 2);
}

static void nothing(void *arg)
{
}

SELFTEST(sched_many_threads)
{
	struct crew crew;

	crew_init(&crew, nothing, NULL);
	for (u32 round = 0; round < 20; round++) {
		crew_start(&crew, 50, "short");
		crew_wait(&crew, 50);
	}
}

/* ---- softirqs ----------------------------------------------------------------------------------------- */

static u32 storm_left, storm_served; /* atomic */
static u64 storm_threads;	     /* atomic: rounds that ksoftirqd served */

/* Raises itself again and again: what a flood of packets does. */
static void storm(void)
{
	if (strncmp(current->name, "ksoftirqd", 9) == 0)
		__atomic_add_fetch(&storm_threads, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&storm_served, 1, __ATOMIC_RELAXED);
	if (__atomic_fetch_sub(&storm_left, 1, __ATOMIC_RELAXED) > 1)
		raise_softirq(NET_TX_SOFTIRQ);
}

static void prepare_storm(u32 rounds)
{
	open_softirq(NET_TX_SOFTIRQ, storm);
	storm_left = rounds;
	storm_served = 0;
	storm_threads = 0;
}

SELFTEST(softirq_budget)
{
	prepare_storm(1000);
	local_bh_disable();
	raise_softirq(NET_TX_SOFTIRQ);
	EXPECT(storm_served == 0); /* not while they are disabled */
	local_bh_enable();
	while (READ_ONCE(storm_served) < 1000)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(storm_threads > 0); /* most of it was more than one budget */
	EXPECT(in_process());
}

/* Beside one that never sleeps, ksoftirqd gets the CPU when a slice ends. When it has just had much of it, it waits for that. */
SELFTEST(softirq_beside_a_program)
{
	const u32 rounds = 50000;

	for (u32 storms = 0; storms < 10; storms++) {
		u64 end;

		prepare_storm(rounds);
		raise_softirq(NET_TX_SOFTIRQ);
		end = clock_ns() + 60 * NSEC_PER_SEC;
		while (READ_ONCE(storm_served) < rounds && clock_ns() < end)
			cond_resched();
		EXPECT(READ_ONCE(storm_served) == rounds);
	}
}

/* ---- several CPUs ---------------------------------------------------------------------------------------- */

static void note_cpu(void *arg)
{
	__atomic_or_fetch((u64 *)arg, BIT(smp_processor_id()), __ATOMIC_RELAXED);
}

static void caller(void *arg)
{
	bool *failed = arg;

	for (u32 i = 0; i < 50; i++) {
		u64 cpus = 0;

		smp_call_others(note_cpu, &cpus);
		if (cpus != ((BIT(nr_cpus) - 1) & ~BIT(smp_processor_id())))
			*failed = true;
		cond_resched();
	}
}

SELFTEST(smp_calls)
{
	bool failed = false;
	struct crew crew;

	crew_init(&crew, caller, &failed);
	crew_start(&crew, nr_cpus, "caller");
	crew_wait(&crew, nr_cpus);
	EXPECT(!failed);
}

static u64 all_interrupts;

static void sum_interrupts(const struct irq_stats *stats)
{
	for_each_cpu(cpu)
		all_interrupts += stats->count[cpu];
}

static u64 interrupts_so_far(void)
{
	all_interrupts = 0;
	irq_stats_for_each(sum_interrupts);
	return all_interrupts;
}

/* Blocked means zero: with nothing to do for 300 ms there is the one interrupt that ends the sleep,
 * and what the console may still be sending; nothing periodic. Who reads the console may be slow: once it is over. */
SELFTEST(idle_without_tick)
{
	u64 fewest = ~0ULL;

	for (u32 i = 0; i < 20 && fewest > 8; i++) {
		u64 before;

		sleep_ns(50 * NSEC_PER_MSEC);
		before = interrupts_so_far();
		sleep_ns(300 * NSEC_PER_MSEC);
		fewest = min_t(u64, fewest, interrupts_so_far() - before);
	}
	EXPECT(fewest <= 8);
}
