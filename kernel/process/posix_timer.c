/*
 * POSIX timers: timer_create() and its family. A timer carries the sigqueue that it sends, so
 * expiring needs no memory; while that still waits to be delivered, expirations only count (the
 * overrun).
 *
 * Locks: process->lock (the list), or the timer's own lock; never both. Inside the latter, by
 * sending: tree_lock, sighand->lock.
 */
#include <kernel/interval_timer.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/process/itimer.h>
#include <kernel/process/time_syscalls.h>
#include <kernel/wall_clock.h>

#define MAX_TIMERS 4096 /* of a process: finding one walks their list */

struct sigevent { /* Linux's layout */
	u64 value;
	s32 signo;
	s32 notify;
	s32 tid;
	u32 padding[11];
};
static_assert(sizeof(struct sigevent) == 64, "sigevent");

enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };

struct posix_timer {
	struct interval_timer timer;
	struct sigqueue signal; /* under sighand->lock */
	/* constant */
	int id;
	bool silent; /* SIGEV_NONE */
	struct process *process;
	struct task *target; /* a reference, or NULL: the process */
	/* under process->lock */
	struct list_head link;
	u32 refcount; /* the list's, and of calls that use it */
};

static bool timer_expired(struct interval_timer *timer, u64 times)
{
	struct posix_timer *posix = container_of(timer, struct posix_timer, timer);

	if (!posix->silent)
		send_sigqueue(posix->target, posix->process, &posix->signal,
			      (u32)min(times - 1, (u64)INT32_MAX));
	return true;
}

/* ---- finding and letting go ---------------------------------------------------------------- */

/* process->lock held. */
static struct posix_timer *find(struct process *process, int id)
{
	struct posix_timer *timer;

	list_for_each_entry(timer, &process->posix_timers, link)
		if (timer->id == id)
			return timer;
	return NULL;
}

static struct posix_timer *timer_get(int id)
{
	struct process *process = current_process;
	struct posix_timer *timer;

	spin_lock_bh(&process->lock);
	timer = find(process, id);
	if (timer)
		timer->refcount++;
	spin_unlock_bh(&process->lock);
	return timer;
}

static void destroy(struct posix_timer *timer)
{
	interval_timer_destroy(&timer->timer);
	cancel_sigqueue(timer->target, timer->process, &timer->signal);
	if (timer->target)
		put_task(timer->target);
	kfree(timer);
}

static void timer_put(struct posix_timer *timer)
{
	struct process *process = timer->process;
	bool last;

	spin_lock_bh(&process->lock);
	last = --timer->refcount == 0;
	spin_unlock_bh(&process->lock);
	if (last)
		destroy(timer);
}

/* ---- making one ---------------------------------------------------------------------------- */

/* The thread that a timer is for: one of ours, referenced. */
static struct task *own_thread(int tid)
{
	struct task *task = tid > 0 ? task_find(tid) : NULL;

	if (task && task->process != current_process) {
		put_task(task);
		task = NULL;
	}
	return task;
}

static int apply_event(struct posix_timer *timer, const struct sigevent *event)
{
	bool to_thread = event->notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID);
	struct siginfo *info = &timer->signal.info;

	if (!to_thread && event->notify != SIGEV_SIGNAL && event->notify != SIGEV_NONE &&
	    event->notify != SIGEV_THREAD)
		return -EINVAL;
	timer->silent = event->notify == SIGEV_NONE;
	if (!timer->silent && (event->signo < 1 || event->signo > NSIG))
		return -EINVAL;
	if (to_thread) {
		timer->target = own_thread(event->tid);
		if (!timer->target)
			return -EINVAL;
	}
	info->signo = event->signo;
	info->code = SI_TIMER;
	info->timer.value = event->value;
	return 0;
}

/* The list is in the order of the numbers. As many as signals may be queued, since each may queue
 * one. The number; or -EAGAIN. From here on other threads can find it, and delete it. */
static int enlist(struct posix_timer *timer, bool value_is_id)
{
	struct process *process = current_process;
	struct siginfo *info = &timer->signal.info;
	u64 limit;
	int id = 0;

	spin_lock_bh(&process->lock);
	if (!list_empty(&process->posix_timers))
		id = list_last_entry(&process->posix_timers, struct posix_timer, link)->id + 1;
	limit = min(process->rlimits[RLIMIT_SIGPENDING].cur, (u64)MAX_TIMERS);
	if (process->nr_posix_timers >= limit || id < 0) {
		id = -EAGAIN;
	} else {
		process->nr_posix_timers++;
		timer->id = id;
		info->timer.timerid = id;
		if (value_is_id)
			info->timer.value = id;
		list_add_tail(&timer->link, &process->posix_timers);
	}
	spin_unlock_bh(&process->lock);
	return id;
}

static int check_clock(int clock)
{
	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || clock < 0)
		return -EOPNOTSUPP;
	return clock_is_timeline(clock) && clock != CLOCK_MONOTONIC_RAW &&
			       clock != CLOCK_REALTIME_COARSE && clock != CLOCK_MONOTONIC_COARSE
		       ? 0
		       : -EINVAL;
}

/* The number, or -errno. */
static int make(int clock, const struct sigevent *event, bool value_is_id)
{
	struct posix_timer *timer = kzalloc(sizeof(*timer), GFP_KERNEL);
	int result;

	if (!timer)
		return -EAGAIN;
	timer->process = current_process;
	timer->refcount = 1;
	timer->signal.owned = true;
	INIT_LIST_HEAD(&timer->signal.link);
	interval_timer_init(&timer->timer, clock);
	timer->timer.expired = timer_expired;
	result = apply_event(timer, event);
	if (!result)
		result = enlist(timer, value_is_id);
	if (result < 0)
		destroy(timer);
	return result;
}

long sys_timer_create(int clock, const struct sigevent __user *user_event, int __user *user_id)
{
	struct sigevent event = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	int error = check_clock(clock), id;

	if (user_event && copy_from_user(&event, user_event, sizeof(event)))
		return -EFAULT;
	if (error)
		return error;
	id = make(clock, &event, !user_event);
	if (id < 0)
		return id;
	if (put_user(id, user_id)) {
		sys_timer_delete(id);
		return -EFAULT;
	}
	return 0;
}

/* ---- using it ------------------------------------------------------------------------------ */

static void read_timer(const struct posix_timer *timer, u64 *interval, u64 *left)
{
	*interval = timer->timer.interval;
	*left = interval_timer_left(&timer->timer);
}

long sys_timer_settime(int id, int flags, const struct itimerspec __user *value,
		       struct itimerspec __user *old)
{
	u64 interval, first, old_interval, old_left;
	struct posix_timer *timer;
	int error = value ? get_user_itimerspec(&interval, &first, value) : -EINVAL;

	if (error)
		return error;
	timer = timer_get(id);
	if (!timer)
		return -EINVAL;
	spin_lock_bh(&timer->timer.lock);
	read_timer(timer, &old_interval, &old_left);
	interval_timer_set(&timer->timer, first, interval, flags & TIMER_ABSTIME);
	spin_unlock_bh(&timer->timer.lock);
	timer_put(timer);
	return old ? put_user_itimerspec(old_interval, old_left, old) : 0;
}

long sys_timer_gettime(int id, struct itimerspec __user *value)
{
	struct posix_timer *timer = timer_get(id);
	u64 interval, left;

	if (!timer)
		return -EINVAL;
	spin_lock_bh(&timer->timer.lock);
	read_timer(timer, &interval, &left);
	spin_unlock_bh(&timer->timer.lock);
	timer_put(timer);
	return put_user_itimerspec(interval, left, value);
}

long sys_timer_getoverrun(int id)
{
	struct posix_timer *timer = timer_get(id);
	int overrun;

	if (!timer)
		return -EINVAL;
	overrun = READ_ONCE(timer->signal.info.timer.overrun);
	timer_put(timer);
	return overrun;
}

long sys_timer_delete(int id)
{
	struct process *process = current_process;
	struct posix_timer *timer;

	spin_lock_bh(&process->lock);
	timer = find(process, id);
	if (timer) {
		list_del(&timer->link);
		process->nr_posix_timers--;
	}
	spin_unlock_bh(&process->lock);
	if (!timer)
		return -EINVAL;
	timer_put(timer);
	return 0;
}

void posix_timers_delete_all(struct process *process)
{
	struct posix_timer *timer, *next;
	LIST_HEAD(timers);

	spin_lock_bh(&process->lock);
	list_splice_init(&process->posix_timers, &timers);
	process->nr_posix_timers = 0;
	spin_unlock_bh(&process->lock);
	list_for_each_entry_safe(timer, next, &timers, link)
		timer_put(timer);
}
