/*
 * What the programs of tests/sys are made of. Each prints what the kernel under it does; the same binary
 * runs on Linux and on Pollux, and the two must print the same. So nothing is asserted here, and
 * nothing is printed that differs between two runs: no process ids, times or addresses.
 *
 *	TEST(append)
 *	{
 *		int fd = MUST(open("a", O_CREAT | O_WRONLY | O_APPEND, 0644));
 *
 *		SHOW(write(fd, "xyz", 3));	prints "write(fd, "xyz", 3) = 3"
 *		SHOW(read(fd, buf, 1));		prints "read(fd, buf, 1) = -1 EBADF"
 *		say("%d bytes", n);
 *	}
 *
 * Each test runs in a process of its own, in an empty directory, as root; how it ends is printed too.
 */
#pragma once

#include <tests/sys/show.h>

#ifndef OWN_MAIN /* defined by programs that are not made of tests, and want the headers that include this */

struct test {
	const char *name;
	void (*run)(void);
};

#define MAX_TESTS 64
static struct test tests[MAX_TESTS];
static int nr_tests;

#define TEST(ident)                                                        \
	static void test_##ident(void);                                    \
	static __attribute__((constructor)) void add_##ident(void)         \
	{                                                                  \
		tests[nr_tests++] = (struct test){ #ident, test_##ident }; \
	}                                                                  \
	static void test_##ident(void)

#define TEST_SECONDS 60 /* unless the environment says TEST_SECONDS=N */
static pid_t running;

static void kill_running(int sig)
{
	kill(running, SIGKILL);
}

/* A test has to begin, even if run.c has allocations fail. */
static pid_t fork_at_last(void)
{
	pid_t pid;

	do
		pid = fork();
	while (pid < 0 && errno == ENOMEM);
	return MUST(pid);
}

/* One that hangs ends as "killed by KILL". */
static void run_test(const struct test *test)
{
	say("== %s", test->name);
	mkdir(test->name, 0777);
	running = fork_at_last();
	if (running == 0) {
		MUST(chdir(test->name));
		test->run();
		_exit(0);
	}
	set_handler(SIGALRM, kill_running, SA_RESTART);
	alarm(getenv("TEST_SECONDS") ? atoi(getenv("TEST_SECONDS")) : TEST_SECONDS);
	reap("--", running);
	alarm(0);
	signal(SIGALRM, SIG_DFL);
}

/* All of the tests, or those that are named. */
int main(int argc, char **argv)
{
	for (int i = 0; i < nr_tests; i++) {
		bool wanted = argc < 2;

		for (int arg = 1; arg < argc; arg++)
			wanted |= !strcmp(argv[arg], tests[i].name);
		if (wanted)
			run_test(&tests[i]);
	}
	return 0;
}

#endif
