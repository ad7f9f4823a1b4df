// SPDX-License-Identifier: MIT
/*
 * A process for each client.
 *
 *	echo_fork 7002
 *
 * Each process stands on one socket's wait queue. What it costs: a fork, an address space and a kernel stack for each
 * client, idle or not, and two switches between processes for each message among many clients.
 */
#include "server.h"

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), 0);

	/* Nobody waits for the children: they leave no zombies. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept_client(listener, 0);

		if (client < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			echo_blocking(client);
			exit(0);
		}
		close(client);
	}
}
