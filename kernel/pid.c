/*
 * Process numbers. One table from number to task, and a count of who uses the number: the task, and every
 * process whose group or session is called so; it is given out again only when nobody does.
 *
 * Locks: tree_lock.
 */
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/pid.h>

#define FIRST_REUSED 300 /* where numbering goes on after PID_MAX, as on Linux */

static struct pid_entry {
	struct task *task;	 /* the thread of that number, while it lives */
	struct process *process; /* the process of that number, until it is reaped */
	u32 users;
} * table;
static u32 last_pid = INIT_PID;
static u64 given; /* numbers, since boot */

DEFINE_SPINLOCK(tree_lock);
LIST_HEAD(process_list);

void pids_init(void)
{
	table = vzalloc(PID_MAX * sizeof(*table));
	if (!table)
		panic("no memory for the process table");
	table[0].users = 1; /* nobody's: it means "myself" in many calls */
	table[INIT_PID].users = 1;
}

static u32 find_free(u32 from, u32 to)
{
	for (u32 pid = from; pid < to; pid++)
		if (!table[pid].users)
			return pid;
	return 0;
}

u32 pid_alloc(void)
{
	u32 pid;

	spin_lock_bh(&tree_lock);
	pid = find_free(last_pid + 1, PID_MAX);
	if (!pid)
		pid = find_free(FIRST_REUSED, last_pid + 1);
	if (pid) {
		table[pid].users = 1;
		last_pid = pid;
		WRITE_ONCE(given, given + 1);
	}
	spin_unlock_bh(&tree_lock);
	return pid;
}

u64 pids_given(void)
{
	return READ_ONCE(given);
}

void pid_get(u32 pid)
{
	table[pid].users++;
}

void pid_put(u32 pid)
{
	debug_assert(table[pid].users);
	table[pid].users--;
}

void pid_attach_task(u32 pid, struct task *task)
{
	table[pid].task = task;
}

void pid_attach_process(u32 pid, struct process *process)
{
	table[pid].process = process;
}

struct process *pid_process(u32 pid)
{
	return pid < PID_MAX ? table[pid].process : NULL;
}

struct task *pid_task(u32 pid)
{
	return pid < PID_MAX ? table[pid].task : NULL;
}

/* A task stays in the table until its last user has let go: then it is too late. */
struct task *task_find(u32 tid)
{
	struct task *task;

	spin_lock_bh(&tree_lock);
	task = get_task_alive(pid_task(tid));
	spin_unlock_bh(&tree_lock);
	return task;
}

struct process *process_find(u32 tgid)
{
	struct process *process;

	spin_lock_bh(&tree_lock);
	process = pid_process(tgid);
	if (process)
		process_get(process);
	spin_unlock_bh(&tree_lock);
	return process;
}

bool pid_exists(u32 pid)
{
	bool exists;

	spin_lock_bh(&tree_lock);
	exists = pid_task(pid) || pid_process(pid);
	spin_unlock_bh(&tree_lock);
	return exists;
}
