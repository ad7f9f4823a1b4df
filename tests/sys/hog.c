/*
 * hog WHAT: takes all there is of one thing, and says how it was stopped. Only under Pollux: no host
 * would thank us. tests/sys/test_hog.py runs them, and looks whether the machine lives and has all of it back.
 */
#include <sys/eventfd.h>
#include <tests/sys/show.h>

#define RW (PROT_READ | PROT_WRITE)

static void lift(int resource, rlim_t limit)
{
	MUST(setrlimit(resource, &(struct rlimit){ limit, limit }));
}

/* Until it is refused, or somebody is killed for it. */
static void memory(void)
{
	for (;;) {
		char *at = mmap(NULL, 1 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			break;
		memset(at, 1, 1 << 20);
	}
	say("refused: %s", errno_text(errno));
}

static void shared_memory(void)
{
	size_t size = 4UL << 30;
	char *at = mmap(NULL, size, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (size_t i = 0; at != MAP_FAILED && i < size; i += PAGE)
		at[i] = 1;
	say("refused: %s", errno_text(errno));
}

static void file(void)
{
	static char block[1 << 16];
	int fd = MUST(open("file", O_CREAT | O_WRONLY, 0644));

	while (write(fd, block, sizeof(block)) > 0)
		;
	unlink("file");
	close(fd);
	say("refused: %s", errno_text(errno));
}

static void pipes(void)
{
	static char block[1 << 16];
	int fds[2];

	lift(RLIMIT_NOFILE, 1 << 20);
	for (;;) {
		if (pipe2(fds, O_NONBLOCK) || write(fds[1], block, sizeof(block)) <= 0)
			break;
	}
	say("refused: %s", errno_text(errno));
}

/* Every other page, so that no two can become one. */
static void mappings(void)
{
	char *at = mmap(NULL, 1UL << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			0);
	long count = 0;

	while (count < 1 << 19 && mprotect(at + count * 2 * PAGE, PAGE, PROT_READ) == 0)
		count++;
	say("many: %s, then %s", yes_no(count > 10000), errno_text(errno));
}

static void descriptors(void)
{
	int highest = 0, fd;

	lift(RLIMIT_NOFILE, 1 << 20);
	while ((fd = dup(0)) >= 0)
		highest = fd;
	say("highest %d, then %s", highest, errno_text(errno));
	say("closing: %ld", syscall(SYS_close_range, 3, ~0U, 0));
	highest = 0;
	while (highest < 100000 && (fd = eventfd(0, 0)) >= 0)
		highest = fd;
	say("%s", yes_no(highest > 1000));
}

static void directories(void)
{
	int depth = 0;

	while (depth < 20000 && mkdir("d", 0755) == 0 && chdir("d") == 0)
		depth++;
	say("%d deep", depth);
	while (depth > 0 && chdir("..") == 0 && rmdir("d") == 0)
		depth--;
	say("%d left", depth);
}

static void names(void)
{
	char name[32];
	int count = 0;

	for (; count < 50000; count++) {
		snprintf(name, sizeof(name), "file-%d", count);
		if (mknod(name, S_IFREG | 0644, 0))
			break;
	}
	say("%d names", count);
	while (count-- > 0) {
		snprintf(name, sizeof(name), "file-%d", count);
		MUST(unlink(name));
	}
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int count = 0;

	lift(RLIMIT_NPROC, RLIM_INFINITY);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	while (count < 40000 && pthread_create(&thread, &attr, sleep_for_ever, NULL) == 0)
		count++;
	say("many: %s", yes_no(count > 1000));
}

static void bomb(void)
{
	for (;;)
		if (fork() < 0)
			sleep_ms(100);
}

/* Leaves its offspring to whoever comes after it. */
static void forks(rlim_t limit)
{
	lift(RLIMIT_NPROC, limit);
	if (MUST(fork()) == 0) {
		MUST(setresuid(1000, 1000, 1000));
		bomb();
	}
	sleep_ms(500);
	say("alive");
}

static void limited_forks(void)
{
	forks(50);
}

static void unlimited_forks(void)
{
	forks(RLIM_INFINITY);
}

static void signals(void)
{
	union sigval value = { 0 };
	sigset_t all;
	int count = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	lift(RLIMIT_SIGPENDING, RLIM_INFINITY);
	while (count < 1000000 && sigqueue(getpid(), 40, value) == 0)
		count++;
	say("many: %s", yes_no(count > 1000));
}

static void timers(void)
{
	timer_t timer;
	int count = 0;

	lift(RLIMIT_SIGPENDING, RLIM_INFINITY);
	while (count < 1000000 && timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0)
		count++;
	say("many: %s", yes_no(count > 1000));
}

/* Each longer list of arguments, until there is no room on the stack to be. */
static void arguments(void)
{
	static char word[1 << 17], *argv[1 << 10];
	int count = 1;

	memset(word, 'x', sizeof(word) - 1);
	for (; count < (int)ARRAY_SIZE(argv) - 1; count *= 2) {
		for (int i = 0; i < count; i++)
			argv[i] = word;
		if (MUST(fork()) == 0) {
			execv("/tests/hog", argv);
			_exit(errno);
		}
		int status;

		MUST(wait(&status));
		if (status)
			break;
	}
	say("many: %s", yes_no(count > 8 && count < 1 << 9));
}

/* Each link leads to the one before twice over: what there is to walk doubles. */
static void links(void)
{
	char from[16], to[32];

	MUST(symlink(".", "link-0"));
	for (int i = 1; i < 100; i++) {
		snprintf(from, sizeof(from), "link-%d", i);
		snprintf(to, sizeof(to), "link-%d/link-%d", i - 1, i - 1);
		MUST(symlink(to, from));
	}
	say("%s", access("link-4", F_OK) ? errno_text(errno) : "there");
	say("%s", access("link-99", F_OK) ? errno_text(errno) : "there");
}

static const struct {
	const char *name;
	void (*take)(void);
} hogs[] = {
	{ "memory", memory },
	{ "shared_memory", shared_memory },
	{ "file", file },
	{ "pipes", pipes },
	{ "mappings", mappings },
	{ "descriptors", descriptors },
	{ "directories", directories },
	{ "names", names },
	{ "threads", threads },
	{ "limited_forks", limited_forks },
	{ "unlimited_forks", unlimited_forks },
	{ "signals", signals },
	{ "timers", timers },
	{ "arguments", arguments },
	{ "links", links },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(hogs); i++)
		if (argc > 1 && !strcmp(argv[1], hogs[i].name))
			hogs[i].take();
	return 0;
}
