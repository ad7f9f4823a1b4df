// SPDX-License-Identifier: MIT
/*
 * Sockets that do not block, asked one after the other, for ever.
 *
 *	echo_spin 7004
 *
 * One process serves many clients without select: it asks each socket whether there is something, and almost always
 * hears EAGAIN. It never sleeps, so it takes a whole processor to do nothing (`top` shows it), and an answer comes
 * after it has asked all the others.
 */
#include "server.h"

#define MAX_CLIENTS 1024

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK), count = 0;
	static struct echo *clients[MAX_CLIENTS];
	bool blocked;

	for (;;) {
		int sock = count < MAX_CLIENTS ? accept_client(listener, SOCK_NONBLOCK) : -1;

		if (sock >= 0 && (clients[count] = new_echo(sock)))
			count++;
		for (int i = 0; i < count; i++) {
			if (echo_once(clients[i], &blocked))
				continue;
			end_echo(clients[i]);
			clients[i--] = clients[--count];
		}
	}
}
