// SPDX-License-Identifier: MIT
/*
 * Several processes, each with an eventpoll of its own, serve one port. Three ways to share it:
 *
 *	echo_prefork 7010 exclusive	one listening socket, watched with EPOLLEXCLUSIVE: the shape of nginx
 *	echo_prefork 7010 herd		one listening socket, watched without
 *	echo_prefork 7010 reuseport 8	a listening socket each (SO_REUSEPORT), in eight processes instead of four
 *
 * With one socket, all the eventpolls stand on its wait queue. Without EPOLLEXCLUSIVE a client that connects wakes
 * every process: one gets it, the others find nothing and sleep again. That is the thundering herd; SIGUSR1 makes each
 * process say how many clients it took and how often it slept. With EPOLLEXCLUSIVE the kernel wakes one. With SO_REUSEPORT it deals the
 * clients out by a hash of their addresses and ports: nobody shares a queue, but a client that was dealt to a busy
 * process waits for it, though others be idle.
 */
#include "server.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int epfd;
static volatile unsigned long clients_taken;

static void watch(int op, int sock, uint32_t events, struct echo *client)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(epfd, op, sock, &event))
		fail("epoll_ctl");
}

/* One: a process that took all there are would leave none for the others that were woken for them. */
static void take_client(int listener)
{
	int sock = accept_client(listener, SOCK_NONBLOCK);
	struct echo *client = sock < 0 ? NULL : new_echo(sock);

	clients_taken += sock >= 0;
	if (client)
		watch(EPOLL_CTL_ADD, sock, EPOLLIN, client);
}

static void serve(struct echo *client)
{
	bool blocked, wrote = client->rest;
	short events = echo_once(client, &blocked);

	if (!events)
		end_echo(client);
	else if ((events == POLLOUT) != wrote)
		watch(EPOLL_CTL_MOD, client->sock, events, client);
}

static void report(int signal)
{
	struct rusage usage;
	char line[100];
	int size;

	getrusage(RUSAGE_SELF, &usage);
	size = snprintf(line, sizeof(line), "process %d: %lu clients, slept %ld times\n", getpid(),
			clients_taken, usage.ru_nvcsw);
	write(STDOUT_FILENO, line, size);
}

static _Noreturn void run(int listener, uint32_t flags)
{
	struct epoll_event ready[256];

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		fail("epoll_create1");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN | flags, NULL);
	for (;;) {
		int count = epoll_wait(epfd, ready, 256, -1);

		for (int i = 0; i < count; i++) {
			if (ready[i].data.ptr)
				serve(ready[i].data.ptr);
			else
				take_client(listener);
		}
	}
}

static pid_t children[64];

/* To all of them, in their order; they in turn have nobody to pass it to. */
static void pass_on(int signal)
{
	for (int i = 0; i < 64 && children[i] > 0; i++)
		kill(children[i], signal);
}

int main(int argc, char **argv)
{
	int port = port_of(argc, argv), processes = argc > 3 ? atoi(argv[3]) : 4, listener = -1;
	const char *way = argc > 2 ? argv[2] : "exclusive";
	bool share = strcmp(way, "reuseport");

	if ((share && strcmp(way, "exclusive") && strcmp(way, "herd")) || processes < 1 ||
	    processes > 64) {
		fprintf(stderr,
			"usage: %s PORT [exclusive|herd|reuseport [PROCESSES, at most 64]]\n",
			argv[0]);
		return 2;
	}
	if (share)
		listener = listen_on(port, SOCK_NONBLOCK);
	for (int i = 0; i < processes; i++) {
		children[i] = fork();
		if (children[i] < 0)
			fail("fork");
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			signal(SIGUSR1, report);
			run(share ? listener : listen_with(port, SOCK_NONBLOCK, SO_REUSEPORT),
			    strcmp(way, "exclusive") ? 0 : EPOLLEXCLUSIVE);
		}
	}
	signal(SIGUSR1, pass_on);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 1;
}
