/* sources: tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sock.c tests/unit/net_shim_proc.c fs/proc/value.c net/skbuff.c net/checksum.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c fs/iov_iter.c fs/seq_buf.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
#include "net_shim.h"

#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/neigh.h>
#include <net/route.h>

#define HOST IP4(10, 0, 2, 99)
#define SEC  NSEC_PER_SEC

static const u8 host_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x99 };
static const u8 other_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x66 };
static const u8 broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const u8 zero_mac[ETH_ALEN];

/* ---- what goes in, what comes out --------------------------------------------------------------------- */

struct arp_frame {
	struct ethhdr eth;
	struct arphdr arp;
} __packed;

static struct arp_frame arp_frame(const u8 *dest, u16 op, const u8 *mac, be32 sender, be32 target)
{
	struct arp_frame frame = {
		.eth = { .protocol = htons(ETH_P_ARP) },
		.arp = { htons(1), htons(ETH_P_IP), 6, 4, htons(op), .sender = sender,
			 .target = target },
	};

	memcpy(frame.eth.dest, dest, ETH_ALEN);
	memcpy(frame.eth.source, mac, ETH_ALEN);
	memcpy(frame.arp.sender_mac, mac, ETH_ALEN);
	return frame;
}

static void receive(struct arp_frame frame)
{
	net_shim_receive(net_shim_frame(&frame, sizeof(frame)));
}

static void receive_arp(const u8 *dest, u16 op, const u8 *mac, be32 sender, be32 target)
{
	receive(arp_frame(dest, op, mac, sender, target));
}

static void receive_reply(const u8 *mac, be32 sender)
{
	receive_arp(shim_eth.mac, ARPOP_REPLY, mac, sender, SHIM_OUR);
}

/* The next frame sent is this ARP packet. */
static void check_sent_arp(const u8 *dest, u16 op, be32 sender, be32 target)
{
	struct sk_buff *skb = net_shim_sent();
	const struct arp_frame *frame;

	CHECK(skb);
	CHECK_EQ(skb->len, sizeof(*frame));
	frame = (const void *)skb->data;
	CHECK(!memcmp(frame->eth.dest, dest, ETH_ALEN));
	CHECK(!memcmp(frame->eth.source, shim_eth.mac, ETH_ALEN));
	CHECK_EQ(frame->eth.protocol, htons(ETH_P_ARP));
	CHECK_EQ(frame->arp.operation, htons(op));
	CHECK(!memcmp(frame->arp.sender_mac, shim_eth.mac, ETH_ALEN));
	CHECK_EQ(frame->arp.sender, sender);
	CHECK_EQ(frame->arp.target, target);
	skb_put(skb);
}

static void check_asked(const u8 *dest)
{
	check_sent_arp(dest, ARPOP_REQUEST, SHIM_OUR, HOST);
}

/* The next frame sent is an IP packet to this MAC. */
static void check_sent_packet(const u8 *mac)
{
	struct sk_buff *skb = net_shim_sent();
	const struct ethhdr *eth;

	CHECK(skb);
	eth = (const void *)skb->data;
	CHECK(!memcmp(eth->dest, mac, ETH_ALEN));
	CHECK(!memcmp(eth->source, shim_eth.mac, ETH_ALEN));
	CHECK_EQ(eth->protocol, htons(ETH_P_IP));
	skb_put(skb);
}

/* Something that is no error to report: protocol 253 (RFC 3692). */
static int send_to(be32 daddr)
{
	struct flow flow = { .daddr = daddr, .protocol = 253, .dont_fragment = true };
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	int error = ip_route(&flow);

	memset(skb_append(skb, 32), 0x5a, 32);
	if (error)
		skb_put(skb);
	else
		error = ip_output(skb, &flow);
	dst_drop(&flow.dst);
	return error;
}

static u8 state_of(be32 addr)
{
	struct neigh_info info;

	return neigh_find(addr, &shim_eth, &info) ? 0 : info.state;
}

/* HOST answered just now. */
static void start_reachable(void)
{
	net_shim_ip_boot();
	CHECK_EQ(send_to(HOST), 0);
	check_asked(broadcast);
	receive_reply(host_mac, HOST);
	check_sent_packet(host_mac);
	CHECK_EQ(state_of(HOST), NUD_REACHABLE);
}

/* ---- the states ---------------------------------------------------------------------------------------- */

TEST(a_packet_waits_for_the_answer_and_the_next_does_not)
{
	net_shim_ip_boot();
	CHECK_EQ(send_to(HOST), 0);
	CHECK_EQ(send_to(HOST), 0);
	CHECK_EQ(state_of(HOST), NUD_INCOMPLETE);
	check_asked(broadcast);
	CHECK_EQ(net_shim_sent_count(), 0);
	receive_reply(host_mac, HOST);
	check_sent_packet(host_mac);
	check_sent_packet(host_mac);
	CHECK_EQ(send_to(HOST), 0);
	check_sent_packet(host_mac);
	CHECK_EQ(net_shim_sent_count(), 0);
}

/* As TCP sends: what is not acknowledged is still on a queue of its own. */
TEST(what_waits_stays_on_its_senders_queue)
{
	struct flow flow = { .daddr = HOST, .protocol = 253 };
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	struct skb_queue sent;

	net_shim_ip_boot();
	skb_queue_init(&sent);
	skb_queue_tail(&sent, skb);
	memset(skb_append(skb, 32), 0x5a, 32);
	CHECK_EQ(ip_route(&flow), 0);
	CHECK_EQ(ip_output(skb_get(skb), &flow), 0);
	CHECK(skb_peek(&sent) == skb && !skb_queue_next(&sent, skb));
	check_asked(broadcast);
	receive_reply(host_mac, HOST);
	check_sent_packet(host_mac);
	CHECK(skb_dequeue(&sent) == skb && skb_queue_empty(&sent));
	CHECK(!skb_shared(skb));
	skb_put(skb);
	dst_drop(&flow.dst);
}

TEST(three_questions_without_an_answer_are_enough)
{
	struct neigh_stats stats;
	struct skb_stats buffers;

	net_shim_ip_boot();
	for (u32 i = 0; i < 5; i++)
		send_to(HOST);
	for (u32 i = 0; i < 3; i++) {
		check_asked(broadcast);
		CHECK_EQ(net_shim_sent_count(), 0);
		net_shim_advance(SEC);
	}
	CHECK_EQ(state_of(HOST), NUD_FAILED);
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(net_shim_timers(), 0);
	neigh_stats_read(&stats);
	CHECK_EQ(stats.waiting, 0);
	skb_stats_read(&buffers);
	CHECK_EQ(buffers.buffers, 0);
	send_to(HOST); /* asks again */
	check_asked(broadcast);
	receive_reply(host_mac, HOST);
	check_sent_packet(host_mac);
}

TEST(who_is_not_sent_to_becomes_stale_and_costs_no_timer)
{
	start_reachable();
	CHECK_EQ(net_shim_timers(), 1);
	net_shim_advance(46 * SEC);
	CHECK_EQ(state_of(HOST), NUD_STALE);
	CHECK_EQ(net_shim_timers(), 0);
	CHECK_EQ(net_shim_sent_count(), 0);
}

/* STALE is good enough to send to; then somebody must hear that it still answers. */
TEST(a_stale_one_is_sent_to_and_then_asked_alone)
{
	start_reachable();
	net_shim_advance(46 * SEC);
	send_to(HOST);
	check_sent_packet(host_mac);
	CHECK_EQ(state_of(HOST), NUD_DELAY);
	net_shim_advance(5 * SEC);
	CHECK_EQ(state_of(HOST), NUD_PROBE);
	check_asked(host_mac);
	send_to(HOST);
	check_sent_packet(host_mac);
	receive_reply(host_mac, HOST);
	CHECK_EQ(state_of(HOST), NUD_REACHABLE);
	CHECK_EQ(net_shim_sent_count(), 0);
}

TEST(a_stale_one_that_is_gone_fails_and_is_looked_for_anew)
{
	start_reachable();
	net_shim_advance(46 * SEC);
	send_to(HOST);
	check_sent_packet(host_mac);
	net_shim_advance(5 * SEC);
	for (u32 i = 0; i < 3; i++) {
		check_asked(host_mac);
		net_shim_advance(SEC);
	}
	CHECK_EQ(state_of(HOST), NUD_FAILED);
	send_to(HOST);
	check_asked(broadcast);
}

TEST(an_acknowledgement_counts_as_an_answer)
{
	struct neigh *neigh;

	start_reachable();
	neigh = neigh_get(HOST, &shim_eth);
	for (u32 i = 0; i < 20; i++) {
		net_shim_advance(10 * SEC);
		neigh_confirm(neigh, clock_ns());
	}
	CHECK_EQ(neigh->state, NUD_REACHABLE);
	net_shim_advance(46 * SEC);
	CHECK_EQ(neigh->state, NUD_STALE);
	send_to(HOST);
	net_shim_advance(2 * SEC);
	neigh_confirm(neigh, clock_ns());
	net_shim_advance(3 * SEC);
	CHECK_EQ(neigh->state, NUD_REACHABLE);
	neigh_put(neigh);
	check_sent_packet(host_mac);
	CHECK_EQ(net_shim_sent_count(), 0);
}

TEST(what_waits_is_bounded_and_the_oldest_goes)
{
	struct neigh_stats stats;
	u64 discarded;

	net_shim_ip_boot();
	neigh_stats_read(&stats);
	discarded = stats.discarded;
	for (u32 i = 0; i < 500; i++)
		CHECK_EQ(send_to(HOST), 0);
	neigh_stats_read(&stats);
	CHECK(stats.waiting <= neigh_queue_bytes / SKB_OBJECT_SIZE);
	CHECK_EQ(stats.waiting + stats.discarded - discarded, 500);
	for (u32 i = 1; i < 50; i++)
		for (u32 n = 0; n < 50; n++)
			send_to(IP4(10, 0, 2, 100 + i));
	neigh_stats_read(&stats);
	CHECK(stats.waiting <= 512);
	net_shim_advance(5 * SEC);
	neigh_stats_read(&stats);
	CHECK_EQ(stats.waiting, 0);
}

/* ---- whom we believe ----------------------------------------------------------------------------------- */

TEST(an_answer_nobody_asked_for_teaches_nothing_new)
{
	net_shim_ip_boot();
	receive_reply(host_mac, HOST);
	CHECK_EQ(state_of(HOST), 0);
	receive_arp(broadcast, ARPOP_REPLY, host_mac, HOST, HOST);
	receive_arp(broadcast, ARPOP_REQUEST, host_mac, HOST, HOST);
	receive_arp(broadcast, ARPOP_REQUEST, host_mac, HOST, IP4(10, 0, 2, 50));
	CHECK_EQ(state_of(HOST), 0);
	CHECK_EQ(net_shim_sent_count(), 0);
}

TEST(a_second_answer_at_once_does_not_push_out_the_first)
{
	struct neigh_info info;

	start_reachable();
	receive_reply(other_mac, HOST);
	CHECK_EQ(neigh_find(HOST, &shim_eth, &info), 0);
	CHECK(!memcmp(info.mac, host_mac, ETH_ALEN));
	net_shim_advance(2 * SEC);
	receive_reply(other_mac, HOST);
	CHECK_EQ(neigh_find(HOST, &shim_eth, &info), 0);
	CHECK(!memcmp(info.mac, other_mac, ETH_ALEN));
}

TEST(a_gratuitous_one_changes_what_is_known)
{
	start_reachable();
	receive_arp(broadcast, ARPOP_REQUEST, other_mac, HOST, HOST);
	CHECK_EQ(state_of(HOST), NUD_STALE);
	send_to(HOST);
	check_sent_packet(other_mac);
}

TEST(a_question_for_us_is_answered_and_its_sender_known)
{
	net_shim_ip_boot();
	receive_arp(broadcast, ARPOP_REQUEST, host_mac, HOST, SHIM_OUR);
	check_sent_arp(host_mac, ARPOP_REPLY, SHIM_OUR, HOST);
	CHECK_EQ(state_of(HOST), NUD_STALE);
	send_to(HOST);
	check_sent_packet(host_mac);
	/* Is our address free? No (RFC 5227). */
	receive_arp(broadcast, ARPOP_REQUEST, host_mac, 0, SHIM_OUR);
	check_sent_arp(host_mac, ARPOP_REPLY, SHIM_OUR, 0);
	CHECK_EQ(state_of(0), 0);
}

TEST(who_has_our_address_is_named_once_in_a_while_and_not_believed)
{
	net_shim_ip_boot();
	receive_arp(broadcast, ARPOP_REQUEST, host_mac, SHIM_OUR, SHIM_OUR);
	receive_arp(broadcast, ARPOP_REPLY, host_mac, SHIM_OUR, HOST);
	CHECK_EQ(net_shim_logged, 1);
	CHECK(strstr(net_shim_log, "has our address"));
	net_shim_advance(11 * SEC);
	receive_reply(host_mac, SHIM_OUR);
	CHECK_EQ(net_shim_logged, 2);
	CHECK_EQ(state_of(SHIM_OUR), 0);
	CHECK_EQ(net_shim_sent_count(), 0);
	net_shim_advance(11 * SEC);
	receive_reply(host_mac, htonl(0x7f000001)); /* that is no address of a wire */
	CHECK_EQ(net_shim_logged, 2);
	CHECK_EQ(state_of(htonl(0x7f000001)), 0);
}

TEST(malformed_ones_are_dropped)
{
	static const struct {
		u32 offset;
		u8 value;
	} wrong[] = {
		{ 14, 9 },   { 15, 7 },	   { 16, 0x86 }, { 17, 0xdd }, { 18, 5 },
		{ 18, 7 },   { 19, 16 },   { 20, 1 },	 { 21, 0 },    { 21, 3 },
		{ 21, 9 },   { 22, 0x01 },		/* a group as the sender's MAC */
		{ 28, 224 }, { 28, 127 },  { 31, 255 }, /* no sender's addresses */
	};
	u64 before;

	net_shim_ip_boot();
	before = net_shim_in_use();
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct arp_frame frame =
			arp_frame(broadcast, ARPOP_REQUEST, host_mac, HOST, SHIM_OUR);

		((u8 *)&frame)[wrong[i].offset] = wrong[i].value;
		receive(frame);
		CHECK_EQ(net_shim_sent_count(), 0);
	}
	for (u32 size = ETH_HLEN; size < sizeof(struct arp_frame); size++) {
		struct arp_frame frame =
			arp_frame(broadcast, ARPOP_REQUEST, host_mac, HOST, SHIM_OUR);

		net_shim_receive(net_shim_frame(&frame, size));
	}
	receive(arp_frame(broadcast, ARPOP_REQUEST, zero_mac, HOST, SHIM_OUR));
	receive(arp_frame(other_mac, ARPOP_REQUEST, host_mac, HOST, SHIM_OUR)); /* not our frame */
	CHECK_EQ(net_shim_sent_count(), 0);
	CHECK_EQ(net_shim_in_use(), before);
}

/* ---- the table -------------------------------------------------------------------------------------------- */

static struct neigh *held[2000];

static struct neigh *hold_reachable(be32 addr)
{
	struct neigh *neigh = neigh_get(addr, &shim_eth);

	if (neigh)
		neigh_learn(addr, &shim_eth, host_mac, NUD_REACHABLE, false, true);
	return neigh;
}

TEST(a_full_table_evicts_what_nobody_holds)
{
	struct neigh_stats stats;
	u32 count = 0, generation, dead = 0;

	net_shim_ip_boot();
	for (u32 i = 0; i < 100; i++)
		held[count++] = hold_reachable(IP4(10, 1, 0, i));
	for (u32 i = 0; i < 20000; i++)
		receive_arp(broadcast, ARPOP_REQUEST, host_mac, IP4(10, 9, i >> 8, i & 255),
			    SHIM_OUR);
	net_shim_drop_sent();
	neigh_stats_read(&stats);
	CHECK(stats.entries <= neigh_max);
	for (u32 i = 0; i < 100; i++)
		CHECK(!held[i]->dead);
	while (count < ARRAY_SIZE(held) &&
	       (held[count] = hold_reachable(IP4(10, 2, count >> 8, count & 255))))
		count++;
	CHECK(count <= neigh_max && count > neigh_max - 20);
	neigh_stats_read(&stats);
	CHECK(stats.overflows);
	CHECK(strstr(net_shim_log, "table is full"));
	/* With nothing to do for a while, they are held in vain; their holders shall look again. */
	net_shim_advance(100 * SEC);
	generation = route_generation;
	held[count++] = neigh_get(IP4(10, 3, 0, 1), &shim_eth);
	CHECK(held[count - 1] && route_generation == generation + 1);
	for (u32 i = 0; i < count; i++)
		dead += held[i]->dead;
	CHECK_EQ(dead, 1);
	while (count)
		neigh_put(held[--count]);
	CHECK_EQ(send_to(HOST), 0);
}

TEST(what_a_program_sets_is_not_unlearnt)
{
	struct neigh_info info;
	const char *text;

	net_shim_ip_boot();
	CHECK_EQ(neigh_set(HOST, &shim_eth, host_mac, true), 0);
	receive_arp(broadcast, ARPOP_REQUEST, other_mac, HOST, SHIM_OUR);
	CHECK_EQ(neigh_find(HOST, &shim_eth, &info), 0);
	CHECK_EQ(info.state, NUD_PERMANENT);
	CHECK(!memcmp(info.mac, host_mac, ETH_ALEN));
	text = net_shim_proc_read("net", "arp");
	CHECK(!strncmp(
		text,
		"IP address       HW type     Flags       HW address            Mask     Device\n",
		79));
	CHECK(strstr(
		text,
		"10.0.2.2         0x1         0x6         52:55:0a:00:02:02     *        eth0\n"));
	CHECK(strstr(
		text,
		"10.0.2.99        0x1         0x6         02:00:00:00:00:99     *        eth0\n"));
	CHECK_EQ(neigh_delete(HOST, &shim_eth), 0);
	CHECK_EQ(state_of(HOST), NUD_FAILED);
	CHECK_EQ(neigh_delete(IP4(10, 0, 2, 98), &shim_eth), -6);
	CHECK_EQ(neigh_find(IP4(10, 0, 2, 98), &shim_eth, &info), -6);
}

TEST(when_a_device_goes_down_its_neighbours_go)
{
	struct neigh *neigh;
	struct flow flow = { .daddr = HOST };

	start_reachable();
	send_to(IP4(10, 0, 2, 98)); /* one that waits */
	neigh = neigh_get(HOST, &shim_eth);
	CHECK_EQ(ip_route(&flow), 0);
	CHECK(dst_valid(&flow.dst));
	shim_eth.flags &= ~IFF_UP;
	CHECK_EQ(route_device_update(&shim_eth), 0);
	CHECK(neigh->dead);
	CHECK(!dst_valid(&flow.dst));
	CHECK_EQ(state_of(HOST), 0);
	CHECK_EQ(net_shim_timers(), 0);
	net_shim_drop_sent();
	CHECK_EQ(neigh_output(neigh, skb_alloc(MAX_HEADER, GFP_KERNEL)), -113);
	CHECK_EQ(net_shim_sent_count(), 0);
	neigh_put(neigh);
	dst_drop(&flow.dst);
	CHECK_EQ(send_to(HOST), -101);
}

TEST(an_address_is_announced)
{
	net_shim_ip_boot();
	CHECK_EQ(route_device_update(&shim_eth), 0);
	check_sent_arp(broadcast, ARPOP_REQUEST, SHIM_OUR, SHIM_OUR);
	CHECK_EQ(net_shim_sent_count(), 0);
}

TEST(no_memory_for_a_neighbour_is_an_error)
{
	u64 before;

	net_shim_ip_boot();
	before = net_shim_in_use();
	net_shim_fail_nth(1);
	CHECK(!neigh_get(HOST, &shim_eth));
	CHECK_EQ(net_shim_in_use(), before);
	CHECK_EQ(state_of(HOST), 0);
}
