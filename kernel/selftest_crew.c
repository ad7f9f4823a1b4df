/* Threads for self-tests: see kernel/selftest_crew.h. */
#include <kernel/cmdline.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/panic.h>
#include <kernel/selftest_crew.h>

u64 selftest_scale = 1;

static bool parse_scale(const char *value)
{
	return parse_u64(value, NULL, &selftest_scale) == 0 && selftest_scale > 0;
}
BOOT_OPTION(selftest_scale, "selftest-scale", "multiply the rounds of the stress tests",
	    parse_scale);

static void crew_member(void *arg)
{
	struct crew *crew = arg;

	crew->work(crew->arg);
	complete(&crew->done);
}

void crew_init(struct crew *crew, void (*work)(void *arg), void *arg)
{
	*crew = (struct crew){ .work = work, .arg = arg };
	init_completion(&crew->done);
}

/* Half a crew would wait for the other half for ever. So after a failure that was injected it is tried again, unless
 * all of them fail. */
static void need_memory(void)
{
	if (!fault_inject_active || fault_inject_rate() == 1)
		panic("self-test: no memory for a thread");
}

void crew_start(struct crew *crew, u32 count, const char *name)
{
	for (u32 i = 0; i < count; i++)
		while (!kthread_run(crew_member, crew, "%s/%u", name, i))
			need_memory();
}

void crew_start_on(struct crew *crew, u32 cpu, const char *name)
{
	while (!kthread_run_on(cpu, crew_member, crew, "%s", name))
		need_memory();
}

void crew_wait(struct crew *crew, u32 count)
{
	while (count--)
		wait_for_completion(&crew->done);
}
