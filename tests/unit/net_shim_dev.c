/* See net_shim.h. */
#include "net_shim.h"

#include <string.h>

#include <kernel/cpu/tsc.h>

#include "unit.h"

LIST_HEAD(netdevs);
struct netdev *loopback_dev = &shim_lo;
struct netdev shim_eth, shim_lo;

bool net_polling;
void (*net_poll_over)(void);

static struct skb_queue sent;

#define MAX_KEPT 64
static struct sk_buff *kept[MAX_KEPT];
static u32 nr_kept;
bool net_shim_card_keeps;

void net_shim_dev_boot(void)
{
	net_shim_boot();
	if (!shim_eth.index) {
		skb_queue_init(&sent);
		shim_lo = (struct netdev){ .name = "lo",
					   .index = 1,
					   .mtu = 65536,
					   .type = 772,
					   .flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK,
					   .carrier = true };
		shim_eth = (struct netdev){ .name = "eth0",
					    .index = 2,
					    .mtu = 1500,
					    .type = 1,
					    .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
					    .flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST |
						     IFF_MULTICAST,
					    .carrier = true };
		list_add_tail(&shim_lo.link, &netdevs);
		list_add_tail(&shim_eth.link, &netdevs);
	}
	net_shim_drop_sent();
}

struct netdev *netdev_by_index(u32 index)
{
	return index == 1 ? &shim_lo : index == 2 ? &shim_eth : NULL;
}

struct netdev *netdev_by_name(const char *name)
{
	return !strcmp(name, "lo") ? &shim_lo : !strcmp(name, "eth0") ? &shim_eth : NULL;
}

/* A sender that has the buffer in its own queue (TCP, until it is acknowledged) keeps it: what the test sees is a copy. */
static struct sk_buff *off_the_queue(struct sk_buff *skb)
{
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	net_shim_fail_nth(fail);
	copy->gso_size = skb->gso_size;
	copy->ip_summed = skb->ip_summed;
	if (net_shim_card_keeps)
		kept[nr_kept++] = skb;
	else
		skb_put(skb);
	return copy;
}

void net_shim_card_release(void)
{
	net_shim_card_keeps = false;
	while (nr_kept)
		skb_put(kept[--nr_kept]);
}

int dev_queue_xmit(struct sk_buff *skb)
{
	if (nr_kept == MAX_KEPT)
		net_shim_card_release();
	skb_queue_tail(&sent, skb_shared(skb) ? off_the_queue(skb) : skb);
	return 0;
}

/* Every frame leaves at once. */
void net_batch_begin(void)
{
}

void net_batch_end(void)
{
}

void net_batch_leave(void)
{
}

void net_flush(void)
{
}

struct sk_buff *net_shim_sent(void)
{
	return skb_dequeue(&sent);
}

u32 net_shim_sent_count(void)
{
	return sent.count;
}

void net_shim_drop_sent(void)
{
	skb_queue_purge(&sent);
}

void eth_header(struct sk_buff *skb, const u8 dest[ETH_ALEN], u16 protocol)
{
	struct ethhdr *eth = skb_push(skb, ETH_HLEN);

	memcpy(eth->dest, dest, ETH_ALEN);
	memcpy(eth->source, skb->dev->mac, ETH_ALEN);
	eth->protocol = htons(protocol);
}

struct sk_buff *net_shim_frame(const void *bytes, u32 size)
{
	struct sk_buff *skb;
	u64 fail = net_shim_fail_nth(0);

	skb = skb_alloc(RX_HEADROOM, GFP_ATOMIC);
	net_shim_fail_nth(fail);
	memcpy(skb_append(skb, size), bytes, size);
	skb->dev = &shim_eth;
	skb->tstamp = clock_ns();
	return skb;
}

/* Some bytes into frags of random sizes at random places; how many. */
static u32 add_frags(struct sk_buff *skb, const u8 *bytes, u32 size, u32 most)
{
	u32 done = 0;

	while (done < size && skb->nr_frags < most) {
		u32 piece = 1 + unit_random_below(size - done), at;
		struct page *page = skb_page_alloc(GFP_KERNEL);

		piece = piece > 4000 ? 4000 : piece;
		at = unit_random_below(PAGE_SIZE - piece);
		memcpy((u8 *)page_address(page) + at, bytes + done, piece);
		skb_add_frag(skb, page, at, piece);
		done += piece;
	}
	return done;
}

struct sk_buff *net_shim_scattered(const void *bytes, u32 size, u32 linear)
{
	struct sk_buff *skb = net_shim_frame(bytes, linear), *last = skb;
	u32 done = linear;

	done += add_frags(skb, (const u8 *)bytes + done, size - done, unit_random_below(4));
	while (done < size) {
		u32 piece = unit_random_below(1 + (size - done > 1400 ? 1400 : size - done));
		struct sk_buff *part = net_shim_frame((const u8 *)bytes + done, piece);

		done += piece;
		done += add_frags(part, (const u8 *)bytes + done, size - done,
				  unit_random_below(3));
		skb_add_part(skb, last, part);
		last = part;
	}
	return skb;
}
