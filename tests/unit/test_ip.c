/* sources: tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sock.c tests/unit/net_shim_proc.c fs/proc/value.c net/skbuff.c net/checksum.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c fs/iov_iter.c fs/seq_buf.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
#include "net_shim.h"

#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <net/icmp.h>
#include <net/ip_impl.h>
#include <net/neigh.h>
#include <net/route.h>

#define SEC NSEC_PER_SEC

/* ---- packets ------------------------------------------------------------------------------------------ */

struct packet {
	be32 saddr, daddr;
	u16 id, fragment;
	u8 protocol;
	u8 options_length;
	const u8 *options;
	u32 size; /* of the payload */
	const u8 *payload;
};

static u8 frame[ETH_HLEN + 65536];
#define FRAME_IP ((struct iphdr *)(frame + ETH_HLEN))

/* The frame of it; its length. */
static u32 build(const struct packet *packet)
{
	struct ethhdr *eth = (struct ethhdr *)frame;
	struct iphdr *ip = FRAME_IP;
	u32 header = sizeof(*ip) + packet->options_length;

	memcpy(eth->dest, shim_eth.mac, ETH_ALEN);
	memcpy(eth->source, shim_peer_mac, ETH_ALEN);
	eth->protocol = htons(ETH_P_IP);
	*ip = (struct iphdr){
		.version_ihl = (u8)(0x40 | header / 4),
		.total_length = htons(header + packet->size),
		.id = htons(packet->id),
		.fragment = htons(packet->fragment),
		.ttl = 64,
		.protocol = packet->protocol,
		.saddr = packet->saddr ?: SHIM_PEER,
		.daddr = packet->daddr ?: SHIM_OUR,
	};
	memcpy(ip + 1, packet->options, packet->options_length);
	memcpy((u8 *)ip + header, packet->payload, packet->size);
	ip->checksum = ip_checksum(ip, header);
	return ETH_HLEN + header + packet->size;
}

static void receive_frame(u32 length)
{
	if (length <= RX_BUFFER_SIZE)
		net_shim_receive(net_shim_frame(frame, length));
	else
		net_shim_receive(net_shim_scattered(frame, length, ETH_HLEN + 20));
}

static void receive(const struct packet *packet)
{
	receive_frame(build(packet));
}

static u8 message[65536] __aligned(8);

/* An ICMP message with its checksum; its length. */
static u32 icmp_message(u8 type, u8 code, u32 rest, const void *data, u32 size)
{
	struct icmphdr *icmp = (struct icmphdr *)message;

	*icmp = (struct icmphdr){ .type = type, .code = code, .rest = htonl(rest) };
	memcpy(icmp + 1, data, size);
	icmp->checksum = ip_checksum(message, sizeof(*icmp) + size);
	return sizeof(*icmp) + size;
}

/* The next frame sent, in one piece in `got`; checked as IP. NULL: none. */
static u8 got_room[2 + 65600] __aligned(8); /* as a driver has it: IP on a multiple of 4 */
static u8 *const got = got_room + 2;
static const struct iphdr *next_sent(void)
{
	struct sk_buff *skb = net_shim_sent();
	const struct iphdr *ip = (const struct iphdr *)(got + ETH_HLEN);

	if (!skb)
		return NULL;
	CHECK(skb->len <= 65600 && skb_copy_bits(skb, 0, got, skb->len));
	CHECK_EQ(((struct ethhdr *)got)->protocol, htons(ETH_P_IP));
	CHECK_EQ(ip->version_ihl >> 4, 4);
	CHECK_EQ(ip_checksum(ip, IP_HLEN(ip)), 0);
	CHECK_EQ(ntohs(ip->total_length) + ETH_HLEN, skb->len);
	skb_put(skb);
	return ip;
}

/* And as ICMP. */
static const struct icmphdr *next_icmp(u32 *size)
{
	const struct iphdr *ip = next_sent();
	const struct icmphdr *icmp;

	if (!ip)
		return NULL;
	CHECK_EQ(ip->protocol, 1);
	icmp = (const void *)((const u8 *)ip + IP_HLEN(ip));
	*size = ntohs(ip->total_length) - IP_HLEN(ip);
	CHECK_EQ(ip_checksum(icmp, *size), 0);
	return icmp;
}

static u64 buffers(void)
{
	struct skb_stats stats;

	skb_stats_read(&stats);
	return stats.buffers + stats.pages;
}

/* ---- echo ------------------------------------------------------------------------------------------------- */

static void send_ping(u32 size, be32 saddr, be32 daddr)
{
	static u8 data[65536];

	for (u32 i = 0; i < size; i++)
		data[i] = (u8)(i * 7);
	receive(&(struct packet){ .protocol = 1,
				  .saddr = saddr,
				  .daddr = daddr,
				  .payload = message,
				  .size = icmp_message(ICMP_ECHO, 0, 0x12340001, data, size) });
}

TEST(an_echo_comes_back_whole)
{
	const struct icmphdr *icmp;
	u32 size;

	net_shim_ip_boot();
	for (u32 length = 0; length <= 1472; length += 59) {
		send_ping(length, 0, 0);
		icmp = next_icmp(&size);
		CHECK(icmp && icmp->type == ICMP_ECHOREPLY && size == length + 8);
		CHECK_EQ(icmp->rest, htonl(0x12340001));
		for (u32 i = 0; i < length; i++)
			CHECK_EQ(((u8 *)(icmp + 1))[i], (u8)(i * 7));
		CHECK_EQ(((struct iphdr *)(got + ETH_HLEN))->saddr, SHIM_OUR);
		CHECK_EQ(((struct iphdr *)(got + ETH_HLEN))->daddr, SHIM_PEER);
		CHECK_EQ(((struct iphdr *)(got + ETH_HLEN))->ttl, 64);
		CHECK(!memcmp(got, shim_peer_mac, ETH_ALEN));
	}
	CHECK_EQ(buffers(), 0);
}

TEST(echos_to_many_and_wrong_ones_are_not_answered)
{
	u32 size;

	net_shim_ip_boot();
	send_ping(8, 0, IP4(10, 0, 2, 255));
	send_ping(8, 0, IP4(224, 0, 0, 1));
	send_ping(8, 0, IP4(255, 255, 255, 255));
	CHECK_EQ(net_shim_proc_write("sys/net/ipv4", "icmp_echo_ignore_all", "1"), 0);
	send_ping(8, 0, 0);
	CHECK_EQ(net_shim_proc_write("sys/net/ipv4", "icmp_echo_ignore_all", "0"), 0);
	size = icmp_message(ICMP_ECHO, 0, 0, "abcdefg", 8);
	message[9] ^= 1;
	receive(&(struct packet){ .protocol = 1, .payload = message, .size = size });
	for (u32 short_size = 0; short_size < 8; short_size++)
		receive(&(struct packet){ .protocol = 1, .payload = message, .size = short_size });
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(net_shim_proc_write("sys/net/ipv4", "icmp_echo_ignore_broadcasts", "0"), 0);
	send_ping(8, 0, IP4(10, 0, 2, 255));
	CHECK_EQ(net_shim_sent_count(), 1);
	CHECK_EQ(next_sent()->saddr, SHIM_OUR);
	CHECK_EQ(net_shim_proc_write("sys/net/ipv4", "icmp_echo_ignore_broadcasts", "1"), 0);
	CHECK_EQ(net_shim_proc_write("sys/net/ipv4", "icmp_echo_ignore_broadcasts", "2"), -22);
	CHECK_EQ(buffers(), 0);
}

TEST(a_timestamp_is_answered)
{
	static const u8 data[12] = { 1, 2, 3, 4 };
	const struct icmphdr *icmp;
	u32 size;
	be32 times[3];

	net_shim_ip_boot();
	size = icmp_message(ICMP_TIMESTAMP, 0, 7, data, sizeof(data));
	receive(&(struct packet){ .protocol = 1, .payload = message, .size = size });
	icmp = next_icmp(&size);
	CHECK(icmp && icmp->type == ICMP_TIMESTAMPREPLY && size == 20);
	memcpy(times, icmp + 1, sizeof(times));
	CHECK(!memcmp(times, data, 4));
	CHECK_EQ(ntohl(times[1]), clock_ns() / 1000000 % 86400000);
	CHECK_EQ(times[1], times[2]);
	size = icmp_message(ICMP_TIMESTAMP, 0, 7, data, 11);
	receive(&(struct packet){ .protocol = 1, .payload = message, .size = size });
	CHECK_EQ(net_shim_sent_count(), 0);
}

/* ---- what is not a packet for us ------------------------------------------------------------------------------- */

TEST(damaged_headers_are_dropped_and_counted)
{
	static const struct {
		u32 offset;
		u8 value;
		bool fix; /* the checksum */
	} wrong[] = {
		{ 0, 0x65, true }, { 0, 0x05, true },	{ 0, 0x44, true },
		{ 0, 0x40, true }, { 0, 0x4f, true }, /* options beyond the end */
		{ 2, 0xff, true },		      /* longer than the frame */
		{ 3, 19, true },		      /* shorter than the header */
		{ 8, 63, false },  { 10, 0x55, false }, { 16, 9, false },
	};
	u64 errors, before;

	net_shim_ip_boot();
	before = buffers();
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		u32 length =
			build(&(struct packet){ .protocol = 253, .payload = message, .size = 8 });

		errors = snmp_read(IP_InHdrErrors);
		frame[ETH_HLEN + wrong[i].offset] = wrong[i].value;
		if (wrong[i].fix) {
			FRAME_IP->checksum = 0;
			FRAME_IP->checksum = ip_checksum(FRAME_IP, 20);
		}
		receive_frame(length);
		CHECK_EQ(snmp_read(IP_InHdrErrors), errors + 1);
		CHECK_EQ(net_shim_sent_count(), 0);
	}
	for (u32 length = ETH_HLEN; length < ETH_HLEN + 28; length++) {
		build(&(struct packet){ .protocol = 253, .payload = message, .size = 8 });
		receive_frame(length);
	}
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(buffers(), before);
}

TEST(from_nobody_and_for_others_is_dropped)
{
	static const struct {
		be32 saddr, daddr;
	} wrong[] = {
		{ IP4(127, 0, 0, 1), SHIM_OUR },  { SHIM_OUR, SHIM_OUR },
		{ IP4(10, 0, 2, 255), SHIM_OUR }, { IP4(255, 255, 255, 255), SHIM_OUR },
		{ IP4(224, 0, 0, 1), SHIM_OUR },  { IP4(0, 0, 0, 1), SHIM_OUR },
		{ SHIM_PEER, SHIM_PEER },	  { SHIM_PEER, SHIM_FAR },
		{ SHIM_PEER, IP4(127, 0, 0, 1) },
	};
	u64 errors;

	net_shim_ip_boot();
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		errors = snmp_read(IP_InAddrErrors);
		send_ping(8, wrong[i].saddr, wrong[i].daddr);
		CHECK_EQ(snmp_read(IP_InAddrErrors), errors + 1);
	}
	/* 0 is who has no address yet, and no host. */
	errors = snmp_read(IP_InAddrErrors);
	build(&(struct packet){ .protocol = 253, .payload = message, .size = 8 });
	FRAME_IP->saddr = 0;
	FRAME_IP->checksum = 0;
	FRAME_IP->checksum = ip_checksum(FRAME_IP, 20);
	receive_frame(ETH_HLEN + 28);
	CHECK_EQ(snmp_read(IP_InAddrErrors), errors + 1);
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(buffers(), 0);
}

TEST(padding_is_cut_off)
{
	const struct icmphdr *icmp;
	u32 size;

	net_shim_ip_boot();
	size = icmp_message(ICMP_ECHO, 0, 0, "", 1);
	build(&(struct packet){ .protocol = 1, .payload = message, .size = size });
	receive_frame(60);
	icmp = next_icmp(&size);
	CHECK(icmp && size == 9);
}

TEST(a_protocol_of_nobody_is_unreachable)
{
	const struct icmphdr *icmp;
	u32 size, length;

	net_shim_ip_boot();
	length = build(&(struct packet){ .protocol = 253, .payload = frame, .size = 1400 });
	receive_frame(length);
	icmp = next_icmp(&size);
	CHECK(icmp && icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_PROT_UNREACH);
	CHECK_EQ(size, 576 - 20);
	CHECK(!memcmp(icmp + 1, FRAME_IP, size - 8));
	CHECK_EQ(buffers(), 0);
}

/* ---- options ------------------------------------------------------------------------------------------------------ */

/* What an echo with these options is answered: -1 nothing; 0 an echo; else where the problem is. */
static int try_options(const u8 *options, u8 length)
{
	const struct icmphdr *icmp;
	u32 size = icmp_message(ICMP_ECHO, 0, 0, "data", 4);

	net_shim_advance(10 * SEC);
	receive(&(struct packet){ .protocol = 1,
				  .payload = message,
				  .size = size,
				  .options = options,
				  .options_length = length });
	icmp = next_icmp(&size);
	CHECK_EQ(net_shim_sent_count(), 0);
	return !icmp				  ? -1
	       : icmp->type == ICMP_ECHOREPLY	  ? 0
	       : icmp->type == ICMP_PARAMETERPROB ? icmp->pointer
						  : -2;
}

TEST(options_are_checked)
{
	static const struct {
		int result;
		u8 length, bytes[12];
	} options[] = {
		{ 0, 4, { 0, 9, 9, 9 } },
		{ 0, 4, { 1, 1, 1, 1 } },
		{ 0, 4, { 1, 1, 1, 0 } },
		{ 0, 4, { 148, 4, 0, 0 } },	       /* router alert */
		{ 0, 8, { 7, 7, 4, 0, 0, 0, 0, 0 } },  /* record route */
		{ 0, 8, { 7, 7, 8, 1, 2, 3, 4, 0 } },  /* full already */
		{ 0, 8, { 68, 8, 5, 0, 0, 0, 0, 0 } }, /* timestamp */
		{ 0, 12, { 68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0 } },
		{ 0, 8, { 68, 8, 9, 0xe0, 0, 0, 0, 0 } }, /* full: one more counted */
		{ 21, 4, { 7, 5, 4, 0 } },		  /* beyond the header */
		{ 21, 4, { 7, 1, 4, 0 } },
		{ 21, 4, { 7, 0, 4, 0 } },
		{ 23, 4, { 1, 1, 1, 7 } }, /* no room for a length */
		{ 22, 4, { 7, 3, 3, 0 } },
		{ 22, 8, { 7, 7, 5, 0, 0, 0, 0, 0 } }, /* half an address */
		{ 21, 4, { 68, 3, 5, 0 } },
		{ 22, 8, { 68, 8, 4, 0, 0, 0, 0, 0 } },
		{ 22, 8, { 68, 8, 6, 0, 0, 0, 0, 0 } },
		{ 23, 8, { 68, 8, 5, 2, 0, 0, 0, 0 } },	   /* no such kind */
		{ 23, 8, { 68, 8, 9, 0xf0, 0, 0, 0, 0 } }, /* the count runs over */
		{ -1, 8, { 131, 7, 4, 10, 0, 2, 3, 0 } },  /* source routes */
		{ -1, 8, { 137, 7, 4, 10, 0, 2, 3, 0 } },
		{ -1, 8, { 1, 131, 7, 8, 10, 0, 2, 3 } },
	};

	net_shim_ip_boot();
	for (u32 i = 0; i < ARRAY_SIZE(options); i++)
		CHECK_EQ(try_options(options[i].bytes, options[i].length), options[i].result);
	CHECK_EQ(buffers(), 0);
}

TEST(routes_and_times_are_recorded_in_the_answer)
{
	static const u8 record[] = { 7, 11, 8, 1, 2, 3, 4, 0, 0, 0, 0, 0 };
	static const u8 expected[] = { 7, 11, 12, 1, 2, 3, 4, 10, 0, 2, 15, 0 };
	const struct iphdr *ip;
	u32 size;

	net_shim_ip_boot();
	size = icmp_message(ICMP_ECHO, 0, 0, "data", 4);
	receive(&(struct packet){ .protocol = 1,
				  .payload = message,
				  .size = size,
				  .options = record,
				  .options_length = sizeof(record) });
	ip = next_sent();
	CHECK_EQ(IP_HLEN(ip), 32);
	CHECK(!memcmp(ip + 1, expected, sizeof(expected)));
}

/* Nothing that can stand there makes the parser leave the header. */
TEST(random_options_do_no_harm)
{
	u8 options[40];

	net_shim_ip_boot();
	for (u32 round = 0; round < 20000; round++) {
		static const u8 kinds[] = { 0, 1, 7, 68, 131, 137, 148 };
		u32 length = 4 * (1 + unit_random_below(10)), size;

		for (u32 i = 0; i < length; i++)
			options[i] = unit_random() & 1	 ? kinds[unit_random_below(7)]
				     : unit_random() & 1 ? (u8)unit_random_below(12)
							 : (u8)unit_random();
		size = icmp_message(ICMP_ECHO, 0, 0, "data", 4);
		receive(&(struct packet){ .protocol = 1,
					  .payload = message,
					  .size = size,
					  .options = options,
					  .options_length = (u8)length });
		net_shim_drop_sent();
	}
	CHECK_EQ(buffers(), 0);
}

/* ---- fragments ---------------------------------------------------------------------------------------------------------- */

#define WHOLE 4000
static u8 whole[65536];

static void make_whole(u32 size)
{
	static u8 data[65536];

	for (u32 i = 0; i < size; i++)
		data[i] = (u8)(i * 13 + i / 256);
	icmp_message(ICMP_ECHO, 0, 0x77770001, data, size - 8);
	memcpy(whole, message, size);
}

static void receive_piece(u16 id, u32 start, u32 end, bool more)
{
	receive(&(struct packet){ .protocol = 1,
				  .id = id,
				  .fragment = start / 8 | (more ? IP_MF : 0),
				  .payload = whole + start,
				  .size = end - start });
}

/* What was sent is the echo of `whole`, in fragments itself: feed them to a checker of its own. */
static bool answered(u32 size)
{
	static u8 joined[65536];
	const struct iphdr *ip;
	u32 received = 0;

	while ((ip = next_sent())) {
		u32 payload = ntohs(ip->total_length) - 20,
		    start = (ntohs(ip->fragment) & IP_OFFSET) * 8;

		CHECK(ntohs(ip->total_length) <= 1500);
		CHECK_EQ(!!(ip->fragment & htons(IP_MF)), start + payload < size);
		CHECK(start == received);
		memcpy(joined + start, ip + 1, payload);
		received += payload;
	}
	if (!received)
		return false;
	CHECK_EQ(received, size);
	CHECK_EQ(ip_checksum(joined, size), 0);
	CHECK(!memcmp(joined + 4, whole + 4, size - 4));
	return true;
}

static void check_nothing_left(void)
{
	struct fragment_stats stats;

	fragment_stats_read(&stats);
	CHECK_EQ(stats.datagrams, 0);
	CHECK_EQ(stats.memory, 0);
	CHECK_EQ(buffers(), 0);
}

TEST(pieces_in_any_order_become_the_datagram)
{
	static const struct {
		u32 start, end;
	} pieces[] = { { 0, 800 }, { 800, 1600 }, { 1600, 1608 }, { 1608, 3000 }, { 3000, WHOLE } };
	u8 order[5] = { 0, 1, 2, 3, 4 };

	net_shim_ip_boot();
	make_whole(WHOLE);
	for (u16 round = 0; round < 200; round++) {
		for (u32 i = 4; i; i--) {
			u32 other = unit_random_below(i + 1);
			u8 swap = order[i];

			order[i] = order[other];
			order[other] = swap;
		}
		for (u32 i = 0; i < 5; i++) {
			CHECK(!answered(WHOLE));
			receive_piece(round, pieces[order[i]].start, pieces[order[i]].end,
				      order[i] != 4);
			if (unit_random() & 1 && i < 4) /* and once more */
				receive_piece(round, pieces[order[i]].start, pieces[order[i]].end,
					      order[i] != 4);
		}
		CHECK(answered(WHOLE));
	}
	check_nothing_left();
}

TEST(the_largest_datagram_survives)
{
	u32 size = 65535 - 20;

	net_shim_ip_boot();
	make_whole(size);
	for (u32 start = 0; start < size; start += 1480)
		receive_piece(9, start, start + 1480 < size ? start + 1480 : size,
			      start + 1480 < size);
	CHECK(answered(size));
	check_nothing_left();
}

TEST(overlaps_kill_the_datagram)
{
	static const struct {
		u32 start, end;
		bool more;
	} bad[] = {
		{ 792, 1600, true }, { 0, 808, true },	{ 8, 16, true },
		{ 0, 8, true },	     { 0, 1600, true }, { 640, 800, false },
	};
	u64 fails;

	net_shim_ip_boot();
	make_whole(WHOLE);
	for (u16 i = 0; i < ARRAY_SIZE(bad); i++) {
		fails = snmp_read(IP_ReasmFails);
		receive_piece(i, 0, 800, true);
		receive_piece(i, 800, 1600, true);
		receive_piece(i, bad[i].start, bad[i].end, bad[i].more);
		CHECK_EQ(snmp_read(IP_ReasmFails), fails + 1);
		check_nothing_left();
	}
	/* Two that both say that they are the last. */
	receive_piece(50, 800, 1600, false);
	receive_piece(50, 1600, 2000, false);
	check_nothing_left();
	receive_piece(51, 800, 1600, false);
	receive_piece(51, 1600, 2000, true);
	check_nothing_left();
	CHECK(!answered(WHOLE));
}

TEST(impossible_pieces_are_dropped)
{
	net_shim_ip_boot();
	make_whole(65535);
	receive_piece(1, 65528, 65535, false); /* with its header, beyond 65535 */
	receive_piece(2, 0, 0, true);
	receive_piece(3, 0, 7, true); /* no multiple of 8 in it */
	receive_piece(4, 800, 800, false);
	check_nothing_left();
	CHECK_EQ(net_shim_sent_count(), 0);
}

TEST(what_is_not_whole_in_thirty_seconds_is_given_up)
{
	const struct icmphdr *icmp;
	u64 timeouts;
	u32 size;

	net_shim_ip_boot();
	make_whole(WHOLE);
	timeouts = snmp_read(IP_ReasmTimeout);
	receive_piece(1, 0, 800, true);
	net_shim_advance(10 * SEC);
	receive_piece(2, 800, 1600, true); /* the first never comes: no error about that */
	CHECK_EQ(net_shim_timers(), 1);
	net_shim_advance(19 * SEC);
	CHECK_EQ(net_shim_sent_count(), 0);
	net_shim_advance(1 * SEC);
	icmp = next_icmp(&size);
	CHECK(icmp && icmp->type == ICMP_TIME_EXCEEDED && icmp->code == 1);
	CHECK(!memcmp((u8 *)(icmp + 1) + 20, whole, size - 28));
	net_shim_advance(10 * SEC);
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(snmp_read(IP_ReasmTimeout), timeouts + 2);
	CHECK_EQ(net_shim_timers(), 0);
	check_nothing_left();
}

TEST(fragments_are_bounded_in_memory_and_number)
{
	struct fragment_stats stats;

	net_shim_ip_boot();
	make_whole(WHOLE);
	for (u32 i = 0; i < 5000; i++)
		receive_piece((u16)i, 0, 8, true);
	fragment_stats_read(&stats);
	CHECK(stats.memory <= ipfrag_high_thresh && stats.memory > ipfrag_high_thresh / 2);
	receive_piece(7777, 0, 1600, true); /* the newest are still served */
	receive_piece(7777, 1600, 3200, true);
	receive_piece(7777, 3200, WHOLE, false);
	CHECK(answered(WHOLE));
	net_shim_advance(31 * SEC);
	net_shim_drop_sent();
	check_nothing_left();
	for (u32 i = 0; i < 257; i++)
		receive_piece(1, 8 * i, 8 * i + 8, true);
	check_nothing_left();
}

TEST(no_memory_for_a_fragment_leaks_nothing)
{
	net_shim_ip_boot();
	make_whole(WHOLE);
	for (u32 nth = 1; nth < 12; nth++) {
		net_shim_fail_nth(nth); /* the datagram's entry; then what the answer needs */
		receive_piece((u16)nth, 0, 1600, true);
		receive_piece((u16)nth, 1600, 3200, true);
		receive_piece((u16)nth, 3200, WHOLE, false);
		net_shim_fail_nth(0);
		net_shim_advance(31 * SEC);
		net_shim_drop_sent();
		check_nothing_left();
	}
}

/* ---- errors out -------------------------------------------------------------------------------------------------------------- */

static bool error_comes(const struct packet *packet)
{
	net_shim_advance(10 * SEC);
	net_shim_drop_sent();
	receive(packet);
	return net_shim_sent_count();
}

TEST(no_errors_about_errors_and_the_like)
{
	u8 inner[64] = { 0x45 };

	net_shim_ip_boot();
	CHECK(error_comes(&(struct packet){ .protocol = 253, .payload = inner, .size = 64 }));
	CHECK(!error_comes(&(struct packet){
		.protocol = 253, .payload = inner, .size = 64, .daddr = IP4(10, 0, 2, 255) }));
	CHECK(!error_comes(&(struct packet){
		.protocol = 253, .payload = inner, .size = 64, .daddr = IP4(224, 0, 0, 1) }));
	for (u32 type = 0; type < 256; type++) {
		static const u8 bad_option[4] = { 7, 9, 4, 0 };
		u32 size = icmp_message((u8)type, 0, 0, inner, 64);
		bool question = type < 19 && type != 3 && type != 4 && type != 5 && type != 11 &&
				type != 12;

		CHECK_EQ(error_comes(&(struct packet){ .protocol = 1,
						       .payload = message,
						       .size = size,
						       .options = bad_option,
						       .options_length = 4 }),
			 question);
	}
	net_shim_drop_sent();
	CHECK_EQ(buffers(), 0);
}

TEST(errors_are_limited_for_an_address_and_in_all)
{
	u64 host, global;
	u32 sent = 0;

	net_shim_ip_boot();
	host = snmp_read(ICMP_OutRateLimitHost);
	for (u32 i = 0; i < 20; i++)
		receive(&(struct packet){ .protocol = 253, .payload = message, .size = 8 });
	CHECK_EQ(net_shim_sent_count(), 6);
	CHECK(snmp_read(ICMP_OutRateLimitHost) > host);
	net_shim_drop_sent();
	net_shim_advance(3 * SEC);
	for (u32 i = 0; i < 20; i++)
		receive(&(struct packet){ .protocol = 253, .payload = message, .size = 8 });
	CHECK_EQ(net_shim_sent_count(), 3);
	net_shim_drop_sent();
	global = snmp_read(ICMP_OutRateLimitGlobal);
	net_shim_advance(3 * SEC);
	for (u32 i = 1; i < 200; i++) {
		receive(&(struct packet){ .protocol = 253,
					  .payload = message,
					  .size = 8,
					  .saddr = IP4(198, 51, 100, i) });
		sent += net_shim_sent_count();
		net_shim_drop_sent();
	}
	CHECK(sent <= icmp_msgs_burst && sent > icmp_msgs_burst / 4);
	CHECK(snmp_read(ICMP_OutRateLimitGlobal) > global);
	send_ping(8, 0, 0); /* answers are not errors */
	CHECK_EQ(net_shim_sent_count(), 1);
}

/* ---- errors in ------------------------------------------------------------------------------------------------------------------ */

static struct iphdr sent_header(be32 saddr, be32 daddr)
{
	struct iphdr ip = { .version_ihl = 0x45,
			    .total_length = htons(1500),
			    .protocol = 253,
			    .fragment = htons(IP_DF),
			    .ttl = 60,
			    .saddr = saddr,
			    .daddr = daddr };

	ip_set_checksum(&ip);
	return ip;
}

static u32 path_mtu(be32 daddr)
{
	struct flow flow = { .daddr = daddr };
	u32 mtu;

	CHECK_EQ(ip_route(&flow), 0);
	mtu = flow.dst.mtu;
	dst_drop(&flow.dst);
	return mtu;
}

static void receive_too_big(be32 saddr, be32 daddr, u32 quoted, u32 mtu)
{
	u8 inner[28] = { 0 };
	struct iphdr ip = sent_header(saddr, daddr);

	memcpy(inner, &ip, sizeof(ip));
	receive(&(struct packet){
		.protocol = 1,
		.payload = message,
		.size = icmp_message(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu, inner, quoted) });
}

TEST(an_error_must_quote_us)
{
	be32 far = IP4(203, 0, 113, 5);
	u32 generation;
	u64 errors;

	net_shim_ip_boot();
	errors = snmp_read(ICMP_InErrors);
	receive_too_big(SHIM_PEER, far, 28, 1200); /* we did not send that */
	receive_too_big(SHIM_OUR, far, 27, 1200);  /* nor can it be told what it was */
	receive_too_big(SHIM_OUR, far, 20, 1200);
	receive_too_big(SHIM_OUR, far, 3, 1200);
	CHECK_EQ(snmp_read(ICMP_InErrors), errors + 4);
	generation = route_generation;
	receive_too_big(SHIM_OUR, far, 28, 1200); /* of a protocol that finds nobody who did */
	CHECK_EQ(snmp_read(ICMP_InErrors), errors + 4);
	CHECK_EQ(path_mtu(far), 1500);
	CHECK_EQ(route_generation, generation);
	CHECK_EQ(buffers(), 0);
}

TEST(redirects_change_nothing)
{
	struct iphdr ip = sent_header(SHIM_OUR, SHIM_FAR);
	u8 inner[28] = { 0 };
	u32 generation = route_generation;

	net_shim_ip_boot();
	generation = route_generation;
	memcpy(inner, &ip, sizeof(ip));
	receive(&(struct packet){ .protocol = 1,
				  .payload = message,
				  .size = icmp_message(ICMP_REDIRECT, 1, 0x0a000263, inner, 28) });
	CHECK_EQ(route_generation, generation);
	CHECK_EQ(buffers(), 0);
}

/* ---- out ---------------------------------------------------------------------------------------------------------------------------- */

static int send_payload(struct flow *flow, u32 size)
{
	struct sk_buff *skb = net_shim_scattered(whole, size, size < 100 ? size : 100);
	int error;

	CHECK_EQ(ip_route(flow), 0);
	error = ip_output(skb, flow);
	dst_drop(&flow->dst);
	return error;
}

TEST(a_header_is_as_it_should_be)
{
	static const u8 expected[] = { 0x45, 0x10, 0,  28, 0, 0,  0x40, 0, 33, 253,
				       0,    0,	   10, 0,  2, 15, 192,	0, 2,  77 };
	struct flow flow = {
		.daddr = SHIM_FAR, .protocol = 253, .tos = 0x10, .ttl = 33, .dont_fragment = true
	};
	u8 header[20];

	net_shim_ip_boot();
	make_whole(64);
	CHECK_EQ(send_payload(&flow, 8), 0);
	memcpy(header, next_sent(), 20);
	header[10] = header[11] = 0;
	CHECK(!memcmp(header, expected, 20));
	CHECK(!memcmp(got, shim_peer_mac, ETH_ALEN));
	flow = (struct flow){ .daddr = SHIM_FAR, .protocol = 253 };
	CHECK_EQ(send_payload(&flow, 8), 0);
	CHECK_EQ(next_sent()->fragment, 0);
	CHECK_EQ(((struct iphdr *)(got + ETH_HLEN))->ttl, 64);
	CHECK_EQ(buffers(), 0);
}

TEST(what_is_too_large_is_cut_or_refused)
{
	static const u8 options[8] = { 7, 3, 4, 0x94, 4, 0, 0, 0 };
	struct flow flow = { .daddr = SHIM_FAR, .protocol = 253, .dont_fragment = true };
	const struct iphdr *ip;
	u32 received = 0, id = 0;

	net_shim_ip_boot();
	make_whole(8000);
	CHECK_EQ(send_payload(&flow, 1480), 0);
	next_sent();
	CHECK_EQ(send_payload(&flow, 1481), -90);
	flow.dont_fragment = false;
	flow.options = options;
	flow.options_length = 8;
	CHECK_EQ(send_payload(&flow, 5000), 0);
	while ((ip = next_sent())) {
		u32 payload = ntohs(ip->total_length) - 28;

		CHECK_EQ(IP_HLEN(ip), 28);
		CHECK_EQ(((const u8 *)(ip + 1))[0],
			 received ? 1 : 7); /* the first has all options */
		CHECK_EQ(((const u8 *)(ip + 1))[3], 0x94);
		CHECK_EQ((ntohs(ip->fragment) & IP_OFFSET) * 8, received);
		CHECK(!received || ip->id == id);
		id = ip->id;
		CHECK(!memcmp((const u8 *)ip + 28, whole + received, payload));
		received += payload;
	}
	CHECK_EQ(received, 5000);
	CHECK_EQ(buffers(), 0);
	for (u32 nth = 1; nth < 4; nth++) {
		struct flow again = { .daddr = SHIM_FAR, .protocol = 253 };
		struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_KERNEL);

		memcpy(skb_append(skb, 2000), whole, 2000);
		CHECK_EQ(ip_route(&again), 0);
		net_shim_fail_nth(nth);
		CHECK_EQ(ip_output(skb, &again), nth < 3 ? -105 : 0);
		net_shim_fail_nth(0);
		dst_drop(&again.dst);
		net_shim_drop_sent();
		CHECK_EQ(buffers(), 0);
	}
}

TEST(ids_do_not_tell_of_each_other)
{
	u32 steps = 0;
	u16 last = 0;

	net_shim_ip_boot();
	CHECK(ip_select_id(SHIM_OUR, SHIM_PEER, 17) != ip_select_id(SHIM_OUR, SHIM_FAR, 17));
	for (u32 i = 0; i < 1000; i++) {
		u16 id = ntohs(ip_select_id(SHIM_OUR, SHIM_PEER, 17));

		CHECK(!i || (u16)(id - last - 1) < 4);
		steps += (u16)(id - last) > 1;
		last = id;
	}
	CHECK(steps > 500);
}

TEST(to_ourselves_and_to_many)
{
	struct flow flow = { .daddr = SHIM_OUR, .protocol = 253 };
	struct sk_buff *skb;

	net_shim_ip_boot();
	make_whole(64);
	CHECK_EQ(send_payload(&flow, 8), 0);
	skb = net_shim_sent();
	CHECK(skb->dev == &shim_lo);
	skb_put(skb);
	flow = (struct flow){ .daddr = IP4(10, 0, 2, 255), .protocol = 253 };
	CHECK_EQ(send_payload(&flow, 8), 0);
	skb = net_shim_sent();
	CHECK(skb->dev == &shim_lo); /* we are one of them */
	net_shim_receive(skb);
	skb = net_shim_sent();
	CHECK(skb->dev == &shim_eth && !memcmp(skb->data, "\xff\xff\xff\xff\xff\xff", 6));
	skb_put(skb);
	flow = (struct flow){ .daddr = IP4(239, 129, 2, 3), .protocol = 253 };
	CHECK_EQ(send_payload(&flow, 8), 0);
	skb = net_shim_sent();
	CHECK(!memcmp(skb->data, "\x01\x00\x5e\x01\x02\x03", 6));
	skb_put(skb);
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(buffers(), 0);
}

TEST(a_programs_own_header_is_completed)
{
	struct flow flow = { .daddr = SHIM_FAR };
	struct iphdr header = { .version_ihl = 0x45, .ttl = 9, .protocol = 253, .daddr = SHIM_FAR };
	struct sk_buff *skb;
	const struct iphdr *ip;

	net_shim_ip_boot();
	CHECK_EQ(ip_route(&flow), 0);
	skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	memcpy(skb_append(skb, 20), &header, 20);
	memcpy(skb_append(skb, 4), "data", 4);
	CHECK_EQ(ip_output_raw(skb, &flow), 0);
	ip = next_sent();
	CHECK(ip->saddr == SHIM_OUR && ip->id && ip->ttl == 9 && ntohs(ip->total_length) == 24);
	for (u8 ihl = 0; ihl < 16; ihl++) {
		skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
		header.version_ihl = 0x40 | ihl;
		memcpy(skb_append(skb, 20), &header, 20);
		CHECK_EQ(ip_output_raw(skb, &flow), ihl == 5 ? 0 : -22);
	}
	net_shim_drop_sent();
	dst_drop(&flow.dst);
	CHECK_EQ(buffers(), 0);
}

/* ---- everything -------------------------------------------------------------------------------------------------------------------------- */

TEST(random_packets_do_no_harm)
{
	net_shim_ip_boot();
	for (u32 round = 0; round < 30000; round++) {
		struct packet packet = { .protocol = unit_random() & 3 ? 1 : (u8)unit_random(),
					 .id = (u16)unit_random_below(4),
					 .fragment =
						 unit_random() & 1
							 ? 0
							 : unit_random_below(8) |
								   (unit_random() & 1 ? IP_MF : 0),
					 .payload = message };
		u32 length;

		for (u32 i = 0; i < 64; i++)
			whole[i] = (u8)unit_random();
		packet.size = icmp_message((u8)unit_random_below(20), (u8)unit_random_below(20),
					   (u32)unit_random(), whole, unit_random_below(64));
		length = build(&packet);
		for (u32 bad = unit_random_below(4); bad; bad--)
			frame[ETH_HLEN + unit_random_below(length - ETH_HLEN)] = (u8)unit_random();
		FRAME_IP->checksum = 0;
		if ((u32)IP_HLEN(FRAME_IP) + ETH_HLEN <= length)
			FRAME_IP->checksum = ip_checksum(FRAME_IP, IP_HLEN(FRAME_IP));
		length -= unit_random() & 7 ? 0 : unit_random_below(length - ETH_HLEN);
		net_shim_receive(net_shim_scattered(
			frame, length, ETH_HLEN + unit_random_below(length - ETH_HLEN + 1)));
		net_shim_drop_sent();
	}
	net_shim_advance(100 * SEC);
	net_shim_drop_sent();
	check_nothing_left();
}

TEST(counters_are_shown_as_linux_shows_them)
{
	const char *text = net_shim_proc_read("net", "snmp");
	static const char *const starts[] = {
		"Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams "
		"InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
		"ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates "
		"OutTransmits\nIp: 2 64 ",
		"\nIcmp: InMsgs InErrors InCsumErrors InDestUnreachs ",
		"\nIcmpMsg: InType0 ",
		"\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
		"EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
		"Tcp: 1 200 120000 -1 0 0 0 0 0 0 0 0 0 0 0\n",
		"\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
		"InCsumErrors IgnoredMulti MemErrors\nUdp: ",
		"\nUdpLite: InDatagrams ",
	};

	net_shim_ip_boot();
	for (u32 i = 0; i < ARRAY_SIZE(starts); i++)
		CHECK(strstr(text, starts[i]));
	CHECK(strstr(net_shim_proc_read("net", "netstat"), "IpExt: InNoRoutes InTruncatedPkts "));
}
