/*
 * Everything that can be waited for, in each of its states, under all three: what poll and the sets of select say, what a
 * level-triggered and an edge-triggered epoll say, each registered once, at the beginning.
 *
 *	  t0
 *	 /  \
 *	e0   e1
 *	lt\  /et
 *	   f0		and the same f0 under poll and select
 *
 * An edge that comes twice counts once, and one that is missing is seen: so after whatever sends something, the test
 * waits until it has arrived before it looks.
 */
#include <netinet/ip_icmp.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <tests/sys/epoll.h>
#include <tests/sys/tcp.h>

static char buf[1 << 16];
static int level, edge, watched;
static int a[2], b[2];

static void watch_both(int fd)
{
	level = make_epoll();
	edge = make_epoll();
	watched = fd;
	watch(level, fd, POLL_ALL);
	watch(edge, fd, POLL_ALL | EPOLLET);
}

static unsigned int events_of(int epfd)
{
	struct epoll_event event = { 0 };

	return epoll_wait(epfd, &event, 1, 0) == 1 ? event.events : 0;
}

static void look(const char *when)
{
	struct pollfd pfd = { watched, POLL_ALL, 0 };
	struct timeval now = { 0 };
	fd_set sets[3];

	poll(&pfd, 1, 0);
	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		FD_SET(watched, &sets[i]);
	}
	select(watched + 1, &sets[0], &sets[1], &sets[2], &now);
	say("%s: poll %x, select %s%s%s, level %x, edge %x", when, pfd.revents,
	    FD_ISSET(watched, &sets[0]) ? "r" : "-", FD_ISSET(watched, &sets[1]) ? "w" : "-",
	    FD_ISSET(watched, &sets[2]) ? "x" : "-", events_of(level), events_of(edge));
}

/* ---- pipes ---- */

TEST(pipe_reader)
{
	make_pipe(a);
	watch_both(a[0]);
	look("empty");
	MUST(write(a[1], "abc", 3));
	look("data");
	MUST(read(a[0], buf, 1));
	look("part of it read");
	MUST(write(a[1], "d", 1));
	look("more");
	drain(a[0]);
	look("drained");
	MUST(write(a[1], "abc", 3));
	close(a[1]);
	look("data, and the writer gone");
	drain(a[0]);
	look("drained");
}

TEST(pipe_writer)
{
	make_pipe(a);
	watch_both(a[1]);
	look("empty");
	while (write(a[1], buf, 4096) > 0)
		;
	look("full");
	MUST(read(a[0], buf, 1));
	look("one byte read");
	MUST(read(a[0], buf, 4095));
	look("a page read");
	drain(a[0]);
	look("drained");
	close(a[0]);
	look("the reader gone");
}

TEST(fifo_reader)
{
	int writer;

	MUST(mkfifo("f", 0644));
	watch_both(MUST(open("f", O_RDONLY | O_NONBLOCK)));
	look("no writer yet");
	writer = MUST(open("f", O_WRONLY));
	look("a writer");
	MUST(write(writer, "x", 1));
	look("data");
	close(writer);
	look("the writer gone");
	drain(watched);
	look("drained");
	writer = MUST(open("f", O_WRONLY));
	look("a new writer");
	close(writer);
	look("gone, too");
}

TEST(fifo_of_both)
{
	MUST(mkfifo("f", 0644));
	watch_both(MUST(open("f", O_RDWR | O_NONBLOCK)));
	look("empty");
	MUST(write(watched, "x", 1));
	look("data");
	while (write(watched, buf, 4096) > 0)
		;
	look("full");
	drain(watched);
	look("drained");
}

/* ---- events ---- */

TEST(event)
{
	watch_both(make_event(0));
	look("0");
	post(watched);
	look("1");
	post(watched);
	look("2");
	MUST(write(watched, (uint64_t[]){ UINT64_MAX - 3 }, 8));
	look("as high as it goes");
	drain(watched);
	look("0");
}

TEST(event_semaphore)
{
	watch_both(MUST(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE)));
	look("2");
	MUST(read(watched, buf, 8));
	look("1");
	MUST(read(watched, buf, 8));
	look("0");
	post(watched);
	look("1");
}

static void set_timer(int flags, struct timespec when, long interval_s)
{
	struct itimerspec spec = { .it_value = when, .it_interval.tv_sec = interval_s };

	MUST(timerfd_settime(watched, flags, &spec, NULL));
}

static const struct timespec never, now = { 0, 1 }, far_away = { 1000, 0 };

TEST(timer)
{
	watch_both(MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)));
	look("not set");
	set_timer(0, far_away, 0);
	look("far away");
	set_timer(0, now, 0);
	wait_for(watched, POLLIN);
	look("over");
	MUST(read(watched, buf, 8));
	look("read");
	set_timer(0, now, 3600);
	wait_for(watched, POLLIN);
	look("the first of an interval");
	set_timer(0, far_away, 0);
	look("set anew");
	set_timer(TFD_TIMER_ABSTIME, now, 0);
	wait_for(watched, POLLIN);
	look("at a time that has been");
	set_timer(0, never, 0);
	look("stopped");
}

TEST(timer_of_the_wall)
{
	watch_both(MUST(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK)));
	set_timer(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, now, 0);
	wait_for(watched, POLLIN);
	look("at a time that has been");
	MUST(read(watched, buf, 8));
	look("read");
}

TEST(signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch_both(MUST(signalfd(-1, &set, SFD_NONBLOCK)));
	look("none");
	raise(SIGUSR1);
	look("one");
	raise(SIGUSR1);
	look("the same again");
	raise(SIGUSR2);
	look("another");
	MUST(read(watched, buf, 128));
	look("one read");
	MUST(read(watched, buf, 128));
	look("both read");
}

TEST(process)
{
	pid_t pid;

	make_pipe(a);
	fcntl(a[0], F_SETFL, 0);
	pid = MUST(fork());
	if (pid == 0) {
		close(a[1]);
		read(a[0], buf, 1);
		_exit(3);
	}
	watch_both(MUST(syscall(SYS_pidfd_open, pid, 0)));
	look("alive");
	close(a[1]);
	wait_for(watched, POLLIN);
	look("dead");
	reap("child", pid);
	look("forgotten");
}

TEST(eventpoll)
{
	int inner = make_epoll(), event = make_event(0), second = make_event(0);

	watch(inner, event, EPOLLIN);
	watch(inner, second, EPOLLIN | EPOLLET);
	watch_both(inner);
	look("quiet");
	post(event);
	look("one ready");
	post(second);
	look("two");
	drain(event);
	look("the edge is left");
	WAIT("taken", inner, event, second);
	look("quiet");
	post(event);
	look("ready");
	MUST(ctl(inner, EPOLL_CTL_DEL, event, 0, 0));
	look("no longer watched");
}

/* ---- unix sockets ---- */

static void fill_up(int fd, int size)
{
	int count = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, buf, size) > 0 && ++count < 100000)
		;
}

TEST(unix_stream)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a));
	watch_both(a[0]);
	look("idle");
	MUST(write(a[1], "abc", 3));
	look("data");
	MUST(read(a[0], buf, 1));
	look("part of it read");
	MUST(write(a[1], "def", 3));
	look("more");
	drain(a[0]);
	look("drained");
	fill_up(a[0], 1000);
	look("full");
	drain(a[1]);
	look("the peer has drained it");
	MUST(shutdown(a[1], SHUT_WR));
	look("SHUT_WR of the peer");
	MUST(shutdown(a[0], SHUT_WR));
	look("SHUT_WR here");
	close(a[1]);
	look("the peer gone");
}

TEST(unix_stream_ends)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a));
	watch_both(a[0]);
	MUST(write(a[0], "unread", 6));
	MUST(write(a[1], "abc", 3));
	look("data");
	close(a[1]);
	look("the peer gone, with unread data");
	read(a[0], buf, 1);
	look("told");
	drain(a[0]);
	look("drained");
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a));
	watch_both(a[0]);
	look("idle");
	MUST(shutdown(a[0], SHUT_RD));
	look("SHUT_RD here");
	watch_both(MUST(socket(AF_UNIX, SOCK_STREAM, 0)));
	look("never connected");
}

static socklen_t name_unix(struct sockaddr *addr, const char *name)
{
	*addr = (struct sockaddr){ .sa_family = AF_UNIX };
	strcpy(addr->sa_data, name);
	return sizeof(*addr);
}

static int unix_bound(int type, const char *name)
{
	struct sockaddr addr;
	int fd = MUST(socket(AF_UNIX, type | SOCK_NONBLOCK, 0));

	MUST(bind(fd, &addr, name_unix(&addr, name)));
	return fd;
}

static int unix_connected(int type, const char *name)
{
	struct sockaddr addr;
	int fd = MUST(socket(AF_UNIX, type | SOCK_NONBLOCK, 0));

	MUST(connect(fd, &addr, name_unix(&addr, name)));
	return fd;
}

TEST(unix_listener)
{
	int fds[2];

	watch_both(unix_bound(SOCK_STREAM, "s"));
	look("bound");
	MUST(listen(watched, 5));
	look("listening");
	fds[0] = unix_connected(SOCK_STREAM, "s");
	look("one waits");
	fds[1] = unix_connected(SOCK_STREAM, "s");
	look("two wait");
	MUST(accept(watched, NULL, NULL));
	look("one left");
	MUST(accept(watched, NULL, NULL));
	look("none left");
	MUST(shutdown(watched, SHUT_RD));
	look("shut");
	close(fds[0]);
	close(fds[1]);
}

TEST(unix_client)
{
	int listener = unix_bound(SOCK_STREAM, "s");

	MUST(listen(listener, 5));
	watch_both(unix_connected(SOCK_STREAM, "s"));
	look("not accepted");
	a[0] = MUST(accept(listener, NULL, NULL));
	look("accepted");
	watch_both(unix_connected(SOCK_STREAM, "s"));
	close(listener);
	look("never accepted");
}

TEST(unix_datagrams)
{
	watch_both(unix_bound(SOCK_DGRAM, "d"));
	look("bound");
	a[0] = unix_connected(SOCK_DGRAM, "d");
	a[1] = unix_connected(SOCK_DGRAM, "d");
	MUST(send(a[0], "", 0, 0));
	look("an empty one");
	MUST(send(a[1], "abc", 3, 0));
	look("two");
	MUST(recv(watched, buf, 100, 0));
	look("one read");
	MUST(recv(watched, buf, 100, 0));
	look("both read");
	b[0] = watched;
	watch_both(a[0]);
	look("sender");
	fill_up(a[1], 10);
	look("the receiver's queue is full");
	drain(b[0]);
	look("drained");
	close(b[0]);
	look("the receiver gone");
	SHOW(send(a[0], "x", 1, 0));
	look("told");
}

TEST(unix_packets)
{
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, a));
	watch_both(a[0]);
	look("idle");
	MUST(write(a[1], "abc", 3));
	MUST(write(a[1], "def", 3));
	look("two");
	MUST(read(a[0], buf, 1));
	look("part of the first read");
	MUST(shutdown(a[1], SHUT_WR));
	look("SHUT_WR of the peer");
	drain(a[0]);
	look("drained");
	close(a[1]);
	look("the peer gone");
}

/* ---- UDP, ping, raw ---- */

TEST(udp)
{
	struct sockaddr_in nobody = LO(6002);

	watch_both(udp_bound("127.0.0.1", 6000));
	look("bound");
	a[0] = udp_connected(6000);
	MUST(send(a[0], "", 0, 0));
	wait_for(watched, POLLIN);
	look("an empty one");
	MUST(send(a[0], "abc", 3, 0));
	wait_readable(watched, 0);
	MUST(recv(watched, buf, 100, 0));
	wait_for(watched, POLLIN);
	look("the second one left");
	MUST(recv(watched, buf, 100, 0));
	look("both read");
	MUST(connect(watched, SA(nobody)));
	look("connected");
	MUST(send(watched, "x", 1, 0));
	wait_for(watched, 0);
	look("refused");
	say_so_error(watched);
	look("told");
	MUST(shutdown(watched, SHUT_RD));
	look("SHUT_RD");
	MUST(shutdown(watched, SHUT_WR));
	look("SHUT_RDWR");
}

TEST(raw)
{
	struct sockaddr_in to = LO(0);

	watch_both(MUST(socket(AF_INET, SOCK_RAW, 99)));
	fcntl(watched, F_SETFL, O_NONBLOCK);
	look("idle");
	MUST(sendto(watched, "abc", 3, 0, SA(to)));
	wait_for(watched, POLLIN);
	look("a packet");
	drain(watched);
	look("drained");
}

TEST(ping)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	struct sockaddr_in to = LO(0);

	put_file("/proc/sys/net/ipv4/ping_group_range", "0 0");
	watch_both(MUST(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)));
	fcntl(watched, F_SETFL, O_NONBLOCK);
	look("idle");
	MUST(sendto(watched, &echo, sizeof(echo), 0, SA(to)));
	wait_for(watched, POLLIN);
	look("an answer");
	drain(watched);
	look("drained");
}

/* ---- TCP ---- */

TEST(tcp_not_connected)
{
	struct sockaddr_in nobody = LO(6011);

	watch_both(tcp_bound(6010));
	look("bound");
	no_wait(watched);
	SHOW(connect(watched, SA(nobody)));
	wait_for(watched, POLLERR);
	look("refused");
	say_so_error(watched);
	look("told");
}

TEST(tcp_listening)
{
	watch_both(tcp_bound(6020));
	look("bound");
	MUST(listen(watched, 5));
	look("listening");
	a[0] = tcp_client(6020);
	wait_for(watched, POLLIN);
	look("one waits");
	a[1] = tcp_client(6020);
	MUST(close(MUST(accept(watched, NULL, NULL))));
	wait_for(watched, POLLIN);
	MUST(accept(watched, NULL, NULL));
	look("none left");
	MUST(shutdown(watched, SHUT_RD));
	look("shut");
}

TEST(tcp_data)
{
	tcp_pair(a, 6030);
	watch_both(a[0]);
	look("idle");
	MUST(write(a[1], "abc", 3));
	wait_readable(a[0], 3);
	look("data");
	MUST(read(a[0], buf, 1));
	look("part of it read");
	MUST(write(a[1], "def", 3));
	wait_readable(a[0], 5);
	look("more");
	MUST(read(a[0], buf, 5));
	look("drained");
	MUST(send(a[1], "!", 1, MSG_OOB));
	wait_for(a[0], POLLPRI);
	look("urgent");
	SHOW(recv(a[0], buf, 1, MSG_OOB));
	look("taken");
}

TEST(tcp_fin)
{
	tcp_pair(a, 6040);
	watch_both(a[0]);
	look("idle");
	MUST(write(a[1], "abc", 3));
	MUST(shutdown(a[1], SHUT_WR));
	wait_for(a[0], POLLRDHUP);
	look("data and FIN");
	MUST(read(a[0], buf, 100));
	look("drained");
	MUST(shutdown(a[0], SHUT_WR));
	wait_state(a[0], "CLOSE");
	look("closed both ways");
	watch_both(a[1]);
	look("the other one");
}

TEST(tcp_shut_here)
{
	tcp_pair(a, 6050);
	watch_both(a[0]);
	look("idle");
	MUST(shutdown(a[0], SHUT_RD));
	look("SHUT_RD");
	MUST(shutdown(a[0], SHUT_WR));
	wait_state(a[0], "FIN_WAIT2");
	look("SHUT_RDWR");
	MUST(write(a[1], "lost", 4));
	wait_for(a[0], POLLERR);
	look("data that nobody reads");
	say_so_error(a[0]);
	wait_for(a[1], POLLERR);
	watch_both(a[1]);
	look("reset");
}

TEST(tcp_reset)
{
	tcp_pair(a, 6060);
	watch_both(a[0]);
	look("idle");
	reset_and_close(a[1]);
	wait_for(a[0], POLLERR);
	look("reset");
	SHOW(read(a[0], buf, 1));
	look("told");
}

TEST(tcp_full)
{
	tcp_pair(a, 6070);
	no_wait(a[0]);
	no_wait(a[1]);
	set_option(a[0], SOL_SOCKET, SO_SNDBUF, 100000);
	watch_both(a[0]);
	look("idle");
	fill(a[0]);
	look("full");
	while (poll(&(struct pollfd){ a[0], POLLOUT, 0 }, 1, 1) == 0)
		drain(a[1]);
	look("room");
}
