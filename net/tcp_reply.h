/* Segments that no connection sends: answers to strangers, SYN-ACKs of requests, ACKs of TIME_WAIT. */
#pragma once

#include <net/tcp.h>

struct tcp_reply {
	be32 saddr, daddr;
	be16 sport, dport;
	u32 seq, ack;
	u8 flags; /* TCPHDR_* */
	u8 tos;
	u16 window; /* as it stands in the header */
	u16 mss;    /* options: 0, negative, false: without */
	s8 wscale;
	bool sack_permitted, timestamp;
	u32 tsval, tsecr;
};
/* 0 or -errno; nobody waits for it. */
int tcp_send_reply(const struct tcp_reply *reply);
