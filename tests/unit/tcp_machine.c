/* See tcp_machine.h. */
#include "tcp_machine.h"

#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <net/icmp.h>
#include <net/inet.h>
#include <net/tcp_coalesce.h>
#include <net/tcp_hash.h>
#include <net/tcp_sender.h>
#include <net/tcp_socket.h>

/* libc's <stdlib.h> has types of the kernel's names */
void *malloc(size_t size);
void free(void *memory);

#define MAX_SENT 4096

/* so that what is behind the Ethernet header is where words may be */
static u8 packet_memory[2 + MACHINE_MAX_PAYLOAD + 200] __attribute__((aligned(4)));
static u8 *const packet = packet_memory + 2;
static u64 in_use_before;

/* What was sent and not looked at yet; the payloads are the host's malloc()s. */
static struct {
	struct machine_segment segment;
	u8 *payload;
} sent[MAX_SENT];
static u32 nr_sent, next_sent;
static u8 *looked_at;

const char *machine_where = "";

#define FAIL(...) unit_fail(__FILE__, __LINE__, __VA_ARGS__)
#define MUST(expr)                                                          \
	do {                                                                \
		if (!(expr))                                                \
			FAIL("after %s: not so: %s", machine_where, #expr); \
	} while (0)

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

static u8 *put16(u8 *at, u16 value)
{
	at[0] = value >> 8;
	at[1] = value;
	return at + 2;
}

static u8 *put32(u8 *at, u32 value)
{
	return put16(put16(at, value >> 16), value);
}

static u16 get16(const u8 *at)
{
	return at[0] << 8 | at[1];
}

static u32 get32(const u8 *at)
{
	return (u32)get16(at) << 16 | get16(at + 2);
}

/* ---- from the peer ---------------------------------------------------------------------------------------------- */

static u8 *put_options(u8 *at, const struct machine_segment *segment)
{
	u8 *begin = at;

	if (segment->mss)
		at = put16(put16(at, 0x0204), segment->mss);
	if (segment->sack_permitted)
		at = put32(at, 0x01010402);
	if (segment->wscale >= 0)
		at = put32(at, 0x01030300 | (u8)segment->wscale);
	if (segment->has_timestamp)
		at = put32(put32(put32(at, 0x0101080a), segment->tsval), segment->tsecr);
	if (segment->nr_sacks) {
		at = put32(at, 0x01010500 | (2 + 8 * segment->nr_sacks));
		for (u32 i = 0; i < 2U * segment->nr_sacks; i++)
			at = put32(at, segment->sacks[i]);
	}
	memcpy(at, segment->raw, segment->nr_raw);
	at += segment->nr_raw;
	while ((at - begin) % 4)
		*at++ = 1;
	return at;
}

/* At `at`: a TCP header, options and the payload; how many bytes. */
static u32 put_segment(u8 *at, const struct machine_segment *segment)
{
	struct tcphdr *th = (struct tcphdr *)at;
	u8 *end = put_options(at + sizeof(*th), segment);

	*th = (struct tcphdr){
		.source = htons(segment->sport),
		.dest = htons(segment->dport),
		.seq = htonl(segment->seq),
		.ack = htonl(segment->ack),
		.offset = (end - at) / 4 << 4,
		.flags = segment->flags,
		.window = htons(segment->window),
		.urgent = htons(segment->urgent),
	};
	for (u32 i = 0; i < segment->length; i++)
		*end++ = segment->payload
				 ? segment->payload[i]
				 : machine_byte(segment->seq + !!(segment->flags & TCPHDR_SYN) -
						segment->base + i);
	return end - at;
}

/* Behind the Ethernet header. */
static void receive_ip(struct iphdr *ip, u32 payload)
{
	struct ethhdr *eth = (struct ethhdr *)packet;
	u32 size = ETH_HLEN + sizeof(*ip) + payload;
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *skb;

	ip->version_ihl = 0x45;
	ip->ttl = 64;
	ip->total_length = htons(sizeof(*ip) + payload);
	ip->checksum = 0;
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	memcpy(eth->dest, shim_eth.mac, ETH_ALEN);
	memcpy(eth->source, shim_peer_mac, ETH_ALEN);
	eth->protocol = htons(ETH_P_IP);
	skb = size <= RX_BUFFER_SIZE ? net_shim_frame(packet, size)
				     : net_shim_scattered(packet, size, ETH_HLEN + 60);
	net_shim_fail_nth(fail);
	if (!tcp_coalesce(skb))
		net_shim_receive(skb);
}

static void collect(void);

void machine_receive(const struct machine_segment *segment)
{
	struct iphdr *ip = (struct iphdr *)(packet + ETH_HLEN);
	struct tcphdr *th = (struct tcphdr *)(ip + 1);
	u32 size = put_segment((u8 *)th, segment);

	*ip = (struct iphdr){
		.protocol = IPPROTO_TCP, .tos = segment->tos, .saddr = SHIM_PEER, .daddr = SHIM_OUR
	};
	th->checksum = checksum_fold(
		checksum_add(th, size, checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, size)));
	th->checksum ^= segment->bad_checksum;
	receive_ip(ip, size);
	collect();
}

void machine_receive_icmp(u8 type, u8 code, u16 mtu, const struct machine_segment *about)
{
	struct iphdr *ip = (struct iphdr *)(packet + ETH_HLEN), *quoted;
	struct icmphdr *icmp = (struct icmphdr *)(ip + 1);
	u32 size;

	*icmp = (struct icmphdr){ .type = type, .code = code };
	put16((u8 *)icmp + 6, mtu);
	quoted = (struct iphdr *)(icmp + 1);
	*quoted = (struct iphdr){ .version_ihl = 0x45,
				  .ttl = 60,
				  .protocol = IPPROTO_TCP,
				  .total_length = htons(1500),
				  .saddr = SHIM_OUR,
				  .daddr = SHIM_PEER };
	put_segment((u8 *)(quoted + 1), about);
	size = sizeof(*icmp) + sizeof(*quoted) + 8;
	icmp->checksum = ip_checksum(icmp, size);
	*ip = (struct iphdr){ .protocol = IPPROTO_ICMP, .saddr = SHIM_PEER, .daddr = SHIM_OUR };
	receive_ip(ip, size);
	collect();
}

/* ---- what we send ------------------------------------------------------------------------------------------------ */

static void read_option(const u8 *at, struct machine_segment *segment)
{
	switch (at[0]) {
	case 2:
		segment->mss = get16(at + 2);
		break;
	case 3:
		segment->wscale = at[2];
		break;
	case 4:
		segment->sack_permitted = true;
		break;
	case 5:
		segment->nr_sacks = (at[1] - 2) / 8;
		for (u32 i = 0; i < 2U * segment->nr_sacks; i++)
			segment->sacks[i] = get32(at + 2 + 4 * i);
		break;
	case 8:
		segment->has_timestamp = true;
		segment->tsval = get32(at + 2);
		segment->tsecr = get32(at + 6);
		break;
	default:
		FAIL("an option that nobody knows: %u", at[0]);
	}
}

static void read_options(const u8 *at, const u8 *end, struct machine_segment *segment)
{
	while (at < end) {
		if (*at <= 1) {
			at++;
			continue;
		}
		MUST(end - at >= 2 && at[1] >= 2 && at + at[1] <= end);
		read_option(at, segment);
		at += at[1];
	}
}

static void check_checksum(const struct sk_buff *skb, const struct iphdr *ip, const u8 *th,
			   u32 size)
{
	u32 sum = checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, size);
	u16 partial = ~checksum_fold(sum);

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		MUST(((const struct tcphdr *)th)->checksum == partial);
	else
		MUST(checksum_fold(checksum_add(th, size, sum)) == 0);
}

/* false: it is not TCP. */
static bool read_segment(const struct sk_buff *skb, const u8 *frame,
			 struct machine_segment *segment)
{
	const struct iphdr *ip = (const struct iphdr *)(frame + ETH_HLEN);
	const u8 *th = (const u8 *)(ip + 1);
	u32 size;

	if (((const struct ethhdr *)frame)->protocol != htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_TCP)
		return false;
	size = skb->len - ETH_HLEN - sizeof(*ip);
	MUST(ntohs(ip->total_length) == size + sizeof(*ip) && ip->version_ihl == 0x45);
	MUST(ip->saddr == SHIM_OUR && ip->daddr == SHIM_PEER && size >= sizeof(struct tcphdr));
	check_checksum(skb, ip, th, size);
	*segment = machine_segment(th[13], get32(th + 4), 0, get32(th + 8));
	segment->tos = ip->tos;
	segment->sport = get16(th);
	segment->dport = get16(th + 2);
	segment->window = get16(th + 14);
	segment->urgent = get16(th + 18);
	segment->payload = th + TCP_HLEN((const struct tcphdr *)th);
	segment->length = size - TCP_HLEN((const struct tcphdr *)th);
	read_options(th + sizeof(struct tcphdr), segment->payload, segment);
	return true;
}

static void keep(const struct machine_segment *segment, u32 from, u32 size)
{
	struct machine_segment *piece;

	if (next_sent == nr_sent)
		next_sent = nr_sent = 0;
	MUST(nr_sent < MAX_SENT);
	piece = &sent[nr_sent].segment;
	*piece = *segment;
	sent[nr_sent].payload = malloc(size ?: 1);
	memcpy(sent[nr_sent].payload, segment->payload + from, size);
	piece->payload = sent[nr_sent++].payload;
	piece->seq += from;
	piece->length = size;
	/* CWR and the urgent pointer it copies into each */
	if (from + size < segment->length)
		piece->flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
}

/* Off the card, so that nothing holds on to what was sent; a large one in pieces, as the card cuts it. */
static void collect(void)
{
	static u8 frame[ETH_HLEN + 65535];
	struct machine_segment segment;
	struct sk_buff *skb;

	while ((skb = net_shim_sent())) {
		u32 at = 0, most = skb->gso_size ?: sizeof(frame);

		MUST(skb->len <= sizeof(frame) && skb_copy_bits(skb, 0, frame, skb->len));
		if (read_segment(skb, frame, &segment)) {
			do {
				keep(&segment, at, min(most, segment.length - at));
				at += most;
			} while (at < segment.length);
		}
		skb_put(skb);
	}
}

bool machine_sent(struct machine_segment *segment)
{
	free(looked_at);
	looked_at = NULL;
	collect();
	if (next_sent == nr_sent)
		return false;
	*segment = sent[next_sent].segment;
	looked_at = sent[next_sent++].payload;
	return true;
}

/* From timer to timer, so that the card never holds on to what it has sent. */
void machine_advance(u64 ns)
{
	u64 end = host_clock_ns + ns, next;

	while ((next = net_shim_next_timer()) <= end) {
		net_shim_advance(next > host_clock_ns ? next - host_clock_ns : 0);
		collect();
	}
	net_shim_advance(end - host_clock_ns);
}

/* ---- the program --------------------------------------------------------------------------------------------------- */

struct sock *machine_socket(void)
{
	struct sock *sk = sock_alloc(&tcp_sock_ops, AF_INET, SOCK_STREAM, IPPROTO_TCP, GFP_KERNEL);

	if (sk && sk->ops->init(sk)) {
		sock_put(sk);
		return NULL;
	}
	return sk;
}

int machine_bind(struct sock *sk, u16 port)
{
	struct sockaddr_storage addr;

	inet_fill_sockaddr(&addr.in, 0, htons(port));
	return sk->ops->bind(sk, &addr, sizeof(addr.in));
}

int machine_connect(struct sock *sk, u16 port)
{
	struct sockaddr_storage addr;
	int result;

	inet_fill_sockaddr(&addr.in, SHIM_PEER, htons(port));
	result = sk->ops->connect(sk, &addr, sizeof(addr.in), O_NONBLOCK);
	collect();
	return result;
}

struct sock *machine_accept(struct sock *listener)
{
	struct sock *sk = listener->ops->accept(listener, O_NONBLOCK);

	collect();
	return sk;
}

static u8 buffer[1 << 20];
const u8 *const machine_bytes = buffer;

ssize_t machine_write(struct sock *sk, u32 at, u32 size, u32 flags)
{
	struct iov_iter from;
	struct iovec iov;
	struct msg msg = { .data = &from, .flags = flags | MSG_DONTWAIT };
	ssize_t result;

	size = min_t(u32, size, sizeof(buffer));
	for (u32 i = 0; i < size; i++)
		buffer[i] = machine_byte(at + i);
	iov_iter_kernel(&from, &iov, buffer, size);
	result = sk->ops->sendmsg(sk, &msg);
	collect();
	return result;
}

ssize_t machine_lend(struct sock *sk, u32 at, u32 offset, u32 size, u32 flags)
{
	u64 fail = net_shim_fail_nth(0);
	struct iov_iter from;
	struct iovec iov;
	struct msg msg = { .data = &from, .flags = flags | MSG_DONTWAIT };
	u8 *bytes;
	ssize_t result;

	msg.page = alloc_page(GFP_KERNEL);
	net_shim_fail_nth(fail);
	bytes = page_address(msg.page);
	for (u32 i = 0; i < size; i++)
		bytes[offset + i] = machine_byte(at + i);
	iov_iter_kernel(&from, &iov, bytes + offset, size);
	result = sk->ops->sendmsg(sk, &msg);
	skb_page_put(msg.page);
	collect();
	return result;
}

ssize_t machine_recv(struct sock *sk, u32 size, u32 flags)
{
	struct iov_iter to;
	struct iovec iov;
	struct msg msg = { .data = &to, .flags = flags | MSG_DONTWAIT };
	ssize_t result;

	iov_iter_kernel(&to, &iov, buffer, min_t(u32, size, sizeof(buffer)));
	result = sk->ops->recvmsg(sk, &msg);
	collect();
	return result;
}

ssize_t machine_recv_all(struct sock *sk, u32 size, u32 flags)
{
	struct iov_iter to;
	struct iovec iov;
	struct msg msg = { .data = &to, .flags = flags | MSG_WAITALL };
	ssize_t result;

	iov_iter_user(&to, &iov, buffer, min_t(u32, size, sizeof(buffer)));
	result = sk->ops->recvmsg(sk, &msg);
	collect();
	return result;
}

ssize_t machine_read(struct sock *sk, u32 at, u32 size, u32 flags)
{
	ssize_t result = machine_recv(sk, size, flags);

	for (ssize_t i = 0; i < result && !(flags & (MSG_OOB | MSG_TRUNC)); i++)
		if (buffer[i] != machine_byte(at + i))
			FAIL("after %s: byte %u of what was read is not the right one",
			     machine_where, (u32)(at + i));
	return result;
}

/* ---- what must be true ----------------------------------------------------------------------------------------------- */

/* Each buffer of the queue where the one before it ends; counted as it is marked. */
static void check_write_queue(struct tcp_sock *tp)
{
	u32 packets = 0, sacked = 0, lost = 0, retrans = 0, truesize = 0, count = 0;
	u32 seq = tp->snd_una;
	bool sent_one = true;
	struct sk_buff *skb;

	for (skb = skb_peek(&tp->write_queue); skb; skb = skb_queue_next(&tp->write_queue, skb)) {
		const struct tcp_cb *cb = TCP_CB(skb);

		MUST(cb->seq == seq && after(cb->end_seq, cb->seq));
		seq = cb->end_seq;
		truesize += skb->truesize;
		count++;
		if (skb == tp->send_head) {
			sent_one = false;
			MUST(tp->hashed.state == TCP_SYN_SENT || cb->seq == tp->snd_nxt);
		}
		MUST(sent_one == !!cb->segments);
		if (!sent_one)
			continue;
		packets += cb->segments;
		sacked += cb->sacked & TCPCB_SACKED ? cb->segments : 0;
		lost += cb->sacked & TCPCB_LOST ? cb->segments : 0;
		retrans += cb->sacked & TCPCB_RETRANS ? cb->segments : 0;
		MUST(!(cb->sacked & TCPCB_SACKED && cb->sacked & (TCPCB_LOST | TCPCB_RETRANS)));
	}
	MUST(seq == tp->write_seq && count == tp->write_queue.count);
	MUST(!tp->send_head == sent_one);
	MUST(tp->packets_out == packets && tp->lost_out == lost && tp->retrans_out == retrans);
	MUST(!(tp->flags & TCP_F_SACK) || tp->sacked_out == sacked);
	MUST(tp->inet.sk.wmem == truesize);
	MUST(tp->sacked_out + tp->lost_out <= tp->packets_out && tp->cwnd >= 1);
	MUST(!tp->packets_out || tp->due[TCP_TIMER_RETRANSMIT]);
}

/* In order: whole, up to what comes next. Out of order: sorted, apart, behind that. */
static void check_receive_queues(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);
	u32 memory = 0, count = 0, end = tp->rcv_nxt;
	struct sk_buff *skb, *last = NULL;

	for (skb = skb_peek(&sk->receive_queue); skb;
	     skb = skb_queue_next(&sk->receive_queue, skb)) {
		memory += skb->truesize;
		count++;
		MUST(!last || TCP_CB(last)->end_seq == TCP_CB(skb)->seq);
		MUST(TCP_CB(skb)->end_seq - TCP_CB(skb)->seq ==
		     skb->len + !!(TCP_CB(skb)->flags & TCPHDR_FIN));
		if (!last)
			MUST(!after(TCP_CB(skb)->seq, tp->copied_seq));
		last = skb;
	}
	MUST(count == sk->receive_queue.count);
	count = 0;
	for (skb = skb_peek(&tp->ooo); skb; skb = skb_queue_next(&tp->ooo, skb)) {
		memory += skb->truesize;
		count++;
		MUST(after(TCP_CB(skb)->seq, count == 1 ? tp->rcv_nxt : end - 1));
		MUST(after(TCP_CB(skb)->end_seq, TCP_CB(skb)->seq));
		end = TCP_CB(skb)->end_seq;
	}
	MUST(count == tp->ooo.count);
	MUST(sk->rmem == memory);
}

void machine_check(struct tcp_sock *tp)
{
	u8 state = tp->hashed.state;

	if (state == TCP_LISTEN)
		return;
	if (state == TCP_CLOSE) {
		MUST(!tp->timer.pending && !tp->due[0] && !tp->due[1] && !tp->due[2]);
		MUST(skb_queue_empty(&tp->write_queue) && skb_queue_empty(&tp->ooo));
		MUST(!tp->inet.sk.wmem && !tp->send_head && !tp->packets_out);
		return;
	}
	MUST(!after(tp->snd_una, tp->snd_nxt) && !after(tp->snd_nxt, tp->write_seq));
	check_write_queue(tp);
	if (state == TCP_SYN_SENT)
		return;
	MUST(!after(tp->copied_seq, tp->rcv_nxt) && !after(tp->rcv_wup, tp->rcv_nxt));
	MUST(!(tp->due[0] | tp->due[1] | tp->due[2]) || tp->timer.pending);
	check_receive_queues(tp);
}

void machine_check_all(void)
{
	struct tcp_hashed *hashed = NULL;
	u32 index = 0;

	while ((hashed = tcp_hash_next(&index, hashed)))
		if (hashed->kind == TCP_HASHED_CONNECTION)
			machine_check(container_of(hashed, struct tcp_sock, hashed));
}

/* ---- life --------------------------------------------------------------------------------------------------------------- */

static void forget_sent(void)
{
	struct machine_segment segment;

	while (machine_sent(&segment))
		;
}

void machine_boot(void)
{
	struct flow flow = { .daddr = SHIM_PEER };

	net_shim_inet_boot();
	forget_sent();
	ip_route(&flow);
	dst_drop(&flow.dst); /* its answer is kept, and what it is of */
	in_use_before = net_shim_in_use();
}

void machine_end(void)
{
	struct skb_stats stats;

	net_shim_fail_nth(0);
	for (u32 minutes = 0; minutes < 60 && (net_shim_timers() || tcp_sock_ops.cache->in_use);
	     minutes++) {
		machine_advance(60 * NSEC_PER_SEC);
		forget_sent();
	}
	forget_sent();
	skb_stats_read(&stats);
	if (stats.buffers || stats.pages || tcp_sock_ops.cache->in_use || tcp_orphan_count ||
	    tcp_timewait_count || net_shim_timers() || net_shim_in_use() != in_use_before)
		FAIL("after %s: left: %llu buffers, %llu pages, %u sockets, %llu orphans, %llu in "
		     "TIME_WAIT, %u timers, %lld objects",
		     machine_where, stats.buffers, stats.pages, (u32)tcp_sock_ops.cache->in_use,
		     tcp_orphan_count, tcp_timewait_count, net_shim_timers(),
		     net_shim_in_use() - in_use_before);
}
