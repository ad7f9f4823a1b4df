/* sources: kernel/lib/hash.c kernel/lib/string.c */
/*
 * SipHash against its paper, and the spread of the cheap hashes.
 */
#include <stdlib.h>
#include <string.h>

#include <kernel/lib/hash.h>
#include <tests/unit/unit.h>

static const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };

/* Appendix A of the paper, and its reference's table: key 00 ... 0f, input 00 01 02 ... */
TEST(siphash_vectors)
{
	static const struct {
		size_t len;
		u64 hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd },  { 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 *input = malloc(vectors[i].len);

		for (size_t k = 0; k < vectors[i].len; k++)
			input[k] = (u8)k;
		CHECK_EQ(siphash(input, vectors[i].len, &key), vectors[i].hash);
		free(input);
	}
}

TEST(siphash_does_not_care_for_alignment)
{
	u8 area[64 + 8];
	u64 expected = 0;

	for (size_t shift = 0; shift < 8; shift++) {
		for (size_t i = 0; i < 45; i++)
			area[shift + i] = (u8)(i * 7);
		u64 hash = siphash(area + shift, 45, &key);

		if (!shift)
			expected = hash;
		CHECK_EQ(hash, expected);
	}
}

TEST(siphash_depends_on_every_bit)
{
	u8 input[24] = { 0 };
	struct siphash_key other = key;
	u64 plain = siphash(input, sizeof(input), &key);

	for (size_t bit = 0; bit < 8 * sizeof(input); bit++) {
		input[bit / 8] ^= 1 << bit % 8;
		CHECK(siphash(input, sizeof(input), &key) != plain);
		input[bit / 8] ^= 1 << bit % 8;
	}
	for (size_t bit = 0; bit < 128; bit++) {
		other.word[bit / 64] ^= BIT(bit % 64);
		CHECK(siphash(input, sizeof(input), &other) != plain);
		other.word[bit / 64] ^= BIT(bit % 64);
	}
}

/* Keys in a row, or a page apart, as counters and addresses are: no bucket gets far too many. */
static void check_spread(u64 first, u64 step, bool wide)
{
	enum { BITS = 10, BUCKETS = 1 << BITS, KEYS = 16 * BUCKETS };
	static int count[BUCKETS];

	memset(count, 0, sizeof(count));
	for (u64 i = 0; i < KEYS; i++) {
		u64 value = first + i * step;
		u32 hash = wide ? hash_u64(value, BITS) : hash_u32((u32)value, BITS);

		CHECK(hash < BUCKETS);
		CHECK(++count[hash] <= 3 * KEYS / BUCKETS);
	}
}

TEST(cheap_hashes_spread)
{
	check_spread(0, 1, false);
	check_spread(0x0a000200, 1, false);
	check_spread(0, 8, false);
	check_spread(0, 1, true);
	check_spread(0xffff888000000000, 64, true);
	check_spread(0xffff888000000000, 4096, true);
}

TEST(cheap_hashes_at_their_limits)
{
	CHECK_EQ(hash_u32(1, 32), GOLDEN_RATIO_32);
	CHECK_EQ(hash_u32(1, 1), 1);
	CHECK_EQ(hash_u64(1, 32), GOLDEN_RATIO_64 >> 32);
	CHECK_EQ(hash_u64(1, 1), 1);
	CHECK_EQ(hash_ptr((void *)1, 8), GOLDEN_RATIO_64 >> 56);
}
