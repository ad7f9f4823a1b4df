/*
 * One segment after the other, made of the input's own bytes, for a connection in each of its states: the first byte
 * chooses the state, and the connection is brought there by a conversation as it should be.
 */
#include <tests/fuzz/fuzz.h>
#include <tests/unit/tcp_machine.h>
#include <tests/unit/unit.h>

#include <string.h>

#include <kernel/lib/errno.h>
#include <net/tcp_socket.h>

#define PORT	  80
#define PEER_PORT 5001
#define THEIRS	  100000U /* the peer's first number */

static struct sock *listener, *sk;
static u32 ours, next; /* our first number; what the peer sends next */

/* ---- the way there --------------------------------------------------------------------------------------------------- */

static void look(void)
{
	struct machine_segment segment;

	while (machine_sent(&segment))
		if (segment.flags & TCPHDR_SYN)
			ours = segment.seq;
}

static void peer_sends(u8 flags, u32 ack, bool options)
{
	struct machine_segment segment = machine_segment(flags, next, 0, ours + ack);

	segment.sport = PEER_PORT;
	segment.dport = PORT;
	if (flags & TCPHDR_SYN) {
		segment.mss = 1460;
		segment.sack_permitted = options;
		segment.wscale = options ? 7 : -1;
		segment.has_timestamp = options;
		segment.tsval = 1;
	}
	next += !!(flags & TCPHDR_SYN) + !!(flags & TCPHDR_FIN);
	machine_receive(&segment);
	look();
}

static void serve(void)
{
	listener = machine_socket();
	machine_bind(listener, PORT);
	listener->ops->listen(listener, 5);
}

static void establish(bool options)
{
	serve();
	peer_sends(TCPHDR_SYN, 0, options);
	peer_sends(TCPHDR_ACK, 1, options);
	sk = machine_accept(listener);
	if (IS_ERR(sk))
		unit_fail(__FILE__, __LINE__, "no connection");
}

static void connect_to_peer(void)
{
	sk = machine_socket();
	machine_bind(sk, PORT);
	machine_connect(sk, PEER_PORT);
	look();
}

static void close_socket(void)
{
	sk->ops->close(sk);
	sk = NULL;
	look();
}

enum {
	LISTEN,
	REQUEST,
	SYN_SENT,
	SYN_RECV,
	ESTABLISHED,
	BUSY,
	FIN_WAIT1,
	FIN_WAIT2,
	ORPHAN_FIN_WAIT2,
	CLOSING,
	TIME_WAIT,
	CLOSE_WAIT,
	LAST_ACK,
	NR_STATES
};

/* The states behind ESTABLISHED, by who closes first. */
static void go_on(u32 state)
{
	switch (state) {
	case BUSY: /* data on its way in both directions, and out of order */
		machine_write(sk, tcp_sk(sk)->write_seq, 20000, 0);
		break;
	case FIN_WAIT1:
	case FIN_WAIT2:
		sk->ops->shutdown(sk, SHUTDOWN_SND);
		look();
		if (state == FIN_WAIT2)
			peer_sends(TCPHDR_ACK, 2, false);
		break;
	case ORPHAN_FIN_WAIT2:
		close_socket();
		peer_sends(TCPHDR_ACK, 2, false);
		break;
	case CLOSING:
		sk->ops->shutdown(sk, SHUTDOWN_SND);
		look();
		peer_sends(TCPHDR_ACK | TCPHDR_FIN, 1, false);
		break;
	case TIME_WAIT:
		close_socket();
		peer_sends(TCPHDR_ACK | TCPHDR_FIN, 2, false);
		break;
	case CLOSE_WAIT:
	case LAST_ACK:
		peer_sends(TCPHDR_ACK | TCPHDR_FIN, 1, false);
		if (state == LAST_ACK)
			close_socket();
		break;
	}
}

static void reach(u32 state, bool options)
{
	next = THEIRS;
	switch (state) {
	case LISTEN:
		serve();
		break;
	case REQUEST:
		serve();
		peer_sends(TCPHDR_SYN, 0, options);
		break;
	case SYN_SENT:
	case SYN_RECV:
		connect_to_peer();
		if (state == SYN_RECV)
			peer_sends(TCPHDR_SYN, 0, options);
		break;
	default:
		establish(options);
		go_on(state);
	}
	look();
}

/* ---- the segment --------------------------------------------------------------------------------------------------------- */

static u32 take_u32(struct input *input)
{
	u32 high = take_u16(input);

	return high << 16 | take_u16(input);
}

/* Small numbers are counted from where the connection is, or hardly any would be of interest. */
static u32 take_number(struct input *input, u32 base)
{
	s16 distance = take_u16(input);

	return distance == -32768 ? take_u32(input) : base + distance;
}

static void receive(struct input *input)
{
	struct machine_segment segment = machine_segment(take_u8(input), 0, 0, 0);
	const u8 *bytes;

	segment.sport = PEER_PORT;
	segment.dport = PORT;
	segment.seq = take_number(input, next);
	segment.ack = take_number(input, ours + 1);
	segment.window = take_u16(input);
	segment.urgent = segment.flags & TCPHDR_URG ? take_u16(input) : 0;
	segment.nr_raw = take_bytes(input, take_u8(input) % 41, &bytes);
	memcpy(segment.raw, bytes, segment.nr_raw);
	segment.length = take_bytes(input, take_u8(input) * 8, &bytes);
	segment.payload = bytes;
	machine_receive(&segment);
	look();
	machine_check_all();
	if (sk)
		machine_check(tcp_sk(sk));
}

void fuzz_one(struct input *input)
{
	u64 fail_first = net_shim_fail_nth(0);
	u8 state = take_u8(input);

	machine_boot();
	reach(state % NR_STATES, state & 128);
	net_shim_fail_nth(fail_first);
	while (input_left(input)) {
		receive(input);
		if (sk && !(take_u8(input) & 3))
			machine_recv(sk, 1000, 0);
	}
	net_shim_fail_nth(0);
	if (sk)
		close_socket();
	if (listener)
		listener->ops->close(listener);
	listener = NULL;
	look();
	machine_end();
}
