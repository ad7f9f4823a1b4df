/* Listeners and handshakes half done: see net/tcp_listen.c; the rest of its functions is in net/tcp.h. */
#pragma once

#include <net/tcp_hash.h>

#define TCP_SYN_LEVELS 8 /* SYN-ACKs that may be sent again */

struct tcp_request {
	struct tcp_hashed hashed;  /* first */
	struct tcp_sock *listener; /* a reference */
	/* under the listener's sk.lock */
	struct list_head link; /* a level of the SYN queue; empty: it is on its way out */
	u64 due; /* the next SYN-ACK; constant within a level but for when it began, so a level is sorted */
	u8 retries;
	u32 answered_ms; /* tcp_answer_limited() */
	bool deferred;	 /* TCP_DEFER_ACCEPT: the ACK was here, data was not */
	/* constant */
	u32 irs, iss;
	u32 tsval; /* the peer's */
	u32 ts_offset;
	u32 window;
	u64 started; /* clock_ns() */
	struct tcp_options options;
	u16 advmss;
	u8 rcv_wscale;
	bool ecn; /* they ask for it, and get it */
};

struct tcp_listen {
	struct timer timer; /* holds a reference to the listener while pending */
	struct tcp_sock *tp;
	/* under tp's sk.lock */
	struct list_head requests[TCP_SYN_LEVELS]; /* the SYN queue, by retries */
	struct tcp_sock *first_child,
		*last_child; /* the accept queue, by accept_next; referenced */
	u32 nr_requests, nr_children, backlog;
	u32 cookies_at; /* seconds: when the last cookie was sent; 0: never */
};

/* Under the listener's sk.lock. */
static inline bool tcp_accept_queue_full(const struct tcp_listen *listen)
{
	return listen->nr_children > listen->backlog;
}

/* The last ACK of the handshake, under the listener's lock. The child, locked, with the accept queue's reference; NULL: it
 * stays a request. `in_table`: the request is in the table of connections; with a cookie it is not. */
struct tcp_sock *tcp_complete_request(struct tcp_sock *listener, struct tcp_request *request,
				      struct sk_buff *skb, bool in_table);
/* What the segment holds beside the ACK is the child's; then its lock goes, and the reference on `skb`. */
void tcp_child_rcv(struct tcp_sock *child, struct sk_buff *skb);

void tcp_request_free(struct tcp_hashed *hashed);
void tcp_listen_init(void);

/* SYN cookies: net/tcp_cookie.c. A sequence number that says what a request would have remembered. */
u32 tcp_cookie_make(const struct tcp_four *four, u32 irs, u16 *mss);
/* Is `ack` the answer to one that we made in the last minutes? Then what MSS it stood for; 0: no. */
u16 tcp_cookie_check(const struct tcp_four *four, u32 irs, u32 cookie);
/* The other options, in our timestamp, and out of it. */
u32 tcp_cookie_timestamp(const struct tcp_options *options, u32 now);
void tcp_cookie_options(struct tcp_options *options, u32 timestamp);
