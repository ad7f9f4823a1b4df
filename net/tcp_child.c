/*
 * A request becomes a connection: what the child gets from its listener, and what from the handshake.
 *
 * Context: softirq. Locks: the listener's sk.lock, held by the caller; inside it the child's, which nobody else has yet.
 */
#include <net/tcp_listen.h>

#include <net/snmp.h>
#include <net/tcp_arrival.h>

static void inherit(struct tcp_sock *child, const struct tcp_sock *listener)
{
	struct sock *sk = tcp_to_sock(child);
	const struct sock *from = &listener->inet.sk;

	sk->options = from->options & ~SK_LISTENING;
	sk->rcvbuf = from->rcvbuf;
	sk->sndbuf = from->sndbuf;
	sk->linger = from->linger;
	sk->mark = from->mark;
	sk->bound_dev = from->bound_dev;
	sk->rcvlowat = from->rcvlowat;
	sk->rcvtimeo = from->rcvtimeo;
	sk->sndtimeo = from->sndtimeo;
	sk->uid = from->uid;
	child->inet.tos = listener->inet.tos;
	child->inet.ttl = listener->inet.ttl;
	child->inet.pmtudisc = listener->inet.pmtudisc;
	child->inet.flags |= listener->inet.flags & ~(INET_PORT_CHOSEN | INET_ADDRESS_CHOSEN);
	child->flags = listener->flags & (TCP_F_NODELAY | TCP_F_CORK);
	child->user_mss = listener->user_mss;
	child->user_timeout_ms = listener->user_timeout_ms;
	child->keepalive_s = listener->keepalive_s;
	child->keepalive_interval_s = listener->keepalive_interval_s;
	child->keepalive_probes = listener->keepalive_probes;
	child->notsent_lowat = listener->notsent_lowat;
	child->linger2 = listener->linger2;
	child->syn_retries = listener->syn_retries;
	child->window_clamp = listener->window_clamp;
	child->cong = listener->cong;
}

static void set_addresses(struct tcp_sock *child, const struct tcp_hashed *four)
{
	child->hashed.saddr = four->saddr;
	child->hashed.daddr = four->daddr;
	child->hashed.sport = four->sport;
	child->hashed.dport = four->dport;
	child->inet.rcv_saddr = four->saddr;
	child->inet.saddr = four->saddr;
	child->inet.daddr = four->daddr;
	child->inet.dport = four->dport;
	child->inet.port = ntohs(four->sport);
}

static void set_numbers(struct tcp_sock *child, const struct tcp_request *request,
			const struct tcp_cb *cb)
{
	child->rcv_nxt = child->rcv_wup = child->copied_seq = request->irs + 1;
	child->rcv_wnd = request->window;
	tcp_tune_rcvbuf_start(child);
	child->rcv_wscale = request->rcv_wscale;
	child->advmss = request->advmss;
	child->snd_una = child->snd_nxt = child->write_seq = child->snd_up = request->iss + 1;
	child->flags |= (tcp_sysctl.timestamps ? TCP_F_TIMESTAMPS : 0) |
			(tcp_sysctl.sack ? TCP_F_SACK : 0) |
			(tcp_sysctl.window_scaling ? TCP_F_WSCALE : 0) |
			(request->ecn ? TCP_F_ECN : 0);
	tcp_negotiate(child, &request->options);
	if (child->flags & TCP_F_TIMESTAMPS) {
		child->ts_offset = request->ts_offset;
		child->ts_recent = request->tsval;
		child->ts_recent_stamp = tcp_clock_s();
	}
	child->snd_wnd = (u32)cb->window << child->snd_wscale;
	child->max_window = child->snd_wnd;
	child->snd_wl1 = cb->seq;
}

/* Ready but for the tables; locked. NULL: no memory, or no way there any more. */
static struct tcp_sock *new_child(struct tcp_sock *listener, const struct tcp_request *request,
				  struct sk_buff *skb)
{
	struct tcp_sock *child = tcp_create(GFP_ATOMIC);

	if (!child)
		return NULL;
	spin_lock_nested(&tcp_to_sock(child)->lock);
	inherit(child, listener);
	set_addresses(child, &request->hashed);
	if (tcp_route(child)) {
		spin_unlock(&tcp_to_sock(child)->lock);
		sock_put(tcp_to_sock(child));
		return NULL;
	}
	set_numbers(child, request, TCP_CB(skb));
	tcp_sync_mss(child, child->inet.flow.dst.mtu);
	child->hashed.state = TCP_ESTABLISHED; /* counted when it is in the table */
	if (!request->retries)
		tcp_rtt_first(child, (clock_ns() - request->started) / NSEC_PER_USEC);
	tcp_sender_start(child);
	return child;
}

static void queue_child(struct tcp_sock *listener, struct tcp_sock *child)
{
	struct tcp_listen *listen = listener->listen;

	tcp_share_port(child, listener);
	*(listen->last_child ? &listen->last_child->accept_next : &listen->first_child) = child;
	listen->last_child = child;
	listen->nr_children++;
	snmp_inc(TCP_PassiveOpens);
	snmp_inc(TCP_CurrEstab);
	tcp_wake(listener, EPOLLIN | EPOLLRDNORM);
}

struct tcp_sock *tcp_complete_request(struct tcp_sock *listener, struct tcp_request *request,
				      struct sk_buff *skb, bool in_table)
{
	struct tcp_hashed *other = NULL;
	struct tcp_sock *child;
	bool added;

	if (tcp_accept_queue_full(listener->listen)) {
		snmp_inc(TCPEXT_ListenOverflows);
		snmp_inc(TCPEXT_ListenDrops);
		return NULL;
	}
	child = new_child(listener, request, skb);
	if (!child) {
		snmp_inc(TCPEXT_ListenDrops);
		return NULL;
	}
	if (in_table)
		added = tcp_hash_replace(&request->hashed, &child->hashed);
	else
		added = !(other = tcp_hash_add(&child->hashed));
	if (added) {
		queue_child(listener, child);
		return child;
	}
	if (other)
		tcp_hashed_put(other);
	child->hashed.state = TCP_CLOSE;
	spin_unlock(&tcp_to_sock(child)->lock);
	sock_put(tcp_to_sock(child));
	return NULL;
}

void tcp_child_rcv(struct tcp_sock *child, struct sk_buff *skb)
{
	tcp_rcv_state(child, skb);
	spin_unlock_bh(&tcp_to_sock(child)->lock);
}
