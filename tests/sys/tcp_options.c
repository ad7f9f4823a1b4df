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

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	MUST(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &length));
	return info;
}

static void say_numbers(const char *who, int fd)
{
	struct tcp_info info = info_of(fd);

	say("%s: mss %u, ssthresh %u, reordering %u, options %x", who, info.tcpi_advmss,
	    info.tcpi_snd_ssthresh, info.tcpi_reordering, info.tcpi_options);
	say("unacked %u, sacked %u, lost %u, retrans %u of %u, fackets %u, probes %u",
	    info.tcpi_unacked, info.tcpi_sacked, info.tcpi_lost, info.tcpi_retrans,
	    info.tcpi_total_retrans, info.tcpi_fackets, info.tcpi_probes);
}

TEST(info_of_both_ends)
{
	static char data[20000];
	struct tcp_info one, other;

	tcp_pair(ends, 6145);
	say_numbers("new", ends[0]);
	say_numbers("accepted", ends[1]);
	one = info_of(ends[0]);
	other = info_of(ends[1]);
	say("theirs %u and %u", one.tcpi_rcv_mss, other.tcpi_rcv_mss);
	say("scales: %s", one.tcpi_snd_wscale == other.tcpi_rcv_wscale &&
					  one.tcpi_rcv_wscale == other.tcpi_snd_wscale
				  ? "as the other says"
				  : "different");
	MUST(write(ends[0], data, sizeof(data)));
	wait_readable(ends[1], sizeof(data));
	MUST(recv(ends[1], data, sizeof(data), MSG_WAITALL));
	wait_sent(ends[0]);
	say_numbers("has sent", ends[0]);
	usleep(60000);
	one = info_of(ends[0]);
	other = info_of(ends[1]);
	say("%s: sent, acknowledged, received", one.tcpi_last_data_sent >= 50 &&
								one.tcpi_last_ack_recv >= 50 &&
								other.tcpi_last_data_recv >= 50
							? "some time ago"
							: "just now");
	MUST(write(ends[0], data, 10));
	wait_readable(ends[1], 10);
	say("%s", info_of(ends[0]).tcpi_last_data_sent < 50 ? "sent just now" : "not sent");
}

/* A round trip, as whoever reads much can tell it: by the timestamps. */
TEST(info_of_a_reader)
{
	static char much[1 << 16];

	tcp_pair(ends, 6148);
	for (int i = 0; i < 20; i++) {
		MUST(write(ends[0], much, sizeof(much)));
		MUST(recv(ends[1], much, sizeof(much), MSG_WAITALL));
	}
	say("the writer: %s", info_of(ends[0]).tcpi_rcv_rtt ? "measured" : "not measured");
	say("the reader: %s", info_of(ends[1]).tcpi_rcv_rtt ? "measured" : "not measured");
}

/* What asks about a shut window, less and less often, is counted. */
TEST(info_of_a_shut_window)
{
	tcp_pair(ends, 6146);
	fill(ends[0]);
	for (int i = 0; i < 5000 && !info_of(ends[0]).tcpi_backoff; i++)
		usleep(1000);
	say("%s", info_of(ends[0]).tcpi_backoff ? "waits longer" : "never asked");
	say("unacked %u, ca_state %u, retransmits %u", info_of(ends[0]).tcpi_unacked,
	    info_of(ends[0]).tcpi_ca_state, info_of(ends[0]).tcpi_retransmits);
}

TEST(info_of_one_that_connects)
{
	struct sockaddr_in addr = LO(6147);
	int listener = tcp_listener(6147, 0), fd = tcp_socket();
	struct tcp_info info;

	tcp_client(6147);
	wait_queued(listener, 1);
	say_numbers("fresh", fd);
	say("theirs %u", info_of(fd).tcpi_snd_mss);
	no_wait(fd);
	SHOW(connect(fd, SA(addr)));
	say_numbers("connecting", fd);
	info = info_of(fd);
	say("theirs %u, cwnd %u, rto %u, rtt %u", info.tcpi_snd_mss, info.tcpi_snd_cwnd,
	    info.tcpi_rto, info.tcpi_rtt);
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
