/*
 * Self-tests of tasks, run queues, wait queues, timers and softirqs. They look for lost wake-ups: a
 * test that loses one never ends, and the harness reports the hang. `selftest-scale=N` multiplies the
 * rounds of the stress tests.
 */
#include <kernel/cmdline.h>
#include <kernel/cpu/smp.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mutex.h>
#include <kernel/selftest.h>
#include <kernel/softirq.h>
#include <kernel/timer.h>
#include <kernel/wait.h>

static u64 scale = 1;

static bool parse_scale(const char *value)
{
	return parse_u64(value, NULL, &scale) == 0 && scale > 0;
}
BOOT_OPTION(selftest_scale, "selftest-scale", "multiply the rounds of the stress tests", parse_scale);

/* A pseudo-random sequence for one thread. */
static u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* ---- a group of threads that is waited for ------------------------------------------------------ */

struct crew {
	struct completion done;
	void (*work)(void *arg);
	void *arg;
};

static void crew_member(void *arg)
{
	struct crew *crew = arg;

	crew->work(crew->arg);
	complete(&crew->done);
}

static void crew_init(struct crew *crew, void (*work)(void *arg), void *arg)
{
	*crew = (struct crew){ .work = work, .arg = arg };
	init_completion(&crew->done);
}

static u32 crew_start(struct crew *crew, u32 count, const char *name)
{
	for (u32 i = 0; i < count; i++)
		if (!kthread_run(crew_member, crew, "%s/%u", name, i))
			return i;
	return count;
}

static void crew_wait(struct crew *crew, u32 count)
{
	while (count--)
		wait_for_completion(&crew->done);
}

/* ---- switching ------------------------------------------------------------------------------------- */

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
	struct ping_pong game = { .rounds = 20000 };
	struct crew crew;

	init_completion(&game.ping);
	init_completion(&game.pong);
	crew_init(&crew, ponger, &game);
	EXPECT(crew_start(&crew, 1, "ponger") == 1);
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
		EXPECT(kthread_run_on(nr_cpus - 1, crew_member, &crew, "hog/%u", i));
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
	EXPECT(crew_start(&crew, nr_cpus * 2, "spreader") == nr_cpus * 2);
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
		EXPECT(crew_start(&crew, 50, "short") == 50);
		crew_wait(&crew, 50);
	}
}

/* ---- wait queues ---------------------------------------------------------------------------------- */

#define RING	   8
#define PRODUCERS  4
#define CONSUMERS  4
#define ITEMS_EACH 250000

/* A bounded ring, small so that both sides sleep all the time. */
struct channel {
	spinlock_t lock;
	u64 items[RING];
	u32 head, tail;
	struct wait_queue not_empty, not_full;
	u64 items_each; /* how many each producer makes */
	u64 to_take;	/* atomic: how many consumers have not claimed yet */
	u64 produced, consumed; /* atomic sums: every item must arrive, once */
};

static bool put_item(struct channel *channel, u64 item)
{
	bool done = false;

	spin_lock(&channel->lock);
	if (channel->tail - channel->head < RING) {
		channel->items[channel->tail++ % RING] = item;
		done = true;
	}
	spin_unlock(&channel->lock);
	return done;
}

static bool take_item(struct channel *channel, u64 *item)
{
	bool done = false;

	spin_lock(&channel->lock);
	if (channel->tail != channel->head) {
		*item = channel->items[channel->head++ % RING];
		done = true;
	}
	spin_unlock(&channel->lock);
	return done;
}

static void producer(void *arg)
{
	struct channel *channel = arg;
	u32 random = (u32)(u64)current;
	u64 sum = 0;

	for (u64 i = 0; i < channel->items_each; i++) {
		u64 item = next_random(&random);

		if (!put_item(channel, item))
			wait_event_full(&channel->not_full, put_item(channel, item),
					TASK_UNINTERRUPTIBLE, WQ_FLAG_EXCLUSIVE, NO_TIMEOUT);
		wake_up(&channel->not_empty);
		sum += item;
	}
	__atomic_add_fetch(&channel->produced, sum, __ATOMIC_RELAXED);
}

static void consumer(void *arg)
{
	struct channel *channel = arg;
	u64 item = 0, sum = 0;

	while ((s64)__atomic_sub_fetch(&channel->to_take, 1, __ATOMIC_RELAXED) >= 0) {
		if (!take_item(channel, &item))
			wait_event_full(&channel->not_empty, take_item(channel, &item),
					TASK_UNINTERRUPTIBLE, WQ_FLAG_EXCLUSIVE, NO_TIMEOUT);
		wake_up(&channel->not_full);
		sum += item;
	}
	__atomic_add_fetch(&channel->consumed, sum, __ATOMIC_RELAXED);
}

SELFTEST(wait_producers_consumers)
{
	static struct channel channel;
	struct crew producers, consumers;

	memset(&channel, 0, sizeof(channel));
	spin_lock_init(&channel.lock);
	wait_queue_init(&channel.not_empty);
	wait_queue_init(&channel.not_full);
	channel.items_each = ITEMS_EACH * scale;
	channel.to_take = PRODUCERS * channel.items_each;
	crew_init(&producers, producer, &channel);
	crew_init(&consumers, consumer, &channel);
	EXPECT(crew_start(&consumers, CONSUMERS, "consumer") == CONSUMERS);
	EXPECT(crew_start(&producers, PRODUCERS, "producer") == PRODUCERS);
	crew_wait(&producers, PRODUCERS);
	crew_wait(&consumers, CONSUMERS);
	EXPECT(channel.produced == channel.consumed);
	EXPECT(channel.head == channel.tail);
	EXPECT(list_empty(&channel.not_empty.entries) && list_empty(&channel.not_full.entries));
}

#define RACERS	    4
#define RACE_ROUNDS 5000

/* Sleepers whose deadline comes at about the time of the wake-up. A token that was handed over must
 * be taken by somebody, whether his deadline had passed or not. */
struct race {
	struct wait_queue wq;
	u32 tokens; /* atomic */
	u32 taken;  /* atomic */
	bool stop;
	bool early; /* somebody's deadline came before its time */
};

static bool take_token(struct race *race)
{
	u32 tokens = READ_ONCE(race->tokens);

	while (tokens)
		if (__atomic_compare_exchange_n(&race->tokens, &tokens, tokens - 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void racer(void *arg)
{
	struct race *race = arg;
	u32 random = (u32)(u64)current;

	while (!READ_ONCE(race->stop)) {
		u64 deadline = clock_ns() + next_random(&random) % (50 * NSEC_PER_USEC);
		int error = wait_event_full(&race->wq, take_token(race), TASK_INTERRUPTIBLE,
					    WQ_FLAG_EXCLUSIVE, deadline);

		if (error == 0)
			__atomic_add_fetch(&race->taken, 1, __ATOMIC_RELAXED);
		else if (error != -ETIME || clock_ns() < deadline)
			race->early = true;
	}
}

SELFTEST(wait_timeout_race)
{
	struct race race = { 0 };
	struct crew crew;
	u32 random = 1, given = 0;

	wait_queue_init(&race.wq);
	crew_init(&crew, racer, &race);
	EXPECT(crew_start(&crew, RACERS, "racer") == RACERS);
	while (given < RACE_ROUNDS * scale) {
		u64 until = clock_ns() + next_random(&random) % (30 * NSEC_PER_USEC);

		__atomic_add_fetch(&race.tokens, 1, __ATOMIC_RELEASE);
		wake_up(&race.wq);
		given++;
		while (clock_ns() < until)
			cond_resched();
		if (given % 8 == 0)
			sleep_ns(10 * NSEC_PER_USEC);
	}
	while (READ_ONCE(race.tokens))
		sleep_ns(NSEC_PER_MSEC);
	WRITE_ONCE(race.stop, true);
	crew_wait(&crew, RACERS);
	EXPECT(race.taken == given);
	EXPECT(!race.early);
}

struct herd {
	struct wait_queue wq;
	u32 waiting, woken; /* atomic */
	u32 flags;
	bool go;
};

static bool herd_may_go(struct herd *herd, bool *first)
{
	if (*first) {
		*first = false;
		__atomic_add_fetch(&herd->waiting, 1, __ATOMIC_RELEASE);
		return false;
	}
	return true; /* so each wake-up of a member ends its wait */
}

static void herd_member(void *arg)
{
	struct herd *herd = arg;
	bool first = true;

	wait_event_full(&herd->wq, herd_may_go(herd, &first), TASK_UNINTERRUPTIBLE, herd->flags,
			NO_TIMEOUT);
	__atomic_add_fetch(&herd->woken, 1, __ATOMIC_RELEASE);
}

/* wake_up() wakes all ordinary sleepers, but only one of the exclusive ones. */
SELFTEST(wait_exclusive)
{
	struct herd herd = { .flags = WQ_FLAG_EXCLUSIVE };
	struct crew crew;

	wait_queue_init(&herd.wq);
	crew_init(&crew, herd_member, &herd);
	EXPECT(crew_start(&crew, 4, "herd") == 4);
	while (READ_ONCE(herd.waiting) < 4)
		sleep_ns(NSEC_PER_MSEC);
	for (u32 expected = 1; expected <= 3; expected++) {
		wake_up(&herd.wq);
		while (READ_ONCE(herd.woken) < expected)
			sleep_ns(NSEC_PER_MSEC);
		sleep_ns(2 * NSEC_PER_MSEC);
		EXPECT(READ_ONCE(herd.woken) == expected);
	}
	wake_up_all(&herd.wq);
	crew_wait(&crew, 4);

	herd.flags = 0;
	herd.waiting = 0;
	EXPECT(crew_start(&crew, 4, "herd") == 4);
	while (READ_ONCE(herd.waiting) < 4)
		sleep_ns(NSEC_PER_MSEC);
	wake_up(&herd.wq);
	crew_wait(&crew, 4);
}

SELFTEST(wait_timeout_is_never_early)
{
	struct wait_queue wq;

	wait_queue_init(&wq);
	for (u32 i = 0; i < 200; i++) {
		u64 deadline = clock_ns() + i * 1000;

		EXPECT(wait_event_timeout(&wq, false, deadline) == -ETIME);
		EXPECT(clock_ns() >= deadline);
	}
	/* A condition that holds wins over a deadline that has passed. */
	EXPECT(wait_event_timeout(&wq, true, 0) == 0);
	EXPECT(list_empty(&wq.entries));
}

/* ---- timers ----------------------------------------------------------------------------------------- */

#define TIMERS 64

struct test_timer {
	struct timer timer;
	u64 fired_at;
	u32 order;
};

static u32 timers_fired; /* atomic */

static void test_timer_fires(struct timer *timer)
{
	struct test_timer *test = container_of(timer, struct test_timer, timer);

	test->fired_at = clock_ns();
	test->order = __atomic_add_fetch(&timers_fired, 1, __ATOMIC_RELAXED);
}

SELFTEST(timer_order)
{
	static struct test_timer timers[TIMERS];
	u64 start = clock_ns() + 5 * NSEC_PER_MSEC;

	timers_fired = 0;
	for (u32 i = 0; i < TIMERS; i++) {
		timer_init(&timers[i].timer, test_timer_fires);
		/* 0, 37, 10, 47 ...: every one of 0..63 once, out of order */
		timer_start(&timers[i].timer, start + i * 37 % TIMERS * NSEC_PER_USEC);
	}
	EXPECT(timer_cancel(&timers[5].timer));
	EXPECT(!timer_cancel(&timers[5].timer));
	while (READ_ONCE(timers_fired) < TIMERS - 1)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(timers[5].fired_at == 0);
	timers[5].fired_at = ~0ULL;
	for (u32 i = 0; i < TIMERS; i++) {
		EXPECT(!timer_pending(&timers[i].timer));
		EXPECT(timers[i].fired_at >= timers[i].timer.expires);
		for (u32 j = 0; j < TIMERS; j++)
			if (i != 5 && j != 5 && timers[i].timer.expires < timers[j].timer.expires)
				EXPECT(timers[i].order < timers[j].order);
		timers[i].fired_at = 0;
	}
}

struct timer_fight {
	struct timer timer;
	u32 fired; /* atomic */
};

static void fought_over(struct timer *timer)
{
	struct timer_fight *fight = container_of(timer, struct timer_fight, timer);

	__atomic_add_fetch(&fight->fired, 1, __ATOMIC_RELAXED);
}

static void timer_fighter(void *arg)
{
	struct timer_fight *fight = arg;
	u32 random = (u32)(u64)current;

	for (u32 i = 0; i < 5000 * scale; i++) {
		switch (next_random(&random) % 4) {
		case 0:
			timer_cancel(&fight->timer);
			break;
		case 1:
			timer_cancel_sync(&fight->timer);
			break;
		default:
			timer_start(&fight->timer,
				    clock_ns() + next_random(&random) % (20 * NSEC_PER_USEC));
		}
		cond_resched();
	}
}

/* Everybody starts and cancels one timer, on every CPU; it must survive and still work. */
SELFTEST(timer_contention)
{
	struct timer_fight fight = { 0 };
	struct crew crew;
	u32 before;

	timer_init(&fight.timer, fought_over);
	crew_init(&crew, timer_fighter, &fight);
	EXPECT(crew_start(&crew, 4, "fighter") == 4);
	crew_wait(&crew, 4);
	timer_cancel_sync(&fight.timer);
	before = fight.fired;
	timer_start(&fight.timer, clock_ns());
	while (READ_ONCE(fight.fired) == before)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(!timer_cancel_sync(&fight.timer));
	EXPECT(fight.fired == before + 1);
}

/* ---- softirqs ----------------------------------------------------------------------------------------- */

static u32 storm_left, storm_served; /* atomic */
static u64 storm_threads; /* atomic: rounds that ksoftirqd served */

/* Raises itself again and again: what a flood of packets does. */
static void storm(void)
{
	if (strncmp(current->name, "ksoftirqd", 9) == 0)
		__atomic_add_fetch(&storm_threads, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&storm_served, 1, __ATOMIC_RELAXED);
	if (__atomic_fetch_sub(&storm_left, 1, __ATOMIC_RELAXED) > 1)
		raise_softirq(NET_TX_SOFTIRQ);
}

SELFTEST(softirq_budget)
{
	open_softirq(NET_TX_SOFTIRQ, storm);
	storm_left = 1000;
	storm_served = 0;
	storm_threads = 0;
	local_bh_disable();
	raise_softirq(NET_TX_SOFTIRQ);
	EXPECT(storm_served == 0); /* not while they are disabled */
	local_bh_enable();
	while (READ_ONCE(storm_served) < 1000)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(storm_threads > 0); /* most of it was more than one budget */
	EXPECT(in_process());
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
	EXPECT(crew_start(&crew, nr_cpus, "caller") == nr_cpus);
	crew_wait(&crew, nr_cpus);
	EXPECT(!failed);
}

static u64 all_interrupts;

static void sum_interrupts(const struct irq_stats *stats)
{
	for_each_cpu(cpu)
		all_interrupts += stats->count[cpu];
}

/* Blocked means zero: with nothing to do for 300 ms there is the one interrupt that ends the sleep,
 * and what the console may still be sending; nothing periodic. */
SELFTEST(idle_without_tick)
{
	u64 before;

	sleep_ns(50 * NSEC_PER_MSEC);
	all_interrupts = 0;
	irq_stats_for_each(sum_interrupts);
	before = all_interrupts;
	sleep_ns(300 * NSEC_PER_MSEC);
	all_interrupts = 0;
	irq_stats_for_each(sum_interrupts);
	EXPECT(all_interrupts - before <= 8);
}

/* ---- mutexes -------------------------------------------------------------------------------------------- */

struct counter {
	struct mutex mutex;
	u64 value;
};

static void counting(void *arg)
{
	struct counter *counter = arg;

	for (u32 i = 0; i < 20000; i++) {
		mutex_lock(&counter->mutex);
		u64 value = counter->value;
		if (i % 64 == 0)
			yield(); /* sleep with the lock held, so that others queue up */
		counter->value = value + 1;
		mutex_unlock(&counter->mutex);
	}
}

SELFTEST(mutex_contention)
{
	struct counter counter = { 0 };
	struct crew crew;

	mutex_init(&counter.mutex);
	crew_init(&crew, counting, &counter);
	EXPECT(crew_start(&crew, 4, "counting") == 4);
	crew_wait(&crew, 4);
	EXPECT(counter.value == 4 * 20000);
}
