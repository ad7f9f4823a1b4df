/* What the files of IP share. */
#pragma once

#include <kernel/trace.h>
#include <net/ip.h>
#include <net/snmp.h>
#include <net/sockaddr.h>

/* A header without options, for its sum. */
struct header_words {
	u64 first, second;
	u32 third;
} __packed __attribute__((may_alias));

static inline u16 ip_plain_checksum(const struct iphdr *ip)
{
	const struct header_words *words = (const void *)ip;
	u64 sum = checksum_add_carry(words->first, words->second);

	return checksum_fold(checksum_fold_64(checksum_add_carry(sum, words->third)));
}

/* As it stands in the header if that has 0 there now; 0 if it is there and right. */
static inline u16 ip_header_checksum(const struct iphdr *ip)
{
	return likely(ip->version_ihl == IP_PLAIN) ? ip_plain_checksum(ip)
						   : ip_checksum(ip, IP_HLEN(ip));
}

static inline void ip_set_checksum(struct iphdr *ip)
{
	ip->checksum = 0;
	ip->checksum = ip_header_checksum(ip);
}

static inline bool ip_is_fragment(const struct iphdr *ip)
{
	return ip->fragment & htons(IP_MF | IP_OFFSET);
}

/* Throws a packet away, and counts that. */
#define ip_drop(skb, counter)                                      \
	do {                                                       \
		snmp_inc(counter);                                 \
		trace(SKB_DROP, skb, __builtin_return_address(0)); \
		skb_put(skb);                                      \
	} while (0)

/* Whose packets these are; NULL: nobody's. */
const struct ip_protocol *ip_protocol(u8 protocol);

/* ---- net/ip_options.c ------------------------------------------------------------------------------------- */

/* Are these options as they should be? Routes and times are recorded in them, as addressed to us (RFC 791 section 3.1).
 * 0; or the offset in the IP header of what is wrong. */
u32 ip_options_check(struct iphdr *ip);
/* Would they have us forward it along a route of the sender's choice? */
bool ip_options_source_route(const struct iphdr *ip);
/* For fragments other than the first: what they do not repeat becomes padding. */
void ip_options_fragment(struct iphdr *ip);

/* ---- net/ip_fragment.c ------------------------------------------------------------------------------------ */

/* Takes a fragment, data at the IP header. The whole datagram, in the same form, once it is there; else NULL. */
struct sk_buff *ip_defragment(struct sk_buff *skb);
struct fragment_stats {
	u64 datagrams, memory; /* unfinished */
};
void fragment_stats_read(struct fragment_stats *stats);
void ip_fragment_init(void);
void ip_output_init(void);

/* /proc/sys/net/ipv4 */
extern u32 ipfrag_high_thresh; /* bytes of memory for unfinished datagrams */
extern u32 ipfrag_time;	       /* seconds */
extern u32 ip_default_ttl;

/* ---- net/ip_proc.c, net/ip_sysctl.c ------------------------------------------------------------------------- */

void ip_proc_init(void);
void ip_sysctl_init(void);
