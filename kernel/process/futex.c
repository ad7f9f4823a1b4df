/*
 * Futexes. A lock of libc is a word of user memory; only who must wait for it, or has somebody to
 * wake, calls the kernel. Here waiters are in a hash table, by the place of the word: (address
 * space, address) for private memory, (what backs it, offset) for shared.
 *
 * No wake-up is lost, because the word is looked at under the bucket's lock:
 *
 *	waiter				waker
 *					word = new
 *	lock bucket			lock bucket
 *	word still old? queue		find the waiter, wake
 *	unlock, sleep			unlock
 *
 * Whoever is first under the lock: the waiter is found, or it sees the new word. A read under the
 * lock must not sleep; where the page is missing it fails, and is tried again with the page brought
 * in.
 *
 * Context: process. Locks: mm->mmap_lock, while a key is made; then bucket->lock, or two of them in
 * the order of their addresses. Inside: run-queue locks.
 */
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/mm/vm.h>
#include <kernel/process.h>
#include <kernel/process/futex.h>
#include <kernel/sched.h>
#include <kernel/wall_clock.h>

enum {
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE,
	FUTEX_WAKE_OP,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET,
};
#define FUTEX_PRIVATE_FLAG   128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_ANY	     0xffffffffU

#define BUCKET_BITS 10

struct futex_key {
	const void *where; /* an address space, or what backs shared memory */
	u64 offset;	   /* in it, in bytes */
};

static struct futex_bucket {
	spinlock_t lock;
	struct list_head waiters; /* in order of arrival */
} buckets[1 << BUCKET_BITS];

/* On the waiter's stack. Under bucket->lock of the bucket in which it is. */
struct futex_waiter {
	struct list_head link;
	struct futex_key key;
	u32 bitset; /* it may be woken for any of these reasons */
	struct task *task;
	struct futex_bucket *bucket; /* read without lock too, and then looked at again */
	bool woken;		     /* the waker's last word: then it is off the list */
};

/* ---- keys and buckets ---------------------------------------------------------------------- */

static const void *backing_of(const struct vm_area *area)
{
	return area->shared ?: (const void *)area->file;
}

/* Memory that is mapped shared has the same key in every process. */
static int make_shared_key(struct futex_key *key, u64 address)
{
	struct mm *mm = current->mm;
	const struct vm_area *area;
	int error = 0;

	mutex_lock(&mm->mmap_lock);
	area = vm_find(mm, address);
	if (!area || address < area->start)
		error = -EFAULT;
	else if (!area->file && !(area->flags & (VM_SHARED | VM_WRITE)))
		error = -EFAULT; /* nobody can ever change it */
	else if (area->flags & VM_SHARED)
		*key = (struct futex_key){ backing_of(area),
					   area->pgoff * PAGE_SIZE + address - area->start };
	mutex_unlock(&mm->mmap_lock);
	return error;
}

static int make_key(struct futex_key *key, const u32 __user *user, bool shared)
{
	u64 address = (u64)user;

	if (address % sizeof(u32))
		return -EINVAL;
	if (!user_range_ok(address, sizeof(u32)))
		return -EFAULT;
	*key = (struct futex_key){ current->mm, address };
	return shared ? make_shared_key(key, address) : 0;
}

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	return &buckets[hash_u64((u64)key->where + key->offset / sizeof(u32), BUCKET_BITS)];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->where == b->where && a->offset == b->offset;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock_bh(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		spin_unlock(a < b ? &b->lock : &a->lock);
	spin_unlock_bh(a < b ? &a->lock : &b->lock);
}

/* Under a bucket's lock; the address has been checked. False: the page is not there now. */
static bool read_word(u32 *value, const u32 __user *address)
{
	return user_copy(value, address, sizeof(*value)) == 0;
}

/* ---- waking -------------------------------------------------------------------------------- */

/* Under the bucket's lock, which the waiter takes once more before it goes its way: so it and its
 * task stay. */
static void wake_waiter(struct futex_waiter *waiter)
{
	list_del(&waiter->link);
	__atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
	wake_up_process(waiter->task);
}

/* Under the bucket's lock. Even `count` 0 wakes one, as on Linux. */
static int wake_matching(struct futex_bucket *bucket, const struct futex_key *key, int count,
			 u32 bitset)
{
	struct futex_waiter *waiter, *next;
	int woken = 0;

	list_for_each_entry_safe(waiter, next, &bucket->waiters, link) {
		if (!same_key(&waiter->key, key) || !(waiter->bitset & bitset))
			continue;
		wake_waiter(waiter);
		if (++woken >= count)
			break;
	}
	return woken;
}

int futex_wake(u32 __user *address, bool shared, int count, u32 bitset)
{
	struct futex_bucket *bucket;
	struct futex_key key;
	int result;

	if (!bitset)
		return -EINVAL;
	result = make_key(&key, address, shared);
	if (result)
		return result;
	bucket = bucket_of(&key);
	spin_lock_bh(&bucket->lock);
	result = wake_matching(bucket, &key, count, bitset);
	spin_unlock_bh(&bucket->lock);
	return result;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* 0: queued, since the word was `value`. */
static int queue_waiter(struct futex_waiter *waiter, u32 __user *address, u32 value)
{
	struct futex_bucket *bucket = bucket_of(&waiter->key);
	u32 word;

	waiter->bucket = bucket;
	for (;;) {
		spin_lock_bh(&bucket->lock);
		if (read_word(&word, address))
			break;
		spin_unlock_bh(&bucket->lock);
		if (get_user(word, address))
			return -EFAULT;
	}
	if (word == value)
		list_add_tail(&waiter->link, &bucket->waiters);
	spin_unlock_bh(&bucket->lock);
	return word == value ? 0 : -EAGAIN;
}

/* False: a waker had taken it off already. A requeue may move it until we have the lock. */
static bool unqueue_waiter(struct futex_waiter *waiter)
{
	for (;;) {
		struct futex_bucket *bucket = READ_ONCE(waiter->bucket);
		bool queued;

		spin_lock_bh(&bucket->lock);
		if (bucket != waiter->bucket) {
			spin_unlock_bh(&bucket->lock);
			continue;
		}
		queued = !waiter->woken;
		if (queued)
			list_del(&waiter->link);
		spin_unlock_bh(&bucket->lock);
		return queued;
	}
}

static void sleep_until_woken(struct futex_waiter *waiter, int clock, u64 deadline)
{
	bool time_left = true;

	while (time_left) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (__atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE) || signal_pending())
			break;
		time_left = schedule_until(clock, deadline);
	}
	set_current_state(TASK_RUNNING);
}

/* 0; -EAGAIN: the word is not `value`; -ETIMEDOUT; -EINTR. */
static int wait_for_wake(u32 __user *address, bool shared, u32 value, u32 bitset, int clock,
			 u64 deadline)
{
	struct futex_waiter waiter = { .task = current, .bitset = bitset };
	int error = make_key(&waiter.key, address, shared);

	if (!error)
		error = queue_waiter(&waiter, address, value);
	if (error)
		return error;
	sleep_until_woken(&waiter, clock, deadline);
	if (!unqueue_waiter(&waiter))
		return 0;
	return deadline != NO_TIMEOUT && clock_now(clock) >= deadline ? -ETIMEDOUT : -EINTR;
}

/* restart_data: address, value and bitset, deadline, operation. */
static long futex_wait_restart(struct task *task);

/* A wait without a limit starts anew after a signal; with one, it goes on to the same deadline. */
static long futex_wait(u32 __user *address, int operation, u32 value, u32 bitset, u64 deadline)
{
	int clock = operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	int error;

	if (!bitset)
		return -EINVAL;
	error = wait_for_wake(address, !(operation & FUTEX_PRIVATE_FLAG), value, bitset, clock,
			      deadline);
	if (error != -EINTR)
		return error;
	if (deadline == NO_TIMEOUT)
		return -ERESTARTSYS;
	current->restart = futex_wait_restart;
	current->restart_data[0] = (u64)address;
	current->restart_data[1] = (u64)value << 32 | bitset;
	current->restart_data[2] = deadline;
	current->restart_data[3] = operation;
	return -ERESTART_RESTARTBLOCK;
}

static long futex_wait_restart(struct task *task)
{
	const u64 *data = task->restart_data;

	return futex_wait((u32 __user *)data[0], data[3], data[1] >> 32, (u32)data[1], data[2]);
}

/* ---- requeueing ---------------------------------------------------------------------------- */

/* Of those who wait for one word, wake some and let others wait for another. Both locks held. */
static int wake_and_move(struct futex_bucket *from, const struct futex_key *from_key,
			 struct futex_bucket *to, const struct futex_key *to_key, int wake,
			 int move)
{
	struct futex_waiter *waiter, *next;
	int done = 0;

	list_for_each_entry_safe(waiter, next, &from->waiters, link) {
		if (done - wake >= move)
			break;
		if (!same_key(&waiter->key, from_key))
			continue;
		if (++done <= wake) {
			wake_waiter(waiter);
		} else if (!same_key(from_key, to_key)) {
			list_move_tail(&waiter->link, &to->waiters);
			waiter->key = *to_key;
			WRITE_ONCE(waiter->bucket, to);
		}
	}
	return done;
}

/* `expected`: what the word must hold; NULL: anything. */
static long futex_requeue(u32 __user *from, u32 __user *to, bool shared, int wake, int move,
			  const u32 *expected)
{
	struct futex_key from_key, to_key;
	struct futex_bucket *a, *b;
	u32 word = 0;
	int result;

	if (wake < 0 || move < 0)
		return -EINVAL;
	result = make_key(&from_key, from, shared);
	if (!result)
		result = make_key(&to_key, to, shared);
	if (result)
		return result;
	a = bucket_of(&from_key);
	b = bucket_of(&to_key);
	for (;;) {
		lock_two(a, b);
		if (!expected || read_word(&word, from))
			break;
		unlock_two(a, b);
		if (get_user(word, from))
			return -EFAULT;
	}
	if (expected && word != *expected)
		result = -EAGAIN;
	else
		result = wake_and_move(a, &from_key, b, &to_key, wake, move);
	unlock_two(a, b);
	return result;
}

/* ---- FUTEX_WAKE_OP ------------------------------------------------------------------------- */

/*
 * Change a second word; wake the first's waiters, and the second's if its old value says so. How is
 * encoded: operation:4 (its highest bit: the argument is a shift), comparison:4, argument:12,
 * operand:12.
 */
#define OP_SHIFT_ARGUMENT 8

static s32 sign_extend_12(u32 value)
{
	return (s32)(value << 20) >> 20;
}

static int apply_op(u32 __user *address, u32 encoded, u32 *old)
{
	u32 op = encoded >> 28;
	u32 argument = sign_extend_12(encoded >> 12);
	u32 expected, desired;

	if (op & OP_SHIFT_ARGUMENT)
		argument = 1U << (argument & 31);
	if (get_user(*old, address))
		return -EFAULT;
	do {
		expected = *old;
		switch (op & 7) {
		case 0:
			desired = argument;
			break;
		case 1:
			desired = expected + argument;
			break;
		case 2:
			desired = expected | argument;
			break;
		case 3:
			desired = expected & ~argument;
			break;
		case 4:
			desired = expected ^ argument;
			break;
		default:
			return -ENOSYS;
		}
		if (user_cmpxchg_u32(address, old, desired))
			return -EFAULT;
	} while (*old != expected);
	return 0;
}

/* 1 or 0, or -ENOSYS. */
static int compare_op(u32 encoded, s32 old)
{
	s32 operand = sign_extend_12(encoded);

	switch (encoded >> 24 & 15) {
	case 0:
		return old == operand;
	case 1:
		return old != operand;
	case 2:
		return old < operand;
	case 3:
		return old <= operand;
	case 4:
		return old > operand;
	case 5:
		return old >= operand;
	default:
		return -ENOSYS;
	}
}

static long futex_wake_op(u32 __user *first, u32 __user *second, bool shared, int wake, int wake2,
			  u32 encoded)
{
	struct futex_key keys[2];
	u32 old;
	int result, more;

	result = make_key(&keys[0], first, shared);
	if (!result)
		result = make_key(&keys[1], second, shared);
	if (!result)
		result = apply_op(second, encoded, &old);
	if (result)
		return result;
	more = compare_op(encoded, old);
	if (more < 0)
		return more;
	result = futex_wake(first, shared, wake, FUTEX_ANY);
	if (result < 0 || !more)
		return result;
	more = futex_wake(second, shared, wake2, FUTEX_ANY);
	return more < 0 ? more : result + more;
}

/* ---- the system call ----------------------------------------------------------------------- */

/* FUTEX_WAIT's time is from now; FUTEX_WAIT_BITSET's is a date. */
static int get_deadline(u64 *deadline, const struct timespec __user *timeout, int operation,
			int command)
{
	int clock = operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	int error;

	*deadline = NO_TIMEOUT;
	if (!timeout)
		return 0;
	error = get_user_timespec(deadline, timeout);
	if (!error && command == FUTEX_WAIT)
		*deadline = min(clock_now(clock) + *deadline, TIME_MAX_NS);
	return error;
}

long sys_futex(u32 __user *address, int operation, u32 value, const struct timespec __user *timeout,
	       u32 __user *address2, u32 value3)
{
	int command = operation & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	bool shared = !(operation & FUTEX_PRIVATE_FLAG);
	int value2 = (int)(u64)timeout; /* for the calls that have no timeout */
	u64 deadline;
	int error;

	if (operation & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		error = get_deadline(&deadline, timeout, operation, command);
		return error
			       ?: futex_wait(address, operation, value,
					     command == FUTEX_WAIT ? FUTEX_ANY : value3, deadline);
	case FUTEX_WAKE:
		return futex_wake(address, shared, value, FUTEX_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, shared, value, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, shared, value, value2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, shared, value, value2, &value3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, shared, value, value2, value3);
	default:
		return -ENOSYS;
	}
}

void futex_exit(struct task *task)
{
	robust_list_exit(task);
	if (task->clear_child_tid && READ_ONCE(task->mm->users) > 1 &&
	    put_user(0, task->clear_child_tid) == 0)
		futex_wake(task->clear_child_tid, true, 1, FUTEX_ANY);
	task->clear_child_tid = NULL;
}

void futex_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_LIST_HEAD(&buckets[i].waiters);
	}
}
