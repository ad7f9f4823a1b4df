/*
 * What system calls cost a program, in ticks of the TSC: the same binary runs on Linux and on Pollux, in a QEMU
 * whose TSC counts instructions (tools/bench_calls.py). Prints a line for each row:
 *
 *	row NAME TICKS ROUNDS WHAT		ticks of one operation, with one decimal
 *	row NAME absent ERROR			the kernel does not have what it takes
 *
 * A ROW does something `rounds` times. It is run with one number of rounds and with twice as many, and the
 * difference counts: so it may prepare and clean up as it likes. `per_round` says how many operations one round
 * is. Each row has a process of its own.
 *
 *	calls [NAME...]		these rows, or all
 *	calls --list		their names
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3 /* the quickest counts: the kernel may have had something else to do */
#define PAGE  4096

struct row {
	const char *name;
	unsigned int rounds, per_round;
	void (*loop)(unsigned int rounds);
	const char *what;
};

static const char *row_name;

static long must(long result)
{
	if (result >= 0)
		return result;
	printf("row %s absent %s\n", row_name, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void make_pipe(int ends[2])
{
	must(pipe2(ends, O_CLOEXEC));
}

static void close_pipe(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void send_byte(int fd)
{
	must(write(fd, "x", 1) == 1 ? 0 : -1);
}

static void receive_byte(int fd)
{
	char byte;

	must(read(fd, &byte, 1) == 1 ? 0 : -1);
}

static void reap(pid_t child)
{
	must(waitpid(child, NULL, 0));
}

/* ---- calls that only go in and out --------------------------------------------------------------- */

static void call_getppid(unsigned int rounds)
{
	while (rounds--)
		getppid();
}

static void write_null(unsigned int rounds)
{
	int fd = must(open("/dev/null", O_WRONLY));

	while (rounds--)
		send_byte(fd);
	close(fd);
}

static void read_clock(unsigned int rounds)
{
	struct timespec now;

	while (rounds--)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static void open_close(unsigned int rounds)
{
	while (rounds--)
		close(must(open("/dev/null", O_RDONLY)));
}

static void dup_close(unsigned int rounds)
{
	while (rounds--)
		close(must(dup(0)));
}

static void socket_close(unsigned int rounds)
{
	while (rounds--)
		close(must(socket(AF_INET, SOCK_DGRAM, 0)));
}

/* ---- pipes, events ------------------------------------------------------------------------------- */

static void pipe_round_trip(unsigned int rounds)
{
	int ends[2];

	make_pipe(ends);
	while (rounds--) {
		send_byte(ends[1]);
		receive_byte(ends[0]);
	}
	close_pipe(ends);
}

static void socketpair_round_trip(unsigned int rounds)
{
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	while (rounds--) {
		send_byte(ends[1]);
		receive_byte(ends[0]);
	}
	close_pipe(ends);
}

static void event_round_trip(unsigned int rounds)
{
	int fd = must(eventfd(0, 0));
	uint64_t value = 1;

	while (rounds--) {
		must(write(fd, &value, sizeof(value)));
		must(read(fd, &value, sizeof(value)));
	}
	close(fd);
}

static int (*many_pipes(unsigned int number))[2]
{
	struct rlimit limit = { 65536, 65536 };
	int(*pipes)[2] = calloc(number, sizeof(*pipes));

	must(setrlimit(RLIMIT_NOFILE, &limit));
	for (unsigned int i = 0; i < number; i++)
		make_pipe(pipes[i]);
	return pipes;
}

static void close_pipes(int (*pipes)[2], unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		close_pipe(pipes[i]);
	free(pipes);
}

static struct pollfd *to_poll(int (*pipes)[2], unsigned int number)
{
	struct pollfd *fds = calloc(number, sizeof(*fds));

	for (unsigned int i = 0; i < number; i++)
		fds[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
	return fds;
}

/* One is ready: all are asked, none is waited for. It is the first, so that Linux knows that at once. */
static void poll_pipes(unsigned int rounds, unsigned int number)
{
	int(*pipes)[2] = many_pipes(number);
	struct pollfd *fds = to_poll(pipes, number);

	send_byte(pipes[0][1]);
	while (rounds--)
		must(poll(fds, number, -1));
	free(fds);
	close_pipes(pipes, number);
}

/* The same; up to 500 pipes, whose 1,000 descriptors fit a set. */
static void select_pipes(unsigned int rounds, unsigned int number)
{
	int(*pipes)[2] = many_pipes(number);
	fd_set wanted, ready;

	FD_ZERO(&wanted);
	for (unsigned int i = 0; i < number; i++)
		FD_SET(pipes[i][0], &wanted);
	send_byte(pipes[0][1]);
	while (rounds--) {
		ready = wanted;
		must(select(pipes[number - 1][0] + 1, &ready, NULL, NULL, NULL));
	}
	close_pipes(pipes, number);
}

/* None is ready until another process has run, which first lets us go to sleep: all are put on their wait queues. */
static void poll_and_sleep(unsigned int rounds, unsigned int number)
{
	int(*pipes)[2] = many_pipes(number), ping[2];
	struct pollfd *fds = to_poll(pipes, number);
	pid_t child;

	make_pipe(ping);
	child = must(fork());
	if (child == 0) {
		while (rounds--) {
			receive_byte(ping[0]);
			sched_yield();
			send_byte(pipes[number - 1][1]);
		}
		_exit(0);
	}
	while (rounds--) {
		send_byte(ping[1]);
		must(poll(fds, number, -1));
		receive_byte(pipes[number - 1][0]);
	}
	reap(child);
	free(fds);
	close_pipe(ping);
	close_pipes(pipes, number);
}

static void poll_10(unsigned int rounds)
{
	poll_pipes(rounds, 10);
}

static void poll_100(unsigned int rounds)
{
	poll_pipes(rounds, 100);
}

static void poll_1000(unsigned int rounds)
{
	poll_pipes(rounds, 1000);
}

static void poll_sleep_1000(unsigned int rounds)
{
	poll_and_sleep(rounds, 1000);
}

static void select_10(unsigned int rounds)
{
	select_pipes(rounds, 10);
}

static void select_100(unsigned int rounds)
{
	select_pipes(rounds, 100);
}

static void select_500(unsigned int rounds)
{
	select_pipes(rounds, 500);
}

static void epoll_ready(unsigned int rounds)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = must(epoll_create1(EPOLL_CLOEXEC));
	int fd = must(eventfd(1, 0));

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	while (rounds--)
		must(epoll_wait(ep, &event, 1, -1));
	close(fd);
	close(ep);
}

static void epoll_add_del(unsigned int rounds)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = must(epoll_create1(EPOLL_CLOEXEC));
	int fd = must(eventfd(0, 0));

	while (rounds--) {
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
		must(epoll_ctl(ep, EPOLL_CTL_DEL, fd, &event));
	}
	close(fd);
	close(ep);
}

/* A byte into one of the pipes, epoll_wait, and out again; the others are watched, and nothing happens to them. */
static void epoll_event(unsigned int rounds, unsigned int number)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = must(epoll_create1(EPOLL_CLOEXEC));
	int(*pipes)[2] = many_pipes(number);

	for (unsigned int i = 0; i < number; i++) {
		event.data.fd = pipes[i][0];
		must(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &event));
		send_byte(pipes[i][1]); /* from now on it has a page */
		receive_byte(pipes[i][0]);
	}
	while (rounds--) {
		send_byte(pipes[rounds * 7 % number][1]);
		must(epoll_wait(ep, &event, 1, -1));
		receive_byte(event.data.fd);
	}
	close(ep);
	close_pipes(pipes, number);
}

static void epoll_event_10(unsigned int rounds)
{
	epoll_event(rounds, 10);
}

static void epoll_event_1000(unsigned int rounds)
{
	epoll_event(rounds, 1000);
}

static void epoll_event_10000(unsigned int rounds)
{
	epoll_event(rounds, 10000);
}

/* ---- processes ----------------------------------------------------------------------------------- */

static void fork_exit_wait(unsigned int rounds)
{
	while (rounds--) {
		pid_t child = must(fork());

		if (child == 0)
			_exit(0);
		reap(child);
	}
}

static void vfork_exec_wait(unsigned int rounds)
{
	char *const argv[] = { "calls", "--nothing", NULL };

	while (rounds--) {
		pid_t child = must(vfork());

		if (child == 0) {
			execve("/proc/self/exe", argv, environ);
			_exit(1);
		}
		reap(child);
	}
}

static void ping_pong(unsigned int rounds)
{
	int ping[2], pong[2];
	pid_t child;

	make_pipe(ping);
	make_pipe(pong);
	child = must(fork());
	if (child == 0) {
		while (rounds--) {
			receive_byte(ping[0]);
			send_byte(pong[1]);
		}
		_exit(0);
	}
	while (rounds--) {
		send_byte(ping[1]);
		receive_byte(pong[0]);
	}
	reap(child);
	close_pipe(ping);
	close_pipe(pong);
}

/* ---- threads ------------------------------------------------------------------------------------- */

static void *end_thread(void *arg)
{
	return arg;
}

static void create_join(unsigned int rounds)
{
	pthread_t thread;

	while (rounds--) {
		must(pthread_create(&thread, NULL, end_thread, NULL) ? -1 : 0);
		pthread_join(thread, NULL);
	}
}

/* Whose turn it is; the other one sleeps on it. */
static _Atomic unsigned int turn;

static void wait_turn(unsigned int mine)
{
	while (turn != mine)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL, NULL, 0);
}

static void pass_turn(unsigned int to)
{
	turn = to;
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other_player(void *arg)
{
	for (uintptr_t rounds = (uintptr_t)arg; rounds; rounds--) {
		wait_turn(1);
		pass_turn(0);
	}
	return NULL;
}

static void futex_hand_over(unsigned int rounds)
{
	pthread_t thread;

	turn = 0;
	must(pthread_create(&thread, NULL, other_player, (void *)(uintptr_t)rounds) ? -1 : 0);
	while (rounds--) {
		pass_turn(1);
		wait_turn(0);
	}
	pthread_join(thread, NULL);
}

/* ---- memory, signals ----------------------------------------------------------------------------- */

static char *map_pages(size_t number)
{
	char *pages = mmap(NULL, number * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	must(pages == MAP_FAILED ? -1 : 0);
	return pages;
}

static void page_fault(unsigned int rounds)
{
	char *pages = map_pages(rounds);

	madvise(pages, (size_t)rounds * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < rounds; i++)
		*(volatile char *)&pages[i * PAGE] = 1;
	munmap(pages, (size_t)rounds * PAGE);
}

static void map_touch_unmap(unsigned int rounds)
{
	while (rounds--) {
		char *page = map_pages(1);

		*(volatile char *)page = 1;
		munmap(page, PAGE);
	}
}

static void signal_arrived(int number)
{
}

static void signal_self(unsigned int rounds)
{
	pid_t self = getpid();

	must(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = signal_arrived }, NULL));
	while (rounds--)
		must(kill(self, SIGUSR1));
}

/* ---- the table ----------------------------------------------------------------------------------- */

static const struct row ROWS[] = {
	{ "getppid", 1000, 1, call_getppid, "a call that does nothing" },
	{ "write_null", 1000, 1, write_null, "write a byte to /dev/null" },
	{ "clock_gettime", 1000, 1, read_clock, "read the clock" },
	{ "open_close", 500, 1, open_close, "open /dev/null, close it" },
	{ "dup_close", 1000, 1, dup_close, "duplicate a descriptor, close it" },
	{ "socket_close", 500, 1, socket_close, "make a UDP socket, close it" },
	{ "pipe", 1000, 1, pipe_round_trip, "write a byte to a pipe, read it" },
	{ "socketpair", 1000, 1, socketpair_round_trip, "the same through a pair of sockets" },
	{ "eventfd", 1000, 1, event_round_trip, "write to an eventfd, read it" },
	{ "poll_10", 500, 10, poll_10, "poll 10 pipes, one is ready: per pipe" },
	{ "poll_100", 100, 100, poll_100, "100 pipes" },
	{ "poll_1000", 10, 1000, poll_1000, "1,000 pipes" },
	{ "poll_sleep_1000", 10, 1000, poll_sleep_1000,
	  "1,000 pipes, none ready: sleep until one is" },
	{ "select_10", 500, 10, select_10, "select 10 pipes, one is ready: per pipe" },
	{ "select_100", 100, 100, select_100, "100 pipes" },
	{ "select_500", 20, 500, select_500, "500 pipes" },
	{ "epoll_wait", 1000, 1, epoll_ready, "epoll_wait, one of one is ready" },
	{ "epoll_ctl", 500, 1, epoll_add_del, "epoll_ctl: add and delete" },
	{ "epoll_event_10", 1000, 1, epoll_event_10,
	  "write to one of 10 pipes, epoll_wait, read it" },
	{ "epoll_event_1000", 1000, 1, epoll_event_1000, "1,000 pipes" },
	{ "epoll_event_10000", 1000, 1, epoll_event_10000, "10,000 pipes" },
	{ "fork", 50, 1, fork_exit_wait, "fork, exit, wait" },
	{ "vfork_exec", 20, 1, vfork_exec_wait, "vfork, exec of a static program, exit, wait" },
	{ "ping_pong", 200, 1, ping_pong, "a byte to another process and one back, by pipes" },
	{ "thread", 100, 1, create_join, "create a thread, join it" },
	{ "futex", 200, 2, futex_hand_over, "hand over to another thread by futex" },
	{ "page_fault", 500, 1, page_fault, "touch a new page (and give it back)" },
	{ "mmap", 200, 1, map_touch_unmap, "mmap a page, touch it, munmap" },
	{ "signal", 500, 1, signal_self, "a signal to itself: kill, handler, return" },
};
#define N_ROWS (sizeof(ROWS) / sizeof(*ROWS))

/* ---- measuring ----------------------------------------------------------------------------------- */

/* tools/count_plugin.c keeps its counts of this moment. */
static inline void mark(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"PLLX\"" : : : "memory");
}

static uint64_t ticks_of(const struct row *row, unsigned int rounds)
{
	uint64_t start = __builtin_ia32_rdtsc();

	row->loop(rounds);
	return __builtin_ia32_rdtsc() - start;
}

static uint64_t quickest(const struct row *row, unsigned int rounds)
{
	uint64_t best = UINT64_MAX, ticks;

	for (int i = 0; i < TRIES; i++)
		if ((ticks = ticks_of(row, rounds)) < best)
			best = ticks;
	return best;
}

static void measure(const struct row *row)
{
	unsigned int rounds = row->rounds;
	double ticks;

	row_name = row->name;
	ticks_of(row, rounds); /* the first time, caches and tables fill */
	ticks = (double)quickest(row, 2 * rounds) - (double)quickest(row, rounds);
	mark();
	row->loop(rounds);
	mark();
	row->loop(2 * rounds);
	mark();
	printf("row %s %.1f %u %s\n", row->name, ticks / rounds / row->per_round, rounds,
	       row->what);
}

static bool is_named(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(*names, name))
		names++;
	return *names;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	for (const struct row *row = ROWS; row < ROWS + N_ROWS; row++) {
		pid_t child;

		if (argc > 1 && !strcmp(argv[1], "--list")) {
			puts(row->name);
			continue;
		}
		if (!is_named(row->name, argv + 1))
			continue;
		child = fork();
		if (child == 0) {
			measure(row);
			fflush(stdout);
			_exit(0);
		}
		reap(child);
	}
	return 0;
}
