/* getdents: directory entries as bytes for a program. They are put together in kernel memory and copied at
 * once. */
#include <fs/inode.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define BATCH (8 * KiB) /* the most that one call returns */

struct dirent64 {
	u64 ino;
	s64 off; /* position of the next one */
	u16 reclen;
	u8 type;
	char name[];
};

/* The old form has its type in the last byte of the record. */
struct dirent_old {
	u64 ino;
	u64 off;
	u16 reclen;
	char name[];
};

struct getdents {
	struct dir_context context;
	char *buf;
	size_t used, size;
	struct dirent64 *last; /* written last; its `off` is not known yet */
	bool old_form, too_small;
};

static bool emit(struct dir_context *context, const char *name, size_t length, u64 ino, u32 type)
{
	struct getdents *get = container_of(context, struct getdents, context);
	size_t head =
		get->old_form ? offsetof(struct dirent_old, name) : offsetof(struct dirent64, name);
	size_t reclen = ALIGN_UP(head + length + 1 + get->old_form, sizeof(u64));
	struct dirent64 *entry = (void *)(get->buf + get->used);

	if (reclen > get->size - get->used) {
		get->too_small = !get->used;
		return false;
	}
	if (get->last)
		get->last->off = context->pos;
	memset(entry, 0, reclen);
	entry->ino = ino;
	entry->reclen = reclen;
	memcpy((char *)entry + head, name, length);
	if (get->old_form)
		((u8 *)entry)[reclen - 1] = type;
	else
		entry->type = type;
	get->last = entry;
	get->used += reclen;
	return true;
}

static long read_entries(struct file *file, struct getdents *get, void __user *user)
{
	int error;

	get->context.pos = file->pos;
	error = file->ops->iterate(file, &get->context);
	if (error || !get->used)
		return error ?: get->too_small ? -EINVAL : 0;
	get->last->off = get->context.pos;
	if (copy_to_user(user, get->buf, get->used))
		return -EFAULT;
	file->pos = get->context.pos;
	return get->used;
}

static long getdents_file(struct file *file, struct getdents *get, void __user *user)
{
	long result;

	if (!file->ops->iterate)
		return -ENOTDIR;
	get->buf = kmalloc(get->size, GFP_KERNEL);
	if (!get->buf)
		return -ENOMEM;
	mutex_lock(&file->pos_lock);
	result = file->dentry->linked ? read_entries(file, get, user) : -ENOENT;
	mutex_unlock(&file->pos_lock);
	kfree(get->buf);
	inode_touch_atime(file);
	return result;
}

static long getdents(u32 fd, void __user *user, u32 size, bool old_form)
{
	struct getdents get = { .context.emit = emit,
				.size = min(size, (u32)BATCH),
				.old_form = old_form };
	struct file *file = fd_get(fd);
	long result;

	if (!file)
		return -EBADF;
	result = getdents_file(file, &get, user);
	file_put(file);
	return result;
}

long sys_getdents(u32 fd, void __user *user, u32 size)
{
	return getdents(fd, user, size, true);
}

long sys_getdents64(u32 fd, void __user *user, u32 size)
{
	return getdents(fd, user, size, false);
}
