/*
 * Self-tests of wait queues and mutexes. They look for lost wake-ups: a test that loses one never ends,
 * and the harness reports the hang.
 */
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mutex.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>
#include <kernel/wait.h>

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
	u64 items_each;		/* how many each producer makes */
	u64 to_take;		/* atomic: how many consumers have not claimed yet */
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
	channel.items_each = ITEMS_EACH * selftest_scale;
	channel.to_take = PRODUCERS * channel.items_each;
	crew_init(&producers, producer, &channel);
	crew_init(&consumers, consumer, &channel);
	crew_start(&consumers, CONSUMERS, "consumer");
	crew_start(&producers, PRODUCERS, "producer");
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
	crew_start(&crew, RACERS, "racer");
	while (given < RACE_ROUNDS * selftest_scale) {
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
	crew_start(&crew, 4, "herd");
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
	crew_start(&crew, 4, "herd");
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

/* ---- mutexes -------------------------------------------------------------------------------------------- */

#define COUNTS 500

struct counter {
	struct mutex mutex;
	u64 value;
};

static void counting(void *arg)
{
	struct counter *counter = arg;

	for (u32 i = 0; i < COUNTS; i++) {
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
	crew_start(&crew, 4, "counting");
	crew_wait(&crew, 4);
	EXPECT(counter.value == 4 * COUNTS);
}
