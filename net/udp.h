/* UDP (RFC 768): datagrams between ports. */
#pragma once

#include <net/inet.h>

struct udphdr {
	be16 source, dest;
	be16 length;  /* header and data */
	u16 checksum; /* 0: none */
} __packed;

#define UDP_MAX_DATA (65535 - sizeof(struct iphdr) - sizeof(struct udphdr))
#define UDP_CORK     1 /* option at level SOL_UDP */

struct udp_sock {
	struct inet_sock inet; /* first */
	/* under user_lock */
	struct sk_buff *pending; /* what is being put together by MSG_MORE and UDP_CORK */
	struct inet_send pending_send;
	bool corked;
};

static inline struct udp_sock *udp_sk(struct sock *sk)
{
	return container_of(sk, struct udp_sock, inet.sk);
}

extern const struct sock_ops udp_ops;
extern struct port_table udp_table;

/* Registers the kind, its /proc files and its settings. */
void udp_init(void);
