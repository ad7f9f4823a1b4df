/* Resource limits, priorities, scheduling, and other calls about a process. */
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <tests/sys/test.h>

TEST(rlimits)
{
	struct rlimit limit = { 5, 4 };

	SHOW(setrlimit(RLIMIT_NOFILE, &limit));
	SHOW(getrlimit(99, &limit));
	SHOW(setrlimit(-1, &limit));
	SHOW(syscall(SYS_getrlimit, RLIMIT_NOFILE, 16));
	SHOW(syscall(SYS_setrlimit, RLIMIT_NOFILE, 16));
	for (int i = 0; i < 16; i++) {
		rlim_t lower = 1000 + i;

		MUST(getrlimit(i, &limit));
		if (limit.rlim_max > lower) {
			limit.rlim_cur = limit.rlim_max = lower;
			MUST(setrlimit(i, &limit));
			MUST(getrlimit(i, &limit));
		}
		say("%d: %ld %ld", i, (long)limit.rlim_cur, (long)limit.rlim_max);
	}
}

TEST(prlimit)
{
	struct rlimit new = { 50, 60 }, old;
	pid_t pid = MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	SHOW(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &new, &old));
	say("old %ld", (long)old.rlim_cur);
	SHOW(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &old));
	say("new %ld %ld", (long)old.rlim_cur, (long)old.rlim_max);
	SHOW(syscall(SYS_prlimit64, 99999, RLIMIT_NOFILE, NULL, &old));
	SHOW(syscall(SYS_prlimit64, 0, 99, NULL, &old));
	SHOW(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL));
	become_nobody();
	SHOW(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &old));
	new.rlim_max = 61;
	SHOW(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &new, NULL));
	kill(pid, SIGKILL);
}

TEST(cpu_limit)
{
	IN_CHILD("soft")
	{
		setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 100 });
		for (;;)
			;
	}
}

TEST(priorities)
{
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(syscall(SYS_getpriority, PRIO_PROCESS, 0));
	SHOW(setpriority(PRIO_PROCESS, 0, 10));
	SHOW(syscall(SYS_getpriority, PRIO_PROCESS, 0));
	SHOW(setpriority(PRIO_PROCESS, 0, 100));
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(setpriority(PRIO_PROCESS, 0, -100));
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(getpriority(PRIO_PGRP, 0));
	SHOW(getpriority(PRIO_USER, 0));
	SHOW(getpriority(9, 0));
	SHOW(getpriority(PRIO_PROCESS, 99999));
	SHOW(setpriority(PRIO_PROCESS, 99999, 0));
	SHOW(setpriority(9, 0, 0));
	SHOW(setpriority(PRIO_PROCESS, 0, 0));
	become_nobody();
	SHOW(setpriority(PRIO_PROCESS, 0, 5));
	SHOW(setpriority(PRIO_PROCESS, 0, 3));
	SHOW(setpriority(PRIO_PROCESS, 1, 3));
}

TEST(scheduling)
{
	struct sched_param param = { .sched_priority = 0 };
	struct timespec interval;

	SHOW(syscall(SYS_sched_yield));
	SHOW(syscall(SYS_sched_getscheduler, 0));
	SHOW(syscall(SYS_sched_setscheduler, 0, 0, &param));
	param.sched_priority = 5;
	SHOW(syscall(SYS_sched_setscheduler, 0, 0, &param));
	SHOW(syscall(SYS_sched_setparam, 0, &param));
	SHOW(syscall(SYS_sched_getparam, 0, &param));
	say("priority %d", param.sched_priority);
	SHOW(syscall(SYS_sched_get_priority_max, 0));
	SHOW(syscall(SYS_sched_get_priority_min, 0));
	SHOW(syscall(SYS_sched_get_priority_max, 1));
	SHOW(syscall(SYS_sched_get_priority_min, 1));
	SHOW(syscall(SYS_sched_get_priority_max, 99));
	SHOW(syscall(SYS_sched_getscheduler, 99999));
	SHOW(syscall(SYS_sched_getscheduler, -1));
	SHOW(syscall(SYS_sched_getparam, 0, NULL));
	SHOW(syscall(SYS_sched_rr_get_interval, 0, &interval));
	SHOW(syscall(SYS_sched_rr_get_interval, -1, &interval));
}

TEST(affinity)
{
	unsigned long mask[16] = { 0 };
	long size = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);

	say("a mask: %s", yes_no(size > 0 && size % 8 == 0 && (mask[0] & 1)));
	SHOW(syscall(SYS_sched_getaffinity, 0, 7, mask));
	SHOW(syscall(SYS_sched_getaffinity, 0, 0, mask));
	SHOW(syscall(SYS_sched_getaffinity, 99999, sizeof(mask), mask));
	mask[0] = 1;
	SHOW(syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	memset(mask, 0, sizeof(mask));
	syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	say("%lx", mask[0]);
	IN_CHILD("child")
	{
		unsigned cpu = 9;

		SHOW(syscall(SYS_getcpu, &cpu, NULL, NULL));
		say("on cpu %u", cpu);
	}
	mask[0] = 0;
	SHOW(syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	SHOW(syscall(SYS_sched_setaffinity, 0, 8, 16));
}

TEST(uname)
{
	struct utsname name;

	SHOW(uname(&name));
	say("%s %s", name.sysname, name.machine);
	SHOW(syscall(SYS_uname, 16));
	SHOW(sethostname("a-host", 6));
	MUST(uname(&name));
	say("%s", name.nodename);
	SHOW(sethostname("x", -1));
	SHOW(sethostname("x", 65));
	SHOW(sethostname((char *)16, 3));
	SHOW(setdomainname("dom", 3));
	MUST(uname(&name));
	say("%s", name.domainname);
}

TEST(getrandom)
{
	unsigned char one[300] = { 0 }, two[300] = { 0 };
	int zeros = 0;

	SHOW(syscall(SYS_getrandom, one, sizeof(one), 0));
	SHOW(syscall(SYS_getrandom, two, sizeof(two), 0));
	for (size_t i = 0; i < sizeof(one); i++)
		zeros += one[i] == 0;
	say("two differ: %s, few zeros: %s", yes_no(memcmp(one, two, sizeof(one)) != 0),
	    yes_no(zeros < 30));
	SHOW(syscall(SYS_getrandom, one, 0, 0));
	SHOW(syscall(SYS_getrandom, one, 10, 1));
	SHOW(syscall(SYS_getrandom, one, 10, 2));
	SHOW(syscall(SYS_getrandom, one, 10, 6));
	SHOW(syscall(SYS_getrandom, one, 10, 99));
	SHOW(syscall(SYS_getrandom, 16, 10, 0));
}

TEST(prctl)
{
	char name[16];
	int value = 9;

	SHOW(prctl(PR_GET_DUMPABLE));
	SHOW(prctl(PR_SET_DUMPABLE, 0));
	SHOW(prctl(PR_GET_DUMPABLE));
	SHOW(prctl(PR_SET_DUMPABLE, 7));
	SHOW(prctl(PR_SET_NAME, "short"));
	SHOW(prctl(PR_GET_NAME, name));
	say("%s", name);
	say("comm: %s", get_file("/proc/self/comm"));
	SHOW(prctl(PR_SET_NAME, 16));
	SHOW(prctl(PR_SET_PDEATHSIG, 99));
	SHOW(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	SHOW(prctl(PR_GET_PDEATHSIG, &value));
	say("%d", value);
	SHOW(prctl(PR_GET_TIMERSLACK) > 0);
	SHOW(prctl(99999));
	SHOW(prctl(PR_GET_KEEPCAPS));
}

TEST(others)
{
	SHOW(syscall(SYS_personality, 0xffffffff));
	SHOW(syscall(SYS_set_tid_address, NULL) == getpid());
	SHOW(syscall(SYS_membarrier, 0, 0, 0) >= 0);
	SHOW(syscall(SYS_getcpu, NULL, NULL, NULL));
	SHOW(syscall(SYS_syslog, 99, NULL, 0));
	SHOW(syscall(SYS_syslog, 3, NULL, 10));
	SHOW(syscall(5000));
	SHOW(syscall(-1));
	SHOW(syscall(1L << 40, -1, NULL, 0));
}
