/* What the files that deal with arriving segments promise each other: net/tcp_{rcv,listen,syn_sent,segment,data,
 * timewait}.c. All of it in softirq (or with softirqs off), under the connection's sk.lock. A segment's reference goes
 * to whoever is called with it. */
#pragma once

#include <net/tcp.h>
#include <net/tcp_hash.h>

static inline struct tcp_sock *tcp_of(struct tcp_hashed *hashed)
{
	return container_of(hashed, struct tcp_sock, hashed);
}

/* RFC 9293 3.10.7.3, and 3.10.7.4: all states from SYN_RECV on. */
void tcp_syn_sent_rcv(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_segment_arrives(struct tcp_sock *tp, struct sk_buff *skb);

/* 3.10.7.2, LISTEN. The listener is referenced; takes its lock. */
void tcp_listen_rcv(struct tcp_sock *listener, struct sk_buff *skb);
/* Segments and errors for a request: a handshake half done. Takes the listener's lock. */
void tcp_request_rcv(struct tcp_hashed *hashed, struct sk_buff *skb);
void tcp_request_error(struct tcp_hashed *hashed, u32 seq);
/* Who listens there, for whom that packet is; referenced, or NULL. */
struct tcp_sock *tcp_listen_lookup(const struct tcp_four *four, const struct netdev *dev);

/* `listens`: there is somebody for a new connection. true: the segment begins one, and the old one's remains are gone; it is
 * still the caller's. */
bool tcp_timewait_rcv(struct tcp_hashed *hashed, struct sk_buff *skb, bool listens);

/* To its connection, request, listener. Takes the reference. */
void tcp_dispatch(struct sk_buff *skb);

/* The window that was told to the peer: how much of it is left. */
static inline u32 tcp_receive_window(const struct tcp_sock *tp)
{
	s32 left = tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt;

	return left < 0 ? 0 : left;
}

/* Steps of 3.10.7.4 that are about data: net/tcp_data.c. The text, and FIN; sets ack_pending. */
void tcp_rcv_urgent(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_rcv_text(struct tcp_sock *tp, struct sk_buff *skb);
/* Text (or a FIN) that is the very next, and fits the window. */
void tcp_queue_in_order(struct tcp_sock *tp, struct sk_buff *skb);
/* A duplicate arrived: report it by D-SACK. */
void tcp_report_duplicate(struct tcp_sock *tp, u32 seq, u32 end_seq);
/* An ACK is due: at once, or soon. */
void tcp_ack_now(struct tcp_sock *tp);
void tcp_ack_soon(struct tcp_sock *tp);

/* RFC 7323: the peer's clock, taken from a segment that covers the left edge of what is expected. */
void tcp_store_timestamp(struct tcp_sock *tp, const struct tcp_cb *cb);
/* Seconds for ts_recent_stamp. */
static inline u32 tcp_clock_s(void)
{
	return clock_ns() / NSEC_PER_SEC;
}
