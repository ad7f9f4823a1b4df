/* sources: tests/unit/net_shim_tcp.c tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sched.c tests/unit/net_shim_proc.c fs/proc/value.c net/skbuff.c net/checksum.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c net/udp.c net/udp_socket.c net/inet.c net/inet_port.c net/inet_send.c net/inet_error.c net/inet_option.c net/raw.c net/ping.c net/sock.c net/cmsg.c fs/iov_iter.c fs/seq_buf.c kernel/lib/bitmap.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
#include "net_shim.h"

#include <string.h>

#include "unit.h"

#include <kernel/lib/errno.h>
#include <net/icmp.h>
#include <net/inet_option.h>
#include <net/raw.h>
#include <net/snmp.h>
#include <net/udp.h>

static void boot(void)
{
	net_shim_inet_boot();
}

static void check_nothing_left(void)
{
	struct skb_stats stats;

	net_shim_drop_sent();
	skb_stats_read(&stats);
	CHECK_EQ(stats.buffers, 0);
	CHECK_EQ(stats.pages, 0);
	CHECK_EQ(udp_ops.cache->in_use, 0);
}

/* ---- sockets ------------------------------------------------------------------------------------------------ */

static struct sock *open_socket(void)
{
	struct sock *sk = sock_alloc(&udp_ops, AF_INET, SOCK_DGRAM, IPPROTO_UDP, GFP_KERNEL);

	CHECK(sk && sk->ops->init(sk) == 0);
	return sk;
}

static struct sockaddr_storage address(be32 addr, u16 port)
{
	struct sockaddr_storage result;

	inet_fill_sockaddr(&result.in, addr, htons(port));
	return result;
}

static int bind_to(struct sock *sk, be32 addr, u16 port)
{
	struct sockaddr_storage to = address(addr, port);

	return sk->ops->bind(sk, &to, sizeof(to.in));
}

static int connect_to(struct sock *sk, be32 addr, u16 port)
{
	struct sockaddr_storage to = address(addr, port);

	return sk->ops->connect(sk, &to, sizeof(to.in), 0);
}

static struct sock *bound(be32 addr, u16 port)
{
	struct sock *sk = open_socket();

	CHECK_EQ(bind_to(sk, addr, port), 0);
	return sk;
}

static void close_socket(struct sock *sk)
{
	sk->ops->close(sk);
}

static char text[70000];

/* How many bytes came; the sender in *from. */
static ssize_t receive(struct sock *sk, struct sockaddr_in *from)
{
	struct iov_iter to;
	struct iovec iov;
	struct msg msg = { .data = &to, .flags = MSG_DONTWAIT, .name_wanted = true };
	ssize_t result;

	memset(text, 0, sizeof(text));
	iov_iter_kernel(&to, &iov, text, sizeof(text));
	result = sk->ops->recvmsg(sk, &msg);
	if (from && result >= 0)
		*from = msg.name.in;
	return result;
}

static ssize_t send_to(struct sock *sk, const void *data, size_t size, be32 addr, u16 port)
{
	struct iov_iter from;
	struct iovec iov;
	struct msg msg = { .data = &from,
			   .flags = MSG_DONTWAIT,
			   .name = address(addr, port),
			   .name_length = addr ? sizeof(struct sockaddr_in) : 0 };

	iov_iter_kernel(&from, &iov, (void *)data, size);
	return sk->ops->sendmsg(sk, &msg);
}

/* ---- what comes from the wire ----------------------------------------------------------------------------------- */

struct datagram {
	be32 from, to;
	u16 sport, dport;
	u32 length;  /* in the header; 0: the right one */
	u32 padding; /* bytes behind it */
	bool no_sum, bad_sum;
	const char *data;
};

static u32 build(u8 *frame, const struct datagram *dgram)
{
	struct ethhdr *eth = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct udphdr *uh = (struct udphdr *)(ip + 1);
	u32 size = (u32)strlen(dgram->data), length = size + sizeof(*uh);

	memcpy(eth->dest, shim_eth.mac, ETH_ALEN);
	memcpy(eth->source, shim_peer_mac, ETH_ALEN);
	eth->protocol = htons(ETH_P_IP);
	*ip = (struct iphdr){ .version_ihl = 0x45,
			      .ttl = 64,
			      .protocol = IPPROTO_UDP,
			      .total_length = htons(sizeof(*ip) + length + dgram->padding),
			      .saddr = dgram->from ?: SHIM_PEER,
			      .daddr = dgram->to ?: SHIM_OUR };
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	*uh = (struct udphdr){ htons(dgram->sport), htons(dgram->dport),
			       htons(dgram->length ?: length), 0 };
	memcpy(uh + 1, dgram->data, size);
	memset((u8 *)(uh + 1) + size, 0xbb, dgram->padding);
	if (!dgram->no_sum)
		uh->checksum = checksum_fold(checksum_add(
			uh, length, checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_UDP, length)));
	uh->checksum ^= dgram->bad_sum;
	return sizeof(*eth) + sizeof(*ip) + length + dgram->padding;
}

static void arrive(const struct datagram *dgram)
{
	u8 frame[2000];
	u32 size = build(frame, dgram);

	net_shim_receive(net_shim_frame(frame, size));
}

TEST(a_datagram_reaches_its_socket)
{
	struct sockaddr_in from;
	struct sock *sk;

	boot();
	sk = bound(0, 5000);
	arrive(&(struct datagram){ .sport = 6000, .dport = 5000, .data = "hello" });
	arrive(&(struct datagram){ .sport = 6000, .dport = 5000, .data = "" });
	arrive(&(struct datagram){ .sport = 6000, .dport = 5000, .data = "odd", .no_sum = true });
	CHECK_EQ(receive(sk, &from), 5);
	CHECK_STR(text, "hello");
	CHECK_EQ(from.addr, SHIM_PEER);
	CHECK_EQ(ntohs(from.port), 6000);
	CHECK_EQ(receive(sk, &from), 0);
	CHECK_EQ(receive(sk, &from), 3);
	CHECK_EQ(receive(sk, &from), -EAGAIN);
	CHECK_EQ(net_shim_sent_count(), 0);
	close_socket(sk);
	check_nothing_left();
}

TEST(lengths_and_checksums_are_checked)
{
	u64 errors = snmp_read(UDP_InErrors), sums = snmp_read(UDP_InCsumErrors);
	struct sock *sk;

	boot();
	sk = bound(0, 5000);
	arrive(&(struct datagram){ .dport = 5000, .data = "abc", .length = 12 });
	arrive(&(struct datagram){ .dport = 5000, .data = "abc", .length = 7 });
	arrive(&(struct datagram){ .dport = 5000, .data = "abc", .bad_sum = true });
	CHECK_EQ(receive(sk, NULL), -EAGAIN);
	CHECK_EQ(snmp_read(UDP_InErrors) - errors, 3);
	CHECK_EQ(snmp_read(UDP_InCsumErrors) - sums, 1);
	arrive(&(struct datagram){ .dport = 5000, .data = "abc", .padding = 9 });
	CHECK_EQ(receive(sk, NULL), 3);
	/* Nobody is told of what is broken. */
	CHECK_EQ(net_shim_sent_count(), 0);
	close_socket(sk);
	check_nothing_left();
}

TEST(nobody_there_is_answered)
{
	struct sk_buff *answer;

	boot();
	arrive(&(struct datagram){ .sport = 6000, .dport = 5000, .data = "anybody?" });
	answer = net_shim_sent();
	CHECK(answer != NULL);
	CHECK_EQ(answer->data[ETH_HLEN + sizeof(struct iphdr)], ICMP_DEST_UNREACH);
	CHECK_EQ(answer->data[ETH_HLEN + sizeof(struct iphdr) + 1], ICMP_PORT_UNREACH);
	skb_put(answer);
	/* But not to a crowd. */
	arrive(&(struct datagram){ .to = IP4(10, 0, 2, 255), .dport = 5000, .data = "all" });
	CHECK_EQ(net_shim_sent_count(), 0);
	check_nothing_left();
}

TEST(the_one_that_knows_most_gets_it)
{
	struct sock *wild, *ours, *connected;

	boot();
	wild = open_socket();
	ours = open_socket();
	connected = open_socket();
	wild->options = ours->options = connected->options = SK_REUSEADDR;
	CHECK_EQ(bind_to(connected, SHIM_OUR, 5000), 0);
	CHECK_EQ(connect_to(connected, SHIM_PEER, 6000), 0);
	CHECK_EQ(bind_to(ours, SHIM_OUR, 5000), 0);
	CHECK_EQ(bind_to(wild, 0, 5000), 0);
	arrive(&(struct datagram){ .sport = 6000, .dport = 5000, .data = "1" });
	arrive(&(struct datagram){ .sport = 6001, .dport = 5000, .data = "22" });
	CHECK_EQ(receive(connected, NULL), 1);
	CHECK_EQ(receive(connected, NULL), -EAGAIN);
	CHECK_EQ(receive(ours, NULL), 2);
	CHECK_EQ(receive(wild, NULL), -EAGAIN);
	arrive(&(struct datagram){
		.to = IP4(10, 0, 2, 255), .sport = 9, .dport = 5000, .data = "333" });
	CHECK_EQ(receive(wild, NULL), 3);
	CHECK_EQ(receive(ours, NULL), -EAGAIN);
	close_socket(wild);
	close_socket(ours);
	close_socket(connected);
	check_nothing_left();
}

TEST(sharers_get_equal_parts_and_keep_their_peers)
{
	enum { SHARERS = 4, PEERS = 400 };
	struct sock *sharers[SHARERS];
	u32 got[SHARERS] = { 0 };

	boot();
	for (u32 i = 0; i < SHARERS; i++) {
		sharers[i] = open_socket();
		sharers[i]->options = SK_REUSEPORT;
		CHECK_EQ(bind_to(sharers[i], 0, 5000), 0);
	}
	for (u32 peer = 0; peer < PEERS; peer++) {
		u32 first = SHARERS;

		for (u32 round = 0; round < 2; round++) {
			arrive(&(struct datagram){
				.sport = 1000 + peer, .dport = 5000, .data = "x" });
			for (u32 i = 0; i < SHARERS; i++)
				if (receive(sharers[i], NULL) == 1) {
					got[i]++;
					CHECK(round == 0 || first == i);
					first = i;
				}
		}
	}
	for (u32 i = 0; i < SHARERS; i++) {
		CHECK(got[i] > PEERS * 2 / SHARERS / 2);
		close_socket(sharers[i]);
	}
	check_nothing_left();
}

TEST(a_full_queue_drops_and_counts)
{
	u64 before = snmp_read(UDP_RcvbufErrors);
	struct sock *sk;
	u32 got = 0;

	boot();
	sk = bound(0, 5000);
	sk->rcvbuf = 10000;
	for (u32 i = 0; i < 100; i++)
		arrive(&(struct datagram){ .dport = 5000, .data = "x" });
	while (receive(sk, NULL) == 1)
		got++;
	CHECK_EQ(got, 14); /* Linux counts 768 for a small one */
	CHECK_EQ(snmp_read(UDP_RcvbufErrors) - before, 100 - got);
	CHECK_EQ(sk->drops, 100 - got);
	CHECK_EQ(sk->rmem, 0);
	close_socket(sk);
	check_nothing_left();
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

TEST(what_is_sent_is_right)
{
	static const u32 sizes[] = { 0, 1, 63, 64, 1472, 1473, 5000, 65507 };
	struct sock *sk;

	boot();
	sk = bound(0, 5000);
	sk->sndbuf = 1 << 20;
	for (u32 i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 256);
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 total = 0;
		struct sk_buff *skb;

		CHECK_EQ(send_to(sk, text, sizes[i], SHIM_PEER, 7), sizes[i]);
		CHECK_EQ(net_shim_sent_count() == 1, sizes[i] <= 1472);
		while ((skb = net_shim_sent())) {
			struct iphdr *ip = (struct iphdr *)(skb->data + ETH_HLEN);

			CHECK(skb->len <= ETH_HLEN + 1500);
			CHECK_EQ(ip_checksum(ip, IP_HLEN(ip)), 0);
			CHECK_EQ(ip->daddr, SHIM_PEER);
			CHECK_EQ(ip->saddr, SHIM_OUR);
			CHECK_EQ(!(ip->fragment & htons(IP_DF)), sizes[i] > 1472);
			total += skb->len - ETH_HLEN - sizeof(*ip);
			if (sizes[i] <= 1472)
				CHECK_EQ(checksum_fold(skb_checksum(
						 skb, ETH_HLEN + sizeof(*ip), sizes[i] + 8,
						 checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_UDP,
								 sizes[i] + 8))),
					 0);
			skb_put(skb);
		}
		CHECK_EQ(total, sizes[i] + sizeof(struct udphdr));
		CHECK_EQ(sk->wmem, 0);
	}
	CHECK_EQ(send_to(sk, text, 65508, SHIM_PEER, 7), -EMSGSIZE);
	CHECK_EQ(send_to(sk, text, 1, IP4(10, 0, 2, 255), 7), -EACCES);
	CHECK_EQ(send_to(sk, text, 1, 0, 7), -EDESTADDRREQ);
	close_socket(sk);
	check_nothing_left();
}

TEST(what_is_put_together_is_charged)
{
	static const char text[30000];
	struct sock *sk;

	boot();
	sk = bound(0, 5000);
	udp_sk(sk)->corked = true;
	CHECK_EQ(send_to(sk, text, 1, SHIM_PEER, 7), 1);
	CHECK_EQ(sk->wmem, SKB_OBJECT_SIZE);
	CHECK_EQ(send_to(sk, text, 30000, SHIM_PEER, 7), 30000);
	CHECK(sk->wmem >= 30000);
	CHECK_EQ(sk->wmem, udp_sk(sk)->pending->truesize);
	sk->sndbuf = 10000;
	CHECK_EQ(send_to(sk, text, 1, SHIM_PEER, 7), -ENOBUFS);
	CHECK_EQ(sk->wmem, 0);
	CHECK_EQ(send_to(sk, text, 1, SHIM_PEER, 7), 1);
	close_socket(sk);
	check_nothing_left();
}

/* A router, or somebody who says so, has not delivered what port `sport` sent to `daddr`. */
static void receive_unreachable(u8 code, u16 mtu, u16 sport, be32 daddr)
{
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		struct udphdr udp;
	} quoted = { { .type = ICMP_DEST_UNREACH, .code = code, .frag.mtu = htons(mtu) },
		     { .version_ihl = 0x45,
		       .ttl = 1,
		       .protocol = IPPROTO_UDP,
		       .saddr = SHIM_OUR,
		       .daddr = daddr,
		       .total_length = htons(28) },
		     { htons(sport), htons(7), htons(8), 0 } };
	u8 frame[100];
	struct ethhdr *eth = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(eth + 1);

	quoted.icmp.checksum = ip_checksum(&quoted, sizeof(quoted));
	memcpy(eth->dest, shim_eth.mac, ETH_ALEN);
	eth->protocol = htons(ETH_P_IP);
	*ip = (struct iphdr){ .version_ihl = 0x45,
			      .ttl = 9,
			      .protocol = IPPROTO_ICMP,
			      .total_length = htons(sizeof(*ip) + sizeof(quoted)),
			      .saddr = SHIM_PEER,
			      .daddr = SHIM_OUR };
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	memcpy(ip + 1, &quoted, sizeof(quoted));
	net_shim_receive(net_shim_frame(frame, ETH_HLEN + sizeof(*ip) + sizeof(quoted)));
}

TEST(an_error_finds_the_sender)
{
	struct sock *connected, *other;

	boot();
	connected = bound(SHIM_OUR, 5000);
	other = bound(SHIM_OUR, 5001);
	CHECK_EQ(connect_to(connected, SHIM_PEER, 7), 0);
	receive_unreachable(ICMP_PORT_UNREACH, 0, 5000, SHIM_PEER);
	CHECK_EQ(receive(other, NULL), -EAGAIN);
	CHECK_EQ(receive(connected, NULL), -ECONNREFUSED);
	CHECK_EQ(receive(connected, NULL), -EAGAIN);
	close_socket(connected);
	close_socket(other);
	check_nothing_left();
}

/* Who sent it asks for the route anew; nobody else's is touched, and who sent nothing is not believed. */
TEST(a_path_mtu_is_learnt_by_who_sent)
{
	struct sock *sk, *other;
	u32 generation;

	boot();
	sk = bound(0, 5000);
	other = bound(0, 5001);
	CHECK_EQ(send_to(sk, "far", 3, SHIM_FAR, 7), 3);
	CHECK_EQ(send_to(other, "near", 4, SHIM_PEER, 7), 4);
	generation = route_generation;
	receive_unreachable(ICMP_FRAG_NEEDED, 1200, 5002, SHIM_FAR);
	CHECK(dst_valid(&inet_sk(sk)->flow.dst));
	receive_unreachable(ICMP_FRAG_NEEDED, 1200, 5000, SHIM_FAR);
	CHECK(!dst_valid(&inet_sk(sk)->flow.dst));
	CHECK(dst_valid(&inet_sk(other)->flow.dst));
	CHECK_EQ(route_generation, generation);
	CHECK_EQ(receive(sk, NULL), -EAGAIN);
	CHECK_EQ(send_to(sk, "far", 3, SHIM_FAR, 7), 3);
	CHECK_EQ(inet_sk(sk)->flow.dst.mtu, 1200);
	CHECK_EQ(inet_sk(other)->flow.dst.mtu, 1500);
	close_socket(sk);
	close_socket(other);
	check_nothing_left();
}

/* ---- ports ---------------------------------------------------------------------------------------------------------- */

TEST(every_port_is_given_once)
{
	enum { FIRST = 32768, LAST = 60999, COUNT = LAST - FIRST + 1 };
	static struct sock *socks[COUNT];
	static bool seen[COUNT];
	struct sock *late;

	boot();
	memset(seen, 0, sizeof(seen));
	for (u32 i = 0; i < COUNT; i++) {
		u16 port;

		socks[i] = bound(0, 0);
		port = inet_sk(socks[i])->port;
		CHECK(port >= FIRST && port <= LAST && !seen[port - FIRST]);
		seen[port - FIRST] = true;
	}
	late = open_socket();
	CHECK_EQ(bind_to(late, 0, 0), -EADDRINUSE);
	CHECK_EQ(connect_to(late, SHIM_PEER, 7), -EAGAIN);
	close_socket(socks[123]);
	CHECK_EQ(bind_to(late, 0, 0), 0);
	close_socket(late);
	for (u32 i = 0; i < COUNT; i++)
		if (i != 123)
			close_socket(socks[i]);
	check_nothing_left();
}

/* ---- everything ------------------------------------------------------------------------------------------------------- */

TEST(random_datagrams_do_no_harm)
{
	static const char data[] = "some bytes, of which some are changed";
	struct sock *sk, *connected;

	boot();
	sk = bound(0, 5000);
	connected = bound(SHIM_OUR, 5001);
	CHECK_EQ(connect_to(connected, SHIM_PEER, 6000), 0);
	for (u32 round = 0; round < 20000; round++) {
		u8 frame[200];
		u32 size = build(
			frame,
			&(struct datagram){ .to = unit_random() & 7 ? 0 : IP4(10, 0, 2, 255),
					    .sport = 6000,
					    .dport = 5000 + unit_random_below(3),
					    .length = unit_random() & 3 ? 0 : unit_random_below(60),
					    .padding = unit_random_below(20),
					    .no_sum = unit_random() & 1,
					    .data = data + unit_random_below(sizeof(data)) });

		if (unit_random() & 1)
			frame[ETH_HLEN + 20 + unit_random_below(size - ETH_HLEN - 20)] =
				(u8)unit_random();
		net_shim_receive(net_shim_scattered(
			frame, size, ETH_HLEN + unit_random_below(size - ETH_HLEN + 1)));
		if (round % 8 == 0) {
			receive(sk, NULL);
			receive(connected, NULL);
		}
		net_shim_drop_sent();
	}
	close_socket(sk);
	close_socket(connected);
	net_shim_advance(100ULL * 1000000000);
	check_nothing_left();
}

TEST(no_memory_is_an_error_and_no_leak)
{
	struct sock *sk;

	boot();
	sk = bound(0, 5000);
	for (u64 nth = 1;; nth++) {
		net_shim_fail_nth(nth);
		arrive(&(struct datagram){ .dport = 5000, .data = "in" });
		send_to(sk, text, 5000, SHIM_PEER, 7);
		net_shim_drop_sent();
		while (receive(sk, NULL) >= 0)
			;
		if (!net_shim_failed())
			break;
	}
	net_shim_fail_nth(0);
	close_socket(sk);
	check_nothing_left();
}
