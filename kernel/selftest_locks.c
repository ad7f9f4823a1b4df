/* Self-tests of locks, their checker, and symbol names. */
#include <kernel/context.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/smp.h>
#include <kernel/ksyms.h>
#include <kernel/lib/string.h>
#include <kernel/mm/layout.h>
#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/selftest.h>
#include <kernel/spinlock.h>

SELFTEST(ksyms_names_functions)
{
	char text[64];
	u64 offset = 1;

	EXPECT(!strcmp(ksym_lookup((u64)printk, &offset), "printk") && offset == 0);
	EXPECT(!strcmp(ksym_lookup((u64)printk + 3, &offset), "printk") && offset == 3);
	EXPECT(!ksym_lookup((u64)text, &offset));
	EXPECT(!ksym_lookup(0, &offset) && !ksym_lookup(~0ULL, &offset));
	EXPECT(!strncmp(ksym_format((u64)printk + 4, text, sizeof(text)), "printk+0x4/0x", 13));
	EXPECT(!strcmp(ksym_format(0x1234, text, sizeof(text)), "0x0000000000001234"));
}

SELFTEST(printk_keeps_lines)
{
	static char line[256];
	u64 position = 0;
	bool first = false, second = false;

	printk(KERN_DEBUG "selftest: one\ntwo\n");
	while (printk_read(&position, line, sizeof(line))) {
		first = strstr(line, "] selftest: one\n") && !strncmp(line, "<7>[", 4);
		if (first)
			break;
	}
	EXPECT(first);
	second = printk_read(&position, line, sizeof(line)) && strstr(line, "] two\n");
	EXPECT(second);
}

static DEFINE_MUTEX(mutex);

SELFTEST(mutex_basics)
{
	mutex_lock(&mutex);
	EXPECT(mutex_is_locked(&mutex));
	EXPECT(!mutex_trylock(&mutex));
	mutex_unlock(&mutex);
	EXPECT(!mutex_is_locked(&mutex));
	EXPECT(mutex_lock_interruptible(&mutex) == 0);
	mutex_unlock(&mutex);
	EXPECT(mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}

#if CONFIG_DEBUG

static u32 complaints;

static void count_complaint(const char *complaint)
{
	complaints++;
}

/* How many complaints does `provoke` cause? */
static u32 count_complaints(void (*provoke)(void))
{
	complaints = 0;
	lockdep_set_report_hook(count_complaint);
	provoke();
	lockdep_set_report_hook(NULL);
	return complaints;
}

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_SPINLOCK(lock_c);

static void take_both(spinlock_t *outer, spinlock_t *inner)
{
	spin_lock(outer);
	spin_lock(inner);
	spin_unlock(outer); /* not the last one taken: allowed */
	spin_unlock(inner);
}

static void a_then_b_then_c(void)
{
	take_both(&lock_a, &lock_b);
	take_both(&lock_b, &lock_c);
}

static void c_then_a(void)
{
	take_both(&lock_c, &lock_a);
}

SELFTEST(lockdep_finds_inversion)
{
	EXPECT(count_complaints(a_then_b_then_c) == 0);
	EXPECT(count_complaints(c_then_a) == 1);
	EXPECT(count_complaints(a_then_b_then_c) == 0);
}

static void c_then_try_a(void)
{
	spin_lock(&lock_c);
	if (spin_trylock(&lock_a))
		spin_unlock(&lock_a);
	spin_unlock(&lock_c);
}

SELFTEST(lockdep_allows_trylock)
{
	EXPECT(count_complaints(a_then_b_then_c) == 0);
	EXPECT(count_complaints(c_then_try_a) == 0);
}

static struct spinlock twins[2];

static void take_twins(void)
{
	spin_lock(&twins[0]);
	spin_lock_nested(&twins[1]);
	spin_unlock(&twins[1]);
	spin_unlock(&twins[0]);
}

static void take_twins_unmarked(void)
{
	take_both(&twins[0], &twins[1]);
}

SELFTEST(lockdep_finds_same_class)
{
	for (u32 i = 0; i < ARRAY_SIZE(twins); i++)
		spin_lock_init(&twins[i]);
	EXPECT(count_complaints(take_twins) == 0);
	EXPECT(count_complaints(take_twins_unmarked) == 1);
}

static DEFINE_SPINLOCK(irq_lock);

static void take_in_hardirq(void)
{
	u64 flags = irq_save();

	this_cpu(context_count) += HARDIRQ;
	spin_lock(&irq_lock);
	spin_unlock(&irq_lock);
	this_cpu(context_count) -= HARDIRQ;
	irq_restore(flags);
}

static void take_with_irqs_on(void)
{
	spin_lock(&irq_lock);
	spin_unlock(&irq_lock);
}

static void take_with_irqs_off(void)
{
	u64 flags = spin_lock_irqsave(&irq_lock);

	spin_unlock_irqrestore(&irq_lock, flags);
}

SELFTEST(lockdep_finds_irq_unsafe)
{
	EXPECT(count_complaints(take_in_hardirq) == 0);
	EXPECT(count_complaints(take_with_irqs_off) == 0);
	EXPECT(count_complaints(take_with_irqs_on) >= 1);
}

static DEFINE_SPINLOCK(bh_lock);

static void take_in_softirq(void)
{
	this_cpu(context_count) += SOFTIRQ_SERVING;
	spin_lock(&bh_lock);
	spin_unlock(&bh_lock);
	this_cpu(context_count) -= SOFTIRQ_SERVING;
}

static void take_with_softirqs_off(void)
{
	spin_lock_bh(&bh_lock);
	spin_unlock_bh(&bh_lock);
}

static void take_with_softirqs_on(void)
{
	spin_lock(&bh_lock);
	spin_unlock(&bh_lock);
}

SELFTEST(lockdep_finds_softirq_unsafe)
{
	EXPECT(count_complaints(take_in_softirq) == 0);
	EXPECT(count_complaints(take_with_softirqs_off) == 0);
	EXPECT(count_complaints(take_with_softirqs_on) == 1);
}

static DEFINE_MUTEX(misused);

static void mutex_under_spinlock(void)
{
	spin_lock(&lock_a);
	mutex_lock(&misused);
	mutex_unlock(&misused);
	spin_unlock(&lock_a);
}

static void mutex_with_softirqs_off(void)
{
	local_bh_disable();
	if (mutex_trylock(&misused))
		mutex_unlock(&misused);
	local_bh_enable();
}

static void sleep_under_spinlock(void)
{
	spin_lock(&lock_a);
	might_sleep();
	spin_unlock(&lock_a);
}

static void release_what_is_not_held(void)
{
	lock_release(lock_a.class);
}

static void assert_what_is_not_held(void)
{
	mutex_assert_held(&misused);
}

static void assert_what_is_held(void)
{
	mutex_lock(&misused);
	mutex_assert_held(&misused);
	mutex_unlock(&misused);
}

SELFTEST(lockdep_finds_misuse)
{
	EXPECT(count_complaints(mutex_under_spinlock) == 1);
	EXPECT(count_complaints(mutex_with_softirqs_off) == 1);
	EXPECT(count_complaints(sleep_under_spinlock) == 1);
	EXPECT(count_complaints(release_what_is_not_held) == 1);
	EXPECT(count_complaints(assert_what_is_not_held) == 1);
	EXPECT(count_complaints(assert_what_is_held) == 0);
}

/* Shows both stacks. For tests/boot to look at, as those below. */
SELFTEST_BY_NAME(lockdep_panics)
{
	a_then_b_then_c();
	c_then_a();
}

/* Nobody will release it. */
SELFTEST_BY_NAME(stuck_spinlock_panics)
{
	spin_lock_raw(&lock_a);
	spin_lock_raw(&lock_a);
}

#endif /* CONFIG_DEBUG */

/* ---- ends in a panic, for tests/boot to look at ------------------------------------------------ */

static void panic_here(void *arg)
{
	panic("on CPU %u", smp_processor_id());
}

/* All CPUs at once: one of them is heard. */
SELFTEST_BY_NAME(everyone_panics)
{
	smp_call_others(panic_here, NULL);
	panic_here(NULL);
}

/* The chain of frames leads to where there is nothing. */
SELFTEST_BY_NAME(corrupt_stack_panics)
{
	*(volatile u64 *)current_frame() = VMALLOC_END - sizeof(u64);
	panic("with a corrupt stack");
}

/* An exception while the panic's own message is made. */
SELFTEST_BY_NAME(bad_message_panics)
{
	panic("with a message that is not there: %s", (const char *)VMALLOC_END);
}
