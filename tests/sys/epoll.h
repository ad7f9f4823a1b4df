/* What the programs that test epoll share: watching, and saying what a wait returned. */
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <tests/sys/test.h>

static inline int ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(epfd, op, fd, &event);
}

static inline int watch(int epfd, int fd, uint32_t events)
{
	return MUST(ctl(epfd, EPOLL_CTL_ADD, fd, events, fd));
}

/* A pipe as {read end, write end} in two variables; an eventfd and an eventpoll that must exist. */
static inline void make_pipe(int ends[2])
{
	MUST(pipe2(ends, O_NONBLOCK));
}
static inline int make_event(int count)
{
	return MUST(eventfd(count, EFD_NONBLOCK));
}
static inline int make_epoll(void)
{
	return MUST(epoll_create1(0));
}
static inline void post(int eventfd)
{
	uint64_t one = 1;

	MUST(write(eventfd, &one, 8));
}
static inline void drain(int fd)
{
	char buffer[4096];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

#define MAX_EVENTS 64

/* One line: "what: [name events] [name events] ...". `names` are data values, by their order in `fds`. */
static inline int say_wait(const char *what, int epfd, const int *fds, int nfds, int max,
			   int timeout)
{
	struct epoll_event events[MAX_EVENTS];
	int count = epoll_wait(epfd, events, max, timeout);
	char line[2000];
	int length =
		snprintf(line, sizeof(line), "%s: %s", what, count < 0 ? errno_text(errno) : "");

	for (int i = 0; i < count; i++) {
		int name = 0;

		while (name < nfds && (uint64_t)fds[name] != events[i].data.u64)
			name++;
		length += snprintf(line + length, sizeof(line) - length, "[%c %x]", 'a' + name,
				   events[i].events);
	}
	say("%s", line);
	return count;
}

#define WAIT(what, epfd, ...)                                                                      \
	say_wait(what, epfd, (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), \
		 MAX_EVENTS, 0)
