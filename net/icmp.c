/*
 * ICMP (RFC 792, RFC 1122 section 3.2.2): answers to echo and timestamp requests; errors about packets that came, within
 * limits; and errors about packets that we sent, passed on to their protocol, if they quote what we can have sent.
 * Redirects are counted and ignored: a host that follows them can be led anywhere by its neighbours.
 *
 * Step 6. Context: softirq; icmp_send() process context too. No locks but those of net/icmp_rate.c.
 */
#include <net/icmp.h>

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/ip_impl.h>
#include <net/ping.h>
#include <net/raw.h>

#define MAX_ERROR	    576	 /* of the whole packet: RFC 1812 section 4.3.2.3 */
#define QUOTED_TRANSPORT    8	 /* bytes that an error quotes at least */
#define TOS_NETWORK_CONTROL 0xc0 /* RFC 1812 section 4.3.2.5 */
#define DAY_MS		    (24 * 60 * 60 * 1000)

u32 icmp_echo_ignore_all, icmp_echo_ignore_broadcasts = 1;

/* ---- what is counted for which type -------------------------------------------------------------------- */

#define NR_TYPES 19
#define NONE	 NR_SNMP

/* clang-format off */
static const struct {
	u16 in, out; /* enum snmp_counter */
	bool error;  /* about another packet: no error is sent about it */
} types[NR_TYPES] = {
	[ICMP_ECHOREPLY] = { ICMP_InEchoReps, ICMP_OutEchoReps, false },
	[1] = { NONE, NONE, false },
	[2] = { NONE, NONE, false },
	[ICMP_DEST_UNREACH] = { ICMP_InDestUnreachs, ICMP_OutDestUnreachs, true },
	[ICMP_SOURCE_QUENCH] = { ICMP_InSrcQuenchs, ICMP_OutSrcQuenchs, true },
	[ICMP_REDIRECT] = { ICMP_InRedirects, ICMP_OutRedirects, true },
	[6] = { NONE, NONE, false },
	[7] = { NONE, NONE, false },
	[ICMP_ECHO] = { ICMP_InEchos, ICMP_OutEchos, false },
	[9] = { NONE, NONE, false },
	[10] = { NONE, NONE, false },
	[ICMP_TIME_EXCEEDED] = { ICMP_InTimeExcds, ICMP_OutTimeExcds, true },
	[ICMP_PARAMETERPROB] = { ICMP_InParmProbs, ICMP_OutParmProbs, true },
	[ICMP_TIMESTAMP] = { ICMP_InTimestamps, ICMP_OutTimestamps, false },
	[ICMP_TIMESTAMPREPLY] = { ICMP_InTimestampReps, ICMP_OutTimestampReps, false },
	[15] = { NONE, NONE, false },
	[16] = { NONE, NONE, false },
	[17] = { ICMP_InAddrMasks, ICMP_OutAddrMasks, false },
	[18] = { ICMP_InAddrMaskReps, ICMP_OutAddrMaskReps, false },
};
/* clang-format on */

static void count_in(u8 type)
{
	if (type < NR_TYPES && types[type].in != NONE)
		snmp_inc(types[type].in);
}

static void count_out(u8 type)
{
	snmp_inc(ICMP_OutMsgs);
	if (type < NR_TYPES && types[type].out != NONE)
		snmp_inc(types[type].out);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void send_to(struct sk_buff *skb, struct flow *flow)
{
	struct icmphdr *icmp = (struct icmphdr *)skb->data;

	icmp->checksum = 0;
	icmp->checksum = checksum_fold(skb_checksum(skb, 0, skb->len, 0));
	skb->ip_summed = CHECKSUM_NONE;
	count_out(icmp->type);
	ip_output(skb, flow);
	dst_drop(&flow->dst);
}

/* A request becomes its own answer, in its own buffer: takes the reference. */
static void answer(struct sk_buff *skb, u8 type)
{
	const struct iphdr *ip = ip_hdr(skb);
	struct flow flow = {
		.saddr = skb->pkt_type == PACKET_HOST ? ip->daddr : 0,
		.daddr = ip->saddr,
		.protocol = IPPROTO_ICMP,
		.tos = ip->tos,
	};
	u8 options[IP_MAX_OPTIONS];

	flow.options_length = (u8)(IP_HLEN(ip) - sizeof(*ip));
	flow.options = options;
	memcpy(options, ip + 1, flow.options_length);
	if (ip_route(&flow)) {
		ip_drop(skb, IP_OutNoRoutes);
		return;
	}
	((struct icmphdr *)skb->data)->type = type;
	send_to(skb, &flow);
}

static void rcv_echo(struct sk_buff *skb)
{
	if (READ_ONCE(icmp_echo_ignore_all))
		skb_put(skb);
	else
		answer(skb, ICMP_ECHOREPLY);
}

static void rcv_timestamp(struct sk_buff *skb)
{
	const u32 when = sizeof(struct icmphdr) + sizeof(be32);
	be32 *received;

	if (!skb_may_pull(skb, when + 2 * sizeof(be32))) {
		ip_drop(skb, ICMP_InErrors);
		return;
	}
	received = (be32 *)(skb->data + when);
	received[0] = received[1] = htonl((u32)(wall_ns() / NSEC_PER_MSEC % DAY_MS));
	skb_trim(skb, when + 2 * sizeof(be32));
	answer(skb, ICMP_TIMESTAMPREPLY);
}

/* ---- errors about what we sent --------------------------------------------------------------------------------- */

static const struct {
	u16 error;
	bool fatal;
} unreachable[] = {
	{ ENETUNREACH, false },	 /* network */
	{ EHOSTUNREACH, false }, /* host */
	{ ENOPROTOOPT, true },	 /* protocol */
	{ ECONNREFUSED, true },	 /* port */
	{ EMSGSIZE, false },	 /* fragmentation needed */
	{ EOPNOTSUPP, false },	 /* source route failed */
	{ ENETUNREACH, true },	 /* network unknown */
	{ EHOSTDOWN, true },	 /* host unknown */
	{ ENONET, true },	 /* source host isolated */
	{ ENETUNREACH, true },	 /* network prohibited */
	{ EHOSTUNREACH, true },	 /* host prohibited */
	{ ENETUNREACH, false },	 /* network, for this type of service */
	{ EHOSTUNREACH, false }, /* host, for this type of service */
	{ EHOSTUNREACH, true },	 /* filtered */
	{ EHOSTUNREACH, true },	 /* precedence violated */
	{ EHOSTUNREACH, true },	 /* precedence too low */
};

static void fill_error(struct icmp_error *error, u8 type, u8 code)
{
	*error = (struct icmp_error){ .type = type, .code = code, .error = EHOSTUNREACH };
	if (type == ICMP_PARAMETERPROB) {
		error->error = EPROTO;
		error->fatal = true;
	} else if (type == ICMP_DEST_UNREACH && code < ARRAY_SIZE(unreachable)) {
		error->error = unreachable[code].error;
		error->fatal = unreachable[code].fatal;
	}
}

/* Data at the IP header of what we sent. */
static void tell_protocol(struct sk_buff *skb, const struct icmp_error *error)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	const struct ip_protocol *protocol = ip_protocol(ip->protocol);

	skb_pull(skb, IP_HLEN(ip));
	raw_error(skb, ip, error);
	if (protocol && protocol->error)
		protocol->error(skb, ip, error);
}

void icmp_local_error(struct sk_buff *skb, u8 type, u8 code)
{
	struct icmp_error error;

	skb_set_network_header(skb);
	if (ip_is_fragment(ip_hdr(skb)) &&
	    ip_hdr(skb)->fragment & htons(IP_OFFSET)) /* no transport header in it */
		return;
	fill_error(&error, type, code);
	tell_protocol(skb, &error);
}

/* Can we have sent what stands there? Data at its IP header. */
static bool quotes_us(struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;

	if (!skb_may_pull(skb, sizeof(*ip)))
		return false;
	ip = (const struct iphdr *)skb->data;
	if (ip->version_ihl >> 4 != 4 || IP_HLEN(ip) < sizeof(*ip) ||
	    !skb_may_pull(skb, IP_HLEN(ip) + QUOTED_TRANSPORT))
		return false;
	ip = (const struct iphdr *)skb->data;
	return !(ip->fragment & htons(IP_OFFSET)) && ip_address_type(ip->saddr) == ROUTE_LOCAL;
}

/* RFC 1191 section 5: old routers say 0; then we know that it is too big, and no more. */
static bool is_useless(const struct icmphdr *icmp)
{
	return icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED && !icmp->frag.mtu;
}

static void rcv_error(struct sk_buff *skb)
{
	const struct icmphdr icmp = *(const struct icmphdr *)skb->data;
	struct icmp_error error;

	skb_pull(skb, sizeof(icmp));
	if (!quotes_us(skb)) {
		ip_drop(skb, ICMP_InErrors);
		return;
	}
	fill_error(&error, icmp.type, icmp.code);
	if (icmp.type == ICMP_PARAMETERPROB)
		error.info = icmp.pointer;
	else if (icmp.type == ICMP_DEST_UNREACH && icmp.code == ICMP_FRAG_NEEDED)
		error.info = ntohs(icmp.frag.mtu);
	if (!is_useless(&icmp))
		tell_protocol(skb, &error);
	skb_put(skb);
}

/* ---- the way up ------------------------------------------------------------------------------------------------- */

static void ignore(struct sk_buff *skb)
{
	skb_put(skb);
}

/* Each takes the reference; data at the ICMP header, checked. Types that are not here are ignored. */
static void (*const receivers[NR_TYPES])(struct sk_buff *skb) = {
	[ICMP_ECHOREPLY] = ping_rcv,	  [ICMP_DEST_UNREACH] = rcv_error,
	[ICMP_ECHO] = rcv_echo,		  [ICMP_TIME_EXCEEDED] = rcv_error,
	[ICMP_PARAMETERPROB] = rcv_error, [ICMP_TIMESTAMP] = rcv_timestamp,
};

/* Questions to everybody could make everybody answer one. */
static bool may_be_for_many(u8 type)
{
	return (type == ICMP_ECHO || type == ICMP_TIMESTAMP) &&
	       !READ_ONCE(icmp_echo_ignore_broadcasts);
}

/* Answers are made in the packet itself, so it must be nobody else's: a raw socket's, say. */
static struct sk_buff *own(struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (likely(!skb_shared(skb)))
		return skb;
	copy = skb_clone(skb, GFP_ATOMIC);
	skb_put(skb);
	return copy;
}

static void icmp_rcv(struct sk_buff *skb)
{
	u8 type;

	skb = own(skb);
	if (!skb)
		return;
	snmp_inc(ICMP_InMsgs);
	if (!skb_may_pull(skb, sizeof(struct icmphdr))) {
		ip_drop(skb, ICMP_InErrors);
		return;
	}
	if (skb->ip_summed == CHECKSUM_NONE && checksum_fold(skb_checksum(skb, 0, skb->len, 0))) {
		snmp_inc(ICMP_InCsumErrors);
		ip_drop(skb, ICMP_InErrors);
		return;
	}
	type = ((const struct icmphdr *)skb->data)->type;
	count_in(type);
	if (skb->pkt_type != PACKET_HOST && !may_be_for_many(type)) {
		ip_drop(skb, ICMP_InErrors);
		return;
	}
	(type < NR_TYPES && receivers[type] ? receivers[type] : ignore)(skb);
}

const struct ip_protocol icmp_protocol = { .rcv = icmp_rcv, .error = ping_error };

/* ---- errors about what came ---------------------------------------------------------------------------------------- */

/* RFC 1122 section 3.2.2: about what no error is sent. */
static bool deserves_error(const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const u8 *transport = (const u8 *)ip + IP_HLEN(ip);

	if (skb->pkt_type != PACKET_HOST || ip->fragment & htons(IP_OFFSET))
		return false;
	if (!ip->saddr || ip_is_multicast(ip->saddr) ||
	    ip_address_type(ip->saddr) == ROUTE_BROADCAST)
		return false;
	if (ip->protocol != IPPROTO_ICMP)
		return true;
	return transport < skb_tail(skb) && *transport < NR_TYPES && !types[*transport].error;
}

/* From the network header on, as much as an error may hold. */
static void quote(struct sk_buff *error, const struct sk_buff *skb, u32 room)
{
	const u8 *start = skb_network_header(skb);
	u32 linear = min(room, (u32)(skb_tail(skb) - start));
	u32 rest = min(room - linear, skb->data_len);

	memcpy(skb_append(error, linear), start, linear);
	if (rest)
		skb_copy_bits(skb, skb_headlen(skb), skb_append(error, rest), rest);
}

static void send_error(const struct sk_buff *skb, struct flow *flow, const struct icmphdr *icmp)
{
	struct sk_buff *error = skb_alloc(MAX_HEADER, GFP_ATOMIC);

	if (!error) {
		snmp_inc(ICMP_OutErrors);
		dst_drop(&flow->dst);
		return;
	}
	memcpy(skb_append(error, sizeof(*icmp)), icmp, sizeof(*icmp));
	quote(error, skb, MAX_ERROR - sizeof(struct iphdr) - sizeof(*icmp));
	send_to(error, flow);
}

void icmp_send(struct sk_buff *skb, u8 type, u8 code, u32 info)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct icmphdr icmp = { .type = type, .code = code, .rest = htonl(info) };
	struct flow flow = {
		.saddr = ip->daddr,
		.daddr = ip->saddr,
		.protocol = IPPROTO_ICMP,
		.tos = (ip->tos & 0x1e) | TOS_NETWORK_CONTROL,
	};

	if (!deserves_error(skb) || ip_route(&flow))
		return;
	if (icmp_rate_allows(flow.daddr, type, code, flow.dst.dev))
		send_error(skb, &flow, &icmp);
	else
		dst_drop(&flow.dst);
}
