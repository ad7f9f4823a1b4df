/*
 * signalfd: signals as a file. It has no signals of its own: whoever reads or polls it asks for his
 * own pending ones, those of the mask. So it may be waited on in the name of several processes
 * (after a fork, or by an eventpoll that outlives the one who set it up), and keeps the wait queues
 * of all of them alive.
 *
 * Context: process. Locks: lock (mutex): mask and watches. sighand->lock by what is asked of
 * kernel/signal.
 */
#include <fs/file.h>
#include <fs/seq_buf.h>
#include <fs/signalfd.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mutex.h>
#include <kernel/process.h>
#include <kernel/signal_watch.h>

struct signalfd_siginfo { /* Linux's layout */
	u32 signo;
	s32 error, code;
	u32 pid, uid;
	s32 fd;
	u32 tid, band, overrun, trap_number;
	s32 status, value_int;
	u64 value, utime, stime, address;
	u16 address_lsb, padding2;
	s32 syscall;
	u64 call_address;
	u32 arch;
	u8 padding[28];
};
static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo");

struct signalfd {
	struct mutex lock;
	/* under lock; `mask` is read without */
	sigset_t mask;
	struct list_head watches; /* of struct kept_watch */
};

struct kept_watch {
	struct list_head link;
	struct signal_watch *watch; /* a reference */
};

/* ---- the wait queues ----------------------------------------------------------------------- */

static bool keeps(const struct signalfd *signalfd, const struct signal_watch *watch)
{
	const struct kept_watch *kept;

	list_for_each_entry(kept, &signalfd->watches, link)
		if (kept->watch == watch)
			return true;
	return false;
}

/* The wait queue of the current process, which from now on lives as long as the file. NULL: no
 * memory. */
static struct wait_queue *own_wait_queue(struct signalfd *signalfd)
{
	struct signal_watch *watch = signal_watch_of_current();
	struct kept_watch *kept;
	bool ok;

	if (!watch)
		return NULL;
	mutex_lock(&signalfd->lock);
	ok = keeps(signalfd, watch);
	if (!ok) {
		kept = kmalloc(sizeof(*kept), GFP_KERNEL);
		if (kept) {
			kept->watch = watch;
			signal_watch_get(watch);
			list_add(&kept->link, &signalfd->watches);
			ok = true;
		}
	}
	mutex_unlock(&signalfd->lock);
	return ok ? &watch->wq : NULL;
}

/* ---- reading ------------------------------------------------------------------------------- */

#define SIGNALS_FAULT                                                                         \
	(sigmask_of(SIGILL) | sigmask_of(SIGFPE) | sigmask_of(SIGSEGV) | sigmask_of(SIGBUS) | \
	 sigmask_of(SIGTRAP))

/* Which part of the union holds depends on the signal where the kernel's code says why; else on
 * the code. */
static void describe(struct signalfd_siginfo *to, const struct siginfo *info)
{
	bool has_reason = info->code > SI_USER && info->code < SI_KERNEL;

	memset(to, 0, sizeof(*to));
	to->signo = info->signo;
	to->error = info->error;
	to->code = info->code;
	if (has_reason && sigmask_of(info->signo) & SIGNALS_FAULT) {
		to->address = info->fault.address;
	} else if (has_reason && info->signo == SIGIO) {
		to->band = info->poll.band;
		to->fd = info->poll.fd;
	} else if (info->code == SI_TIMER) {
		to->tid = info->timer.timerid;
		to->overrun = info->timer.overrun;
		to->value = info->timer.value;
		to->value_int = info->timer.value;
	} else {
		to->pid = info->rt.pid;
		to->uid = info->rt.uid;
	}
	if (has_reason && info->signo == SIGCHLD) {
		to->status = info->child.status;
		to->utime = info->child.utime;
		to->stime = info->child.stime;
	} else if (info->code < 0 && info->code != SI_TIMER) {
		to->value = info->rt.value;
		to->value_int = info->rt.value;
	}
}

/* One signal; waits for it if it may. Its number, -EAGAIN or -ERESTARTSYS. */
static int next_signal(struct signalfd *signalfd, struct siginfo *info, bool wait)
{
	struct wait_queue *wq;
	int sig;

	while ((sig = take_signal(READ_ONCE(signalfd->mask), info)) == 0) {
		if (!wait)
			return -EAGAIN;
		wq = own_wait_queue(signalfd);
		if (!wq)
			return -ENOMEM;
		if (wait_event_interruptible(wq, signals_queued(READ_ONCE(signalfd->mask))))
			return -ERESTARTSYS;
	}
	return sig;
}

static ssize_t signalfd_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	bool wait = !(file->flags & O_NONBLOCK);
	struct signalfd_siginfo out;
	struct siginfo info;
	ssize_t done = 0;

	if (to->count < sizeof(out))
		return -EINVAL;
	while (to->count >= sizeof(out)) {
		int sig = next_signal(file->private_data, &info, wait && !done);

		if (sig < 0)
			return done ?: sig;
		describe(&out, &info);
		if (copy_to_iter(&out, sizeof(out), to) != sizeof(out))
			return done ?: -EFAULT;
		done += sizeof(out);
	}
	return done;
}

static u32 signalfd_poll(struct file *file, struct poll_table *table)
{
	struct signalfd *signalfd = file->private_data;

	if (table && table->queue) {
		struct wait_queue *wq = own_wait_queue(signalfd);

		if (!wq)
			return EPOLLERR;
		poll_wait(file, wq, table);
	}
	return signals_queued(READ_ONCE(signalfd->mask)) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *file)
{
	struct signalfd *signalfd = file->private_data;
	struct kept_watch *kept, *next;

	list_for_each_entry_safe(kept, next, &signalfd->watches, link) {
		signal_watch_put(kept->watch);
		kfree(kept);
	}
	kfree(signalfd);
}

static void signalfd_show_fdinfo(struct file *file, struct seq_buf *out)
{
	struct signalfd *signalfd = file->private_data;

	seq_printf(out, "sigmask:\t%016llx\n", READ_ONCE(signalfd->mask));
}

static const struct file_ops signalfd_ops = {
	.anon_name = "anon_inode:[signalfd]",
	.read = signalfd_read,
	.llseek = llseek_nothing,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show_fdinfo,
};

/* ---- the system calls ---------------------------------------------------------------------- */

static int create(sigset_t mask, int flags)
{
	struct signalfd *signalfd = kmalloc(sizeof(*signalfd), GFP_KERNEL);
	struct file *file;

	if (!signalfd)
		return -ENOMEM;
	mutex_init(&signalfd->lock);
	signalfd->mask = mask;
	INIT_LIST_HEAD(&signalfd->watches);
	file = file_create_anon(&signalfd_ops, signalfd, O_RDWR | (flags & O_NONBLOCK));
	if (!file) {
		kfree(signalfd);
		return -ENFILE;
	}
	return fd_add(file, flags & O_CLOEXEC);
}

/* Whoever waits looks again, with the new mask. */
static int change_mask(int fd, sigset_t mask)
{
	struct file *file = fd_get(fd);
	struct signalfd *signalfd;
	struct kept_watch *kept;

	if (!file)
		return -EBADF;
	if (file->ops != &signalfd_ops) {
		file_put(file);
		return -EINVAL;
	}
	signalfd = file->private_data;
	mutex_lock(&signalfd->lock);
	WRITE_ONCE(signalfd->mask, mask);
	list_for_each_entry(kept, &signalfd->watches, link)
		wake_up_all(&kept->watch->wq);
	mutex_unlock(&signalfd->lock);
	file_put(file);
	return fd;
}

long sys_signalfd4(int fd, const sigset_t __user *user_mask, size_t size, int flags)
{
	sigset_t mask;

	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user_mask, sizeof(mask)))
		return -EFAULT;
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	mask &= ~SIGNALS_UNSTOPPABLE;
	return fd == -1 ? create(mask, flags) : change_mask(fd, mask);
}

long sys_signalfd(int fd, const sigset_t __user *mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}
