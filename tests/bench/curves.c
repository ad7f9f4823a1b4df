/*
 * What an event costs through select, poll and epoll, if N descriptors are watched and K of them are ready at a time: the
 * same binary on Linux and on Pollux. Prints a line for each point:
 *
 *	point WAY N K COST		of one event: written, waited for, found, read
 *	point WAY N absent ERROR	the kernel does not have so many descriptors
 *
 *	curves ticks N...		COST in ticks of the TSC, which counts instructions under QEMU's -icount
 *	curves ns N...			COST in nanoseconds
 *
 * Way `ctl` is one EPOLL_CTL_ADD and one EPOLL_CTL_DEL where N are watched. The descriptors are eventfds. The program
 * looks for the ready ones as it must: in the whole array after poll, in the whole set after select.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_ACTIVE 100
#define WORK	   40000 /* descriptors to be looked at for a point, so that all take about as long */

static bool count_ticks;
static int *fds, epfd, number;
static struct pollfd *pollfds;
static uint64_t *wanted, *ready;
static size_t set_size;

static uint64_t now(void)
{
	struct timespec time;

	if (count_ticks)
		return __builtin_ia32_rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int take(int fd)
{
	uint64_t value;

	return read(fd, &value, sizeof(value)) == sizeof(value);
}

/* ---- the ways: each waits once, and says how many it took ---- */

static int by_select(void)
{
	int count = 0;

	memcpy(ready, wanted, set_size);
	if (syscall(SYS_select, fds[number - 1] + 1, ready, NULL, NULL, NULL) <= 0)
		return -1;
	for (size_t word = 0; word < set_size / 8; word++)
		for (uint64_t bits = ready[word]; bits; bits &= bits - 1)
			count += take(word * 64 + __builtin_ctzll(bits));
	return count;
}

static int by_poll(void)
{
	int count = 0, left = poll(pollfds, number, -1);

	for (struct pollfd *pfd = pollfds; left > 0; pfd++) {
		if (!pfd->revents)
			continue;
		left--;
		count += take(pfd->fd);
	}
	return count;
}

static int by_epoll(void)
{
	struct epoll_event events[MAX_ACTIVE];
	int count = 0, found = epoll_wait(epfd, events, MAX_ACTIVE, -1);

	for (int i = 0; i < found; i++)
		count += take(events[i].data.fd);
	return count;
}

static void watch_all(int op, uint32_t flags)
{
	for (int i = 0; i < number; i++) {
		struct epoll_event event = { .events = EPOLLIN | flags, .data.fd = fds[i] };

		epoll_ctl(epfd, op, fds[i], &event);
	}
}

/* ---- measuring ---- */

static void run(int (*way)(void), int active, int rounds)
{
	static unsigned int first;

	while (rounds--) {
		uint64_t one = 1;

		for (int i = 0; i < active; i++, first += 7919)
			if (write(fds[first % number], &one, sizeof(one)) != sizeof(one))
				return;
		for (int left = active; left > 0;) {
			int taken = way();

			if (taken <= 0)
				return;
			left -= taken;
		}
	}
}

static void point(const char *name, int (*way)(void), int active, int rounds)
{
	uint64_t start, once, twice;

	run(way, active, 1);
	start = now();
	run(way, active, rounds);
	once = now();
	run(way, active, 2 * rounds);
	twice = now();
	printf("point %s %d %d %.1f\n", name, number, active,
	       ((double)(twice - once) - (double)(once - start)) / rounds / active);
	fflush(stdout);
}

static void points(const char *name, int (*way)(void), int looked_at)
{
	for (int active = 1; active <= MAX_ACTIVE && active <= number; active *= 10) {
		int rounds = WORK / (looked_at + 20 * active);

		point(name, way, active, rounds > 2 ? rounds : 2);
	}
}

/* The last one is not watched otherwise. */
static int add_and_delete(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	epoll_ctl(epfd, EPOLL_CTL_ADD, fds[number], &event);
	epoll_ctl(epfd, EPOLL_CTL_DEL, fds[number], &event);
	return take(fds[0]);
}

static void change(int rounds)
{
	uint64_t one = 1;

	while (rounds--) {
		if (write(fds[0], &one, sizeof(one)) < 0)
			return;
		add_and_delete();
	}
}

static void ctl_point(void)
{
	uint64_t start, middle, end, plain;

	change(100);
	start = now();
	change(1000);
	middle = now();
	for (int i = 0; i < 1000; i++) {
		uint64_t one = 1;

		if (write(fds[0], &one, sizeof(one)) > 0)
			take(fds[0]);
	}
	end = now();
	plain = end - middle;
	printf("point ctl %d 1 %.1f\n", number, ((double)(middle - start) - (double)plain) / 1000);
}

static bool make_all(int count)
{
	struct rlimit limit;

	number = count;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count + 100;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return false;
	fds = calloc(count + 1, sizeof(*fds));
	pollfds = calloc(count, sizeof(*pollfds));
	for (int i = 0; i <= count; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds[i] < 0)
			return false;
	}
	set_size = (fds[count] / 64 + 1) * 8;
	wanted = calloc(1, set_size);
	ready = calloc(1, set_size);
	for (int i = 0; i < count; i++) {
		pollfds[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		wanted[fds[i] / 64] |= 1ULL << fds[i] % 64;
	}
	epfd = epoll_create1(EPOLL_CLOEXEC);
	return epfd >= 0;
}

static void measure(int count)
{
	if (!make_all(count)) {
		printf("point all %d absent %s\n", count, strerror(errno));
		return;
	}
	points("select", by_select, count);
	points("poll", by_poll, count);
	watch_all(EPOLL_CTL_ADD, 0);
	points("epoll", by_epoll, 20);
	watch_all(EPOLL_CTL_MOD, EPOLLET);
	points("epoll_et", by_epoll, 20);
	ctl_point();
	for (int i = 0; i <= count; i++)
		close(fds[i]);
	close(epfd);
}

int main(int argc, char **argv)
{
	count_ticks = argc > 1 && !strcmp(argv[1], "ticks");
	for (int i = 2; i < argc; i++)
		measure(atoi(argv[i]));
	return 0;
}
