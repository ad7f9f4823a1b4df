/*
 * The lives of TCP connections: the input is a list of things that happen to a listener and a few connections. Peers send
 * segments whose numbers are near those that matter, programs call, time passes, memory is short, the card is slow.
 * After each, numbers, queues and memory must agree (machine_check_all()); at the end nothing may be left; and each byte
 * that is read or sent must be the one that belongs at its number in the stream.
 */
#include <tests/fuzz/fuzz.h>
#include <tests/unit/tcp_machine.h>
#include <tests/unit/unit.h>

#include <stdio.h>
#include <string.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <net/sock_options.h>
#include <net/tcp_listen.h>
#include <net/tcp_socket.h>

#define PORT	  80
#define NR_PEERS  4
#define PEER_PORT 5001
#define MAX_OPS	  400

/* What a peer has seen of us, and said. */
static struct peer {
	u16 port;
	struct sock *sk;
	u32 irs;       /* of our SYN */
	u32 iss, next; /* of theirs; what they send next */
	u32 acked,
		highest; /* of ours: what they have acknowledged, and the end of what they have seen */
	u32 una, right; /* of theirs: what we have acknowledged, and the window's end */
	u8 wscale;
	bool timestamps;
	u32 timestamp;
} peers[NR_PEERS], *peer;
static struct sock *listener;
static struct tcp_sysctl settings;

/* ---- what we send ------------------------------------------------------------------------------------------------- */

static struct peer *peer_of(u16 port)
{
	return port - PEER_PORT < NR_PEERS ? &peers[port - PEER_PORT] : peer;
}

static void look_at(const struct machine_segment *segment)
{
	struct peer *to = peer_of(segment->dport);
	u32 end = segment->seq + segment->length + !!(segment->flags & (TCPHDR_SYN | TCPHDR_FIN));

	for (u32 i = 0; i < segment->length; i++)
		if (segment->payload[i] != machine_byte(segment->seq + i))
			unit_fail(__FILE__, __LINE__, "byte %u of a segment is not the right one",
				  i);
	if (segment->flags & TCPHDR_SYN) {
		to->irs = to->acked = to->highest = segment->seq;
		to->wscale = segment->wscale < 0 ? 0 : segment->wscale;
		to->timestamps = segment->has_timestamp;
	}
	if (segment->flags & TCPHDR_RST)
		return;
	if (after(end, to->highest))
		to->highest = end;
	if (segment->flags & TCPHDR_ACK) {
		to->una = segment->ack;
		to->right = segment->ack + ((u32)segment->window << to->wscale);
	}
	if (segment->has_timestamp)
		to->timestamp = segment->tsval;
}

static void look(void)
{
	struct machine_segment segment;

	while (machine_sent(&segment))
		look_at(&segment);
}

/* ---- the peers ----------------------------------------------------------------------------------------------------- */

/* A number near one that matters. */
static u32 near(struct input *input)
{
	const u32 edges[] = { peer->next,  peer->una,	  peer->right, peer->iss,
			      peer->acked, peer->highest, peer->irs,   peer->una + 1000 };
	u8 which = take_u8(input);
	u32 edge = edges[which & 7];

	switch (which >> 3 & 3) {
	case 0:
		return edge;
	case 1:
		return edge + (s8)take_u8(input);
	case 2:
		return edge + (s16)take_u16(input);
	default:
		return edge + ((u32)take_u16(input) << 16);
	}
}

static void send_segment(struct machine_segment *segment)
{
	segment->sport = peer->port;
	segment->dport = PORT;
	machine_receive(segment);
}

static const u8 likely_flags[] = {
	TCPHDR_ACK,
	TCPHDR_ACK,
	TCPHDR_ACK | TCPHDR_PSH,
	TCPHDR_ACK | TCPHDR_FIN,
	TCPHDR_SYN,
	TCPHDR_SYN | TCPHDR_ACK,
	TCPHDR_RST,
	TCPHDR_RST | TCPHDR_ACK,
	TCPHDR_ACK | TCPHDR_URG,
	TCPHDR_FIN,
	0,
	TCPHDR_ACK | TCPHDR_SYN | TCPHDR_FIN,
};

static void add_sacks(struct input *input, struct machine_segment *segment)
{
	segment->nr_sacks = 1 + take_u8(input) % 3;
	for (u32 i = 0; i < 2U * segment->nr_sacks; i++)
		segment->sacks[i] = i & 1 ? segment->sacks[i - 1] + take_u16(input) : near(input);
}

static void add_options(struct input *input, struct machine_segment *segment, u8 which)
{
	if (which & 1) {
		segment->has_timestamp = true;
		segment->tsval =
			host_clock_ns / NSEC_PER_MSEC + (which & 2 ? (s8)take_u8(input) * 1000 : 0);
		segment->tsecr = peer->timestamp - (which & 4 ? take_u16(input) : 0);
	}
	if (which & 8)
		add_sacks(input, segment);
	if (segment->flags & TCPHDR_SYN) {
		segment->mss = which & 16 ? take_u16(input) : 1460;
		segment->wscale = which & 32 ? take_u8(input) & 15 : -1;
		segment->sack_permitted = which & 64;
	}
	if (which & 128) {
		const u8 *bytes;

		segment->nr_raw = take_bytes(input, take_u8(input) & 3, &bytes);
		memcpy(segment->raw, bytes, segment->nr_raw);
	}
}

static void any_segment(struct input *input)
{
	u8 flags = take_u8(input), size = take_u8(input), options;
	u32 seq = near(input), ack = near(input);
	struct machine_segment segment = machine_segment(
		flags & 128 ? flags & 63 : likely_flags[flags % ARRAY_SIZE(likely_flags)], seq,
		size < 128   ? 0
		: size < 192 ? size - 127
			     : (size - 191) * 100,
		ack);

	if (flags & 64) { /* a router has marked it, or says that one has marked ours */
		segment.flags |= flags & 1 ? TCPHDR_ECE : TCPHDR_ECE | TCPHDR_CWR;
		segment.tos = flags & 3;
	}
	segment.window = size & 1 ? 65535 : take_u16(input);
	options = take_u8(input);
	if (peer->timestamps && !(options & 4))
		options |= 1;
	add_options(input, &segment, options);
	if (segment.flags & TCPHDR_URG)
		segment.urgent = take_u8(input);
	if (segment.flags & TCPHDR_SYN)
		peer->iss = peer->next = seq;
	send_segment(&segment);
}

/* What a peer does that means well. */
static void good_segment(struct input *input, u8 flags, u32 length)
{
	struct machine_segment segment = machine_segment(flags, peer->next, length, peer->highest);

	add_options(input, &segment, peer->timestamps);
	peer->acked = peer->highest;
	peer->next += length + !!(flags & TCPHDR_FIN);
	send_segment(&segment);
}

static void good_ack(struct input *input)
{
	good_segment(input, TCPHDR_ACK, 0);
}

static void good_data(struct input *input)
{
	good_segment(input, TCPHDR_ACK | TCPHDR_PSH, 1 + (take_u8(input) << 4));
}

static void good_fin(struct input *input)
{
	good_segment(input, TCPHDR_ACK | TCPHDR_FIN, 0);
}

/* What one poll of the card finds: data in a row, and now and then something else. */
static void good_row(struct input *input)
{
	u8 how = take_u8(input);

	net_polling = true;
	for (u32 i = 0; i <= (how & 15U); i++) {
		u8 what = take_u8(input);

		if (what >> 4 == 0)
			any_segment(input);
		else
			good_segment(input, TCPHDR_ACK | (what & 15 ? 0 : TCPHDR_PSH),
				     what >> 4 == 1 ? 1 + (what & 15) * 100U : 1400);
		if (what >> 4 == 2)
			peer = &peers[what % NR_PEERS];
	}
	net_poll_over();
	net_polling = false;
}

/* A SYN, or the answer to ours; and the ACK of ours. */
static void handshake(struct input *input)
{
	u8 options = take_u8(input) & ~(8 | 128);
	struct machine_segment segment =
		machine_segment(TCPHDR_SYN, (u32)take_u16(input) << 16, 0, 0);

	if (peer->sk && tcp_in(tcp_sk(peer->sk), TCPF(TCP_SYN_SENT))) {
		segment.flags |= TCPHDR_ACK;
		segment.ack = peer->highest;
	}
	add_options(input, &segment, options);
	peer->iss = segment.seq;
	peer->next = segment.seq + 1;
	send_segment(&segment);
	look();
	good_segment(input, TCPHDR_ACK, 0);
}

static void icmp(struct input *input)
{
	u8 code = take_u8(input);
	struct machine_segment about = machine_segment(TCPHDR_ACK, near(input), 0, 0);

	about.sport = PORT;
	about.dport = peer->port;
	machine_receive_icmp(code & 16 ? 11 : 3, code & 15, take_u16(input), &about);
}

/* ---- the programs ------------------------------------------------------------------------------------------------------ */

static struct sock *new_socket(void)
{
	struct sock *sk = machine_socket();
	int on = 1;

	if (!sk)
		return NULL;
	sock_setsockopt(sk, SO_REUSEADDR, &on, sizeof(on));
	if (!machine_bind(sk, PORT))
		return sk;
	sk->ops->close(sk);
	return NULL;
}

static void listen_on(struct input *input)
{
	u8 backlog = take_u8(input);

	if (!listener)
		listener = new_socket();
	if (listener)
		listener->ops->listen(listener, backlog & 7);
}

static void close_listener(struct input *input)
{
	if (listener)
		listener->ops->close(listener);
	listener = NULL;
}

static void accept_one(struct input *input)
{
	struct sock *sk = listener ? machine_accept(listener) : ERR_PTR(-EAGAIN);
	struct peer *from;

	if (IS_ERR(sk))
		return;
	from = peer_of(ntohs(tcp_sk(sk)->hashed.dport));
	if (from->sk)
		sk->ops->close(sk);
	else
		from->sk = sk;
}

static void connect_to(struct input *input)
{
	if (!peer->sk)
		peer->sk = new_socket();
	if (peer->sk)
		machine_connect(peer->sk, peer->port);
}

static void disconnect(struct input *input)
{
	const struct sockaddr_storage none = { .family = AF_UNSPEC };

	if (peer->sk)
		peer->sk->ops->connect(peer->sk, &none, sizeof(none.in), O_NONBLOCK);
}

static void write_some(struct input *input)
{
	static const u32 flags[] = { 0, MSG_MORE, MSG_OOB };
	u16 how = take_u16(input);

	if (!peer->sk)
		return;
	if (how >> 14 == 3)
		machine_lend(peer->sk, tcp_sk(peer->sk)->write_seq, how & 0xff,
			     PAGE_SIZE - 255 - (how >> 2 & 0xe00), how & 0x2000 ? MSG_MORE : 0);
	else
		machine_write(peer->sk, tcp_sk(peer->sk)->write_seq,
			      (how & 0x3fff) << (how >> 12 & 3), flags[how >> 14]);
}

/* The bytes end where the program has arrived. */
static void read_some(struct input *input)
{
	static const u32 flags[] = { 0, 0, MSG_PEEK, MSG_OOB };
	u16 how = take_u16(input);
	u32 how_flags = flags[how >> 14], end;
	ssize_t result;

	if (!peer->sk)
		return;
	result = machine_recv(peer->sk, (how & 0x3fff) << 2, how_flags);
	end = tcp_sk(peer->sk)->copied_seq;
	for (ssize_t i = 0; i < result && !how_flags; i++)
		if (machine_bytes[i] != machine_byte(end - result + i))
			unit_fail(__FILE__, __LINE__, "byte %zd of %zd read is not the right one",
				  i, result);
}

static void shut(struct input *input)
{
	u32 how = 1 + take_u8(input) % 3;

	if (peer->sk)
		peer->sk->ops->shutdown(peer->sk, how);
}

static void close_one(struct input *input)
{
	if (peer->sk)
		peer->sk->ops->close(peer->sk);
	peer->sk = NULL;
}

static void set_option(struct input *input)
{
	static const struct {
		int level, option;
	} options[] = { { SOL_TCP, 1 },
			{ SOL_TCP, 2 },
			{ SOL_TCP, 3 },
			{ SOL_TCP, 4 },
			{ SOL_TCP, 5 },
			{ SOL_TCP, 6 },
			{ SOL_TCP, 7 },
			{ SOL_TCP, 8 },
			{ SOL_TCP, 9 },
			{ SOL_TCP, 10 },
			{ SOL_TCP, 12 },
			{ SOL_TCP, 18 },
			{ SOL_TCP, 25 },
			{ SOL_SOCKET, SO_KEEPALIVE },
			{ SOL_SOCKET, SO_OOBINLINE },
			{ SOL_SOCKET, SO_RCVBUF },
			{ SOL_SOCKET, SO_SNDBUF },
			{ SOL_SOCKET, SO_LINGER } };
	u8 which = take_u8(input) % ARRAY_SIZE(options);
	struct sock *sk = peer->sk ?: listener;
	s32 value[2] = { (s16)take_u16(input), 0 };

	if (!sk)
		return;
	if (options[which].option == SO_LINGER && options[which].level == SOL_SOCKET)
		value[0] = 1;
	if (options[which].level == SOL_SOCKET)
		sock_setsockopt(sk, options[which].option, value, sizeof(value));
	else
		sk->ops->setsockopt(sk, SOL_TCP, options[which].option, value, sizeof(value[0]));
}

static void ask(struct input *input)
{
	struct sock *sk = peer->sk ?: listener;
	u8 value[SOCKOPT_MAX];
	u32 length = sizeof(value);

	if (!sk)
		return;
	sk->ops->poll(sk);
	sk->ops->getsockopt(sk, SOL_TCP, 11, value, &length);
	net_shim_proc_read("net", "tcp");
}

static void change_setting(struct input *input)
{
	u32 *const words[] = { &tcp_sysctl.timestamps,	      &tcp_sysctl.sack,
			       &tcp_sysctl.window_scaling,    &tcp_sysctl.syncookies,
			       &tcp_sysctl.abort_on_overflow, &tcp_sysctl.rfc1337,
			       &tcp_sysctl.max_orphans,	      &tcp_sysctl.max_tw_buckets,
			       &tcp_sysctl.tw_reuse,	      &tcp_sysctl.slow_start_after_idle,
			       &tcp_sysctl.early_retrans,     &tcp_sysctl.ecn,
			       &tcp_sysctl.orphan_retries,    &tcp_sysctl.mem[TCP_MEM_PRESSURE],
			       &tcp_sysctl.mem[TCP_MEM_LIMIT] };
	u8 which = take_u8(input);
	u32 *word = words[which % ARRAY_SIZE(words)];

	*word = which >> 6 ? which >> 6 & 1 : 2;
	if (word >= tcp_sysctl.mem && word < tcp_sysctl.mem + 3)
		*word = *word ? 2 * *word : INT32_MAX; /* pages: a few segments */
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------------- */

static void wait(struct input *input)
{
	static const u32 ms[] = { 1, 5, 40, 200, 1000, 5000, 61000, 600000 };
	u8 how = take_u8(input);

	machine_advance(ms[how & 7] * (1ULL + (how >> 3 & 3)) * NSEC_PER_MSEC);
}

static void fail(struct input *input)
{
	net_shim_fail_nth(take_u8(input));
}

static void choose_peer(struct input *input)
{
	peer = &peers[take_u8(input) % NR_PEERS];
}

static void hold_card(struct input *input)
{
	if (net_shim_card_keeps)
		net_shim_card_release();
	else
		net_shim_card_keeps = true;
}

static void (*const ops[])(struct input *input) = {
	any_segment, any_segment,    any_segment, any_segment,	  any_segment,
	good_ack,    good_ack,	     good_data,	  good_row,	  good_fin,
	handshake,   icmp,	     listen_on,	  close_listener, accept_one,
	accept_one,  connect_to,     disconnect,  write_some,	  write_some,
	read_some,   read_some,	     shut,	  close_one,	  set_option,
	ask,	     change_setting, wait,	  wait,		  fail,
	choose_peer, hold_card,
};

static void check_sockets(void)
{
	machine_check_all();
	for (u32 i = 0; i < NR_PEERS; i++)
		if (peers[i].sk)
			machine_check(tcp_sk(peers[i].sk));
}

static void begin(void)
{
	settings = tcp_sysctl;
	memset(peers, 0, sizeof(peers));
	for (u32 i = 0; i < NR_PEERS; i++)
		peers[i].port = PEER_PORT + i;
	peer = &peers[0];
	listener = NULL;
}

static void end(void)
{
	net_shim_fail_nth(0);
	net_shim_card_release();
	close_listener(NULL);
	for (peer = peers; peer < peers + NR_PEERS; peer++)
		close_one(NULL);
	look();
	peer = peers;
	machine_end();
	tcp_sysctl = settings;
}

void fuzz_one(struct input *input)
{
	static char where[40];
	u64 fail_first = net_shim_fail_nth(0);

	shim_eth.features = (input->end - input->at) & 1 ? NETDEV_TSO : 0;
	machine_boot();
	begin();
	machine_where = where;
	net_shim_fail_nth(fail_first);
	for (u32 i = 0; i < MAX_OPS && input_left(input); i++) {
		u8 op = take_u8(input);

		snprintf(where, sizeof(where), "operation %u, %u", i, op & 31);
		ops[op & 31](input);
		look();
		check_sockets();
	}
	end();
}
