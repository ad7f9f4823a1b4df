/*
 * The Internet checksum (RFC 1071): the 16-bit one's complement sum of the data. A sum of 64-bit words with the
 * carries added back in is the same sum, four words at a time; and it does not matter that this CPU's bytes stand
 * the other way round, as long as they do on the way in and on the way out.
 *
 * Step 6. Any context; no state.
 */
#include <net/checksum.h>

#define CHUNK 64

struct chunk {
	u64 word[CHUNK / sizeof(u64)];
};
typedef u64 __attribute__((may_alias, aligned(1))) any_u64;
typedef u32 __attribute__((may_alias, aligned(1))) any_u32;
typedef u16 __attribute__((may_alias, aligned(1))) any_u16;

static inline u64 add_chunk(u64 sum, const u8 *data)
{
	__asm__("addq 0(%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq 16(%1), %0\n\t"
		"adcq 24(%1), %0\n\t"
		"adcq 32(%1), %0\n\t"
		"adcq 40(%1), %0\n\t"
		"adcq 48(%1), %0\n\t"
		"adcq 56(%1), %0\n\t"
		"adcq $0, %0"
		: "+r"(sum)
		: "r"(data), "m"(*(const struct chunk *)data)
		: "cc");
	return sum;
}

/* The last bytes, fewer than a word; those that are missing count as 0. */
static inline u64 load_rest(const u8 *data, size_t length)
{
	u64 rest = 0;

	if (length & 1)
		rest = data[length - 1];
	if (length & 2)
		rest = rest << 16 | *(const any_u16 *)(data + (length & 4));
	if (length & 4)
		rest = rest << 32 | *(const any_u32 *)data;
	return rest;
}

u32 checksum_add(const void *data, size_t length, u32 sum)
{
	const u8 *at = data;
	u64 total = sum;

	for (; length >= CHUNK; length -= CHUNK, at += CHUNK)
		total = add_chunk(total, at);
	for (; length >= sizeof(u64); length -= sizeof(u64), at += sizeof(u64))
		total = checksum_add_carry(total, *(const any_u64 *)at);
	if (length)
		total = checksum_add_carry(total, load_rest(at, length));
	return checksum_fold_64(total);
}

u16 ip_checksum(const void *data, size_t length)
{
	return checksum_fold(checksum_add(data, length, 0));
}
