/*
 * IP, the way up: is it an IPv4 packet, is it whole, is it for us, from somebody who can be, and whose is it?
 *
 * Step 6. Context: softirq. No locks; what was found about the last sender is its CPU's.
 */
#include <net/ip_impl.h>

#include <net/icmp.h>
#include <net/neigh.h>
#include <net/pmtu.h>
#include <net/raw.h>

/* Who takes which protocol's packets. */
static const struct ip_protocol *const protocols[256] = {
	[IPPROTO_ICMP] = &icmp_protocol,
	[IPPROTO_TCP] = &tcp_protocol,
	[IPPROTO_UDP] = &udp_protocol,
};

const struct ip_protocol *ip_protocol(u8 protocol)
{
	return protocols[protocol];
}

/* ---- is it one? ------------------------------------------------------------------------------------- */

static noinline bool has_room_for_options(struct sk_buff *skb, const struct iphdr *ip)
{
	return ip->version_ihl >> 4 == 4 && IP_HLEN(ip) >= sizeof(*ip) &&
	       skb_may_pull(skb, IP_HLEN(ip));
}

/* The header, complete and right, in the linear part; else NULL. What lies behind the packet is cut off: Ethernet pads
 * short frames. */
static struct iphdr *check_header(struct sk_buff *skb)
{
	struct iphdr *ip = (struct iphdr *)skb->data;
	u32 length;

	if (unlikely(!skb_may_pull(skb, sizeof(*ip))))
		return NULL;
	if (unlikely(ip->version_ihl != IP_PLAIN) && !has_room_for_options(skb, ip))
		return NULL;
	if (unlikely(ip_header_checksum(ip))) {
		snmp_inc(IPEXT_InCsumErrors);
		return NULL;
	}
	length = ntohs(ip->total_length);
	if (unlikely(length < IP_HLEN(ip)))
		return NULL;
	if (unlikely(length > skb->len)) {
		snmp_inc(IPEXT_InTruncatedPkts);
		return NULL;
	}
	if (length < skb->len)
		skb_trim(skb, length);
	return ip;
}

/* ---- to whom, and from whom? ----------------------------------------------------------------------------- */

/* The address that was last found to be somebody else's. */
struct sender {
	be32 addr;
	u32 generation;
	const struct netdev *dev;
};
static DEFINE_PER_CPU(struct sender, last_sender);

static bool may_send(const struct sk_buff *skb, be32 saddr)
{
	if (skb->dev->flags & IFF_LOOPBACK)
		return true;
	if (!saddr) /* who has no address yet asks everybody for one: DHCP */
		return skb->pkt_type == PACKET_BROADCAST;
	return !ip_is_loopback(saddr) && (saddr & htonl(0xff000000)) &&
	       ip_address_type(saddr) == ROUTE_UNICAST;
}

static noinline bool check_sender(const struct sk_buff *skb, be32 saddr)
{
	if (!may_send(skb, saddr))
		return false;
	if (saddr)
		*this_cpu_ptr(last_sender) =
			(struct sender){ saddr, READ_ONCE(route_generation), skb->dev };
	return true;
}

static inline bool sender_ok(const struct sk_buff *skb, be32 saddr)
{
	return likely(this_cpu(last_sender).addr == saddr &&
		      this_cpu(last_sender).generation == READ_ONCE(route_generation) &&
		      this_cpu(last_sender).dev == skb->dev) ||
	       check_sender(skb, saddr);
}

/* Marks what is for many by its IP address, whatever its frame says. */
static noinline bool check_target(struct sk_buff *skb, be32 daddr)
{
	if (ip_is_loopback(daddr) && !(skb->dev->flags & IFF_LOOPBACK))
		return false;
	switch (ip_address_type(daddr)) {
	case ROUTE_LOCAL:
		return true;
	case ROUTE_BROADCAST:
		skb->pkt_type = PACKET_BROADCAST;
		snmp_inc(IPEXT_InBcastPkts);
		snmp_add(IPEXT_InBcastOctets, skb->len);
		return daddr != 0;
	case ROUTE_MULTICAST:
		skb->pkt_type = PACKET_MULTICAST;
		snmp_inc(IPEXT_InMcastPkts);
		snmp_add(IPEXT_InMcastOctets, skb->len);
		return true;
	default:
		return false; /* forwarding is off */
	}
}

static inline bool is_for_us(struct sk_buff *skb, be32 daddr)
{
	if (likely(daddr == skb->dev->address))
		return daddr != 0; /* nor is 0 the address of a device that has none */
	return check_target(skb, daddr);
}

/* ---- whose is it? ------------------------------------------------------------------------------------------ */

static bool options_ok(struct sk_buff *skb, struct iphdr *ip)
{
	u32 wrong = ip_options_check(ip);

	if (wrong)
		icmp_send(skb, ICMP_PARAMETERPROB, 0, wrong << 24);
	return !wrong && !ip_options_source_route(ip);
}

static void nobody_takes_it(struct sk_buff *skb)
{
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	ip_drop(skb, IP_InUnknownProtos);
}

static void deliver(struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	u8 number = ip->protocol;
	const struct ip_protocol *protocol = protocols[number];
	bool taken;

	skb_pull(skb, IP_HLEN(ip));
	skb_set_transport_header(skb);
	taken = raw_deliver(skb, number);
	if (unlikely(!protocol && !taken)) {
		nobody_takes_it(skb);
		return;
	}
	snmp_inc(IP_InDelivers);
	if (protocol)
		protocol->rcv(skb);
	else
		skb_put(skb);
}

void ip_rcv(struct sk_buff *skb)
{
	struct iphdr *ip;

	if (skb->pkt_type == PACKET_OTHERHOST) {
		skb_put(skb);
		return;
	}
	snmp_inc(IP_InReceives);
	snmp_add(IPEXT_InOctets, skb->len);
	ip = check_header(skb);
	if (unlikely(!ip)) {
		ip_drop(skb, IP_InHdrErrors);
		return;
	}
	trace(IP_RCV, skb, skb->len, ip->protocol);
	if (unlikely(!is_for_us(skb, ip->daddr) || !sender_ok(skb, ip->saddr))) {
		ip_drop(skb, IP_InAddrErrors);
		return;
	}
	if (unlikely(ip->version_ihl != IP_PLAIN) && !options_ok(skb, ip)) {
		ip_drop(skb, IP_InHdrErrors);
		return;
	}
	if (unlikely(ip_is_fragment(ip))) {
		skb = ip_defragment(skb);
		if (!skb)
			return;
	}
	deliver(skb);
}

void ip_init(void)
{
	neigh_init();
	pmtu_init();
	ip_fragment_init();
	ip_output_init();
	icmp_rate_init();
	snmp_init();
	ip_proc_init();
	ip_sysctl_init();
}
