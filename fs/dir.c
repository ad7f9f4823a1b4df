/* Reading a directory whose entries are in memory. A position is the cookie of the entry to come. */
#include <fs/dir.h>

#include <fs/flock.h>
#include <kernel/lib/string.h>
#include <kernel/sched.h>

#define ENTRY_SIZE 20 /* what each adds to st_size, as in Linux's tmpfs */

void dir_changed(struct inode *dir, int entries)
{
	spin_lock(&dir->lock);
	dir->size += entries * ENTRY_SIZE;
	dir->mtime = dir->ctime = current_time();
	spin_unlock(&dir->lock);
}

/* Under names_lock: ".." of a mounted root is above where it is mounted. */
static u64 parent_ino(struct dentry *dir)
{
	struct dentry *at = dir;

	while (!at->parent && at->super->mountpoint)
		at = at->super->mountpoint;
	return at->parent ? at->parent->inode->ino : at->inode->ino;
}

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	struct dentry *dir = file->dentry;
	u64 above;

	if (context->pos == 0) {
		if (!context->emit(context, ".", 1, dir->inode->ino, S_IFDIR >> 12))
			return false;
		context->pos = 1;
	}
	if (context->pos == 1) {
		spin_lock(&names_lock);
		above = parent_ino(dir);
		spin_unlock(&names_lock);
		if (!context->emit(context, "..", 2, above, S_IFDIR >> 12))
			return false;
		context->pos = 2;
	}
	return true;
}

/* The next entry, held; its name cannot change or go while it is copied, but is read under the lock. */
static struct dentry *next_entry(struct dentry *dir, u64 cookie, char name[NAME_MAX],
				 size_t *length, u64 *found_cookie)
{
	struct dentry *child;

	spin_lock(&names_lock);
	child = dentry_next_child(dir, cookie);
	if (child) {
		dentry_hold(child);
		*length = child->name_length;
		*found_cookie = child->cookie;
		memcpy(name, child->name, *length);
	}
	spin_unlock(&names_lock);
	return child;
}

static int dir_iterate(struct file *file, struct dir_context *context)
{
	char name[NAME_MAX];
	struct dentry *child;
	size_t length;
	u64 cookie;

	if (!dir_emit_dots(file, context))
		return 0;
	while ((child = next_entry(file->dentry, context->pos, name, &length, &cookie))) {
		context->pos = cookie;
		bool taken = context->emit(context, name, length, child->inode->ino,
					   (child->inode->mode & S_IFMT) >> 12);
		dentry_drop(child);
		if (!taken)
			break;
		context->pos = cookie + 1;
		cond_resched();
	}
	return 0;
}

loff_t llseek_size(struct file *file, loff_t offset, int whence, loff_t size)
{
	loff_t base = whence == SEEK_CUR ? file->pos : whence == SEEK_END ? size : 0;

	if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, offset, &offset))
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	file->pos = offset;
	return offset;
}

loff_t dir_llseek(struct file *file, loff_t offset, int whence)
{
	return whence == SEEK_END ? -EINVAL : llseek_size(file, offset, whence, 0);
}

ssize_t dir_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	return -EISDIR;
}

static int dir_fsync(struct file *file)
{
	return 0;
}

const struct file_ops dir_file_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = dir_iterate,
	.fsync = dir_fsync,
	.release = flock_release,
};
