/*
 * Connecting streams and sequenced packets. Who connects makes the other end himself and leaves it on the listener's
 * list, joined and ready for use: data can be sent before it is accepted.
 *
 * Context: process. Locks: net/unix.h.
 */
#include <net/unix.h>

#include <kernel/lib/errno.h>
#include <kernel/wait.h>

/* ---- connect ------------------------------------------------------------------------------------------- */

static bool listens(const struct unix_sock *other)
{
	return !READ_ONCE(other->dead) && READ_ONCE(other->state) == UNIX_LISTENING &&
	       !(READ_ONCE(other->sk.shutdown) & SHUTDOWN_RCV);
}

static bool backlog_full(const struct unix_sock *other)
{
	return READ_ONCE(other->nr_pending) > READ_ONCE(other->backlog);
}

/* Until the listener has room, or listens no more. 0: look again. */
static int wait_for_listener(struct unix_sock *other, u64 deadline)
{
	int error;

	if (!deadline)
		return -EAGAIN;
	error = wait_event_full(&other->room, !listens(other) || !backlog_full(other),
				TASK_INTERRUPTIBLE, WQ_FLAG_EXCLUSIVE, deadline);
	if (error == -EINTR)
		return sock_interrupted(deadline);
	return error == -ETIME ? -EAGAIN : 0;
}

/* Both locks held. */
static int may_connect(const struct unix_sock *u, const struct unix_sock *other)
{
	if (!listens(other))
		return -ECONNREFUSED;
	if (backlog_full(other))
		return -EAGAIN;
	if (u->state == UNIX_CONNECTED)
		return -EISCONN;
	return u->state == UNIX_LISTENING ? -EINVAL : 0;
}

/* Both locks held; nobody else knows `child`. */
static void join(struct unix_sock *u, struct unix_sock *other, struct unix_sock *child)
{
	child->state = u->state = UNIX_CONNECTED;
	child->peer = u;
	sock_get(&u->sk);
	__atomic_store_n(&u->peer, child, __ATOMIC_RELEASE);
	sock_get(&child->sk);
	u->peer_creds = other->peer_creds;
	child->peer_creds = unix_own_peer_creds();
	child->address = other->address;
	__atomic_add_fetch(&child->address->refcount, 1, __ATOMIC_RELAXED);
	child->sk.options = other->sk.options & SK_PASSCRED;
	list_add_tail(&child->pending, &other->pending);
	other->nr_pending++;
}

static int connect_to(struct unix_sock *u, struct unix_sock *other, struct unix_sock *child)
{
	int error;

	unix_lock_two(u, other);
	error = may_connect(u, other);
	if (!error)
		join(u, other, child);
	unix_unlock_two(u, other);
	if (!error)
		sock_wake_sync(&other->sk, SOCK_READABLE);
	return error;
}

/* The listener is looked for anew after each wait: it may have gone, and another have its name. */
static int connect_loop(struct unix_sock *u, const struct sockaddr_storage *addr, u32 length,
			struct unix_sock *child, u64 deadline)
{
	for (;;) {
		struct unix_sock *other = unix_find(addr, length, u->sk.type);
		bool full;
		int error;

		if (IS_ERR(other))
			return PTR_ERR(other);
		error = connect_to(u, other, child);
		full = error == -EAGAIN;
		if (full)
			error = wait_for_listener(other, deadline);
		sock_put(&other->sk);
		if (!full || error)
			return error;
	}
}

int unix_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length, u32 file_flags)
{
	struct unix_sock *u = unix_sk(sk);
	u64 deadline =
		sock_deadline(READ_ONCE(sk->sndtimeo), file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	struct sock *child;
	int error = unix_check_addr(addr, length);

	if (!error && (sk->options & SK_PASSCRED) && !u->address)
		error = unix_autobind(u);
	if (error)
		return error;
	child = sock_alloc(sk->ops, sk->family, sk->type, sk->protocol, GFP_KERNEL);
	if (!child)
		return -ENOMEM;
	child->uid = current->cred.fsuid;
	unix_init_sock(child);
	error = connect_loop(u, addr, length, unix_sk(child), deadline);
	if (error)
		sock_put(child);
	return error;
}

/* ---- listen and accept --------------------------------------------------------------------------------- */

int unix_listen(struct sock *sk, int backlog)
{
	struct unix_sock *u = unix_sk(sk);
	int error = 0;

	if (!u->address)
		return -EINVAL;
	spin_lock_bh(&sk->lock);
	if (u->state == UNIX_CONNECTED) {
		error = -EINVAL;
	} else {
		u->state = UNIX_LISTENING;
		u->backlog = backlog;
		u->peer_creds = unix_own_peer_creds();
	}
	spin_unlock_bh(&sk->lock);
	if (!error)
		wake_up_all(&u->room);
	return error;
}

static struct unix_sock *take_pending(struct unix_sock *u)
{
	struct unix_sock *child = NULL;

	spin_lock_bh(&u->sk.lock);
	if (!list_empty(&u->pending)) {
		child = list_first_entry(&u->pending, struct unix_sock, pending);
		list_del_init(&child->pending);
		u->nr_pending--;
	}
	spin_unlock_bh(&u->sk.lock);
	return child;
}

static bool acceptable(struct sock *sk)
{
	return READ_ONCE(unix_sk(sk)->nr_pending) || READ_ONCE(sk->error) ||
	       (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV);
}

struct sock *unix_accept(struct sock *sk, u32 file_flags)
{
	struct unix_sock *u = unix_sk(sk), *child;
	u64 deadline =
		sock_deadline(READ_ONCE(sk->rcvtimeo), file_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	int error;

	if (READ_ONCE(u->state) != UNIX_LISTENING)
		return ERR_PTR(-EINVAL);
	while (!(child = take_pending(u))) {
		error = sock_error(sk);
		if (error)
			return ERR_PTR(error);
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
			return ERR_PTR(-EINVAL);
		error = sock_wait_until(sk, SOCK_READABLE, acceptable, true, deadline);
		if (error)
			return ERR_PTR(error);
	}
	if (wait_queue_active(&u->room))
		wake_up(&u->room);
	return &child->sk;
}
