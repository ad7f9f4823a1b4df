/* SOL_SOCKET: every option's value, limits, lengths and errors. */
#include <tests/sys/sockets.h>

static int fds[2];

#define OPTION(name)        \
	{                   \
		name, #name \
	}
static const struct option {
	int number;
	const char *name;
} options[] = {
	OPTION(SO_DEBUG),
	OPTION(SO_REUSEADDR),
	OPTION(SO_TYPE),
	OPTION(SO_ERROR),
	OPTION(SO_DONTROUTE),
	OPTION(SO_BROADCAST),
	OPTION(SO_SNDBUF),
	OPTION(SO_RCVBUF),
	OPTION(SO_KEEPALIVE),
	OPTION(SO_OOBINLINE),
	OPTION(SO_NO_CHECK),
	OPTION(SO_PRIORITY),
	OPTION(SO_BSDCOMPAT),
	OPTION(SO_REUSEPORT),
	OPTION(SO_PASSCRED),
	OPTION(SO_RCVLOWAT),
	OPTION(SO_SNDLOWAT),
	OPTION(SO_TIMESTAMP),
	OPTION(SO_TIMESTAMPNS),
	OPTION(SO_ACCEPTCONN),
	OPTION(SO_PROTOCOL),
	OPTION(SO_DOMAIN),
	OPTION(SO_MARK),
	OPTION(SO_RXQ_OVFL),
	OPTION(SO_SELECT_ERR_QUEUE),
};

static void show_all(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		int value = -77;
		socklen_t length = sizeof(value);
		int result = getsockopt(fd, SOL_SOCKET, options[i].number, &value, &length);

		say("%s: %s, %d, %d bytes", options[i].name, result ? errno_text(errno) : "ok",
		    value, length);
	}
}

static int get(int fd, int option)
{
	int value = -77;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &length))
		return -errno;
	return value;
}

static void set(int fd, const char *name, int option, int value)
{
	int result = setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));

	say("%s to %d: %s, then %d", name, value, result ? errno_text(errno) : "ok",
	    get(fd, option));
}

TEST(defaults)
{
	say("stream");
	show_all(MUST(socket(AF_UNIX, SOCK_STREAM, 0)));
	say("datagram");
	show_all(MUST(socket(AF_UNIX, SOCK_DGRAM, 1)));
	say("sequenced packets");
	show_all(MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)));
	say("listener");
	show_all(listener("@x", SOCK_STREAM, 1));
}

TEST(switches)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].number == SO_SNDBUF || options[i].number == SO_RCVBUF)
			continue;
		set(fd, options[i].name, options[i].number, 1);
		set(fd, options[i].name, options[i].number, 17);
		set(fd, options[i].name, options[i].number, 0);
		set(fd, options[i].name, options[i].number, -1);
	}
	show_all(fd);
}

TEST(buffers)
{
	static const int sizes[] = { 0,	     1,	      1000,    2304,	4608,	 10000, 106496,
				     212992, 1000000, 4194304, 5000000, INT_MAX, -1,	INT_MIN };
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		set(fd, "SO_SNDBUF", SO_SNDBUF, sizes[i]);
		set(fd, "SO_RCVBUF", SO_RCVBUF, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sizes[i], 4);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &sizes[i], 4);
		say("forced to %d: %d %d", sizes[i], get(fd, SO_SNDBUF), get(fd, SO_RCVBUF));
	}
	SHOW(get(fd, SO_SNDBUFFORCE));
}

TEST(not_root)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	become_nobody();
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		set(fd, options[i].name, options[i].number, 5);
	set(fd, "SO_PRIORITY", SO_PRIORITY, 6);
	set(fd, "SO_PRIORITY", SO_PRIORITY, 7);
	set(fd, "SO_SNDBUFFORCE", SO_SNDBUFFORCE, 7);
	set(fd, "SO_RCVBUFFORCE", SO_RCVBUFFORCE, 7);
}

TEST(lengths)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), value = 0x11223344;
	char bytes[8];

	for (socklen_t given = 0; given <= 6; given++) {
		socklen_t length = given;

		memset(bytes, 'x', sizeof(bytes));
		SHOW(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, bytes, &length));
		say("given %d: %d bytes, %.4s", given, length, bytes + 4);
		SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, given));
	}
	SHOW(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, bytes, &(socklen_t){ -1 }));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, -1));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, 100));
	SHOW(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, (void *)8, &(socklen_t){ 4 }));
	SHOW(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, bytes, (void *)8));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, (void *)8, 4));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, (void *)8, 3));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, NULL, 4));
	SHOW(setsockopt(fd, SOL_SOCKET, 9999, &value, 4));
	SHOW(setsockopt(fd, SOL_SOCKET, -1, &value, 4));
	SHOW(getsockopt(fd, SOL_SOCKET, 9999, bytes, &(socklen_t){ 4 }));
	SHOW(setsockopt(fd, 77, SO_BROADCAST, &value, 4));
	SHOW(getsockopt(fd, 77, SO_BROADCAST, bytes, &(socklen_t){ 4 }));
	SHOW(getsockopt(fd, 6, 1, bytes, &(socklen_t){ 4 }));
	SHOW(setsockopt(fd, 6, 1, &value, 4));
	SHOW(getsockopt(0, SOL_SOCKET, SO_SNDBUF, bytes, &(socklen_t){ 4 }));
	SHOW(setsockopt(99, SOL_SOCKET, SO_SNDBUF, &value, 4));
}

TEST(linger)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	struct linger linger = { 5, 10 };
	socklen_t length = sizeof(linger);

	SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
	say("%d, %d seconds, %d bytes", linger.l_onoff, linger.l_linger, length);
	linger = (struct linger){ 0, 20 };
	SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
	say("%d, %d seconds", linger.l_onoff, linger.l_linger);
	SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
	length = 5;
	SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
	say("%d bytes", length);
}

static void time_limit(int fd, int option, long sec, long usec)
{
	struct timeval time = { sec, usec };
	socklen_t length = sizeof(time);
	int result = setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));

	say("%ld %ld: %s", sec, usec, result ? errno_text(errno) : "ok");
	getsockopt(fd, SOL_SOCKET, option, &time, &length);
	say("%ld %ld, %d bytes", (long)time.tv_sec, (long)time.tv_usec, length);
}

TEST(time_limits)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	socklen_t length = 7;

	for (int i = 0; i < 2; i++) {
		int option = i ? SO_SNDTIMEO : SO_RCVTIMEO;

		time_limit(fd, option, 3, 500000);
		time_limit(fd, option, 0, 1000000);
		time_limit(fd, option, 0, -1);
		time_limit(fd, option, -5, 0);
		time_limit(fd, option, 100000, 0);
		time_limit(fd, option, 0, 0);
		SHOW(setsockopt(fd, SOL_SOCKET, option, &(long){ 1 }, 8));
		SHOW(getsockopt(fd, SOL_SOCKET, option, buf, &length));
		say("%d bytes", length);
	}
	pair(fds, SOCK_STREAM);
	time_limit(fds[0], SO_RCVTIMEO, -1, 0);
	SHOW(read(fds[0], buf, 1));
}

TEST(low_water)
{
	pair(fds, SOCK_STREAM);
	set(fds[1], "SO_RCVLOWAT", SO_RCVLOWAT, 4);
	MUST(write(fds[0], "abc", 3));
	SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
	IN_CHILD("reader")
	{
		if (fork() == 0) {
			MUST(write(fds[0], "abc", 3));
			sleep_ms(20);
			MUST(write(fds[0], "de", 2));
			_exit(0);
		}
		SHOW(recv(fds[1], buf, 10, 0));
		wait(NULL);
	}
	set(fds[1], "SO_RCVLOWAT", SO_RCVLOWAT, 0);
	set(fds[1], "SO_RCVLOWAT", SO_RCVLOWAT, -5);
}
