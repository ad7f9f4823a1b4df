// SPDX-License-Identifier: MIT
/*
 * epoll, level-triggered: the set stays in the kernel, and epoll_wait() returns only those who are ready.
 *
 *	echo_epoll 7007
 *
 * epoll_ctl() puts the eventpoll on the socket's wait queue once, when the client comes; a packet then links the
 * socket's epitem onto rdllist (ep_poll_callback). What epoll_wait() costs depends on how many are ready, not on how
 * many are watched. Level-triggered: a socket that still has something is reported again.
 */
#include "server.h"

#include <sys/epoll.h>

static int epfd;

static void watch(int op, int sock, uint32_t events, struct echo *client)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(epfd, op, sock, &event))
		fail("epoll_ctl");
}

static void take_clients(int listener)
{
	int sock;

	while ((sock = accept_client(listener, SOCK_NONBLOCK)) >= 0) {
		struct echo *client = new_echo(sock);

		if (client)
			watch(EPOLL_CTL_ADD, sock, EPOLLIN, client);
	}
}

static void serve(struct echo *client)
{
	bool blocked, wrote = client->rest;
	short events = echo_once(client, &blocked);

	if (!events)
		end_echo(client); /* close() takes it out of the eventpoll */
	else if ((events == POLLOUT) != wrote)
		watch(EPOLL_CTL_MOD, client->sock, events, client);
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);
	struct epoll_event ready[256];

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		fail("epoll_create1");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
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
