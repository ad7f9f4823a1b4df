// SPDX-License-Identifier: MIT
/*
 * epoll, edge-triggered: told once when something arrives, and then it is ours to take all of it.
 *
 *	echo_edge 7008
 *
 * Each socket is added once, for reading and writing, and never changed: no epoll_ctl() when a client takes slowly.
 * In return each wake-up must read and write until the socket says EAGAIN, for the kernel will not say it again (and a
 * client that never stops keeps the others waiting: a large server would come back to it later, from a list). The
 * listening socket stays level-triggered, so that a burst of clients cannot be half taken and forgotten.
 */
#include "server.h"

#include <sys/epoll.h>

static int epfd;

static void watch(int sock, uint32_t events, struct echo *client)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, sock, &event))
		fail("epoll_ctl");
}

static void take_clients(int listener)
{
	int sock;

	while ((sock = accept_client(listener, SOCK_NONBLOCK)) >= 0) {
		struct echo *client = new_echo(sock);

		if (client)
			watch(sock, EPOLLIN | EPOLLOUT | EPOLLET, client);
	}
}

static void serve(struct echo *client)
{
	bool blocked;
	short events;

	do
		events = echo_once(client, &blocked);
	while (events && !blocked);
	if (!events)
		end_echo(client);
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);
	struct epoll_event ready[256];

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		fail("epoll_create1");
	watch(listener, EPOLLIN, NULL);
	for (;;) {
		int count = epoll_wait(epfd, ready, 256, -1);

		for (int i = 0; i < count; i++) {
			if (ready[i].data.ptr)
				serve(ready[i].data.ptr);
			else
				take_clients(listener);
		}
	}
}
