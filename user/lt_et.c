// SPDX-License-Identifier: MIT
/*
 * Level-triggered or edge-triggered? Six bytes arrive, and the program reads two at a time. How often does
 * epoll_wait() return?
 *
 *	lt_et		runs the same on Linux
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void run(const char *name, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLIN | flags };
	int epfd = epoll_create1(0), ends[2], returns = 0;
	char buffer[2];

	if (epfd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) {
		perror(name);
		return;
	}
	epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &event);
	write(ends[1], "aabbcc", 6);
	while (epoll_wait(epfd, &event, 1, 0) == 1) {
		ssize_t size = read(ends[0], buffer, sizeof(buffer));

		printf("%s: epoll_wait returns, read gives \"%.*s\"\n", name, (int)size, buffer);
		returns++;
	}
	printf("%s: %d times\n", name, returns);
	close(ends[0]);
	close(ends[1]);
	close(epfd);
}

int main(void)
{
	run("level", 0);
	run("edge", EPOLLET);
	return 0;
}
