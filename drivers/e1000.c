/*
 * The e1000 at work: the hard interrupt, the poll that takes frames off the receive ring, and the transmit ring.
 * Steps 1 ... 5 of the journey, and the answer's last.
 *
 * Receiving. Each descriptor of the ring names a packet buffer. The device writes a frame into it and sets DD;
 * poll() hands that buffer up and puts a fresh one in. It owns the descriptors from RDH up to RDT, less one that
 * tells a full ring from an empty one. We move RDT by the batch: QEMU wakes its main loop at each write.
 *
 * Sending. xmit() fills in descriptors from `head` on, flush() tells the device by writing TDT. Only the last
 * descriptor of such a batch asks for DD: when it is set, all before it have left too. Most often (in QEMU always)
 * that is so at once, and flush() gives the buffers back; else the device is asked to interrupt for the rest.
 *
 * Context: hard IRQ (e1000_interrupt), softirq (poll), softirq and process (sending).
 * Locks: dev->tx_lock for the transmit ring; the receive ring is poll()'s own, and NAPI runs one at a time.
 */
#include <drivers/e1000.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/trace.h>
#include <net/ip.h>

#define RX_CAUSES (INT_RXT0 | INT_RXDMT0 | INT_RXO | INT_LSC)

/* RDT is written once so many descriptors are ready, as a share of the ring. */
#define RDT_SHARE 8

/* What a frame takes at most: a context, the linear part, its frags. */
#define MAX_TX_DESCS (2 + MAX_SKB_FRAGS)

/* RFC 9293 3.1: in a TCP header */
#define TCP_DATA_OFFSET 12
#define TCP_CHECKSUM	16

/* ---- steps 2 and 3: the hard interrupt ---------------------------------------------------------------- */

/* Reading ICR acknowledges. 0: it was another device on this line. */
void e1000_interrupt(void *arg)
{
	struct e1000 *nic = arg;
	u32 icr = e1000_read(nic, E1000_ICR);

	if (!icr)
		return;
	e1000_write(nic, E1000_IMC, INT_ALL);
	trace(NIC_IRQ, icr);
	if (icr & INT_LSC)
		__atomic_or_fetch(&nic->events, INT_LSC, __ATOMIC_RELAXED);
	napi_schedule(&nic->napi);
}

/* Transmit interrupts only while there is something to wait for. */
void e1000_unmask(struct e1000 *nic)
{
	bool sending = READ_ONCE(nic->dev.tx_sent) != READ_ONCE(nic->dev.tx_done);

	e1000_write(nic, E1000_IMS, RX_CAUSES | (sending ? INT_TXDW : 0));
}

/* ---- step 5: receiving ---------------------------------------------------------------------------------- */

bool e1000_rx_pending(struct napi *napi)
{
	struct e1000 *nic = container_of(napi, struct e1000, napi);

	return READ_ONCE(nic->rx.descs[nic->rx.next].status) & RXD_DD;
}

/* Whole, sound, and long enough to have a header? */
static inline bool frame_is_good(struct e1000 *nic, const struct e1000_rx_desc *desc)
{
	if (likely(desc->status & RXD_EOP && !(desc->errors & RXD_ERR_FRAME) &&
		   desc->length >= ETH_HLEN && desc->length <= RX_BUFFER_SIZE))
		return true;
	nic->dev.counts.rx_errors++;
	return false;
}

/* Swap the buffer that the frame is in for a fresh one; NULL: there is none, so the frame's stays. */
static inline struct sk_buff *take_frame(struct e1000 *nic, struct e1000_rx_desc *desc,
					 struct sk_buff **slot)
{
	struct sk_buff *skb = *slot, *fresh = skb_alloc(RX_HEADROOM, GFP_ATOMIC);

	if (unlikely(!fresh)) {
		nic->rx_no_buffer++;
		return NULL;
	}
	*slot = fresh;
	desc->address = e1000_dma(fresh->data);
	skb->len = desc->length;
	skb->dev = &nic->dev;
	if (!(desc->status & RXD_IXSM) && desc->status & RXD_TCPCS && !(desc->errors & RXD_ERR_SUM))
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	return skb;
}

static inline void tell_rx_tail(struct e1000 *nic)
{
	struct e1000_rx_ring *ring = &nic->rx;

	if (((ring->next - ring->told) & ring->mask) < (ring->mask + 1) / RDT_SHARE)
		return;
	ring->told = ring->next;
	smp_wmb(); /* the descriptors, then the tail */
	e1000_write(nic, E1000_RDT, (ring->next - 1) & ring->mask);
}

static int receive(struct e1000 *nic, int budget)
{
	struct e1000_rx_ring *ring = &nic->rx;
	u64 now = clock_ns();
	int frames = 0;

	while (frames < budget) {
		u32 index = ring->next;
		struct e1000_rx_desc *desc = &ring->descs[index];
		struct sk_buff *skb = NULL;

		if (!(READ_ONCE(desc->status) & RXD_DD))
			break;
		smp_rmb(); /* DD, then what it vouches for */
		if (frame_is_good(nic, desc))
			skb = take_frame(nic, desc, &ring->buffers[index]);
		desc->status = 0;
		ring->next = (index + 1) & ring->mask;
		frames++;
		if (unlikely(!skb))
			continue;
		nic->dev.counts.rx_packets++;
		nic->dev.counts.rx_bytes += skb->len;
		skb->tstamp = now;
		netif_receive_skb(skb);
	}
	if (frames) {
		nic->napi.last_frame = now;
		tell_rx_tail(nic);
	}
	return frames;
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static inline u32 tx_room(const struct e1000_tx_ring *ring)
{
	return (ring->clean - ring->head - 1) & ring->mask;
}

static inline union e1000_tx_desc *next_desc(struct e1000_tx_ring *ring)
{
	union e1000_tx_desc *desc = &ring->descs[ring->head];

	ring->head = (ring->head + 1) & ring->mask;
	return desc;
}

static inline bool has_left(const struct e1000_tx_ring *ring, u32 last)
{
	return READ_ONCE(ring->descs[last].data.status) & TXD_DD;
}

/* The frames before `end` have left: how many. */
static inline u64 free_frames(struct e1000_tx_ring *ring, u32 end)
{
	u32 at = ring->clean, mask = ring->mask;
	u64 frames = 0;

	do {
		struct sk_buff *skb = ring->buffers[at];

		if (likely(skb)) {
			ring->buffers[at] = NULL;
			frames++;
			skb_put(skb);
		}
		at = (at + 1) & mask;
	} while (at != end);
	ring->clean = end;
	return frames;
}

/* Batch by batch, as far as they have left. Under tx_lock. */
static noinline void reclaim(struct e1000 *nic)
{
	struct e1000_tx_ring *ring = &nic->tx;

	while (ring->clean != ring->batch) {
		u32 last = ring->batch_end[ring->clean];

		if (!has_left(ring, last))
			break;
		nic->dev.tx_done += free_frames(ring, (last + 1) & ring->mask);
	}
	if (tx_room(ring) >= MAX_TX_DESCS)
		nic->dev.tx_stopped = false;
}

void e1000_flush(struct netdev *dev)
{
	struct e1000 *nic = e1000_of(dev);
	struct e1000_tx_ring *ring = &nic->tx;
	u32 last = (ring->head - 1) & ring->mask;

	if (ring->head == ring->batch)
		return;
	ring->descs[last].data.command |= TXD_RS;
	ring->batch_end[ring->batch] = last;
	ring->batch = ring->head;
	smp_wmb(); /* the descriptors, then the tail */
	e1000_write(nic, E1000_TDT, ring->head);
	if (likely(has_left(ring, last))) {
		free_frames(ring, ring->head);
		dev->tx_done = dev->tx_sent;
		dev->tx_stopped = false;
		return;
	}
	reclaim(nic);
	e1000_write(nic, E1000_IMS, INT_TXDW);
}

/* The device keeps the context until the next: written only when another is needed. */
static inline void set_context(struct e1000_tx_ring *ring, const struct e1000_context *wanted,
			       u32 payload)
{
	struct e1000_context *now = &ring->context;
	struct e1000_context_desc *desc;

	if (likely(now->sums == wanted->sums && now->command == wanted->command &&
		   now->mss == wanted->mss && now->header_length == wanted->header_length))
		return;
	*now = *wanted;
	/* That the payload's length is the same, too, cannot be relied upon. */
	if (wanted->mss)
		now->mss = 0;
	desc = &next_desc(ring)->context;
	memcpy(desc, &wanted->sums, sizeof(wanted->sums));
	desc->command = wanted->command | TXD_DEXT | payload;
	desc->status = 0;
	desc->header_length = wanted->header_length;
	desc->mss = wanted->mss;
}

static inline u64 context_sums(const struct sk_buff *skb)
{
	u32 base = skb_headroom(skb);
	u8 start = (u8)(skb->csum_start - base);

	return (u64)start << 32 | (u64)(u8)(start + skb->csum_offset) << 40;
}

/* One sum over the whole frame's end. */
static inline void ask_for_checksum(struct e1000_tx_ring *ring, const struct sk_buff *skb)
{
	struct e1000_context wanted = { .sums = context_sums(skb) };

	set_context(ring, &wanted, 0);
}

/* The device writes lengths, numbers and sums of each frame; it wants those fields without the length. */
static void ask_for_segments(struct e1000_tx_ring *ring, struct sk_buff *skb)
{
	struct iphdr *ip = ip_hdr(skb);
	u8 *tcp = skb_transport_header(skb);
	u32 ip_start = (u32)((u8 *)ip - skb->data), ip_length = IP_HLEN(ip);
	u32 headers = (u32)(tcp - skb->data) + (tcp[TCP_DATA_OFFSET] >> 4) * 4;
	struct e1000_context wanted = {
		.sums = context_sums(skb) | ip_start |
			(ip_start + offsetof(struct iphdr, checksum)) << 8 |
			(u64)(ip_start + ip_length - 1) << 16,
		.command = TXD_TSE | TXD_IP | TXD_TCP,
		.header_length = (u8)headers,
		.mss = skb->gso_size,
	};

	ip->total_length = 0;
	ip->checksum = 0;
	*(u16 *)(tcp + TCP_CHECKSUM) =
		(u16)~checksum_fold(checksum_pseudo(ip->saddr, ip->daddr, ip->protocol, 0));
	set_context(ring, &wanted, skb->len - headers);
}

static inline void put_piece(struct e1000_tx_ring *ring, phys_addr_t address, u32 command,
			     u32 options)
{
	struct e1000_data_desc *desc = &next_desc(ring)->data;

	desc->address = address;
	desc->command = command;
	desc->status = options;
}

/* What the device is to do to the frame besides sending it: in its descriptors' command and options. */
static inline u32 ask_for_offloads(struct e1000_tx_ring *ring, struct sk_buff *skb, u32 *command)
{
	if (skb->gso_size) {
		ask_for_segments(ring, skb);
		*command |= TXD_TSE;
		return TXD_POPTS_TXSM | TXD_POPTS_IXSM;
	}
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	ask_for_checksum(ring, skb);
	return TXD_POPTS_TXSM;
}

static noinline void put_frags(struct e1000_tx_ring *ring, const struct sk_buff *skb, u32 command,
			       u32 options)
{
	u32 last = skb->nr_frags - 1U;

	for (u32 i = 0; i <= last; i++) {
		const struct skb_frag *frag = &skb->frags[i];

		put_piece(ring, page_to_phys(frag->page) + frag->offset,
			  command | frag->size | (i == last ? TXD_EOP : 0), options);
	}
}

bool e1000_xmit(struct netdev *dev, struct sk_buff *skb)
{
	struct e1000 *nic = e1000_of(dev);
	struct e1000_tx_ring *ring = &nic->tx;
	u32 command = TXD_DEXT | TXD_DTYP_DATA | TXD_IFCS, options;

	if (unlikely(tx_room(ring) < MAX_TX_DESCS)) {
		e1000_flush(dev);
		if (tx_room(ring) < MAX_TX_DESCS)
			return false;
	}
	options = ask_for_offloads(ring, skb, &command);
	put_piece(ring, e1000_dma(skb->data),
		  command | skb_headlen(skb) | (skb->nr_frags ? 0 : TXD_EOP), options);
	if (skb->nr_frags)
		put_frags(ring, skb, command, options);
	ring->buffers[(ring->head - 1) & ring->mask] = skb;
	dev->tx_sent++;
	return true;
}

/* Frames that were still on the ring when it was flushed. */
static noinline void finish_sending(struct e1000 *nic)
{
	struct netdev *dev = &nic->dev;

	spin_lock(&dev->tx_lock);
	reclaim(nic);
	netdev_wake_queue(dev);
	spin_unlock(&dev->tx_lock);
}

/* ---- the poll ------------------------------------------------------------------------------------------------ */

static inline void handle_events(struct e1000 *nic, u32 icr)
{
	if (unlikely((icr | READ_ONCE(nic->events)) & INT_LSC)) {
		__atomic_and_fetch(&nic->events, ~(u32)INT_LSC, __ATOMIC_RELAXED);
		e1000_check_link(nic);
	}
}

/*
 * The causes of frames that were just taken are read away, or unmasking would interrupt for them once more. A
 * frame that comes after the read has its cause set again; one that came before it is seen by the last look.
 */
int e1000_poll(struct napi *napi, int budget)
{
	struct e1000 *nic = container_of(napi, struct e1000, napi);
	int frames;

	if (unlikely(READ_ONCE(nic->dev.tx_sent) != READ_ONCE(nic->dev.tx_done)))
		finish_sending(nic);
	frames = receive(nic, budget);
	if (frames == budget)
		return frames;
	handle_events(nic, e1000_read(nic, E1000_ICR));
	if (e1000_rx_pending(napi))
		frames += receive(nic, budget - frames);
	if (frames < budget && napi_complete(napi))
		e1000_unmask(nic);
	return frames;
}
