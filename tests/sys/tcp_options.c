/* TCP over lo: options at level SOL_TCP, TCP_INFO, settings, /proc. */
#include <tests/sys/tcp.h>

static int ends[2];

static void say_option(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, SOL_TCP, option, &value, &length))
		say("%d: %s", option, errno_text(errno));
	else
		say("%d: %d, length %u", option, value, length);
}

static void try_option(int fd, int option, int value)
{
	if (setsockopt(fd, SOL_TCP, option, &value, sizeof(value)))
		say("%d = %d: %s", option, value, errno_text(errno));
	else
		say_option(fd, option);
}

TEST(defaults)
{
	const int options[] = { TCP_NODELAY,
				TCP_MAXSEG,
				TCP_CORK,
				TCP_KEEPIDLE,
				TCP_KEEPINTVL,
				TCP_KEEPCNT,
				TCP_SYNCNT,
				TCP_LINGER2,
				TCP_DEFER_ACCEPT,
				TCP_WINDOW_CLAMP,
				TCP_QUICKACK,
				TCP_THIN_DUPACK,
				TCP_USER_TIMEOUT,
				TCP_NOTSENT_LOWAT,
				0,
				999 };
	int fd = tcp_socket();

	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++)
		say_option(fd, options[i]);
}

TEST(limits)
{
	const int values[] = { -1, 0, 1, 2, 87, 88, 127, 128, 1000, 32767, 32768, 100000 };
	const int options[] = { TCP_NODELAY,	   TCP_MAXSEG,
				TCP_CORK,	   TCP_KEEPIDLE,
				TCP_KEEPINTVL,	   TCP_KEEPCNT,
				TCP_SYNCNT,	   TCP_LINGER2,
				TCP_DEFER_ACCEPT,  TCP_WINDOW_CLAMP,
				TCP_THIN_DUPACK,   TCP_USER_TIMEOUT,
				TCP_NOTSENT_LOWAT, 999 };

	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
		int fd = tcp_socket();

		for (unsigned k = 0; k < sizeof(values) / sizeof(*values); k++)
			try_option(fd, options[i], values[k]);
		MUST(close(fd));
	}
}

TEST(lengths)
{
	int fd = tcp_socket(), value = 1;
	char name[20] = "";
	socklen_t length = 2;

	SHOW(setsockopt(fd, SOL_TCP, TCP_NODELAY, &value, 3));
	SHOW(setsockopt(fd, SOL_TCP, TCP_NODELAY, &value, 8));
	SHOW(setsockopt(fd, SOL_TCP, TCP_NODELAY, NULL, 4));
	SHOW(getsockopt(fd, SOL_TCP, TCP_NODELAY, &value, &length));
	say("length %u", length);
	length = 100;
	SHOW(getsockopt(fd, SOL_TCP, TCP_NODELAY, &value, &length));
	say("length %u", length);
	length = 0;
	SHOW(getsockopt(fd, SOL_TCP, TCP_NODELAY, &value, &length));
	length = -1;
	SHOW(getsockopt(fd, SOL_TCP, TCP_NODELAY, &value, &length));
	SHOW(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "reno", 4));
	length = sizeof(name);
	SHOW(getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, &length));
	say("\"%s\", length %u", name, length);
	SHOW(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "cubic", 6));
	length = 3;
	SHOW(getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, &length));
	say("\"%.3s\", length %u", name, length);
	SHOW(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "no such", 7));
	SHOW(setsockopt(fd, SOL_TCP, TCP_CONGESTION, "reno", 0));
	SHOW(setsockopt(fd, 99, TCP_NODELAY, &value, 4));
	length = 4;
	SHOW(getsockopt(fd, 99, TCP_NODELAY, &value, &length));
}

TEST(connected)
{
	tcp_pair(ends, 6130);
	try_option(ends[0], TCP_NODELAY, 1);
	try_option(ends[0], TCP_CORK, 1);
	try_option(ends[0], TCP_CORK, 0);
	try_option(ends[0], TCP_KEEPIDLE, 10);
	try_option(ends[0], TCP_DEFER_ACCEPT, 10);
	try_option(ends[0], TCP_WINDOW_CLAMP, 0);
	try_option(ends[0], TCP_QUICKACK, 0);
	try_option(ends[0], TCP_QUICKACK, 1);
	set_option(ends[0], SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(ends[0], SOL_SOCKET, SO_KEEPALIVE, 0);
}

/* What both ends may say of themselves without it depending on the machine. */
TEST(info)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	tcp_pair(ends, 6140);
	SHOW(getsockopt(ends[0], SOL_TCP, TCP_INFO, &info, &length));
	say("state %d, options %x, unacked %u, lost %u, retrans %u", info.tcpi_state,
	    info.tcpi_options, info.tcpi_unacked, info.tcpi_lost, info.tcpi_retrans);
	say("cwnd %u, retransmits %u, backoff %u, ca_state %u", info.tcpi_snd_cwnd,
	    info.tcpi_retransmits, info.tcpi_backoff, info.tcpi_ca_state);
	say("rtt %s, rto %s, pmtu %u", info.tcpi_rtt ? "known" : "unknown",
	    info.tcpi_rto >= 200000 ? "known" : "unknown", info.tcpi_pmtu);
	length = 1;
	SHOW(getsockopt(ends[0], SOL_TCP, TCP_INFO, &info, &length));
	say("length %u", length);
}

TEST(info_of_a_listener)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	int listener = tcp_listener(6150, 7);

	tcp_client(6150);
	tcp_client(6150);
	wait_queued(listener, 2);
	SHOW(getsockopt(listener, SOL_TCP, TCP_INFO, &info, &length));
	say("state %d, %u of %u", info.tcpi_state, info.tcpi_unacked, info.tcpi_sacked);
}

/* An accepted connection has sent something already. */
TEST(defer_accept)
{
	int listener = tcp_listener(6160, 5), client;

	set_option(listener, SOL_TCP, TCP_DEFER_ACCEPT, 5);
	no_wait(listener);
	client = tcp_client(6160);
	usleep(50000);
	SHOW(accept(listener, NULL, NULL));
	MUST(write(client, "x", 1));
	wait_for(listener, POLLIN);
	SHOW(accept(listener, NULL, NULL) > 0);
}

static void file_path(char path[100], const char *name)
{
	snprintf(path, 100, "/proc/sys/net/ipv4/%s", name);
}

static void read_file(const char *name, char text[100])
{
	char path[100];
	int fd;

	file_path(path, name);
	fd = MUST(open(path, O_RDONLY));
	memset(text, 0, 100);
	MUST(read(fd, text, 99));
	text[strcspn(text, "\n")] = 0;
	close(fd);
}

static int write_file(const char *name, const char *text)
{
	char path[100];
	int fd, n;

	file_path(path, name);
	fd = MUST(open(path, O_WRONLY));
	n = write(fd, text, strlen(text));
	close(fd);
	return n;
}

static void say_file(const char *name)
{
	char text[100];

	read_file(name, text);
	say("%s: %s", name, text);
}

/* What was there is there again afterwards: other tests count on it. */
static void set_file(const char *name, const char *value)
{
	char before[100];

	read_file(name, before);
	say("%s = %s: %s", name, value, write_file(name, value) > 0 ? "taken" : errno_text(errno));
	say_file(name);
	write_file(name, before);
}

TEST(settings)
{
	const char *const same[] = { "tcp_abort_on_overflow",
				     "tcp_fin_timeout",
				     "tcp_keepalive_intvl",
				     "tcp_keepalive_probes",
				     "tcp_keepalive_time",
				     "tcp_retries1",
				     "tcp_retries2",
				     "tcp_rfc1337",
				     "tcp_sack",
				     "tcp_slow_start_after_idle",
				     "tcp_syn_retries",
				     "tcp_synack_retries",
				     "tcp_syncookies",
				     "tcp_timestamps",
				     "tcp_tw_reuse",
				     "tcp_window_scaling",
				     "tcp_orphan_retries",
				     "tcp_early_retrans",
				     "tcp_ecn" };

	for (unsigned i = 0; i < sizeof(same) / sizeof(*same); i++)
		say_file(same[i]);
	set_file("tcp_fin_timeout", "30");
	set_file("tcp_syn_retries", "0");
	set_file("tcp_syn_retries", "128");
	set_file("tcp_syn_retries", "2");
	set_file("tcp_syn_retries", "x");
	set_file("tcp_congestion_control", "reno");
	set_file("tcp_rmem", "4096 8192 16384");
	set_file("tcp_wmem", "4096 8192 16384");
}

/* Address, port and state of the lines of these ports. */
TEST(proc_net_tcp)
{
	char line[300];
	FILE *file;

	tcp_pair(ends, 6180);
	tcp_listener(6181, 3);
	MUST(write(ends[0], "abcde", 5));
	wait_readable(ends[1], 5);
	wait_sent(ends[0]);
	file = fopen("/proc/net/tcp", "r");
	while (fgets(line, sizeof(line), file)) {
		unsigned number, local, port, remote, peer, state, tx, rx;

		if (sscanf(line, "%u: %x:%x %x:%x %x %x:%x", &number, &local, &port, &remote, &peer,
			   &state, &tx, &rx) != 8) {
			say("%s", line);
			continue;
		}
		if (port / 10 == 6180 / 10)
			say("%x:%u %x %s %x, %x to send, %x to read, %zu characters", local, port,
			    remote, peer ? "peer" : "nobody", state, tx, rx, strlen(line));
	}
}
