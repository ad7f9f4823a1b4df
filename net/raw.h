/* Raw sockets: whole IP packets of one protocol, for those who may. */
#pragma once

#include <net/inet.h>

#define ICMP_FILTER 1 /* option at level SOL_RAW: a bit for each ICMP type that is not wanted */

struct raw_sock {
	struct inet_sock inet; /* first; `port` is the protocol */
	u32 icmp_filter;       /* under user_lock; softirqs look without */
};

static inline struct raw_sock *raw_sk(struct sock *sk)
{
	return container_of(sk, struct raw_sock, inet.sk);
}

extern const struct sock_ops raw_ops;
extern struct port_table raw_table;

/* They get a copy of each packet, data at the transport header; true if one took it. Softirq. */
bool raw_deliver_slow(struct sk_buff *skb, u8 protocol);
static inline bool raw_deliver(struct sk_buff *skb, u8 protocol)
{
	return unlikely(test_bit(protocol, raw_table.used)) && raw_deliver_slow(skb, protocol);
}
/* As ip_protocol.error, for each ICMP error, whatever its protocol. */
void raw_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error);
/* sock_ops.recvmsg; ping sockets' too. */
ssize_t raw_recvmsg(struct sock *sk, struct msg *msg);
void raw_init(void);
