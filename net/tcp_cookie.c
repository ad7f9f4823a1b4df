/*
 * SYN cookies (D. J. Bernstein, 1996): when more handshakes have begun than a listener may remember, it remembers none, and
 * puts what it must know into the sequence number of its SYN-ACK. A peer that is really there sends it back.
 *
 *	31 .. 24	23 ......................... 0
 *	minutes		a keyed hash + index of the MSS
 *	  + a keyed hash of the four, + the peer's sequence number, over all of it
 *
 * Window scale and SACK are in the low bits of our timestamp, which comes back, too. A peer without timestamps has neither.
 *
 * Context: softirq. No locks.
 */
#include <net/tcp_listen.h>

#include <kernel/lib/hash.h>
#include <kernel/random.h>

#define COOKIE_BITS 24
#define COOKIE_MASK ((1U << COOKIE_BITS) - 1)
#define MAX_AGE	    2 /* minutes */

/* Of a timestamp. */
#define OPTION_BITS 5
#define OPTION_MASK ((1U << OPTION_BITS) - 1)
#define WSCALE_MASK 15U
#define NO_WSCALE   15U
#define SACK_BIT    16U

/* The commonest, each with the ones above it that it stands for. */
static const u16 mss_table[] = { 536, 1300, 1440, 1460 };

static u32 cookie_hash(const struct tcp_four *four, u32 count, u32 which)
{
	static struct siphash_key key;
	const struct {
		struct tcp_four four;
		u32 count, which;
	} what = { *four, count, which };

	if (unlikely(!key.word[0]))
		random_fill(&key, sizeof(key));
	return siphash(&what, sizeof(what), &key);
}

static u32 minutes(void)
{
	return clock_ns() / (60 * NSEC_PER_SEC);
}

u32 tcp_cookie_make(const struct tcp_four *four, u32 irs, u16 *mss)
{
	u32 count = minutes(), index = ARRAY_SIZE(mss_table) - 1;

	while (index && mss_table[index] > *mss)
		index--;
	*mss = mss_table[index];
	return cookie_hash(four, 0, 0) + irs + (count << COOKIE_BITS) +
	       ((cookie_hash(four, count, 1) + index) & COOKIE_MASK);
}

u16 tcp_cookie_check(const struct tcp_four *four, u32 irs, u32 cookie)
{
	u32 now = minutes(), age, index;

	cookie -= cookie_hash(four, 0, 0) + irs;
	age = (now - (cookie >> COOKIE_BITS)) & 0xff;
	if (age >= MAX_AGE)
		return 0;
	index = (cookie - cookie_hash(four, now - age, 1)) & COOKIE_MASK;
	return index < ARRAY_SIZE(mss_table) ? mss_table[index] : 0;
}

u32 tcp_cookie_timestamp(const struct tcp_options *options, u32 now)
{
	u32 bits = (options->wscale < 0 ? NO_WSCALE : (u32)options->wscale) |
		   (options->sack_permitted ? SACK_BIT : 0);
	u32 timestamp = (now & ~OPTION_MASK) | bits;

	/* never from the future: the next one must not be smaller */
	return after(timestamp, now) ? timestamp - (1U << OPTION_BITS) : timestamp;
}

void tcp_cookie_options(struct tcp_options *options, u32 timestamp)
{
	u32 wscale = timestamp & WSCALE_MASK;

	options->timestamp = true;
	options->wscale = wscale == NO_WSCALE ? -1 : (s8)wscale;
	options->sack_permitted = timestamp & SACK_BIT;
}
