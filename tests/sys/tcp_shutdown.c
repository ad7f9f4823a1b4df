/* TCP over lo: how connections end: shutdown, close, linger, simultaneously. */
#include <tests/sys/tcp.h>
#include <time.h>

static char buf[1 << 16];
static int ends[2];

TEST(half)
{
	tcp_pair(ends, 5700);
	SHOW(write(ends[0], "question", 8));
	SHOW(shutdown(ends[0], SHUT_WR));
	SHOW(shutdown(ends[0], SHUT_WR));
	SHOW(read(ends[1], buf, sizeof(buf)));
	SHOW(read(ends[1], buf, sizeof(buf)));
	SHOW(read(ends[1], buf, sizeof(buf)));
	say_state("answerer", ends[1]);
	wait_state(ends[0], "FIN_WAIT2");
	SHOW(write(ends[1], "answer", 6));
	SHOW(read(ends[0], buf, sizeof(buf)));
	SHOW(close(ends[1]));
	SHOW(read(ends[0], buf, sizeof(buf)));
	wait_state(ends[0], "CLOSE");
	SHOW(shutdown(ends[0], SHUT_RD));
	say_name(ends[0]);
	say_peer(ends[0]);
}

TEST(last_ack)
{
	tcp_pair(ends, 5710);
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_for(ends[0], POLLIN);
	say_state("the other", ends[0]);
	SHOW(shutdown(ends[0], SHUT_WR));
	wait_state(ends[0], "CLOSE");
	wait_state(ends[1], "CLOSE");
	SHOW(shutdown(ends[0], SHUT_WR));
	SHOW(shutdown(ends[1], SHUT_RDWR));
	SHOW(read(ends[0], buf, 1));
	SHOW(read(ends[1], buf, 1));
	say_so_error(ends[0]);
}

/* What was written before close() arrives. */
TEST(data_then_close)
{
	ssize_t n, sum = 0;

	tcp_pair(ends, 5720);
	for (int i = 0; i < 10; i++)
		MUST(write(ends[0], buf, 5720));
	MUST(close(ends[0]));
	while ((n = MUST(read(ends[1], buf, sizeof(buf)))) > 0)
		sum += n;
	say("%zd bytes", sum);
}

TEST(linger)
{
	struct linger linger = { 1, 5 };

	tcp_pair(ends, 5730);
	MUST(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	MUST(write(ends[0], "abc", 3));
	SHOW(close(ends[0]));
	SHOW(read(ends[1], buf, sizeof(buf)));
	SHOW(read(ends[1], buf, sizeof(buf)));
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The peer does not read: close() waits as long as it may, no longer. */
TEST(linger_in_vain)
{
	struct linger linger = { 1, 1 };
	double start;

	tcp_pair(ends, 5740);
	MUST(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	no_wait(ends[0]);
	while (write(ends[0], buf, sizeof(buf)) > 0)
		;
	start = now();
	SHOW(close(ends[0]));
	say("it took %s", now() - start < 0.9  ? "too short"
			  : now() - start > 10 ? "too long"
					       : "a second");
}

TEST(linger2)
{
	tcp_pair(ends, 5750);
	set_option(ends[0], SOL_TCP, TCP_LINGER2, -1);
	MUST(close(ends[0]));
	wait_for(ends[1], POLLIN);
	SHOW(read(ends[1], buf, 1));
	wait_state(ends[1], "CLOSE");
	SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
	say_so_error(ends[1]);
}

/* Does a connection, or what is left of one, have this port? */
static bool is_listed(unsigned wanted)
{
	FILE *file = fopen("/proc/net/tcp", "r");
	unsigned port = 0;
	char line[200];

	while (port != wanted && fgets(line, sizeof(line), file))
		sscanf(line, " %*d: %*8x:%x", &port);
	fclose(file);
	return port == wanted;
}

/* Nobody has the socket, and the peer does not close: it is waited for so long, and then forgotten. */
TEST(linger2_ends)
{
	int i = 0;

	tcp_pair(ends, 5751);
	set_option(ends[1], SOL_TCP, TCP_LINGER2, 1);
	MUST(close(ends[1]));
	wait_for(ends[0], POLLRDHUP);
	say("%s", is_listed(5751) ? "waits" : "does not wait");
	while (i++ < 1000 && is_listed(5751))
		usleep(10000);
	say("%s", is_listed(5751) ? "still waits" : "is over");
}

/* A process that waits in read() or write() hears of its own socket's shutdown by another thread. */
TEST(while_reading)
{
	pid_t child;

	tcp_pair(ends, 5760);
	child = MUST(fork());
	if (!child) {
		usleep(50000);
		shutdown(ends[0], SHUT_RD);
		_exit(0);
	}
	SHOW(read(ends[0], buf, 1));
	reap("child", child);
}

TEST(while_writing)
{
	pid_t child;

	tcp_pair(ends, 5770);
	signal(SIGPIPE, SIG_IGN);
	child = MUST(fork());
	if (!child) {
		usleep(50000);
		shutdown(ends[0], SHUT_WR);
		_exit(0);
	}
	while (write(ends[0], buf, sizeof(buf)) > 0)
		;
	say("%s", errno_text(errno));
	reap("child", child);
}

/* A dup keeps it open. */
TEST(dup_keeps)
{
	int copy;

	tcp_pair(ends, 5780);
	copy = MUST(dup(ends[0]));
	MUST(close(ends[0]));
	SHOW(write(copy, "abc", 3));
	SHOW(read(ends[1], buf, 10));
	MUST(close(copy));
	SHOW(read(ends[1], buf, 10));
}

/* The end of a process closes what it had. */
TEST(process_ends)
{
	pid_t child;

	tcp_pair(ends, 5790);
	child = MUST(fork());
	if (!child) {
		close(ends[1]);
		write(ends[0], "last words", 10);
		_exit(0);
	}
	MUST(close(ends[0]));
	reap("child", child);
	SHOW(read(ends[1], buf, 20));
	SHOW(read(ends[1], buf, 20));
}

TEST(many)
{
	int listener = tcp_listener(5800, 5), client, server, good = 0;

	for (int i = 0; i < 300; i++) {
		client = tcp_client(5800);
		server = MUST(accept(listener, NULL, NULL));
		MUST(write(client, "ping", 4));
		MUST(read(server, buf, 10));
		MUST(write(server, "pong", 4));
		good += read(client, buf, 10) == 4;
		MUST(close(i & 1 ? client : server));
		MUST(close(i & 1 ? server : client));
	}
	say("%d of 300", good);
}
