// SPDX-License-Identifier: MIT
/*
 * select(): the process stands on the wait queues of all its sockets at once.
 *
 *	echo_select 7005
 *
 * Each call hands the kernel the whole set; the kernel puts the process on every socket's wait queue, takes it off
 * every one again, and says in the same bits who is ready: two traversals there, and one more here, to find them.
 * A set has FD_SETSIZE (1024) bits, so a client with a larger descriptor cannot be watched and is sent away.
 */
#include "server.h"

#include <sys/select.h>

static struct echo *clients[FD_SETSIZE];
/* Who waits to be read, and who to be written. select() overwrites what it is given, so it gets copies. */
static fd_set readers, writers;
static int highest;

static void wait_for(int sock, short events)
{
	FD_CLR(sock, &readers);
	FD_CLR(sock, &writers);
	if (events)
		FD_SET(sock, events == POLLIN ? &readers : &writers);
}

static void take_client(int listener)
{
	int sock = accept_client(listener, SOCK_NONBLOCK);

	if (sock >= FD_SETSIZE)
		close(sock);
	else if (sock >= 0 && (clients[sock] = new_echo(sock)))
		wait_for(sock, POLLIN);
	if (sock < FD_SETSIZE && sock > highest)
		highest = sock;
}

static void serve(int sock)
{
	bool blocked;
	short events = echo_once(clients[sock], &blocked);

	wait_for(sock, events);
	if (!events)
		end_echo(clients[sock]);
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);

	FD_SET(listener, &readers);
	highest = listener;
	for (;;) {
		fd_set in = readers, out = writers;

		if (select(highest + 1, &in, &out, NULL, NULL) < 0)
			fail("select");
		for (int sock = 0; sock <= highest; sock++) {
			if (!FD_ISSET(sock, &in) && !FD_ISSET(sock, &out))
				continue;
			if (sock == listener)
				take_client(listener);
			else
				serve(sock);
		}
	}
}
