/*
 * How much each user watches: every epitem is kernel memory, so there is a limit (/proc/sys/fs/epoll/max_user_watches).
 *
 * Context: process. Lock: users_lock.
 */
#include <fs/eventpoll.h>
#include <fs/eventpoll_impl.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/hlist.h>
#include <kernel/mm/slab.h>

#define BUCKET_BITS 6

struct ep_user {
	u32 uid;
	u64 watches; /* atomic */
	/* under users_lock */
	u32 refcount;
	struct hlist_node link;
};

u64 epoll_max_user_watches; /* single writes */

static DEFINE_SPINLOCK(users_lock);
static struct hlist_head users[1 << BUCKET_BITS]; /* under users_lock */

static struct hlist_head *bucket_of(u32 uid)
{
	return &users[hash_u32(uid, BUCKET_BITS)];
}

/* Under users_lock. */
static struct ep_user *find(u32 uid)
{
	struct ep_user *user;

	hlist_for_each_entry(user, bucket_of(uid), link) {
		if (user->uid == uid) {
			user->refcount++;
			return user;
		}
	}
	return NULL;
}

struct ep_user *ep_user_get(void)
{
	struct ep_user *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL), *user;
	u32 uid = current->cred.uid;

	if (!fresh)
		return NULL;
	spin_lock(&users_lock);
	user = find(uid);
	if (!user) {
		user = fresh;
		user->uid = uid;
		user->refcount = 1;
		hlist_add_head(&user->link, bucket_of(uid));
	}
	spin_unlock(&users_lock);
	if (user != fresh)
		kfree(fresh);
	return user;
}

void ep_user_put(struct ep_user *user)
{
	bool last;

	spin_lock(&users_lock);
	last = --user->refcount == 0;
	if (last)
		hlist_del_init(&user->link);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

bool ep_user_charge(struct ep_user *user)
{
	if (__atomic_add_fetch(&user->watches, 1, __ATOMIC_RELAXED) <=
	    READ_ONCE(epoll_max_user_watches))
		return true;
	ep_user_uncharge(user);
	return false;
}

void ep_user_uncharge(struct ep_user *user)
{
	__atomic_sub_fetch(&user->watches, 1, __ATOMIC_RELAXED);
}
