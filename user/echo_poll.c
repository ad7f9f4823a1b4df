// SPDX-License-Identifier: MIT
/*
 * poll(): select() without the limit of 1024, and with an array instead of sets.
 *
 *	echo_poll 7006
 *
 * The array may be as long as one likes, and what is asked (events) stands beside the answer (revents), so that it
 * need not be filled anew. But all of it still goes into the kernel at each call, and all of it is walked.
 */
#include "server.h"

/* sets[0] is the listening socket; clients[i] belongs to sets[i]. */
static struct pollfd *sets;
static struct echo **clients;
static int count, room;

static bool make_room(void)
{
	int larger = room ? 2 * room : 64;
	struct pollfd *new_sets = realloc(sets, larger * sizeof(*sets));
	struct echo **new_clients;

	if (new_sets)
		sets = new_sets;
	new_clients = realloc(clients, larger * sizeof(*clients));
	if (new_clients)
		clients = new_clients;
	if (!new_sets || !new_clients)
		return false;
	room = larger;
	return true;
}

static void add(int sock, struct echo *client)
{
	sets[count] = (struct pollfd){ .fd = sock, .events = POLLIN };
	clients[count++] = client;
}

/* All there are: each call of poll() is too dear for one. */
static void take_clients(int listener)
{
	int sock;

	while ((sock = accept_client(listener, SOCK_NONBLOCK)) >= 0) {
		struct echo *client = new_echo(sock);

		if (client && (count < room || make_room()))
			add(sock, client);
		else if (client)
			end_echo(client);
	}
}

/* True when the client is still there. The last one takes the place of one that has gone. */
static bool serve(int i)
{
	bool blocked;

	sets[i].events = echo_once(clients[i], &blocked);
	if (sets[i].events)
		return true;
	end_echo(clients[i]);
	count--;
	sets[i] = sets[count];
	clients[i] = clients[count];
	return false;
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);

	if (!make_room())
		fail("malloc");
	add(listener, NULL);
	for (;;) {
		if (poll(sets, count, -1) < 0)
			fail("poll");
		for (int i = 1; i < count; i++)
			while (i < count && sets[i].revents && !serve(i))
				;
		if (sets[0].revents)
			take_clients(listener);
	}
}
