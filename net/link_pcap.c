/*
 * The last frames that passed a link, as a pcap file: a ring of its records, as they stand in the file. The format is
 * that of draft-ietf-opsawg-pcap: a header, then for each frame a record header and its bytes.
 *
 * Context: softirq and process. Lock: pcap->lock (bh), the innermost.
 */
#include <net/link.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vmalloc.h>

#define PCAP_MAGIC_NS	  0xa1b23c4d /* times in nanoseconds */
#define PCAP_MAJOR	  2
#define PCAP_MINOR	  4
#define SNAP_LENGTH	  65536 /* of a frame, what is more is left out */
#define LINKTYPE_ETHERNET 1

struct pcap_file {
	u32 magic;
	u16 major, minor;
	u32 zone, accuracy; /* 0 */
	u32 snap_length, linktype;
};

struct pcap_record {
	u32 seconds, nanoseconds;
	u32 captured, length; /* bytes that follow, and that there were */
};
static_assert(sizeof(struct pcap_file) == 24 && sizeof(struct pcap_record) == 16, "pcap's headers");
static_assert(PCAP_MIN_SIZE > SNAP_LENGTH + sizeof(struct pcap_record), "the largest frame fits");

int pcap_resize(struct pcap_ring *ring, u64 size)
{
	u8 *old, *bytes = NULL;

	if (size) {
		size = max(size, PCAP_MIN_SIZE);
		bytes = vmalloc(size, GFP_KERNEL);
		if (!bytes)
			return -ENOMEM;
	}
	spin_lock_bh(&ring->lock);
	old = ring->bytes;
	ring->bytes = bytes;
	ring->begin = ring->end = ring->seen = ring->gone = 0;
	WRITE_ONCE(ring->size, size);
	spin_unlock_bh(&ring->lock);
	vfree(old);
	return 0;
}

/* From `offset` of the ring, round its end. */
static void read_ring(const struct pcap_ring *ring, u64 offset, void *to, u64 size)
{
	u64 at = offset % ring->size, first = min(size, ring->size - at);

	memcpy(to, ring->bytes + at, first);
	memcpy((u8 *)to + first, ring->bytes, size - first);
}

static void add_bytes(struct pcap_ring *ring, const void *from, u64 size)
{
	u64 at = ring->end % ring->size, first = min(size, ring->size - at);

	memcpy(ring->bytes + at, from, first);
	memcpy(ring->bytes, (const u8 *)from + first, size - first);
	ring->end += size;
}

static void add_frame(struct pcap_ring *ring, const struct sk_buff *skb, u32 size)
{
	u64 at = ring->end % ring->size;
	u32 first = min((u64)size, ring->size - at);

	skb_copy_bits(skb, 0, ring->bytes + at, first);
	skb_copy_bits(skb, first, ring->bytes, size - first);
	ring->end += size;
}

static void make_room(struct pcap_ring *ring, u64 size)
{
	struct pcap_record record;

	while (ring->size - (ring->end - ring->begin) < size) {
		read_ring(ring, ring->begin, &record, sizeof(record));
		ring->begin += sizeof(record) + record.captured;
		ring->gone++;
	}
}

void pcap_add(struct pcap_ring *ring, const struct sk_buff *skb, u64 time)
{
	struct pcap_record record = { .seconds = time / NSEC_PER_SEC,
				      .nanoseconds = time % NSEC_PER_SEC,
				      .captured = min(skb->len, (u32)SNAP_LENGTH),
				      .length = skb->len };

	if (!READ_ONCE(ring->size))
		return;
	spin_lock_bh(&ring->lock);
	if (ring->size) {
		make_room(ring, sizeof(record) + record.captured);
		add_bytes(ring, &record, sizeof(record));
		add_frame(ring, skb, record.captured);
		ring->seen++;
	}
	spin_unlock_bh(&ring->lock);
}

void *pcap_snapshot(struct pcap_ring *ring, size_t *size)
{
	const struct pcap_file header = { .magic = PCAP_MAGIC_NS,
					  .major = PCAP_MAJOR,
					  .minor = PCAP_MINOR,
					  .snap_length = SNAP_LENGTH,
					  .linktype = LINKTYPE_ETHERNET };
	u64 room = READ_ONCE(ring->size), length = 0;
	u8 *copy = vmalloc(sizeof(header) + room, GFP_KERNEL);

	if (!copy)
		return NULL;
	memcpy(copy, &header, sizeof(header));
	spin_lock_bh(&ring->lock);
	if (ring->size && ring->size <= room) {
		length = ring->end - ring->begin;
		read_ring(ring, ring->begin, copy + sizeof(header), length);
	}
	spin_unlock_bh(&ring->lock);
	*size = sizeof(header) + length;
	return copy;
}
