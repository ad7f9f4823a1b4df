/*
 * TCP's sockets: their life from socket() until nobody has the connection any more, and what poll sees of it. Step 9 of
 * the journey (tcp_wake), and 13.
 *
 * A close() leaves a connection that still has something to send to itself: an orphan. It is referenced by the table of
 * connections and its timer, and ends by tcp_done() or as a TIME_WAIT.
 *
 * Context: process; waking and tcp_create() softirq too. Locks: user_lock, sk.lock.
 */
#include <net/tcp_socket.h>

#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <net/inet_option.h>
#include <net/snmp.h>
#include <net/tcp_hash.h>

u64 tcp_orphan_count;

#define MAX_WINDOW (65535U << 14) /* what scaling allows */

/* ---- waking ------------------------------------------------------------------------------------------------ */

/* One reader is enough for data; an end, or whatever has happened (0), concerns all. */
void tcp_wake(struct tcp_sock *tp, u32 events)
{
	struct sock *sk = tcp_to_sock(tp);

	if (unlikely(!events || events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
		sock_wake_all(sk, events);
	else
		sock_wake(sk, events);
}

/* More than the first number of tcp_wmem, when all connections together have too much. */
static bool sends_too_much(u32 wmem)
{
	return wmem >= tcp_sysctl.wmem[0] && unlikely(tcp_memory_above(TCP_MEM_LIMIT));
}

bool tcp_has_room(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	u32 lowat = READ_ONCE(tp->notsent_lowat) ?: READ_ONCE(tcp_sysctl.notsent_lowat);
	u32 used = READ_ONCE(sk->wmem);

	return used < READ_ONCE(sk->sndbuf) && !sends_too_much(used) &&
	       READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_nxt) < lowat;
}

bool tcp_is_writable(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	u32 lowat = READ_ONCE(tp->notsent_lowat) ?: READ_ONCE(tcp_sysctl.notsent_lowat);
	u32 used = READ_ONCE(sk->wmem), limit = READ_ONCE(sk->sndbuf);

	return used < limit && limit - used >= used / 2 && !sends_too_much(used) &&
	       2ULL * (READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_nxt)) < lowat;
}

void tcp_expand_sndbuf(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);
	u64 wanted = 2ULL * max(tp->cwnd, 10U) * max((u32)tp->mss, (u32)SKB_OBJECT_SIZE);

	if (!(sk->options & SK_SNDBUF_LOCK) && wanted > sk->sndbuf &&
	    !tcp_memory_above(TCP_MEM_PRESSURE))
		WRITE_ONCE(sk->sndbuf, max((u32)min(wanted, (u64)tcp_sysctl.wmem[2]), sk->sndbuf));
}

/*
 *	who finds no room		an acknowledgement
 *	no_space = true			wmem becomes less
 *	barrier				barrier
 *	looks again: room?		no_space? then wakes
 *
 * One of the two sees what the other did.
 */
void tcp_write_space(struct tcp_sock *tp)
{
	smp_mb();
	if (likely(!READ_ONCE(tp->no_space)))
		return;
	tcp_expand_sndbuf(tp);
	if (!tcp_is_writable(tp))
		return;
	WRITE_ONCE(tp->no_space, false);
	tcp_wake(tp, SOCK_WRITABLE);
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static int init_sock(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	inet_init(sk);
	sk->rcvbuf = READ_ONCE(tcp_sysctl.rmem[1]);
	sk->sndbuf = READ_ONCE(tcp_sysctl.wmem[1]);
	tp->hashed.kind = TCP_HASHED_CONNECTION;
	tp->hashed.state = TCP_CLOSE;
	tp->window_clamp = MAX_WINDOW;
	tcp_sender_init(tp);
	return 0;
}

struct tcp_sock *tcp_create(gfp_t gfp)
{
	struct sock *sk = sock_alloc(&tcp_sock_ops, AF_INET, SOCK_STREAM, IPPROTO_TCP, gfp);

	if (!sk)
		return NULL;
	init_sock(sk);
	return tcp_sk(sk);
}

/* A port that bind() chose stays until here, whatever became of the connection. */
static void tcp_destroy(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_unbind_port(tp);
	kfree(tp->listen);
	inet_destroy(sk);
}

/* ---- bind, listen, accept ------------------------------------------------------------------------------------- */

/* Under user_lock. */
static int take_addr(struct tcp_sock *tp, const struct sockaddr_in *addr)
{
	struct inet_sock *inet = &tp->inet;
	u16 port = ntohs(addr->port);
	int error = 0;

	if (!tcp_in(tp, TCPF(TCP_CLOSE)) || tp->bound)
		return -EINVAL;
	inet_set_source(inet, addr->addr);
	if (port || !(inet->flags & INET_BIND_ADDRESS_NO_PORT))
		error = tcp_bind_port(tp, port);
	if (error) {
		inet_set_source(inet, 0);
		return error;
	}
	inet->flags |= (addr->addr ? INET_ADDRESS_CHOSEN : 0) | (port ? INET_PORT_CHOSEN : 0);
	return 0;
}

static int tcp_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length)
{
	struct inet_sock *inet = inet_sk(sk);
	u16 port = ntohs(addr->in.port);
	int error = inet_check_bind_addr(inet, &addr->in, length);

	if (error)
		return error;
	if (port && port < READ_ONCE(ip_unprivileged_port_start) && !may_net_admin())
		return -EACCES;
	mutex_lock(&sk->user_lock);
	error = take_addr(tcp_sk(sk), &addr->in);
	mutex_unlock(&sk->user_lock);
	return error;
}

/* Under user_lock. */
static int start_listening(struct tcp_sock *tp, int backlog)
{
	struct sock *sk = tcp_to_sock(tp);
	int error = 0;

	if (tp->stage != TCP_UNCONNECTED || !tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		return -EINVAL;
	if (!tp->bound)
		error = tcp_bind_port(tp, 0);
	if (error)
		return error;
	spin_lock_bh(&sk->lock);
	error = tcp_listen_start(tp, backlog);
	spin_unlock_bh(&sk->lock);
	return error;
}

static int tcp_listen(struct sock *sk, int backlog)
{
	int error;

	mutex_lock(&sk->user_lock);
	error = start_listening(tcp_sk(sk), backlog);
	mutex_unlock(&sk->user_lock);
	return error;
}

static bool accept_is_over(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return !tcp_in(tp, TCPF(TCP_LISTEN)) || tcp_accept_ready(tp);
}

/* The next child; NULL: there is none now. */
static struct tcp_sock *take_child(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);
	struct tcp_sock *child = ERR_PTR(-EINVAL);

	spin_lock_bh(&sk->lock);
	if (tcp_in(tp, TCPF(TCP_LISTEN)))
		child = tcp_accept_dequeue(tp);
	spin_unlock_bh(&sk->lock);
	return child;
}

static struct sock *tcp_accept(struct sock *sk, u32 file_flags)
{
	u64 deadline =
		sock_deadline(READ_ONCE(sk->rcvtimeo), file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	struct tcp_sock *child;

	while (!(child = take_child(tcp_sk(sk)))) {
		int error = sock_wait_until(sk, SOCK_READABLE, accept_is_over, true, deadline);

		if (error)
			return ERR_PTR(error);
	}
	if (IS_ERR(child))
		return ERR_PTR(PTR_ERR(child));
	WRITE_ONCE(child->stage, TCP_CONNECTED);
	tcp_hash_grow();
	return tcp_to_sock(child);
}

/* ---- shutdown, close, abort ------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.4: our half of the connection ends behind what the program has written. Under sk.lock. */
static void end_sending(struct tcp_sock *tp)
{
	switch (tp->hashed.state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(tp, TCP_FIN_WAIT1);
		tcp_send_fin(tp);
		break;
	case TCP_CLOSE_WAIT:
		tcp_set_state(tp, TCP_LAST_ACK);
		tcp_send_fin(tp);
		break;
	}
}

/* Does the peer believe that there is a connection? */
static bool needs_reset(const struct tcp_sock *tp)
{
	const u32 unfinished = TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK);

	if (tcp_in(tp, unfinished))
		return tp->snd_nxt != tp->write_seq;
	return tcp_in(tp, TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_FIN_WAIT1) |
				  TCPF(TCP_FIN_WAIT2) | TCPF(TCP_SYN_RECV));
}

/* Under sk.lock. */
static void abort_connection(struct tcp_sock *tp, int error)
{
	if (tcp_in(tp, TCPF(TCP_LISTEN))) {
		tcp_listen_stop(tp);
		return;
	}
	if (needs_reset(tp))
		tcp_send_active_reset(tp);
	else if (!tcp_in(tp, TCPF(TCP_SYN_SENT)))
		error = 0;
	if (!tcp_in(tp, TCPF(TCP_CLOSE)))
		tcp_done(tp, error);
}

/* What the connection was, is forgotten; what the program has set, is not. Under sk.lock. */
static void forget_connection(struct tcp_sock *tp)
{
	const struct tcp_cong_ops *cong = tp->cong;
	struct inet_sock *inet = &tp->inet;

	__builtin_memset(&tp->rcv_nxt, 0,
			 offsetof(struct tcp_sock, cong) - offsetof(struct tcp_sock, rcv_nxt));
	tp->flags &= TCP_F_NODELAY | TCP_F_CORK | TCP_F_CONNECTOR | TCP_F_CHILD;
	skb_queue_purge(&inet->sk.receive_queue);
	tcp_sender_init(tp);
	tp->cong = cong;
	if (!(inet->flags & INET_ADDRESS_CHOSEN))
		inet_set_source(inet, 0);
	if (!(inet->flags & INET_PORT_CHOSEN))
		tcp_unbind_port(tp);
	tp->hashed.saddr = tp->hashed.daddr = 0;
	tp->hashed.dport = 0;
	inet->daddr = 0;
	inet->dport = 0;
	inet->sk.shutdown = 0;
}

void tcp_disconnect(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);

	spin_lock_bh(&sk->lock);
	abort_connection(tp, ECONNRESET);
	forget_connection(tp);
	spin_unlock_bh(&sk->lock);
	__atomic_and_fetch(&sk->options, ~SK_LISTENING, __ATOMIC_RELAXED);
	sock_wake_all(sk, EPOLLERR | EPOLLHUP | EPOLLRDHUP | SOCK_READABLE | SOCK_WRITABLE);
}

/* One that connects has to be told apart from one that was; under user_lock. */
static void settle_stage(struct tcp_sock *tp)
{
	if (tp->stage == TCP_CONNECTING)
		tp->stage = tcp_in(tp, TCPF_CONNECTING | TCPF(TCP_CLOSE)) ? TCP_DISCONNECTING
									  : TCP_CONNECTED;
}

static int shut(struct tcp_sock *tp, u32 how)
{
	struct sock *sk = tcp_to_sock(tp);
	int error = tcp_in(tp, TCPF(TCP_CLOSE)) ? -ENOTCONN : 0;

	settle_stage(tp);
	if (tcp_in(tp, TCPF(TCP_LISTEN)) && !(how & SHUTDOWN_RCV))
		return 0;
	if (tcp_in(tp, TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT))) {
		tcp_disconnect(tp);
		tp->stage = TCP_UNCONNECTED;
		return 0;
	}
	spin_lock_bh(&sk->lock);
	sk->shutdown |= how;
	if (how & SHUTDOWN_SND)
		end_sending(tp);
	spin_unlock_bh(&sk->lock);
	return error;
}

static int tcp_shutdown(struct sock *sk, u32 how)
{
	int error;

	mutex_lock(&sk->user_lock);
	error = shut(tcp_sk(sk), how);
	mutex_unlock(&sk->user_lock);
	sock_wake_all(sk, SOCK_READABLE | SOCK_WRITABLE | EPOLLRDHUP | EPOLLHUP);
	return error;
}

/* The first half of close(): what is said to the peer. Under sk.lock. Nobody will read what was not read yet, so the peer
 * must know that it did not arrive (RFC 1122 4.2.2.13). */
static void close_connection(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);
	bool unread = tcp_readable(tp);

	sk->shutdown = SHUTDOWN_MASK;
	if (!tcp_in(tp, TCPF(TCP_LISTEN)))
		skb_queue_purge(&sk->receive_queue);
	if (unread)
		snmp_inc(TCPEXT_TCPAbortOnClose);
	else if (sk->options & SK_LINGER && !sk->linger)
		snmp_inc(TCPEXT_TCPAbortOnData);
	if (unread || (sk->options & SK_LINGER && !sk->linger) ||
	    tcp_in(tp, TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT)))
		abort_connection(tp, 0);
	else
		end_sending(tp);
}

static bool close_is_over(struct sock *sk)
{
	return !tcp_in(tcp_sk(sk), TCPF(TCP_FIN_WAIT1) | TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK));
}

/* SO_LINGER: until the peer has it all. A process that ends waits for nobody. */
static void linger(struct sock *sk)
{
	if (!(sk->options & SK_LINGER) || !sk->linger || !current->files)
		return;
	sock_wait_until(sk, EPOLLHUP, close_is_over, false,
			clock_ns_after(sk->linger * NSEC_PER_SEC));
}

bool tcp_orphan_costs_too_much(const struct tcp_sock *tp)
{
	return __atomic_load_n(&tcp_orphan_count, __ATOMIC_RELAXED) >
		       READ_ONCE(tcp_sysctl.max_orphans) ||
	       sends_too_much(tp->inet.sk.wmem);
}

/* The second half: nobody will ever ask for it again. Under sk.lock. */
static void make_orphan(struct tcp_sock *tp)
{
	bool costs_too_much;

	if (tcp_in(tp, TCPF(TCP_CLOSE))) {
		tcp_unbind_port(tp);
		return;
	}
	tp->flags |= TCP_F_ORPHAN;
	__atomic_add_fetch(&tcp_orphan_count, 1, __ATOMIC_RELAXED);
	costs_too_much = tcp_orphan_costs_too_much(tp);
	if (costs_too_much || (tcp_in(tp, TCPF(TCP_FIN_WAIT2)) && tp->linger2 < 0)) {
		snmp_inc(costs_too_much ? TCPEXT_TCPAbortOnMemory : TCPEXT_TCPAbortOnLinger);
		tcp_send_active_reset(tp);
		tcp_done(tp, 0);
	} else if (tcp_in(tp, TCPF(TCP_FIN_WAIT2))) {
		tcp_time_wait(tp, TCP_FIN_WAIT2, tcp_fin_timeout(tp));
	}
}

static void tcp_close(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	spin_lock_bh(&sk->lock);
	close_connection(tp);
	spin_unlock_bh(&sk->lock);
	linger(sk);
	spin_lock_bh(&sk->lock);
	make_orphan(tp);
	spin_unlock_bh(&sk->lock);
	sock_put(sk);
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

static int tcp_getname(struct sock *sk, struct sockaddr_storage *addr, bool peer)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_hashed *four = &tp->hashed;

	if (!peer)
		inet_fill_sockaddr(&addr->in, four->saddr ?: tp->inet.rcv_saddr, four->sport);
	else if (four->dport && !tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_SYN_SENT)))
		inet_fill_sockaddr(&addr->in, four->daddr, four->dport);
	else
		return -ENOTCONN;
	return sizeof(addr->in);
}

/* Who finds no room here is told of it later: see tcp_write_space(). */
static inline bool poll_writable(struct tcp_sock *tp)
{
	if (likely(tcp_is_writable(tp)))
		return true;
	WRITE_ONCE(tp->no_space, true);
	smp_mb();
	return tcp_is_writable(tp);
}

/* So much that a reader with SO_RCVLOWAT wants it; the urgent byte does not count, if it is not in line. Data that fills
 * the window is enough in any case: more cannot come. */
static inline bool poll_readable(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	u32 bytes = tcp_readable(tp), least = READ_ONCE(sk->rcvlowat);

	if (unlikely(tcp_at_mark(tp)) && !(READ_ONCE(sk->options) & SK_OOBINLINE))
		least++;
	return bytes >= least || (bytes && unlikely(READ_ONCE(sk->rmem) >= READ_ONCE(sk->rcvbuf)));
}

static inline u32 poll_data(struct tcp_sock *tp, u32 shutdown)
{
	u32 ready = 0;

	if (poll_readable(tp))
		ready |= SOCK_READABLE;
	if (shutdown & SHUTDOWN_SND || poll_writable(tp))
		ready |= EPOLLOUT | EPOLLWRNORM;
	if (unlikely(READ_ONCE(tp->urg_valid) == TCP_URG_THERE))
		ready |= EPOLLPRI;
	return ready;
}

/* In whatever state it is. */
static noinline u32 poll_any(struct tcp_sock *tp)
{
	const struct sock *sk = tcp_to_sock(tp);
	u32 state = TCPF(READ_ONCE(tp->hashed.state)), shutdown = READ_ONCE(sk->shutdown),
	    ready = 0;

	if (state & TCPF(TCP_LISTEN))
		return tcp_accept_ready(tp) ? SOCK_READABLE : 0;
	if (shutdown == SHUTDOWN_MASK || state & TCPF(TCP_CLOSE))
		ready |= EPOLLHUP;
	if (shutdown & SHUTDOWN_RCV)
		ready |= EPOLLRDHUP | SOCK_READABLE;
	if (!(state & TCPF_CONNECTING))
		ready |= poll_data(tp, shutdown);
	if (READ_ONCE(sk->error) || inet_has_errors(&tp->inet))
		ready |= EPOLLERR;
	return ready;
}

static u32 tcp_poll(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (likely(READ_ONCE(tp->hashed.state) == TCP_ESTABLISHED && !READ_ONCE(sk->shutdown) &&
		   !READ_ONCE(sk->error) && !READ_ONCE(tp->inet.extra)))
		return poll_data(tp, 0);
	return poll_any(tp);
}

static int take_soft_error(struct sock *sk)
{
	return __atomic_exchange_n(&tcp_sk(sk)->soft_error, 0, __ATOMIC_RELAXED);
}

static struct sock_cache tcp_cache;

const struct sock_ops tcp_sock_ops = {
	.name = "TCP",
	.size = sizeof(struct tcp_sock),
	.cache = &tcp_cache,
	.init = init_sock,
	.close = tcp_close,
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = tcp_getname,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.poll = tcp_poll,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.keepalive = tcp_keepalive_changed,
	.soft_error = take_soft_error,
	.ioctl = tcp_ioctl,
	.destroy = tcp_destroy,
};

void tcp_init(void)
{
	sock_register(&tcp_sock_ops);
	kmem_cache_pack(tcp_cache.slab);
	tcp_arrival_init();
	tcp_sysctl_init();
	tcp_proc_init();
}
