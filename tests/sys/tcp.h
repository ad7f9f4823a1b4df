/* What the tests of TCP share. Everything happens on lo, so a peer's answer is there soon, but not at once: each test
 * waits for what it is about to look at. */
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <tests/sys/inet.h>
#include <tests/sys/test.h>

static inline int tcp_socket(void)
{
	return MUST(socket(AF_INET, SOCK_STREAM, 0));
}

static inline void no_wait(int fd)
{
	MUST(fcntl(fd, F_SETFL, O_NONBLOCK));
}

static inline int tcp_bound(int port)
{
	struct sockaddr_in addr = LO(port);
	int fd = tcp_socket();

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind(fd, SA(addr)));
	return fd;
}

static inline int tcp_listener(int port, int backlog)
{
	int fd = tcp_bound(port);

	MUST(listen(fd, backlog));
	return fd;
}

static inline int tcp_client(int port)
{
	struct sockaddr_in addr = LO(port);
	int fd = tcp_socket();

	MUST(connect(fd, SA(addr)));
	return fd;
}

/* A connection: ends[0] has connected, ends[1] was accepted. */
static inline void tcp_pair(int ends[2], int port)
{
	int listener = tcp_listener(port, 5);

	ends[0] = tcp_client(port);
	ends[1] = MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
}

/* The state, of TCP_INFO, by name. */
static inline const char *tcp_state_of(int fd)
{
	static const char *const names[] = { "?",	   "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
					     "FIN_WAIT1",  "FIN_WAIT2",	  "TIME_WAIT", "CLOSE",
					     "CLOSE_WAIT", "LAST_ACK",	  "LISTEN",    "CLOSING" };
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	MUST(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &length));
	return names[info.tcpi_state < 12 ? info.tcpi_state : 0];
}

static inline void say_state(const char *who, int fd)
{
	say("%s is in %s", who, tcp_state_of(fd));
}

/* Until the peer's answer has made it so. */
static inline void wait_state(int fd, const char *state)
{
	for (int i = 0; i < 5000 && strcmp(tcp_state_of(fd), state); i++)
		usleep(1000);
	if (strcmp(tcp_state_of(fd), state))
		say("never in %s, but in %s", state, tcp_state_of(fd));
}

/* The masks of poll, epoll and the sets of select, at once. */
static inline void say_masks(const char *when, int fd)
{
	struct epoll_event event = { .events = POLL_ALL }, got = { 0 };
	struct pollfd pfd = { fd, POLL_ALL, 0 };
	int epfd = MUST(epoll_create1(0));
	struct timeval now = { 0 };
	fd_set in, out, except;

	poll(&pfd, 1, 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
	epoll_wait(epfd, &got, 1, 0);
	close(epfd);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	out = except = in;
	select(fd + 1, &in, &out, &except, &now);
	say("%s: poll %x, epoll %x, select %s%s%s", when, pfd.revents, got.events,
	    FD_ISSET(fd, &in) ? "r" : "-", FD_ISSET(fd, &out) ? "w" : "-",
	    FD_ISSET(fd, &except) ? "x" : "-");
}

/* An RST for the peer: with SO_LINGER and no time. */
static inline void reset_and_close(int fd)
{
	struct linger linger = { 1, 0 };

	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	MUST(close(fd));
}

/* Until the peer has acknowledged all. */
static inline void wait_sent(int fd)
{
	int left = 1;

	for (int i = 0; i < 5000 && !ioctl(fd, TIOCOUTQ, &left) && left; i++)
		usleep(1000);
}

/* Until so many wait to be accepted: a client is connected before the listener has its last segment. */
static inline void wait_queued(int listener, unsigned count)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	for (int i = 0; i < 5000 && info.tcpi_unacked < count; i++) {
		MUST(getsockopt(listener, SOL_TCP, TCP_INFO, &info, &length));
		usleep(1000);
	}
}

/* Writes until there is no room, and what is on the way has arrived too. */
static inline void fill(int fd)
{
	static char zeros[1 << 16];
	struct tcp_info info;
	socklen_t length = sizeof(info);
	ssize_t more, n;

	no_wait(fd);
	do {
		more = 0;
		while ((n = write(fd, zeros, sizeof(zeros))) > 0 ||
		       (n = write(fd, zeros, 1000)) > 0)
			more += n;
		MUST(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &length));
		if (info.tcpi_unacked)
			usleep(1000);
	} while (more || info.tcpi_unacked);
	say("filled: %s", errno_text(errno));
}

static inline void wait_readable(int fd, int bytes)
{
	int n = 0;

	for (int i = 0; i < 5000 && !ioctl(fd, FIONREAD, &n) && n < bytes; i++)
		usleep(1000);
}
