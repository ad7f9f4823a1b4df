/*
 * What is left of a connection that has ended properly: it keeps old duplicates away from a new connection with the
 * same four, and answers a FIN that comes again because our last ACK was lost. For a minute, in a small structure of its
 * own; the socket is gone. An orphan in FIN_WAIT2 waits for the peer's FIN here, too.
 *
 * A list for each of the two states, in order of the time when they go, and one timer for all of them: within a list nearly
 * all wait equally long, so that the place of a new one is at its end. When there are too many, the connection just ends
 * (/proc/sys/net/ipv4/tcp_max_tw_buckets).
 *
 * Context: softirq and process. Lock: timewait_lock, the lists and each one's state; inside a connection's sk.lock.
 */
#include <net/tcp_timewait.h>

#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <net/snmp.h>
#include <net/tcp_arrival.h>
#include <net/tcp_port.h>
#include <net/tcp_reply.h>

struct tcp_timewait {
	struct tcp_hashed hashed; /* first; hashed.state is under timewait_lock */
	/* under timewait_lock */
	struct list_head link; /* empty: it is on its way out */
	u64 due;
	u32 rcv_nxt;
	u32 ts_recent, ts_recent_stamp;
	/* constant */
	u32 answered_ms;	      /* tcp_answer_limited() */
	struct tcp_port_remains port; /* stays in use */
	u32 snd_nxt;
	u32 rcv_wnd;
	u32 ts_offset;
	u8 rcv_wscale, tos;
	bool timestamps;
};

/* From an old connection's last number to a new one's first: more than a window without scaling. */
#define NEW_DISTANCE (65535 + 2)

u64 tcp_timewait_count;

static struct kmem_cache *timewait_cache; /* constant after start-up */
static DEFINE_SPINLOCK(timewait_lock);
static LIST_HEAD(time_waiting); /* under timewait_lock, first to go first */
static LIST_HEAD(fin_waiting);	/* likewise */
static struct timer timewait_timer;

static struct tcp_timewait *timewait_of(struct tcp_hashed *hashed)
{
	return container_of(hashed, struct tcp_timewait, hashed);
}

void tcp_timewait_free(struct tcp_hashed *hashed)
{
	struct tcp_timewait *tw = timewait_of(hashed);

	tcp_port_release(&tw->port);
	kmem_cache_free(timewait_cache, tw);
	__atomic_sub_fetch(&tcp_timewait_count, 1, __ATOMIC_RELAXED);
}

/* ---- the lists -------------------------------------------------------------------------------------------------- */

static struct tcp_timewait *first_of(const struct list_head *list)
{
	return list_empty(list) ? NULL : list_first_entry(list, struct tcp_timewait, link);
}

static struct tcp_timewait *first_to_go(void)
{
	struct tcp_timewait *tw = first_of(&time_waiting), *fin = first_of(&fin_waiting);

	return !tw || (fin && fin->due < tw->due) ? fin : tw;
}

static void start_timer(void)
{
	const struct tcp_timewait *tw = first_to_go();

	if (tw)
		timer_start(&timewait_timer, tw->due);
}

static void reschedule(struct tcp_timewait *tw, u64 timeout)
{
	struct list_head *list = tw->hashed.state == TCP_FIN_WAIT2 ? &fin_waiting : &time_waiting;
	struct list_head *before;

	list_del_init(&tw->link);
	tw->due = clock_ns() + timeout;
	before = list->prev;
	while (before != list && list_entry(before, struct tcp_timewait, link)->due > tw->due)
		before = before->prev;
	list_add(&tw->link, before);
	if (first_to_go() == tw)
		start_timer();
}

/* Whoever takes it off the list takes it out of the table, too, and puts the list's reference. */
static bool unlist(struct tcp_timewait *tw)
{
	bool mine;

	spin_lock_bh(&timewait_lock);
	mine = !list_empty(&tw->link);
	list_del_init(&tw->link);
	spin_unlock_bh(&timewait_lock);
	return mine;
}

static void end_timewait(struct tcp_timewait *tw)
{
	if (!unlist(tw))
		return;
	tcp_hash_remove(&tw->hashed);
	tcp_hashed_put(&tw->hashed);
}

static struct tcp_timewait *first_due(u64 now)
{
	struct tcp_timewait *tw;

	spin_lock_bh(&timewait_lock);
	tw = first_to_go();
	if (tw && tw->due > now)
		tw = NULL;
	if (tw)
		tcp_hashed_get(&tw->hashed);
	spin_unlock_bh(&timewait_lock);
	return tw;
}

/* There may not be so many any more: the oldest go. */
void tcp_timewait_trim(void)
{
	struct tcp_timewait *tw;

	while (READ_ONCE(tcp_timewait_count) > tcp_sysctl.max_tw_buckets &&
	       (tw = first_due(~0ULL))) {
		end_timewait(tw);
		tcp_hashed_put(&tw->hashed);
	}
}

static void timewait_expired(struct timer *timer)
{
	u64 now = clock_ns();
	struct tcp_timewait *tw;

	while ((tw = first_due(now))) {
		end_timewait(tw);
		tcp_hashed_put(&tw->hashed);
	}
	spin_lock(&timewait_lock);
	start_timer();
	spin_unlock(&timewait_lock);
}

/* ---- from a connection --------------------------------------------------------------------------------------------- */

static struct tcp_timewait *new_timewait(const struct tcp_sock *tp, enum tcp_state state)
{
	struct tcp_timewait *tw;

	if (__atomic_load_n(&tcp_timewait_count, __ATOMIC_RELAXED) >= tcp_sysctl.max_tw_buckets)
		return NULL;
	tw = kmem_cache_alloc(timewait_cache, GFP_ATOMIC);
	if (!tw)
		return NULL;
	*tw = (struct tcp_timewait){
		.hashed = {
			.refcount = 1,
			.saddr = tp->hashed.saddr,
			.daddr = tp->hashed.daddr,
			.sport = tp->hashed.sport,
			.dport = tp->hashed.dport,
			.kind = TCP_HASHED_TIMEWAIT,
			.state = state,
		},
		.rcv_nxt = tp->rcv_nxt,
		.snd_nxt = tp->snd_nxt,
		.rcv_wnd = tp->rcv_wnd,
		.rcv_wscale = tp->rcv_wscale,
		.ts_recent = tp->ts_recent,
		.ts_recent_stamp = tp->ts_recent_stamp,
		.ts_offset = tp->ts_offset,
		.timestamps = tp->flags & TCP_F_TIMESTAMPS,
		.tos = tp->inet.tos,
	};
	tcp_port_hold(&tw->port, tp);
	INIT_LIST_HEAD(&tw->link);
	__atomic_add_fetch(&tcp_timewait_count, 1, __ATOMIC_RELAXED);
	return tw;
}

void tcp_time_wait(struct tcp_sock *tp, enum tcp_state state, u64 timeout_ns)
{
	struct tcp_timewait *tw = new_timewait(tp, state);

	if (!tw)
		snmp_inc(TCPEXT_TCPTimeWaitOverflow);
	if (tw && tcp_hash_replace(&tp->hashed, &tw->hashed)) {
		snmp_inc(TCPEXT_TW);
		spin_lock(&timewait_lock);
		reschedule(tw, timeout_ns);
		spin_unlock(&timewait_lock);
	} else if (tw) {
		tcp_hashed_put(&tw->hashed);
	}
	tcp_done(tp, 0);
}

/* ---- a segment for it ------------------------------------------------------------------------------------------------- */

static void send_ack(const struct tcp_timewait *tw)
{
	tcp_send_reply(&(struct tcp_reply){
		.saddr = tw->hashed.saddr,
		.daddr = tw->hashed.daddr,
		.sport = tw->hashed.sport,
		.dport = tw->hashed.dport,
		.seq = tw->snd_nxt,
		.ack = tw->rcv_nxt,
		.flags = TCPHDR_ACK,
		.tos = tw->tos,
		.window = tw->rcv_wnd >> tw->rcv_wscale,
		.wscale = -1,
		.timestamp = tw->timestamps,
		.tsval = tcp_clock_ms() + tw->ts_offset,
		.tsecr = tw->ts_recent,
	});
}

static bool timestamp_newer(const struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	return tw->timestamps && cb->options.timestamp && (s32)(cb->tsval - tw->ts_recent) > 0;
}

static bool is_old_duplicate(const struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	return tw->timestamps && cb->options.timestamp && (s32)(cb->tsval - tw->ts_recent) < 0;
}

/* RFC 6191: a SYN that cannot be an old one's duplicate may begin a new connection. */
static bool may_begin_anew(const struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	if ((cb->flags & (TCPHDR_SYN | TCPHDR_ACK | TCPHDR_RST)) != TCPHDR_SYN ||
	    is_old_duplicate(tw, cb))
		return false;
	return after(cb->seq, tw->rcv_nxt) || timestamp_newer(tw, cb);
}

enum verdict { IGNORE, ACK, KILL, RESET, NEW };

/* An ACK for what is not acceptable. */
static enum verdict answer(struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	return cb->flags & TCPHDR_RST || tcp_answer_limited(cb, &tw->answered_ms) ? IGNORE : ACK;
}

static bool in_window(const struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	return !before(cb->end_seq, tw->rcv_nxt) && !after(cb->seq, tw->rcv_nxt + tw->rcv_wnd);
}

static void store_timestamp(struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	if (!tw->timestamps || !cb->options.timestamp)
		return;
	tw->ts_recent = cb->tsval;
	tw->ts_recent_stamp = tcp_clock_s();
}

/* FIN_WAIT2: the peer has its half still open. Nobody is there for its data. */
static enum verdict in_fin_wait2(struct tcp_timewait *tw, const struct tcp_cb *cb)
{
	if (is_old_duplicate(tw, cb) || !in_window(tw, cb))
		return answer(tw, cb);
	if (cb->flags & TCPHDR_RST)
		return cb->seq == tw->rcv_nxt ? KILL : answer(tw, cb);
	if (cb->flags & TCPHDR_SYN)
		return before(cb->seq, tw->rcv_nxt) ? IGNORE : RESET;
	if (!(cb->flags & TCPHDR_ACK) || !after(cb->end_seq, tw->rcv_nxt))
		return IGNORE;
	if (!(cb->flags & TCPHDR_FIN) || cb->end_seq != tw->rcv_nxt + 1)
		return RESET;
	tw->hashed.state = TCP_TIME_WAIT;
	tw->rcv_nxt = cb->end_seq;
	store_timestamp(tw, cb);
	reschedule(tw, TCP_TIMEWAIT_NS);
	return ACK;
}

static enum verdict in_time_wait(struct tcp_timewait *tw, const struct tcp_cb *cb, bool listens)
{
	bool reset = cb->flags & TCPHDR_RST;

	/* Only an RST or a bare ACK is expected. RFC 1337: the RST may be an old one. */
	if (!is_old_duplicate(tw, cb) && cb->seq == tw->rcv_nxt &&
	    (cb->seq == cb->end_seq || reset)) {
		if (reset && !tcp_sysctl.rfc1337)
			return KILL;
		if (!reset)
			reschedule(tw, TCP_TIMEWAIT_NS);
		store_timestamp(tw, cb);
		return IGNORE;
	}
	if (listens && may_begin_anew(tw, cb))
		return NEW;
	if (is_old_duplicate(tw, cb))
		snmp_inc(TCPEXT_PAWSTimewait);
	if (reset)
		return IGNORE;
	if (cb->flags & TCPHDR_ACK)
		reschedule(tw, TCP_TIMEWAIT_NS); /* the FIN again: the minute begins anew */
	return answer(tw, cb);
}

static enum verdict judge(struct tcp_timewait *tw, const struct tcp_cb *cb, bool listens)
{
	enum verdict verdict = IGNORE;

	spin_lock_bh(&timewait_lock);
	if (!list_empty(&tw->link))
		verdict = tw->hashed.state == TCP_FIN_WAIT2 ? in_fin_wait2(tw, cb)
							    : in_time_wait(tw, cb, listens);
	spin_unlock_bh(&timewait_lock);
	return verdict;
}

bool tcp_timewait_rcv(struct tcp_hashed *hashed, struct sk_buff *skb, bool listens)
{
	struct tcp_timewait *tw = timewait_of(hashed);
	enum verdict verdict = judge(tw, TCP_CB(skb), listens);

	switch (verdict) {
	case ACK:
		send_ack(tw);
		break;
	case RESET:
		tcp_send_reset_to(skb);
		end_timewait(tw);
		break;
	case KILL:
		end_timewait(tw);
		break;
	case NEW:
		/* RFC 9293 3.6.1: beyond all that the old connection has sent */
		TCP_CB(skb)->answer_seq = tw->snd_nxt + NEW_DISTANCE ?: 1;
		end_timewait(tw);
		return true;
	case IGNORE:
		break;
	}
	skb_put(skb);
	return false;
}

/* connect() wants the same four again (tcp_tw_reuse; 2: on the loopback device only): with timestamps that is safe after a
 * second. */
bool tcp_timewait_reuse(struct tcp_hashed *hashed, struct tcp_sock *tp)
{
	struct tcp_timewait *tw = timewait_of(hashed);

	if (!tcp_sysctl.tw_reuse || (tcp_sysctl.tw_reuse == 2 && !ip_is_loopback(hashed->daddr)))
		return false;
	if (!tw->timestamps || tcp_clock_s() - tw->ts_recent_stamp < 1)
		return false;
	if (!unlist(tw))
		return false;
	snmp_inc(TCPEXT_TWRecycled);
	tp->write_seq = tw->snd_nxt + NEW_DISTANCE;
	tcp_hash_replace(hashed, &tp->hashed);
	tcp_hashed_put(hashed);
	return true;
}

void tcp_timewait_init(void)
{
	timewait_cache = kmem_cache_create("tcp_timewait", sizeof(struct tcp_timewait), 8);
	if (!timewait_cache)
		panic("no memory for the cache of TIME_WAIT");
	timer_init(&timewait_timer, timewait_expired);
}
