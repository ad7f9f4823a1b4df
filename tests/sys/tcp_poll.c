/* TCP over lo: what poll, epoll and select say in each state, and which events an edge-triggered epoll sees. */
#include <tests/sys/tcp.h>

static char buf[1 << 16];
static int ends[2], epfd;

/* Watches for everything, edge-triggered. */
static void watch_edges(int fd)
{
	struct epoll_event event = { .events = POLL_ALL | EPOLLET };

	epfd = MUST(epoll_create1(0));
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
}

static void say_edge(const char *when)
{
	struct epoll_event got = { 0 };
	int n = epoll_wait(epfd, &got, 1, 0);

	say("%s: %d event, %x", when, n, n > 0 ? got.events : 0);
}

static void wait_edge(const char *when)
{
	struct epoll_event got = { 0 };
	int n = epoll_wait(epfd, &got, 1, 5000);

	say("%s: %d event, %x", when, n, n > 0 ? got.events : 0);
}

TEST(data)
{
	tcp_pair(ends, 5500);
	say_masks("idle", ends[0]);
	say_masks("idle", ends[1]);
	MUST(write(ends[0], "abcdef", 6));
	wait_for(ends[1], POLLIN);
	say_masks("data", ends[1]);
	MUST(read(ends[1], buf, 3));
	say_masks("half of it read", ends[1]);
	MUST(read(ends[1], buf, 3));
	say_masks("all read", ends[1]);
}

TEST(peer_closes)
{
	tcp_pair(ends, 5510);
	MUST(write(ends[0], "abc", 3));
	MUST(close(ends[0]));
	wait_for(ends[1], POLLRDHUP);
	say_state("it", ends[1]);
	say_masks("data and FIN", ends[1]);
	MUST(read(ends[1], buf, 10));
	say_masks("FIN", ends[1]);
	SHOW(read(ends[1], buf, 10));
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[1], "CLOSE");
	say_masks("both", ends[1]);
	SHOW(read(ends[1], buf, 10));
	SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
	say_so_error(ends[1]);
}

TEST(peer_shuts)
{
	tcp_pair(ends, 5520);
	SHOW(shutdown(ends[0], SHUT_WR));
	say_masks("shut for writing", ends[0]);
	wait_state(ends[0], "FIN_WAIT2");
	say_masks("acknowledged", ends[0]);
	wait_for(ends[1], POLLIN);
	say_masks("peer", ends[1]);
	SHOW(write(ends[1], "abc", 3));
	wait_for(ends[0], POLLIN);
	say_masks("data the other way", ends[0]);
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[0], "CLOSE");
	say_masks("both, data", ends[0]);
	SHOW(read(ends[0], buf, 10));
	SHOW(read(ends[0], buf, 10));
	say_masks("both", ends[0]);
	wait_state(ends[1], "CLOSE");
	say_masks("peer", ends[1]);
}

TEST(local_shut_rd)
{
	tcp_pair(ends, 5530);
	SHOW(shutdown(ends[0], SHUT_RD));
	say_masks("shut for reading", ends[0]);
	say_masks("peer", ends[1]);
	SHOW(read(ends[0], buf, 10));
	SHOW(write(ends[1], "abc", 3));
	wait_readable(ends[0], 3);
	say_masks("data all the same", ends[0]);
	SHOW(read(ends[0], buf, 10));
	SHOW(read(ends[0], buf, 10));
	SHOW(write(ends[0], "def", 3));
	SHOW(shutdown(ends[0], SHUT_WR));
	say_masks("shut", ends[0]);
}

TEST(local_shut_rdwr)
{
	tcp_pair(ends, 5540);
	SHOW(shutdown(ends[0], SHUT_RDWR));
	wait_state(ends[0], "FIN_WAIT2");
	say_masks("shut", ends[0]);
	SHOW(read(ends[0], buf, 10));
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	wait_for(ends[1], POLLIN);
	say_masks("peer", ends[1]);
	SHOW(shutdown(ends[0], SHUT_RDWR));
	SHOW(shutdown(ends[0], SHUT_RD));
}

TEST(reset)
{
	tcp_pair(ends, 5550);
	reset_and_close(ends[0]);
	wait_for(ends[1], POLLIN);
	say_masks("reset", ends[1]);
	say_state("it", ends[1]);
	SHOW(read(ends[1], buf, 10));
	say_masks("told", ends[1]);
	SHOW(read(ends[1], buf, 10));
	SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
	say_peer(ends[1]);
}

TEST(reset_after_data)
{
	tcp_pair(ends, 5560);
	MUST(write(ends[0], "abc", 3));
	wait_readable(ends[1], 3);
	reset_and_close(ends[0]);
	wait_for(ends[1], POLLHUP);
	say_masks("reset", ends[1]);
	SHOW(read(ends[1], buf, 10));
	say_masks("read", ends[1]);
	SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
	SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
	SHOW(read(ends[1], buf, 10));
}

/* Data that nobody will read: the peer learns that it is lost. */
TEST(close_with_unread)
{
	tcp_pair(ends, 5570);
	MUST(write(ends[0], "abc", 3));
	wait_readable(ends[1], 3);
	MUST(close(ends[1]));
	wait_for(ends[0], POLLIN);
	say_masks("peer", ends[0]);
	say_so_error(ends[0]);
	SHOW(read(ends[0], buf, 10));
}

TEST(write_after_close)
{
	tcp_pair(ends, 5580);
	MUST(close(ends[1]));
	wait_for(ends[0], POLLIN);
	say_masks("FIN", ends[0]);
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	wait_for(ends[0], POLLERR);
	say_masks("reset", ends[0]);
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	SHOW(read(ends[0], buf, 10));
}

static void drain_some(int fd)
{
	for (int i = 0; i < 8 && read(fd, buf, sizeof(buf)) > 0; i++)
		;
}

TEST(full)
{
	tcp_pair(ends, 5590);
	set_option(ends[0], SOL_SOCKET, SO_SNDBUF, 100000);
	no_wait(ends[1]);
	fill(ends[0]);
	say_masks("full", ends[0]);
	watch_edges(ends[0]);
	say_edge("full");
	while (!(poll(&(struct pollfd){ ends[0], POLLOUT, 0 }, 1, 1)))
		drain_some(ends[1]);
	wait_edge("room");
	say_edge("once");
	say_masks("room", ends[0]);
}

TEST(edges)
{
	tcp_pair(ends, 5600);
	watch_edges(ends[0]);
	say_edge("new");
	say_edge("again");
	MUST(write(ends[1], "abc", 3));
	wait_edge("data");
	say_edge("again");
	MUST(write(ends[1], "def", 3));
	wait_edge("more data");
	MUST(read(ends[0], buf, 2));
	say_edge("part of it read");
	MUST(write(ends[0], "xyz", 3));
	wait_sent(ends[0]);
	say_edge("written");
	MUST(shutdown(ends[1], SHUT_WR));
	wait_edge("FIN");
	say_edge("again");
	MUST(shutdown(ends[0], SHUT_WR));
	wait_state(ends[0], "CLOSE");
	wait_edge("closed");
}

TEST(edges_of_a_listener)
{
	int listener = tcp_listener(5610, 5);

	watch_edges(listener);
	say_edge("idle");
	tcp_client(5610);
	wait_edge("one");
	say_edge("again");
	tcp_client(5610);
	wait_edge("two");
	MUST(accept(listener, NULL, NULL));
	say_edge("one taken");
	say_masks("one left", listener);
}

TEST(connect_edge)
{
	struct sockaddr_in addr = LO(5620), refused = LO(5621);
	int fd = tcp_socket();

	tcp_listener(5620, 5);
	no_wait(fd);
	watch_edges(fd);
	say_edge("fresh");
	SHOW(connect(fd, SA(addr)));
	wait_edge("connected");
	say_edge("again");
	fd = tcp_socket();
	no_wait(fd);
	watch_edges(fd);
	say_edge("fresh");
	SHOW(connect(fd, SA(refused)));
	wait_edge("refused");
	say_edge("again");
}

TEST(lowat)
{
	int n;

	tcp_pair(ends, 5630);
	set_option(ends[0], SOL_SOCKET, SO_RCVLOWAT, 4);
	MUST(write(ends[1], "abc", 3));
	wait_readable(ends[0], 3);
	say_masks("3 of 4", ends[0]);
	SHOW(recv(ends[0], buf, 2, 0));
	MUST(write(ends[1], "def", 3));
	wait_readable(ends[0], 4);
	say_masks("4", ends[0]);
	SHOW(ioctl(ends[0], FIONREAD, &n));
	say("%d", n);
	MUST(read(ends[0], buf, 1));
	MUST(shutdown(ends[1], SHUT_WR));
	wait_for(ends[0], POLLRDHUP);
	say_masks("FIN", ends[0]);
}

TEST(oneshot)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT }, got;

	tcp_pair(ends, 5640);
	epfd = MUST(epoll_create1(0));
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &event));
	MUST(write(ends[1], "abc", 3));
	wait_edge("data");
	MUST(write(ends[1], "def", 3));
	MUST(close(ends[1]));
	wait_readable(ends[0], 6);
	say_edge("fired already");
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, ends[0], &event));
	say("%d event", epoll_wait(epfd, &got, 1, 0));
}

/* What is in the way of a FIN: data that has no room at the peer's. So states that pass in no time stay. */

TEST(fin_wait1)
{
	tcp_pair(ends, 5650);
	fill(ends[0]);
	SHOW(shutdown(ends[0], SHUT_WR));
	say_state("it", ends[0]);
	say_masks("its FIN waits", ends[0]);
	say_masks("peer", ends[1]);
	SHOW(write(ends[1], "abc", 3));
	wait_for(ends[0], POLLIN);
	say_masks("data", ends[0]);
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	SHOW(shutdown(ends[0], SHUT_RD));
	say_state("it", ends[0]);
	say_masks("shut both ways", ends[0]);
	SHOW(read(ends[0], buf, 10));
	SHOW(read(ends[0], buf, 10));
	reset_and_close(ends[1]);
	wait_for(ends[0], POLLERR);
	say_masks("reset", ends[0]);
	say_so_error(ends[0]);
}

TEST(closing)
{
	tcp_pair(ends, 5660);
	fill(ends[0]);
	SHOW(shutdown(ends[0], SHUT_WR));
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[0], "CLOSING");
	say_masks("both have closed", ends[0]);
	wait_state(ends[1], "FIN_WAIT2");
	say_masks("peer", ends[1]);
	SHOW(read(ends[0], buf, 10));
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	SHOW(shutdown(ends[0], SHUT_WR));
	SHOW(shutdown(ends[0], SHUT_RD));
	watch_edges(ends[0]);
	say_edge("closing");
	while (read(ends[1], buf, sizeof(buf)) > 0)
		;
	wait_state(ends[0], "CLOSE");
	wait_edge("closed");
	say_masks("all acknowledged", ends[0]);
	wait_state(ends[1], "CLOSE");
	say_masks("peer", ends[1]);
	say_so_error(ends[0]);
}

TEST(last_ack)
{
	tcp_pair(ends, 5670);
	fill(ends[0]);
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[0], "CLOSE_WAIT");
	say_masks("full, and their FIN", ends[0]);
	SHOW(shutdown(ends[0], SHUT_WR));
	say_state("it", ends[0]);
	say_masks("ours waits", ends[0]);
	say_masks("peer", ends[1]);
	SHOW(read(ends[0], buf, 10));
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
	say_peer(ends[0]);
	watch_edges(ends[0]);
	say_edge("last");
	while (read(ends[1], buf, sizeof(buf)) > 0)
		;
	wait_state(ends[0], "CLOSE");
	wait_edge("closed");
	say_masks("all acknowledged", ends[0]);
	say_so_error(ends[0]);
}

TEST(last_ack_reset)
{
	tcp_pair(ends, 5680);
	fill(ends[0]);
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[0], "CLOSE_WAIT");
	SHOW(shutdown(ends[0], SHUT_WR));
	reset_and_close(ends[1]);
	wait_state(ends[0], "CLOSE");
	say_masks("reset", ends[0]);
	say_so_error(ends[0]);
}

TEST(close_wait_reset)
{
	tcp_pair(ends, 5690);
	fill(ends[0]);
	SHOW(shutdown(ends[1], SHUT_WR));
	wait_state(ends[0], "CLOSE_WAIT");
	reset_and_close(ends[1]);
	wait_state(ends[0], "CLOSE");
	say_masks("reset", ends[0]);
	say_so_error(ends[0]);
	SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
}

/* The first fits into the queue and one more; of the others' SYNs nothing is heard. */
TEST(syn_sent)
{
	struct sockaddr_in addr = LO(5700);
	int listener = tcp_listener(5700, 0), fd;

	tcp_client(5700);
	wait_queued(listener, 1);
	fd = tcp_socket();
	no_wait(fd);
	SHOW(connect(fd, SA(addr)));
	say_state("it", fd);
	say_masks("under way", fd);
	SHOW(shutdown(fd, SHUT_RD));
	say_state("it", fd);
	say_masks("shut for reading", fd);
	SHOW(read(fd, buf, 1));
	SHOW(send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	say_so_error(fd);
	SHOW(shutdown(fd, SHUT_WR));
	say_state("it", fd);
	say_masks("shut", fd);
	say_so_error(fd);
	SHOW(connect(fd, SA(addr)));
}

/* Simultaneous open, with itself. */
TEST(itself)
{
	struct sockaddr_in addr = LO(5710);
	int fd = tcp_bound(5710);

	SHOW(connect(fd, SA(addr)));
	say_state("it", fd);
	say_masks("idle", fd);
	MUST(write(fd, "abc", 3));
	wait_readable(fd, 3);
	say_masks("data", fd);
	SHOW(shutdown(fd, SHUT_WR));
	wait_state(fd, "CLOSE");
	say_masks("closed", fd);
	SHOW(read(fd, buf, 10));
	SHOW(read(fd, buf, 10));
}
