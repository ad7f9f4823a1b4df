/* What the tests of AF_INET sockets share. Everything happens on lo. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <tests/sys/test.h>

#define ADDR(text, port_)                                \
	((struct sockaddr_in){ .sin_family = AF_INET,    \
			       .sin_port = htons(port_), \
			       .sin_addr.s_addr = inet_addr(text) })
#define LO(port) ADDR("127.0.0.1", port)

/* As the second and third argument of bind() and connect(), the last two of sendto(). */
#define SA(addr) ((struct sockaddr *)&(addr)), sizeof(addr)

static inline int udp_socket(void)
{
	return MUST(socket(AF_INET, SOCK_DGRAM, 0));
}

static inline int udp_bound(const char *text, int port)
{
	struct sockaddr_in addr = ADDR(text, port);
	int fd = udp_socket();

	MUST(bind(fd, SA(addr)));
	return fd;
}

static inline int udp_connected(int port)
{
	struct sockaddr_in addr = LO(port);
	int fd = udp_socket();

	MUST(connect(fd, SA(addr)));
	return fd;
}

static inline void set_option(int fd, int level, int option, int value)
{
	MUST(setsockopt(fd, level, option, &value, sizeof(value)));
}

/* The port only where it was not chosen by the kernel. */
static inline void say_addr(const char *what, const struct sockaddr_in *addr)
{
	int port = ntohs(addr->sin_port);

	say("%s: family %d %s port %s%.0d", what, addr->sin_family, inet_ntoa(addr->sin_addr),
	    port >= 32768 ? "ephemeral" : "", port >= 32768 ? 0 : port);
}

static inline void say_name(int fd)
{
	struct sockaddr_in addr = { 0 };
	socklen_t length = sizeof(addr);

	if (SHOW(getsockname(fd, (struct sockaddr *)&addr, &length)) == 0)
		say_addr("name", &addr);
}

static inline void say_peer(int fd)
{
	struct sockaddr_in addr = { 0 };
	socklen_t length = sizeof(addr);

	if (SHOW(getpeername(fd, (struct sockaddr *)&addr, &length)) == 0)
		say_addr("peer", &addr);
}

static inline int port_of(int fd)
{
	struct sockaddr_in addr = { 0 };
	socklen_t length = sizeof(addr);

	MUST(getsockname(fd, (struct sockaddr *)&addr, &length));
	return ntohs(addr.sin_port);
}

#define POLL_ALL \
	(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP)

static inline void say_poll(const char *when, int fd)
{
	struct pollfd pfd = { fd, POLL_ALL, 0 };
	int n = poll(&pfd, 1, 0);

	say("%s: poll %d, revents %x", when, n, pfd.revents);
}

/* Waits until there is something, so that the answer does not depend on time. */
static inline void wait_for(int fd, int events)
{
	struct pollfd pfd = { fd, events, 0 };

	poll(&pfd, 1, 5000);
}

static inline void to_itself(void)
{
	struct sockaddr_in addr = LO(0);
	socklen_t length = sizeof(addr);
	int fd = udp_socket();
	char byte;

	MUST(bind(fd, SA(addr)));
	MUST(getsockname(fd, (struct sockaddr *)&addr, &length));
	MUST(sendto(fd, "x", 1, 0, SA(addr)));
	MUST(recv(fd, &byte, 1, 0));
	close(fd);
}

/* Until what was sent has arrived, and what was answered. Most often it has when send() returns; but the kernel may
 * leave it for later. It keeps the order on one CPU: when what is sent last is there, so is the rest. */
static inline void settle(void)
{
	to_itself();
	to_itself();
}

/* settle() has to be on the CPU on which was sent: for tests that use it. */
static inline void stay_on_one_cpu(void)
{
	unsigned long mask[16] = { 0 }; /* of 1024 CPUs */
	unsigned cpu;

	MUST(syscall(SYS_getcpu, &cpu, NULL, NULL));
	mask[cpu / 64] = 1UL << (cpu % 64);
	MUST(syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
}

static inline void say_so_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);

	SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	say("SO_ERROR %s", error ? errno_text(error) : "0");
}
