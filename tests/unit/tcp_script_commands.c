/* What a script's lines do besides segments: calls, settings, time, and looking inside. See tcp_script.h. */
#include "tcp_script.h"

#include <kernel/cpu/tsc.h>
#include <net/sock_options.h>
#include <net/tcp_hash.h>
#include <net/tcp_sender.h>
#include <net/tcp_socket.h>

/* libc's <stdlib.h> has types of the kernel's names */
double strtod(const char *text, char **end);

/* ---- sockets ------------------------------------------------------------------------------------------------------------------ */

static struct sock *need_socket(void)
{
	struct sock *sk = peer->sk ?: listener;

	if (!sk)
		FAIL("there is no socket yet");
	return sk;
}

static void do_socket(struct line *line)
{
	int on = 1;

	peer->sk = machine_socket();
	sock_setsockopt(peer->sk, SO_REUSEADDR, &on, sizeof(on));
	check_result(line, machine_bind(peer->sk, PORT), 0);
}

static void do_listener(struct line *line)
{
	int on = 1;

	listener = machine_socket();
	sock_setsockopt(listener, SO_REUSEADDR, &on, sizeof(on));
	check_result(line, machine_bind(listener, PORT), 0);
}

void script_listen(struct line *line)
{
	u32 backlog = number_or(line, 128);

	if (!listener)
		do_listener(line);
	check_result(line, listener->ops->listen(listener, backlog), 0);
}

static void do_connect(struct line *line)
{
	if (!peer->sk)
		do_socket(line);
	check_result(line, machine_connect(peer->sk, peer->port), -EINPROGRESS);
}

void script_accept(struct line *line)
{
	struct sock *sk = machine_accept(listener);

	if (IS_ERR(sk)) {
		check_result(line, PTR_ERR(sk), 0);
		return;
	}
	if (takes(line, "->"))
		FAIL("a connection was accepted");
	if (ntohs(tcp_sk(sk)->hashed.dport) != peer->port)
		FAIL("the connection is from port %u", ntohs(tcp_sk(sk)->hashed.dport));
	peer->sk = sk;
}

static void write_some(struct line *line, u32 flags)
{
	u32 size = need_number(line);
	ssize_t result = machine_write(peer->sk, peer->written, size, flags);

	if (result > 0)
		peer->written += result;
	check_result(line, result, size);
}

static void do_write(struct line *line)
{
	write_some(line, 0);
}

static void do_more(struct line *line)
{
	write_some(line, MSG_MORE);
}

/* A page at a time, as sendfile does. */
static void do_lend(struct line *line)
{
	u32 size = need_number(line), done = 0;

	while (done < size) {
		u32 part = min_t(u32, size - done, PAGE_SIZE);
		u32 more = done + part < size ? MSG_MORE : 0;
		ssize_t result = machine_lend(peer->sk, peer->written, 0, part, more);

		if (result != part)
			FAIL("of %u bytes %zd were sent", part, result);
		peer->written += part;
		done += part;
	}
}

static void do_oob(struct line *line)
{
	write_some(line, MSG_OOB);
}

static void do_read(struct line *line)
{
	u32 size = number_or(line, 1 << 20);
	ssize_t result = machine_read(peer->sk, peer->read, size, 0);

	if (result > 0)
		peer->read += result;
	check_result(line, result, size);
}

static void do_peek(struct line *line)
{
	u32 size = number_or(line, 1 << 20);

	check_result(line, machine_read(peer->sk, peer->read, size, MSG_PEEK), size);
}

static void run_command(struct line *line);
static struct line meanwhile;

/* Without a check: what is being copied is in no queue, and still charged for. */
static void run_meanwhile(void)
{
	run_command(&meanwhile);
}

/* meanwhile LINE: it happens while the next `waitall` copies its first bytes. */
static void do_meanwhile(struct line *line)
{
	meanwhile.at = meanwhile.text;
	snprintf(meanwhile.text, sizeof(meanwhile.text), "%s", line->at);
	line->at += strlen(line->at);
	net_shim_copying = run_meanwhile;
}

static void read_all(struct line *line, u32 flags)
{
	u32 size = need_number(line);
	ssize_t result = machine_recv_all(peer->sk, size, flags);

	for (ssize_t i = 0; i < result; i++)
		if (machine_bytes[i] != machine_byte(peer->read + i))
			FAIL("byte %u is not the right one", (u32)(peer->read + i));
	if (result > 0 && !(flags & MSG_PEEK))
		peer->read += result;
	check_result(line, result, size);
}

static void do_waitall(struct line *line)
{
	read_all(line, 0);
}

static void do_peekall(struct line *line)
{
	read_all(line, MSG_PEEK);
}

/* What is skipped is not read: an urgent byte that is not in line. */
static void do_skip(struct line *line)
{
	peer->read += need_number(line);
}

static void do_read_oob(struct line *line)
{
	check_result(line, machine_read(peer->sk, 0, 1, MSG_OOB), 1);
}

static void do_close(struct line *line)
{
	peer->sk->ops->close(peer->sk);
	peer->sk = NULL;
}

static void do_close_listener(struct line *line)
{
	listener->ops->close(listener);
	listener = NULL;
}

static void do_shutdown(struct line *line)
{
	static const struct name ways[] = { { "rd", SHUTDOWN_RCV },
					    { "wr", SHUTDOWN_SND },
					    { "rdwr", SHUTDOWN_MASK },
					    { NULL, 0 } };
	u32 how = need_name(line, ways);

	check_result(line, peer->sk->ops->shutdown(peer->sk, how), 0);
}

static void do_disconnect(struct line *line)
{
	const struct sockaddr_storage none = { .family = AF_UNSPEC };

	check_result(line, peer->sk->ops->connect(peer->sk, &none, sizeof(none.in), O_NONBLOCK), 0);
}

static void do_error(struct line *line)
{
	long want = takes(line, "NONE") ? 0 : need_name(line, errors);
	int got = -sock_error(need_socket());

	if (got != want)
		FAIL("SO_ERROR is %d (%s)", got, name_of(errors, got));
}

static void do_poll(struct line *line)
{
	u32 got = (peer->sk ?: listener)->ops->poll(peer->sk ?: listener), want = 0;
	char *word;

	while ((word = next_word(line))) {
		const struct name *bit = find_name(poll_bits, word);

		if (!bit)
			FAIL("poll knows no %s", word);
		want |= bit->value;
	}
	if (got != want)
		FAIL("poll says 0x%x, not 0x%x", got, want);
}

static const struct socket_option {
	const char *name;
	int level, option;
} options[] = {
	{ "NODELAY", SOL_TCP, 1 },	{ "MAXSEG", SOL_TCP, 2 },
	{ "CORK", SOL_TCP, 3 },		{ "KEEPIDLE", SOL_TCP, 4 },
	{ "KEEPINTVL", SOL_TCP, 5 },	{ "KEEPCNT", SOL_TCP, 6 },
	{ "SYNCNT", SOL_TCP, 7 },	{ "LINGER2", SOL_TCP, 8 },
	{ "DEFER_ACCEPT", SOL_TCP, 9 }, { "WINDOW_CLAMP", SOL_TCP, 10 },
	{ "QUICKACK", SOL_TCP, 12 },	{ "USER_TIMEOUT", SOL_TCP, 18 },
	{ "KEEPALIVE", SOL_SOCKET, 9 }, { "OOBINLINE", SOL_SOCKET, 10 },
	{ "RCVBUF", SOL_SOCKET, 8 },	{ "SNDBUF", SOL_SOCKET, 7 },
	{ "RCVLOWAT", SOL_SOCKET, 18 }, { "LINGER", SOL_SOCKET, 13 },
};

static void do_set(struct line *line)
{
	struct sock *sk = need_socket();
	const char *name = need_word(line);
	int value[2] = { need_number(line), 0 };

	for (u32 i = 0; i < ARRAY_SIZE(options); i++) {
		const struct socket_option *option = &options[i];
		bool linger = !strcmp(name, "LINGER");

		if (strcmp(option->name, name))
			continue;
		if (linger) { /* the seconds: it is on */
			value[1] = value[0];
			value[0] = 1;
		}
		check_result(line,
			     option->level == SOL_SOCKET
				     ? sock_setsockopt(sk, option->option, value, linger ? 8 : 4)
				     : sk->ops->setsockopt(sk, SOL_TCP, option->option, value, 4),
			     0);
		return;
	}
	FAIL("nobody knows the option %s", name);
}

static void do_sysctl(struct line *line)
{
	const char *name = need_word(line);
	char *value = need_word(line);
	int error;

	for (char *at = value; *at; at++)
		if (*at == ',')
			*at = ' ';
	error = net_shim_proc_write("sys/net/ipv4", name, value);
	if (error < 0)
		FAIL("%s does not take %s: %d", name, value, error);
}

/* ---- looking inside --------------------------------------------------------------------------------------------------------------- */

static struct tcp_hashed *find_hashed(void)
{
	return tcp_hash_lookup(
		&(struct tcp_four){ SHIM_OUR, SHIM_PEER, htons(PORT), htons(peer->port) });
}

static void do_state(struct line *line)
{
	u8 want = need_name(line, states), got = TCP_CLOSE;
	struct tcp_hashed *hashed = find_hashed();

	if (hashed) {
		got = hashed->state;
		tcp_hashed_put(hashed);
	} else if (peer->sk) {
		got = tcp_sk(peer->sk)->hashed.state;
	}
	if (got != want)
		FAIL("the state is %s", name_of(states, got));
}

static u32 ask(const struct tcp_sock *tp, const char *name)
{
#define FIELD(field)               \
	if (!strcmp(name, #field)) \
	return tp->field
	FIELD(cwnd);
	FIELD(ssthresh);
	FIELD(mss);
	FIELD(snd_wnd);
	FIELD(packets_out);
	FIELD(sacked_out);
	FIELD(lost_out);
	FIELD(retrans_out);
	FIELD(ca_state);
	FIELD(backoff);
	FIELD(rcv_mss);
	FIELD(rcv_wnd);
	FIELD(reordering);
	FIELD(ts_recent);
	if (!strcmp(name, "rto"))
		return tp->rto / 1000;
	if (!strcmp(name, "srtt"))
		return (tp->srtt >> 3) / 1000;
	if (!strcmp(name, "ooo"))
		return tp->ooo.count;
	if (!strcmp(name, "sndbuf"))
		return tp->inet.sk.sndbuf;
	if (!strcmp(name, "wmem"))
		return tp->inet.sk.wmem;
	if (!strcmp(name, "rcvbuf"))
		return tp->inet.sk.rcvbuf;
	if (!strcmp(name, "buffers_full"))
		return tp->inet.sk.rmem >= tp->inet.sk.rcvbuf;
	if (!strcmp(name, "queued"))
		return tp->inet.sk.receive_queue.count;
	FAIL("nobody knows %s", name);
}

static void do_info(struct line *line)
{
	struct tcp_hashed *hashed = find_hashed();
	struct tcp_sock *tp;
	char *name;

	if (!hashed || hashed->kind != TCP_HASHED_CONNECTION)
		FAIL("there is no connection");
	tp = container_of(hashed, struct tcp_sock, hashed);
	tcp_hashed_put(hashed);
	while ((name = next_word(line))) {
		char *word = need_word(line);
		const struct name *ca_state = find_name(ca_states, word);
		u32 want = ca_state ? (u32)ca_state->value : number(word), got = ask(tp, name);

		if (got != want)
			FAIL("%s is %u, not %u", name, got, want);
	}
}

/* The congestion window as if it had grown to that. */
static void do_cwnd(struct line *line)
{
	tcp_sk(peer->sk)->cwnd = need_number(line);
}

static void do_ssthresh(struct line *line)
{
	tcp_sk(peer->sk)->ssthresh = need_number(line);
}

/* ---- time, errors, the rest -------------------------------------------------------------------------------------------------------- */

static void do_after(struct line *line)
{
	char *end, *word = need_word(line);
	double ms = strtod(word, &end);

	if (!strcmp(end, "s"))
		ms *= 1000;
	else if (*end && strcmp(end, "ms"))
		FAIL("a time is 10, 10ms or 10s");
	machine_advance((u64)(ms * NSEC_PER_MSEC));
}

static void do_fail(struct line *line)
{
	net_shim_fail_nth(need_number(line));
}

/* From here on the card cuts nothing: what is sent, and what it costs, depends on that. */
static void do_no_tso(struct line *line)
{
	shim_eth.features = 0;
}

static void do_peer(struct line *line)
{
	u32 which = need_number(line);

	if (!which || which > MAX_PEERS)
		FAIL("there is no peer %u", which);
	peer = &peers[which - 1];
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static const struct command {
	const char *name;
	void (*run)(struct line *line);
	bool looks; /* at what was sent: else nothing may be left */
} commands[] = {
	{ "<", script_inject, false },
	{ ">", script_expect, true },
	{ "ignore", script_ignore, true },
	{ "after", do_after, false },
	{ "no_tso", do_no_tso, false },
	{ "peer", do_peer, true },
	{ "socket", do_socket, false },
	{ "listener", do_listener, false },
	{ "listen", script_listen, false },
	{ "connect", do_connect, false },
	{ "accept", script_accept, false },
	{ "established", script_established, false },
	{ "write", do_write, false },
	{ "more", do_more, false },
	{ "lend", do_lend, false },
	{ "oob", do_oob, false },
	{ "read", do_read, false },
	{ "peek", do_peek, false },
	{ "meanwhile", do_meanwhile, true },
	{ "waitall", do_waitall, false },
	{ "peekall", do_peekall, false },
	{ "skip", do_skip, false },
	{ "read_oob", do_read_oob, false },
	{ "close", do_close, false },
	{ "close_listener", do_close_listener, false },
	{ "shutdown", do_shutdown, false },
	{ "disconnect", do_disconnect, false },
	{ "set", do_set, false },
	{ "sysctl", do_sysctl, false },
	{ "icmp", script_icmp, false },
	{ "fail", do_fail, false },
	{ "flood", script_flood, false },
	{ "crumbs", script_crumbs, false },
	{ "burst", script_burst, false },
	{ "burst_ends", script_burst_ends, false },
	{ "cwnd", do_cwnd, false },
	{ "ssthresh", do_ssthresh, false },
	{ "state", do_state, true },
	{ "info", do_info, true },
	{ "error", do_error, true },
	{ "poll", do_poll, true },
};

static void run_command(struct line *line)
{
	char *word = need_word(line);

	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, word))
			continue;
		if (!commands[i].looks)
			script_expect_nothing();
		commands[i].run(line);
		if (next_word(line))
			FAIL("the line is longer than what is understood");
		return;
	}
	FAIL("nobody knows \"%s\"", word);
}

void script_run_line(struct line *line)
{
	static char where[100];

	if (is_empty(line))
		return;
	machine_where = where;
	run_command(line);
	snprintf(where, sizeof(where), "%s:%d", script_file, script_line);
	machine_check_all();
}
