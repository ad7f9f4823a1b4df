/*
 * connect(): the way there, a port, a SYN, and the wait for what becomes of it. Which errno it is when, is a table:
 *
 *	stage		not blocking		blocking
 *	UNCONNECTED	SYN; EINPROGRESS	SYN; waits, then as below
 *	CONNECTING	EALREADY while it does	waits for the same SYN
 *	  established	0, CONNECTED
 *	  failed	its error, UNCONNECTED: the next connect() begins anew
 *	CONNECTED	EISCONN
 *	DISCONNECTING	EINVAL
 *
 * Context: process. Locks: user_lock, but not asleep; sk.lock.
 */
#include <net/tcp_socket.h>

#include <kernel/lib/errno.h>
#include <net/inet_option.h>
#include <net/tcp_hash.h>

#define DEFAULT_MSS 536 /* RFC 9293 3.7.1, until the peer says more */

/* ---- addresses ----------------------------------------------------------------------------------------------- */

/* The way there; who we are, follows from it. */
static int find_way(struct tcp_sock *tp, const struct sockaddr_in *to)
{
	struct inet_sock *inet = &tp->inet;
	int error;

	tp->hashed.saddr = inet->saddr;
	tp->hashed.daddr = to->addr ?: inet->saddr ?: htonl(INADDR_LOOPBACK);
	tp->hashed.dport = to->port;
	error = tcp_route(tp);
	if (error)
		return error;
	if (inet->flow.dst.type == ROUTE_BROADCAST || inet->flow.dst.type == ROUTE_MULTICAST)
		return -ENETUNREACH;
	tp->hashed.saddr = inet->flow.saddr;
	return 0;
}

/* For those who look at an inet_sock: the rules of ports, options. */
static void set_addresses(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet;

	inet->saddr = tp->hashed.saddr;
	inet->rcv_saddr = inet->rcv_saddr ?: inet->saddr;
	inet->daddr = tp->hashed.daddr;
	inet->dport = tp->hashed.dport;
}

static void forget_addresses(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet;

	if (!(inet->flags & INET_ADDRESS_CHOSEN))
		inet_set_source(inet, 0);
	tp->hashed.saddr = tp->hashed.daddr = inet->daddr = 0;
	tp->hashed.dport = inet->dport = 0;
}

/* ---- SYN -------------------------------------------------------------------------------------------------------- */

static int send_syn(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);
	int error;

	spin_lock_bh(&sk->lock);
	tp->mss_clamp = DEFAULT_MSS;
	tcp_set_state(tp, TCP_SYN_SENT);
	error = tcp_send_syn(tp);
	if (error) {
		tcp_done(tp, 0);
		sk->shutdown = 0;
	}
	spin_unlock_bh(&sk->lock);
	return error;
}

/* Under user_lock, CLOSED. */
static int begin(struct tcp_sock *tp, const struct sockaddr_storage *addr, u32 length)
{
	int error;

	if (length < sizeof(addr->in))
		return -EINVAL;
	if (addr->family != AF_INET)
		return -EAFNOSUPPORT;
	error = find_way(tp, &addr->in);
	if (!error)
		error = tcp_connect_port(tp);
	if (!error) {
		set_addresses(tp);
		error = send_syn(tp);
	}
	if (error) {
		forget_addresses(tp);
		return error;
	}
	tcp_hash_grow();
	return 0;
}

/* ---- and what becomes of it --------------------------------------------------------------------------------------- */

static bool connect_is_over(struct sock *sk)
{
	return !tcp_in(tcp_sk(sk), TCPF_CONNECTING);
}

/* Under user_lock, but not asleep. */
static int wait_for_answer(struct tcp_sock *tp, u32 file_flags)
{
	struct sock *sk = tcp_to_sock(tp);
	u64 deadline =
		sock_deadline(READ_ONCE(sk->sndtimeo), file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	int error;

	if (connect_is_over(sk))
		return 0;
	mutex_unlock(&sk->user_lock);
	error = sock_wait_until(sk, SOCK_WRITABLE, connect_is_over, false, deadline);
	mutex_lock(&sk->user_lock);
	return error;
}

static int finish(struct tcp_sock *tp)
{
	int error;

	if (!tcp_in(tp, TCPF(TCP_CLOSE))) {
		tp->stage = TCP_CONNECTED;
		return 0;
	}
	error = sock_error(tcp_to_sock(tp)) ?: -ECONNABORTED;
	tcp_disconnect(tp);
	tp->stage = TCP_UNCONNECTED;
	return error;
}

static int go_on(struct tcp_sock *tp, u32 file_flags, int unfinished)
{
	int error = wait_for_answer(tp, file_flags);

	if (error)
		return error == -EAGAIN ? unfinished : error;
	return finish(tp);
}

static int connect_to(struct tcp_sock *tp, const struct sockaddr_storage *addr, u32 length,
		      u32 file_flags)
{
	int error;

	switch (tp->stage) {
	case TCP_UNCONNECTED:
		if (!tcp_in(tp, TCPF(TCP_CLOSE)))
			return -EISCONN; /* it listens */
		error = begin(tp, addr, length);
		if (error)
			return error;
		tp->stage = TCP_CONNECTING;
		if (file_flags & O_NONBLOCK)
			return -EINPROGRESS; /* even if loopback has brought the answer already: as on Linux */
		return go_on(tp, file_flags, -EINPROGRESS);
	case TCP_CONNECTING:
		return go_on(tp, file_flags, -EALREADY);
	case TCP_CONNECTED:
		return -EISCONN;
	default:
		return -EINVAL;
	}
}

int tcp_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length, u32 file_flags)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int error = 0;

	if (length < sizeof(addr->family))
		return -EINVAL;
	mutex_lock(&sk->user_lock);
	if (addr->family == AF_UNSPEC) {
		tcp_disconnect(tp);
		tp->stage = TCP_UNCONNECTED;
	} else {
		error = connect_to(tp, addr, length, file_flags);
	}
	mutex_unlock(&sk->user_lock);
	return error;
}
