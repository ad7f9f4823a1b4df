/*
 * IPv4, as the protocols above it see it. Sending: fill in a flow, ip_output(). Receiving: the table in
 * net/ip_input.c names each protocol's rcv and error.
 */
#pragma once

#include <net/netdev.h>

struct iphdr {
	u8 version_ihl;
	u8 tos;
	be16 total_length;
	be16 id;
	be16 fragment; /* IP_DF, IP_MF, offset in units of 8 */
	u8 ttl;
	u8 protocol;
	u16 checksum;
	be32 saddr, daddr;
} __packed;
#define IP_DF	       0x4000
#define IP_MF	       0x2000
#define IP_OFFSET      0x1fff
#define IP_HLEN(ip)    (((ip)->version_ihl & 0xf) * 4)
#define IP_PLAIN       0x45 /* version_ihl of nearly all: no options */
#define IP_DEFAULT_TTL 64
#define IP_MAX_MTU     65535U

static inline struct iphdr *ip_hdr(const struct sk_buff *skb)
{
	return skb_network_header(skb);
}

/* IP options to send, as they stand in the packet, padded. */
#define IP_MAX_OPTIONS 40

struct neigh;

/* Where packets to an address go: the answer of route_lookup(), which a connected socket keeps. It is good as
 * long as `generation` is route_generation (routes, addresses, devices up or down change that). */
struct dst {
	struct netdev *dev;
	struct neigh *neigh; /* the next hop; a reference. NULL: loopback, broadcast, multicast */
	be32 saddr;	     /* the source address to use */
	u32 mtu;	     /* of the path, as far as known */
	u32 generation;
	u8 type; /* enum route_type */
};
enum route_type { ROUTE_UNICAST, ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_MULTICAST };
extern u32 route_generation;

/* What IP needs to know to send. */
struct flow {
	be32 saddr; /* 0: chosen */
	be32 daddr;
	u16 oif; /* device index; 0: any */
	u8 protocol, tos, ttl;
	bool dont_fragment;
	u8 options_length;
	const u8 *options;
	struct dst dst;
};

/* Fills flow->dst (dropping what it held) and flow->saddr if that is 0. 0, -EHOSTUNREACH, -ENETUNREACH (for a saddr
 * that is not ours, too), -EINVAL for one that nobody can have. Any context but hard IRQ. */
int ip_route(struct flow *flow);
static inline bool dst_valid(const struct dst *dst)
{
	return dst->dev && dst->generation == READ_ONCE(route_generation);
}
void dst_drop(struct dst *dst);

/* The transport's packet, data at the transport header, at least MAX_HEADER of headroom (less the transport's);
 * flow->dst valid. Pushes IP and Ethernet headers, fragments if it must, resolves, sends. Takes the reference.
 * 0 or -errno (-EMSGSIZE, -ENOBUFS). Step "reply". */
int ip_output(struct sk_buff *skb, struct flow *flow);

/* What an ICMP error says about a packet that we sent. */
struct icmp_error {
	u8 type, code;
	bool fatal; /* connected UDP and a connecting TCP give up at once */
	s32 error;  /* an errno, > 0 */
	u32 info;   /* ICMP_FRAG_NEEDED: the next hop's MTU */
};

/* What came in, for the receiver: addresses are in ip_hdr(skb); data is at the transport header. Takes the
 * reference. Softirq. */
struct ip_protocol {
	void (*rcv)(struct sk_buff *skb);
	/* An ICMP error about a packet that we sent: skb->data is at that packet's transport header, ip its IP
	 * header. Does not take the reference. */
	void (*error)(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error);
};
extern const struct ip_protocol icmp_protocol, udp_protocol, tcp_protocol;

/* Ours, or a broadcast of ours? */
bool ip_is_local(be32 addr);
enum route_type ip_address_type(be32 addr);
static inline bool ip_is_multicast(be32 addr)
{
	return (addr & htonl(0xf0000000)) == htonl(0xe0000000);
}
static inline bool ip_is_loopback(be32 addr)
{
	return (addr & htonl(0xff000000)) == htonl(0x7f000000);
}
/* A lower path MTU was learnt for an address, from who quoted what we sent there: later dst.mtu of routes that are found
 * from now on. Whoever has one has it looked up again. */
void ip_update_pmtu(be32 daddr, u32 mtu);
/* For packets that a program made whole, data at the IP header; id, length and checksum are filled in where Linux
 * does. Takes the reference. 0 or -errno. */
int ip_output_raw(struct sk_buff *skb, struct flow *flow);
/* The next id of a packet that may be cut into fragments: nobody outside can guess it. */
be16 ip_select_id(be32 saddr, be32 daddr, u8 protocol);

/* An ICMP error about a packet that we received, rate-limited; never about errors, broadcasts, later fragments.
 * skb is still the caller's, its network header set. */
void icmp_send(struct sk_buff *skb, u8 type, u8 code, u32 info);

/* RFC 3168 5: the two low bits of tos. */
#define IP_ECN_MASK 3
#define IP_ECN_ECT  2 /* may be marked */
#define IP_ECN_CE   3 /* was: there is congestion on the way */

#define ICMP_ECHOREPLY	    0
#define ICMP_DEST_UNREACH   3
#define ICMP_SOURCE_QUENCH  4
#define ICMP_REDIRECT	    5
#define ICMP_ECHO	    8
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETERPROB  12
#define ICMP_TIMESTAMP	    13
#define ICMP_TIMESTAMPREPLY 14
#define ICMP_NET_UNREACH    0
#define ICMP_HOST_UNREACH   1
#define ICMP_PROT_UNREACH   2
#define ICMP_PORT_UNREACH   3
#define ICMP_FRAG_NEEDED    4

/* Counters of /proc/net/snmp and netstat, one a CPU: net/snmp.h. */

/* At start-up; after random_init(), and before a device is opened. */
void ip_init(void);
