/* Ping sockets: ICMP echo for everybody whose group the administrator lets. */
#pragma once

#include <net/inet.h>

extern const struct sock_ops ping_ops;
/* An echo reply, data at the ICMP header. Takes the reference. Softirq. */
void ping_rcv(struct sk_buff *skb);
/* As ip_protocol.error, about an ICMP packet that we sent. */
void ping_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error);
void ping_init(void);
