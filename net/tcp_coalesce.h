/* Segments that come in a row, as one: net/tcp_coalesce.c. Softirq. */
#pragma once

#include <kernel/cpu/percpu.h>
#include <net/skbuff.h>

#define TCP_COALESCE_LEAST 512U /* bytes of text: more than what surrounds them */

DECLARE_PER_CPU(u32, tcp_coalescing); /* whose segments wait on this CPU: a bit each */

/* A whole frame, data at the Ethernet header. true: it continues what waits, and is part of that now. */
bool tcp_coalesce_slow(struct sk_buff *skb);
static inline bool tcp_coalesce(struct sk_buff *skb)
{
	return unlikely(this_cpu(tcp_coalescing)) && tcp_coalesce_slow(skb);
}

/* A segment, checked, TCP_CB() filled in. true: it waits for those that continue it, and gets to tcp_dispatch() at the end of
 * the poll at the latest. false: it may go on its way, what it would have overtaken has gone. */
bool tcp_hold_slow(struct sk_buff *skb);
static inline bool tcp_hold(struct sk_buff *skb)
{
	return (skb->len >= TCP_COALESCE_LEAST || unlikely(this_cpu(tcp_coalescing))) &&
	       tcp_hold_slow(skb);
}
void tcp_coalesce_end(void);
