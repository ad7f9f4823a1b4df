/*
 * The Internet checksum (RFC 1071): the 16-bit one's complement sum of the data. A sum of 64-bit words with the
 * carries added back in is the same sum, four words at a time; and it does not matter that this CPU's bytes stand
 * the other way round, as long as they do on the way in and on the way out.
 *
 * Step 6. Any context; no state.
 */
#include <net/checksum.h>

#define CHUNK	   32
#define LONG_CHUNK 128

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
		"adcq $0, %0"
		: "+r"(sum)
		: "r"(data), "m"(*(const struct chunk *)data)
		: "cc");
	return sum;
}

/* The carry goes round with the loop: nothing in it but adcq changes the flag. `chunks` is not 0. */
static inline u64 add_long_chunks(u64 sum, const u8 *data, size_t chunks)
{
	__asm__("clc\n"
		"1:\t"
		"adcq 0(%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq 16(%1), %0\n\t"
		"adcq 24(%1), %0\n\t"
		"adcq 32(%1), %0\n\t"
		"adcq 40(%1), %0\n\t"
		"adcq 48(%1), %0\n\t"
		"adcq 56(%1), %0\n\t"
		"adcq 64(%1), %0\n\t"
		"adcq 72(%1), %0\n\t"
		"adcq 80(%1), %0\n\t"
		"adcq 88(%1), %0\n\t"
		"adcq 96(%1), %0\n\t"
		"adcq 104(%1), %0\n\t"
		"adcq 112(%1), %0\n\t"
		"adcq 120(%1), %0\n\t"
		"leaq 128(%1), %1\n\t"
		"decq %2\n\t"
		"jnz 1b\n\t"
		"adcq $0, %0"
		: "+r"(sum), "+r"(data), "+r"(chunks)
		:
		: "cc", "memory");
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

	if (length >= LONG_CHUNK) {
		total = add_long_chunks(total, at, length / LONG_CHUNK);
		at += length & ~(size_t)(LONG_CHUNK - 1);
		length &= LONG_CHUNK - 1;
	}
	/* The rest by the binary digits of its length. */
	if (length & 64) {
		total = add_chunk(add_chunk(total, at), at + 32);
		at += 64;
	}
	if (length & 32) {
		total = add_chunk(total, at);
		at += 32;
	}
	if (length & 16) {
		total = checksum_add_carry(total, *(const any_u64 *)at);
		total = checksum_add_carry(total, *(const any_u64 *)(at + 8));
		at += 16;
	}
	if (length & 8) {
		total = checksum_add_carry(total, *(const any_u64 *)at);
		at += 8;
	}
	if (length & 7)
		total = checksum_add_carry(total, load_rest(at, length & 7));
	return checksum_fold_64(total);
}

u16 ip_checksum(const void *data, size_t length)
{
	return checksum_fold(checksum_add(data, length, 0));
}
