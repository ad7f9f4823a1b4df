/*
 * The bad network itself: see net/link.h. A frame's fate is decided when it comes; then it is put on the list of
 * those on their way, by the time at which it arrives, and those whose time has come go on at once. A timer
 * waits for the others.
 *
 * Frames are held by list entries of our own, not by their own links: TCP has what it sent on a queue of its own.
 *
 * Context: softirq and process. Locks: as net/link.h says.
 */
#include <net/link.h>

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mutex.h>
#include <kernel/printk.h>
#include <net/checksum.h>
#include <net/ip.h>

#define MILLION	 1000000
#define RETRY_NS NSEC_PER_MSEC /* the driver's ring was full */
/* A frame to be overtaken waits so long at most for the one that does it. */
#define REORDER_MAX_NS (20 * NSEC_PER_MSEC)

struct link_frame {
	struct list_head link;
	u64 due;
	struct sk_buff *skb;
};

const char *const link_direction_names[LINK_DIRECTIONS] = { [LINK_RX] = "rx", [LINK_TX] = "tx" };

static DEFINE_MUTEX(link_lock);

/* ---- chance -------------------------------------------------------------------------------------------- */

/* splitmix64: every seed is as good as any other, 0 too. */
static u64 next_random(struct link_way *way)
{
	u64 z = way->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static bool happens(struct link_way *way, u64 chance)
{
	return chance && next_random(way) % MILLION < chance;
}

/* ---- on the way ---------------------------------------------------------------------------------------- */

static void free_frame(struct link_way *way, struct link_frame *frame)
{
	list_del(&frame->link);
	way->nr_frames--;
	if (way->held == frame)
		way->held = NULL;
	kfree(frame);
}

static void purge(struct link_way *way)
{
	struct link_frame *frame, *next;

	list_for_each_entry_safe(frame, next, &way->frames, link) {
		skb_put(frame->skb);
		free_frame(way, frame);
		way->counts.dropped++;
	}
}

/* Behind those that arrive no later. */
static void insert(struct link_way *way, struct link_frame *frame)
{
	struct list_head *at = way->frames.prev;

	while (at != &way->frames && list_entry(at, struct link_frame, link)->due > frame->due)
		at = at->prev;
	list_add(&frame->link, at);
}

static u64 arrival(struct link_way *way, u32 size)
{
	const struct link_rules *rules = &way->rules;
	u64 due = clock_ns();

	if (rules->rate) {
		way->line_free = max(way->line_free, due) + size * 8 * NSEC_PER_SEC / rules->rate;
		due = way->line_free;
	}
	return due + rules->delay + (rules->jitter ? next_random(way) % (rules->jitter + 1) : 0);
}

/* The one that was to be overtaken, has been. */
static void let_go(struct link_way *way, u64 due)
{
	struct link_frame *held = way->held;

	way->held = NULL;
	list_del(&held->link);
	held->due = due;
	insert(way, held);
}

/* Takes the reference. */
static void enqueue(struct link_way *way, struct sk_buff *skb)
{
	struct link_frame *frame = NULL;

	if (way->nr_frames < LINK_MAX_FRAMES)
		frame = kmalloc(sizeof(*frame), GFP_ATOMIC);
	if (!frame) {
		way->counts.dropped++;
		skb_put(skb);
		return;
	}
	*frame = (struct link_frame){ .skb = skb, .due = arrival(way, skb->len) };
	way->nr_frames++;
	if (way->held) {
		insert(way, frame);
		let_go(way, frame->due);
	} else if (happens(way, way->rules.reorder)) {
		frame->due += REORDER_MAX_NS;
		insert(way, frame);
		way->held = frame;
		way->counts.reordered++;
	} else {
		insert(way, frame);
	}
}

/* The frame in a buffer that nobody else sees; NULL: there is no memory for that. Takes the reference. */
static struct sk_buff *make_own(struct link_way *way, struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (!skb_shared(skb))
		return skb;
	copy = skb_clone(skb, GFP_ATOMIC);
	skb_put(skb);
	way->counts.dropped += !copy;
	return copy;
}

/* One bit. The checksum that the card vouched for says nothing any more. */
static struct sk_buff *corrupt(struct link_way *way, struct sk_buff *skb)
{
	u64 bit = next_random(way) % (skb_headlen(skb) * 8);

	skb = make_own(way, skb);
	if (skb) {
		skb->data[bit / 8] ^= 1 << bit % 8;
		skb->ip_summed = CHECKSUM_NONE;
		way->counts.corrupted++;
	}
	return skb;
}

/* Has its sender said that it heeds marks? (RFC 3168) */
static bool may_be_marked(const struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	const struct iphdr *ip = (const struct iphdr *)(eth + 1);

	return skb_headlen(skb) >= sizeof(*eth) + sizeof(*ip) && eth->protocol == htons(ETH_P_IP) &&
	       ip->tos & IP_ECN_MASK && skb_headlen(skb) >= sizeof(*eth) + IP_HLEN(ip);
}

/* As a router does that is short of room: what may be marked is not dropped. */
static struct sk_buff *mark(struct link_way *way, struct sk_buff *skb)
{
	struct iphdr *ip;

	skb = make_own(way, skb);
	if (skb) {
		ip = (struct iphdr *)(skb->data + ETH_HLEN);
		ip->tos |= IP_ECN_CE;
		ip->checksum = 0;
		ip->checksum = ip_checksum(ip, IP_HLEN(ip));
		way->counts.marked++;
	}
	return skb;
}

static void log_frame(const struct link *link, const struct link_way *way,
		      const struct sk_buff *skb, const char *fate)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	if (link->log)
		pr_info("%s: %s %u bytes %pM > %pM type 0x%04x%s\n", link->dev->name,
			link_direction_names[way - link->way], skb->len, eth->source, eth->dest,
			ntohs(eth->protocol), fate);
}

/* What befalls a frame. Takes the reference. Under the way's lock. */
static void take(struct link *link, struct link_way *way, struct sk_buff *skb)
{
	struct sk_buff *twin = NULL;

	if (happens(way, way->rules.lose)) {
		log_frame(link, way, skb, ", lost");
		way->counts.lost++;
		skb_put(skb);
		return;
	}
	if (happens(way, way->rules.duplicate)) {
		twin = skb_clone(skb, GFP_ATOMIC);
		way->counts.duplicated += twin != NULL;
	}
	if (happens(way, way->rules.corrupt) && skb_headlen(skb))
		skb = corrupt(way, skb);
	if (skb && happens(way, way->rules.mark) && may_be_marked(skb))
		skb = mark(way, skb);
	if (skb) {
		log_frame(link, way, skb, twin ? ", twice" : "");
		enqueue(way, skb);
	}
	if (twin)
		enqueue(way, twin);
}

/* The first, if its time has come; else the timer is set for it. */
static struct link_frame *first_due(struct link_way *way)
{
	struct link_frame *frame = list_first_entry_or_null(&way->frames, struct link_frame, link);

	if (frame && frame->due > clock_ns()) {
		timer_start(&way->timer, frame->due);
		return NULL;
	}
	return frame;
}

/* ---- sending: under dev->tx_lock ----------------------------------------------------------------------- */

/* To the driver, as long as it takes them. True: it has got some. */
static bool send_due(struct link *link)
{
	struct link_way *way = &link->way[LINK_TX];
	struct link_frame *frame;
	bool sent = false;

	if (!(link->dev->flags & IFF_UP)) {
		purge(way);
		return false;
	}
	while ((frame = first_due(way))) {
		if (!link->inner->xmit(link->dev, frame->skb)) {
			timer_start(&way->timer, clock_ns() + RETRY_NS);
			break;
		}
		free_frame(way, frame);
		way->counts.passed++;
		sent = true;
	}
	return sent;
}

/* Never says that it is full: what is too much, is dropped. */
static bool link_xmit(struct netdev *dev, struct sk_buff *skb)
{
	struct link *link = dev->wrap;

	pcap_add(&link->pcap, skb, wall_ns());
	take(link, &link->way[LINK_TX], skb);
	send_due(link);
	return true;
}

static void tx_timer(struct timer *timer)
{
	struct link *link = container_of(timer, struct link, way[LINK_TX].timer);
	struct netdev *dev = link->dev;

	spin_lock_bh(&dev->tx_lock);
	if (send_due(link)) {
		dev->tx_unflushed = true;
		netdev_wake_queue(dev);
	}
	spin_unlock_bh(&dev->tx_lock);
}

/* ---- receiving ----------------------------------------------------------------------------------------- */

/* The protocols are called without the lock: their answers may come back here, over loopback. */
static void receive_due(struct link *link)
{
	struct link_way *way = &link->way[LINK_RX];
	struct link_frame *frame;
	struct skb_queue due;
	struct sk_buff *skb;

	skb_queue_init(&due);
	spin_lock_bh(&link->rx_lock);
	while ((frame = first_due(way))) {
		skb_queue_tail(&due, frame->skb);
		free_frame(way, frame);
		way->counts.passed++;
	}
	spin_unlock_bh(&link->rx_lock);
	while ((skb = skb_dequeue(&due))) {
		pcap_add(&link->pcap, skb, wall_ns());
		netif_deliver_skb(skb);
	}
}

void link_rx(struct sk_buff *skb)
{
	struct link *link = skb->dev->wrap;

	spin_lock_bh(&link->rx_lock);
	take(link, &link->way[LINK_RX], skb);
	spin_unlock_bh(&link->rx_lock);
	receive_due(link);
}

static void rx_timer(struct timer *timer)
{
	receive_due(container_of(timer, struct link, way[LINK_RX].timer));
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static void purge_both(struct link *link)
{
	spin_lock_bh(&link->dev->tx_lock);
	purge(&link->way[LINK_TX]);
	spin_unlock_bh(&link->dev->tx_lock);
	spin_lock_bh(&link->rx_lock);
	purge(&link->way[LINK_RX]);
	spin_unlock_bh(&link->rx_lock);
}

/* The device goes down, and what was on its way is gone. */
static void link_stop(struct netdev *dev)
{
	struct link *link = dev->wrap;

	if (link->inner->stop)
		link->inner->stop(dev);
	for (int i = 0; i < LINK_DIRECTIONS; i++)
		timer_cancel_sync(&link->way[i].timer);
	purge_both(link);
}

void link_prepare(struct link *link, struct netdev *dev)
{
	*link = (struct link){
		.dev = dev, .inner = dev->ops, .ops = *dev->ops, .features = dev->features
	};
	link->ops.xmit = link_xmit;
	link->ops.stop = link_stop;
	spin_lock_init(&link->rx_lock);
	spin_lock_init(&link->pcap.lock);
	for (int i = 0; i < LINK_DIRECTIONS; i++)
		INIT_LIST_HEAD(&link->way[i].frames);
	timer_init(&link->way[LINK_RX].timer, rx_timer);
	timer_init(&link->way[LINK_TX].timer, tx_timer);
	dev->wrap = link;
}

static bool is_wanted(const struct link_settings *settings)
{
	struct link_settings nothing = { .seed = settings->seed };

	return memcmp(settings, &nothing, sizeof(nothing)) != 0;
}

/* What passes the link is what would be on the wire: no giant segments, and sums that are there. */
static void attach(struct link *link, bool wanted)
{
	struct netdev *dev = link->dev;

	WRITE_ONCE(dev->ops, wanted ? &link->ops : link->inner);
	WRITE_ONCE(dev->wrapped, wanted);
	dev->features = wanted ? link->features & ~(NETDEV_CSUM | NETDEV_TSO) : link->features;
}

static void apply(struct link *link, const struct link_settings *settings)
{
	bool wanted = is_wanted(settings);

	spin_lock_bh(&link->dev->tx_lock);
	spin_lock(&link->rx_lock);
	for (int i = 0; i < LINK_DIRECTIONS; i++) {
		link->way[i].rules = settings->rules[i];
		link->way[i].random = settings->seed + i;
	}
	WRITE_ONCE(link->log, settings->log);
	attach(link, wanted);
	spin_unlock(&link->rx_lock);
	spin_unlock_bh(&link->dev->tx_lock);
	if (!wanted)
		purge_both(link);
	link->settings = *settings;
}

int link_configure(struct link *link, const struct link_settings *settings)
{
	int error = 0;

	mutex_lock(&link_lock);
	if (settings->pcap != link->settings.pcap)
		error = pcap_resize(&link->pcap, settings->pcap);
	if (!error)
		apply(link, settings);
	mutex_unlock(&link_lock);
	return error;
}
