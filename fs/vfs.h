/*
 * The tree of names: inodes (what a file is), dentries (what it is called, and where), mounted file systems,
 * and the walk from a path to a dentry.
 *
 * Each dentry holds a reference to its inode and to its parent; a directory that lives in memory (tmpfs) holds
 * one to each of its children, so what has a name stays. A file system with inode_ops.lookup (procfs)
 * keeps none: each walk makes its dentries anew, and they go with their last user.
 *
 * Locks, outermost first:
 *	rename_lock	mutex, one: renames, mounts
 *	inode->writing	mutex: writers and truncators of one regular file, across the copy from a program
 *	mm->mmap_lock	(a program's memory may be a mapped file: kernel/mm/vm.h)
 * and inside them, none of these inside another, spinlocks (process context only):
 *	inode->lock	a file's size and pages, every inode's attributes
 *	names_lock	one: every directory's entries, names, parents, mount points. Held for one step of a
 *			walk, never for a whole one.
 *	fs_context.lock	where a process is
 * They are spinlocks because they are held for a few instructions and shared by many: a mutex that is handed from
 * CPU to CPU would cost each of them a sleep and an interrupt.
 */
#pragma once

#include <fs/file.h>
#include <fs/page_tree.h>
#include <kernel/lib/rbtree.h>

#define PATH_MAX     4096
#define NAME_MAX     255
#define MAX_SYMLINKS 40

struct super;

struct timespec64 {
	s64 sec;
	s64 nsec;
};

/* File types and mode bits are Linux's. */
#define S_IFMT	       0170000
#define S_IFSOCK       0140000
#define S_IFLNK	       0120000
#define S_IFREG	       0100000
#define S_IFBLK	       0060000
#define S_IFDIR	       0040000
#define S_IFCHR	       0020000
#define S_IFIFO	       0010000
#define S_ISUID	       0004000
#define S_ISGID	       0002000
#define S_ISVTX	       0001000
#define S_IXGRP	       0000010
#define S_IALLUGO      0007777
#define S_IXUGO	       0000111
#define S_ISDIR(mode)  (((mode)&S_IFMT) == S_IFDIR)
#define S_ISLNK(mode)  (((mode)&S_IFMT) == S_IFLNK)
#define S_ISREG(mode)  (((mode)&S_IFMT) == S_IFREG)
#define S_ISCHR(mode)  (((mode)&S_IFMT) == S_IFCHR)
#define S_ISBLK(mode)  (((mode)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(mode) (((mode)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(mode) (((mode)&S_IFMT) == S_IFSOCK)

struct inode_ops {
	/* A child that is not in memory; a new inode, or ERR_PTR(-ENOENT). NULL: all children are in
	 * memory (tmpfs). No lock held. */
	struct inode *(*lookup)(struct inode *dir, const char *name, size_t length);
	/* Make a file, directory, symlink (to `target`), device, fifo or socket, to be linked into `dir`.
	 * ERR_PTR. NULL: -EPERM. */
	struct inode *(*create)(struct inode *dir, u32 mode, u64 rdev, const char *target);
	/* Room for one more name of an inode (a hard link) and its return. NULL: no limit. */
	int (*reserve_name)(struct super *super);
	void (*release_name)(struct super *super);
	/* The target of a symlink as text into buf; its length. NULL: inode->target. */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/* A magic link leads here without a walk: a referenced dentry, or ERR_PTR. NULL: by its text. */
	struct dentry *(*follow)(struct inode *inode);
	/* The same for one that leads to an open file, which need not have a dentry. */
	struct file *(*follow_file)(struct inode *inode);
	/* Set the size; inode->writing held. NULL: -EINVAL for a regular file. */
	int (*truncate)(struct inode *inode, loff_t size);
	int (*permission)(struct inode *inode, u32 mask); /* beyond the mode bits */
	int (*open)(struct inode *inode,
		    struct file *file);	    /* sets file->ops/private_data if needed */
	void (*evict)(struct inode *inode); /* the last reference and link are gone */
};

struct inode {
	/* constant */
	const struct inode_ops *ops;
	const struct file_ops *file_ops; /* for what is opened */
	void *private_data;
	struct super *super; /* a reference */
	u64 ino;
	u64 rdev;
	struct timespec64 btime; /* of its making; all zero where nobody counts it */
	char *target;		 /* a symlink's, kmalloc'd */

	u32 refcount; /* atomic: dentries and kernel users */
	s32 writers; /* atomic: files open for writing, or minus those who forbid it (running programs) */
	spinlock_t lock;
	struct mutex writing;

	/* under lock */
	u32 mode, uid, gid;
	loff_t size;
	u64 blocks; /* of 512 bytes */
	struct timespec64 atime, mtime, ctime;
	struct page_tree pages; /* a regular file's (tmpfs) */
	bool mapped;		/* has been, at some time: programs may have its pages */

	/* under names_lock */
	u32 nlink;
	bool linkable;		  /* has no name, but may be given one (O_TMPFILE) */
	struct rb_root by_name;	  /* a directory's dentries */
	struct rb_root by_cookie; /* the same, in the order of their making: for getdents */
	u64 next_cookie;

	struct list_head flocks;       /* fs/flock.c, under its own lock */
	struct list_head record_locks; /* fs/record_lock.c, under its own lock */

	struct wait_queue *fifo_wait; /* see fs/pipe.c */
	void *pipe;		      /* a FIFO's pipe while it is open: fs/pipe.c */
	void *bound;		      /* a bound unix socket: net/unix */
};

struct dentry {
	u32 refcount; /* atomic: users, children, and the directory that it has its name in */
	struct super *super; /* constant; its own while its inode is there */
	struct inode *inode; /* a reference, constant, never NULL: there are no negative dentries */
	/* under names_lock */
	struct dentry *parent; /* a reference; NULL for the root of a file system */
	struct rb_node by_name,
		by_cookie; /* in parent->inode's trees, if `linked` and not of lookup() */
	u64 cookie;
	bool linked;	       /* has a name in the tree */
	struct super *mounted; /* what is mounted on it, or NULL */
	u16 name_length;
	char *name; /* ends with a zero */
};

/* A user's reference; while there is one, the file system is busy and cannot be unmounted. */
void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry);
/* refcount 1, times now, owner: the current task's fs ids, mode as given. NULL: no memory. */
struct inode *inode_create(struct super *super, u32 mode);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);

/* For dentry_open(), kernel only: the file is to be run. While it is open nobody can open it for writing. */
#define O_FOR_EXEC 010000000000

/* Programs that run must not be written to, and what is being written to must not run. 0 or -ETXTBSY.
 * A dentry_open() for writing takes a writer, the file's end returns it. */
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);
int inode_get_writer(struct inode *inode);
void inode_put_writer(struct inode *inode);

struct timespec64 current_time(void);
/* Read: by relatime's rule. */
void inode_touch_atime(struct file *file);

/* Where a task is in the tree. Shared with CLONE_FS. */
struct fs_context {
	u32 refcount; /* atomic */
	spinlock_t lock;
	/* under lock; both are users' references */
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
#define AT_NO_AUTOMOUNT	    0x800
#define AT_EMPTY_PATH	    0x1000
#define AT_STATX_SYNC_TYPE  0x6000

/* Make a node at a path: mknod() from inside the kernel, e.g. a unix socket's name. A reference; ERR_PTR. */
struct dentry *path_mknod(int dirfd, const char *path, u32 mode, u64 rdev);

/* Open by path from inside the kernel (exec, init's console). ERR_PTR. */
struct file *file_open(const char *path, u32 flags, u32 mode);
struct file *file_open_at(int dirfd, const char *path, u32 flags, u32 mode);
/* Open what a dentry names, without asking for permission. ERR_PTR. */
struct file *dentry_open(struct dentry *dentry, u32 flags);

/* May the current task (by its fs ids) do that? mask: MAY_*. 0, -EACCES, or -EROFS. */
#define MAY_EXEC  1U
#define MAY_WRITE 2U
#define MAY_READ  4U
int inode_permission(struct inode *inode, u32 mask);
/* Is the current task the owner, or root? */
bool inode_owned(const struct inode *inode);

/* The absolute path of a dentry as seen from the current root, written at the END of buf; a pointer into
 * it, or ERR_PTR(-ENAMETOOLONG). " (deleted)" is appended to what has no name any more. */
char *dentry_path(struct dentry *dentry, char *buf, size_t size);

/* Copy a path from a program: a PATH_MAX buffer (free with path_free) or ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM;
 * -ENOENT for "" unless `empty_ok`). */
char *path_from_user(const char __user *path, bool empty_ok);
void path_free(char *path);

struct dir_context {
	loff_t pos;
	/* false: no room for this one. May copy to user memory. type: DT_*, which is mode >> 12 */
	bool (*emit)(struct dir_context *context, const char *name, size_t length, u64 ino,
		     u32 type);
};
/* "." and ".." at positions 0 and 1. False: emit had no room. */
bool dir_emit_dots(struct file *file, struct dir_context *context);
/* lseek() of what has a size: SEEK_SET, SEEK_CUR, SEEK_END. */
loff_t llseek_size(struct file *file, loff_t offset, int whence, loff_t size);
#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

/* Character devices by number: a node anywhere, and a name in /dev, find their driver here. `open` may be
 * NULL; it may change file->ops and private_data. The strings and ops stay the caller's. */
int chrdev_register(u32 major, u32 minor, const char *name, const struct file_ops *ops, u32 mode);
int chrdev_register_open(u32 major, u32 minor, const char *name, const struct file_ops *ops,
			 u32 mode, int (*open)(struct inode *inode, struct file *file));
static inline u64 makedev(u32 major, u32 minor)
{
	return (u64)(minor & 0xff) | (u64)major << 8 | (u64)(minor & ~0xffU) << 12;
}
static inline u32 dev_major(u64 dev)
{
	return dev >> 8 & 0xfff;
}
static inline u32 dev_minor(u64 dev)
{
	return (dev & 0xff) | (dev >> 12 & ~0xffU);
}

/* File systems register by type. */
struct fs_type {
	const char *name;
	bool nodev; /* as /proc/filesystems shows it */
	u64 magic;  /* what statfs() calls it */
	/* The root inode of a new instance, or ERR_PTR. `options` may be changed; "" if none. */
	struct inode *(*mount)(struct super *super, char *options);
	/* What it begins with, in super->root. 0 or -errno. NULL: nothing. */
	int (*fill)(struct super *super);
	int (*remount)(struct super *super, char *options); /* NULL: options are ignored */
	void (*show_options)(struct super *super,
			     struct seq_buf *out); /* ",size=..."; may be NULL */
	struct list_head link;
};
void fs_type_register(struct fs_type *type);

/* A mounted file system. */
struct super {
	/* constant */
	const struct fs_type *type;
	char *source; /* what mount(2) called the device; kmalloc'd */
	u64 dev;      /* st_dev */
	u32 id;	      /* mount id */
	struct dentry *root;
	void *private_data; /* the type's */

	u32 refcount;  /* atomic: its inodes, and the mount */
	u64 users;     /* atomic: users' references to its dentries */
	bool detached; /* nobody finds it any more; it ends with its last user */
	bool ended;    /* atomic: somebody has begun to end it */
	u64 next_ino;  /* atomic */
	u32 flags;     /* MS_RDONLY ...: single writes */

	/* under names_lock */
	struct dentry *mountpoint; /* a user's reference; NULL for the root, and when detached */
	struct list_head link;	   /* in the list of mounts, in the order of mounting */

	/* tmpfs: pages and inodes, atomic; 0: no limit */
	u64 max_blocks, used_blocks, max_inodes, used_inodes;
	u32 root_mode, root_uid, root_gid; /* as options have it */
};

#define MS_RDONLY      0x1U
#define MS_NOSUID      0x2U
#define MS_NODEV       0x4U
#define MS_NOEXEC      0x8U
#define MS_SYNCHRONOUS 0x10U
#define MS_REMOUNT     0x20U
#define MS_DIRSYNC     0x80U
#define MS_NOATIME     0x400U
#define MS_NODIRATIME  0x800U
#define MS_BIND	       0x1000U
#define MS_MOVE	       0x2000U
#define MS_REC	       0x4000U
#define MS_SILENT      0x8000U
#define MS_PROPAGATION 0x1e0000U /* UNBINDABLE, PRIVATE, SLAVE, SHARED */
#define MS_RELATIME    0x200000U
#define MS_STRICTATIME 0x1000000U

/* The text of /proc/mounts, /proc/self/mountinfo and /proc/filesystems. */
void mounts_print(struct seq_buf *out);
void mountinfo_print(struct seq_buf *out);
void filesystems_print(struct seq_buf *out);

void vfs_init(void); /* mounts the root tmpfs, makes init_fs, registers the memory devices */
/* Fills the root from the initramfs that the loader gave us, says what it found, and gives its memory back.
 * 0, or -errno after saying what is wrong. */
int initramfs_unpack(void);
