/*
 * Packet buffers. One structure, one allocation: the header is followed by room for a whole Ethernet frame,
 * which is what the NIC's DMA writes into and what the socket's receive queue holds in the end. Steps 1, 5 ... 8.
 *
 *	struct sk_buff | headroom | linear data | tailroom |   frags: pieces of pages     next_part: more buffers
 *	               ^head      ^data         ^skb_tail()    (bulk sends, sendfile)     (reassembled, coalesced)
 *
 * `len` counts linear data, frags and all further parts. Headers are pushed in front of `data` on the way down
 * and pulled off it on the way up.
 *
 * A buffer belongs to whoever holds a reference. Only the holder of the only reference may change it; so TCP
 * keeps one while the NIC sends the other, and does not retransmit before the NIC has given its own back.
 */
#pragma once

#include <fs/iov_iter.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/list.h>
#include <kernel/mm/page.h>
#include <net/checksum.h>

struct netdev;
struct sock;

#define SKB_OBJECT_SIZE 2688 /* three to a pair of pages */
#define SKB_HEAD_OFFSET 448  /* of `head` in it */
#define SKB_SIZE	(SKB_OBJECT_SIZE - SKB_HEAD_OFFSET)
#define MAX_SKB_FRAGS	17 /* 64 KiB in pages, not aligned */

/* Room for every header that may be pushed: Ethernet 14, IP 60, TCP 60, and the IP header on a multiple of 4. */
#define MAX_HEADER 144
/* Before a received frame: a cache line, and 2 bytes that put the IP header on a multiple of 4. */
#define RX_HEADROOM    66
#define RX_BUFFER_SIZE 2048 /* what is left for the NIC at least */

struct skb_frag {
	struct page *page; /* a reference */
	u32 offset, size;
};

enum skb_pkt_type { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST };

enum skb_checksum {
	CHECKSUM_NONE,	      /* received: not verified. To send: already in the packet, or none */
	CHECKSUM_UNNECESSARY, /* received: verified, or from this machine */
	/* To send: the sum from csum_start on is to be put at csum_start + csum_offset, where the
	 * pseudo-header's sum stands already. By the NIC, or by skb_checksum_help(). */
	CHECKSUM_PARTIAL,
};

struct sk_buff {
	struct list_head
		link; /* a queue: of the sender until it lets go, then of whoever holds it */
	u32 refcount; /* atomic */
	u32 len;      /* bytes in all */
	u32 data_len; /* of them not in the linear part */
	u32 truesize; /* memory that it takes; what sockets are charged */
	u8 *data;     /* first byte of the linear part */
	struct sk_buff *next_part;
	struct sk_buff *chain_next; /* struct skb_chain */
	struct netdev *dev;	    /* that it came from, or leaves by */
	struct sock *sk;	    /* that is charged for it; no reference: destructor undoes it */
	void (*destructor)(struct sk_buff *skb);
	u64 tstamp; /* clock_ns() when the driver took it off its ring, or TCP sent it */
	/* where the headers are, from `head` */
	u16 mac_header, network_header, transport_header;
	be16 protocol; /* ETH_P_* */
	u8 pkt_type;   /* enum skb_pkt_type */
	u8 ip_summed;  /* enum skb_checksum */
	u8 nr_frags;
	u8 priority;	/* IP_TOS's, for the queue */
	u16 csum_start; /* from `head` */
	u16 csum_offset;
	u16 gso_size; /* payload bytes a segment; 0: it is one packet as it is */
	u16 gso_segs;
	u64 cb[8]; /* whichever layer holds it now */
	struct skb_frag frags[MAX_SKB_FRAGS];
	u8 head[] __aligned(64);
};
static_assert(__builtin_offsetof(struct sk_buff, head) == SKB_HEAD_OFFSET,
	      "the object's parts are as skbuff.h says");
static_assert(SKB_SIZE >= RX_HEADROOM + RX_BUFFER_SIZE, "the NIC may write a whole buffer");

/* ---- life ---------------------------------------------------------------------------------------- */

/* Empty, with `headroom` bytes before data. NULL: no memory, or the cap on all packet memory is reached
 * (counted). Any context but hard IRQ. */
static inline struct sk_buff *skb_alloc(u32 headroom, gfp_t gfp) __must_check;
struct sk_buff *skb_alloc_raw(gfp_t gfp) __must_check; /* nothing in it is set */
static inline struct sk_buff *skb_alloc(u32 headroom, gfp_t gfp)
{
	struct sk_buff *skb = skb_alloc_raw(gfp);

	if (unlikely(!skb))
		return NULL;
	skb->refcount = 1;
	skb->len = 0;
	skb->data_len = 0;
	skb->truesize = SKB_OBJECT_SIZE;
	skb->data = skb->head + headroom;
	skb->next_part = NULL;
	skb->dev = NULL;
	skb->sk = NULL;
	skb->destructor = NULL;
	skb->tstamp = 0;
	skb->mac_header = skb->network_header = skb->transport_header = 0;
	skb->protocol = 0;
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_NONE;
	skb->nr_frags = 0;
	skb->priority = 0;
	skb->csum_start = skb->csum_offset = 0;
	skb->gso_size = skb->gso_segs = 0;
	return skb;
}
static inline struct sk_buff *skb_get(struct sk_buff *skb)
{
	__atomic_add_fetch(&skb->refcount, 1, __ATOMIC_RELAXED);
	return skb;
}
void skb_release(struct sk_buff *skb); /* the last reference is gone */
static inline void skb_put(struct sk_buff *skb)
{
	if (READ_ONCE(skb->refcount) == 1 ||
	    __atomic_sub_fetch(&skb->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		skb_release(skb);
}
static inline bool skb_shared(const struct sk_buff *skb)
{
	return __atomic_load_n(&skb->refcount, __ATOMIC_ACQUIRE) != 1;
}
/* Another buffer with the same bytes: the linear part is copied, frags are shared. Not charged to anybody. */
struct sk_buff *skb_clone(struct sk_buff *skb, gfp_t gfp) __must_check;
/* A page for frags, refcount 1, within the same cap. NULL: none. Given back by skb_page_put(). */
struct page *skb_page_alloc(gfp_t gfp) __must_check;
void skb_page_put(struct page *page);

/* /proc/net/skbuff, and tests that count: buffers in use (those of rings too), pages in frags, the cap,
 * allocations that it refused. */
struct skb_stats {
	u64 buffers, pages, max_memory, refused;
};
void skb_stats_read(struct skb_stats *stats);
extern u64 skb_max_memory;   /* /proc/sys/net/core/skb_max_memory, bytes */
extern u64 skb_memory_taken; /* atomic: bytes out of the cap, spent or in CPUs' credit */
#define SKB_SCARCE_SHARE 4   /* when only one part in so many is left, what waits is kept short */
/* Is there memory for one more on a receive queue that holds so many bytes? */
bool skb_may_wait_scarce(u32 queued);
static inline bool skb_may_wait(u32 queued)
{
	return likely(READ_ONCE(skb_memory_taken) * SKB_SCARCE_SHARE <=
		      READ_ONCE(skb_max_memory) * (SKB_SCARCE_SHARE - 1)) ||
	       skb_may_wait_scarce(queued);
}
void skb_init(void);

/* ---- linear part --------------------------------------------------------------------------------- */

static inline u32 skb_headlen(const struct sk_buff *skb)
{
	return skb->len - skb->data_len;
}
static inline u8 *skb_tail(const struct sk_buff *skb)
{
	return skb->data + skb_headlen(skb);
}
static inline u32 skb_headroom(const struct sk_buff *skb)
{
	return skb->data - skb->head;
}
/* None once there are frags or parts: data must not grow in the middle. */
static inline u32 skb_tailroom(const struct sk_buff *skb)
{
	return skb->data_len ? 0 : SKB_SIZE - skb_headroom(skb) - skb->len;
}
/* Make room in front, for a header; at the end, for data. The caller knows that there is room. */
static inline void *skb_push(struct sk_buff *skb, u32 size)
{
	skb->data -= size;
	skb->len += size;
	return skb->data;
}
static inline void *skb_append(struct sk_buff *skb, u32 size)
{
	u8 *tail = skb_tail(skb);

	skb->len += size;
	return tail;
}
/* Take a header off, that is in the linear part: see skb_may_pull(). */
static inline void *skb_pull(struct sk_buff *skb, u32 size)
{
	skb->len -= size;
	return skb->data += size;
}
/* Are the first `size` bytes there, and in the linear part? Moves them there if need be. */
bool skb_pull_slow(struct sk_buff *skb, u32 size);
static inline bool skb_may_pull(struct sk_buff *skb, u32 size)
{
	return likely(size <= skb_headlen(skb)) || skb_pull_slow(skb, size);
}
/* Cut the end off (padding), or the beginning, wherever it is. */
void skb_trim(struct sk_buff *skb, u32 len);
void skb_eat(struct sk_buff *skb, u32 size);

static inline void skb_set_mac_header(struct sk_buff *skb)
{
	skb->mac_header = skb_headroom(skb);
}
static inline void skb_set_network_header(struct sk_buff *skb)
{
	skb->network_header = skb_headroom(skb);
}
static inline void skb_set_transport_header(struct sk_buff *skb)
{
	skb->transport_header = skb_headroom(skb);
}
static inline void *skb_mac_header(const struct sk_buff *skb)
{
	return (u8 *)skb->head + skb->mac_header;
}
static inline void *skb_network_header(const struct sk_buff *skb)
{
	return (u8 *)skb->head + skb->network_header;
}
static inline void *skb_transport_header(const struct sk_buff *skb)
{
	return (u8 *)skb->head + skb->transport_header;
}

/* ---- all of the data ------------------------------------------------------------------------------ */

/* The caller's reference on `page` goes to the buffer. */
void skb_add_frag(struct sk_buff *skb, struct page *page, u32 offset, u32 size);
/* One more part behind `last`, the last one so far (`skb` itself: it has none). Takes the only reference to it.
 * Parts have no parts, and count their own bytes only. */
void skb_add_part(struct sk_buff *skb, struct sk_buff *last, struct sk_buff *part);
/* Data from a program at the end: in the tailroom, then in pages. Process context. 0, -EFAULT, -ENOBUFS, -EMSGSIZE
 * (what there is of it then is the caller's to throw away). */
int skb_append_pages(struct sk_buff *skb, struct iov_iter *from, u32 size);
static inline int skb_append_from_iter(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	if (unlikely(size > skb_tailroom(skb)))
		return skb_append_pages(skb, from, size);
	return likely(copy_from_iter(skb_append(skb, size), size, from) == size) ? 0 : -EFAULT;
}
/* Room behind the last frag's last byte, if nobody else has the page, and it is no file's. */
u32 skb_frag_room(const struct sk_buff *skb);
/* Bytes from `offset` on: to kernel memory (all there, or false), or to a program (how many were copied). */
bool skb_copy_bits(const struct sk_buff *skb, u32 offset, void *to, u32 size);
size_t skb_copy_pieces_to_iter(const struct sk_buff *skb, u32 offset, struct iov_iter *to,
			       size_t size);
static inline size_t skb_copy_to_iter(const struct sk_buff *skb, u32 offset, struct iov_iter *to,
				      size_t size)
{
	if (unlikely(offset + size > skb_headlen(skb)))
		return skb_copy_pieces_to_iter(skb, offset, to, size);
	return copy_to_iter(skb->data + offset, size, to);
}
/* The Internet checksum of these bytes, not folded, added to `sum`. */
u32 skb_checksum_pieces(const struct sk_buff *skb, u32 offset, u32 size, u32 sum);
static inline u32 skb_checksum(const struct sk_buff *skb, u32 offset, u32 size, u32 sum)
{
	if (unlikely(offset + size > skb_headlen(skb)))
		return skb_checksum_pieces(skb, offset, size, sum);
	return checksum_add(skb->data + offset, size, sum);
}
/* CHECKSUM_PARTIAL done in software. The caller holds the only reference. */
void skb_checksum_help(struct sk_buff *skb);

/* ---- queues: under their owner's lock -------------------------------------------------------------- */

struct skb_queue {
	struct list_head list;
	u32 count;
};

static inline void skb_queue_init(struct skb_queue *queue)
{
	INIT_LIST_HEAD(&queue->list);
	queue->count = 0;
}
static inline bool skb_queue_empty(const struct skb_queue *queue)
{
	return list_empty(&queue->list);
}
static inline struct sk_buff *skb_peek(const struct skb_queue *queue)
{
	return skb_queue_empty(queue) ? NULL : list_first_entry(&queue->list, struct sk_buff, link);
}
static inline struct sk_buff *skb_peek_tail(const struct skb_queue *queue)
{
	return skb_queue_empty(queue) ? NULL : list_last_entry(&queue->list, struct sk_buff, link);
}
/* The neighbours of one that is in it; NULL: it is the last, the first. */
static inline struct sk_buff *skb_queue_next(const struct skb_queue *queue,
					     const struct sk_buff *skb)
{
	return skb->link.next == &queue->list ? NULL
					      : list_entry(skb->link.next, struct sk_buff, link);
}
static inline struct sk_buff *skb_queue_prev(const struct skb_queue *queue,
					     const struct sk_buff *skb)
{
	return skb->link.prev == &queue->list ? NULL
					      : list_entry(skb->link.prev, struct sk_buff, link);
}
static inline void skb_queue_tail(struct skb_queue *queue, struct sk_buff *skb)
{
	list_add_tail(&skb->link, &queue->list);
	queue->count++;
}
static inline void skb_queue_head(struct skb_queue *queue, struct sk_buff *skb)
{
	list_add(&skb->link, &queue->list);
	queue->count++;
}
static inline void skb_unlink(struct skb_queue *queue, struct sk_buff *skb)
{
	list_unlink(&skb->link);
	queue->count--;
}
static inline struct sk_buff *skb_dequeue(struct skb_queue *queue)
{
	struct sk_buff *skb = skb_peek(queue);

	if (skb)
		skb_unlink(queue, skb);
	return skb;
}
/* Everything out, and freed. */
void skb_queue_purge(struct skb_queue *queue);

/* ---- chains: buffers that wait on their way down, while `link` may still be their sender's (TCP's, until they
 * are acknowledged). Under their owner's lock. ------------------------------------------------------------- */

struct skb_chain {
	struct sk_buff *first, *last;
	u32 count;
};

static inline void skb_chain_add(struct skb_chain *chain, struct sk_buff *skb)
{
	skb->chain_next = NULL;
	if (chain->first)
		chain->last->chain_next = skb;
	else
		chain->first = skb;
	chain->last = skb;
	chain->count++;
}
static inline void skb_chain_put_back(struct skb_chain *chain, struct sk_buff *skb)
{
	skb->chain_next = chain->first;
	if (!chain->first)
		chain->last = skb;
	chain->first = skb;
	chain->count++;
}
static inline struct sk_buff *skb_chain_take(struct skb_chain *chain)
{
	struct sk_buff *skb = chain->first;

	if (skb) {
		chain->first = skb->chain_next;
		chain->count--;
	}
	return skb;
}
/* Everything off, and freed. */
static inline void skb_chain_purge(struct skb_chain *chain)
{
	struct sk_buff *skb;

	while ((skb = skb_chain_take(chain)))
		skb_put(skb);
}
