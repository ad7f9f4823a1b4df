/*
 * TCP (RFC 9293): what its files promise each other. Steps 6 ... 8 of the journey, and the way back.
 *
 *   who				files
 *   from IP to the connection		tcp_rcv.c (checks, lookup, dispatch by state), tcp_hash.c, tcp_port.c
 *   arrival, one step a function	tcp_listen.c, tcp_syn_sent.c, tcp_segment.c (3.10.7.4), tcp_data.c, tcp_timewait.c
 *   the sender				tcp_output.c, tcp_ack.c, tcp_recovery.c, tcp_rtt.c, tcp_timer.c, tcp_cong.c, tcp_cubic.c
 *   the socket				tcp_socket.c, tcp_connect.c, tcp_send.c, tcp_recv.c, tcp_option.c, tcp_proc.c
 *
 * Locks, in acquire order:
 *   sk.user_lock	a reader or writer; nothing of the protocol waits for it
 *   sk.lock (_bh)	the connection: all that is not said to be otherwise. A listener's: its queues
 *   child's sk.lock	inside its listener's only when it is new and nobody else has it
 *   hash bucket, port	inside sk.lock; a lookup takes a bucket's alone, a reference, lets go, then takes sk.lock
 *
 * Whoever has looked a connection up may find it CLOSED when it gets the lock.
 *
 * References: the file's (until close), the hash table's (from SYN_SENT or establishment to CLOSED), a pending timer's,
 * each lookup's; a listener's accept queue holds those of its children.
 */
#pragma once

#include <kernel/time.h>
#include <kernel/timer.h>
#include <net/inet.h>

/* ---- the header --------------------------------------------------------------------------------------- */

struct tcphdr {
	be16 source, dest;
	be32 seq, ack;
	u8 offset; /* header length in words, in the upper 4 bits */
	u8 flags;  /* TCPHDR_* */
	be16 window;
	u16 checksum;
	be16 urgent;
} __packed;
#define TCPHDR_FIN	0x01
#define TCPHDR_SYN	0x02
#define TCPHDR_RST	0x04
#define TCPHDR_PSH	0x08
#define TCPHDR_ACK	0x10
#define TCPHDR_URG	0x20
#define TCPHDR_ECE	0x40
#define TCPHDR_CWR	0x80
#define TCP_HLEN(th)	(((th)->offset >> 4) * 4)
#define TCP_MAX_OPTIONS 40

static inline struct tcphdr *tcp_hdr(const struct sk_buff *skb)
{
	return skb_transport_header(skb);
}

/* Sequence numbers wrap: the difference, as a signed number, says which comes first. */
static inline bool before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}
static inline bool after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}
static inline bool between(u32 seq, u32 low, u32 high) /* low <= seq <= high */
{
	return high - low >= seq - low;
}

/* What a segment is while TCP holds it: skb->cb. Received: from the header. To send: until it is acknowledged. */
struct tcp_cb {
	u32 seq, end_seq; /* SYN and FIN count */
	u32 ack;
	u32 tsval, tsecr; /* received; 0 without the option */
	u16 window;	  /* received, as it stood there */
	u8 flags;	  /* TCPHDR_* */
	u8 sacked;	  /* sent: TCPCB_*  */
	bool has_timestamp;
	u8 retransmits; /* sent: how often again */
	u16 segments;	/* sent: packets that it went out as */
	u32 sent_us;	/* sent: low bits of tcp_clock_us() of the last time; rate and RACK */
	u32 first_sent_us;
	u8 nr_sacks;   /* received */
	u8 sack_at;    /* received: of the first block, from the TCP header */
	u32 delivered; /* sent: tp->delivered then */
};
static_assert(sizeof(struct tcp_cb) <= sizeof(((struct sk_buff *)0)->cb),
	      "TCP's part of a buffer fits");
#define TCP_CB(skb) ((struct tcp_cb *)(skb)->cb)

enum tcp_sacked {
	TCPCB_SACKED = 1,	/* the peer has it, out of order */
	TCPCB_LOST = 2,		/* given up for lost, to be sent again */
	TCPCB_RETRANS = 4,	/* sent again, and that is in flight */
	TCPCB_EVER_RETRANS = 8, /* no RTT sample from its acknowledgement (Karn) */
};

/* ---- states -------------------------------------------------------------------------------------------- */

enum tcp_state { /* numbered as in /proc/net/tcp */
		 TCP_ESTABLISHED = 1,
		 TCP_SYN_SENT,
		 TCP_SYN_RECV,
		 TCP_FIN_WAIT1,
		 TCP_FIN_WAIT2,
		 TCP_TIME_WAIT,
		 TCP_CLOSE,
		 TCP_CLOSE_WAIT,
		 TCP_LAST_ACK,
		 TCP_LISTEN,
		 TCP_CLOSING,
		 TCP_NEW_SYN_RECV, /* a tcp_request */
};
#define TCPF(state) (1U << (state)) /* for sets of states */

/* The common beginning of all that the hash table of connections holds: connections, requests (SYN received, no
 * socket yet), and the remains of connections in TIME_WAIT. */
struct tcp_hashed {
	struct hlist_node hash_node; /* under the bucket's lock */
	u32 refcount;		     /* atomic; a connection's is its sock's */
	be32 saddr, daddr;	     /* ours, theirs */
	be16 sport, dport;
	u8 state; /* which kind it is; a connection's: under sk.lock, looked at without it */
};

/* ---- a connection ---------------------------------------------------------------------------------------- */

struct tcp_cong_ops;
struct tcp_listen;
struct tcp_port;

/* Everything under sk.lock. Sequence numbers by RFC 9293's names. An idle one must stay small: the whole of
 * it, with file, descriptor and epitem, costs less than 1 KiB. */
struct tcp_sock {
	struct inet_sock inet; /* first */
	struct tcp_hashed hashed;
	struct tcp_port *bound; /* the port it has; children share their listener's. NULL: none */
	struct hlist_node bound_node;

	/* receiving */
	u32 rcv_nxt;	/* next expected */
	u32 copied_seq; /* next that the program will read */
	u32 rcv_wup;	/* rcv_nxt when the window was last told */
	u32 rcv_wnd;	/* the window told then */
	u32 irs;
	u32 ts_recent;	     /* RFC 7323 */
	u32 ts_recent_stamp; /* seconds */
	u32 rcv_urg;	     /* urgent pointer: the byte's sequence number; urg_valid */
	u32 window_clamp;    /* largest window ever to tell */
	u16 rcv_mss;	     /* what the peer's segments look like: for delayed ACKs */
	u16 advmss;	     /* what we told it */
	u8 urg_valid;	     /* TCP_URG_* : none, coming, there, read */
	u8 urg_byte;
	u8 quick_acks;	      /* so many ACKs at once: slow start of the peer, TCP_QUICKACK */
	u8 ack_pending;	      /* TCP_ACK_*: why one is due */
	struct skb_queue ooo; /* out of order, sorted, no overlaps. (In order: sk.receive_queue) */
	u32 last_sacks[2];    /* the most recent out-of-order block goes first into the option */
	u32 dsack[2];	      /* a duplicate to report; both 0: none */

	/* sending */
	u32 snd_una, snd_nxt;
	u32 write_seq;	/* end of what the program has written (FIN counts) */
	u32 snd_wnd;	/* scaled */
	u32 snd_wl1;	/* seq of the segment that last changed it */
	u32 max_window; /* the largest ever seen: half of it is worth sending */
	u32 iss;
	u32 pushed_seq; /* last byte with PSH */
	u32 snd_up;	/* urgent: one behind the last urgent byte; MSG_OOB */
	u16 mss;	/* payload bytes a segment, options taken off */
	u16 mss_clamp;	/* the peer's MSS option */
	u16 user_mss;	/* TCP_MAXSEG */
	u8 snd_wscale, rcv_wscale;
	struct skb_queue write_queue; /* [snd_una, write_seq) in buffers: sent ones first */
	struct sk_buff *send_head;    /* the first in it that was never sent; NULL: all were */

	/* round trips, in us */
	u32 srtt;   /* << 3 */
	u32 rttvar; /* << 2 */
	u32 rto;
	u32 min_rtt;

	/* loss recovery: segments are counted, not bytes */
	u32 packets_out, sacked_out, lost_out, retrans_out;
	u32 high_seq;	  /* snd_nxt when recovery began */
	u32 undo_marker;  /* snd_una then; 0: nothing to undo */
	u32 undo_retrans; /* retransmits that D-SACKs have not disproved */
	u32 rack_us, rack_end_seq, rack_rtt;
	u32 tlp_high_seq; /* a loss probe is out; 0: none */
	u32 delivered;
	u8 ca_state; /* enum tcp_ca_state */
	u8 reordering;
	u8 dup_acks;
	u8 retransmits; /* timeouts in a row */
	u8 backoff;
	u8 probes;	/* window or keepalive probes without an answer */
	u8 syn_retries; /* TCP_SYNCNT; 0: the system's */

	/* congestion control */
	u32 cwnd, ssthresh, cwnd_cnt, prior_cwnd, prior_ssthresh, cwnd_stamp_us;
	const struct tcp_cong_ops *cong;
	u32 cong_state[8]; /* its own */

	/* timers: one `timer` for all of them, due at the first of these (clock_ns(); 0: off) */
	struct timer timer;
	u64 due[4];	      /* enum tcp_timer */
	u32 last_received_ms; /* for keepalive */

	/* options and flags */
	u32 flags; /* TCP_F_* */
	u32 notsent_lowat, user_timeout_ms;
	u32 keepalive_ms, keepalive_interval_ms; /* 0: the system's */
	u8 keepalive_probes;
	u8 defer_accept; /* seconds */
	s32 linger2;	 /* seconds in FIN_WAIT2; 0: the system's */

	struct tcp_listen *listen; /* LISTEN: queues of requests and of children */
	struct tcp_sock *parent;   /* on its accept queue, referenced; NULL else */
	struct list_head accept_link;
};

enum tcp_flag {
	TCP_F_SACK = 1 << 0, /* negotiated */
	TCP_F_TIMESTAMPS = 1 << 1,
	TCP_F_WSCALE = 1 << 2,
	TCP_F_ECN = 1 << 3,
	TCP_F_NODELAY = 1 << 4,
	TCP_F_CORK = 1 << 5,
	TCP_F_QUICKACK = 1 << 6,   /* TCP_QUICKACK 1: for now */
	TCP_F_ORPHAN = 1 << 7,	   /* no file any more */
	TCP_F_FIN_QUEUED = 1 << 8, /* the program has shut down; its FIN is the last of write_seq */
	TCP_F_FIN_RECEIVED = 1 << 9,
	TCP_F_MORE = 1 << 10, /* the last send had MSG_MORE */
	TCP_F_TSO = 1 << 11,  /* the device cuts */
	TCP_F_HASHED = 1 << 12,
	TCP_F_CWND_LIMITED = 1 << 13,
	TCP_F_SYN_DATA_RESERVED = 1 << 14,
	TCP_F_REPAIR_RESERVED = 1 << 15,
};

static inline struct tcp_sock *tcp_sk(struct sock *sk)
{
	return container_of(sk, struct tcp_sock, inet.sk);
}
#define tcp_to_sock(tp) (&(tp)->inet.sk)

/* ---- from IP to the connection: tcp_rcv.c, tcp_hash.c ------------------------------------------------------ */

void tcp_init(void);
/* For code that holds sk.lock: one segment, header checked, TCP_CB() filled in. Takes the reference. */
void tcp_rcv_state(struct tcp_sock *tp, struct sk_buff *skb);

/* Into the table of connections, under sk.lock. false: there is one with these addresses. (A TIME_WAIT one that may be
 * reused gives way: RFC 6191.) */
bool tcp_hash_insert(struct tcp_sock *tp);
void tcp_unhash(struct tcp_sock *tp);
/* For /proc and TCP_INFO's friends: each entry with a reference, as port_next(). */
struct tcp_hashed *tcp_hash_next(u64 *position, struct tcp_hashed *after);
void tcp_hashed_put(struct tcp_hashed *hashed);

/* ---- ports: tcp_port.c ------------------------------------------------------------------------------------- */

/* Under user_lock. bind(): port 0 chooses. connect() without bind: a port with which the four are unique, hashed in one
 * step with it. 0, -EADDRINUSE, -EADDRNOTAVAIL. */
int tcp_bind_port(struct tcp_sock *tp, u16 port);
int tcp_connect_port(struct tcp_sock *tp);
void tcp_share_port(struct tcp_sock *child, const struct tcp_sock *listener);
void tcp_unbind_port(struct tcp_sock *tp);
/* LISTEN: into the table of listeners; -EADDRINUSE. SO_REUSEPORT ones balance by the hash of the four. */
int tcp_listen_hash(struct tcp_sock *tp);
void tcp_listen_unhash(struct tcp_sock *tp);

/* ---- arrival: tcp_listen.c, tcp_syn_sent.c, tcp_segment.c, tcp_data.c, tcp_timewait.c ---------------------- */

void tcp_set_state(struct tcp_sock *tp, enum tcp_state state);
/* The end, in whatever state: CLOSED, out of the tables, timers off, queues freed, SO_ERROR set (0: none), all woken. */
void tcp_done(struct tcp_sock *tp, int error);
/* To a TIME_WAIT structure of its own (state FIN_WAIT2 or TIME_WAIT), and tcp_done(). */
void tcp_time_wait(struct tcp_sock *tp, enum tcp_state state, u64 timeout_ns);
/* Stateless answers to a segment. */
void tcp_send_reset_to(struct sk_buff *skb);
/* RFC 5961: rate-limited. */
void tcp_send_challenge_ack(struct tcp_sock *tp);

int tcp_listen_start(struct tcp_sock *tp, int backlog); /* also changes the backlog of one */
void tcp_listen_stop(struct tcp_sock *tp);		/* resets what is queued */
bool tcp_accept_ready(const struct tcp_sock *tp);
struct tcp_sock *tcp_accept_dequeue(
	struct tcp_sock *tp); /* or NULL; the caller gets the reference */
u32 tcp_accept_backlog(const struct tcp_sock *tp, u32 *limit);

/* The program has taken data out: tell the window if it has grown enough. */
void tcp_cleanup_rcvbuf(struct tcp_sock *tp, u32 copied);
/* What may still come, by the memory that is left (SO_RCVBUF): the window to tell, unscaled. */
u32 tcp_receive_space(const struct tcp_sock *tp);

/* Options of a segment, parsed and checked. */
struct tcp_options {
	u16 mss;   /* 0: none */
	s8 wscale; /* -1: none */
	bool sack_permitted, has_timestamp;
	u32 tsval, tsecr;
	u8 nr_sacks;
	u8 sack_at; /* from the TCP header */
};
/* false: malformed (what could be read is there). */
bool tcp_parse_options(const struct sk_buff *skb, struct tcp_options *options);
/* Initial sequence numbers (RFC 6528), timestamps' offset, SYN cookies: SipHash with a secret. */
u32 tcp_secure_seq(be32 saddr, be32 daddr, be16 sport, be16 dport);
u32 tcp_secure_ts_offset(be32 saddr, be32 daddr);

/* ---- the sender: tcp_output.c, tcp_ack.c, tcp_recovery.c ----------------------------------------------------- */

enum tcp_ack_reason {
	TCP_ACK_DELAYED = 1, /* may wait for the timer */
	TCP_ACK_NOW = 2,
};
/* Send what window, congestion and Nagle let go; set the timers. Under sk.lock, as all of these. */
void tcp_push(struct tcp_sock *tp);
/* The same at the end of a segment's processing: data if there is some, else an ACK if one is due. */
void tcp_push_or_ack(struct tcp_sock *tp);
void tcp_send_ack(struct tcp_sock *tp);
int tcp_send_syn(struct tcp_sock *tp); /* SYN, or SYN-ACK in SYN_RECV (simultaneous open) */
/* FIN at the end of what was written. */
void tcp_send_fin(struct tcp_sock *tp);
/* An RST of our own accord: close with unread data, linger 0, abort. */
void tcp_send_active_reset(struct tcp_sock *tp);
/* A buffer for `tp`'s data, headroom reserved, charged; NULL: none. Put on the queue by tcp_queue_skb(). */
struct sk_buff *tcp_alloc_skb(struct tcp_sock *tp, gfp_t gfp);
void tcp_queue_skb(struct tcp_sock *tp, struct sk_buff *skb);
/* MSS from the path's MTU, the peer's option, and our options. */
void tcp_sync_mss(struct tcp_sock *tp, u32 pmtu);
/* Bytes that a TSO packet may have now. */
u32 tcp_size_goal(struct tcp_sock *tp);

/* What an acknowledgement does to the sender: window, cleaning, RTT, SACK, recovery, congestion window. False: the ACK
 * is not acceptable (RFC 5961: challenge ACK was sent), drop the segment. */
bool tcp_ack(struct tcp_sock *tp, struct sk_buff *skb);
/* A connection begins: initial window, RTT from the handshake. */
void tcp_sender_start(struct tcp_sock *tp);
void tcp_icmp_frag_needed(struct tcp_sock *tp, u32 mtu);

enum tcp_ca_state { TCP_CA_OPEN, TCP_CA_DISORDER, TCP_CA_CWR, TCP_CA_RECOVERY, TCP_CA_LOSS };

/* Congestion control, RFC 5681's events. */
struct tcp_cong_ops {
	const char *name;
	void (*init)(struct tcp_sock *tp);
	u32 (*ssthresh)(struct tcp_sock *tp);	       /* after a loss */
	void (*avoid)(struct tcp_sock *tp, u32 acked); /* `acked` segments, the window was full */
	void (*rtt_sample)(struct tcp_sock *tp, u32 rtt_us, u32 acked); /* may be NULL */
	void (*state)(struct tcp_sock *tp, enum tcp_ca_state state);	/* may be NULL */
};
const struct tcp_cong_ops *tcp_cong_find(const char *name);
extern const struct tcp_cong_ops *tcp_cong_default; /* /proc/sys/net/ipv4/tcp_congestion_control */

/* ---- timers: tcp_timer.c --------------------------------------------------------------------------------------- */

enum tcp_timer {
	TCP_TIMER_RETRANSMIT, /* RTO, loss probe, RACK's reordering wait, zero-window probe: never two of them */
	TCP_TIMER_DELACK,
	TCP_TIMER_KEEPALIVE, /* and FIN_WAIT2's end, and the handshake's */
	TCP_TIMER_PACE,	     /* spare: what a congestion control may want */
};
void tcp_timers_init(struct tcp_sock *tp);
void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer which, u64 due);
void tcp_timer_clear(struct tcp_sock *tp, enum tcp_timer which);
void tcp_timers_stop(struct tcp_sock *tp); /* all */
static inline u32 tcp_clock_us(void)
{
	return clock_ns() / NSEC_PER_USEC;
}
static inline u32 tcp_clock_ms(void)
{
	return clock_ns() / NSEC_PER_MSEC;
}

/* ---- the socket: tcp_socket.c and its neighbours ------------------------------------------------------------------- */

extern const struct sock_ops tcp_sock_ops;
/* Wake those for whom `events` are news. */
void tcp_wake(struct tcp_sock *tp, u32 events);
/* Send space has become free: wake writers if a third is (sndbuf rule). */
void tcp_write_space(struct tcp_sock *tp);
/* A new connection's socket; process or softirq. NULL: no memory. */
struct tcp_sock *tcp_create(gfp_t gfp);

/* Orphans (no file, not yet CLOSED), memory: limits and counts of /proc/net/sockstat. */
bool tcp_too_many_orphans(void);
extern u64 tcp_orphan_count;   /* atomic */
extern u64 tcp_timewait_count; /* atomic */

/* /proc/sys/net/ipv4/tcp_*: net/tcp_sysctl.c */
struct tcp_sysctl {
	u32 syn_retries, synack_retries, retries1, retries2, orphan_retries, fin_timeout_s,
		keepalive_time_s, keepalive_probes, keepalive_intvl_s, max_syn_backlog, syncookies,
		timestamps, sack, window_scaling, tw_reuse, max_tw_buckets, max_orphans,
		abort_on_overflow, slow_start_after_idle, ecn, rfc1337, early_retrans, reordering,
		challenge_ack_limit, invalid_ratelimit_ms, notsent_lowat, no_metrics_save,
		mtu_probing;
	u32 rmem[3], wmem[3]; /* min, default, max */
	u64 mem[3];	      /* pages, in all */
};
extern struct tcp_sysctl tcp_sysctl;
