/*
 * Robust futexes. A thread keeps a list, in its own memory, of the locks it holds. When it ends,
 * the kernel marks each of them and wakes a waiter, who then knows that the owner died.
 *
 * Context: process, at the end of a thread, which must not be able to make it fail or last: the
 * list is followed for so many entries at most, and ends at the first that cannot be read. No
 * locks.
 */
#include <kernel/lib/errno.h>
#include <kernel/process.h>
#include <kernel/process/futex.h>
#include <kernel/sched.h>

#define ENTRIES_MAX 2048

struct robust_list {
	struct robust_list __user *next; /* bit 0: of a priority-inheriting lock */
};
struct robust_list_head {
	struct robust_list list;	    /* circular: the last entry points here */
	s64 word_offset;		    /* from an entry to its futex word */
	struct robust_list __user *pending; /* about to be locked or unlocked */
};

/* The futex word of a robust lock. */
#define WORD_WAITERS	0x80000000U
#define WORD_OWNER_DIED 0x40000000U
#define WORD_TID	0x3fffffffU

static struct robust_list __user *entry_of(const struct robust_list __user *pointer)
{
	return (struct robust_list __user *)((u64)pointer & ~1ULL);
}

static u32 __user *word_of(const struct robust_list __user *entry, s64 offset)
{
	return (u32 __user *)((u64)entry + offset);
}

/* `pending`: the unlock may have been done, and only its wake-up be missing. */
static void owner_died(u32 __user *word, u32 tid, bool pending)
{
	u32 value, expected;

	if ((u64)word % sizeof(*word) || get_user(value, word))
		return;
	if (pending && value == 0) {
		futex_wake(word, true, 1, ~0U);
		return;
	}
	do {
		if ((value & WORD_TID) != tid)
			return;
		expected = value;
		if (user_cmpxchg_u32(word, &value, (expected & WORD_WAITERS) | WORD_OWNER_DIED))
			return;
	} while (value != expected);
	if (value & WORD_WAITERS)
		futex_wake(word, true, 1, ~0U);
}

void robust_list_exit(struct task *task)
{
	struct robust_list_head __user *user_head = task->robust_list;
	struct robust_list __user *entry, *next;
	struct robust_list_head head;

	task->robust_list = NULL;
	if (!user_head || copy_from_user(&head, user_head, sizeof(head)))
		return;
	head.pending = entry_of(head.pending);
	entry = entry_of(head.list.next);
	for (u32 i = 0; i < ENTRIES_MAX && entry != &user_head->list; i++) {
		/* It may be unlocked, and its memory be gone, as soon as it is marked. */
		bool last = get_user(next, &entry->next);

		if (entry != head.pending)
			owner_died(word_of(entry, head.word_offset), task->pid, false);
		if (last)
			break;
		entry = entry_of(next);
		cond_resched();
	}
	if (head.pending)
		owner_died(word_of(head.pending, head.word_offset), task->pid, true);
}

long sys_set_robust_list(struct robust_list_head __user *head, size_t size)
{
	if (size != sizeof(*head))
		return -EINVAL;
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int pid, struct robust_list_head __user *__user *head, size_t __user *size)
{
	struct task *task = pid ? task_find(pid) : current;
	void __user *list;

	if (!task)
		return -ESRCH;
	list = task->robust_list;
	if (pid) {
		bool allowed = task->process && may_signal(task->process, 0);

		put_task(task);
		if (!allowed)
			return -EPERM;
	}
	if (put_user(sizeof(struct robust_list_head), size))
		return -EFAULT;
	return put_user((struct robust_list_head __user *)list, head);
}
