/*
 * /proc/PID/fd: a link for each descriptor, that leads to its very file; and /proc/PID/fdinfo: what is known
 * about the file.
 *
 * Context: process. The descriptor table is referenced while it is looked at: it may become ours to close.
 */
#include <fs/proc/pid.h>

#include <fs/dir.h>
#include <fs/proc/tree.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define FIRST_FD  2  /* position of descriptor 0, after "." and ".." */
#define LINK_SIZE 64 /* what lstat() says of its length, as on Linux */

/* The descriptors of the task that an inode is about; NULL: none (any more). */
static struct files *inode_files(const struct inode *inode)
{
	struct files *files = NULL;
	struct subject subject;

	if (!subject_get(&subject, &pid_inode(inode)->ref))
		return NULL;
	if (subject.task)
		files = task_files_get(subject.task);
	subject_put(&subject);
	return files;
}

/* For inode_ops.permission: the files of others are not for everybody. */
static int permission(struct inode *inode, u32 mask)
{
	struct subject subject;
	bool may;

	if (!subject_get(&subject, &pid_inode(inode)->ref))
		return -ESRCH;
	may = may_inspect(&subject);
	subject_put(&subject);
	return may ? 0 : -EACCES;
}

/* Referenced; NULL: no such descriptor. */
static struct file *inode_file(const struct inode *inode, int fd)
{
	struct files *files = inode_files(inode);
	struct file *file;

	if (!files)
		return NULL;
	file = files_lookup(files, fd);
	files_put(files);
	return file;
}

/* ---- the links --------------------------------------------------------------------------------------- */

static struct file *fd_follow(struct inode *inode)
{
	int error = permission(inode, MAY_READ);

	if (error)
		return ERR_PTR(error);
	return inode_file(inode, pid_inode(inode)->fd) ?: ERR_PTR(-ENOENT);
}

static ssize_t fd_readlink(struct inode *inode, char *buf, size_t size)
{
	struct file *file = fd_follow(inode);
	ssize_t length;

	if (IS_ERR(file))
		return PTR_ERR(file);
	length = file_name(file, buf, size);
	file_put(file);
	return length;
}

static const struct inode_ops fd_link_ops = {
	.follow_file = fd_follow,
	.readlink = fd_readlink,
	.evict = pid_evict,
};
static const struct pid_entry fd_link = { .mode = S_IFLNK, .inode_ops = &fd_link_ops };

/* ---- fdinfo ------------------------------------------------------------------------------------------ */

static void print_fdinfo(struct seq_buf *out, struct file *file, bool cloexec)
{
	u32 flags = READ_ONCE(file->flags) | (cloexec ? O_CLOEXEC : 0);

	seq_printf(out, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
		   file_has_position(file) ? READ_ONCE(file->pos) : 0, flags,
		   file->dentry ? file->dentry->super->id : 0,
		   file->dentry ? file->dentry->inode->ino : file->anon_ino);
	if (file->ops->show_fdinfo)
		file->ops->show_fdinfo(file, out);
}

static int show_fdinfo(struct seq_buf *out, const struct subject *subject)
{
	struct files *files = subject->task ? task_files_get(subject->task) : NULL;
	struct file *file;

	if (!files)
		return -ENOENT;
	file = files_lookup(files, subject->fd);
	if (file) {
		print_fdinfo(out, file, files_cloexec(files, subject->fd));
		file_put(file);
	}
	files_put(files);
	return file ? 0 : -ENOENT;
}

static const struct pid_entry fdinfo_file = { .mode = S_IFREG | 0400,
					      .flags = PID_GUARDED,
					      .show = show_fdinfo };

/* ---- the directories --------------------------------------------------------------------------------- */

/* A link's mode says how the file was opened. */
static u32 link_mode(const struct file *file)
{
	return S_IFLNK | (file_readable(file) ? 0500 : 0) | (file_writable(file) ? 0300 : 0);
}

static struct inode *lookup(struct inode *dir, const char *name, size_t length,
			    const struct pid_entry *entry)
{
	struct file *file;
	struct inode *inode;
	u32 fd;

	if (!parse_number(name, length, &fd))
		return ERR_PTR(-ENOENT);
	file = inode_file(dir, fd);
	if (!file)
		return ERR_PTR(-ENOENT);
	inode = pid_make_inode(dir->super, &pid_inode(dir)->ref, entry, 0, fd);
	if (!IS_ERR(inode) && S_ISLNK(entry->mode)) {
		inode->mode = link_mode(file);
		inode->size = LINK_SIZE;
	}
	file_put(file);
	return inode;
}

static struct inode *fd_dir_lookup(struct inode *dir, const char *name, size_t length)
{
	return lookup(dir, name, length, &fd_link);
}

static struct inode *fdinfo_dir_lookup(struct inode *dir, const char *name, size_t length)
{
	return lookup(dir, name, length, &fdinfo_file);
}

static void emit_fds(struct files *files, const struct inode *dir, struct dir_context *context,
		     u32 mode)
{
	const struct pid_ref *ref = &pid_inode(dir)->ref;
	u32 pid = dir->ino >> 32;
	s64 fd = context->pos - FIRST_FD;

	while (fd < NOFILE_MAX && (fd = files_next(files, fd)) >= 0) {
		context->pos = FIRST_FD + fd;
		if (!emit_number(context, fd, pid_ino(ref, pid, 0, fd), mode))
			return;
		context->pos = FIRST_FD + ++fd;
	}
}

static int iterate(struct file *file, struct dir_context *context, u32 mode)
{
	const struct inode *dir = file->dentry->inode;
	struct files *files;

	if (!dir_emit_dots(file, context))
		return 0;
	files = inode_files(dir);
	if (files) {
		emit_fds(files, dir, context, mode);
		files_put(files);
	}
	return 0;
}

static int fd_dir_iterate(struct file *file, struct dir_context *context)
{
	return iterate(file, context, S_IFLNK);
}

static int fdinfo_dir_iterate(struct file *file, struct dir_context *context)
{
	return iterate(file, context, S_IFREG);
}

const struct inode_ops fd_dir_inode_ops = { .lookup = fd_dir_lookup,
					    .permission = permission,
					    .evict = pid_evict };
const struct inode_ops fdinfo_dir_inode_ops = { .lookup = fdinfo_dir_lookup,
						.permission = permission,
						.evict = pid_evict };
const struct file_ops fd_dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = fd_dir_iterate,
};
const struct file_ops fdinfo_dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = fdinfo_dir_iterate,
};
