/*
 * AF_UNIX: what all three kinds have in common. How a socket of it begins, is joined to another, and ends.
 *
 * Context: process. Locks: net/unix.h.
 */
#include <net/unix.h>

#include <fs/ioctl.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>
#include <net/netdev_ioctl.h>
#include <net/sock_options.h>

#define SIOCOUTQ 0x5411

u32 unix_max_dgram_qlen = 10; /* /proc/sys/net/unix/max_dgram_qlen */

/* ---- locks --------------------------------------------------------------------------------------------- */

void unix_lock_two(struct unix_sock *a, struct unix_sock *b)
{
	struct unix_sock *first = min(a, b), *second = max(a, b);

	spin_lock_bh(&first->sk.lock);
	if (second != first)
		spin_lock_nested(&second->sk.lock);
}

void unix_unlock_two(struct unix_sock *a, struct unix_sock *b)
{
	if (a != b)
		spin_unlock(&b->sk.lock);
	spin_unlock_bh(&a->sk.lock);
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	struct unix_sock *peer;

	spin_lock_bh(&u->sk.lock);
	peer = u->peer;
	if (peer)
		sock_get(&peer->sk);
	spin_unlock_bh(&u->sk.lock);
	return peer;
}

/* ---- beginning ----------------------------------------------------------------------------------------- */

int unix_init_sock(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);

	INIT_LIST_HEAD(&u->pending);
	INIT_LIST_HEAD(&u->all);
	INIT_LIST_HEAD(&u->gc_link);
	INIT_LIST_HEAD(&u->peer_room.link);
	wait_queue_init(&u->room);
	u->backlog = READ_ONCE(unix_max_dgram_qlen);
	u->peer_creds = (struct ucred){ 0, ~0U, ~0U };
	unix_list_add(u);
	return 0;
}

struct ucred unix_own_peer_creds(void)
{
	return (struct ucred){ current_process->tgid, current->cred.euid, current->cred.egid };
}

/* Nobody else knows them yet. */
int unix_socketpair(struct sock *a, struct sock *b)
{
	struct unix_sock *ends[] = { unix_sk(a), unix_sk(b) };

	for (u32 i = 0; i < ARRAY_SIZE(ends); i++) {
		struct unix_sock *u = ends[i], *other = ends[1 - i];

		sock_get(&other->sk);
		u->peer = other;
		u->state = UNIX_CONNECTED;
		u->peer_creds = unix_own_peer_creds();
	}
	return 0;
}

/* ---- end ----------------------------------------------------------------------------------------------- */

static bool has_peer_for_life(const struct unix_sock *u)
{
	return u->sk.type != SOCK_DGRAM;
}

/* The other end of a stream hears of it. What it had sent and nobody will read: then by an error too. */
static void hang_up(struct unix_sock *peer, bool unread)
{
	spin_lock_bh(&peer->sk.lock);
	peer->sk.shutdown = SHUTDOWN_MASK;
	if (unread)
		WRITE_ONCE(peer->sk.error, ECONNRESET);
	spin_unlock_bh(&peer->sk.lock);
	sock_wake_all(&peer->sk, SOCK_READABLE | SOCK_WRITABLE | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

static void close_pending(struct unix_sock *u, struct list_head *pending)
{
	while (!list_empty(pending)) {
		struct unix_sock *child = list_first_entry(pending, struct unix_sock, pending);

		list_del_init(&child->pending);
		if (child->peer)
			hang_up(child->peer, true);
		unix_close(&child->sk);
	}
}

/* It may be in flight: then this could be the last that a program knew of it. */
void unix_flush(struct file *file)
{
	if (unlikely(READ_ONCE(unix_sk(file_sock(file))->in_flight)))
		unix_gc(file);
}

/* For connections that were not accepted, too. */
void unix_close(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk), *peer;
	struct list_head pending = LIST_HEAD_INIT(pending);
	struct skb_queue unread;

	unix_unname(u);
	spin_lock_bh(&sk->lock);
	u->dead = true;
	u->sk.shutdown = SHUTDOWN_MASK;
	if (u->state == UNIX_LISTENING)
		list_splice_init(&u->pending, &pending);
	u->state = UNIX_CLOSED;
	peer = u->peer;
	u->peer = NULL;
	if (peer)
		remove_wait_queue(&peer->room, &u->peer_room);
	spin_unlock_bh(&sk->lock);
	wake_up_all(&u->room);
	if (peer && has_peer_for_life(u))
		hang_up(peer, !skb_queue_empty(&sk->receive_queue));
	close_pending(u, &pending);
	unix_take_all(u, &unread);
	skb_queue_purge(&unread);
	if (peer)
		sock_put(&peer->sk);
	sock_put(sk);
	unix_gc(NULL);
}

void unix_destroy(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);

	unix_unname(u);
	if (u->address)
		unix_address_put(u->address);
}

/* ---- what programs ask --------------------------------------------------------------------------------- */

int unix_shutdown(struct sock *sk, u32 how)
{
	struct unix_sock *u = unix_sk(sk), *peer = unix_peer_get(u);
	u32 mirrored =
		(how & SHUTDOWN_RCV ? SHUTDOWN_SND : 0) | (how & SHUTDOWN_SND ? SHUTDOWN_RCV : 0);

	spin_lock_bh(&sk->lock);
	sk->shutdown |= how;
	spin_unlock_bh(&sk->lock);
	sock_wake_all(sk, 0);
	if (!peer)
		return 0;
	if (has_peer_for_life(u)) {
		spin_lock_bh(&peer->sk.lock);
		peer->sk.shutdown |= mirrored;
		spin_unlock_bh(&peer->sk.lock);
		sock_wake_all(&peer->sk, 0);
	}
	sock_put(&peer->sk);
	return 0;
}

static int answer_creds(const struct unix_sock *u, void *value, u32 *length)
{
	*length = min(*length, (u32)sizeof(u->peer_creds));
	memcpy(value, &u->peer_creds, *length);
	return 0;
}

int unix_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length)
{
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	return option == SO_PEERCRED ? answer_creds(unix_sk(sk), value, length) : -ENOPROTOOPT;
}

/* A stream's bytes, or the next datagram's. */
static long bytes_to_read(struct unix_sock *u)
{
	bool stream = u->sk.type == SOCK_STREAM;
	struct sk_buff *skb;
	long bytes = 0;

	if (u->state == UNIX_LISTENING)
		return -EINVAL;
	spin_lock_bh(&u->sk.lock);
	list_for_each_entry(skb, &u->sk.receive_queue.list, link) {
		bytes += skb->len - unix_cb(skb)->consumed;
		if (!stream)
			break;
	}
	spin_unlock_bh(&u->sk.lock);
	return bytes;
}

long unix_ioctl(struct sock *sk, u32 command, u64 arg)
{
	struct unix_sock *u = unix_sk(sk);
	long answer;

	if (command == FIONREAD)
		answer = bytes_to_read(u);
	else if (command == SIOCOUTQ)
		answer = READ_ONCE(sk->wmem);
	else
		return -ENOTTY;
	return answer < 0 ? answer : put_user((int)answer, (int __user *)arg) ? -EFAULT : 0;
}

/* ---- the family ---------------------------------------------------------------------------------------- */

static const struct sock_ops *unix_select(int type, int *protocol)
{
	if (*protocol && *protocol != AF_UNIX)
		return ERR_PTR(-EPROTONOSUPPORT);
	*protocol = 0;
	switch (type) {
	case SOCK_STREAM:
		return &unix_stream_ops;
	case SOCK_RAW: /* BSD's name for it */
	case SOCK_DGRAM:
		return &unix_dgram_ops;
	case SOCK_SEQPACKET:
		return &unix_seqpacket_ops;
	}
	return ERR_PTR(-ESOCKTNOSUPPORT);
}

const struct sock_family unix_family = {
	.family = AF_UNIX,
	.select = unix_select,
	.ioctl = netdev_ioctl,
};
