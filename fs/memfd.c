/* memfd_create: a file of tmpfs that has no name in the tree from the start. */
#include <fs/dentry.h>
#include <fs/fs_context.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>

#define MFD_CLOEXEC	  0x01U
#define MFD_ALLOW_SEALING 0x02U
#define MFD_NOEXEC_SEAL	  0x08U
#define MFD_EXEC	  0x10U

#define PREFIX	  "memfd:"
#define NAME_ROOM (NAME_MAX - (sizeof(PREFIX) - 1))

static struct file *make_file(const char *name, u32 mode)
{
	struct super *super = init_fs->root->super;
	struct inode *dir = super->root->inode, *inode;
	struct dentry *dentry;
	struct file *file;

	inode = dir->ops->create(dir, S_IFREG | mode, 0, NULL);
	if (IS_ERR(inode))
		return (void *)inode;
	inode->nlink = 0;
	dentry = dentry_create(super, NULL, inode, name, strlen(name));
	if (!dentry)
		return ERR_PTR(-ENOMEM);
	file = dentry_open(dentry, O_RDWR | O_LARGEFILE);
	dentry_put(dentry);
	return file;
}

long sys_memfd_create(const char __user *user, u32 flags)
{
	char name[NAME_MAX + 1] = PREFIX;
	struct file *file;
	ssize_t length;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
	    (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	length = strncpy_from_user(name + sizeof(PREFIX) - 1, user, NAME_ROOM + 1);
	if (length < 0 || length >= (ssize_t)NAME_ROOM + 1)
		return length < 0 ? length : -EINVAL;
	file = make_file(name, flags & MFD_NOEXEC_SEAL ? 0666 : 0777);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & MFD_CLOEXEC);
}
