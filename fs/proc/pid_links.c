/* /proc/PID/exe, cwd and root: links that lead to the place itself, whatever its path says by now. */
#include <fs/proc/pid.h>

#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm.h>

/* Its path as text, at the start of `buf`. The length, or -errno. */
static ssize_t path_text(struct dentry *dentry, char *buf, size_t size)
{
	char *path = dentry_path(dentry, buf, size);
	size_t length;

	if (IS_ERR(path))
		return PTR_ERR(path);
	length = strlen(path);
	memmove(buf, path, length);
	return length;
}

ssize_t file_name(struct file *file, char *buf, size_t size)
{
	const char *name = file->ops->anon_name;

	if (file->dentry)
		return path_text(file->dentry, buf, size);
	if (name[strlen(name) - 1] == ':')
		return scnprintf(buf, size, "%s[%llu]", name, file->anon_ino);
	return scnprintf(buf, size, "%s", name);
}

static struct dentry *find_exe(struct task *task)
{
	struct mm *mm = task_mm_get(task);
	struct dentry *dentry = NULL;

	if (!mm)
		return NULL;
	mutex_lock(&mm->mmap_lock);
	if (mm->exe) {
		dentry = mm->exe->dentry;
		dentry_get(dentry);
	}
	mutex_unlock(&mm->mmap_lock);
	mm_put(mm);
	return dentry;
}

static struct dentry *find_place(struct task *task, bool root)
{
	struct fs_context *fs = task_fs_get(task);
	struct dentry *dentry;

	if (!fs)
		return NULL;
	spin_lock(&fs->lock);
	dentry = root ? fs->root : fs->cwd;
	dentry_get(dentry);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return dentry;
}

static struct dentry *find_cwd(struct task *task)
{
	return find_place(task, false);
}

static struct dentry *find_root(struct task *task)
{
	return find_place(task, true);
}

static struct dentry *follow(struct inode *inode, struct dentry *(*find)(struct task *task))
{
	struct dentry *dentry = NULL;
	struct subject subject;
	bool may;

	if (!subject_get(&subject, &pid_inode(inode)->ref))
		return ERR_PTR(-ENOENT);
	may = may_inspect(&subject);
	if (may && subject.task)
		dentry = find(subject.task);
	subject_put(&subject);
	return dentry ?: ERR_PTR(may ? -ENOENT : -EACCES);
}

static ssize_t readlink(struct dentry *dentry, char *buf, size_t size)
{
	ssize_t length;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	length = path_text(dentry, buf, size);
	dentry_put(dentry);
	return length;
}

#define DEFINE_LINK(name)                                                           \
	static struct dentry *follow_##name(struct inode *inode)                    \
	{                                                                           \
		return follow(inode, find_##name);                                  \
	}                                                                           \
	static ssize_t readlink_##name(struct inode *inode, char *buf, size_t size) \
	{                                                                           \
		return readlink(follow_##name(inode), buf, size);                   \
	}                                                                           \
	const struct inode_ops name##_link_ops = { .follow = follow_##name,         \
						   .readlink = readlink_##name,     \
						   .evict = pid_evict }

DEFINE_LINK(exe);
DEFINE_LINK(cwd);
DEFINE_LINK(root);
