/*
 * The buffers of unix sockets: filled from a program, carried by cb what goes beside the bytes, taken off a queue.
 *
 * Context: process. Locks: unix_gc_mutex, where files are on board; sk->lock inside it.
 */
#include <net/unix.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/sock_options.h>

/* ---- life ---------------------------------------------------------------------------------------------- */

static void unix_skb_free(struct sk_buff *skb)
{
	struct unix_sock *sender = unix_sk(skb->sk);

	__atomic_sub_fetch(&sender->sk.wmem, skb->truesize, __ATOMIC_RELAXED);
	if (unix_writable(sender))
		sock_wake_sync(&sender->sk, SOCK_WRITABLE);
	if (unlikely(unix_cb(skb)->fds))
		scm_fds_drop(unix_cb(skb)->fds);
	sock_put(&sender->sk);
}

static void charge(struct sk_buff *skb, struct unix_sock *sender)
{
	*unix_cb(skb) = (struct unix_cb){ 0 };
	sock_get(&sender->sk);
	__atomic_add_fetch(&sender->sk.wmem, skb->truesize, __ATOMIC_RELAXED);
	skb->sk = &sender->sk;
	skb->destructor = unix_skb_free;
}

/* ---- filling ------------------------------------------------------------------------------------------- */

static int fill_page(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	struct page *page = skb_page_alloc(GFP_KERNEL);

	if (!page)
		return -ENOBUFS;
	skb_add_frag(skb, page, 0, size);
	return copy_from_iter(page_address(page), size, from) < size ? -EFAULT : 0;
}

/* What is small is in the buffer itself, the rest in pages. */
static int fill(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	int error = 0;

	if (likely(size <= SKB_SIZE))
		return copy_from_iter(skb_append(skb, size), size, from) < size ? -EFAULT : 0;
	while (size && !error) {
		u32 piece = min(size, (u32)PAGE_SIZE);

		error = fill_page(skb, from, piece);
		size -= piece;
	}
	return error;
}

/* A buffer with up to MAX_SKB_FRAGS pages. ERR_PTR. */
static struct sk_buff *fill_new(struct iov_iter *from, u32 size)
{
	struct sk_buff *skb = skb_alloc(0, GFP_KERNEL);
	int error;

	if (unlikely(!skb))
		return ERR_PTR(-ENOBUFS);
	error = fill(skb, from, size);
	if (likely(!error))
		return skb;
	skb_put(skb);
	return ERR_PTR(error);
}

struct sk_buff *unix_skb_fill(struct unix_sock *u, struct iov_iter *from, u32 size)
{
	const u32 most = MAX_SKB_FRAGS * PAGE_SIZE;
	u32 piece = min(size, most);
	struct sk_buff *skb = fill_new(from, piece), *last = skb, *part;

	if (IS_ERR(skb))
		return skb;
	while (unlikely(size -= piece)) {
		piece = min(size, most);
		part = fill_new(from, piece);
		if (IS_ERR(part)) {
			skb_put(skb);
			return part;
		}
		skb_add_part(skb, last, part);
		last = part;
	}
	charge(skb, u);
	return skb;
}

static bool wants_creds(const struct unix_sock *u)
{
	return READ_ONCE(u->sk.options) & SK_PASSCRED;
}

void unix_skb_attach(struct sk_buff *skb, struct scm *scm, const struct unix_sock *sender,
		     const struct unix_sock *receiver)
{
	struct unix_cb *cb = unix_cb(skb);

	if (unlikely(scm->creds_given))
		cb->creds = scm->creds;
	else if (unlikely(wants_creds(sender) || wants_creds(receiver)))
		cb->creds = scm_own_creds();
	else
		cb->creds = (struct ucred){ 0, OVERFLOW_UID, OVERFLOW_UID };
	if (unlikely(scm->fds))
		unix_look_for_circle(scm->fds, receiver);
	cb->fds = scm->fds;
	scm->fds = NULL;
}

/* ---- taking -------------------------------------------------------------------------------------------- */

static void unlink_locked(struct unix_sock *u, struct sk_buff *skb)
{
	spin_lock_bh(&u->sk.lock);
	skb_unlink(&u->sk.receive_queue, skb);
	spin_unlock_bh(&u->sk.lock);
}

/* Sockets leave a queue and stop being in flight in one step, or the garbage collector would see half of it. */
void unix_unlink(struct unix_sock *u, struct sk_buff *skb)
{
	struct scm_fds *fds = unix_cb(skb)->fds;

	if (likely(!fds)) {
		unlink_locked(u, skb);
		return;
	}
	mutex_lock(&unix_gc_mutex);
	unlink_locked(u, skb);
	unix_landed(fds);
	mutex_unlock(&unix_gc_mutex);
}

void unix_take_all(struct unix_sock *u, struct skb_queue *queue)
{
	struct sk_buff *skb;

	skb_queue_init(queue);
	while ((skb = skb_peek(&u->sk.receive_queue))) {
		unix_unlink(u, skb);
		skb_queue_tail(queue, skb);
	}
}

void unix_put_scm(struct unix_sock *u, struct msg *msg, const struct ucred *creds,
		  struct scm_fds *fds)
{
	if (wants_creds(u))
		put_cmsg(msg, SOL_SOCKET, SCM_CREDENTIALS, creds, sizeof(*creds));
	if (fds)
		scm_put_fds(msg, fds);
}
