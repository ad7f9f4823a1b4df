/*
 * Out of memory: a page is needed for a program and there is none. The process that has most of them is killed,
 * and said to be; whoever asked waits a moment and tries again. init is spared.
 *
 * One at a time looks for a victim. A fork bomb is a thousand processes without memory: if each of them looked
 * through all of them every time it woke, the victim would not get the CPU to die on.
 *
 * Locks: tree_lock. Context: a page fault; mmap_lock is not held, for the victim needs its own to die.
 */
#include <kernel/cpu/tsc.h>
#include <kernel/mm/vm.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/process/oom.h>
#include <kernel/sched.h>
#include <kernel/wait.h>

#define WAIT_NS		(2 * NSEC_PER_MSEC)
#define ADJUST_TO_NEVER (-1000) /* oom_score_adj */
/* Free pages that make looking for a victim pointless. Some of them may be other CPUs' own. */
#define ENOUGH_PAGES (128 * (u64)nr_cpus)

static DEFINE_WAIT_QUEUE(oom_wait);
static bool oom_busy; /* atomic: somebody looks */

static u64 pages_of(const struct process *process)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link)
		if (task->mm)
			return mm_rss(task->mm);
	return 0;
}

/* Pages, corrected by what oom_score_adj says: thousandths of all memory. */
s64 oom_score(const struct process *process, u64 total)
{
	s64 score = pages_of(process) + (s64)process->oom_score_adj * (s64)(total / 1000);

	if (process == init_process || process->oom_score_adj == ADJUST_TO_NEVER)
		return 0;
	return max(score, (s64)0);
}

/* tree_lock held. The worst, referenced; NULL: nobody may be killed. *dying: somebody is on his way already. */
static struct process *choose_victim(bool *dying)
{
	struct process *process, *victim = NULL;
	struct page_stats pages;
	s64 worst = 0;

	page_stats_read(&pages);
	*dying = false;
	list_for_each_entry(process, &process_list, all) {
		s64 score = oom_score(process, pages.total);

		if (process->group_exiting && pages_of(process))
			*dying = true;
		else if (score > worst) {
			worst = score;
			victim = process;
		}
	}
	if (*dying || !victim)
		return NULL;
	process_get(victim);
	return victim;
}

static void kill_victim(struct process *victim)
{
	struct task *leader = victim->leader;

	pr_err("out of memory: killed process %u (%s), which has %llu KiB\n", victim->tgid,
	       leader ? leader->name : "?", pages_of(victim) * (PAGE_SIZE / KiB));
	send_signal_process_locked(victim, SIGKILL, NULL);
}

static bool is_enough_free(void)
{
	struct page_stats pages;

	page_stats_read(&pages);
	return pages.free > ENOUGH_PAGES;
}

static bool kill_worst(void)
{
	struct process *victim;
	bool dying;

	spin_lock_bh(&tree_lock);
	victim = choose_victim(&dying);
	if (victim)
		kill_victim(victim);
	spin_unlock_bh(&tree_lock);
	if (!victim && !dying)
		return false;
	if (victim)
		process_put(victim);
	if (!fatal_signal_pending())
		sleep_ns(WAIT_NS);
	return true;
}

static bool kill_somebody(void)
{
	bool again = true;

	if (wait_event_full(&oom_wait, !__atomic_exchange_n(&oom_busy, true, __ATOMIC_ACQUIRE),
			    TASK_KILLABLE, WQ_FLAG_EXCLUSIVE, NO_TIMEOUT))
		return true; /* to die */
	if (!is_enough_free())
		again = kill_worst();
	__atomic_store_n(&oom_busy, false, __ATOMIC_RELEASE);
	wake_up(&oom_wait);
	return again;
}

void oom_init(void)
{
	vm_out_of_memory = kill_somebody;
}
