/* TCP over lo: listeners, accept(), ports that are shared or not. */
#include <sys/wait.h>
#include <tests/sys/tcp.h>

static char buf[64];

TEST(listening)
{
	int listener = tcp_socket(), n;
	struct sockaddr_in addr = LO(5300);

	SHOW(bind(listener, SA(addr)));
	say_masks("bound", listener);
	SHOW(listen(listener, 2));
	say_state("it", listener);
	say_masks("idle", listener);
	SHOW(read(listener, buf, 1));
	SHOW(recv(listener, buf, 1, MSG_DONTWAIT));
	SHOW(send(listener, "x", 1, MSG_NOSIGNAL));
	SHOW(ioctl(listener, FIONREAD, &n));
	SHOW(ioctl(listener, TIOCOUTQ, &n));
	SHOW(bind(listener, SA(addr)));
	SHOW(listen(listener, 5));
	SHOW(shutdown(listener, SHUT_WR));
	say_state("it", listener);
	tcp_client(5300);
	wait_for(listener, POLLIN);
	say_masks("one waits", listener);
	SHOW(shutdown(listener, SHUT_RD));
	say_state("it", listener);
	say_masks("no more", listener);
	SHOW(accept(listener, NULL, NULL));
	SHOW(listen(listener, 5));
	say_masks("again", listener);
}

TEST(without_a_port)
{
	int listener = tcp_socket();

	SHOW(listen(listener, 5));
	say_name(listener);
	say("port %s", port_of(listener) ? "given" : "0");
	tcp_client(port_of(listener));
	SHOW(accept(listener, NULL, NULL) > 0);
}

TEST(arguments)
{
	int listener = tcp_listener(5320, 5);
	struct sockaddr_in from;
	socklen_t length = 4;

	for (int i = 0; i < 5; i++)
		tcp_client(5320);
	SHOW(accept(listener, (struct sockaddr *)&from, &length));
	say("address length %u, family %d", length, from.sin_family);
	length = -1;
	SHOW(accept(listener, (struct sockaddr *)&from, &length));
	SHOW(accept(listener, (struct sockaddr *)&from, NULL));
	SHOW(accept(listener, (struct sockaddr *)8, &length));
	SHOW(accept4(listener, NULL, NULL, 1));
	wait_queued(listener, 1);
	no_wait(listener);
	length = sizeof(from);
	SHOW(fcntl(SHOW(accept4(listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC)),
		   F_GETFD));
	SHOW(accept(listener, NULL, NULL));
	SHOW(accept(0, NULL, NULL));
	SHOW(accept(tcp_socket(), NULL, NULL));
}

TEST(inherited)
{
	int listener = tcp_socket(), child, value;
	struct sockaddr_in addr = LO(5330);
	socklen_t length = sizeof(value);
	struct linger linger = { 0 };

	set_option(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(listener, SOL_TCP, TCP_NODELAY, 1);
	set_option(listener, SOL_TCP, TCP_KEEPIDLE, 100);
	set_option(listener, SOL_IP, IP_TTL, 33);
	set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(setsockopt(listener, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 7 },
			sizeof(struct linger)));
	no_wait(listener);
	MUST(bind(listener, SA(addr)));
	MUST(listen(listener, 5));
	tcp_client(5330);
	wait_for(listener, POLLIN);
	child = MUST(accept(listener, NULL, NULL));
	SHOW(fcntl(child, F_GETFL));
	SHOW(getsockopt(child, SOL_SOCKET, SO_KEEPALIVE, &value, &length));
	say("keepalive %d", value);
	SHOW(getsockopt(child, SOL_TCP, TCP_NODELAY, &value, &length));
	say("nodelay %d", value);
	SHOW(getsockopt(child, SOL_TCP, TCP_KEEPIDLE, &value, &length));
	say("idle %d", value);
	SHOW(getsockopt(child, SOL_IP, IP_TTL, &value, &length));
	say("ttl %d", value);
	SHOW(getsockopt(child, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
	say("listens %d", value);
	SHOW(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
	say("listens %d", value);
	length = sizeof(linger);
	SHOW(getsockopt(child, SOL_SOCKET, SO_LINGER, &linger, &length));
	say("linger %d %d", linger.l_onoff, linger.l_linger);
}

/* What is in the accept queue is there, whatever happens to it. */
TEST(reset_in_queue)
{
	int listener = tcp_listener(5340, 5), client = tcp_client(5340), child;

	MUST(write(client, "abc", 3));
	wait_sent(client);
	reset_and_close(client);
	usleep(20000);
	child = SHOW(accept(listener, NULL, NULL));
	wait_for(child, POLLHUP);
	say_masks("child", child);
	SHOW(read(child, buf, sizeof(buf)));
	SHOW(read(child, buf, sizeof(buf)));
	SHOW(read(child, buf, sizeof(buf)));
}

TEST(closed_in_queue)
{
	int listener = tcp_listener(5350, 5), client = tcp_client(5350), child;

	MUST(write(client, "abc", 3));
	MUST(close(client));
	child = SHOW(accept(listener, NULL, NULL));
	wait_for(child, POLLRDHUP);
	say_masks("child", child);
	SHOW(read(child, buf, sizeof(buf)));
	SHOW(read(child, buf, sizeof(buf)));
	say_state("child", child);
}

/* Who was never accepted hears of it. */
TEST(listener_closes)
{
	int listener = tcp_listener(5360, 5), client = tcp_client(5360);
	struct sockaddr_in addr = LO(5360);

	MUST(close(listener));
	wait_for(client, POLLIN);
	say_masks("client", client);
	SHOW(read(client, buf, 1));
	SHOW(read(client, buf, 1));
	SHOW(connect(tcp_socket(), SA(addr)));
}

TEST(waiters)
{
	int listener = tcp_listener(5370, 5), status;
	pid_t children[3];

	for (int i = 0; i < 3; i++) {
		children[i] = MUST(fork());
		if (!children[i])
			_exit(accept(listener, NULL, NULL) > 0 ? 7 : 1);
	}
	for (int i = 0; i < 3; i++)
		tcp_client(5370);
	for (int i = 0; i < 3; i++) {
		MUST(waitpid(children[i], &status, 0));
		say("child: %d", WEXITSTATUS(status));
	}
}

TEST(timeout)
{
	struct timeval soon = { 0, 50000 };
	int listener = tcp_listener(5380, 5);

	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	SHOW(accept(listener, NULL, NULL));
}

static int try_bind(const char *text, int port, int reuse, int reuseport)
{
	struct sockaddr_in addr = ADDR(text, port);
	int fd = tcp_socket();

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, reuseport);
	if (bind(fd, SA(addr))) {
		say("bind %s:%d %d%d: %s", text, port, reuse, reuseport, errno_text(errno));
		close(fd);
		return -1;
	}
	say("bind %s:%d %d%d", text, port, reuse, reuseport);
	return fd;
}

TEST(ports)
{
	int first = try_bind("127.0.0.1", 5390, 0, 0), second, third;

	try_bind("127.0.0.1", 5390, 0, 0);
	try_bind("127.0.0.1", 5390, 1, 0);
	try_bind("127.0.0.2", 5390, 0, 0);
	try_bind("0.0.0.0", 5390, 0, 0);
	close(first);
	first = try_bind("127.0.0.1", 5390, 1, 0);
	second = try_bind("127.0.0.1", 5390, 1, 0);
	third = try_bind("0.0.0.0", 5390, 1, 0);
	SHOW(listen(first, 5));
	SHOW(listen(second, 5));
	SHOW(listen(third, 5));
	try_bind("127.0.0.1", 5390, 1, 0);
	first = try_bind("127.0.0.1", 5391, 0, 1);
	second = try_bind("127.0.0.1", 5391, 0, 1);
	SHOW(listen(first, 5));
	SHOW(listen(second, 5));
	try_bind("127.0.0.1", 5391, 1, 0);
	try_bind("127.0.0.1", 5391, 0, 1);
	try_bind("127.0.0.1", 80, 0, 0);
	try_bind("192.0.2.1", 5392, 0, 0);
}

/* What is left of a connection keeps its port, for those who do not ask to share it. */
TEST(time_wait)
{
	int ends[2];

	tcp_pair(ends, 5400);
	MUST(close(ends[1]));
	wait_for(ends[0], POLLIN);
	MUST(close(ends[0]));
	usleep(20000);
	try_bind("127.0.0.1", 5400, 0, 0);
	try_bind("127.0.0.1", 5400, 1, 0);
}

TEST(children_share)
{
	int listener = tcp_listener(5410, 5), client = tcp_client(5410),
	    child = MUST(accept(listener, NULL, NULL)), fd;

	MUST(close(listener));
	try_bind("127.0.0.1", 5410, 0, 0);
	fd = try_bind("127.0.0.1", 5410, 1, 0);
	SHOW(listen(fd, 5));
	SHOW(write(client, "still there", 11));
	SHOW(read(child, buf, sizeof(buf)));
}

/* Backlog 1 lets two wait; the third connects when there is room. */
TEST(backlog)
{
	struct sockaddr_in addr = LO(5420);
	int listener = tcp_listener(5420, 1), third = tcp_socket();

	tcp_client(5420);
	tcp_client(5420);
	wait_queued(listener, 2);
	no_wait(third);
	SHOW(connect(third, SA(addr)));
	usleep(50000);
	say_state("third", third);
	SHOW(accept(listener, NULL, NULL) > 0);
	SHOW(accept(listener, NULL, NULL) > 0);
	wait_for(third, POLLOUT);
	say_state("third", third);
	SHOW(accept(listener, NULL, NULL) > 0);
}

TEST(reuseport)
{
	struct sockaddr_in addr = LO(5430);
	int listeners[2], clients = 40, taken[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		listeners[i] = tcp_socket();
		set_option(listeners[i], SOL_SOCKET, SO_REUSEPORT, 1);
		MUST(bind(listeners[i], SA(addr)));
		MUST(listen(listeners[i], 100));
		no_wait(listeners[i]);
	}
	for (int i = 0; i < clients; i++)
		tcp_client(5430);
	while (taken[0] + taken[1] < clients)
		for (int i = 0; i < 2; i++)
			taken[i] += accept(listeners[i], NULL, NULL) >= 0;
	say("%d taken, %s", taken[0] + taken[1], taken[0] && taken[1] ? "by both" : "by one");
}
