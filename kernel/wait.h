/*
 * Wait queues. An entry is a function and flags, not a task: wake_up() calls each entry's function,
 * and what happens then is the entry's own affair. default_wake_function makes a sleeping task
 * runnable; select and poll bring theirs; ep_poll_callback puts an epitem on a ready list. This one
 * decision makes recv, select and epoll the same mechanism. Step 9 of the journey.
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/sched.h>
#include <kernel/spinlock.h>

struct wait_entry;

/* Returns true if somebody was woken, which is what WQ_FLAG_EXCLUSIVE counts. Called under wq->lock,
 * softirqs off; `key` says what happened (a poll mask; 0: unknown, anything). */
typedef bool (*wait_func_t)(struct wait_entry *entry, u32 key);

#define WQ_FLAG_EXCLUSIVE 1U /* waking one of these is enough */

struct wait_entry {
	wait_func_t func;
	void *private; /* the function's; a task for default_wake_function */
	u32 flags;
	struct list_head link; /* under wq->lock; empty when it is on no queue */
};

struct wait_queue {
	spinlock_t lock;
	struct list_head entries; /* non-exclusive ones first, exclusive ones in order of arrival */
};

#define wait_queue_init(wq)                     \
	do {                                    \
		spin_lock_init(&(wq)->lock);    \
		INIT_LIST_HEAD(&(wq)->entries); \
	} while (0)

/* At file scope. */
#if CONFIG_DEBUG
#define DEFINE_WAIT_QUEUE(var)                                                               \
	struct wait_queue var = { .lock = { .class = &(struct lock_class){ .name = #var } }, \
				  .entries = LIST_HEAD_INIT(var.entries) }
#else
#define DEFINE_WAIT_QUEUE(var) struct wait_queue var = { .entries = LIST_HEAD_INIT(var.entries) }
#endif

void add_wait_queue(struct wait_queue *wq, struct wait_entry *entry);
void remove_wait_queue(struct wait_queue *wq, struct wait_entry *entry);

/* Wake all non-exclusive entries and `exclusive` of the exclusive ones (0: all of them). */
void wake_up_key(struct wait_queue *wq, u32 exclusive, u32 key);

#define wake_up(wq)	      wake_up_key(wq, 1, 0)
#define wake_up_all(wq)	      wake_up_key(wq, 0, 0)
#define wake_up_poll(wq, key) wake_up_key(wq, 1, key)

/* By a waker that will sleep soon itself: see sync_wakeup in kernel/sched.h. */
void wake_up_sync(struct wait_queue *wq, u32 key);

/* Does anybody wait? The caller has changed the condition before; the barrier puts that change before
 * the look, as prepare_to_wait()'s lock puts the entry before the sleeper's check. */
static inline bool wait_queue_active(struct wait_queue *wq)
{
	smp_mb();
	return !list_empty(&wq->entries);
}

/* Step 11: entry->private is a task; put it back on a run queue. */
bool default_wake_function(struct wait_entry *entry, u32 key);
/* The same, and takes the entry off the queue, so that the next wake-up goes to somebody else. */
bool autoremove_wake_function(struct wait_entry *entry, u32 key);

/* ---- waiting: register, then check, then sleep ------------------------------------------------ */

void prepare_to_wait(struct wait_queue *wq, struct wait_entry *entry, u32 state);
void finish_wait(struct wait_queue *wq, struct wait_entry *entry);

/* A signal is waiting for `current`; SIGKILL: for waits that only death may end. */
bool signal_pending(void);
bool fatal_signal_pending(void);

static inline bool sleep_is_interrupted(u32 state)
{
	return (state == TASK_INTERRUPTIBLE && signal_pending()) ||
	       (state == TASK_KILLABLE && fatal_signal_pending());
}

#define WAIT_ENTRY_INIT(flags_)                                                         \
	{                                                                               \
		.func = autoremove_wake_function, .private = current, .flags = (flags_) \
	}

/*
 * The one helper: waits until `condition` holds. Registering before checking is what makes a wake-up
 * between the check and the sleep count: it finds the entry and makes the task runnable again.
 *
 *	sleeper				waker
 *	prepare_to_wait()
 *					condition = true
 *	condition? no -> may be old
 *					wake_up(): finds the entry, state = RUNNING
 *	schedule(): still running, goes round, condition? yes
 *
 * Result: 0; -EINTR if a signal came first (states that it may interrupt); -ETIME if `deadline` passed first.
 * `condition` is evaluated several times, last after the deadline: if it holds then, it wins.
 */
#define wait_event_full(wq, condition, state, flags, deadline)           \
	({                                                               \
		int wait_result_ = 0;                                    \
		bool wait_time_left_ = true;                             \
		struct wait_entry wait_entry_ = WAIT_ENTRY_INIT(flags);  \
                                                                         \
		might_sleep();                                           \
		INIT_LIST_HEAD(&wait_entry_.link);                       \
		for (;;) {                                               \
			prepare_to_wait(wq, &wait_entry_, state);        \
			if (condition)                                   \
				break;                                   \
			if (sleep_is_interrupted(state)) {               \
				wait_result_ = -EINTR;                   \
				break;                                   \
			}                                                \
			if (!wait_time_left_) {                          \
				wait_result_ = -ETIME;                   \
				break;                                   \
			}                                                \
			wait_time_left_ = schedule_timeout(deadline);    \
			if (condition) /* mostly: no need to register */ \
				break;                                   \
		}                                                        \
		finish_wait(wq, &wait_entry_);                           \
		wait_result_;                                            \
	})

#define wait_event(wq, condition) \
	((void)((condition)       \
			? 0       \
			: wait_event_full(wq, condition, TASK_UNINTERRUPTIBLE, 0, NO_TIMEOUT)))
#define wait_event_interruptible(wq, condition) \
	((condition) ? 0 : wait_event_full(wq, condition, TASK_INTERRUPTIBLE, 0, NO_TIMEOUT))
#define wait_event_timeout(wq, condition, deadline) \
	((condition) ? 0 : wait_event_full(wq, condition, TASK_UNINTERRUPTIBLE, 0, deadline))
#define wait_event_interruptible_timeout(wq, condition, deadline) \
	((condition) ? 0 : wait_event_full(wq, condition, TASK_INTERRUPTIBLE, 0, deadline))

#if CONFIG_DEBUG
#define might_sleep() lockdep_might_sleep()
#else
#define might_sleep() ((void)0)
#endif

/* ---- completion: one event, waited for once ----------------------------------------------------- */

struct completion {
	struct wait_queue wq;
	u32 done; /* under wq.lock: how many may pass */
};

static inline void init_completion(struct completion *completion)
{
	completion->done = 0;
	wait_queue_init(&completion->wq);
}

/* The last touch of `completion`: the waiter may free it as soon as it returns. */
void complete(struct completion *completion);
void wait_for_completion(struct completion *completion);
/* 0, or -EINTR: this task is to end. */
int wait_for_completion_killable(struct completion *completion);
