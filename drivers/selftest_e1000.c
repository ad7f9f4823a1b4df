/*
 * Self-tests of the e1000 in its machine. By name only: they want the device, on QEMU's user network or with its
 * frames written to a file, and the second in which it receives nothing. tests/net/test_nic.py runs them, and looks
 * at what came out.
 */
#include <drivers/e1000.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/printk.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <net/ip.h>

#define WAIT_NS	    (10 * NSEC_PER_SEC)
#define ETH_P_LOCAL 0x88b5 /* IEEE 802: for experiments. Nobody here takes it */
#define MAX_FRAME   1514
#define GATEWAY	    0x0a000202 /* of QEMU's user network: 10.0.2.2 */
#define OWN_ADDRESS 0x0a00020f

static const u8 broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* The first e1000, up; NULL: none. */
static struct e1000 *use_nic(void)
{
	struct netdev *dev = netdev_by_name("eth0");

	if (!dev || netdev_change_flags(dev, dev->flags | IFF_UP))
		return NULL;
	return e1000_of(dev);
}

static struct sk_buff *new_frame_behind(struct netdev *dev, u16 type, u32 headroom)
{
	struct sk_buff *skb = skb_alloc(headroom, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb->dev = dev;
	eth_header(skb, broadcast, type);
	return skb;
}

static struct sk_buff *new_frame(struct netdev *dev, u16 type)
{
	return new_frame_behind(dev, type, MAX_HEADER);
}

/* Its bytes say where they are, so that a piece in the wrong place shows. */
static void fill(u8 *data, u32 from, u32 size)
{
	for (u32 i = 0; i < size; i++)
		data[i] = (u8)(from + i);
}

static bool add_page(struct sk_buff *skb, u32 from, u32 size)
{
	struct page *page = skb_page_alloc(GFP_KERNEL);

	if (!page)
		return false;
	fill(page_address(page), from, size);
	skb_add_frag(skb, page, 0, size);
	return true;
}

/* A frame of `size` bytes in all, the last `paged` of them in a page. */
static bool send_numbered(struct netdev *dev, u32 size, u32 paged)
{
	struct sk_buff *skb = new_frame(dev, ETH_P_LOCAL);
	u32 linear = size - ETH_HLEN - paged;

	if (!skb)
		return false;
	fill(skb_append(skb, linear), 0, linear);
	if (paged && !add_page(skb, linear, paged)) {
		skb_put(skb);
		return false;
	}
	return dev_queue_xmit(skb) == 0;
}

static u64 buffers_in_use(void)
{
	struct skb_stats stats;

	skb_stats_read(&stats);
	return stats.buffers + stats.pages;
}

/* Frames are on their way for a moment after they were sent, or were counted as received. */
static bool goes_back_to(u64 before)
{
	u64 deadline = clock_ns() + WAIT_NS;

	while (buffers_in_use() != before && clock_ns() < deadline)
		sleep_ns(NSEC_PER_MSEC);
	return buffers_in_use() == before;
}

/* When they no longer change. */
static u64 buffers_at_rest(void)
{
	u64 before, now = buffers_in_use(), deadline = clock_ns() + WAIT_NS;

	do {
		before = now;
		sleep_ns(20 * NSEC_PER_MSEC);
		now = buffers_in_use();
	} while (now != before && clock_ns() < deadline);
	return now;
}

static bool ask_gateway(struct netdev *dev)
{
	/* RFC 826, for Ethernet and IPv4 */
	static const u8 head[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	be32 own = htonl(OWN_ADDRESS), gateway = htonl(GATEWAY);
	struct sk_buff *skb = new_frame(dev, ETH_P_ARP);
	u8 *arp;

	if (!skb)
		return false;
	arp = skb_append(skb, 28);
	memset(arp, 0, 28);
	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, dev->mac, ETH_ALEN);
	memcpy(arp + 14, &own, 4);
	memcpy(arp + 24, &gateway, 4);
	return dev_queue_xmit(skb) == 0;
}

/* Does the gateway answer? */
static bool hears(struct netdev *dev)
{
	u64 before = READ_ONCE(dev->counts.rx_packets), deadline = clock_ns() + WAIT_NS;

	while (READ_ONCE(dev->counts.rx_packets) == before && clock_ns() < deadline) {
		ask_gateway(dev);
		sleep_ns(20 * NSEC_PER_MSEC);
	}
	return READ_ONCE(dev->counts.rx_packets) != before;
}

SELFTEST_BY_NAME(e1000_answer)
{
	struct e1000 *nic = use_nic();

	EXPECT(nic);
	EXPECT(hears(&nic->dev));
	EXPECT(nic->dev.counts.rx_errors == 0);
}

SELFTEST_BY_NAME(e1000_frames)
{
	struct e1000 *nic = use_nic();
	u64 before = buffers_in_use();

	EXPECT(nic);
	for (u32 size = ETH_HLEN; size <= MAX_FRAME; size++)
		EXPECT(send_numbered(&nic->dev, size, size > 200 ? size / 3 : 0));
	net_batch_begin();
	for (u32 size = MAX_FRAME; size >= ETH_HLEN; size--)
		EXPECT(send_numbered(&nic->dev, size, 0));
	net_batch_end();
	EXPECT(nic->dev.tx_sent == nic->dev.tx_done);
	EXPECT(goes_back_to(before));
}

/* The device is told once of frames that a program sends in one call. */
SELFTEST_BY_NAME(e1000_together)
{
	struct e1000 *nic = use_nic();
	u32 tail;

	EXPECT(nic);
	tail = e1000_read(nic, E1000_TDT);
	for (int i = 0; i < 3; i++) {
		net_batch_begin();
		EXPECT(send_numbered(&nic->dev, 100, 0));
		net_batch_leave();
		EXPECT(e1000_read(nic, E1000_TDT) == tail);
	}
	net_flush();
	EXPECT(e1000_read(nic, E1000_TDT) == ((tail + 3) & nic->tx.mask));
	EXPECT(nic->dev.tx_sent == nic->dev.tx_done);
}

/* ---- offload --------------------------------------------------------------------------------------------- */

static struct iphdr *put_ip(struct sk_buff *skb, u8 protocol, u32 length)
{
	struct iphdr *ip;

	ip = skb_append(skb, sizeof(*ip));
	skb->network_header = (u16)((u8 *)ip - skb->head);
	skb->transport_header = skb->network_header + sizeof(*ip);
	*ip = (struct iphdr){
		.version_ihl = 0x45,
		.total_length = htons((u16)(sizeof(*ip) + length)),
		.id = htons(0x1234),
		.ttl = IP_DEFAULT_TTL,
		.protocol = protocol,
		.saddr = htonl(OWN_ADDRESS),
		.daddr = htonl(GATEWAY),
	};
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	return ip;
}

/* The sum's field holds the pseudo-header's; the rest is the device's. */
static void leave_sum(struct sk_buff *skb, const struct iphdr *ip, u32 offset, u32 length)
{
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = (u16)offset;
	*(u16 *)((u8 *)skb_transport_header(skb) + offset) =
		(u16)~checksum_fold(checksum_pseudo(ip->saddr, ip->daddr, ip->protocol, length));
}

static bool send_udp(struct netdev *dev, u32 size)
{
	struct sk_buff *skb = new_frame(dev, ETH_P_IP);
	be16 head[4] = { htons(1000), htons(9), htons((u16)(8 + size)), 0 };
	struct iphdr *ip;

	if (!skb)
		return false;
	ip = put_ip(skb, 17, 8 + size);
	memcpy(skb_append(skb, sizeof(head)), head, sizeof(head));
	fill(skb_append(skb, size), 0, size);
	leave_sum(skb, ip, 6, 8 + size);
	return dev_queue_xmit(skb) == 0;
}

/* `pages` pages of data, to be cut into segments of `mss`; behind what TCP had in that buffer until it was acknowledged. */
static bool send_tcp(struct netdev *dev, u32 pages, u16 mss)
{
	/* ports, sequence, acknowledgement, 20 bytes and ACK PSH FIN, window */
	static const u8 head[20] = { 3, 232, 0, 9, 255, 255, 255, 0, 0, 0, 0, 1, 0x50, 0x19, 16 };
	struct sk_buff *skb = new_frame_behind(dev, ETH_P_IP, SKB_SIZE - 200);
	u32 size = pages * PAGE_SIZE;
	struct iphdr *ip;

	if (!skb)
		return false;
	ip = put_ip(skb, 6, sizeof(head) + size);
	memcpy(skb_append(skb, sizeof(head)), head, sizeof(head));
	leave_sum(skb, ip, 16, sizeof(head) + size);
	for (u32 i = 0; i < pages; i++)
		if (!add_page(skb, i * 7, PAGE_SIZE))
			return false;
	skb->gso_size = mss;
	skb->gso_segs = (u16)DIV_ROUND_UP(size, mss);
	return dev_queue_xmit(skb) == 0;
}

static bool send_offloaded(struct netdev *dev)
{
	return send_udp(dev, 18) && send_udp(dev, 19) && send_tcp(dev, 2, 1460) &&
	       send_udp(dev, 1472) && send_tcp(dev, 15, 1460) && send_tcp(dev, 15, 536) &&
	       send_tcp(dev, 1, 4096 / 4);
}

/* The same by the device and by us: what comes out must be the same. */
SELFTEST_BY_NAME(e1000_offload)
{
	struct e1000 *nic = use_nic();
	u64 before = buffers_in_use();

	EXPECT(nic);
	EXPECT(send_offloaded(&nic->dev));
	nic->dev.features = 0;
	EXPECT(send_offloaded(&nic->dev));
	nic->dev.features = NETDEV_SG | NETDEV_CSUM;
	EXPECT(send_offloaded(&nic->dev));
	nic->dev.features = nic->model->features;
	EXPECT(goes_back_to(before));
}

/* ---- when things go wrong ------------------------------------------------------------------------------------ */

/* A device that does not send: the ring fills, the queue fills, the rest is dropped; the watchdog starts it again,
 * and what was in the queue leaves. */
SELFTEST_BY_NAME(e1000_stuck)
{
	struct e1000 *nic = use_nic();
	u32 ring = nic ? nic->tx.mask + 1 : 0, count = ring + 1200, refused = 0;
	u64 before = buffers_in_use(), sent, dropped;

	EXPECT(nic);
	sent = nic->dev.counts.tx_packets;
	dropped = nic->dev.counts.tx_dropped;
	e1000_write(nic, E1000_TCTL, TCTL_PSP);
	for (u32 i = 0; i < count; i++)
		refused += !send_numbered(&nic->dev, 60, 0);
	EXPECT(nic->dev.tx_stopped && timer_pending(&nic->dev.watchdog));
	EXPECT(nic->dev.tx_queue.count == nic->dev.tx_queue_len);
	EXPECT(nic->dev.counts.tx_dropped == dropped + refused && refused > 0);
	timer_start(&nic->dev.watchdog, clock_ns()); /* five seconds have gone by, say */
	EXPECT(goes_back_to(before));
	EXPECT(nic->dev.counts.tx_packets - sent == count - refused);
	EXPECT(nic->dev.counts.tx_errors > 0 && nic->dev.counts.tx_errors < ring);
	EXPECT(hears(&nic->dev));
	EXPECT(!timer_pending(&nic->dev.watchdog));
}

SELFTEST_BY_NAME(e1000_no_memory)
{
	struct e1000 *nic = use_nic();
	u64 before, deadline;

	EXPECT(nic);
	EXPECT(hears(&nic->dev));
	before = buffers_at_rest();
	deadline = clock_ns() + WAIT_NS;
	fault_inject_every(2);
	while (!READ_ONCE(nic->rx_no_buffer) && clock_ns() < deadline) {
		ask_gateway(&nic->dev);
		sleep_ns(NSEC_PER_MSEC);
	}
	fault_inject_every(0);
	EXPECT(nic->rx_no_buffer > 0);
	EXPECT(hears(&nic->dev));
	EXPECT(goes_back_to(before));
}

/* More answers than the ring has room for, while nobody takes them; then everything goes on. */
SELFTEST_BY_NAME(e1000_overrun)
{
	struct e1000 *nic = use_nic();
	u64 before, received, deadline;

	EXPECT(nic);
	EXPECT(hears(&nic->dev));
	before = buffers_at_rest();
	received = nic->dev.counts.rx_packets;
	napi_disable(&nic->napi);
	for (u32 i = 0; i < 2 * nic->rx.mask; i++)
		ask_gateway(&nic->dev);
	deadline = clock_ns() + WAIT_NS;
	while (e1000_read(nic, E1000_RDH) != e1000_read(nic, E1000_RDT) && clock_ns() < deadline)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(e1000_read(nic, E1000_RDH) == e1000_read(nic, E1000_RDT));
	napi_enable(&nic->napi);
	local_bh_disable();
	napi_schedule(&nic->napi);
	local_bh_enable();
	while (READ_ONCE(nic->dev.counts.rx_packets) - received < nic->rx.mask &&
	       clock_ns() < deadline)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(nic->dev.counts.rx_packets - received >= nic->rx.mask);
	EXPECT(hears(&nic->dev));
	EXPECT(goes_back_to(before));
}

SELFTEST_BY_NAME(e1000_down)
{
	struct e1000 *nic = use_nic();
	struct netdev_stats stats;
	u64 before, dropped;

	EXPECT(nic);
	before = buffers_in_use();
	dropped = nic->dev.counts.tx_dropped;
	for (int i = 0; i < 3; i++) {
		EXPECT(hears(&nic->dev));
		EXPECT(netdev_change_flags(&nic->dev, nic->dev.flags & ~IFF_UP) == 0);
		EXPECT(!ask_gateway(&nic->dev));
		EXPECT(use_nic());
	}
	EXPECT(hears(&nic->dev));
	EXPECT(goes_back_to(before));
	netdev_stats_read(&nic->dev, &stats);
	EXPECT(stats.rx_packets && stats.tx_packets && stats.tx_dropped == dropped + 3);
	EXPECT(stats.rx_bytes >= 60 * stats.rx_packets);
}

/* Whoever runs this pulls the cable and puts it back. */
SELFTEST_BY_NAME(e1000_link)
{
	struct e1000 *nic = use_nic();
	u64 deadline = clock_ns() + 3 * WAIT_NS;

	EXPECT(nic && nic->dev.carrier);
	EXPECT(hears(&nic->dev));
	pr_info("e1000_link: pull the cable\n");
	while (READ_ONCE(nic->dev.carrier) && clock_ns() < deadline)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(!nic->dev.carrier && !(netdev_flags(&nic->dev) & IFF_RUNNING));
	ask_gateway(&nic->dev);
	EXPECT(nic->dev.counts.tx_carrier == 1);
	while (!READ_ONCE(nic->dev.carrier) && clock_ns() < deadline)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(nic->dev.carrier && netdev_flags(&nic->dev) & IFF_RUNNING);
	EXPECT(hears(&nic->dev));
}

/* Whoever runs this counts the instructions between the two lines. */
SELFTEST_BY_NAME(e1000_idle)
{
	struct e1000 *nic = use_nic();

	EXPECT(nic);
	EXPECT(hears(&nic->dev));
	sleep_ns(100 * NSEC_PER_MSEC);
	pr_info("e1000_idle: begins\n");
	sleep_ns(2 * NSEC_PER_SEC);
	pr_info("e1000_idle: ends\n");
}

/* ---- what a frame costs ------------------------------------------------------------------------------------------ */

#define BURST 64

static u64 time_to_send(struct netdev *dev, struct sk_buff **frames, u32 count)
{
	u64 start = rdtsc();

	net_batch_begin();
	for (u32 i = 0; i < count; i++)
		dev_queue_xmit(frames[i]);
	net_batch_end();
	return rdtsc() - start;
}

/* How many frames came, and what taking them cost. */
static u64 time_to_receive(struct e1000 *nic, u64 *frames)
{
	u64 before = nic->dev.counts.rx_packets, start;

	start = rdtsc();
	local_bh_disable();
	napi_schedule(&nic->napi);
	local_bh_enable();
	start = rdtsc() - start;
	*frames = nic->dev.counts.rx_packets - before;
	return start;
}

/* In ticks: run it where the TSC counts instructions. */
SELFTEST_BY_NAME(e1000_cost)
{
	struct e1000 *nic = use_nic();
	struct sk_buff *frames[BURST];
	u64 sent, received = 0, ticks, deadline = clock_ns() + WAIT_NS;

	EXPECT(nic);
	EXPECT(hears(&nic->dev));
	for (int round = 0; round < 3; round++) {
		for (u32 i = 0; i < BURST; i++) {
			frames[i] = new_frame(&nic->dev, ETH_P_LOCAL);
			EXPECT(frames[i]);
			fill(skb_append(frames[i], 50), 0, 50);
		}
		sent = time_to_send(&nic->dev, frames, BURST);
		pr_info("e1000_cost: a frame sent, %u a batch: %llu ticks\n", BURST, sent / BURST);
	}
	for (int round = 0; round < 3; round++) {
		frames[0] = new_frame(&nic->dev, ETH_P_LOCAL);
		EXPECT(frames[0]);
		fill(skb_append(frames[0], 50), 0, 50);
		sent = time_to_send(&nic->dev, frames, 1);
		pr_info("e1000_cost: a frame sent, alone: %llu ticks\n", sent);
	}
	for (int round = 0; round < 3 && clock_ns() < deadline; round++) {
		napi_disable(&nic->napi);
		for (u32 i = 0; i < BURST; i++)
			ask_gateway(&nic->dev);
		sleep_ns(10 * NSEC_PER_MSEC);
		napi_enable(&nic->napi);
		ticks = time_to_receive(nic, &received);
		EXPECT(received);
		pr_info("e1000_cost: a frame received, %llu a batch: %llu ticks\n", received,
			ticks / received);
	}
}
