/*
 * SipHash-2-4: a keyed hash for short inputs. Any context; no locks, no state.
 */
#include <kernel/lib/hash.h>

#include <kernel/lib/string.h>

static inline u64 rotate_left(u64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void sip_round(u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

/* For a word; at the end there are four. */
static inline void sip_two_rounds(u64 v[4])
{
	sip_round(v);
	sip_round(v);
}

static inline void sip_word(u64 v[4], u64 word)
{
	v[3] ^= word;
	sip_two_rounds(v);
	v[0] ^= word;
}

u64 siphash(const void *data, size_t len, const struct siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes", the paper's constants, section 2.1 */
	u64 v[4] = {
		key->word[0] ^ 0x736f6d6570736575,
		key->word[1] ^ 0x646f72616e646f6d,
		key->word[0] ^ 0x6c7967656e657261,
		key->word[1] ^ 0x7465646279746573,
	};
	u64 last = (u64)len << 56; /* the bytes that fill no word, and the length on top */
	const u8 *p = data;
	u64 word;

	for (size_t rest = len; rest >= sizeof(word); rest -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_word(v, word);
	}
	for (size_t i = 0; i < len % sizeof(word); i++)
		last |= (u64)p[i] << (8 * i);
	sip_word(v, last);

	v[2] ^= 0xff;
	sip_two_rounds(v);
	sip_two_rounds(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
