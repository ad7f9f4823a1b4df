/* sources: tests/unit/net_shim.c tests/unit/net_shim_dev.c net/skbuff.c net/checksum.c fs/iov_iter.c kernel/lib/string.c */
#include "net_shim.h"

#include <string.h>
#include <sys/mman.h>

#include "unit.h"

#include <net/ip.h>

#define SIZE 9000

static u8 bytes[SIZE], copy[SIZE];

static void start(void)
{
	net_shim_dev_boot();
	for (u32 i = 0; i < SIZE; i++)
		bytes[i] = (u8)unit_random();
}

/* The plain way: 16 bits at a time. */
static u16 reference(const u8 *data, size_t size, u32 start)
{
	u64 sum = start;

	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? (u32)data[i] << 8 : data[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

/* Modulo 65535, where 0 and 0xffff are one. */
static bool same_sum(u16 a, u16 b)
{
	return a % 0xffff == b % 0xffff;
}

/* The data ends where the mapping ends: a byte too many faults. */
TEST(a_checksum_is_right_for_each_length_and_alignment_and_reads_no_further)
{
	u8 *page = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	start();
	CHECK(!mprotect(page + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	for (u32 length = 0; length < 300; length++) {
		u8 *data = page + 2 * PAGE_SIZE - length;

		memcpy(data, bytes + length, length);
		CHECK_EQ(ip_checksum(data, length), reference(data, length, 0));
		CHECK(same_sum(checksum_fold(checksum_add(data, length, 0x12345678)),
			       reference(data, length, 0x12345678)));
	}
	memset(page, 0xff, 2 * PAGE_SIZE);
	CHECK_EQ(ip_checksum(page, 2 * PAGE_SIZE), 0);
	munmap(page, 3 * PAGE_SIZE);
}

/* RFC 1071's own example, and a header off the wire. */
TEST(known_checksums_come_out)
{
	static const u8 example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	static const u8 header[] = { 0x45, 0,	 0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
				     0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7 };

	CHECK_EQ(ip_checksum(example, 8), htons(0x220d));
	CHECK_EQ(ip_checksum(header, 20), 0);
	CHECK_EQ(checksum_fold(checksum_pseudo(htonl(0xc0a80001), htonl(0xc0a800c7), 17, 0x5f)),
		 (u16)~htons(0x8289));
}

TEST(headers_are_pushed_and_pulled)
{
	u64 before;
	struct sk_buff *skb;

	start();
	before = net_shim_in_use();
	skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	CHECK_EQ(skb_headroom(skb), MAX_HEADER);
	CHECK_EQ(skb_tailroom(skb), SKB_SIZE - MAX_HEADER);
	memcpy(skb_append(skb, 10), bytes, 10);
	*(u8 *)skb_push(skb, 1) = 7;
	CHECK_EQ(skb->len, 11);
	CHECK_EQ(skb->data[0], 7);
	skb_pull(skb, 3);
	CHECK_EQ(skb->data[0], bytes[2]);
	skb_trim(skb, 4);
	CHECK_EQ(skb->len, 4);
	skb_put(skb_get(skb));
	skb_put(skb);
	CHECK_EQ(net_shim_in_use(), before);
}

static void check_holds(const struct sk_buff *skb, const u8 *expected, u32 size)
{
	u32 from = unit_random_below(size + 1), some = unit_random_below(size - from + 1);
	struct iovec iov;
	struct iov_iter iter;

	CHECK_EQ(skb->len, size);
	CHECK(skb_copy_bits(skb, 0, copy, size));
	CHECK(!memcmp(copy, expected, size));
	CHECK(skb_copy_bits(skb, from, copy, some));
	CHECK(!memcmp(copy, expected + from, some));
	CHECK(!skb_copy_bits(skb, from, copy, size - from + 1));
	CHECK(!skb_copy_bits(skb, size + 1, copy, 0));
	iov_iter_user(&iter, &iov, copy, SIZE);
	CHECK_EQ(skb_copy_to_iter(skb, from, &iter, some), some);
	CHECK(!memcmp(copy, expected + from, some));
	CHECK(same_sum(checksum_fold(skb_checksum(skb, from, some, 99)),
		       reference(expected + from, some, 99)));
}

/* Whatever the pieces, the bytes are the same as in one. */
TEST(bytes_in_pieces_behave_as_bytes_in_a_row)
{
	u64 before;

	start();
	before = net_shim_in_use();
	for (u32 round = 0; round < 3000; round++) {
		u32 size = 1 + unit_random_below(SIZE / 2), begin = 0;
		struct sk_buff *skb = net_shim_scattered(
			bytes, size, unit_random_below(size < 1500 ? size : 1500));

		check_holds(skb, bytes, size);
		for (u32 step = 0; step < 6 && size; step++) {
			u32 some = unit_random_below(size + 1), headlen = skb_headlen(skb);
			struct sk_buff *clone;

			switch (unit_random_below(4)) {
			case 0:
				skb_trim(skb, some);
				size = some;
				break;
			case 1:
				skb_eat(skb, some);
				begin += some;
				size -= some;
				break;
			case 2:
				if (skb_may_pull(skb, some))
					CHECK(!memcmp(skb->data, bytes + begin, some));
				else
					CHECK(some > SKB_SIZE - skb_headroom(skb));
				CHECK(skb_headlen(skb) >= headlen);
				break;
			case 3:
				clone = skb_clone(skb, GFP_ATOMIC);
				skb_put(skb);
				skb = clone;
			}
			check_holds(skb, bytes + begin, size);
		}
		CHECK(!skb_may_pull(skb, size + 1));
		skb_put(skb);
	}
	CHECK_EQ(net_shim_in_use(), before);
}

TEST(a_clone_that_finds_no_memory_leaves_nothing)
{
	struct sk_buff *skb, *clone;
	u64 before;

	start();
	skb = net_shim_scattered(bytes, 6000, 100);
	before = net_shim_in_use();
	for (u32 nth = 1;; nth++) {
		net_shim_fail_nth(nth);
		clone = skb_clone(skb, GFP_ATOMIC);
		if (clone)
			break;
		CHECK(net_shim_failed());
		CHECK_EQ(net_shim_in_use(), before);
	}
	net_shim_fail_nth(0);
	check_holds(clone, bytes, 6000);
	skb_put(clone);
	skb_put(skb);
}

TEST(data_from_a_program_fills_the_tail_then_pages)
{
	struct sk_buff *skb;
	struct iovec iov;
	struct iov_iter iter;
	u64 before;

	start();
	before = net_shim_in_use();
	skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	iov_iter_user(&iter, &iov, bytes, SIZE);
	CHECK_EQ(skb_append_from_iter(skb, &iter, SIZE), 0);
	check_holds(skb, bytes, SIZE);
	CHECK_EQ(skb->nr_frags, 2);
	skb_put(skb);

	for (u32 nth = 1; nth <= 2; nth++) {
		skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
		iov_iter_user(&iter, &iov, bytes, SIZE);
		net_shim_fail_nth(nth);
		CHECK_EQ(skb_append_from_iter(skb, &iter, SIZE), -105);
		skb_put(skb);
	}
	CHECK_EQ(net_shim_in_use(), before);
}

TEST(a_partial_checksum_is_completed_in_software)
{
	start();
	for (u32 round = 0; round < 200; round++) {
		u32 size = 20 + unit_random_below(4000), pseudo = (u32)unit_random() & 0xffff;
		struct sk_buff *skb = net_shim_scattered(bytes, size, 20);

		skb->csum_start = (u16)(skb_headroom(skb) + 4);
		skb->csum_offset = 6;
		*(u16 *)(skb->data + 10) = (u16)pseudo;
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb_checksum_help(skb);
		CHECK_EQ(skb->ip_summed, CHECKSUM_NONE);
		CHECK(*(u16 *)(skb->data + 10) != 0);
		CHECK(skb_copy_bits(skb, 4, copy, size - 4));
		CHECK(same_sum(reference(copy, size - 4, pseudo),
			       (u16)~reference(bytes + 10, 0, 0)));
		skb_put(skb);
	}
}

TEST(only_udp_writes_all_ones_for_a_checksum_of_0)
{
	static const char zeros[64];

	start();
	for (u32 offset = 6; offset <= 16; offset += 10) { /* UDP's, TCP's */
		struct sk_buff *skb = net_shim_scattered(zeros, sizeof(zeros), sizeof(zeros));

		skb->csum_start = (u16)skb_headroom(skb);
		skb->csum_offset = (u16)offset;
		*(u16 *)(skb->data + offset) = 0xffff;
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb_checksum_help(skb);
		CHECK_EQ(*(u16 *)(skb->data + offset), offset == 6 ? 0xffff : 0);
		skb_put(skb);
	}
}

TEST(packet_memory_has_a_cap_and_a_reserve_for_softirqs)
{
	struct skb_queue queue;
	struct skb_stats stats;
	struct sk_buff *skb;
	u32 kernel, atomic;
	u64 max;

	start();
	max = skb_max_memory;
	skb_max_memory = 2 * MiB;
	skb_queue_init(&queue);
	while ((skb = skb_alloc(0, GFP_KERNEL)))
		skb_queue_tail(&queue, skb);
	kernel = queue.count;
	while ((skb = skb_alloc(0, GFP_ATOMIC)))
		skb_queue_tail(&queue, skb);
	atomic = queue.count - kernel;
	CHECK(!skb_page_alloc(GFP_ATOMIC));
	skb_stats_read(&stats);
	CHECK_EQ(stats.buffers, queue.count);
	CHECK_EQ(stats.refused, 3);
	CHECK(kernel * SKB_OBJECT_SIZE <= 7 * MiB / 4 && kernel * SKB_OBJECT_SIZE > 6 * MiB / 4);
	CHECK(atomic * SKB_OBJECT_SIZE >= MiB / 8);
	skb_queue_purge(&queue);
	skb_stats_read(&stats);
	CHECK_EQ(stats.buffers, 0);
	skb_max_memory = max;
}

TEST(what_waits_leaves_room_for_what_comes)
{
	struct skb_queue queue;
	struct skb_stats stats;
	u64 max, refused;

	start();
	max = skb_max_memory;
	skb_max_memory = 4 * MiB;
	skb_stats_read(&stats);
	refused = stats.refused;
	skb_queue_init(&queue);
	while (skb_may_wait(1)) /* somebody who has some */
		skb_queue_tail(&queue, skb_alloc(0, GFP_ATOMIC));
	skb_stats_read(&stats);
	CHECK(stats.buffers * SKB_OBJECT_SIZE > 5 * MiB / 2 &&
	      stats.buffers * SKB_OBJECT_SIZE <= 3 * MiB + SKB_OBJECT_SIZE);
	while (skb_may_wait(0)) /* somebody who has none */
		skb_queue_tail(&queue, skb_alloc(0, GFP_ATOMIC));
	skb_stats_read(&stats);
	CHECK(stats.buffers * SKB_OBJECT_SIZE <= 7 * MiB / 2 + SKB_OBJECT_SIZE);
	CHECK(!skb_may_wait(1));
	CHECK_EQ(stats.refused, refused);
	skb_queue_purge(&queue);
	CHECK(skb_may_wait(1));
	skb_max_memory = max;
}

static u32 destroyed;
static void count_destroyed(struct sk_buff *skb)
{
	destroyed += skb->truesize;
}

TEST(the_destructor_sees_the_charge_once)
{
	struct sk_buff *skb;

	start();
	destroyed = 0;
	skb = skb_alloc(0, GFP_KERNEL);
	skb->destructor = count_destroyed;
	skb_put(skb_get(skb));
	CHECK_EQ(destroyed, 0);
	skb_put(skb);
	CHECK_EQ(destroyed, SKB_OBJECT_SIZE);
}
