// SPDX-License-Identifier: MIT
/*
 * A thread for each client.
 *
 *	echo_thread 7003
 *
 * As a process for each client, but in one address space: cheaper to start, and a stack each all the same.
 */
#include "server.h"

#include <pthread.h>
#include <stdint.h>

#define STACK_SIZE (64 << 10)

static void *serve(void *client)
{
	echo_blocking((intptr_t)client);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), 0);
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (;;) {
		int client = accept_client(listener, 0);

		if (client >= 0 && pthread_create(&thread, &attr, serve, (void *)(intptr_t)client))
			close(client);
	}
}
