/*
 * Two ends of our own TCP, and between them a network that the input spoils: it loses, doubles, delays and damages
 * segments, in both directions. Whatever it does, what one end's program writes is what the other's reads, byte for byte,
 * and when the input is eaten up and the network well again, all of it arrives and both ends close.
 */
#include <tests/fuzz/fuzz.h>
#include <tests/unit/tcp_machine.h>
#include <tests/unit/unit.h>

#include <string.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <net/sock_options.h>
#include <net/tcp_socket.h>

#define PORT	    80
#define MAX_FLYING  512
#define MAX_FRAME   2000
#define MAX_BYTES   60000U /* each way */
#define MAX_SILENCE (3600 * NSEC_PER_SEC)
#define LINK_NS	    (5 * NSEC_PER_MSEC)

static struct flying {
	u64 at;
	u32 size;
	u8 frame[MAX_FRAME];
} flying[MAX_FLYING];
static u32 nr_flying;
static struct sock *listener;

static struct end {
	struct sock *sk;
	u32 goal, written, read;
	bool shut, ended, broken;
} ends[2];

#define MUST(expr)                                                  \
	do {                                                        \
		if (!(expr))                                        \
			unit_fail(__FILE__, __LINE__, "%s", #expr); \
	} while (0)

/* ---- the network ----------------------------------------------------------------------------------------------- */

static void fly(const struct sk_buff *skb, u64 delay)
{
	struct flying *new = &flying[nr_flying];

	if (nr_flying == MAX_FLYING)
		return;
	MUST(skb->len <= MAX_FRAME && skb_copy_bits(skb, 0, new->frame, skb->len));
	new->size = skb->len;
	new->at = host_clock_ns + delay;
	nr_flying++;
}

/* What becomes of a frame: as it should be, or what the input says. */
static void spoil(struct input *input, struct sk_buff *skb)
{
	u8 fate = input_left(input) ? take_u8(input) : 0;

	switch (fate & 7) {
	case 4: /* lost */
		return;
	case 5:
		fly(skb, LINK_NS * (1 + (fate >> 3)));
		return;
	case 6:
		fly(skb, LINK_NS);
		fly(skb, LINK_NS * (fate >> 3));
		return;
	case 7:
		fly(skb, LINK_NS);
		if (nr_flying)
			flying[nr_flying - 1].frame[34 + fate % 20] ^= 1 << (fate >> 5);
		return;
	default:
		fly(skb, LINK_NS);
	}
}

/* Cut and summed, as the card does it. */
static void take_off(struct input *input)
{
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *skb, *frame;

	while ((skb = net_shim_sent())) {
		struct skb_chain frames = { 0 };

		skb_segment(skb, NETDEV_SG, &frames);
		while ((frame = skb_chain_take(&frames))) {
			spoil(input, frame);
			skb_put(frame);
		}
	}
	net_shim_fail_nth(fail);
}

static struct flying *next_landing(void)
{
	struct flying *first = NULL;

	for (u32 i = 0; i < nr_flying; i++)
		if (!first || flying[i].at < first->at)
			first = &flying[i];
	return first;
}

static void land(struct flying *frame)
{
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *skb;

	memcpy(frame->frame, shim_lo.mac, ETH_ALEN); /* a loopback device writes no addresses */
	skb = net_shim_frame(frame->frame, frame->size);
	net_shim_fail_nth(fail);
	skb->dev = &shim_lo;
	memmove(frame, frame + 1, (char *)&flying[nr_flying--] - (char *)(frame + 1));
	net_shim_receive(skb);
}

/* To the next thing that happens; false: nothing ever will. */
static bool step(struct input *input)
{
	struct flying *frame = next_landing();
	u64 timer = net_shim_next_timer(), next = min(frame ? frame->at : ~0ULL, timer);

	if (next == ~0ULL)
		return false;
	if (next > host_clock_ns || next == timer)
		net_shim_advance(next > host_clock_ns ? next - host_clock_ns : 0);
	take_off(input);
	frame = next_landing();
	if (frame && frame->at <= host_clock_ns)
		land(frame);
	take_off(input);
	return true;
}

/* ---- the programs -------------------------------------------------------------------------------------------------- */

static u8 buffer[MAX_BYTES];

/* The connection is over before its time. */
static void note_error(struct end *end, ssize_t result)
{
	end->broken |= result == -ETIMEDOUT || result == -ECONNRESET || result == -EPIPE ||
		       result == -ECONNREFUSED;
}

static void write_some(struct end *end, u32 most)
{
	struct iov_iter from;
	struct iovec iov;
	struct msg msg = { .data = &from, .flags = MSG_DONTWAIT };
	u32 size = min(most, end->goal - end->written);
	ssize_t result;

	if (!end->sk || end->shut || tcp_in(tcp_sk(end->sk), TCPF(TCP_SYN_SENT)))
		return;
	for (u32 i = 0; i < size; i++)
		buffer[i] = machine_byte(end->written + i);
	iov_iter_kernel(&from, &iov, buffer, size);
	result = size ? end->sk->ops->sendmsg(end->sk, &msg) : 0;
	if (result > 0)
		end->written += result;
	note_error(end, result);
	if (end->written < end->goal)
		return;
	end->sk->ops->shutdown(end->sk, SHUTDOWN_SND);
	end->shut = true;
}

/* true: there was something. */
static bool read_some(struct end *end, u32 most)
{
	struct iov_iter to;
	struct iovec iov;
	struct msg msg = { .data = &to, .flags = MSG_DONTWAIT };
	ssize_t result;

	if (!end->sk || end->ended)
		return false;
	iov_iter_kernel(&to, &iov, buffer, min(most, MAX_BYTES));
	result = end->sk->ops->recvmsg(end->sk, &msg);
	for (ssize_t i = 0; i < result; i++)
		MUST(buffer[i] == machine_byte(end->read + i));
	if (result > 0)
		end->read += result;
	note_error(end, result);
	end->ended = most && result == 0;
	return result > 0;
}

static void accept_other(void)
{
	struct sock *sk =
		ends[1].sk ? ERR_PTR(-EAGAIN) : listener->ops->accept(listener, O_NONBLOCK);

	if (!IS_ERR(sk))
		ends[1].sk = sk;
}

/* One end or the other reads or writes a little; or memory is short. */
static void act(struct input *input)
{
	u8 what = take_u8(input);
	struct end *end = &ends[what & 1];

	accept_other();
	switch (what >> 1 & 3) {
	case 0:
		write_some(end, (what >> 3) * 300 + 1);
		break;
	case 1:
		read_some(end, (what >> 3) * 300 + 1);
		break;
	case 2:
		net_shim_fail_nth(what >> 3);
		break;
	}
	take_off(input);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static struct sock *new_socket(u32 rcvbuf)
{
	struct sock *sk = machine_socket();
	int size = rcvbuf;

	if (rcvbuf)
		sock_setsockopt(sk, SO_RCVBUF, &size, sizeof(size));
	return sk;
}

static void begin(struct input *input)
{
	u8 how = take_u8(input);
	struct sockaddr_storage addr;

	memset(ends, 0, sizeof(ends));
	nr_flying = 0;
	shim_lo.mtu = how & 1 ? 1500 : 600;
	route_generation++;
	tcp_sysctl.sack = !(how & 2);
	tcp_sysctl.timestamps = !(how & 4);
	tcp_sysctl.window_scaling = !(how & 8);
	if (how & 64) { /* pages: both ends are above that, nearly always */
		tcp_sysctl.mem[TCP_MEM_PRESSURE] = 2;
		tcp_sysctl.mem[TCP_MEM_LIMIT] = 4;
	}
	tcp_sysctl.ecn = how & 128 ? 1 : 2;
	listener = new_socket(how & 16 ? 6000 : 0);
	machine_bind(listener, PORT);
	listener->ops->listen(listener, 1);
	ends[0].sk = new_socket(how & 32 ? 3000 : 0);
	ends[0].goal = take_u16(input) % MAX_BYTES;
	ends[1].goal = take_u16(input) % MAX_BYTES;
	shim_lo.features = ends[1].goal & 1 ? NETDEV_TSO : 0;
	inet_fill_sockaddr(&addr.in, SHIM_OUR, htons(PORT));
	ends[0].sk->ops->connect(ends[0].sk, &addr, sizeof(addr.in), O_NONBLOCK);
	take_off(input);
}

static void check(void)
{
	machine_check_all();
	for (u32 i = 0; i < 2; i++)
		if (ends[i].sk)
			machine_check(tcp_sk(ends[i].sk));
}

static bool all_done(void)
{
	return ends[0].ended && ends[1].ended && ends[0].shut && ends[1].shut;
}

/* Given up is only what has had no luck for very long: the input may be nothing but losses. */
static bool given_up(void)
{
	for (u32 i = 0; i < 2; i++)
		if (ends[i].broken || (ends[i].sk && ends[i].sk->error))
			return true;
	return false;
}

/* The network is well, the programs are busy. */
static void finish(struct input *input)
{
	u64 limit = host_clock_ns + MAX_SILENCE;

	input->at = input->end;
	net_shim_fail_nth(0);
	while (!all_done() && !given_up()) {
		accept_other();
		for (u32 i = 0; i < 2; i++) {
			write_some(&ends[i], MAX_BYTES);
			while (read_some(&ends[i], MAX_BYTES))
				;
		}
		take_off(input);
		check();
		MUST(all_done() || (step(input) && host_clock_ns < limit));
	}
	if (given_up())
		return;
	MUST(ends[0].read == ends[1].goal && ends[1].read == ends[0].goal);
}

static void end(struct input *input)
{
	for (u32 i = 0; i < 2; i++)
		if (ends[i].sk)
			ends[i].sk->ops->close(ends[i].sk);
	listener->ops->close(listener);
	while (take_off(input), step(input) || nr_flying)
		;
	shim_lo.mtu = 65536;
	shim_lo.features = 0;
	route_generation++;
	machine_end();
}

void fuzz_one(struct input *input)
{
	struct tcp_sysctl settings = tcp_sysctl;
	u64 fail_first = net_shim_fail_nth(0);

	machine_boot();
	begin(input);
	net_shim_fail_nth(fail_first);
	while (input_left(input)) {
		act(input);
		check();
		if (!step(input))
			break;
		check();
	}
	finish(input);
	end(input);
	tcp_sysctl = settings;
}
