/*
 * The tree of names: inodes (what a file is), dentries (what it is called, and where), mounts, and the walk
 * from a path to a dentry.
 *
 * Locks, outermost first: rename_lock (mutex, one: moving directories), inode->lock (mutex: a directory's
 * entries, a file's size and pages; parent before child), dentry reference counts (atomic).
 */
#pragma once

#include <fs/file.h>
#include <kernel/lib/rbtree.h>

#define PATH_MAX 4096
#define NAME_MAX 255
#define MAX_SYMLINKS 40

struct super; /* a mounted file system */

struct timespec64 {
	s64 sec;
	s64 nsec;
};

/* File types and mode bits are Linux's. */
#define S_IFMT	 0170000
#define S_IFSOCK 0140000
#define S_IFLNK	 0120000
#define S_IFREG	 0100000
#define S_IFBLK	 0060000
#define S_IFDIR	 0040000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000
#define S_ISUID	 0004000
#define S_ISGID	 0002000
#define S_ISVTX	 0001000
#define S_ISDIR(mode) (((mode) & S_IFMT) == S_IFDIR)
#define S_ISLNK(mode) (((mode) & S_IFMT) == S_IFLNK)
#define S_ISREG(mode) (((mode) & S_IFMT) == S_IFREG)
#define S_ISCHR(mode) (((mode) & S_IFMT) == S_IFCHR)
#define S_ISFIFO(mode) (((mode) & S_IFMT) == S_IFIFO)
#define S_ISSOCK(mode) (((mode) & S_IFMT) == S_IFSOCK)

struct inode_ops {
	/* A child that is not in memory yet (procfs); a new inode, or ERR_PTR(-ENOENT). NULL: all
	 * children are in memory (tmpfs). Parent's lock held. */
	struct inode *(*lookup)(struct inode *dir, const char *name, size_t length);
	/* Make a file, directory, symlink (target), device or fifo. NULL: -EPERM / -EROFS. */
	struct inode *(*create)(struct inode *dir, u32 mode, u64 rdev, const char *target);
	/* The target of a symlink as text into buf; its length. For magic links (/proc/PID/fd/N). */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/* A magic link leads here without a walk: a referenced dentry or file. NULL: by its text. */
	struct dentry *(*follow)(struct inode *inode);
	struct file *(*follow_file)(struct inode *inode);
	int (*truncate)(struct inode *inode, loff_t size);
	int (*permission)(struct inode *inode, u32 mask); /* beyond the mode bits */
	int (*open)(struct inode *inode, struct file *file); /* sets file->ops/private_data if needed */
	void (*evict)(struct inode *inode);		     /* the last reference and link are gone */
};

struct inode {
	const struct inode_ops *ops;
	const struct file_ops *file_ops; /* for what is opened */
	void *private_data;
	struct super *super;
	u64 ino;
	u32 refcount; /* atomic: dentries and kernel users */
	struct mutex lock;
	/* under lock */
	u32 mode, uid, gid, nlink;
	u64 rdev;
	loff_t size;
	u64 blocks; /* of 512 bytes */
	struct timespec64 atime, mtime, ctime;
	struct rb_root children;      /* a directory's dentries, by name */
	struct rb_root pages;	      /* a regular file's, by index (tmpfs) */
	char *target;		      /* a symlink's */
	struct wait_queue *fifo_wait; /* see fs/pipe.c */
	void *pipe;		      /* a FIFO's pipe while it is open: fs/pipe.c */
	void *bound;		      /* a bound unix socket: net/unix */
};

struct dentry {
	u32 refcount; /* atomic; a child holds its parent; tmpfs children are held by their directory */
	struct dentry *parent;
	struct inode *inode; /* a reference; never NULL (no negative dentries) */
	struct rb_node node; /* in parent's inode->children, by name; under its lock */
	bool linked;	     /* has a name in the tree; under parent's inode lock */
	struct mount *mounted; /* what is mounted on it, or NULL */
	struct mount *mount;   /* the mount this dentry belongs to */
	u16 name_length;
	char name[];
};

void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry);
struct inode *inode_create(struct super *super, u32 mode); /* refcount 1, times now. NULL: no memory */
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);

/* Where a task is in the tree. Shared with CLONE_FS. */
struct fs_context {
	u32 refcount;
	struct mutex lock;
	/* under lock */
	struct dentry *root, *cwd;
	u32 umask;
};
struct fs_context *fs_context_clone(struct fs_context *old); /* ERR_PTR */
void fs_context_get(struct fs_context *fs);
void fs_context_put(struct fs_context *fs);
extern struct fs_context *init_fs; /* the first process's: root of the root file system */

/* Walk. Flags: */
#define WALK_FOLLOW    1U /* the last component too, if it is a symlink */
#define WALK_DIRECTORY 2U /* must be a directory */
#define WALK_PARENT    4U /* stop at the parent of the last component */
#define WALK_EMPTY     8U /* "" means dirfd itself (AT_EMPTY_PATH) */
/* The dentry, referenced, or ERR_PTR. `path` is kernel memory. dirfd: AT_FDCWD or a directory's. */
struct dentry *path_walk(int dirfd, const char *path, u32 flags);
#define AT_FDCWD	    (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR	    0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_EACCESS	    0x200
#define AT_EMPTY_PATH	    0x1000

/* Open by path from inside the kernel (exec, init's console). ERR_PTR. */
struct file *file_open(const char *path, u32 flags, u32 mode);
struct file *file_open_at(int dirfd, const char *path, u32 flags, u32 mode);
/* Open what a dentry names. ERR_PTR. */
struct file *dentry_open(struct dentry *dentry, u32 flags);

/* May the current task (by its fs ids) do that? mask: MAY_*. 0 or -EACCES. */
#define MAY_EXEC  1U
#define MAY_WRITE 2U
#define MAY_READ  4U
int inode_permission(struct inode *inode, u32 mask);

/* The absolute path of a dentry as seen from the current root, written at the END of buf; a pointer into
 * it, or ERR_PTR(-ENAMETOOLONG). " (deleted)" is appended to what has no name any more. */
char *dentry_path(struct dentry *dentry, char *buf, size_t size);

/* Copy a path from a program: a PATH_MAX buffer (free with path_free) or ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM;
 * -ENOENT for "" unless `empty_ok`). */
char *path_from_user(const char __user *path, bool empty_ok);
void path_free(char *path);

struct dir_context {
	loff_t pos;
	/* false: no room for this one */
	bool (*emit)(struct dir_context *context, const char *name, size_t length, u64 ino, u32 type);
};

/* Character devices by number: /dev nodes of an initramfs find their driver here. */
int chrdev_register(u32 major, u32 minor, const char *name, const struct file_ops *ops, u32 mode);
static inline u64 makedev(u32 major, u32 minor)
{
	return (u64)(minor & 0xff) | (u64)major << 8 | (u64)(minor & ~0xffU) << 12;
}

/* Mounted file systems register by type. */
struct fs_type {
	const char *name;
	bool nodev;
	/* The root inode of a new instance, or ERR_PTR. */
	struct inode *(*mount)(struct super *super, const char *options);
	struct list_head link;
};
void fs_type_register(struct fs_type *type);

void vfs_init(void); /* mounts the root tmpfs, makes init_fs */
/* Fills the root from the initramfs. 0, or -errno after saying what is wrong. */
int initramfs_unpack(const void *start, size_t size);
