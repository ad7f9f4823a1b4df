/* sources: tests/unit/net_shim.c net/link.c net/link_settings.c net/link_pcap.c net/skbuff.c net/checksum.c fs/iov_iter.c kernel/lib/string.c kernel/lib/printf.c */
#include "net_shim.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/link.h>

#define MS   NSEC_PER_MSEC
#define WEAK __attribute__((weak))

/* ---- what is below, and above ----------------------------------------------------------------------------- */

static struct netdev dev;
static struct link link_;
static struct skb_queue sent, received;
static bool ring_full;
static u32 stops, flushes;

WEAK u64 wall_ns(void)
{
	return host_clock_ns;
}

WEAK void *vmalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

WEAK void vfree(void *address)
{
	kfree(address);
}

WEAK int mutex_lock_slow(struct mutex *mutex, u32 task_state)
{
	(void)mutex;
	(void)task_state;
	panic("deadlock");
}

WEAK void mutex_unlock_slow(struct mutex *mutex)
{
	(void)mutex;
}

static bool driver_xmit(struct netdev *to, struct sk_buff *skb)
{
	(void)to;
	if (ring_full)
		return false;
	skb_queue_tail(&sent, skb);
	return true;
}

static void driver_stop(struct netdev *to)
{
	(void)to;
	stops++;
}

void netdev_wake_queue(struct netdev *to)
{
	flushes += to->tx_unflushed;
	to->tx_unflushed = false;
}

void netif_deliver_skb(struct sk_buff *skb)
{
	skb_queue_tail(&received, skb);
}

static const struct netdev_ops driver_ops = { .xmit = driver_xmit, .stop = driver_stop };

static void start(const char *settings)
{
	struct link_settings wanted = { 0 };

	net_shim_boot();
	skb_queue_init(&sent);
	skb_queue_init(&received);
	ring_full = false;
	dev = (struct netdev){ .ops = &driver_ops,
			       .name = "eth0",
			       .flags = IFF_UP,
			       .features = NETDEV_CSUM | NETDEV_TSO | NETDEV_SG };
	link_prepare(&link_, &dev);
	CHECK_EQ(link_parse_list(settings, &wanted), 0);
	CHECK_EQ(link_configure(&link_, &wanted), 0);
}

static void set(const char *settings)
{
	struct link_settings wanted = link_.settings;

	CHECK_EQ(link_parse_list(settings, &wanted), 0);
	CHECK_EQ(link_configure(&link_, &wanted), 0);
}

static struct sk_buff *frame(u32 number, u32 size)
{
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_ATOMIC);

	CHECK(skb);
	memset(skb_append(skb, size), 0x55, size);
	memcpy(skb->data + 14, &number, sizeof(number));
	skb->dev = &dev;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return skb;
}

static void send(u32 number)
{
	CHECK(dev.ops->xmit(&dev, frame(number, 100)));
}

static void receive(u32 number)
{
	struct sk_buff *skb = frame(number, 100);

	if (dev.wrapped)
		link_rx(skb);
	else
		netif_deliver_skb(skb);
}

/* The next number; -1: there is none. */
static s64 next(struct skb_queue *queue)
{
	struct sk_buff *skb = skb_dequeue(queue);
	u32 number;

	if (!skb)
		return -1;
	memcpy(&number, skb->data + 14, sizeof(number));
	skb_put(skb);
	return number;
}

static u32 drain(struct skb_queue *queue)
{
	u32 count = queue->count;

	skb_queue_purge(queue);
	return count;
}

/* Unwraps, and sees that nothing is left. */
static void finish(u64 in_use)
{
	struct link_settings nothing = { 0 };

	drain(&sent);
	drain(&received);
	CHECK_EQ(link_configure(&link_, &nothing), 0);
	CHECK(dev.ops == &driver_ops && !dev.wrapped);
	CHECK_EQ(dev.features, NETDEV_CSUM | NETDEV_TSO | NETDEV_SG);
	net_shim_advance(NSEC_PER_SEC);
	CHECK_EQ(sent.count + received.count, 0);
	CHECK_EQ(net_shim_timers(), 0);
	CHECK_EQ(net_shim_in_use(), in_use);
}

/* ---- tests ------------------------------------------------------------------------------------------------- */

TEST(a_link_without_settings_is_not_there)
{
	start("seed=5");
	CHECK(dev.ops == &driver_ops && !dev.wrapped);
	CHECK_EQ(dev.features, NETDEV_CSUM | NETDEV_TSO | NETDEV_SG);
}

TEST(a_wrapped_device_gets_what_is_on_the_wire)
{
	start("tx-delay=1ms");
	CHECK(dev.ops != &driver_ops && dev.wrapped);
	CHECK_EQ(dev.features, NETDEV_SG);
	finish(net_shim_in_use());
}

TEST(a_share_of_the_frames_is_lost)
{
	u64 in_use;
	u32 got = 0;

	start("tx-lose=10%");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 10000; i++) {
		send(i);
		receive(i);
		CHECK_EQ(next(&received), i);
		got += drain(&sent);
	}
	CHECK(got > 8800 && got < 9200);
	CHECK_EQ(link_.way[LINK_TX].counts.lost, 10000 - got);
	CHECK_EQ(link_.way[LINK_TX].counts.passed, got);
	finish(in_use);
}

TEST(all_are_lost_or_none)
{
	u64 in_use;

	start("rx-lose=100%");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 100; i++)
		receive(i);
	CHECK_EQ(received.count, 0);
	CHECK_EQ(link_.way[LINK_RX].counts.lost, 100);
	finish(in_use);
}

TEST(the_same_seed_loses_the_same)
{
	char fate[2][500];
	u64 in_use;

	start("rx-lose=30%,seed=7");
	in_use = net_shim_in_use();
	for (int round = 0; round < 2; round++) {
		for (u32 i = 0; i < 500; i++) {
			receive(i);
			fate[round][i] = next(&received) == i;
		}
		set("seed=7");
	}
	CHECK(!memcmp(fate[0], fate[1], sizeof(fate[0])));
	set("seed=8");
	for (u32 i = 0; i < 500; i++) {
		receive(i);
		fate[1][i] = next(&received) == i;
	}
	CHECK(memcmp(fate[0], fate[1], sizeof(fate[0])));
	finish(in_use);
}

TEST(a_duplicate_is_a_buffer_of_its_own)
{
	u64 in_use;

	start("rx-duplicate=100%");
	in_use = net_shim_in_use();
	receive(1);
	CHECK_EQ(received.count, 2);
	skb_peek(&received)->data[20] = 1;
	CHECK_EQ(skb_peek_tail(&received)->data[20], 0x55);
	finish(in_use);
}

TEST(a_corrupt_frame_differs_in_one_bit_and_is_not_vouched_for)
{
	struct sk_buff *skb, *kept = NULL;
	u64 in_use;

	start("tx-corrupt=100%");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 200; i++) {
		u32 bits = 0;

		skb = frame(0x55555555, 100);
		if (i &
		    1) /* TCP keeps what it sends, and may send it again: that one stays whole */
			kept = skb_get(skb);
		CHECK(dev.ops->xmit(&dev, skb));
		skb = skb_dequeue(&sent);
		for (u32 at = 0; at < 100; at++)
			bits += __builtin_popcount(skb->data[at] ^ 0x55);
		CHECK_EQ(bits, 1);
		CHECK_EQ(skb->ip_summed, CHECKSUM_NONE);
		skb_put(skb);
		if (i & 1) {
			for (u32 at = 0; at < 100; at++)
				CHECK_EQ(kept->data[at], 0x55);
			skb_put(kept);
		}
	}
	finish(in_use);
}

/* An IP packet, with these ECN bits. */
static struct sk_buff *ip_frame(u8 ecn)
{
	struct sk_buff *skb = frame(0x55555555, 100);
	struct iphdr *ip = (struct iphdr *)(skb->data + ETH_HLEN);

	((struct ethhdr *)skb->data)->protocol = htons(ETH_P_IP);
	ip->version_ihl = 0x45;
	ip->tos = 0x54 | ecn;
	ip->checksum = 0;
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	return skb;
}

TEST(what_may_be_marked_is_marked_and_the_rest_passes)
{
	u64 in_use;

	start("tx-mark=100%");
	in_use = net_shim_in_use();
	for (u8 ecn = 0; ecn < 4; ecn++) {
		struct sk_buff *skb = ip_frame(ecn), *kept = skb_get(skb);
		struct iphdr *ip;

		CHECK(dev.ops->xmit(&dev, skb));
		skb = skb_dequeue(&sent);
		ip = (struct iphdr *)(skb->data + ETH_HLEN);
		CHECK_EQ(ip->tos, 0x54 | (ecn ? 3 : 0));
		CHECK_EQ(ip_checksum(ip, sizeof(*ip)), 0);
		CHECK_EQ(((struct iphdr *)(kept->data + ETH_HLEN))->tos, 0x54 | ecn);
		skb_put(skb);
		skb_put(kept);
	}
	CHECK(dev.ops->xmit(&dev, frame(0x55555555, 100))); /* no IP */
	CHECK(dev.ops->xmit(&dev, frame(0x55555555, 20)));  /* not all of its header */
	CHECK_EQ(link_.way[LINK_TX].counts.marked, 3);
	CHECK_EQ(sent.count, 2);
	skb_queue_purge(&sent);
	finish(in_use);
}

TEST(a_delayed_frame_comes_later_in_order)
{
	u64 in_use;

	start("tx-delay=10ms,rx-delay=5ms");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 10; i++) {
		send(i);
		receive(i);
		net_shim_advance(MS / 2);
	}
	CHECK_EQ(next(&received), 0);
	CHECK_EQ(sent.count, 0);
	net_shim_advance(5 * MS);
	for (u32 i = 1; i < 10; i++)
		CHECK_EQ(next(&received), i);
	CHECK_EQ(next(&sent), 0);
	CHECK_EQ(next(&sent), -1);
	net_shim_advance(5 * MS);
	for (u32 i = 1; i < 10; i++)
		CHECK_EQ(next(&sent), i);
	CHECK(flushes > 0);
	finish(in_use);
}

TEST(jitter_stays_within_its_bounds)
{
	u64 in_use;
	u32 early;

	start("rx-delay=10ms,rx-jitter=10ms");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 500; i++)
		receive(i);
	net_shim_advance(10 * MS - 1);
	CHECK_EQ(received.count, 0);
	net_shim_advance(5 * MS);
	early = drain(&received);
	CHECK(early > 180 && early < 320);
	net_shim_advance(5 * MS + 1);
	CHECK_EQ(drain(&received), 500 - early);
	finish(in_use);
}

TEST(a_reordered_frame_is_overtaken_by_the_next)
{
	u64 in_use;

	start("rx-reorder=100%");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 6; i++)
		receive(i);
	CHECK_EQ(next(&received), 1);
	CHECK_EQ(next(&received), 0);
	CHECK_EQ(next(&received), 3);
	CHECK_EQ(next(&received), 2);
	CHECK_EQ(next(&received), 5);
	CHECK_EQ(next(&received), 4);
	finish(in_use);
}

TEST(what_nobody_overtakes_comes_all_the_same)
{
	u64 in_use;

	start("rx-reorder=100%");
	in_use = net_shim_in_use();
	receive(1);
	CHECK_EQ(received.count, 0);
	net_shim_advance(20 * MS);
	CHECK_EQ(next(&received), 1);
	finish(in_use);
}

TEST(a_rate_spaces_the_frames)
{
	u64 in_use;

	start("tx-rate=800kbit"); /* 100 bytes a millisecond */
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 10; i++)
		send(i);
	for (u32 i = 0; i < 10; i++) {
		CHECK_EQ(sent.count, 0);
		net_shim_advance(MS);
		CHECK_EQ(next(&sent), i);
	}
	finish(in_use);
}

TEST(too_many_on_the_way_are_dropped)
{
	u64 in_use;

	start("tx-delay=1s");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < LINK_MAX_FRAMES + 50; i++)
		send(i);
	CHECK_EQ(link_.way[LINK_TX].counts.dropped, 50);
	net_shim_advance(NSEC_PER_SEC);
	CHECK_EQ(drain(&sent), LINK_MAX_FRAMES);
	finish(in_use);
}

TEST(a_full_ring_is_tried_again)
{
	u64 in_use;

	start("tx-duplicate=100%");
	in_use = net_shim_in_use();
	ring_full = true;
	for (u32 i = 0; i < 5; i++)
		send(i);
	net_shim_advance(10 * MS);
	ring_full = false;
	net_shim_advance(MS);
	for (u32 i = 0; i < 5; i++) {
		CHECK_EQ(next(&sent), i);
		CHECK_EQ(next(&sent), i);
	}
	finish(in_use);
}

TEST(a_device_that_goes_down_leaves_nothing_behind)
{
	u64 in_use;

	start("tx-delay=10ms,rx-delay=10ms,tx-duplicate=50%");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 20; i++) {
		send(i);
		receive(i);
	}
	stops = 0;
	dev.flags &= ~IFF_UP;
	dev.ops->stop(&dev);
	CHECK_EQ(stops, 1);
	CHECK_EQ(net_shim_timers(), 0);
	CHECK_EQ(net_shim_in_use(), in_use);
	net_shim_advance(100 * MS);
	CHECK_EQ(sent.count + received.count, 0);
	finish(in_use);
}

TEST(a_link_that_is_unwrapped_leaves_nothing_behind)
{
	u64 in_use;

	start("tx-delay=10ms,rx-reorder=100%");
	in_use = net_shim_in_use();
	send(1);
	receive(1);
	finish(in_use);
}

/* Every allocation fails once. */
TEST(without_memory_frames_are_lost_and_nothing_else)
{
	u64 in_use;

	start("tx-delay=1ms,tx-corrupt=50%,tx-mark=50%,tx-duplicate=50%,tx-reorder=20%");
	in_use = net_shim_in_use();
	for (u64 nth = 1; nth < 200; nth++) {
		struct sk_buff *skb = frame(1, 100), *kept = skb_get(skb);

		net_shim_fail_nth(nth % 4 + 1);
		CHECK(dev.ops->xmit(&dev, skb));
		net_shim_fail_nth(0);
		skb_put(kept);
		net_shim_advance(MS / 3);
		drain(&sent);
	}
	net_shim_advance(NSEC_PER_SEC);
	finish(in_use);
}

/* Everything at once, both ways, with the settings changing under it. */
TEST(a_storm_leaks_nothing)
{
	static const char *const moods[] = { "tx-lose=20%,rx-corrupt=10%,pcap=128K",
					     "tx-reorder=50%,tx-rate=1mbit,rx-delay=3ms",
					     "tx-jitter=5ms,rx-lose=0",
					     "rx-duplicate=30%,rx-jitter=100us,tx-rate=0",
					     "pcap=0,log",
					     "rx-rate=10mbit,log=0,tx-corrupt=100%" };
	u64 in_use;

	start("tx-delay=1ms");
	in_use = net_shim_in_use();
	for (u32 i = 0; i < 20000; i++) {
		if (unit_random_below(100) == 0)
			set(moods[unit_random_below(sizeof(moods) / sizeof(moods[0]))]);
		ring_full = unit_random_below(10) == 0;
		send(i);
		receive(i);
		if (unit_random_below(3) == 0)
			net_shim_advance(unit_random_below(MS));
		drain(&sent);
		drain(&received);
	}
	ring_full = false;
	net_shim_advance(100 * NSEC_PER_SEC);
	finish(in_use);
}

/* ---- pcap ---------------------------------------------------------------------------------------------------- */

struct record {
	u32 seconds, nanoseconds, captured, length;
};

TEST(pcap_keeps_what_was_sent_and_what_came)
{
	struct record record;
	size_t size;
	u64 in_use;
	u8 *file;

	net_shim_boot();
	in_use = net_shim_in_use();
	start("pcap=1M,tx-lose=100%,rx-lose=0");
	send(1);
	receive(2);
	file = pcap_snapshot(&link_.pcap, &size);
	CHECK_EQ(size, 24 + 2 * (16 + 100));
	CHECK_EQ(*(u32 *)file, 0xa1b23c4d);
	memcpy(&record, file + 24, sizeof(record));
	CHECK_EQ(record.seconds, host_clock_ns / NSEC_PER_SEC);
	CHECK_EQ(record.captured, 100);
	CHECK_EQ(record.length, 100);
	CHECK_EQ(file[24 + 16 + 14], 1);
	CHECK_EQ(file[24 + 16 + 100 + 16 + 14], 2);
	vfree(file);
	finish(in_use);
}

/* Many times round a ring: whole records, the newest ones, in order. */
TEST(pcap_forgets_the_oldest_first)
{
	struct record record;
	u32 first = 0, count = 0, number;
	size_t size;
	u64 in_use;
	u8 *file;

	net_shim_boot();
	in_use = net_shim_in_use();
	start("pcap=128K");
	for (u32 i = 0; i < 5000; i++) {
		link_rx(frame(i, 60 + (u32)unit_random_below(1400)));
		drain(&received);
	}
	file = pcap_snapshot(&link_.pcap, &size);
	CHECK(size <= 24 + 128 * KiB && size > 24 + 126 * KiB);
	for (size_t at = 24; at < size; at += sizeof(record) + record.captured, count++) {
		memcpy(&record, file + at, sizeof(record));
		CHECK_EQ(record.captured, record.length);
		memcpy(&number, file + at + sizeof(record) + 14, sizeof(number));
		first = first ?: number;
		CHECK_EQ(number, first + count);
	}
	CHECK_EQ(first + count, 5000);
	CHECK_EQ(link_.pcap.gone + count, link_.pcap.seen);
	vfree(file);
	finish(in_use);
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

static const struct link_setting *named(const char *name)
{
	for (u32 i = 0; i < NR_LINK_SETTINGS; i++)
		if (!strcmp(link_settings_table[i].name, name))
			return &link_settings_table[i];
	unit_fail(__FILE__, __LINE__, "no setting %s", name);
}

TEST(values_are_read_and_written_alike)
{
	static const struct {
		const char *name, *text;
		u64 value;
		const char *written;
	} good[] = {
		{ "rx_lose", "1%", 10000, "1%" },
		{ "rx_lose", "0.25%", 2500, "0.2500%" },
		{ "tx_lose", "100%", 1000000, "100%" },
		{ "tx_lose", "0", 0, "0" },
		{ "tx_delay", "10ms", 10 * MS, "10ms" },
		{ "tx_delay", "1.5ms", 1500000, "1500us" },
		{ "rx_jitter", "700ns", 700, "700ns" },
		{ "rx_delay", "2s", 2 * NSEC_PER_SEC, "2s" },
		{ "tx_rate", "2.5mbit", 2500000, "2500kbit" },
		{ "tx_rate", "9600bit", 9600, "9600bit" },
		{ "seed", "12345", 12345, "12345" },
		{ "log", "1", 1, "1" },
		{ "pcap", "256K", 256 * KiB, "256K" },
		{ "pcap", "1M", MiB, "1M" },
	};
	static const struct {
		const char *name, *text;
	} bad[] = {
		{ "rx_lose", "101%" },	   { "rx_lose", "1" },
		{ "rx_lose", "-1%" },	   { "rx_lose", "%" },
		{ "rx_lose", "" },	   { "tx_delay", "10" },
		{ "tx_delay", "11s" },	   { "tx_delay", "1.5ns" },
		{ "tx_delay", "1msx" },	   { "tx_rate", "1mb" },
		{ "seed", "-1" },	   { "log", "2" },
		{ "pcap", "1G" },	   { "tx_delay", "99999999999999999999s" },
		{ "rx_lose", "0.00001%" },
	};
	char text[32];
	u64 value;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(link_parse_value(named(good[i].name), good[i].text, &value), 0);
		CHECK_EQ(value, good[i].value);
		link_format_value(named(good[i].name), value, text, sizeof(text));
		CHECK_STR(text, good[i].written);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!link_parse_value(named(bad[i].name), bad[i].text, &value))
			unit_fail(__FILE__, __LINE__, "%s=%s was taken", bad[i].name, bad[i].text);
}

TEST(a_list_is_words_with_commas_between)
{
	struct link_settings settings = { 0 };

	CHECK_EQ(link_parse_list("rx-lose=1%,tx_delay=10ms,log,seed=3,pcap=1M", &settings), 0);
	CHECK_EQ(settings.rules[LINK_RX].lose, 10000);
	CHECK_EQ(settings.rules[LINK_TX].delay, 10 * MS);
	CHECK_EQ(settings.log, 1);
	CHECK_EQ(settings.seed, 3);
	CHECK_EQ(settings.pcap, MiB);
	CHECK(link_parse_list("", &settings) && link_parse_list("rx-lose=1%,", &settings) &&
	      link_parse_list("rx-lose", &settings) && link_parse_list("lose=1%", &settings) &&
	      link_parse_list("rx-lose=", &settings) && link_parse_list("rx-los=1%", &settings));
}
