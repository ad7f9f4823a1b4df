/* Ports of TCP that connections have: who may bind() to one beside them, and listen, and which port is given to who does
 * not care. What two bound sockets do to each other: tcp_accept.c. */
#include <tests/sys/tcp.h>

enum { PLAIN, ADDR_REUSE, PORT_REUSE, BOTH, NR_REUSES };

static const char *const reuse_names[] = { "plain", "reuseaddr", "reuseport", "both" };
static const char range[] = "/proc/sys/net/ipv4/ip_local_port_range";

static void set_reuse(int fd, int reuse)
{
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, reuse & ADDR_REUSE ? 1 : 0);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, reuse & PORT_REUSE ? 1 : 0);
}

static int try_bind(const char *text, int port, int reuse, int *fd)
{
	struct sockaddr_in addr = ADDR(text, port);

	*fd = tcp_socket();
	set_reuse(*fd, reuse);
	return bind(*fd, SA(addr));
}

/* Who may come beside who has the port. */
static void say_newcomers(const char *who, int port)
{
	static const char *const addrs[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0" };
	int fd;

	for (size_t a = 0; a < ARRAY_SIZE(addrs); a++) {
		for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
			const char *result = "listens";

			if (try_bind(addrs[a], port, reuse, &fd))
				result = errno_text(errno);
			else if (listen(fd, 1))
				result = "bound";
			say("%s, %s %s: %s", who, addrs[a], reuse_names[reuse], result);
			close(fd);
		}
	}
}

/* A client's end and the server's; the listener, at this address, and the client have these options. */
static void make_connection(int ends[2], const char *text, int port, int reuse)
{
	struct sockaddr_in addr = LO(port);
	int listener;

	MUST(try_bind(text, port, reuse, &listener));
	MUST(listen(listener, 1));
	ends[0] = tcp_socket();
	set_reuse(ends[0], reuse);
	MUST(connect(ends[0], SA(addr)));
	ends[1] = MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
}

static void close_in_turn(int first, int second)
{
	MUST(close(first));
	wait_for(second, POLLRDHUP);
	MUST(close(second));
}

TEST(connected)
{
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		int ends[2];

		make_connection(ends, "127.0.0.1", 7000 + reuse, reuse);
		say_newcomers(reuse_names[reuse], port_of(ends[0]));
	}
}

TEST(accepted)
{
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		int ends[2];

		make_connection(ends, reuse % 2 ? "127.0.0.1" : "0.0.0.0", 7100 + reuse, reuse);
		say_newcomers(reuse_names[reuse], port_of(ends[1]));
	}
}

TEST(connected_time_wait)
{
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		int ends[2], port;

		make_connection(ends, "127.0.0.1", 7200 + reuse, reuse);
		port = port_of(ends[0]);
		close_in_turn(ends[0], ends[1]);
		say_newcomers(reuse_names[reuse], port);
	}
}

TEST(accepted_time_wait)
{
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		int ends[2];

		make_connection(ends, "0.0.0.0", 7300 + reuse, reuse);
		close_in_turn(ends[1], ends[0]);
		say_newcomers(reuse_names[reuse], 7300 + reuse);
	}
}

/* bind() to any address; the connection has one. */
TEST(bound_and_connected)
{
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		struct sockaddr_in addr = LO(7400);
		int fd;

		tcp_listener(7400 + 10 * reuse, 1);
		addr.sin_port = htons(7400 + 10 * reuse);
		MUST(try_bind("0.0.0.0", 7450 + reuse, reuse, &fd));
		MUST(connect(fd, SA(addr)));
		say_newcomers(reuse_names[reuse], 7450 + reuse);
	}
}

/* What counts is what they say now. */
TEST(a_change_of_mind)
{
	int ends[2];

	make_connection(ends, "127.0.0.1", 7500, PLAIN);
	set_reuse(ends[0], ADDR_REUSE);
	say_newcomers("connected, later reuseaddr", port_of(ends[0]));
	set_reuse(ends[1], BOTH);
	say_newcomers("accepted, later both", 7500);
}

TEST(other_users_do_not_share)
{
	int ends[2], port, fd;

	make_connection(ends, "127.0.0.1", 7600, BOTH);
	port = port_of(ends[0]);
	IN_CHILD("nobody")
	{
		become_nobody();
		SHOW(try_bind("127.0.0.1", port, PORT_REUSE, &fd));
		SHOW(try_bind("127.0.0.1", port, ADDR_REUSE, &fd));
		SHOW(try_bind("127.0.0.2", 7600, PLAIN, &fd));
		SHOW(try_bind("127.0.0.1", 7600, PORT_REUSE, &fd));
	}
}

/* As long as somebody has bound to it, connect() does not give it to others. */
TEST(connect_beside_bound)
{
	struct sockaddr_in addr = LO(7701);
	int fd, bound, other;

	tcp_listener(7700, 5);
	tcp_listener(7701, 5);
	put_file(range, "45100 45100");
	fd = tcp_client(7700);
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		SHOW(try_bind("127.0.0.2", 45100, reuse, &bound));
		other = tcp_socket();
		SHOW(connect(other, SA(addr)));
		close(bound);
		SHOW(connect(other, SA(addr)));
		reset_and_close(other);
	}
	close(fd);
	put_file(range, "32768 60999");
}

/* All ports are connections': bind() finds one for another address only. */
TEST(chosen)
{
	int ends[2], fd;

	put_file(range, "45100 45101");
	make_connection(ends, "127.0.0.1", 7800, ADDR_REUSE);
	make_connection(ends, "127.0.0.1", 45101 + 45100 - port_of(ends[0]), ADDR_REUSE);
	for (int reuse = PLAIN; reuse < NR_REUSES; reuse++) {
		SHOW(try_bind("127.0.0.1", 0, reuse, &fd));
		SHOW(try_bind("0.0.0.0", 0, reuse, &fd));
		SHOW(try_bind("127.0.0.2", 0, reuse, &fd));
		say("%s", port_of(fd) ? "a port" : "none");
		close(fd);
	}
	put_file(range, "32768 60999");
}
