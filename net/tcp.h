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
#define TCP_MAX_WSCALE	14 /* RFC 7323 2.3 */
/* Options' first words, padded by NOPs in front, as they are sent. */
#define TCP_OPTION_MSS	   0x02040000
#define TCP_OPTION_WSCALE  0x01030300
#define TCP_OPTION_TS	   0x0101080a
#define TCP_OPTION_TS_SACK 0x0402080a /* SACK permitted in the place of the NOPs */
#define TCP_OPTION_SACK_OK 0x01010402
#define TCP_OPTION_SACK	   0x01010500

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

/* What a SYN offers; of other segments the timestamp alone counts. */
struct tcp_options {
	u16 mss;   /* 0: none */
	s8 wscale; /* -1: none */
	bool sack_permitted : 1, timestamp : 1;
};

/* What a segment is while TCP holds it: skb->cb. Received: from the header. To send: until it is acknowledged. */
struct tcp_cb {
	u32 seq, end_seq; /* SYN and FIN count */
	u32 ack;
	u32 tsval, tsecr;	    /* received; 0 without the option */
	u16 window;		    /* received, as it stood there */
	u8 flags;		    /* TCPHDR_* */
	u8 sacked;		    /* sent: TCPCB_*  */
	struct tcp_options options; /* received */
	u16 segments;		    /* sent: packets that it went out as */
	u8 nr_sacks;		    /* received */
	union {
		u8 retransmits; /* sent: how often again */
		u8 sack_at;	/* received: of the first block, from the TCP header */
	};
	u32 sent_us; /* sent: tcp_clock_us() of the last time */
	union {
		/* sent: of the first time; us would wrap too soon. To send, and a probe waits for the window: of its
		 * beginning */
		u32 first_sent_ms;
		u32 answer_seq; /* a SYN for what was in TIME_WAIT: where we begin; 0: anywhere */
	};
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
enum tcp_hashed_kind { TCP_HASHED_CONNECTION, TCP_HASHED_REQUEST, TCP_HASHED_TIMEWAIT };
struct tcp_hashed {
	struct hlist_node hash_node; /* under the bucket's lock */
	u32 hash;
	union {
		u32 refcount; /* atomic; a request's, a TIME_WAIT's */
		u32 answered_ms; /* a connection's is its sock's. Under sk.lock: tcp_answer_limited() */
	};
	be32 saddr, daddr; /* ours, theirs */
	be16 sport, dport;
	u8 kind;  /* enum tcp_hashed_kind, constant */
	u8 state; /* enum tcp_state; a connection's: under sk.lock, looked at without it */
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
	struct tcp_port *bound; /* NULL: none. On its list by inet.port_node */

	struct skb_queue ooo; /* out of order, sorted, no overlaps. (In order: sk.receive_queue) */
	struct skb_queue
		write_queue; /* [snd_una, write_seq) in buffers: sent ones first. sk.wmem: their truesize */
	struct sk_buff *send_head; /* the first in it that was never sent; NULL: all were */

	/* From here to `cong`: one connection's, forgotten by connect(AF_UNSPEC). Receiving: */
	u32 rcv_nxt;	     /* next expected */
	u32 copied_seq;	     /* next that the program will read */
	u32 rcv_wup;	     /* rcv_nxt when the window was last told */
	u32 rcv_wnd;	     /* the window told then */
	u32 ts_recent;	     /* RFC 7323 */
	u32 ts_recent_stamp; /* seconds */
	u32 rcv_urg;	     /* urgent pointer: the byte's sequence number; urg_valid */
	u16 rcv_mss;	     /* what the peer's segments look like: for delayed ACKs */
	u16 advmss;	     /* what we told it */
	u8 urg_valid;	     /* enum tcp_urgent */
	u8 urg_byte;
	u8 quick_acks;	/* so many ACKs at once: slow start of the peer, TCP_QUICKACK */
	u8 ack_pending; /* TCP_ACK_*: why one is due */
	u32 last_sack; /* seq of what came out of order last: its block goes first into the option */
	u32 dsack[2];  /* a duplicate to report; both 0: none */
	/* How fast the program reads; net/tcp_rcvbuf.c */
	u32 read_seq; /* copied_seq when it was measured last; under user_lock */
	u16 read_ms;  /* and the time */
	u16 rcv_rtt;  /* ms << 3: as the peer's data tell; 0: they have not */

	/* sending */
	u32 snd_una, snd_nxt;
	u32 write_seq;	/* end of what the program has written (FIN counts) */
	u32 snd_wnd;	/* scaled */
	u32 snd_wl1;	/* seq of the segment that last changed it */
	u32 max_window; /* the largest ever seen: half of it is worth sending */
	u32 small_seq;	/* end of the last segment sent that was not full (Minshall) */
	u32 ts_offset;	/* our timestamps: milliseconds, from a place that differs by address */
	u32 snd_up;	/* urgent: one behind the last urgent byte; MSG_OOB */
	u16 mss;	/* payload bytes a segment, options taken off */
	u16 mss_clamp;	/* the peer's MSS option */
	u8 snd_wscale, rcv_wscale;
	u8 probes; /* window or keepalive probes without an answer */
	u8 soft_error; /* errno: what ICMP has said since the last answer; why it failed, if it times out */

	/* round trips, in us */
	u32 srtt;   /* << 3 */
	u32 rttvar; /* << 2 */
	u32 rto;
	u32 min_rtt;

	/* loss recovery: segments are counted, not bytes */
	u32 packets_out, sacked_out, lost_out, retrans_out;
	u32 high_seq;	  /* snd_nxt when recovery began */
	u32 undo_marker;  /* snd_una then; 0: nothing to undo */
	s32 undo_retrans; /* retransmits that D-SACKs have not disproved */
	u32 retrans_ts;	  /* our timestamp at the first retransmit of this recovery; 0: none */
	u32 prr_delivered, prr_out;	     /* RFC 6937, since recovery began */
	u32 rack_us, rack_end_seq, rack_rtt; /* RFC 8985: the latest sent of what was delivered */
	u32 rack_fack;			     /* highest that was delivered */
	u32 rack_dsack_seq; /* one round trip's D-SACKs count once: until this is acknowledged */
	u32 tlp_high_seq;   /* a loss probe is out; 0: none */
	u32 delivered;
	u32 total_retrans;
	u8 ca_state;	 /* enum tcp_ca_state */
	u8 reordering;	 /* dupthresh */
	u8 rack_steps;	 /* the reordering window, in quarters of the shortest round trip */
	u8 rack_persist; /* recoveries until it is one of them again */
	u8 timer_mode;	 /* enum tcp_timer_mode: what TCP_TIMER_RETRANSMIT is set for */
	u8 retransmits;	 /* timeouts in a row */
	u8 backoff;
	bool no_space; /* poll() or a writer wants to hear of room; set without the lock */

	/* congestion control */
	u32 cwnd, ssthresh, cwnd_cnt, prior_cwnd, prior_ssthresh;
	u32 last_sent_ms;     /* data: what idle means */
	u32 last_received_ms; /* anything: for keepalive */
	u32 cong_state[6];    /* its own */
	const struct tcp_cong_ops *cong;

	/* timers: one `timer` for all of them, due at the first of these */
	struct timer timer;
	u32 due[3]; /* enum tcp_timer: clock_ns() in units of 2^16, the low bits; 0: off */

	/* options and flags */
	u32 flags;	  /* TCP_F_* */
	u32 window_clamp; /* largest window ever to tell */
	u32 notsent_lowat, user_timeout_ms;
	u16 keepalive_s, keepalive_interval_s; /* 0: the system's */
	u16 user_mss;			       /* TCP_MAXSEG */
	s16 linger2;			       /* seconds in FIN_WAIT2; 0: the system's */
	u8 keepalive_probes;
	u8 defer_accept; /* in SYN-ACKs, as Linux keeps it; tcp_defer_accept_s() */
	u8 syn_retries;	 /* TCP_SYNCNT; 0: the system's */
	u8 stage;	 /* enum tcp_stage; under user_lock, looked at without it */

	union {
		struct tcp_listen *listen;    /* a listener's, or one's that was: its queues */
		struct tcp_sock *accept_next; /* on an accept queue: the next one */
	};
};
#if !CONFIG_DEBUG
static_assert(sizeof(struct tcp_sock) <= 760, "an idle connection costs less than 1 KiB, all told");
#endif

/* What connect() goes by: a connection that has failed is not forgotten before the program has heard of it. */
enum tcp_stage { TCP_UNCONNECTED, TCP_CONNECTING, TCP_CONNECTED, TCP_DISCONNECTING };
/* Of a connection: it is in a listener's queue, and no program has it yet. */
static inline bool tcp_waits_for_accept(const struct tcp_sock *tp)
{
	return READ_ONCE(tp->stage) == TCP_UNCONNECTED;
}

enum tcp_urgent { TCP_URG_NONE, TCP_URG_COMING, TCP_URG_THERE, TCP_URG_READ };

enum tcp_flag {
	TCP_F_SACK = 1 << 0, /* negotiated */
	TCP_F_TIMESTAMPS = 1 << 1,
	TCP_F_WSCALE = 1 << 2,
	TCP_F_ECN = 1 << 3,
	TCP_F_NODELAY = 1 << 4,
	TCP_F_CORK = 1 << 5,
	TCP_F_SLOWACK = 1 << 6,	   /* TCP_QUICKACK 0 */
	TCP_F_ORPHAN = 1 << 7,	   /* no file any more */
	TCP_F_FIN_QUEUED = 1 << 8, /* the program has shut down; its FIN is the last of write_seq */
	TCP_F_FIN_RECEIVED = 1 << 9,
	TCP_F_MORE = 1 << 10, /* the last send had MSG_MORE */
	TCP_F_TSO = 1 << 11,  /* the device cuts */
	TCP_F_HASHED = 1 << 12,
	TCP_F_CWND_LIMITED = 1 << 13,
	TCP_F_CONNECTOR = 1 << 14,   /* its port: connect() chose it */
	TCP_F_CHILD = 1 << 15,	     /* it shares its listener's */
	TCP_F_FIN_WANTED = 1 << 17,  /* there was no memory for the FIN: the timer tries again */
	TCP_F_REORDERED = 1 << 18,   /* the path has been seen to do that */
	TCP_F_TLP_RETRANS = 1 << 19, /* the loss probe was old data */
	TCP_F_ECN_ECHO = 1 << 20,    /* a mark has come: say so until the peer has slowed down */
	TCP_F_ECN_SLOWED = 1 << 21,  /* we have: the next new text says so */
};

static inline struct tcp_sock *tcp_sk(struct sock *sk)
{
	return container_of(sk, struct tcp_sock, inet.sk);
}
#define tcp_to_sock(tp) (&(tp)->inet.sk)

/* ---- from IP to the connection: tcp_rcv.c, tcp_hash.c ------------------------------------------------------ */

void tcp_init(void);	     /* at start-up: tcp_socket.c; calls the next */
void tcp_arrival_init(void); /* tables, caches, secrets: tcp_state.c */
/* For code that holds sk.lock: one segment, header checked, TCP_CB() filled in. Takes the reference. */
void tcp_rcv_state(struct tcp_sock *tp, struct sk_buff *skb);
/* The same, for what is mostly the very segment that was expected, at clock_ns(). */
void tcp_rcv_fast(struct tcp_sock *tp, struct sk_buff *skb, u64 now);

/* The table of connections: net/tcp_hash.h. */

/* ---- ports: tcp_port.c ------------------------------------------------------------------------------------- */

/* Under user_lock. bind(): port 0 chooses. connect(): hashed.{saddr,daddr,dport} are set; gives it a port if it has none,
 * puts it into the table of connections and sets write_seq, the initial sequence number. 0, -EADDRINUSE, -EADDRNOTAVAIL. */
int tcp_bind_port(struct tcp_sock *tp, u16 port);
int tcp_connect_port(struct tcp_sock *tp);
void tcp_share_port(struct tcp_sock *child, const struct tcp_sock *listener);
void tcp_unbind_port(struct tcp_sock *tp);
/* LISTEN: into the table of listeners; -EADDRINUSE. SO_REUSEPORT ones balance by the hash of the four. */
int tcp_listen_hash(struct tcp_sock *tp);
void tcp_listen_unhash(struct tcp_sock *tp);

/* ---- arrival: tcp_listen.c, tcp_syn_sent.c, tcp_segment.c, tcp_data.c, tcp_timewait.c ---------------------- */

void tcp_set_state(struct tcp_sock *tp, enum tcp_state state);
/* Where its packets go: inet.flow, from hashed's addresses and the socket's options. 0 or -errno. */
int tcp_route(struct tcp_sock *tp);
/* The end, in whatever state: CLOSED, out of the tables, timers off, queues freed, SO_ERROR set (0: none), all woken. */
void tcp_done(struct tcp_sock *tp, int error);
#define TCP_TIMEWAIT_NS (60 * NSEC_PER_SEC) /* Linux's 2 MSL */
/* How long FIN_WAIT2 waits when nobody is left to wait: TCP_LINGER2, or the system's. */
u64 tcp_fin_timeout(const struct tcp_sock *tp);
/* To a TIME_WAIT structure of its own (state FIN_WAIT2 or TIME_WAIT), and tcp_done(). */
void tcp_time_wait(struct tcp_sock *tp, enum tcp_state state, u64 timeout_ns);
/* Answers to what is not acceptable: twice a second at most, or two who have lost each other answer each other for ever.
 * *last_ms: of the last one; 0: none. Segments with text are always answered. */
bool tcp_answer_limited(const struct tcp_cb *cb, u32 *last_ms);
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
static inline u32 tcp_receive_space(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	u32 used = READ_ONCE(sk->rmem);

	/* Half of the memory is for what surrounds the data. */
	return used < sk->rcvbuf ? min((sk->rcvbuf - used) / 2, tp->window_clamp) : 0;
}

/* SO_RCVBUF, unless the program has chosen it: net/tcp_rcvbuf.c. A large segment says how long the way is; the program has
 * read, under user_lock. */
void tcp_measure_rcv_rtt(struct tcp_sock *tp, const struct tcp_cb *cb);
void tcp_tune_rcvbuf_start(struct tcp_sock *tp); /* copied_seq is what it begins with */
void tcp_tune_rcvbuf_slow(struct tcp_sock *tp);
static inline void tcp_tune_rcvbuf(struct tcp_sock *tp)
{
	if (unlikely(tp->copied_seq - tp->read_seq >= READ_ONCE(tp->rcv_wnd) / 2))
		tcp_tune_rcvbuf_slow(tp);
}

/* What both SYNs offer is what holds: flags, scales, mss_clamp. */
void tcp_negotiate(struct tcp_sock *tp, const struct tcp_options *options);
/* Where a connection's numbers begin: sequence (RFC 6528) and timestamps (RFC 7323 7.1). SipHash with a secret. */
struct tcp_origin {
	u32 seq, ts_offset;
};
struct tcp_origin tcp_secure_origin(be32 saddr, be32 daddr, be16 sport, be16 dport);

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
/* A buffer for data, headroom reserved; NULL: none. Any lock or none. */
struct sk_buff *tcp_alloc_skb(struct tcp_sock *tp, gfp_t gfp);
/* At the end of write_queue, as the next bytes of write_seq: sets TCP_CB(), charges sk.wmem with
 * skb->truesize. The caller's reference goes there. */
void tcp_queue_skb(struct tcp_sock *tp, struct sk_buff *skb);
/* The last buffer, if it was never sent, so that data may be added to it; NULL: none. */
static inline struct sk_buff *tcp_unsent_tail(struct tcp_sock *tp)
{
	return tp->send_head ? skb_peek_tail(&tp->write_queue) : NULL;
}
/* `size` bytes were added to it, and its truesize has grown by so much. */
static inline void tcp_grow_tail(struct tcp_sock *tp, struct sk_buff *tail, u32 size, u32 truesize)
{
	TCP_CB(tail)->end_seq += size;
	tp->write_seq += size;
	WRITE_ONCE(tp->inet.sk.wmem, tp->inet.sk.wmem + truesize);
}
/* All of it gone, sent or not. */
void tcp_write_queue_purge(struct tcp_sock *tp);
/* MSS from the path's MTU, the peer's option, and our options. */
void tcp_sync_mss(struct tcp_sock *tp, u32 pmtu);
/* Bytes that a buffer should have at most, as things are: a multiple of the MSS. */
u32 tcp_size_goal(const struct tcp_sock *tp);
/* The scale with which so large a window can be told. */
u8 tcp_choose_wscale(u32 space);

/* What an acknowledgement does to the sender: window, cleaning, RTT, SACK, recovery, congestion window. False: the ACK
 * is not acceptable (RFC 5961: challenge ACK was sent), drop the segment. */
bool tcp_ack(struct tcp_sock *tp, struct sk_buff *skb);
/* Of a segment that was expected (net/tcp_fast.c). */
void tcp_ack_expected(struct tcp_sock *tp, const struct tcp_cb *cb, u64 now);
/* The first sample, where it was the SYN-ACK of a request that took so long. */
void tcp_rtt_first(struct tcp_sock *tp, u32 us);
/* What a new socket's sender begins with: tcp_create() calls it, under no lock. */
void tcp_sender_init(struct tcp_sock *tp);
/* A connection begins: initial window, keepalive. */
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
	TCP_TIMER_RETRANSMIT, /* enum tcp_timer_mode: never two of them */
	TCP_TIMER_DELACK,
	TCP_TIMER_KEEPALIVE,
	NR_TCP_TIMERS,
};
enum tcp_timer_mode {
	TCP_MODE_RTO,
	TCP_MODE_LOSS_PROBE,
	TCP_MODE_REORDERING,
	TCP_MODE_WINDOW_PROBE
};
/* SO_KEEPALIVE or a TCP_KEEP* has changed; a connection begins. */
void tcp_keepalive_start(struct tcp_sock *tp);
void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer which, u64 due);
void tcp_delack_start(struct tcp_sock *tp, u64 now);
void tcp_timer_clear(struct tcp_sock *tp, enum tcp_timer which);
/* When it is due, by clock_ns(); 0: it is off. */
u64 tcp_timer_due(const struct tcp_sock *tp, enum tcp_timer which);
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
/* SO_SNDBUF, unless the program has chosen it: twice the congestion window, so that what follows is there when what is
 * in flight is acknowledged. */
void tcp_expand_sndbuf(struct tcp_sock *tp);
/* Send space has become free: wake writers if a third is (sndbuf rule). */
void tcp_write_space(struct tcp_sock *tp);
/* A new connection's socket; process or softirq. NULL: no memory. */
struct tcp_sock *tcp_create(gfp_t gfp);

/* TCP_DEFER_ACCEPT: net/tcp_option.c. */
u32 tcp_defer_accept_s(const struct tcp_sock *tp);
/* Orphans (no file, not yet CLOSED), memory: limits and counts of /proc/net/sockstat. */
bool tcp_orphan_costs_too_much(const struct tcp_sock *tp);
u64 tcp_memory_pages(void);    /* in the queues of all connections: net/tcp_proc.c */
extern u64 tcp_orphan_count;   /* atomic */
extern u64 tcp_timewait_count; /* atomic */

/* /proc/sys/net/ipv4/tcp_*: net/tcp_sysctl.c */
struct tcp_sysctl {
	u32 syn_retries, synack_retries, retries1, retries2, orphan_retries, fin_timeout_s,
		keepalive_time_s, keepalive_probes, keepalive_intvl_s, max_syn_backlog, syncookies,
		timestamps, sack, window_scaling, tw_reuse, max_tw_buckets, max_orphans,
		abort_on_overflow, slow_start_after_idle, ecn, rfc1337, early_retrans, reordering,
		max_reordering, challenge_ack_limit, invalid_ratelimit_ms, notsent_lowat, dsack;
	u32 rmem[3], wmem[3]; /* min, default, max */
	u32 mem[3]; /* pages of packet memory: all is well below the first, pressure above the second, limit */
};
extern struct tcp_sysctl tcp_sysctl;

/* Under pressure nothing is kept out of order and no buffer grows; at the limit a connection may have only the least
 * that tcp_rmem and tcp_wmem promise. */
enum tcp_mem_level { TCP_MEM_PRESSURE = 1, TCP_MEM_LIMIT };
static inline bool tcp_memory_above(enum tcp_mem_level level)
{
	return unlikely(READ_ONCE(skb_memory_taken) / PAGE_SIZE > tcp_sysctl.mem[level]);
}
