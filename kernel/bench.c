/* What the kernel's own operations cost: see kernel/bench.h. Runs on one CPU, in the first thread. */
#include <kernel/bench.h>
#include <kernel/cmdline.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/mm/slab.h>
#include <kernel/mutex.h>
#include <kernel/printk.h>
#include <kernel/timer.h>
#include <kernel/wait.h>

#define OPERATIONS   1000
#define TRIES	     5 /* the quickest counts: an interrupt may have come in */
#define BURST	     256
#define OTHER_TIMERS 1000
#define VECTOR_BENCH (VECTOR_CALL + 1)

bool bench_wanted;

static bool parse_bench(const char *value)
{
	bench_wanted = true;
	return true;
}
BOOT_OPTION(bench, "bench", "measure the kernel's operations and end", parse_bench);

/* ---- locks, clock, memory -------------------------------------------------------------------- */

BENCH(clock_ns, 1, "read the clock")
{
	for (u32 i = 0; i < rounds; i++)
		bench_keep(clock_ns());
}

static DEFINE_SPINLOCK(process_lock);
static DEFINE_SPINLOCK(softirq_lock);
static DEFINE_SPINLOCK(hardirq_lock);

BENCH(spin_lock, 1, "take and release it")
{
	for (u32 i = 0; i < rounds; i++) {
		spin_lock(&process_lock);
		spin_unlock(&process_lock);
	}
}

BENCH(spin_lock_bh, 1, "the same, softirqs disabled")
{
	for (u32 i = 0; i < rounds; i++) {
		spin_lock_bh(&softirq_lock);
		spin_unlock_bh(&softirq_lock);
	}
}

BENCH(spin_lock_irqsave, 1, "the same, interrupts disabled")
{
	for (u32 i = 0; i < rounds; i++) {
		u64 flags = spin_lock_irqsave(&hardirq_lock);

		spin_unlock_irqrestore(&hardirq_lock, flags);
	}
}

BENCH(mutex, 1, "take and release it, nobody else wants it")
{
	struct mutex mutex;

	mutex_init(&mutex);
	for (u32 i = 0; i < rounds; i++) {
		mutex_lock(&mutex);
		mutex_unlock(&mutex);
	}
}

#define BENCH_KMALLOC(size)                                              \
	BENCH(kmalloc_##size, 1, "kmalloc and kfree of " #size " bytes") \
	{                                                                \
		for (u32 i = 0; i < rounds; i++)                         \
			kfree(kmalloc(size, GFP_KERNEL));                \
	}

BENCH_KMALLOC(16)
BENCH_KMALLOC(64)
BENCH_KMALLOC(256)
BENCH_KMALLOC(2048)
BENCH_KMALLOC(8192)
BENCH_KMALLOC(65536)

BENCH(kmalloc_64_burst, BURST, "the same for 64 bytes, 256 of them at a time")
{
	static void *objects[BURST];

	for (u32 i = 0; i < rounds; i++) {
		for (u32 n = 0; n < BURST; n++)
			objects[n] = kmalloc(64, GFP_KERNEL);
		for (u32 n = 0; n < BURST; n++)
			kfree(objects[n]);
	}
}

static void bench_pages(u32 order, u32 rounds)
{
	for (u32 i = 0; i < rounds; i++) {
		struct page *page = alloc_pages(order, GFP_KERNEL);

		if (page)
			free_pages(page, order);
	}
}

BENCH(alloc_page, 1, "alloc_page and free_page")
{
	bench_pages(0, rounds);
}

BENCH(alloc_pages_8, 1, "8 contiguous pages, and back")
{
	bench_pages(3, rounds);
}

BENCH(alloc_page_burst, BURST, "alloc_page and free_page, 256 pages at a time")
{
	static struct page *pages[BURST];

	for (u32 i = 0; i < rounds; i++) {
		for (u32 n = 0; n < BURST; n++)
			pages[n] = alloc_page(GFP_KERNEL);
		for (u32 n = 0; n < BURST; n++)
			if (pages[n])
				free_page(pages[n]);
	}
}

/* ---- timers ------------------------------------------------------------------------------------ */

static void timer_does_nothing(struct timer *timer)
{
}

BENCH(timer, 1, "timer_start and timer_cancel, no other timer pending")
{
	struct timer timer;

	timer_init(&timer, timer_does_nothing);
	for (u32 i = 0; i < rounds; i++) {
		timer_start(&timer, clock_ns() + NSEC_PER_SEC);
		timer_cancel(&timer);
	}
}

BENCH(timer_restart, 1, "move a pending timer behind 1000 others")
{
	static struct timer timers[OTHER_TIMERS + 1];
	struct timer *timer = &timers[OTHER_TIMERS];

	for (u32 n = 0; n <= OTHER_TIMERS; n++) {
		timer_init(&timers[n], timer_does_nothing);
		timer_start(&timers[n], clock_ns() + NSEC_PER_SEC * 60);
	}
	for (u32 i = 0; i < rounds; i++)
		timer_start(timer, clock_ns() + NSEC_PER_SEC * 60);
	for (u32 n = 0; n <= OTHER_TIMERS; n++)
		timer_cancel(&timers[n]);
}

/* ---- interrupts -------------------------------------------------------------------------------- */

static u64 handled_at;

static void note_interrupt(void *arg)
{
	handled_at = rdtsc();
}

static inline void interrupt_self(void)
{
	__asm__ volatile("int %0" : : "i"(VECTOR_BENCH) : "memory");
}

BENCH_SPAN(interrupt_to_handler, "from the interrupt to the first instruction of its handler")
{
	u64 start = rdtsc();

	interrupt_self();
	return handled_at - start;
}

BENCH(interrupt, 1, "an interrupt, there and back")
{
	for (u32 i = 0; i < rounds; i++)
		interrupt_self();
}

/* ---- threads ----------------------------------------------------------------------------------- */

static struct {
	struct completion ping, pong;
	bool stop;
	u64 ran_at;
} partner;

/* All benchmarks of threads have one partner at most; it completes `pong` last of all. */
static void start_partner(void (*entry)(void *arg), void *arg)
{
	init_completion(&partner.ping);
	init_completion(&partner.pong);
	partner.stop = false;
	if (!kthread_run(entry, arg, "bench"))
		complete(&partner.pong);
}

static void partner_yields(void *arg)
{
	while (!READ_ONCE(partner.stop))
		yield();
	complete(&partner.pong);
}

BENCH(context_switch, 2, "yield to another thread")
{
	start_partner(partner_yields, NULL);
	for (u32 i = 0; i < rounds; i++)
		yield();
	WRITE_ONCE(partner.stop, true);
	wait_for_completion(&partner.pong);
}

static void partner_answers(void *arg)
{
	for (u64 rounds = (u64)arg; rounds; rounds--) {
		wait_for_completion(&partner.ping);
		complete(&partner.pong);
	}
}

BENCH(wake_and_sleep, 2, "wake a thread, fall asleep, be switched away from")
{
	start_partner(partner_answers, (void *)(u64)rounds);
	for (u32 i = 0; i < rounds; i++) {
		complete(&partner.ping);
		wait_for_completion(&partner.pong);
	}
}

static void partner_notes_time(void *arg)
{
	wait_for_completion(&partner.ping);
	partner.ran_at = rdtsc();
	complete(&partner.pong);
}

BENCH_SPAN(wake_up_to_run,
	   "from waking a thread to its return from the wait, the waker then sleeps")
{
	u64 start;

	start_partner(partner_notes_time, NULL);
	sleep_ns(NSEC_PER_MSEC); /* now it waits */
	start = rdtsc();
	complete(&partner.ping);
	wait_for_completion(&partner.pong);
	return partner.ran_at - start;
}

BENCH_SPAN(timer_to_run, "from a timer's expiry on an idle CPU to the thread that slept for it")
{
	u64 deadline = clock_ns() + 100 * NSEC_PER_USEC;

	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(deadline);
	return rdtsc() - clock_ns_to_tsc(deadline);
}

static void partner_ends(void *arg)
{
	complete(&partner.pong);
}

BENCH(kthread, 1, "start a thread, let it run, wait until it has ended")
{
	for (u32 i = 0; i < rounds; i++) {
		start_partner(partner_ends, NULL);
		wait_for_completion(&partner.pong);
	}
}

BENCH(wake_up_nobody, 1, "wake_up of a queue on which nobody waits")
{
	struct wait_queue nobody;

	wait_queue_init(&nobody);
	for (u32 i = 0; i < rounds; i++)
		wake_up(&nobody);
}

/* ---- running them ------------------------------------------------------------------------------ */

static void empty_loop(u32 rounds)
{
	for (u32 i = 0; i < rounds; i++)
		barrier();
}

static u64 empty_span(void)
{
	u64 start = rdtsc();

	return rdtsc() - start;
}

static u64 time_of(const struct bench *bench, u32 rounds)
{
	u64 start = rdtsc();

	if (bench->span)
		return bench->span();
	bench->loop(rounds);
	return rdtsc() - start;
}

static u64 quickest(const struct bench *bench, u32 rounds)
{
	u64 best = time_of(bench, rounds);

	for (u32 i = 1; i < TRIES; i++)
		best = min(best, time_of(bench, rounds));
	return best;
}

/* Tenths of ticks that a round takes, or a span. */
static s64 measure(const struct bench *bench)
{
	u32 rounds = DIV_ROUND_UP(OPERATIONS, bench->per_round);

	if (bench->span)
		return quickest(bench, 1) * 10;
	return (quickest(bench, 2 * rounds) - quickest(bench, rounds)) * 10 / rounds;
}

extern const struct bench benches_start[], benches_end[];

void bench_run(void)
{
	s64 loop_cost = measure(&(struct bench){ .per_round = 1, .loop = empty_loop });
	s64 span_cost = measure(&(struct bench){ .per_round = 1, .span = empty_span });

	irq_set_local(VECTOR_BENCH, "bench", note_interrupt);
	for (const struct bench *bench = benches_start; bench < benches_end; bench++) {
		s64 cost = measure(bench) - (bench->span ? span_cost : loop_cost);
		u64 tenths = max(cost, 0) / bench->per_round;

		printk("bench: %s %llu.%llu ticks %s: %s\n", bench->name, tenths / 10, tenths % 10,
		       bench->span ? "once" : "each", bench->what);
	}
}
