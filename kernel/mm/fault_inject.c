/*
 * The fault injector's decisions. Any context that allocates, on any CPU: the state is a few atomic
 * words, and which allocation of several CPUs counts as the Nth is theirs to race for.
 */
#include <kernel/mm/fault_inject.h>

#include <kernel/cmdline.h>
#include <kernel/lib/string.h>

#define SEED 0x9e3779b97f4a7c15ULL

bool fault_inject_active;

static s64 countdown;	 /* the allocation that brings it from 1 to 0 fails */
static u64 one_in;	 /* 0: off */
static u64 random_state; /* read and written without a lock: a lost step is as random as any */
static u64 failed;

static struct {
	u64 nth, every; /* as the command line has them, for fault_inject_arm() */
} boot_options;

/* The xorshift generator with shifts 13, 7, 17: short, and never 0. */
static u64 next_random(void)
{
	u64 x = READ_ONCE(random_state);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	WRITE_ONCE(random_state, x);
	return x;
}

bool fault_inject_decide(void)
{
	u64 every = READ_ONCE(one_in);
	bool fail = READ_ONCE(countdown) > 0 &&
		    __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) == 0;

	if (every && next_random() % every == 0)
		fail = true;
	if (fail)
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	return fail;
}

static void update_active(void)
{
	fault_inject_active = countdown > 0 || one_in;
}

void fault_inject_nth(u64 nth)
{
	countdown = (s64)nth;
	update_active();
}

void fault_inject_every(u64 every)
{
	random_state = SEED;
	one_in = every;
	update_active();
}

u64 fault_inject_rate(void)
{
	return READ_ONCE(one_in);
}

u64 fault_inject_count(void)
{
	return READ_ONCE(failed);
}

void fault_inject_arm(void)
{
	fault_inject_nth(boot_options.nth);
	fault_inject_every(boot_options.every);
}

static bool parse_nth(const char *value)
{
	return parse_u64(value, NULL, &boot_options.nth) == 0;
}
BOOT_OPTION(fail_nth, "fail-nth", "N: the Nth allocation after boot fails", parse_nth);

static bool parse_every(const char *value)
{
	return parse_u64(value, NULL, &boot_options.every) == 0;
}
BOOT_OPTION(fail_every, "fail-every", "N: one allocation in N fails, at random", parse_every);
