/*
 * hostile SEED ROUNDS: random calls with hostile arguments. Each round is a process without privileges that makes
 * CALLS_PER_ROUND of them, or dies trying. What they answer does not matter: the kernel has to live, and
 * to have its memory back afterwards. tests/sys/test_random_calls.py looks at that.
 */
#include <sys/prctl.h>
#include <tests/sys/show.h>

#define CALLS_PER_ROUND 300
#define ROUND_MS	300
#define UID		1000

static uint64_t random_state;
static char buffer[3 * 4096] __attribute__((aligned(4096)));
static long wild[32];

static uint64_t next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717UL >> 11;
}

static unsigned below(unsigned limit)
{
	return next() % limit;
}

static const char *const paths[] = {
	"a",
	"b",
	"c/d",
	"..",
	".",
	"/",
	"",
	"//a//",
	"/proc/self/fd/3",
	"/proc/self/mem",
	"/proc/self/maps",
	"/proc/self/status",
	"/proc/meminfo",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/random",
	"/dev/urandom",
	"/proc/self/exe",
	"/proc/self/task",
	"/proc/sys/kernel",
	"/proc/self/environ",
	"/tests/show_args",
};

static long evil_number(void)
{
	static const long numbers[] = {
		0,     1,	2,	 3,	  7,	   8,	     16,       100,
		255,   256,	1023,	 1024,	  4095,	   4096,     4097,     65535,
		65536, 1 << 20, 1 << 30, INT_MAX, INT_MIN, UINT_MAX, LONG_MAX, LONG_MIN,
		-1,    -2,	-8,	 -100,	  -4096,   1L << 32, 1L << 40, 1L << 47,
	};

	return numbers[below(ARRAY_SIZE(numbers))];
}

static long evil_pointer(void)
{
	static const long pointers[] = {
		0,
		1,
		16,
		4095,
		0x7ffffffff000,
		0x7fffffffffff,
		0x800000000000,
		(long)0xffff800000000000,
		(long)0xffff888000000000,
		(long)0xffffffff80000000,
		(long)0xffffffff80100000,
		-1,
		-8,
		-4096,
	};

	if (below(3) == 0)
		return pointers[below(ARRAY_SIZE(pointers))];
	return wild[below(ARRAY_SIZE(wild))] + (below(3) ? 0 : below(4096));
}

static long evil_argument(void)
{
	switch (below(6)) {
	case 0:
		return evil_number();
	case 1:
		return evil_pointer();
	case 2:
		return (long)paths[below(ARRAY_SIZE(paths))];
	case 3:
		return below(20); /* a descriptor, a signal, a small flag */
	case 4:
		return 1L << below(64);
	default:
		return below(2) ? (long)buffer + below(sizeof(buffer)) : (long)next();
	}
}

/* Some good, some with other protections, some gone, one that leads from a page into nothing. */
static void make_wild(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		char *at = mmap(NULL, 3 * PAGE, below(8),
				MAP_ANONYMOUS | (below(2) ? MAP_SHARED : MAP_PRIVATE), -1, 0);

		if (below(3) == 0)
			munmap(at + 2 * PAGE, PAGE);
		wild[i] = (long)at + (below(2) ? 2 * PAGE - below(64) : 0);
	}
	for (size_t i = 0; i < sizeof(buffer); i += 8)
		*(long *)(buffer + i) = evil_argument();
}

/* Calls that would only end the round early. */
static bool is_dull(long number)
{
	switch (number) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_pause:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigreturn:
	case SYS_rt_sigtimedwait:
	case SYS_vfork:
		return below(20) != 0;
	default:
		return false;
	}
}

static void one_call(void)
{
	long number = below(10) ? (long)below(460) : evil_number();
	long args[6];

	if (is_dull(number))
		return;
	for (int i = 0; i < 6; i++)
		args[i] = evil_argument();
	syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static const struct {
	int resource;
	rlim_t limit;
} limits[] = {
	{ RLIMIT_AS, 64 << 20 },   { RLIMIT_NPROC, 20 }, { RLIMIT_NOFILE, 64 },
	{ RLIMIT_FSIZE, 1 << 20 }, { RLIMIT_CPU, 5 },	 { RLIMIT_STACK, 1 << 20 },
};

static void hostile_process(void)
{
	int null = open("/dev/null", O_RDWR), fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		setrlimit(limits[i].resource, &(struct rlimit){ limits[i].limit, limits[i].limit });
	setsid();
	become_nobody();
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	pipe(fds);
	make_wild();
	for (int i = 0; i < CALLS_PER_ROUND; i++)
		one_call();
	_exit(0);
}

/* The round's process may have made others, and forgotten how to die. */
static void kill_all(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		MUST(setresuid(UID, UID, UID));
		kill(-1, SIGKILL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void one_round(void)
{
	struct timespec limit = { ROUND_MS / 1000, ROUND_MS % 1000 * MSEC };
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = MUST(fork());
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		hostile_process();
	}
	sigtimedwait(&child, NULL, &limit);
	kill_all();
	while (waitpid(-1, NULL, 0) > 0)
		;
	sigtimedwait(&child, NULL, &(struct timespec){ 0, 0 });
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned long round = 0; round < rounds; round++) {
		random_state = (seed * 1000003 + round) * 0x9e3779b97f4a7c15 + 1;
		one_round();
	}
	say("%lu rounds", rounds);
	return 0;
}
