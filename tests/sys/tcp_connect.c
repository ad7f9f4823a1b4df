/* TCP over lo: connect() in all its ways, and its errors. */
#include <tests/sys/tcp.h>

static char buf[64];

static void interrupted(int sig)
{
}

TEST(blocking)
{
	int listener = tcp_listener(5100, 5), client = tcp_socket(), server;
	struct sockaddr_in addr = LO(5100), from = { 0 };
	socklen_t length = sizeof(from);

	SHOW(connect(client, SA(addr)));
	say_state("client", client);
	say_name(client);
	say_peer(client);
	server = SHOW(accept(listener, (struct sockaddr *)&from, &length));
	say_addr("from", &from);
	say("address length %u", length);
	say_name(server);
	say_peer(server);
	say_name(listener);
	say_peer(listener);
	SHOW(write(client, "hello", 5));
	SHOW(read(server, buf, sizeof(buf)));
	say("%.5s", buf);
	SHOW(write(server, "goodbye", 7));
	SHOW(read(client, buf, 3));
	SHOW(read(client, buf, sizeof(buf)));
	say("%.4s", buf);
	SHOW(connect(client, SA(addr)));
	SHOW(connect(server, SA(addr)));
	SHOW(connect(listener, SA(addr)));
	SHOW(bind(client, SA(addr)));
	SHOW(listen(client, 1));
}

TEST(not_blocking)
{
	struct sockaddr_in addr = LO(5110);
	int listener = tcp_listener(5110, 5), client = tcp_socket();

	no_wait(client);
	SHOW(connect(client, SA(addr)));
	wait_for(client, POLLOUT);
	say_masks("then", client);
	say_so_error(client);
	SHOW(connect(client, SA(addr)));
	SHOW(connect(client, SA(addr)));
	SHOW(accept(listener, NULL, NULL));
	no_wait(listener);
	SHOW(accept(listener, NULL, NULL));
	SHOW(fcntl(SHOW(accept4(listener, NULL, NULL, SOCK_NONBLOCK)), F_GETFL));
}

TEST(refused)
{
	struct sockaddr_in addr = LO(5120);
	int client = tcp_socket();

	SHOW(connect(client, SA(addr)));
	say_state("client", client);
	say_masks("refused", client);
	say_so_error(client);
	SHOW(write(client, "x", 1));
	SHOW(read(client, buf, 1));
	/* The same socket may try again. */
	SHOW(connect(client, SA(addr)));
	tcp_listener(5120, 5);
	SHOW(connect(client, SA(addr)));
	say_state("client", client);
}

TEST(refused_not_blocking)
{
	struct sockaddr_in addr = LO(5130);
	int client = tcp_socket(), n;

	no_wait(client);
	SHOW(connect(client, SA(addr)));
	wait_for(client, POLLOUT);
	say_masks("refused", client);
	SHOW(ioctl(client, FIONREAD, &n));
	say_peer(client);
	say_so_error(client);
	say_so_error(client);
	say_masks("told", client);
	SHOW(read(client, buf, 1));
	SHOW(connect(client, SA(addr)));
	SHOW(connect(client, SA(addr)));
	wait_for(client, POLLOUT);
	SHOW(connect(client, SA(addr)));
	SHOW(connect(client, SA(addr)));
	wait_for(client, POLLOUT);
	SHOW(read(client, buf, 1));
	SHOW(read(client, buf, 1));
	SHOW(send(client, "x", 1, MSG_NOSIGNAL));
}

/* An accept queue of one is full of two; the third's SYN is not answered. */
static int full_listener(int port)
{
	int listener = tcp_listener(port, 1);

	tcp_client(port);
	tcp_client(port);
	wait_queued(listener, 2);
	return listener;
}

TEST(under_way)
{
	struct sockaddr_in addr = LO(5140);
	int client = tcp_socket(), listener = full_listener(5140), n;

	no_wait(client);
	SHOW(connect(client, SA(addr)));
	say_state("client", client);
	say_masks("under way", client);
	SHOW(connect(client, SA(addr)));
	SHOW(read(client, buf, 1));
	SHOW(write(client, "x", 1));
	SHOW(ioctl(client, FIONREAD, &n));
	say("%d to read", n);
	SHOW(ioctl(client, TIOCOUTQ, &n));
	say("%d to send", n);
	say_peer(client);
	SHOW(listen(client, 1));
	SHOW(shutdown(client, SHUT_RD));
	say_state("client", client);
	say_so_error(client);
	SHOW(close(listener));
	SHOW(connect(client, SA(addr)));
}

TEST(time_and_signals)
{
	struct timeval soon = { 0, 100000 };
	struct sockaddr_in addr = LO(5150);
	int client = tcp_socket(), other = tcp_socket();

	full_listener(5150);
	MUST(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	SHOW(connect(client, SA(addr)));
	SHOW(connect(client, SA(addr)));
	set_handler(SIGALRM, interrupted, 0);
	signal_when_asleep(SIGALRM);
	SHOW(connect(other, SA(addr)));
	no_wait(other);
	SHOW(connect(other, SA(addr)));
	SHOW(close(client));
}

TEST(addresses)
{
	struct sockaddr_in addr = LO(5160), any = ADDR("0.0.0.0", 5160),
			   broadcast = ADDR("255.255.255.255", 5160),
			   multicast = ADDR("224.0.0.1", 5160), nowhere = ADDR("192.0.2.1", 5160),
			   other = LO(5160);
	int client = tcp_socket();

	tcp_listener(5160, 5);
	other.sin_family = AF_UNIX;
	SHOW(connect(client, SA(other)));
	SHOW(connect(client, (struct sockaddr *)&addr, 1));
	SHOW(connect(client, (struct sockaddr *)&addr, 8));
	SHOW(connect(client, SA(broadcast)));
	SHOW(connect(client, SA(multicast)));
	SHOW(connect(client, SA(nowhere)));
	SHOW(connect(client, SA(any)));
	say_name(client);
	say_peer(client);
}

TEST(from_a_port)
{
	struct sockaddr_in from = ADDR("127.0.0.2", 5175), to = LO(5170), too = LO(5171);
	int client = tcp_socket(), other = tcp_socket(), server, listener;

	listener = tcp_listener(5170, 5);
	tcp_listener(5171, 5);
	SHOW(bind(client, SA(from)));
	SHOW(bind(client, SA(from)));
	say_name(client);
	SHOW(connect(client, SA(to)));
	say_name(client);
	server = accept(listener, NULL, NULL);
	say_peer(server);
	SHOW(bind(other, SA(from)));
	from.sin_port = 0;
	SHOW(bind(other, SA(from)));
	SHOW(connect(other, SA(too)));
	say_name(other);
}

/* A connection to itself: both ends begin at once, and both are one. */
TEST(itself)
{
	struct sockaddr_in addr = LO(5180);
	int fd = tcp_socket();

	MUST(bind(fd, SA(addr)));
	SHOW(connect(fd, SA(addr)));
	say_state("it", fd);
	say_peer(fd);
	SHOW(write(fd, "to myself", 9));
	SHOW(read(fd, buf, sizeof(buf)));
	say("%.9s", buf);
	SHOW(shutdown(fd, SHUT_WR));
	SHOW(read(fd, buf, sizeof(buf)));
	wait_state(fd, "CLOSE");
	say_masks("closed", fd);
}

TEST(unspec)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC }, addr = LO(5190);
	int listener = tcp_listener(5190, 5), client = tcp_client(5190),
	    server = MUST(accept(listener, NULL, NULL));

	SHOW(connect(client, SA(none)));
	say_state("client", client);
	say_peer(client);
	say_so_error(client);
	say_masks("forgotten", client);
	SHOW(read(client, buf, 1));
	wait_for(server, POLLIN);
	say_masks("peer", server);
	SHOW(read(server, buf, 1));
	SHOW(read(server, buf, 1));
	SHOW(connect(client, SA(addr)));
	say_state("client", client);
	SHOW(connect(listener, SA(none)));
	say_state("listener", listener);
	SHOW(accept(listener, NULL, NULL));
	SHOW(listen(listener, 5));
	say_state("listener", listener);
	say_name(listener);
}

TEST(fresh)
{
	int fd = tcp_socket(), n = -1;

	say_state("fresh", fd);
	say_masks("fresh", fd);
	say_name(fd);
	say_peer(fd);
	SHOW(read(fd, buf, 1));
	signal(SIGPIPE, SIG_IGN);
	SHOW(write(fd, "x", 1));
	SHOW(write(fd, "", 0));
	SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
	SHOW(accept(fd, NULL, NULL));
	SHOW(shutdown(fd, SHUT_RDWR));
	say_masks("shut", fd);
	SHOW(shutdown(fd, 3));
	SHOW(ioctl(fd, FIONREAD, &n));
	SHOW(ioctl(fd, TIOCOUTQ, &n));
	say("%d", n);
	SHOW(recv(fd, buf, 1, MSG_OOB));
	SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) > 0);
	SHOW(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }));
}

TEST(broken_pipe)
{
	int fd = tcp_socket();

	write(fd, "x", 1);
}

static const char range[] = "/proc/sys/net/ipv4/ip_local_port_range";

static void say_connect(int port)
{
	struct sockaddr_in addr = LO(port);
	int fd = tcp_socket();

	SHOW(connect(fd, SA(addr)));
}

static void say_bind(int port, int reuse)
{
	struct sockaddr_in addr = LO(port);
	int fd = tcp_socket();

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	SHOW(bind(fd, SA(addr)));
	close(fd);
}

/* Connections to different places share a port, while they live and when they are in TIME_WAIT. */
TEST(one_port)
{
	int listener = tcp_listener(6010, 5), fd, accepted;

	for (int port = 6011; port < 6014; port++)
		tcp_listener(port, 5);
	put_file(range, "45000 45000");
	fd = tcp_client(6010);
	accepted = MUST(accept(listener, NULL, NULL));
	say_connect(6011);
	say_connect(6010);
	MUST(close(fd));
	wait_for(accepted, POLLRDHUP);
	MUST(close(accepted));
	say_connect(6012);
	say_connect(6011);
	put_file(range, "32768 60999");
}

/* A connection whose client closes first; the client's end is in TIME_WAIT then. */
static void connect_and_close(int port)
{
	int listener = tcp_listener(port, 5), fd = tcp_client(port);
	int accepted = MUST(accept(listener, NULL, NULL));

	MUST(close(fd));
	wait_for(accepted, POLLRDHUP);
	MUST(close(accepted));
}

/* A second later what is in TIME_WAIT gives way to a connection with the same four, on the loopback device. */
TEST(one_port_again)
{
	put_file(range, "45002 45002");
	connect_and_close(6030);
	usleep(1200000);
	say_connect(6030);
	put_file(range, "32768 60999");
}

TEST(one_port_time_wait_only)
{
	tcp_listener(6021, 5);
	put_file(range, "45001 45001");
	connect_and_close(6020);
	say_bind(45001, 0);
	say_bind(45001, 1);
	say_connect(6021);
	say_bind(45001, 1);
	put_file(range, "32768 60999");
}
