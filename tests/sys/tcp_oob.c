/* TCP over lo: the urgent byte. */
#include <tests/sys/tcp.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static char buf[64];
static int ends[2];

static void receive(size_t size, int flags)
{
	ssize_t n;

	memset(buf, 0, sizeof(buf));
	n = SHOW(recv(ends[1], buf, size, flags));
	if (n > 0)
		say("\"%s\"", buf);
}

static void say_mark(void)
{
	int mark = -1, n = -1;

	SHOW(ioctl(ends[1], SIOCATMARK, &mark));
	SHOW(ioctl(ends[1], FIONREAD, &n));
	say("at mark %d, %d to read", mark, n);
}

TEST(out_of_line)
{
	tcp_pair(ends, 5900);
	receive(1, MSG_OOB);
	SHOW(send(ends[0], "abc", 3, 0));
	SHOW(send(ends[0], "defU", 4, MSG_OOB));
	SHOW(send(ends[0], "ghi", 3, 0));
	wait_sent(ends[0]);
	say_masks("urgent", ends[1]);
	say_mark();
	receive(1, MSG_OOB | MSG_PEEK);
	receive(60, MSG_PEEK);
	receive(2, 0);
	receive(60, 0);
	say_mark();
	say_masks("at the mark", ends[1]);
	receive(1, MSG_OOB);
	say_masks("taken", ends[1]);
	receive(1, MSG_OOB);
	say_mark();
	receive(60, 0);
	say_mark();
	receive(1, MSG_OOB);
	say_masks("over", ends[1]);
}

TEST(in_line)
{
	tcp_pair(ends, 5910);
	set_option(ends[1], SOL_SOCKET, SO_OOBINLINE, 1);
	SHOW(send(ends[0], "abcU", 4, MSG_OOB));
	SHOW(send(ends[0], "def", 3, 0));
	wait_sent(ends[0]);
	say_masks("urgent", ends[1]);
	say_mark();
	receive(60, MSG_OOB);
	receive(60, 0);
	say_mark();
	receive(60, 0);
	say_mark();
}

TEST(alone)
{
	tcp_pair(ends, 5920);
	SHOW(send(ends[0], "U", 1, MSG_OOB));
	wait_for(ends[1], POLLPRI);
	say_masks("urgent", ends[1]);
	say_mark();
	receive(60, MSG_DONTWAIT);
	say_mark();
	receive(0, MSG_OOB);
	receive(60, MSG_OOB);
	SHOW(send(ends[0], "x", 1, 0));
	wait_readable(ends[1], 1);
	receive(60, 0);
	say_mark();
}

TEST(twice)
{
	tcp_pair(ends, 5930);
	SHOW(send(ends[0], "aU", 2, MSG_OOB));
	SHOW(send(ends[0], "bV", 2, MSG_OOB));
	wait_sent(ends[0]);
	receive(60, MSG_OOB);
	receive(60, 0);
	receive(60, MSG_DONTWAIT);
	receive(60, MSG_OOB);
}

TEST(at_the_end)
{
	tcp_pair(ends, 5940);
	SHOW(send(ends[0], "abU", 3, MSG_OOB));
	MUST(close(ends[0]));
	wait_for(ends[1], POLLRDHUP);
	say_masks("urgent, FIN", ends[1]);
	receive(60, 0);
	receive(60, 0);
	receive(60, MSG_OOB);
}

TEST(select_except)
{
	struct timeval wait = { 5, 0 };
	fd_set except;

	tcp_pair(ends, 5950);
	SHOW(send(ends[0], "U", 1, MSG_OOB));
	FD_ZERO(&except);
	FD_SET(ends[1], &except);
	SHOW(select(ends[1] + 1, NULL, NULL, &except, &wait));
}
