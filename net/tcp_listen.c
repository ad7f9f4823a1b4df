/*
 * LISTEN: RFC 9293 3.10.7.2, and the handshake until there is a connection.
 *
 *	SYN		a tcp_request goes into the table of connections and on the listener's SYN queue; SYN-ACK
 *	(nothing)	SYN-ACK again after 1, 2, 4 ... seconds; then the request goes
 *	ACK		the request becomes a connection: in the table in one step, on the accept queue, and the listener's
 *			waiters are woken
 *	accept()	takes it off
 *
 * A request is a tenth of a connection, and there are no more than the backlog allows; beyond that, SYN cookies.
 *
 * Context: softirq, and process with softirqs off. Locks: the listener's sk.lock for both queues; inside it the child's,
 * which nobody else has yet.
 */
#include <net/tcp_listen.h>

#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <net/snmp.h>
#include <net/tcp_arrival.h>
#include <net/tcp_port.h>
#include <net/tcp_reply.h>

#define FIRST_WAIT   NSEC_PER_SEC
#define MIN_REQUESTS 8
#define COOKIES_VALID_S \
	180 /* so long after the last one was sent, ACKs are looked at for cookies */

static struct kmem_cache *request_cache; /* constant after start-up */

static struct tcp_request *request_of(struct tcp_hashed *hashed)
{
	return container_of(hashed, struct tcp_request, hashed);
}

void tcp_request_free(struct tcp_hashed *hashed)
{
	struct tcp_request *request = request_of(hashed);

	sock_put(tcp_to_sock(request->listener));
	kmem_cache_free(request_cache, request);
}

/* ---- SYN-ACK ------------------------------------------------------------------------------------------------------- */

static u16 window_field(u32 window)
{
	return min(window, 65535U);
}

static void send_syn_ack(const struct tcp_request *request)
{
	const struct tcp_sock *listener = request->listener;
	const struct tcp_options *options = &request->options;

	tcp_send_reply(&(struct tcp_reply){
		.saddr = request->hashed.saddr,
		.daddr = request->hashed.daddr,
		.sport = request->hashed.sport,
		.dport = request->hashed.dport,
		.seq = request->iss,
		.ack = request->irs + 1,
		.flags = TCPHDR_SYN | TCPHDR_ACK | (request->ecn ? TCPHDR_ECE : 0),
		.tos = listener->inet.tos,
		.window = window_field(request->window),
		.mss = request->advmss,
		.wscale = options->wscale < 0 ? -1 : request->rcv_wscale,
		.sack_permitted = options->sack_permitted,
		.timestamp = options->timestamp,
		.tsval = tcp_clock_ms() + request->ts_offset,
		.tsecr = request->tsval,
	});
}

/* ---- the SYN queue, under the listener's lock ------------------------------------------------------------------------- */

static u64 next_due(const struct tcp_listen *listen)
{
	u64 due = ~0ULL;

	for (u32 i = 0; i < TCP_SYN_LEVELS; i++)
		if (!list_empty(&listen->requests[i]))
			due = min(due,
				  list_first_entry(&listen->requests[i], struct tcp_request, link)
					  ->due);
	return due;
}

static void start_timer(struct tcp_listen *listen, u64 due)
{
	if (due == ~0ULL || (timer_pending(&listen->timer) && listen->timer.expires <= due))
		return;
	if (!timer_start(&listen->timer, due))
		sock_get(tcp_to_sock(listen->tp));
}

static void queue_request(struct tcp_listen *listen, struct tcp_request *request)
{
	request->due = clock_ns() + (FIRST_WAIT << request->retries);
	list_add_tail(&request->link, &listen->requests[request->retries]);
	listen->nr_requests++;
	start_timer(listen, request->due);
}

static void unqueue_request(struct tcp_listen *listen, struct tcp_request *request)
{
	list_del_init(&request->link);
	listen->nr_requests--;
}

/* Out of the queue and out of the table. */
static void drop_request(struct tcp_listen *listen, struct tcp_request *request)
{
	unqueue_request(listen, request);
	tcp_hash_remove(&request->hashed);
	tcp_hashed_put(&request->hashed);
}

/* A request whose ACK came without data (TCP_DEFER_ACCEPT) is asked once more at the end, to see what it wants. */
static void request_due(struct tcp_listen *listen, struct tcp_request *request)
{
	unqueue_request(listen, request);
	if (request->retries >= min(tcp_sysctl.synack_retries, TCP_SYN_LEVELS - 1U)) {
		tcp_hash_remove(&request->hashed);
		tcp_hashed_put(&request->hashed);
		return;
	}
	request->retries++;
	snmp_inc(TCPEXT_TCPSynRetrans);
	queue_request(listen, request);
	send_syn_ack(request);
}

static void requests_due(struct tcp_listen *listen)
{
	u64 now = clock_ns();

	for (u32 i = 0; i < TCP_SYN_LEVELS; i++) {
		while (!list_empty(&listen->requests[i])) {
			struct tcp_request *request =
				list_first_entry(&listen->requests[i], struct tcp_request, link);

			if (request->due > now)
				break;
			request_due(listen, request);
		}
	}
	start_timer(listen, next_due(listen));
}

static void listen_timer(struct timer *timer)
{
	struct tcp_listen *listen = container_of(timer, struct tcp_listen, timer);
	struct tcp_sock *tp = listen->tp;

	spin_lock_bh(&tcp_to_sock(tp)->lock);
	if (tp->hashed.state == TCP_LISTEN)
		requests_due(listen);
	spin_unlock_bh(&tcp_to_sock(tp)->lock);
	sock_put(tcp_to_sock(tp));
}

/* ---- a SYN arrives ------------------------------------------------------------------------------------------------------ */

static bool syn_queue_full(const struct tcp_listen *listen)
{
	return listen->nr_requests >=
	       max(min(listen->backlog, tcp_sysctl.max_syn_backlog), (u32)MIN_REQUESTS);
}

static u8 receive_scale(const struct tcp_options *options)
{
	return options->wscale < 0 ? 0 : tcp_choose_wscale(tcp_sysctl.rmem[2]);
}

/* What we offer of what they offered. */
static void choose_options(struct tcp_request *request, const struct tcp_sock *listener,
			   const struct sk_buff *skb)
{
	const u8 ask_ecn = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR;
	struct tcp_options *options = &request->options;

	*options = TCP_CB(skb)->options;
	request->ecn = tcp_sysctl.ecn && (TCP_CB(skb)->flags & ask_ecn) == ask_ecn;
	options->timestamp &= tcp_sysctl.timestamps;
	options->sack_permitted &= tcp_sysctl.sack;
	if (!tcp_sysctl.window_scaling)
		options->wscale = -1;
	request->tsval = TCP_CB(skb)->tsval;
	request->rcv_wscale = receive_scale(options);
	request->window = min(min(listener->inet.sk.rcvbuf / 2, listener->window_clamp), 65535U);
	request->advmss = min(min(skb->dev->mtu, IP_MAX_MTU) - 40, listener->user_mss ?: 65535U);
}

static struct tcp_request *new_request(struct tcp_sock *listener, const struct tcp_four *four,
				       const struct sk_buff *skb)
{
	struct tcp_request *request = kmem_cache_alloc(request_cache, GFP_ATOMIC);
	const struct tcp_cb *cb = TCP_CB(skb);
	struct tcp_origin origin;

	if (!request)
		return NULL;
	origin = tcp_secure_origin(four->saddr, four->daddr, four->sport, four->dport);
	*request = (struct tcp_request){
		.hashed = {
			.refcount = 1,
			.saddr = four->saddr,
			.daddr = four->daddr,
			.sport = four->sport,
			.dport = four->dport,
			.kind = TCP_HASHED_REQUEST,
			.state = TCP_NEW_SYN_RECV,
		},
		.listener = listener,
		.irs = cb->seq,
		.iss = cb->answer_seq ?: origin.seq,
		.ts_offset = origin.ts_offset,
		.started = clock_ns(),
	};
	sock_get(tcp_to_sock(listener));
	INIT_LIST_HEAD(&request->link);
	choose_options(request, listener, skb);
	return request;
}

/* Nothing is kept: what the ACK brings back must be enough. */
static void send_cookie(struct tcp_sock *listener, struct tcp_request *request,
			const struct tcp_four *four)
{
	u16 mss = request->options.mss ?: 536;

	snmp_inc(TCPEXT_SyncookiesSent);
	listener->listen->cookies_at = tcp_clock_s();
	request->iss = tcp_cookie_make(four, request->irs, &mss);
	request->ecn = false;
	if (request->options.timestamp) {
		u32 now = tcp_clock_ms();

		request->ts_offset =
			tcp_cookie_timestamp(&request->options, now + request->ts_offset) - now;
	} else {
		request->options = (struct tcp_options){ .wscale = -1 };
	}
	send_syn_ack(request);
}

static void syn_arrives(struct tcp_sock *listener, const struct tcp_four *four, struct sk_buff *skb)
{
	struct tcp_listen *listen = listener->listen;
	bool full = syn_queue_full(listen),
	     cookie = tcp_sysctl.syncookies && (full || tcp_sysctl.syncookies == 2);
	struct tcp_request *request = NULL;
	struct tcp_hashed *other;

	if (full)
		snmp_inc(cookie ? TCPEXT_TCPReqQFullDoCookies : TCPEXT_TCPReqQFullDrop);
	if (tcp_accept_queue_full(listen))
		snmp_inc(TCPEXT_ListenOverflows);
	else if (!full || cookie)
		request = new_request(listener, four, skb);
	if (!request) {
		snmp_inc(TCPEXT_ListenDrops);
		return;
	}
	if (cookie) {
		send_cookie(listener, request, four);
		tcp_hashed_put(&request->hashed);
		return;
	}
	other = tcp_hash_add(&request->hashed);
	if (other) { /* the same SYN on another CPU */
		tcp_hashed_put(other);
		tcp_hashed_put(&request->hashed);
		return;
	}
	queue_request(listen, request);
	send_syn_ack(request);
}

/* ---- an ACK arrives for the listener itself: a cookie? --------------------------------------------------------------------- */

/* The MSS that it stands for; 0: it is none of ours. */
static u16 check_cookie(const struct tcp_sock *listener, const struct tcp_four *four,
			const struct tcp_cb *cb)
{
	u32 cookies_at = listener->listen->cookies_at;
	u16 mss;

	if (!cookies_at || tcp_clock_s() - cookies_at > COOKIES_VALID_S || cb->flags & TCPHDR_SYN)
		return 0;
	mss = tcp_cookie_check(four, cb->seq - 1, cb->ack - 1);
	snmp_inc(mss ? TCPEXT_SyncookiesRecv : TCPEXT_SyncookiesFailed);
	return mss;
}

/* NULL: there is no room for it, or no memory. The client asks again when it has something to say. */
static struct tcp_sock *cookie_arrives(struct tcp_sock *listener, const struct tcp_four *four,
				       struct sk_buff *skb, u16 mss)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	struct tcp_request *request = new_request(listener, four, skb);
	struct tcp_sock *child;

	if (!request)
		return NULL;
	request->irs = cb->seq - 1;
	request->iss = cb->ack - 1;
	request->retries = 1; /* how long the round trip was, nobody knows */
	request->options = (struct tcp_options){ .mss = mss, .wscale = -1 };
	if (tcp_sysctl.timestamps && cb->options.timestamp)
		tcp_cookie_options(&request->options, cb->tsecr);
	request->rcv_wscale = receive_scale(&request->options);
	child = tcp_complete_request(listener, request, skb, false);
	tcp_hashed_put(&request->hashed);
	return child;
}

/* Takes the reference on `skb`, unless there is a child for it. Under the listener's lock. */
static struct tcp_sock *listen_rcv(struct tcp_sock *listener, const struct tcp_four *four,
				   struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	struct tcp_sock *child = NULL;
	u16 mss;

	if (cb->flags & TCPHDR_RST) {
		/* first: an RST is for nobody here */
	} else if (cb->flags & TCPHDR_ACK) {
		/* second: an ACK of a cookie, or of what we have not sent */
		mss = check_cookie(listener, four, cb);
		if (mss)
			child = cookie_arrives(listener, four, skb, mss);
		else
			tcp_send_reset_to(skb);
	} else if (cb->flags & TCPHDR_SYN) {
		/* third: a SYN; with FIN it is nothing that anybody means */
		if (!(cb->flags & TCPHDR_FIN))
			syn_arrives(listener, four, skb);
	}
	if (!child)
		skb_put(skb);
	return child;
}

void tcp_listen_rcv(struct tcp_sock *listener, struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	const struct tcp_four four = { ip->daddr, ip->saddr, th->dest, th->source };
	struct sock *sk = tcp_to_sock(listener);
	struct tcp_sock *child;

	spin_lock_bh(&sk->lock);
	if (listener->hashed.state != TCP_LISTEN) {
		spin_unlock_bh(&sk->lock);
		skb_put(skb);
		return;
	}
	child = listen_rcv(listener, &four, skb);
	if (!child) {
		spin_unlock_bh(&sk->lock);
		return;
	}
	sock_get(tcp_to_sock(child));
	spin_unlock(&sk->lock);
	tcp_child_rcv(child, skb);
	sock_put(tcp_to_sock(child));
}

/* ---- a segment for a request -------------------------------------------------------------------------------------------------- */

static bool request_seq_ok(const struct tcp_request *request, const struct tcp_cb *cb)
{
	u32 next = request->irs + 1;

	if (request->options.timestamp && cb->options.timestamp &&
	    (s32)(cb->tsval - request->tsval) < 0)
		return false;
	return !before(cb->end_seq, next) && !after(cb->seq, next + request->window);
}

/* What is outside the window is answered, as for a connection. */
static void send_ack(const struct tcp_request *request)
{
	tcp_send_reply(&(struct tcp_reply){
		.saddr = request->hashed.saddr,
		.daddr = request->hashed.daddr,
		.sport = request->hashed.sport,
		.dport = request->hashed.dport,
		.seq = request->iss + 1,
		.ack = request->irs + 1,
		.flags = TCPHDR_ACK,
		.tos = request->listener->inet.tos,
		.window = request->window >> request->rcv_wscale,
		.wscale = -1,
		.timestamp = request->options.timestamp,
		.tsval = tcp_clock_ms() + request->ts_offset,
		.tsecr = request->tsval,
	});
}

/* TCP_DEFER_ACCEPT: an ACK alone is not worth waking anybody for. */
static bool defers(struct tcp_request *request, const struct tcp_cb *cb)
{
	if (!request->listener->defer_accept || cb->end_seq != request->irs + 1)
		return false;
	if (clock_ns() - request->started > tcp_defer_accept_s(request->listener) * NSEC_PER_SEC)
		return false;
	request->deferred = true;
	snmp_inc(TCPEXT_TCPDeferAcceptDrop);
	return true;
}

/* Under the listener's lock: the steps of 3.10.7.4 for SYN-RECEIVED. The child that it became, locked; then `skb` is
 * the child's. */
static struct tcp_sock *request_rcv(struct tcp_request *request, struct sk_buff *skb)
{
	struct tcp_sock *listener = request->listener, *child;
	const struct tcp_cb *cb = TCP_CB(skb);

	if (cb->flags & TCPHDR_SYN && cb->seq == request->irs &&
	    !(cb->flags & (TCPHDR_ACK | TCPHDR_RST))) {
		send_syn_ack(request); /* the SYN again: our answer was lost */
		return NULL;
	}
	if (!request_seq_ok(request, cb)) {
		if (!(cb->flags & TCPHDR_RST) && !tcp_answer_limited(cb, &request->answered_ms))
			send_ack(request);
		return NULL;
	}
	if (cb->flags & TCPHDR_RST) {
		if (cb->seq == request->irs + 1) {
			snmp_inc(TCP_AttemptFails);
			snmp_inc(TCPEXT_EmbryonicRsts);
			drop_request(listener->listen, request);
		}
		return NULL;
	}
	if (cb->flags & TCPHDR_SYN || !(cb->flags & TCPHDR_ACK))
		return NULL;
	if (cb->ack != request->iss + 1) {
		tcp_send_reset_to(skb);
		return NULL;
	}
	if (defers(request, cb))
		return NULL;
	if (tcp_accept_queue_full(listener->listen) && tcp_sysctl.abort_on_overflow) {
		tcp_send_reset_to(skb);
		drop_request(listener->listen, request);
		return NULL;
	}
	child = tcp_complete_request(listener, request, skb, true);
	if (child) {
		unqueue_request(listener->listen, request);
		tcp_hashed_put(&request->hashed);
	}
	return child;
}

/* Another CPU may have been faster: then the segment is for the connection that the request has become. */
static void rcv_again(struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	const struct tcp_four four = { ip->daddr, ip->saddr, th->dest, th->source };
	struct tcp_hashed *hashed = tcp_hash_lookup(&four);

	if (hashed && hashed->kind == TCP_HASHED_CONNECTION) {
		struct tcp_sock *tp = tcp_of(hashed);

		spin_lock_bh(&tcp_to_sock(tp)->lock);
		tcp_rcv_state(tp, skb);
		spin_unlock_bh(&tcp_to_sock(tp)->lock);
	} else {
		skb_put(skb);
	}
	if (hashed)
		tcp_hashed_put(hashed);
}

void tcp_request_rcv(struct tcp_hashed *hashed, struct sk_buff *skb)
{
	struct tcp_request *request = request_of(hashed);
	struct sock *sk = tcp_to_sock(request->listener);
	struct tcp_sock *child;

	spin_lock_bh(&sk->lock);
	if (list_empty(&request->link)) {
		spin_unlock_bh(&sk->lock);
		rcv_again(skb);
		return;
	}
	child = request_rcv(request, skb);
	if (!child) {
		spin_unlock_bh(&sk->lock);
		skb_put(skb);
		return;
	}
	sock_get(tcp_to_sock(child));
	spin_unlock(&sk->lock);
	tcp_child_rcv(child, skb);
	sock_put(tcp_to_sock(child));
}

/* A hard error about our SYN-ACK: that peer is not there. */
void tcp_request_error(struct tcp_hashed *hashed, u32 seq)
{
	struct tcp_request *request = request_of(hashed);
	struct sock *sk = tcp_to_sock(request->listener);

	if (seq != request->iss)
		return;
	spin_lock_bh(&sk->lock);
	if (!list_empty(&request->link))
		drop_request(request->listener->listen, request);
	spin_unlock_bh(&sk->lock);
}

/* ---- listen(), accept(), close(): process context, under the listener's lock ----------------------------------------------------- */

static struct tcp_listen *new_listen(struct tcp_sock *tp)
{
	struct tcp_listen *listen = kzalloc(sizeof(*listen), GFP_ATOMIC);

	if (!listen)
		return NULL;
	listen->tp = tp;
	timer_init(&listen->timer, listen_timer);
	for (u32 i = 0; i < TCP_SYN_LEVELS; i++)
		INIT_LIST_HEAD(&listen->requests[i]);
	return listen;
}

int tcp_listen_start(struct tcp_sock *tp, int backlog)
{
	int error;

	if (tp->hashed.state != TCP_LISTEN) {
		tp->listen = tp->listen ?: new_listen(tp);
		if (!tp->listen)
			return -ENOBUFS;
		error = tcp_listen_hash(tp);
		if (error)
			return error;
	}
	tp->listen->backlog = backlog;
	return 0;
}

/* They were never accepted: nobody will answer them. */
static void reset_child(struct tcp_sock *child)
{
	spin_lock_nested(&tcp_to_sock(child)->lock);
	if (child->hashed.state != TCP_CLOSE) {
		child->flags |= TCP_F_ORPHAN;
		__atomic_add_fetch(&tcp_orphan_count, 1, __ATOMIC_RELAXED);
		tcp_send_active_reset(child);
		tcp_done(child, 0);
	} else {
		skb_queue_purge(&tcp_to_sock(child)->receive_queue);
	}
	spin_unlock(&tcp_to_sock(child)->lock);
	sock_put(tcp_to_sock(child));
}

void tcp_listen_stop(struct tcp_sock *tp)
{
	struct tcp_listen *listen = tp->listen;
	struct tcp_sock *child;

	tcp_listen_unhash(tp);
	tcp_set_state(tp, TCP_CLOSE);
	for (u32 i = 0; i < TCP_SYN_LEVELS; i++)
		while (!list_empty(&listen->requests[i]))
			drop_request(listen, list_first_entry(&listen->requests[i],
							      struct tcp_request, link));
	while ((child = tcp_accept_dequeue(tp)))
		reset_child(child);
	if (timer_cancel(&listen->timer))
		sock_put(tcp_to_sock(tp));
}

bool tcp_accept_ready(const struct tcp_sock *tp)
{
	return tp->listen && READ_ONCE(tp->listen->first_child);
}

struct tcp_sock *tcp_accept_dequeue(struct tcp_sock *tp)
{
	struct tcp_listen *listen = tp->listen;
	struct tcp_sock *child;

	if (!tcp_accept_ready(tp))
		return NULL;
	child = listen->first_child;
	WRITE_ONCE(listen->first_child, child->accept_next);
	if (!child->accept_next)
		listen->last_child = NULL;
	child->accept_next = NULL;
	listen->nr_children--;
	return child;
}

u32 tcp_accept_backlog(const struct tcp_sock *tp, u32 *limit)
{
	*limit = tp->listen ? tp->listen->backlog : 0;
	return tp->listen ? tp->listen->nr_children : 0;
}

void tcp_listen_init(void)
{
	request_cache = kmem_cache_create("tcp_request", sizeof(struct tcp_request), 8);
	if (!request_cache)
		panic("no memory for the cache of requests");
}
