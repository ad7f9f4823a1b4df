/*
 * The first process. A kernel thread becomes it: it gets a process object, an address space, descriptors and
 * ids, and then executes init as any program executes another.
 */
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/cpu/fpu.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/pid.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/process/exec.h>
#include <kernel/process/fork.h>
#include <kernel/process/init.h>
#include <kernel/user_mode.h>

struct process *init_process;

static void set_default_limits(struct process *process)
{
	static const struct rlimit defaults[RLIM_NLIMITS] = {
		[0 ... RLIM_NLIMITS - 1] = { RLIM_INFINITY, RLIM_INFINITY },
	};

	memcpy(process->rlimits, defaults, sizeof(defaults));
	process->rlimits[RLIMIT_STACK] = (struct rlimit){ 8 * MiB, RLIM_INFINITY };
	process->rlimits[RLIMIT_CORE] = (struct rlimit){ 0, RLIM_INFINITY };
	process->rlimits[RLIMIT_NOFILE] = (struct rlimit){ 1024, NOFILE_MAX };
	process->rlimits[RLIMIT_MEMLOCK] = (struct rlimit){ 8 * MiB, 8 * MiB };
	process->rlimits[RLIMIT_SIGPENDING] = (struct rlimit){ 16384, 16384 };
	process->rlimits[RLIMIT_NPROC] = (struct rlimit){ max_tasks / 2, max_tasks / 2 };
	process->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit){ 819200, 819200 };
	process->rlimits[RLIMIT_NICE] = (struct rlimit){ 0, 0 };
	process->rlimits[RLIMIT_RTPRIO] = (struct rlimit){ 0, 0 };
}

/* The current kernel thread takes number 1. */
static void take_first_number(struct process *process)
{
	spin_lock_bh(&tree_lock);
	pid_attach_task(current->pid, NULL);
	pid_put(current->pid);
	current->pid = INIT_PID;
	pid_attach_task(INIT_PID, current);
	pid_attach_process(INIT_PID, process);
	pid_get(INIT_PID); /* the process's; the task has the first one */
	/* As on Linux it belongs to group and session 0, which nobody leads, so that it may setsid(). */
	pid_get(0);
	pid_get(0);
	process->tgid = INIT_PID;
	process->leader = current;
	process->nr_threads = process->live_threads = 1;
	list_add_tail(&current->thread_link, &process->threads);
	list_add_tail(&process->all, &process_list);
	process_get(process);
	spin_unlock_bh(&tree_lock);
}

static void become_process(void)
{
	struct process *process = process_alloc();

	if (!process)
		panic("no memory for the first process");
	set_default_limits(process);
	task_signals_init(current);
	current->process = process;
	current->sighand = sighand_create();
	current->files = files_create();
	current->fpu = fpu_alloc();
	current->fs = init_fs;
	if (!current->sighand || !current->files || !current->fpu)
		panic("no memory for the first process");
	take_first_number(process);
	init_process = process;
}

/* Descriptors 0, 1, 2. */
static void open_console(void)
{
	struct file *console = file_open("/dev/console", O_RDWR, 0);

	if (IS_ERR(console)) {
		pr_warn("init: cannot open /dev/console (error %ld)\n", -PTR_ERR(console));
		return;
	}
	file_get(console);
	file_get(console);
	for (int i = 0; i < 3; i++)
		if (fd_add(console, false) != i)
			panic("no memory for init's descriptors");
}

/* As Linux: what the command line names and nothing else, or the usual places. */
static __noreturn void try_init(const struct init_command *command)
{
	static const char *const places[] = { "/init", "/sbin/init", "/etc/init", "/bin/init",
					      "/bin/sh" };
	int error;

	if (command->path) {
		error = exec_init(command->path, command);
		panic("cannot run init=%s (error %d)", command->path, -error);
	}
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		error = exec_init(places[i], command);
		if (error != -ENOENT)
			pr_err("init: cannot run %s (error %d)\n", places[i], -error);
	}
	panic("no init found: give one in the initramfs, or with init=");
}

void run_init(const struct init_command *command)
{
	become_process();
	open_console();
	try_init(command);
}
