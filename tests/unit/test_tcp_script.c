/* sources: tests/unit/tcp_machine.c tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sched.c tests/unit/net_shim_proc.c fs/proc/value.c net/tcp_*.c net/skbuff.c net/checksum.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c net/udp.c net/udp_socket.c net/inet.c net/inet_port.c net/inet_send.c net/inet_error.c net/inet_option.c net/raw.c net/ping.c net/sock.c net/sock_options.c net/cmsg.c fs/iov_iter.c fs/seq_buf.c kernel/lib/bitmap.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
/*
 * TCP's rules as conversations: the scripts of tests/unit/tcp/ are played to all of our TCP, with a clock that stands
 * still in between. Each case becomes a unit test of its own; its language is in tests/unit/tcp/README.md.
 */
#include "tcp_machine.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <net/snmp.h>
#include <net/sock_options.h>
#include <net/tcp_hash.h>
#include <net/tcp_sender.h>
#include <net/tcp_socket.h>

/* libc's <stdlib.h> has types of the kernel's names */
double strtod(const char *text, char **end);
long long strtoll(const char *text, char **end, int base);
void *malloc(size_t size);
_Noreturn void exit(int status);

#define DIRECTORY "tests/unit/tcp/"
static const char *const files[] = {
	"open", "listen", "sequence", "reset",	"close",  "timewait", "data",
	"ack",	"window", "options",  "urgent", "timers", "recovery", "congestion",
	"icmp", "attack", "coalesce", "rcvbuf", "ecn",
};

#define MAX_CASES 512
#define MAX_PEERS 1200
#define PORT	  80
#define PEER_PORT 5000 /* peer N's: one more each */

/* ---- cases ----------------------------------------------------------------------------------------------------- */

static struct tcp_case {
	struct unit_test test;
	const char *file;
	const char *text; /* from its first line on */
	int line;
} cases[MAX_CASES];
static u32 nr_cases;

/* Where the two sides' numbers begin: each case is played with all of them. */
static const struct beginning {
	u32 ours, theirs;
} beginnings[] = {
	{ 1000000, 2000000 },	    { 0xfffffff0, 0xfffffff0 }, /* they wrap soon */
	{ 0x7ffffff0, 0x7ffffff0 },				/* ... and change sign */
	{ 0xffffffff, 0xffffffff },				/* with the SYN */
	{ 0xfffffa24, 0xfffffa24 },				/* in the second segment */
};

/* ---- what a case knows --------------------------------------------------------------------------------------------- */

struct peer {
	u16 port;
	bool known; /* `ours` is: they have seen a SYN */
	bool knows_clock;
	u32 ours, theirs;     /* the SYNs' numbers */
	u32 clock, timestamp; /* our timestamps: the first, the latest */
	struct sock *sk;
	u32 written, read;
};

static const struct tcp_case *playing;
static int line_number;
static struct beginning begin;
static struct peer peers[MAX_PEERS], *peer;
static struct sock *listener;
static char where[100];

#define FAIL(format, ...)                                                                \
	unit_fail(playing->file, line_number, format " (from %x, %x on)", ##__VA_ARGS__, \
		  begin.ours, begin.theirs)

/* ---- words ------------------------------------------------------------------------------------------------------------ */

/* A line, eaten up word by word. */
struct line {
	char text[256];
	char *at;
};

static char *next_word(struct line *line)
{
	char *word;

	while (*line->at == ' ' || *line->at == '\t')
		line->at++;
	if (!*line->at)
		return NULL;
	word = line->at;
	while (*line->at && *line->at != ' ' && *line->at != '\t')
		line->at++;
	if (*line->at)
		*line->at++ = 0;
	return word;
}

static bool takes(struct line *line, const char *wanted)
{
	struct line before = *line;
	char *at = line->at, *word = next_word(line);
	bool same = word && !strcmp(word, wanted);

	if (!same) {
		memcpy(line->text, before.text, sizeof(line->text));
		line->at = at;
	}
	return same;
}

static char *need_word(struct line *line)
{
	char *word = next_word(line);

	if (!word)
		FAIL("something is missing at the end of the line");
	return word;
}

static u32 number(const char *word)
{
	char *end;
	u32 value = (u32)strtoll(word, &end, 0);

	if (end == word || *end)
		FAIL("%s is not a number", word);
	return value;
}

static u32 need_number(struct line *line)
{
	return number(need_word(line));
}

static u32 number_or(struct line *line, u32 otherwise)
{
	char *at = line->at;

	while (*at == ' ' || *at == '\t')
		at++;
	if ((*at < '0' || *at > '9') && (*at != '-' || at[1] < '0' || at[1] > '9'))
		return otherwise;
	return need_number(line);
}

struct name {
	const char *name;
	long value;
};

static const struct name errors[] = { { "EAGAIN", EAGAIN },
				      { "EINPROGRESS", EINPROGRESS },
				      { "EALREADY", EALREADY },
				      { "EISCONN", EISCONN },
				      { "ENOTCONN", ENOTCONN },
				      { "EPIPE", EPIPE },
				      { "ECONNRESET", ECONNRESET },
				      { "ECONNREFUSED", ECONNREFUSED },
				      { "ETIMEDOUT", ETIMEDOUT },
				      { "EINVAL", EINVAL },
				      { "EHOSTUNREACH", EHOSTUNREACH },
				      { "ENETUNREACH", ENETUNREACH },
				      { "EADDRINUSE", EADDRINUSE },
				      { "ECONNABORTED", ECONNABORTED },
				      { "ENOBUFS", ENOBUFS },
				      { "EPROTO", EPROTO },
				      { "ENOPROTOOPT", ENOPROTOOPT },
				      { NULL, 0 } };

static const struct name states[] = { { "ESTABLISHED", TCP_ESTABLISHED },
				      { "SYN_SENT", TCP_SYN_SENT },
				      { "SYN_RECV", TCP_SYN_RECV },
				      { "FIN_WAIT1", TCP_FIN_WAIT1 },
				      { "FIN_WAIT2", TCP_FIN_WAIT2 },
				      { "TIME_WAIT", TCP_TIME_WAIT },
				      { "CLOSED", TCP_CLOSE },
				      { "CLOSE_WAIT", TCP_CLOSE_WAIT },
				      { "LAST_ACK", TCP_LAST_ACK },
				      { "CLOSING", TCP_CLOSING },
				      { "REQUEST", TCP_NEW_SYN_RECV },
				      { NULL, 0 } };

static const struct name ca_states[] = { { "OPEN", TCP_CA_OPEN },
					 { "DISORDER", TCP_CA_DISORDER },
					 { "CWR", TCP_CA_CWR },
					 { "RECOVERY", TCP_CA_RECOVERY },
					 { "LOSS", TCP_CA_LOSS },
					 { "INFINITE", TCP_INFINITE },
					 { NULL, 0 } };

static const struct name poll_bits[] = { { "IN", SOCK_READABLE }, { "OUT", EPOLLOUT | EPOLLWRNORM },
					 { "RDHUP", EPOLLRDHUP }, { "HUP", EPOLLHUP },
					 { "ERR", EPOLLERR },	  { "PRI", EPOLLPRI },
					 { "NONE", 0 },		  { NULL, 0 } };

static const struct name *find_name(const struct name *names, const char *word)
{
	for (; names->name; names++)
		if (!strcmp(names->name, word))
			return names;
	return NULL;
}

static long need_name(struct line *line, const struct name *names)
{
	const char *word = need_word(line);
	const struct name *name = find_name(names, word);

	if (!name)
		FAIL("nobody knows %s", word);
	return name->value;
}

static const char *name_of(const struct name *names, long value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return "?";
}

/* A call's result: what stands behind ->, else `otherwise`. */
static void check_result(struct line *line, long result, long otherwise)
{
	const struct name *error;
	char *word;

	if (takes(line, "->")) {
		word = need_word(line);
		error = find_name(errors, word);
		otherwise = error ? -error->value : (long)(s32)number(word);
	}
	if (result != otherwise)
		FAIL("the answer is %ld (%s), not %ld (%s)", result, name_of(errors, -result),
		     otherwise, name_of(errors, -otherwise));
}

/* ---- segments in words --------------------------------------------------------------------------------------------------- */

static const struct {
	char letter;
	u8 flag;
} flag_letters[] = { { 'S', TCPHDR_SYN }, { 'F', TCPHDR_FIN }, { 'R', TCPHDR_RST },
		     { 'P', TCPHDR_PSH }, { 'U', TCPHDR_URG }, { 'E', TCPHDR_ECE },
		     { 'C', TCPHDR_CWR }, { '.', TCPHDR_ACK } };

static u8 parse_flags(const char *word)
{
	u8 flags = 0;

	for (; *word && *word != '-'; word++) {
		u32 i = 0;

		while (i < ARRAY_SIZE(flag_letters) && flag_letters[i].letter != *word)
			i++;
		if (i == ARRAY_SIZE(flag_letters))
			FAIL("%c is no flag", *word);
		flags |= flag_letters[i].flag;
	}
	return flags;
}

/* "100", or "100:200" */
static void read_range(char *word, u32 *start, u32 *end)
{
	char *colon = strchr(word, ':');

	if (colon)
		*colon = 0;
	*start = *end = number(word);
	if (colon)
		*end = number(colon + 1);
}

static void read_sacks(char *word, u32 base, struct machine_segment *segment)
{
	for (char *part = strtok(word, ","); part; part = strtok(NULL, ",")) {
		u32 start, end;

		read_range(part, &start, &end);
		segment->sacks[2 * segment->nr_sacks] = base + start;
		segment->sacks[2 * segment->nr_sacks++ + 1] = base + end;
	}
}

static void read_raw(const char *word, struct machine_segment *segment)
{
	for (u32 byte; sscanf(word, "%2x", &byte) == 1; word += 2)
		segment->raw[segment->nr_raw++] = byte;
}

/* What a line says of a segment, and what it leaves open. */
struct said {
	struct machine_segment segment;
	bool absolute, ack, window, urgent, tos, options, timestamp, any_tsval;
};

/* The tail of both directions: `seq_base` counts the sender's numbers, `ack_base` the other side's. */
static void read_fields(struct line *line, struct said *said, u32 seq_base, u32 ack_base,
			bool sending)
{
	struct machine_segment *segment = &said->segment;
	char *word;

	while ((word = next_word(line))) {
		if (!strcmp(word, "ack")) {
			segment->ack = need_number(line) + ack_base;
			said->ack = true;
		} else if (!strcmp(word, "win")) {
			segment->window = need_number(line);
			said->window = true;
		} else if (!strcmp(word, "urg")) {
			segment->urgent = need_number(line);
			said->urgent = true;
		} else if (!strcmp(word, "tos")) {
			segment->tos = need_number(line);
			said->tos = true;
		} else if (!strcmp(word, "mss")) {
			segment->mss = need_number(line);
			said->options = true;
		} else if (!strcmp(word, "wscale")) {
			segment->wscale = need_number(line);
			said->options = true;
		} else if (!strcmp(word, "sackok")) {
			segment->sack_permitted = true;
			said->options = true;
		} else if (!strcmp(word, "noopt")) {
			said->options = true;
		} else if (!strcmp(word, "ts")) {
			char *value = need_word(line), *echo = strchr(value, ':');

			if (!echo)
				FAIL("a timestamp is VALUE:ECHO");
			*echo++ = 0;
			said->timestamp = segment->has_timestamp = true;
			said->any_tsval = *value == '*';
			if (sending) {
				segment->tsval = number(value);
				segment->tsecr = *echo == '*'	? peer->timestamp
						 : *echo == '=' ? number(echo + 1)
								: peer->clock + number(echo);
			} else {
				segment->tsval = said->any_tsval ? 0 : peer->clock + number(value);
				segment->tsecr = number(echo);
			}
		} else if (!strcmp(word, "sack")) {
			read_sacks(need_word(line), ack_base, segment);
		} else if (!strcmp(word, "raw")) {
			read_raw(need_word(line), segment);
		} else if (!strcmp(word, "badsum")) {
			segment->bad_checksum = true;
		} else {
			FAIL("a segment has no \"%s\"", word);
		}
	}
	segment->seq += seq_base;
}

static void read_start(struct line *line, struct said *said)
{
	u32 start, end;
	char *word;

	said->segment = machine_segment(parse_flags(need_word(line)), 0, 0, 0);
	word = need_word(line);
	said->absolute = *word == '@';
	read_range(word + said->absolute, &start, &end);
	said->segment.seq = start;
	said->segment.length = end - start;
}

static void print_flags(char *text, u8 flags)
{
	for (u32 i = 0; i < ARRAY_SIZE(flag_letters); i++)
		if (flags & flag_letters[i].flag)
			*text++ = flag_letters[i].letter;
	*text = 0;
}

/* As it would stand in a script. */
static const char *describe(const struct machine_segment *segment)
{
	static char text[512];
	char flags[10];
	u32 seq = segment->seq - (peer->known ? peer->ours : 0), used;

	print_flags(flags, segment->flags);
	used = snprintf(text, sizeof(text), "> %s %u", flags, seq);
	if (segment->length)
		used += snprintf(text + used, sizeof(text) - used, ":%u", seq + segment->length);
	if (segment->flags & TCPHDR_ACK)
		used += snprintf(text + used, sizeof(text) - used, " ack %u",
				 segment->ack - peer->theirs);
	used += snprintf(text + used, sizeof(text) - used, " win %u", segment->window);
	if (segment->urgent)
		used += snprintf(text + used, sizeof(text) - used, " urg %u", segment->urgent);
	if (segment->mss)
		used += snprintf(text + used, sizeof(text) - used, " mss %u", segment->mss);
	if (segment->wscale >= 0)
		used += snprintf(text + used, sizeof(text) - used, " wscale %d", segment->wscale);
	if (segment->sack_permitted)
		used += snprintf(text + used, sizeof(text) - used, " sackok");
	if (segment->has_timestamp)
		used += snprintf(text + used, sizeof(text) - used, " ts %u:%u",
				 segment->tsval - peer->clock, segment->tsecr);
	for (u32 i = 0; i < segment->nr_sacks; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%u:%u", i ? "," : " sack ",
				 segment->sacks[2 * i] - peer->theirs,
				 segment->sacks[2 * i + 1] - peer->theirs);
	return text;
}

/* ---- the wire --------------------------------------------------------------------------------------------------------------- */

static void inject(struct line *line)
{
	struct said said = { 0 };

	read_start(line, &said);
	read_fields(line, &said, peer->theirs, peer->known ? peer->ours : 0, true);
	said.segment.sport = peer->port;
	said.segment.dport = PORT;
	said.segment.base = peer->theirs + 1;
	machine_receive(&said.segment);
}

/* What `to` learns from a segment. */
static void note_sent(struct peer *to, const struct machine_segment *segment)
{
	if (segment->flags & TCPHDR_SYN) {
		to->known = true;
		to->ours = segment->seq;
	}
	if (segment->has_timestamp) {
		if (!to->knows_clock)
			to->clock = segment->tsval;
		to->knows_clock = true;
		to->timestamp = segment->tsval;
	}
}

/* The next one that was sent; it must be for this peer. */
static bool next_sent(struct machine_segment *segment)
{
	if (!machine_sent(segment))
		return false;
	if (segment->dport != peer->port)
		FAIL("port %u is sent to, not %u: %s", segment->dport, peer->port,
		     describe(segment));
	note_sent(peer, segment);
	return true;
}

static bool same_options(const struct said *said, const struct machine_segment *got)
{
	const struct machine_segment *want = &said->segment;

	if (said->options && (want->mss != got->mss || want->wscale != got->wscale ||
			      want->sack_permitted != got->sack_permitted))
		return false;
	if ((said->options || said->timestamp) && want->has_timestamp != got->has_timestamp)
		return false;
	if (said->timestamp &&
	    (want->tsecr != got->tsecr || (!said->any_tsval && want->tsval != got->tsval)))
		return false;
	return want->nr_sacks == got->nr_sacks &&
	       !memcmp(want->sacks, got->sacks, 8 * want->nr_sacks);
}

static bool same_segment(const struct said *said, const struct machine_segment *got)
{
	const struct machine_segment *want = &said->segment;
	u8 ignored = want->flags & TCPHDR_PSH ? 0 : TCPHDR_PSH;

	return want->flags == (got->flags & ~ignored) && want->seq == got->seq &&
	       want->length == got->length && (!said->ack || want->ack == got->ack) &&
	       (!said->window || want->window == got->window) &&
	       (!said->tos || want->tos == got->tos) &&
	       (said->urgent ? want->urgent == got->urgent : !got->urgent) &&
	       same_options(said, got);
}

static void check_payload(const struct machine_segment *got)
{
	for (u32 i = 0; i < got->length; i++)
		if (got->payload[i] != machine_byte(got->seq - peer->ours - 1 + i))
			FAIL("byte %u is not the right one", got->seq - peer->ours + i);
}

static void expect(struct line *line)
{
	struct machine_segment got;
	struct said said = { 0 };
	char text[256];
	u32 base;

	snprintf(text, sizeof(text), "%s", line->at);
	read_start(line, &said);
	base = said.absolute ? 0 : peer->ours;
	if (!next_sent(&got))
		FAIL("nothing was sent; wanted >%s", text);
	/* a new connection's SYN is 0, unless it is said how far behind the old one's it must be */
	if (got.flags & TCPHDR_SYN && !said.segment.seq)
		base = peer->ours;
	read_fields(line, &said, base, peer->theirs, false);
	if (!same_segment(&said, &got))
		FAIL("%s; wanted >%s", describe(&got), text);
	check_payload(&got);
}

static void expect_nothing(void)
{
	struct machine_segment got;

	if (next_sent(&got))
		FAIL("sent, and not expected: %s", describe(&got));
}

/* Whatever was sent, to whomever. */
static void do_ignore(struct line *line)
{
	struct machine_segment got;

	while (machine_sent(&got))
		note_sent(&peers[got.dport - PEER_PORT - 1], &got);
}

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

static void do_listen(struct line *line)
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

static void do_accept(struct line *line)
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

/* icmp TYPE CODE MTU SEQ: about a segment of ours. */
static void do_icmp(struct line *line)
{
	u32 type = need_number(line), code = need_number(line), mtu = need_number(line),
	    seq = need_number(line);
	struct machine_segment about =
		machine_segment(TCPHDR_ACK, seq + (peer->known ? peer->ours : 0), 0, 0);

	about.sport = PORT;
	about.dport = peer->port;
	machine_receive_icmp(type, code, mtu, &about);
}

static void do_fail(struct line *line)
{
	net_shim_fail_nth(need_number(line));
}

static void do_peer(struct line *line)
{
	u32 which = need_number(line);

	if (!which || which > MAX_PEERS)
		FAIL("there is no peer %u", which);
	peer = &peers[which - 1];
}

/* The ACK of a SYN that we have got, and the other options of an ordinary connection. */
static void do_established(struct line *line)
{
	struct said said = { 0 };
	struct machine_segment got, *segment = &said.segment;
	u32 tsval, rtt_ms = 0;
	u16 window;

	if (!listener)
		do_listen(line);
	if (takes(line, "rtt"))
		rtt_ms = need_number(line);
	said.segment = machine_segment(TCPHDR_SYN, 0, 0, 0);
	segment->mss = 1460;
	read_fields(line, &said, peer->theirs, 0, true);
	segment->sport = peer->port;
	segment->dport = PORT;
	machine_receive(segment);
	if (!next_sent(&got) || got.flags != (TCPHDR_SYN | TCPHDR_ACK))
		FAIL("no SYN-ACK");
	machine_advance(rtt_ms * NSEC_PER_MSEC);
	window = segment->window;
	tsval = segment->tsval;
	*segment = machine_segment(TCPHDR_ACK, peer->theirs + 1, 0, peer->ours + 1);
	segment->window = window;
	segment->has_timestamp = said.timestamp;
	segment->tsval = tsval;
	segment->tsecr = got.tsval;
	segment->sport = peer->port;
	segment->dport = PORT;
	machine_receive(segment);
	do_accept(line);
}

/* What comes from here on comes in one poll of the card. */
static void do_burst(struct line *line)
{
	net_polling = true;
}

static void do_burst_ends(struct line *line)
{
	net_poll_over();
	net_polling = false;
}

/* The peer opens a flood of connections that it does not mean: the SYNs of peers FROM to TO; what is answered is not
 * looked at. */
static void do_flood(struct line *line)
{
	u32 from = need_number(line), to = need_number(line);
	struct machine_segment segment;

	for (u32 i = from; i <= to; i++) {
		peer = &peers[i - 1];
		segment = machine_segment(TCPHDR_SYN, peer->theirs, 0, 0);
		segment.sport = peer->port;
		segment.dport = PORT;
		machine_receive(&segment);
		do_ignore(line);
	}
}

/* Many segments of one byte each, with a hole of one byte behind each. */
static void do_crumbs(struct line *line)
{
	u32 from = need_number(line), count = need_number(line);

	for (u32 i = 0; i < count; i++) {
		struct machine_segment segment =
			machine_segment(TCPHDR_ACK, peer->theirs + from + 2 * i, 1, peer->ours + 1);

		segment.sport = peer->port;
		segment.dport = PORT;
		segment.base = peer->theirs + 1;
		machine_receive(&segment);
		do_ignore(line);
	}
}

/* ---- playing ---------------------------------------------------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	void (*run)(struct line *line);
	bool looks; /* at what was sent: else nothing may be left */
} commands[] = {
	{ "<", inject, false },
	{ ">", expect, true },
	{ "ignore", do_ignore, true },
	{ "after", do_after, false },
	{ "peer", do_peer, true },
	{ "socket", do_socket, false },
	{ "listener", do_listener, false },
	{ "listen", do_listen, false },
	{ "connect", do_connect, false },
	{ "accept", do_accept, false },
	{ "established", do_established, false },
	{ "write", do_write, false },
	{ "more", do_more, false },
	{ "oob", do_oob, false },
	{ "read", do_read, false },
	{ "peek", do_peek, false },
	{ "skip", do_skip, false },
	{ "read_oob", do_read_oob, false },
	{ "close", do_close, false },
	{ "close_listener", do_close_listener, false },
	{ "shutdown", do_shutdown, false },
	{ "disconnect", do_disconnect, false },
	{ "set", do_set, false },
	{ "sysctl", do_sysctl, false },
	{ "icmp", do_icmp, false },
	{ "fail", do_fail, false },
	{ "flood", do_flood, false },
	{ "crumbs", do_crumbs, false },
	{ "burst", do_burst, false },
	{ "burst_ends", do_burst_ends, false },
	{ "cwnd", do_cwnd, false },
	{ "ssthresh", do_ssthresh, false },
	{ "state", do_state, true },
	{ "info", do_info, true },
	{ "error", do_error, true },
	{ "poll", do_poll, true },
};

static void run_line(struct line *line)
{
	char *word = next_word(line);

	if (!word)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, word))
			continue;
		if (!commands[i].looks)
			expect_nothing();
		commands[i].run(line);
		snprintf(where, sizeof(where), "%s:%d", playing->file, line_number);
		if (next_word(line))
			FAIL("the line is longer than what is understood");
		machine_check_all();
		return;
	}
	FAIL("nobody knows \"%s\"", word);
}

/* The next line of the case, without its comment; NULL: there is none. */
static const char *next_line(const char *at, struct line *line)
{
	u32 length = strcspn(at, "\n");

	if (!*at || !strncmp(at, "case:", 5))
		return NULL;
	snprintf(line->text, sizeof(line->text), "%.*s", (int)length, at);
	line->text[strcspn(line->text, "#")] = 0;
	line->at = line->text;
	return at + length + (at[length] == '\n');
}

/* What a case that failed has left. */
static void clean(void)
{
	if (listener)
		listener->ops->close(listener);
	for (u32 i = 0; i < MAX_PEERS; i++)
		if (peers[i].sk)
			peers[i].sk->ops->close(peers[i].sk);
	if (net_polling)
		do_burst_ends(NULL);
	listener = NULL;
	memset(peers, 0, sizeof(peers));
}

/* The clock decides with which number the first connection begins. */
static void choose_beginning(void)
{
	u32 now;

	for (u32 i = 0; i < MAX_PEERS; i++) {
		peers[i].port = PEER_PORT + 1 + i;
		peers[i].theirs = begin.theirs;
	}
	peer = &peers[0];
	now = tcp_secure_seq(SHIM_OUR, SHIM_PEER, htons(PORT), htons(peer->port));
	host_clock_ns += (u64)(u32)(begin.ours - now) * 4 * NSEC_PER_USEC;
}

static void play(void)
{
	struct tcp_sysctl settings = tcp_sysctl;
	const char *at = playing->text;
	struct line line;

	machine_where = where;
	machine_boot();
	choose_beginning();
	for (line_number = playing->line; (at = next_line(at, &line)); line_number++)
		run_line(&line);
	expect_nothing();
	clean();
	machine_end();
	tcp_sysctl = settings;
}

static void run_case(void)
{
	static struct tcp_sysctl settings;
	static bool settings_known;

	playing = container_of((struct unit_test *)unit_running, struct tcp_case, test);
	if (settings_known)
		tcp_sysctl = settings;
	settings = tcp_sysctl;
	settings_known = true;
	clean();
	for (u32 i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin = beginnings[i];
		play();
	}
}

/* ---- what no conversation shows ------------------------------------------------------------------------------------------------ */

/* RFC 6528: by a clock of 4 us, and for each four from a place that nobody guesses. */
TEST(initial_numbers_are_a_clock_with_a_secret)
{
	u32 first, other, later;

	machine_boot();
	first = tcp_secure_seq(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT));
	other = tcp_secure_seq(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT + 1));
	host_clock_ns += NSEC_PER_MSEC;
	later = tcp_secure_seq(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT));
	CHECK_EQ(later - first, 250);
	CHECK(other - first > 1000 && first - other > 1000);
	machine_end();
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		fprintf(stderr, "%s cannot be read\n", path);
		exit(1);
	}
	rewind(file);
	text = malloc(size + 1);
	text[fread(text, 1, size, file)] = 0;
	fclose(file);
	return text;
}

static void add_case(const char *path, const char *title, int line)
{
	struct tcp_case *new = &cases[nr_cases++];
	u32 length = strcspn(title, "\n");

	if (nr_cases == MAX_CASES) {
		fprintf(stderr, "too many cases\n");
		exit(1);
	}
	new->test = (struct unit_test){ .name = strndup(title, length), .run = run_case };
	new->file = path;
	new->text = title + length + 1;
	new->line = line + 1;
	unit_register(&new->test);
}

static void add_cases(const char *name)
{
	static struct {
		char path[100], *text;
	} loaded[ARRAY_SIZE(files)];
	static u32 nr_loaded;
	char *path = loaded[nr_loaded].path, *text;
	int line = 1;

	snprintf(path, sizeof(loaded[0].path), DIRECTORY "%s.tcp", name);
	text = loaded[nr_loaded++].text = read_file(path);
	for (const char *at = text; *at; line++) {
		if (!strncmp(at, "case: ", 6))
			add_case(path, at + 6, line);
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
}

__attribute__((constructor)) static void add_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		add_cases(files[i]);
}
