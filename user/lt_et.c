// SPDX-License-Identifier: MIT
/*
 * Level-triggered or edge-triggered? Six bytes arrive, and the program reads two at a time. How often does
 * epoll_wait() return? And when it writes sixteen, eight at a time? (docs/lt-et.md)
 *
 *	lt_et		runs the same on Linux
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int epfd, ends[2];

/* A connection, one end of which is watched. */
static void open_both(uint32_t events)
{
	struct epoll_event event = { .events = events };

	epfd = epoll_create1(0);
	if (epfd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &event) < 0) {
		perror("lt_et");
		exit(1);
	}
}

static void close_both(const char *name, int returns)
{
	printf("%s: %d times\n", name, returns);
	close(ends[0]);
	close(ends[1]);
	close(epfd);
}

static int is_ready(void)
{
	struct epoll_event event;

	return epoll_wait(epfd, &event, 1, 0) == 1;
}

static void read_by_two(const char *name, uint32_t flags)
{
	int returns = 0;
	char buffer[2];

	open_both(EPOLLIN | flags);
	write(ends[1], "aabbcc", 6);
	for (; is_ready(); returns++) {
		int size = read(ends[0], buffer, sizeof(buffer));

		printf("%s: epoll_wait returns, read gives \"%.*s\"\n", name, size, buffer);
	}
	close_both(name, returns);
}

static void write_by_eight(const char *name, uint32_t flags)
{
	const char *text = "aabbccddeeffgghh";
	int returns = 0;

	open_both(EPOLLOUT | flags);
	for (; *text && is_ready(); returns++) {
		int size = write(ends[0], text, 8);

		if (size < 0)
			break;
		printf("%s: epoll_wait returns, write takes \"%.*s\"\n", name, size, text);
		text += size;
	}
	close_both(name, returns);
}

int main(void)
{
	read_by_two("level", 0);
	read_by_two("edge", EPOLLET);
	write_by_eight("level", 0);
	write_by_eight("edge", EPOLLET);
	return 0;
}
