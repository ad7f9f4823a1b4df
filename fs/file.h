/*
 * A file: what a descriptor points to. Sockets, pipes, eventpolls, ttys and regular files are all files;
 * they differ in their file_ops. And the table from descriptor to file.
 */
#pragma once

#include <fs/iov_iter.h>
#include <kernel/mutex.h>
#include <kernel/wait.h>

struct dentry;
struct file;
struct dir_context;
struct inode;
struct poll_table;
struct seq_buf;
struct vm_area;

typedef s64 loff_t;

struct file_ops {
	/* Bytes moved, 0 at the end, or -errno. `pos` is where, and is advanced; files without a position
	 * (pipes, sockets, ttys) ignore it. NULL: -EINVAL. */
	ssize_t (*read)(struct file *file, struct iov_iter *to, loff_t *pos);
	ssize_t (*write)(struct file *file, struct iov_iter *from, loff_t *pos);
	loff_t (*llseek)(struct file *file, loff_t offset, int whence); /* NULL: -ESPIPE */
	/* The events that hold now (EPOLL*); if `table` asks for it, registers on the wait queues that
	 * would tell of a change, by poll_wait(). NULL: always readable and writable, and not for
	 * epoll (EPERM). */
	u32 (*poll)(struct file *file, struct poll_table *table);
	long (*ioctl)(struct file *file, u32 command, u64 arg); /* NULL: -ENOTTY */
	int (*mmap)(struct file *file, struct vm_area *vma);	/* NULL: -ENODEV */
	/* Directory entries into `emit` until it returns false. NULL: -ENOTDIR. */
	int (*iterate)(struct file *file, struct dir_context *context);
	int (*fsync)(struct file *file); /* NULL: -EINVAL */
	/* Each close() of a descriptor; its result is close()'s. */
	int (*flush)(struct file *file);
	/* The last reference goes. May sleep. */
	void (*release)(struct file *file);
	/* Lines for /proc/PID/fdinfo/FD beyond pos, flags, mnt_id, ino. */
	void (*show_fdinfo)(struct file *file, struct seq_buf *out);
};

struct file {
	const struct file_ops *ops;
	void *private_data; /* the kind's own */
	u32 refcount;	    /* atomic */
	u32 flags;	    /* O_* as given to open, and by F_SETFL; atomic single writes */
	struct dentry *dentry; /* a reference; NULL for anonymous ones (sockets, pipes, eventpolls) */
	const char *anon_name; /* what /proc/PID/fd shows then: "socket:", "pipe:", "anon_inode:[eventpoll]" */
	u64 anon_ino;	       /* its number: socket:[N] */
	struct mutex pos_lock; /* `pos`, across a read or write that uses it */
	loff_t pos;
	/* The epitems that watch this file: fs/eventpoll.c, under its own lock. */
	struct list_head watchers;
};

/* Kinds of open mode, kept by file_can_read/write. */
#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR	    00000002
#define O_CREAT	    00000100
#define O_EXCL	    00000200
#define O_NOCTTY    00000400
#define O_TRUNC	    00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_DSYNC	    00010000
#define O_ASYNC	    00020000
#define O_DIRECT    00040000
#define O_LARGEFILE 00100000
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_SYNC	    04010000
#define O_PATH	    010000000
#define O_TMPFILE   020200000

/* A new file, refcount 1, without a dentry. NULL: no memory, or the system-wide limit. */
struct file *file_create(const struct file_ops *ops, void *private_data, u32 flags);
/* The same for a file with no name in the tree. */
struct file *file_create_anon(const struct file_ops *ops, void *private_data, u32 flags,
			      const char *anon_name);
static inline void file_get(struct file *file)
{
	__atomic_add_fetch(&file->refcount, 1, __ATOMIC_RELAXED);
}
/* Drop a reference; the last one releases. Process context; may sleep. */
void file_put(struct file *file);

static inline bool file_readable(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY && !(file->flags & O_PATH);
}
static inline bool file_writable(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY && !(file->flags & O_PATH);
}

/* From kernel memory, at *pos: exec, sendfile. */
ssize_t file_read_kernel(struct file *file, void *buffer, size_t size, loff_t *pos);
ssize_t file_write_kernel(struct file *file, const void *buffer, size_t size, loff_t *pos);

/* ---- descriptors --------------------------------------------------------------------------------- */

struct files; /* the table of a process, shared by its threads: fs/fdtable.c */

/* The file of a descriptor of `current`, with a reference; NULL: none (EBADF). fd_get refuses O_PATH files,
 * fd_get_any does not. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
/* The lowest free descriptor >= from, reserved; or -EMFILE. fd_install makes it visible and takes over the
 * caller's reference; fd_release gives it up again. */
int fd_reserve(int from, bool cloexec);
void fd_install(int fd, struct file *file);
void fd_release(int fd);
/* The three in one: consumes the reference on success and on failure. A descriptor or -errno. */
int fd_add(struct file *file, bool cloexec);
int fd_close(int fd);

struct files *files_create(void);
struct files *files_clone(struct files *old); /* fork: copies the table. ERR_PTR */
void files_get(struct files *files);
void files_put(struct files *files);		 /* the last one closes everything */
void files_close_on_exec(struct files *files);
/* Somebody else's, for /proc: a referenced file or NULL; the next used descriptor >= fd or -1. */
struct file *files_lookup(struct files *files, int fd);
int files_next(struct files *files, int fd);
extern u64 nr_open_files, max_open_files; /* /proc/sys/fs/file-nr, file-max */

/* ---- poll ------------------------------------------------------------------------------------------- */

#define EPOLLIN	     0x00000001U
#define EPOLLPRI     0x00000002U
#define EPOLLOUT     0x00000004U
#define EPOLLERR     0x00000008U
#define EPOLLHUP     0x00000010U
#define EPOLLNVAL    0x00000020U
#define EPOLLRDNORM  0x00000040U
#define EPOLLRDBAND  0x00000080U
#define EPOLLWRNORM  0x00000100U
#define EPOLLWRBAND  0x00000200U
#define EPOLLMSG     0x00000400U
#define EPOLLRDHUP   0x00002000U

/* Handed to file_ops.poll. `queue` is what select, poll or epoll do with each wait queue that the file names;
 * NULL: only the mask is wanted. `key`: the events the asker is interested in. */
struct poll_table {
	void (*queue)(struct file *file, struct wait_queue *wq, struct poll_table *table);
	u32 key;
};

static inline void poll_wait(struct file *file, struct wait_queue *wq, struct poll_table *table)
{
	if (table && table->queue)
		table->queue(file, wq, table);
}

/* The ready mask of any file. */
u32 file_poll(struct file *file, struct poll_table *table);
