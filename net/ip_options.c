/*
 * IP options (RFC 791 section 3.1): checked where they come in, filled in where they ask for it. Source routes are
 * refused: nobody but an attacker sends them.
 *
 * Step 6. Context: softirq. No locks.
 */
#include <net/ip_impl.h>

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>

#define IPOPT_END	0
#define IPOPT_NOOP	1
#define IPOPT_RR	7
#define IPOPT_TIMESTAMP 68
#define IPOPT_LSRR	131
#define IPOPT_SSRR	137
#define IPOPT_COPIED	0x80 /* into every fragment */

enum { OPTION_TYPE, OPTION_LENGTH, OPTION_POINTER, OPTION_TS_FLAGS };
enum { TS_TIME_ONLY, TS_TIME_AND_ADDRESS, TS_PRESPECIFIED = 3 };

#define FIRST_RR_POINTER 4
#define FIRST_TS_POINTER 5
#define DAY		 (24 * 60 * 60 * NSEC_PER_SEC)

/* The next option at or behind `at`, which is not a NOOP. NULL: there is none. *bad: it does not fit. */
static u8 *next_option(u8 *at, const u8 *end, bool *bad)
{
	*bad = false;
	while (at < end && *at == IPOPT_NOOP)
		at++;
	if (at >= end || *at == IPOPT_END)
		return NULL;
	*bad = end - at < 2 || at[OPTION_LENGTH] < 2 || at[OPTION_LENGTH] > end - at;
	return at;
}

static u8 *options_of(struct iphdr *ip, const u8 **end)
{
	*end = (u8 *)ip + IP_HLEN(ip);
	return (u8 *)(ip + 1);
}

/* Each checks one option. The index of what is wrong in it, or 0: no option is wrong at its type. */

static u32 record_route(u8 *option, const struct iphdr *ip)
{
	u8 length = option[OPTION_LENGTH], pointer;

	if (length < 3)
		return OPTION_LENGTH;
	pointer = option[OPTION_POINTER];
	if (pointer < FIRST_RR_POINTER)
		return OPTION_POINTER;
	if (pointer > length)
		return 0; /* full */
	if (pointer + sizeof(be32) - 1 > length)
		return OPTION_POINTER;
	memcpy(option + pointer - 1, &ip->daddr, sizeof(be32));
	option[OPTION_POINTER] += sizeof(be32);
	return 0;
}

static void put_time(u8 *at)
{
	be32 milliseconds = htonl((u32)(wall_ns() % DAY / NSEC_PER_MSEC));

	memcpy(at, &milliseconds, sizeof(milliseconds));
}

/* No room: the upper half of the flags counts who could not write; it must not run over. */
static u32 count_overflow(u8 *option)
{
	if (option[OPTION_TS_FLAGS] >> 4 == 15)
		return OPTION_TS_FLAGS;
	option[OPTION_TS_FLAGS] += 1 << 4;
	return 0;
}

static u32 timestamp(u8 *option, const struct iphdr *ip)
{
	u8 length = option[OPTION_LENGTH], pointer, need, kind;
	u8 *at;

	if (length < 4)
		return OPTION_LENGTH;
	pointer = option[OPTION_POINTER];
	if (pointer < FIRST_TS_POINTER)
		return OPTION_POINTER;
	if (pointer > length)
		return count_overflow(option);
	kind = option[OPTION_TS_FLAGS] & 0xf;
	if (kind != TS_TIME_ONLY && kind != TS_TIME_AND_ADDRESS && kind != TS_PRESPECIFIED)
		return OPTION_TS_FLAGS;
	need = kind == TS_TIME_ONLY ? 4 : 8;
	if (pointer + need - 1 > length)
		return OPTION_POINTER;
	at = option + pointer - 1;
	if (kind == TS_PRESPECIFIED && memcmp(at, &ip->daddr, sizeof(be32)))
		return 0; /* somebody else is to write next */
	if (kind != TS_TIME_ONLY) {
		memcpy(at, &ip->daddr, sizeof(be32));
		at += sizeof(be32);
	}
	put_time(at);
	option[OPTION_POINTER] += need;
	return 0;
}

static u32 check_option(u8 *option, const struct iphdr *ip)
{
	switch (option[OPTION_TYPE]) {
	case IPOPT_RR:
		return record_route(option, ip);
	case IPOPT_TIMESTAMP:
		return timestamp(option, ip);
	}
	return 0;
}

u32 ip_options_check(struct iphdr *ip)
{
	const u8 *end;
	u8 *option = options_of(ip, &end);
	bool bad;

	for (; (option = next_option(option, end, &bad)); option += option[OPTION_LENGTH]) {
		u32 wrong = bad ? OPTION_LENGTH : check_option(option, ip);

		if (wrong)
			return (u32)(option - (u8 *)ip) + min_t(u32, wrong, end - option - 1);
	}
	return 0;
}

bool ip_options_source_route(const struct iphdr *ip)
{
	const u8 *end;
	u8 *option = options_of((struct iphdr *)ip, &end);
	bool bad;

	for (; (option = next_option(option, end, &bad)) && !bad; option += option[OPTION_LENGTH])
		if (option[OPTION_TYPE] == IPOPT_LSRR || option[OPTION_TYPE] == IPOPT_SSRR)
			return true;
	return false;
}

void ip_options_fragment(struct iphdr *ip)
{
	const u8 *end;
	u8 *option = options_of(ip, &end);
	bool bad;

	while ((option = next_option(option, end, &bad)) && !bad) {
		u8 length = option[OPTION_LENGTH];

		if (!(option[OPTION_TYPE] & IPOPT_COPIED))
			memset(option, IPOPT_NOOP, length);
		option += length;
	}
}
