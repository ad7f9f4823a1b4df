/* See net_shim.h: nobody above IP, where sockets are not under test. */
#include "net_shim.h"

#include <net/ping.h>
#include <net/raw.h>

static void drop(struct sk_buff *skb)
{
	skb_put(skb);
}

const struct ip_protocol udp_protocol = { .rcv = drop }, tcp_protocol = { .rcv = drop };

struct port_table raw_table;

bool raw_deliver_slow(struct sk_buff *skb, u8 protocol)
{
	return false;
}

void raw_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
}

void ping_rcv(struct sk_buff *skb)
{
	skb_put(skb);
}

void ping_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
}
