/* sources: tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sock.c tests/unit/net_shim_proc.c fs/proc/value.c net/skbuff.c net/checksum.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c fs/iov_iter.c fs/seq_buf.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
#include "net_shim.h"

#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <net/ip.h>
#include <net/neigh.h>
#include <net/route.h>

#define OTHER_GATEWAY IP4(10, 0, 2, 3)

static int add(be32 dest, u32 bits, be32 gateway, u32 metric)
{
	be32 mask = bits ? htonl(~0U << (32 - bits)) : 0;

	return route_add(&(struct route_entry){ .dest = dest,
						.mask = mask,
						.gateway = gateway,
						.dev = gateway ? NULL : &shim_eth,
						.metric = metric });
}

static int drop(be32 dest, u32 bits, be32 gateway)
{
	be32 mask = bits ? htonl(~0U << (32 - bits)) : 0;

	return route_delete(
		&(struct route_entry){ .dest = dest, .mask = mask, .gateway = gateway });
}

/* The next hop to an address, or 0. */
static be32 hop(be32 daddr)
{
	struct flow flow = { .daddr = daddr };
	be32 addr = 0;

	if (!ip_route(&flow) && flow.dst.neigh)
		addr = flow.dst.neigh->addr;
	dst_drop(&flow.dst);
	return addr;
}

static int try(be32 saddr, be32 daddr, u32 oif, struct flow *flow)
{
	dst_drop(&flow->dst);
	*flow = (struct flow){ .saddr = saddr, .daddr = daddr, .oif = oif };
	return ip_route(flow);
}

TEST(addresses_are_told_apart)
{
	static const struct {
		be32 addr;
		enum route_type type;
	} addrs[] = {
		{ SHIM_OUR, ROUTE_LOCAL },
		{ IP4(127, 0, 0, 1), ROUTE_LOCAL },
		{ IP4(127, 9, 9, 9), ROUTE_LOCAL },
		{ SHIM_PEER, ROUTE_UNICAST },
		{ IP4(8, 8, 8, 8), ROUTE_UNICAST },
		{ IP4(10, 0, 2, 255), ROUTE_BROADCAST },
		{ IP4(255, 255, 255, 255), ROUTE_BROADCAST },
		{ 0, ROUTE_BROADCAST },
		{ IP4(224, 0, 0, 1), ROUTE_MULTICAST },
		{ IP4(239, 255, 255, 255), ROUTE_MULTICAST },
		{ IP4(240, 0, 0, 1), ROUTE_UNICAST },
		{ IP4(10, 0, 2, 0), ROUTE_UNICAST },
	};

	net_shim_ip_boot();
	for (u32 i = 0; i < ARRAY_SIZE(addrs); i++)
		CHECK_EQ(ip_address_type(addrs[i].addr), addrs[i].type);
	CHECK(ip_is_local(SHIM_OUR) && ip_is_local(IP4(10, 0, 2, 255)) && !ip_is_local(SHIM_PEER));
	shim_eth.flags &= ~IFF_UP;
	CHECK_EQ(ip_address_type(SHIM_OUR), ROUTE_UNICAST);
	shim_eth.flags |= IFF_UP;
	shim_eth.netmask = IP4(255, 255, 255, 254); /* RFC 3021 */
	shim_eth.broadcast = 0;
	CHECK_EQ(ip_address_type(IP4(10, 0, 2, 14)), ROUTE_UNICAST);
}

TEST(the_longest_prefix_wins_then_the_lowest_metric_then_the_newest)
{
	net_shim_ip_boot();
	CHECK_EQ(hop(IP4(10, 0, 2, 77)), IP4(10, 0, 2, 77));
	CHECK_EQ(hop(SHIM_FAR), SHIM_PEER);
	CHECK_EQ(add(IP4(192, 0, 2, 0), 24, OTHER_GATEWAY, 0), 0);
	CHECK_EQ(hop(SHIM_FAR), OTHER_GATEWAY);
	CHECK_EQ(add(IP4(192, 0, 0, 0), 16, SHIM_PEER, 0), 0);
	CHECK_EQ(hop(SHIM_FAR), OTHER_GATEWAY);
	CHECK_EQ(add(SHIM_FAR, 32, IP4(10, 0, 2, 4), 0), 0);
	CHECK_EQ(hop(SHIM_FAR), IP4(10, 0, 2, 4));
	CHECK_EQ(hop(SHIM_FAR + htonl(1)), OTHER_GATEWAY);
	CHECK_EQ(add(SHIM_FAR, 32, IP4(10, 0, 2, 5), 7), 0);
	CHECK_EQ(hop(SHIM_FAR), IP4(10, 0, 2, 4));
	CHECK_EQ(add(SHIM_FAR, 32, IP4(10, 0, 2, 6), 0), 0);
	CHECK_EQ(hop(SHIM_FAR), IP4(10, 0, 2, 6));
	CHECK_EQ(drop(SHIM_FAR, 32, IP4(10, 0, 2, 4)), 0);
	CHECK_EQ(drop(SHIM_FAR, 32, 0), 0);
	CHECK_EQ(hop(SHIM_FAR), IP4(10, 0, 2, 5));
	CHECK_EQ(drop(SHIM_FAR, 32, 0), 0);
	CHECK_EQ(drop(SHIM_FAR, 32, 0), -3);
	CHECK_EQ(hop(SHIM_FAR), OTHER_GATEWAY);
}

TEST(impossible_routes_are_refused)
{
	u32 count = 0;

	net_shim_ip_boot();
	CHECK_EQ(add(IP4(192, 0, 2, 1), 24, SHIM_PEER, 0), -22);
	CHECK_EQ(route_add(&(struct route_entry){ .mask = IP4(255, 0, 255, 0), .dev = &shim_eth }),
		 -22);
	CHECK_EQ(add(IP4(192, 0, 2, 0), 24, IP4(172, 16, 0, 1), 0), -101);
	CHECK_EQ(add(IP4(192, 0, 2, 0), 24, SHIM_OUR, 0), -22);
	CHECK_EQ(add(0, 0, SHIM_PEER, 0), -17);
	CHECK_EQ(route_add(&(struct route_entry){ 0 }), -19);
	for (int error = 0; !error; count++)
		error = add(IP4(172, 16, count >> 8, count & 255), 32, SHIM_PEER, 0);
	CHECK_EQ(count, MAX_ROUTES - 2 + 1);
	CHECK_EQ(add(IP4(172, 31, 0, 0), 16, SHIM_PEER, 0), -105);
	net_shim_ip_boot();
	net_shim_fail_nth(1);
	CHECK_EQ(add(IP4(172, 31, 0, 0), 16, SHIM_PEER, 0), -12);
	shim_eth.flags &= ~IFF_UP;
	CHECK_EQ(add(IP4(172, 31, 0, 0), 16, 0, 0), -100);
}

TEST(a_source_is_chosen_or_checked)
{
	struct flow flow = { 0 };

	net_shim_ip_boot();
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(flow.saddr, SHIM_OUR);
	CHECK_EQ(flow.dst.mtu, 1500);
	CHECK_EQ(try(0, SHIM_OUR, 0, &flow), 0);
	CHECK_EQ(flow.saddr, SHIM_OUR);
	CHECK(flow.dst.dev == &shim_lo && flow.dst.type == ROUTE_LOCAL && !flow.dst.neigh);
	CHECK_EQ(try(0, IP4(127, 0, 0, 5), 0, &flow), 0);
	CHECK_EQ(flow.saddr, IP4(127, 0, 0, 5));
	CHECK_EQ(try(0, 0, 0, &flow), 0);
	CHECK_EQ(flow.daddr, IP4(127, 0, 0, 1));
	CHECK_EQ(try(SHIM_OUR, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(try(SHIM_PEER, SHIM_FAR, 0, &flow), -101);
	CHECK_EQ(try(IP4(127, 0, 0, 1), SHIM_FAR, 0, &flow), -22);
	CHECK_EQ(try(IP4(224, 0, 0, 1), SHIM_FAR, 0, &flow), -22);
	CHECK(!flow.dst.dev);
}

TEST(to_many_goes_by_the_right_device)
{
	struct flow flow = { 0 };

	net_shim_ip_boot();
	CHECK_EQ(try(0, IP4(10, 0, 2, 255), 0, &flow), 0);
	CHECK(flow.dst.type == ROUTE_BROADCAST && flow.dst.dev == &shim_eth && !flow.dst.neigh);
	CHECK_EQ(try(0, IP4(255, 255, 255, 255), 0, &flow), 0);
	CHECK_EQ(flow.saddr, SHIM_OUR);
	CHECK_EQ(try(0, IP4(224, 0, 0, 1), 0, &flow), 0);
	CHECK(flow.dst.type == ROUTE_MULTICAST && flow.dst.dev == &shim_eth);
	CHECK_EQ(drop(0, 0, 0), 0);
	CHECK_EQ(try(0, IP4(255, 255, 255, 255), 0, &flow), -101);
	CHECK_EQ(try(SHIM_OUR, IP4(255, 255, 255, 255), 0, &flow), 0);
	shim_eth.address = 0; /* DHCP's first word */
	CHECK_EQ(route_device_update(&shim_eth), 0);
	CHECK_EQ(try(0, IP4(255, 255, 255, 255), 2, &flow), 0);
	CHECK_EQ(flow.saddr, 0);
	dst_drop(&flow.dst);
}

TEST(no_way_is_said_so)
{
	struct flow flow = { 0 };

	net_shim_ip_boot();
	CHECK_EQ(drop(0, 0, 0), 0);
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), -101);
	CHECK_EQ(try(0, SHIM_FAR, 2, &flow), 0); /* on that link, then */
	CHECK_EQ(flow.dst.neigh->addr, SHIM_FAR);
	CHECK_EQ(try(0, SHIM_FAR, 9, &flow), -101);
	CHECK_EQ(route_add(&(struct route_entry){
			 .dest = SHIM_FAR, .mask = ~0U, .flags = RTF_REJECT }),
		 0);
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), -113);
}

TEST(the_table_is_listed_as_linux_lists_it)
{
	net_shim_ip_boot();
	CHECK_EQ(add(IP4(192, 168, 0, 0), 16, OTHER_GATEWAY, 5), 0);
	CHECK_EQ(add(IP4(10, 0, 0, 0), 8, OTHER_GATEWAY, 0), 0);
	CHECK_EQ(add(SHIM_FAR, 32, OTHER_GATEWAY, 0), 0);
#define PAD "%-127s\n"
	static const char *const lines[] = {
		"Iface\tDestination\tGateway "
		"\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
		"eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0",
		"eth0\t0000000A\t0302000A\t0003\t0\t0\t0\t000000FF\t0\t0\t0",
		"eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
		"eth0\t4D0200C0\t0302000A\t0007\t0\t0\t0\tFFFFFFFF\t0\t0\t0",
		"eth0\t0000A8C0\t0302000A\t0003\t0\t0\t5\t0000FFFF\t0\t0\t0",
	};
	const char *text = net_shim_proc_read("net", "route");

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++, text += 128) {
		CHECK(!strncmp(text, lines[i], strlen(lines[i])));
		CHECK_EQ(text[127], '\n');
		for (u32 n = strlen(lines[i]); n < 127; n++)
			CHECK_EQ(text[n], ' ');
	}
	CHECK_EQ(*text, 0);
}

TEST(an_answer_holds_until_the_routes_change)
{
	struct flow flow = { 0 }, again = { 0 };
	u64 before;

	net_shim_ip_boot();
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	before = net_shim_in_use();
	net_shim_fail_nth(1); /* the second lookup makes nothing */
	CHECK_EQ(try(0, SHIM_FAR, 0, &again), 0);
	CHECK(again.dst.neigh == flow.dst.neigh);
	net_shim_fail_nth(0);
	CHECK_EQ(net_shim_in_use(), before);
	CHECK(dst_valid(&flow.dst));
	CHECK_EQ(add(IP4(192, 0, 2, 0), 24, OTHER_GATEWAY, 0), 0);
	CHECK(!dst_valid(&flow.dst));
	CHECK_EQ(hop(SHIM_FAR), OTHER_GATEWAY);
	dst_drop(&flow.dst);
	dst_drop(&again.dst);
}

TEST(a_smaller_path_mtu_holds_for_ten_minutes)
{
	struct flow flow = { 0 };

	net_shim_ip_boot();
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	ip_update_pmtu(SHIM_FAR, 1400);
	CHECK(dst_valid(&flow.dst)); /* it is the sender who was told that must ask again */
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(flow.dst.mtu, 1400);
	ip_update_pmtu(SHIM_FAR, 1450);
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(flow.dst.mtu, 1400);
	ip_update_pmtu(SHIM_FAR, 68);
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(flow.dst.mtu, 552);
	CHECK_EQ(try(0, IP4(8, 8, 8, 8), 0, &flow), 0);
	CHECK_EQ(flow.dst.mtu, 1500);
	CHECK_EQ(net_shim_timers(), 1);
	net_shim_advance(601 * NSEC_PER_SEC);
	CHECK(!dst_valid(&flow.dst));
	CHECK_EQ(try(0, SHIM_FAR, 0, &flow), 0);
	CHECK_EQ(flow.dst.mtu, 1500);
	CHECK_EQ(net_shim_timers(), 0);
	for (u32 i = 0; i < 100000; i++)
		ip_update_pmtu(htonl(0x08000000 + i), 1000);
	CHECK_EQ(net_shim_timers(), 1);
	dst_drop(&flow.dst);
}
