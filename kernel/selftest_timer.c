/* Self-tests of timers. */
#include <kernel/cpu/tsc.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>
#include <kernel/timer.h>

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
	local_bh_disable(); /* none fires before all are there, however long that takes */
	for (u32 i = 0; i < TIMERS; i++) {
		timer_init(&timers[i].timer, test_timer_fires);
		/* 0, 37, 10, 47 ...: every one of 0..63 once, out of order */
		timer_start(&timers[i].timer, start + i * 37 % TIMERS * NSEC_PER_USEC);
	}
	EXPECT(timer_cancel(&timers[5].timer));
	EXPECT(!timer_cancel(&timers[5].timer));
	local_bh_enable();
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

#define MODEL_TIMERS 512

/* A timer, and what must be so of it. Some deadlines are equal: then the order of starting counts. */
struct modelled_timer {
	struct timer timer;
	bool pending;
	u64 started; /* the how manieth start this was */
};

static struct modelled_timer modelled_timers[MODEL_TIMERS], *last_fired;
static u32 nr_modelled_fired, nr_fired_wrongly;

static void modelled_timer_fires(struct timer *timer)
{
	struct modelled_timer *this = container_of(timer, struct modelled_timer, timer);
	struct modelled_timer *last = last_fired;

	if (!this->pending || timer->expires > clock_ns() ||
	    (last && (last->timer.expires > timer->expires ||
		      (last->timer.expires == timer->expires && last->started > this->started))))
		nr_fired_wrongly++;
	this->pending = false;
	last_fired = this;
	nr_modelled_fired++;
}

/* Start, restart and cancel at random, most for a minute hence, some for a moment that has passed; then
 * let those fire. What a round leaves pending is sorted then, so the next one meets both kinds. Nothing
 * here sleeps: it is all one CPU's. */
SELFTEST(timer_model)
{
	u64 now = clock_ns(), starts = 0;
	u32 random = 1;

	nr_fired_wrongly = 0;
	for (u32 i = 0; i < MODEL_TIMERS; i++)
		timer_init(&modelled_timers[i].timer, modelled_timer_fires);
	for (u32 round = 0; round < 20 * selftest_scale; round++) {
		u32 nr_due = 0;

		local_bh_disable();
		for (u32 i = 0; i < 2 * MODEL_TIMERS; i++) {
			struct modelled_timer *this =
				&modelled_timers[next_random(&random) % MODEL_TIMERS];
			u32 action = next_random(&random) % 8;

			if (action < 3) {
				EXPECT(timer_cancel(&this->timer) == this->pending);
				this->pending = false;
			} else {
				u64 expires = now - next_random(&random) % 16;

				if (action > 3)
					expires += 60 * NSEC_PER_SEC;
				EXPECT(timer_start(&this->timer, expires) == this->pending);
				this->pending = true;
				this->started = ++starts;
			}
		}
		for (u32 i = 0; i < MODEL_TIMERS; i++)
			nr_due += modelled_timers[i].pending &&
				  modelled_timers[i].timer.expires <= now;
		last_fired = NULL;
		nr_modelled_fired = 0;
		local_bh_enable();
		while (READ_ONCE(nr_modelled_fired) < nr_due)
			cpu_relax();
		EXPECT(nr_modelled_fired == nr_due && !nr_fired_wrongly);
	}
	for (u32 i = 0; i < MODEL_TIMERS; i++)
		EXPECT(timer_cancel_sync(&modelled_timers[i].timer) == modelled_timers[i].pending);
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

	for (u32 i = 0; i < 5000 * selftest_scale; i++) {
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
	crew_start(&crew, 4, "fighter");
	crew_wait(&crew, 4);
	timer_cancel_sync(&fight.timer);
	before = fight.fired;
	timer_start(&fight.timer, clock_ns());
	while (READ_ONCE(fight.fired) == before)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(!timer_cancel_sync(&fight.timer));
	EXPECT(fight.fired == before + 1);
}
