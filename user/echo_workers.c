// SPDX-License-Identifier: MIT
/*
 * One thread in epoll_wait(), and threads that work for it: the shape of libuv.
 *
 *	echo_workers 7009
 *
 * The loop reads a request and puts it on a queue; a worker takes it, spends its time on it (there: files, name
 * lookups, compression; here: nothing but the answer) and puts it on a second queue; a write to an eventfd, which the
 * loop watches as it watches its sockets, tells it to collect and to answer. The sockets belong to the loop alone, and
 * a client whose request is with a worker is not watched (EPOLLONESHOT) until it has its answer.
 */
#include "server.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define WORKERS 4

struct job {
	struct job *next;
	int sock;
	size_t done, size; /* of text: what the client has got, what it is to get */
	char text[16384];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job *first, **last;
};

#define QUEUE(name)                                                                      \
	{                                                                                \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &(name).first \
	}

static struct queue requests = QUEUE(requests), answers = QUEUE(answers);
static int epfd, answered;

static void put(struct queue *queue, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&queue->lock);
	*queue->last = job;
	queue->last = &job->next;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

/* The oldest job; with `wait`, as soon as there is one. */
static struct job *take(struct queue *queue, bool wait)
{
	struct job *job;

	pthread_mutex_lock(&queue->lock);
	while (wait && !queue->first)
		pthread_cond_wait(&queue->filled, &queue->lock);
	job = queue->first;
	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	pthread_mutex_unlock(&queue->lock);
	return job;
}

static void *work(void *unused)
{
	for (;;) {
		/* An echo's answer is the request: whoever has more to do does it here, and the loop goes on. */
		put(&answers, take(&requests, true));
		eventfd_write(answered, 1);
	}
	return NULL;
}

static void watch(int op, int sock, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	if (epoll_ctl(epfd, op, sock, &event))
		fail("epoll_ctl");
}

static void take_clients(int listener)
{
	int sock;

	while ((sock = accept_client(listener, SOCK_NONBLOCK)) >= 0) {
		struct job *job = malloc(sizeof(*job));

		if (!job) {
			close(sock);
			continue;
		}
		job->sock = sock;
		job->done = job->size = 0;
		watch(EPOLL_CTL_ADD, sock, EPOLLIN | EPOLLONESHOT, job);
	}
}

static void end(struct job *job)
{
	close(job->sock);
	free(job);
}

static void answer(struct job *job)
{
	ssize_t sent = write(job->sock, job->text + job->done, job->size - job->done);

	if (sent < 0 && errno != EAGAIN) {
		end(job);
		return;
	}
	if (sent > 0)
		job->done += sent;
	watch(EPOLL_CTL_MOD, job->sock, (job->done < job->size ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
	      job);
}

static void serve(struct job *job)
{
	ssize_t size;

	if (job->done < job->size) {
		answer(job);
		return;
	}
	size = read(job->sock, job->text, sizeof(job->text));
	if (size <= 0) {
		end(job);
		return;
	}
	job->done = 0;
	job->size = size;
	put(&requests, job);
}

static void collect(void)
{
	struct job *job;
	eventfd_t count;

	eventfd_read(answered, &count);
	while ((job = take(&answers, false)))
		answer(job);
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);
	struct epoll_event ready[256];
	pthread_t thread;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	answered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epfd < 0 || answered < 0)
		fail("epoll_create1, eventfd");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
	watch(EPOLL_CTL_ADD, answered, EPOLLIN, &answered);
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&thread, NULL, work, NULL))
			fail("pthread_create");
	for (;;) {
		int count = epoll_wait(epfd, ready, 256, -1);

		for (int i = 0; i < count; i++) {
			if (ready[i].data.ptr == &listener)
				take_clients(listener);
			else if (ready[i].data.ptr == &answered)
				collect();
			else
				serve(ready[i].data.ptr);
		}
	}
}
