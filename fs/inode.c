/*
 * Inodes: what a file is, whatever it is called. Their lives, times, and who may do what with them.
 */
#include <fs/inode.h>

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

static struct kmem_cache *inode_cache;
static const struct inode_ops no_ops; /* until its file system gives it better ones */

struct timespec64 current_time(void)
{
	u64 now = wall_ns();

	return (struct timespec64){ now / NSEC_PER_SEC, now % NSEC_PER_SEC };
}

struct inode *inode_create(struct super *super, u32 mode)
{
	struct inode *inode = kmem_cache_alloc(inode_cache, GFP_KERNEL);

	if (!inode)
		return NULL;
	memset(inode, 0, sizeof(*inode));
	spin_lock_init(&inode->lock);
	mutex_init(&inode->writing);
	inode->ops = &no_ops;
	inode->refcount = 1;
	inode->super = super;
	inode->ino = __atomic_add_fetch(&super->next_ino, 1, __ATOMIC_RELAXED);
	inode->mode = mode;
	inode->uid = current->cred.fsuid;
	inode->gid = current->cred.fsgid;
	inode->nlink = 1;
	inode->next_cookie = FIRST_COOKIE;
	INIT_LIST_HEAD(&inode->flocks);
	INIT_LIST_HEAD(&inode->record_locks);
	inode->atime = inode->mtime = inode->ctime = current_time();
	super_get(super);
	return inode;
}

void inode_get(struct inode *inode)
{
	__atomic_add_fetch(&inode->refcount, 1, __ATOMIC_RELAXED);
}

void inode_put(struct inode *inode)
{
	struct super *super = inode->super;

	if (__atomic_sub_fetch(&inode->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	if (inode->ops->evict)
		inode->ops->evict(inode);
	kfree(inode->target);
	kmem_cache_free(inode_cache, inode);
	super_put(super);
}

/* ---- times ------------------------------------------------------------------------------------------- */

void inode_changed(struct inode *inode, u32 which)
{
	struct timespec64 now = current_time();

	spin_lock(&inode->lock);
	if (which & TIME_ATIME)
		inode->atime = now;
	if (which & TIME_MTIME)
		inode->mtime = now;
	if (which & TIME_CTIME)
		inode->ctime = now;
	spin_unlock(&inode->lock);
}

static bool earlier_or_same(struct timespec64 a, struct timespec64 b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec <= b.nsec);
}

/* relatime: only if somebody could tell whether it was read since it was changed, or once a day. */
void inode_read(struct inode *inode)
{
	u32 flags = READ_ONCE(inode->super->flags);

	if ((flags & (MS_RDONLY | MS_NOATIME)) || (S_ISDIR(inode->mode) && (flags & MS_NODIRATIME)))
		return;
	if ((flags & MS_STRICTATIME) || earlier_or_same(inode->atime, inode->mtime) ||
	    earlier_or_same(inode->atime, inode->ctime) ||
	    current_time().sec - inode->atime.sec >= 24 * 60 * 60)
		inode_changed(inode, TIME_ATIME);
}

void inode_touch_atime(struct file *file)
{
	if (file->dentry && !(file->flags & O_NOATIME))
		inode_read(file->dentry->inode);
}

/* ---- permission -------------------------------------------------------------------------------------- */

bool is_fs_root(void)
{
	return current->cred.fsuid == 0;
}

bool inode_owned(const struct inode *inode)
{
	return is_fs_root() || current->cred.fsuid == inode->uid;
}

bool in_fs_group(u32 gid)
{
	const struct groups *groups = current->cred.groups;

	if (gid == current->cred.fsgid)
		return true;
	for (u32 i = 0; groups && i < groups->count; i++)
		if (groups->gids[i] == gid)
			return true;
	return false;
}

/* What root may not do either: run what nobody may run. */
static bool root_may(u32 mode, u32 mask)
{
	return !(mask & MAY_EXEC) || S_ISDIR(mode) || (mode & S_IXUGO);
}

static bool mode_allows(const struct inode *inode, u32 mask)
{
	u32 mode = READ_ONCE(inode->mode), bits = mode;

	if (is_fs_root())
		return root_may(mode, mask);
	if (current->cred.fsuid == inode->uid)
		bits >>= 6;
	else if (in_fs_group(inode->gid))
		bits >>= 3;
	return !(mask & ~bits);
}

int inode_permission(struct inode *inode, u32 mask)
{
	u32 flags = READ_ONCE(inode->super->flags), mode = inode->mode;

	if ((mask & MAY_WRITE) && (flags & MS_RDONLY) &&
	    (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
		return -EROFS;
	if (!mode_allows(inode, mask))
		return -EACCES;
	if ((mask & MAY_EXEC) && S_ISREG(mode) && (flags & MS_NOEXEC))
		return -EACCES;
	return inode->ops->permission ? inode->ops->permission(inode, mask) : 0;
}

/* ---- writers ----------------------------------------------------------------------------------------- */

/* A count that one side moves up and the other down; each only from zero on to its own side. */
static int take(s32 *count, s32 step)
{
	s32 old = READ_ONCE(*count);

	do {
		if (step > 0 ? old < 0 : old > 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(count, &old, old + step, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return 0;
}

int inode_deny_write(struct inode *inode)
{
	return take(&inode->writers, -1);
}

void inode_allow_write(struct inode *inode)
{
	__atomic_add_fetch(&inode->writers, 1, __ATOMIC_RELEASE);
}

int inode_get_writer(struct inode *inode)
{
	return take(&inode->writers, 1);
}

void inode_put_writer(struct inode *inode)
{
	__atomic_sub_fetch(&inode->writers, 1, __ATOMIC_RELEASE);
}

void inodes_init(void)
{
	inode_cache = kmem_cache_create("inode", sizeof(struct inode), 0);
	if (!inode_cache)
		panic("no memory for inodes");
}
