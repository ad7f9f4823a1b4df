/* TCP over lo: bytes: flags of send and recv, partial reads, several readers, much data, sendfile. */
#include <pthread.h>
#include <sys/sendfile.h>
#include <tests/sys/tcp.h>

static char buf[1 << 17];
static int ends[2];

static void receive(size_t size, int flags)
{
	ssize_t n;

	memset(buf, 0, 64);
	n = SHOW(recv(ends[1], buf, size, flags));
	if (n > 0 && n < 64)
		say("\"%s\"", buf);
}

TEST(flags)
{
	tcp_pair(ends, 6300);
	receive(10, MSG_DONTWAIT);
	SHOW(send(ends[0], "hello, world", 12, 0));
	wait_readable(ends[1], 12);
	receive(5, MSG_PEEK);
	receive(60, MSG_PEEK);
	receive(5, 0);
	receive(2, MSG_TRUNC);
	receive(60, MSG_PEEK | MSG_DONTWAIT);
	receive(5, MSG_WAITALL);
	receive(60, MSG_DONTWAIT);
	receive(60, MSG_ERRQUEUE);
	SHOW(send(ends[0], "", 0, 0));
	receive(60, MSG_DONTWAIT);
	SHOW(send(ends[0], "x", 1, MSG_DONTWAIT | MSG_EOR));
	receive(0, 0);
	receive(1, 0);
	receive(0, MSG_DONTWAIT);
}

TEST(pieces)
{
	struct iovec out[] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } };
	char first[3], second[10] = "";
	struct iovec in[] = { { first, sizeof(first) }, { second, sizeof(second) } };
	struct sockaddr_in from = { 0 }, to = LO(9);
	socklen_t length = sizeof(from);
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2
	};

	tcp_pair(ends, 6310);
	SHOW(writev(ends[0], out, 3));
	wait_readable(ends[1], 6);
	SHOW(readv(ends[1], in, 2));
	say("%.3s|%s", first, second);
	SHOW(sendto(ends[0], "to", 2, 0, SA(to)));
	wait_readable(ends[1], 2);
	SHOW(recvfrom(ends[1], buf, 10, 0, (struct sockaddr *)&from, &length));
	say("address length %u", length);
	SHOW(write(ends[0], "xyz", 3));
	wait_readable(ends[1], 3);
	SHOW(recvmsg(ends[1], &message, 0));
	say("address length %u, flags %x", message.msg_namelen, message.msg_flags);
}

TEST(waitall)
{
	pid_t child;

	tcp_pair(ends, 6320);
	child = MUST(fork());
	if (!child) {
		for (int i = 0; i < 5; i++) {
			usleep(10000);
			write(ends[0], "abcd", 4);
		}
		_exit(0);
	}
	receive(20, MSG_WAITALL);
	reap("child", child);
	MUST(write(ends[0], "rest", 4));
	MUST(shutdown(ends[0], SHUT_WR));
	receive(20, MSG_WAITALL);
	receive(20, MSG_WAITALL);
}

TEST(peek_waitall)
{
	pid_t child;

	tcp_pair(ends, 6330);
	child = MUST(fork());
	if (!child) {
		for (int i = 0; i < 3; i++) {
			usleep(10000);
			write(ends[0], "abcd", 4);
		}
		_exit(0);
	}
	receive(12, MSG_WAITALL | MSG_PEEK);
	reap("child", child);
	receive(60, 0);
}

static pid_t waiting_for_byte(int flags)
{
	pid_t child = MUST(fork());

	if (!child)
		_exit(recv(ends[1], buf, 1, flags) != 1);
	wait_asleep(child, child);
	return child;
}

/* Somebody else takes what one wanted to look at: that one waits for what comes next. */
static void peek_and_read(int first, int second)
{
	pid_t children[2];

	children[0] = waiting_for_byte(first);
	children[1] = waiting_for_byte(second);
	MUST(write(ends[0], "x", 1));
	reap("the reader", children[first ? 1 : 0]);
	MUST(write(ends[0], "y", 1));
	reap("who looks", children[first ? 0 : 1]);
	receive(60, 0);
}

TEST(peek_and_read)
{
	tcp_pair(ends, 6440);
	peek_and_read(MSG_PEEK, 0);
	peek_and_read(0, MSG_PEEK);
}

TEST(timeouts)
{
	struct timeval soon = { 0, 50000 };

	tcp_pair(ends, 6340);
	MUST(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	receive(10, 0);
	MUST(write(ends[0], "ab", 2));
	wait_readable(ends[1], 2);
	receive(10, MSG_WAITALL);
	MUST(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	while (write(ends[0], buf, sizeof(buf)) > 0)
		;
	say("%s", errno_text(errno));
}

static void interrupted(int sig)
{
}

TEST(signals)
{
	tcp_pair(ends, 6350);
	set_handler(SIGALRM, interrupted, 0);
	signal_when_asleep(SIGALRM);
	receive(10, 0);
	MUST(write(ends[0], "ab", 2));
	wait_readable(ends[1], 2);
	signal_when_asleep(SIGALRM);
	receive(10, MSG_WAITALL);
}

TEST(bad_memory)
{
	tcp_pair(ends, 6360);
	SHOW(write(ends[0], (void *)8, 10));
	SHOW(write(ends[0], "abc", 3));
	wait_readable(ends[1], 3);
	SHOW(read(ends[1], (void *)8, 10));
	receive(60, 0);
}

/* Whether this is not there 20 ms later. It would be after 200 ms: who was stopped for so long tries again. */
static bool held_back(const char *text, int flags)
{
	for (;;) {
		int64_t start = now_ns();
		int n = 0;

		MUST(send(ends[0], text, strlen(text), flags));
		usleep(20000);
		MUST(ioctl(ends[1], FIONREAD, &n));
		if (now_ns() - start < 150 * MSEC)
			return n == 0;
		set_option(ends[0], SOL_TCP, TCP_CORK, 0);
		wait_readable(ends[1], strlen(text));
		MUST(recv(ends[1], buf, sizeof(buf), 0));
		set_option(ends[0], SOL_TCP, TCP_CORK, !(flags & MSG_MORE));
	}
}

/* MSG_MORE and TCP_CORK hold back what is no full segment; two tenths of a second at most. */
TEST(cork)
{
	tcp_pair(ends, 6370);
	set_option(ends[0], SOL_TCP, TCP_CORK, 1);
	say("held back: %s", yes_no(held_back("abc", 0)));
	set_option(ends[0], SOL_TCP, TCP_CORK, 0);
	receive(60, 0);
	say("held back: %s", yes_no(held_back("def", MSG_MORE)));
	MUST(send(ends[0], "ghi", 3, 0));
	wait_readable(ends[1], 6);
	receive(60, 0);
	MUST(send(ends[0], "jkl", 3, MSG_MORE));
	receive(60, 0);
}

/* Several small writes may be one read. */
TEST(small_writes)
{
	tcp_pair(ends, 6380);
	for (int i = 0; i < 1000; i++)
		MUST(write(ends[0], "0123456789", 10));
	wait_readable(ends[1], 10000);
	SHOW(read(ends[1], buf, sizeof(buf)));
	for (int i = 0; i < 10000; i++)
		if (buf[i] != '0' + i % 10)
			say("wrong at %d", i);
}

/* A byte's value follows from where it is. */
static unsigned char pattern(size_t at)
{
	return at * 7 + (at >> 9) + (at >> 17);
}

static void send_pattern(int fd, size_t total, size_t most)
{
	static char out[1 << 17];
	size_t sent = 0;
	ssize_t n;

	while (sent < total) {
		size_t size = 1 + (sent * 31 + 7777) % most;

		if (size > total - sent)
			size = total - sent;
		for (size_t i = 0; i < size; i++)
			out[i] = pattern(sent + i);
		for (size_t done = 0; done < size; done += n) {
			n = write(fd, out + done, size - done);
			if (n < 0)
				_exit(9);
		}
		sent += size;
	}
}

static size_t check_pattern(int fd, size_t most)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf, 1 + (got * 13 + 999) % most)) > 0)
		for (ssize_t i = 0; i < n; i++, got++)
			if ((unsigned char)buf[i] != pattern(got)) {
				say("wrong at %zu", got);
				return got;
			}
	return got;
}

static void stream(int port, size_t total, size_t most_out, size_t most_in)
{
	pid_t child;

	tcp_pair(ends, port);
	child = MUST(fork());
	if (!child) {
		close(ends[1]);
		send_pattern(ends[0], total, most_out);
		_exit(0);
	}
	MUST(close(ends[0]));
	say("%zu bytes", check_pattern(ends[1], most_in));
	reap("child", child);
	MUST(close(ends[1]));
}

TEST(much)
{
	stream(6390, 4 << 20, 100000, 100000);
	stream(6391, 2 << 20, 3000, 100000);
	stream(6392, 2 << 20, 100000, 3000);
	stream(6393, 200000, 100, 100);
}

/* Both directions at once, more than the buffers hold. */
TEST(both_ways)
{
	pid_t children[2];

	tcp_pair(ends, 6400);
	for (int i = 0; i < 2; i++) {
		children[i] = MUST(fork());
		if (!children[i]) {
			send_pattern(ends[i], 2 << 20, 20000);
			shutdown(ends[i], SHUT_WR);
			_exit(0);
		}
	}
	if (!fork()) {
		_exit(check_pattern(ends[0], 50000) != 2 << 20);
	}
	say("%zu bytes", check_pattern(ends[1], 50000));
	for (int i = 0; i < 3; i++) {
		int status;

		wait(&status);
		say("status %d", status);
	}
}

static void *read_some(void *arg)
{
	char mine[100];
	long sum = 0;
	ssize_t n;

	while ((n = read(ends[1], mine, sizeof(mine))) > 0)
		sum += n;
	return (void *)sum;
}

TEST(readers)
{
	pthread_t threads[4];
	long total = 0;

	tcp_pair(ends, 6410);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, read_some, NULL);
	for (int i = 0; i < 1000; i++)
		MUST(write(ends[0], buf, 77));
	MUST(shutdown(ends[0], SHUT_WR));
	for (int i = 0; i < 4; i++) {
		void *sum;

		pthread_join(threads[i], &sum);
		total += (long)sum;
	}
	say("%ld bytes", total);
}

TEST(sendfile)
{
	int file = MUST(open("file", O_CREAT | O_RDWR, 0644));
	size_t total = 300000;
	off_t at = 1000;
	pid_t child;

	send_pattern(file, total, 50000);
	MUST(lseek(file, 0, SEEK_SET));
	tcp_pair(ends, 6420);
	child = MUST(fork());
	if (!child) {
		MUST(close(ends[0]));
		say("%zu bytes", check_pattern(ends[1], 50000));
		_exit(0);
	}
	MUST(close(ends[1]));
	SHOW(sendfile(ends[0], file, NULL, total));
	MUST(close(ends[0]));
	reap("child", child);
	tcp_pair(ends, 6421);
	SHOW(sendfile(ends[0], file, &at, 10));
	say("at %d", (int)at);
	wait_readable(ends[1], 10);
	SHOW(read(ends[1], buf, 100));
	say("%d", (unsigned char)buf[0] == pattern(1000));
}

/* The kernel holds no more than it should: the writer waits. */
TEST(full)
{
	size_t written = 0, got = 0;
	ssize_t n;

	tcp_pair(ends, 6430);
	set_option(ends[0], SOL_SOCKET, SO_SNDBUF, 20000);
	no_wait(ends[0]);
	while ((n = write(ends[0], buf, 1000)) > 0 && written < 100 << 20)
		written += n;
	say("%s after %s", errno_text(errno),
	    written > 10000 && written < 20 << 20 ? "some" : "too little or too much");
	SHOW(write(ends[0], buf, 1));
	MUST(shutdown(ends[0], SHUT_WR));
	while ((n = read(ends[1], buf, sizeof(buf))) > 0)
		got += n;
	say("%s", got == written ? "all of it" : "not all");
}
