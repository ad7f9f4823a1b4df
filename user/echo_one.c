// SPDX-License-Identifier: MIT
/*
 * One client at a time, and every call blocks: the server that every book begins with.
 *
 *	echo_one 7001
 *
 * While it waits in read() for one client, the next one waits in the listening socket's queue: the process stands on
 * the wait queue of one socket, and can stand on no other.
 */
#include "server.h"

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), 0);

	for (;;) {
		int client = accept_client(listener, 0);

		if (client >= 0)
			echo_blocking(client);
	}
}
