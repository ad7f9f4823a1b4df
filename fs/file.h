/*
 * A file: what a descriptor points to. Sockets, pipes, eventpolls, ttys and regular files are all files;
 * they differ in their file_ops. And the table from descriptor to file.
 */
#pragma once

#include <fs/iov_iter.h>
#include <kernel/mutex.h>
#include <kernel/task.h>
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
	/* Sets and returns file->pos; pos_lock held. NULL: there is no position, -ESPIPE. llseek_nothing:
	 * neither, but Linux lets that pass. */
	loff_t (*llseek)(struct file *file, loff_t offset, int whence);
	/* Bytes by reference. lend_page: the page that holds `pos`, with a reference for the caller, and *size, how many
	 * bytes of it from there on are the file's; NULL: there is none to lend, read(). They may change while they
	 * are lent. write_page: like write(), but the bytes may be kept where they are, and more follow soon, perhaps.
	 * NULL: this kind of file does not. */
	struct page *(*lend_page)(struct file *file, loff_t pos, size_t *size);
	ssize_t (*write_page)(struct file *file, struct page *page, u32 offset, u32 size,
			      bool more);
	/* The events that hold now (EPOLL*); if `table` asks for it, registers on the wait queues that
	 * would tell of a change, by poll_wait(). NULL: always readable and writable, and not for
	 * epoll (EPERM). */
	u32 (*poll)(struct file *file, struct poll_table *table);
	long (*ioctl)(struct file *file, u32 command, u64 arg); /* NULL: -ENOTTY */
	int (*mmap)(struct file *file, struct vm_area *vma);	/* NULL: -ENODEV */
	/* Directory entries into `emit` until it returns false. NULL: -ENOTDIR. */
	int (*iterate)(struct file *file, struct dir_context *context);
	int (*fsync)(struct file *file); /* NULL: -EINVAL */
	/* A descriptor of the table `owner` is closed; the result is close()'s. */
	int (*flush)(struct file *file, const struct files *owner);
	/* The last reference goes. May sleep. */
	void (*release)(struct file *file);
	/* Lines for /proc/PID/fdinfo/FD beyond pos, flags, mnt_id, ino. */
	void (*show_fdinfo)(struct file *file, struct seq_buf *out);
	/* What /proc/PID/fd shows for one without a dentry: "socket:", "pipe:", "anon_inode:[eventpoll]" */
	const char *anon_name;
};

struct file {
	const struct file_ops *ops;
	void *private_data; /* the kind's own */
	u32 refcount;	    /* atomic */
	u32 flags;	    /* O_* as given to open, and by F_SETFL; atomic */
	s32 owner;	    /* what F_SETOWN said; nobody is signalled */
	/* a reference; NULL for anonymous ones (sockets, pipes, eventpolls) */
	struct dentry *dentry;
	u64 anon_ino; /* its number then: socket:[N] */
	struct mutex pos_lock;
	/* Under pos_lock, across a read or write that uses it. A kind without llseek may keep a word of
	 * its own here. */
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

/* A new file, refcount 1, without a dentry. NULL: no memory, or the system-wide limit (ENFILE). */
struct file *file_create(const struct file_ops *ops, void *private_data, u32 flags);
/* The same for a file with no name in the tree, but ops->anon_name; it gets a number of its own. */
struct file *file_create_anon(const struct file_ops *ops, void *private_data, u32 flags);
static inline void file_get(struct file *file)
{
	__atomic_add_fetch(&file->refcount, 1, __ATOMIC_RELAXED);
}
/* The last reference is gone. */
void file_release(struct file *file);
/* Drop a reference; the last one releases. Process context; may sleep. */
static inline void file_put(struct file *file)
{
	if (__atomic_sub_fetch(&file->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		file_release(file);
}

/* O_RDONLY, O_WRONLY, O_RDWR, plus one, are the bits "reads" and "writes"; the fourth mode does neither. */
static inline bool file_readable(const struct file *file)
{
	return ((file->flags + 1) & 1) && !(file->flags & O_PATH);
}
static inline bool file_writable(const struct file *file)
{
	return ((file->flags + 1) & 2) && !(file->flags & O_PATH);
}
loff_t llseek_nothing(struct file *file, loff_t offset, int whence);
/* Do reads and writes begin where the last one ended? */
static inline bool file_has_position(const struct file *file)
{
	return file->ops->llseek && file->ops->llseek != llseek_nothing;
}
/* Set or clear flags while others may do so too. */
static inline void file_set_flags(struct file *file, u32 flags, bool on)
{
	if (on)
		__atomic_or_fetch(&file->flags, flags, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&file->flags, ~flags, __ATOMIC_RELAXED);
}

/* From kernel memory, at *pos: exec, sendfile. */
ssize_t file_read_kernel(struct file *file, void *buffer, size_t size, loff_t *pos);
ssize_t file_write_kernel(struct file *file, const void *buffer, size_t size, loff_t *pos);

extern u64 nr_open_files, max_open_files; /* /proc/sys/fs/file-nr, file-max */

/* Before anything is opened. */
void files_init(void);

/* ---- descriptors: fs/fdtable.c --------------------------------------------------------------- */

#define FILES_INLINE 64 /* descriptors that need no memory of their own */

/*
 * The table of a process, shared by its threads.
 *
 * Slots change under `lock`. The one task that uses a table reads it without, and without references:
 * nobody else can close what it has looked up. (The other holders, /proc, only read, with the lock;
 * whoever becomes a second user is made by that task itself.)
 */
struct files {
	u32 refcount; /* atomic */

	/* under lock */
	u32 size;	     /* slots: a multiple of 64 */
	struct file **slots; /* NULL: free, or reserved */
	u64 *open;	     /* bit map: slot is used or reserved */
	u64 *full;	     /* bit map: word of `open` is all ones */
	u64 *cloexec;	     /* bit map: closed by exec */
	u32 next_free;	     /* no slot below is free */
	spinlock_t lock;

	struct file *inline_slots[FILES_INLINE];
	u64 inline_maps[3];
};

/* A file that was looked up for the length of a system call. */
struct fd {
	struct file *file; /* NULL: no such descriptor (EBADF) */
	bool counted;	   /* we hold a reference */
};

/* Is `current` the table's one user? Then it stays that until the system call ends, whoever looks in. */
static inline bool files_own(const struct files *files)
{
	return __atomic_load_n(&files->refcount, __ATOMIC_ACQUIRE) == 1;
}
/* Of one's own table, O_PATH files too. */
static inline struct file *files_peek(const struct files *files, int fd)
{
	return likely((u32)fd < files->size) ? files->slots[(u32)fd] : NULL;
}

struct fd fd_borrow_shared(struct files *files, int fd);

/* The file of a descriptor of `current`; not those of O_PATH. */
static inline struct fd fd_borrow(int fd)
{
	struct files *files = current->files;
	struct file *file;

	if (unlikely(!files_own(files)))
		return fd_borrow_shared(files, fd);
	file = files_peek(files, fd);
	if (unlikely(file && (file->flags & O_PATH)))
		file = NULL;
	return (struct fd){ file, false };
}

static inline void fd_return(struct fd fd)
{
	if (unlikely(fd.counted))
		file_put(fd.file);
}

/* The same with a reference, for whoever keeps the file longer; NULL: none (EBADF). fd_get_any gives those of
 * O_PATH too. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
/* The lowest free descriptor >= from, reserved; or -EMFILE, -ENOMEM. fd_install makes it visible and takes over
 * the caller's reference; fd_release gives it up again. */
int fd_reserve(int from, bool cloexec);
void fd_install(int fd, struct file *file);
void fd_release(int fd);
/* The three in one: consumes the reference on success and on failure. A descriptor or -errno. */
int fd_add(struct file *file, bool cloexec);
int fd_add_from(int from, struct file *file, bool cloexec);
/* Into this very slot, closing what was there (dup2). Consumes the reference. fd or -errno. */
int fd_replace(int fd, struct file *file, bool cloexec);
int fd_close(int fd);
/* Close-on-exec: 0 or 1, or -EBADF. */
int fd_get_cloexec(int fd);
int fd_set_cloexec(int fd, bool cloexec);

struct files *files_create(void);	      /* NULL: no memory */
struct files *files_clone(struct files *old); /* fork: copies the table. ERR_PTR */
void files_get(struct files *files);
void files_put(struct files *files); /* the last one closes everything */
void files_close_on_exec(struct files *files);
/* For /proc, anybody's: a referenced file or NULL; the next used descriptor >= fd or -1. */
struct file *files_lookup(struct files *files, int fd);
int files_next(struct files *files, int fd);
bool files_cloexec(struct files *files, int fd);

/* ---- poll ------------------------------------------------------------------------------------ */

#define EPOLLIN	    0x00000001U
#define EPOLLPRI    0x00000002U
#define EPOLLOUT    0x00000004U
#define EPOLLERR    0x00000008U
#define EPOLLHUP    0x00000010U
#define EPOLLNVAL   0x00000020U
#define EPOLLRDNORM 0x00000040U
#define EPOLLRDBAND 0x00000080U
#define EPOLLWRNORM 0x00000100U
#define EPOLLWRBAND 0x00000200U
#define EPOLLMSG    0x00000400U
#define EPOLLRDHUP  0x00002000U

/* Handed to file_ops.poll. `queue` is what select, poll or epoll do with each wait queue that the file names;
 * NULL: only the mask is wanted. `key`: the events the asker is interested in. */
struct poll_table {
	void (*queue)(struct file *file, struct wait_queue *wq, struct poll_table *table);
	u32 key;
};

/* The barrier makes "register, then look" true: without it the file's state could be read before the
 * entry is on the queue for all to see. wait_queue_active() has its partner. */
static inline void poll_wait(struct file *file, struct wait_queue *wq, struct poll_table *table)
{
	if (table && table->queue) {
		table->queue(file, wq, table);
		smp_mb();
	}
}

/* What a file is that has no poll of its own: always ready. */
#define POLL_ALWAYS (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

/* The ready mask of any file. */
static inline u32 file_poll(struct file *file, struct poll_table *table)
{
	return file->ops->poll ? file->ops->poll(file, table) : POLL_ALWAYS;
}
