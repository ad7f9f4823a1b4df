/*
 * /proc/PID and /proc/PID/task/TID: one table of entries for both, and the inodes and text files that the table
 * describes.
 *
 * Context: process. No locks of its own.
 */
#include <fs/proc/pid.h>

#include <fs/dir.h>
#include <fs/proc/text.h>
#include <fs/proc/tree.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>
#include <kernel/pid.h>

#define FIRST_ENTRY 2 /* position, after "." and ".." */

static const struct inode_ops pid_dir_inode_ops, task_dir_inode_ops;
static const struct file_ops pid_dir_ops, task_dir_ops;

#define READABLE (S_IFREG | 0444)
#define WRITABLE (S_IFREG | 0644)
#define PRIVATE	 (S_IFREG | 0400)
#define LINK	 (S_IFLNK | 0777)

static const struct pid_entry entries[] = {
	{ "task", S_IFDIR | 0555, PID_WHOLE, .inode_ops = &task_dir_inode_ops,
	  .file_ops = &task_dir_ops },
	{ "fd", S_IFDIR | 0500, .inode_ops = &fd_dir_inode_ops, .file_ops = &fd_dir_ops },
	{ "fdinfo", S_IFDIR | 0555, .inode_ops = &fdinfo_dir_inode_ops,
	  .file_ops = &fdinfo_dir_ops },
	{ "cwd", LINK, .inode_ops = &cwd_link_ops },
	{ "root", LINK, .inode_ops = &root_link_ops },
	{ "exe", LINK, .inode_ops = &exe_link_ops },
	{ "cmdline", READABLE, .show = show_cmdline },
	{ "comm", WRITABLE, .show = show_comm, .write = write_comm },
	{ "environ", PRIVATE, PID_GUARDED | PID_HOLDS_MM, .show = show_environ },
	{ "limits", READABLE, .show = show_limits },
	{ "maps", READABLE, PID_GUARDED | PID_HOLDS_MM, .show = show_maps },
	{ "mountinfo", READABLE, .show = show_mountinfo },
	{ "mounts", READABLE, .show = show_mounts },
	{ "oom_score", READABLE, .show = show_oom_score },
	{ "oom_score_adj", WRITABLE, .show = show_oom_score_adj, .write = write_oom_score_adj },
	{ "personality", PRIVATE, PID_GUARDED, .show = show_personality },
	{ "sched", READABLE, .show = show_sched },
	{ "stack", PRIVATE, PID_GUARDED, .show = show_stack },
	{ "stat", READABLE, .show = show_stat },
	{ "statm", READABLE, .show = show_statm },
	{ "status", READABLE, .show = show_status },
	{ "syscall", PRIVATE, PID_GUARDED, .show = show_syscall },
	{ "wchan", READABLE, .show = show_wchan },
};

/* The directories themselves: /proc/PID, and /proc/PID/task/TID. */
enum { PID_DIR, THREAD_DIR };
static const struct pid_entry dirs[] = {
	[PID_DIR] = { .mode = S_IFDIR | 0555,
		      .inode_ops = &pid_dir_inode_ops,
		      .file_ops = &pid_dir_ops },
	[THREAD_DIR] = { .mode = S_IFDIR | 0555,
			 .inode_ops = &pid_dir_inode_ops,
			 .file_ops = &pid_dir_ops },
};
#define DIR_INDEX(which) (ARRAY_SIZE(entries) + (which))

/* ---- inodes ------------------------------------------------------------------------------------------ */

static_assert(DIR_INDEX(ARRAY_SIZE(dirs)) < 128 && NOFILE_MAX <= 1 << 24, "pid_ino()");

/* `index`: of the entry, or DIR_INDEX(). */
u64 pid_ino(const struct pid_ref *ref, u32 pid, u32 index, int fd)
{
	return (u64)pid << 32 | (u64)(ref->process && ref->tid) << 31 | index << 24 |
	       ((u32)(fd + 1) & 0xffffff);
}

/* Files belong to the task's effective user; but not what must not be looked into, except by itself. */
static void set_owner(struct inode *inode, const struct subject *subject)
{
	const struct process *process = subject->process;
	bool root = !process || (!process->dumpable && process != current->process &&
				 inode->mode != (S_IFDIR | 0555));

	if (root)
		return;
	if (!subject->task) {
		inode->uid = process->uid;
		return;
	}
	inode->uid = subject->task->cred.euid;
	inode->gid = subject->task->cred.egid;
}

/* Takes over `private`. */
static struct inode *make_inode(struct super *super, struct pid_inode *private, u32 index,
				const struct subject *subject)
{
	const struct pid_entry *entry = private->entry;
	const struct inode_ops *ops = entry->inode_ops ?: &pid_text_inode_ops;
	struct inode *inode;

	inode = proc_inode(super, pid_ino(&private->ref, subject_pid(subject), index, private->fd),
			   entry->mode, ops, entry->file_ops ?: &pid_text_file_ops, private);
	if (IS_ERR(inode))
		kfree(private);
	else if (private->ref.process)
		process_get(private->ref.process);
	if (!IS_ERR(inode))
		set_owner(inode, subject);
	return inode;
}

struct inode *pid_make_inode(struct super *super, const struct pid_ref *ref,
			     const struct pid_entry *entry, u32 index, int fd)
{
	struct pid_inode *private = kmalloc(sizeof(*private), GFP_KERNEL);
	struct subject subject;
	struct inode *inode;

	if (!private)
		return ERR_PTR(-ENOMEM);
	if (!subject_get(&subject, ref)) {
		kfree(private);
		return ERR_PTR(-ENOENT);
	}
	*private = (struct pid_inode){ *ref, entry, fd };
	inode = make_inode(super, private, index, &subject);
	subject_put(&subject);
	return inode;
}

void pid_evict(struct inode *inode)
{
	struct pid_inode *private = inode->private_data;

	if (private->ref.process)
		process_put(private->ref.process);
	kfree(private);
}

/* ---- text files -------------------------------------------------------------------------------------- */

/* Is the current task allowed to open it, and what mm will it be about? */
static int prepare_open(const struct pid_inode *private, struct mm **mm)
{
	u32 flags = private->entry->flags;
	struct subject subject;
	int error = 0;

	*mm = NULL;
	if (!subject_get(&subject, &private->ref))
		return -ESRCH;
	if (flags & PID_GUARDED && !may_inspect(&subject))
		error = -EACCES;
	else if (flags & PID_HOLDS_MM && subject.task)
		*mm = task_mm_get(subject.task);
	subject_put(&subject);
	return error;
}

static int pid_open(struct inode *inode, struct file *file)
{
	struct mm *mm;
	int error = prepare_open(pid_inode(inode), &mm);

	return error ?: text_open(file, mm);
}

/* Whoever reads must be allowed to look, too: the file may have come from somebody who was. */
static int pid_make(struct file *file, struct seq_buf *out)
{
	const struct pid_inode *private = pid_inode(file->dentry->inode);
	const struct pid_entry *entry = private->entry;
	struct text_file *text = file->private_data;
	struct subject subject;
	int error;

	if (!subject_get(&subject, &private->ref) && !(entry->flags & PID_HOLDS_MM))
		return -ESRCH;
	subject.fd = private->fd;
	if (text->mm) {
		mm_get(text->mm);
		subject.mm = text->mm;
	}
	if ((entry->flags & (PID_GUARDED | PID_HOLDS_MM)) == PID_GUARDED && !may_inspect(&subject))
		error = -EPERM;
	else
		error = entry->show(out, &subject);
	subject_put(&subject);
	return error;
}

static ssize_t pid_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	return text_read(file, to, pos, pid_make);
}

static ssize_t pid_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	const struct pid_inode *private = pid_inode(file->dentry->inode);
	size_t size = from->count;
	struct subject subject;
	char *text;
	int error;

	if (!private->entry->write)
		return -EINVAL;
	text = text_from_iter(from);
	if (IS_ERR(text))
		return PTR_ERR(text);
	error = -ESRCH;
	if (subject_get(&subject, &private->ref)) {
		error = private->entry->write(&subject, text);
		subject_put(&subject);
	}
	kfree(text);
	return error ?: (ssize_t)size;
}

const struct inode_ops pid_text_inode_ops = {
	.open = pid_open,
	.truncate = text_truncate,
	.evict = pid_evict,
};
const struct file_ops pid_text_file_ops = {
	.read = pid_read,
	.write = pid_write,
	.llseek = text_llseek,
	.release = text_release,
};

/* ---- numbers as names -------------------------------------------------------------------------------- */

bool parse_number(const char *name, size_t length, u32 *number)
{
	u64 value = 0;

	if (!length || length > 9 || (name[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit_ascii(name[i]))
			return false;
		value = value * 10 + (u64)(name[i] - '0');
	}
	*number = value;
	return true;
}

bool emit_number(struct dir_context *context, u32 number, u64 ino, u32 mode)
{
	char name[12];

	return context->emit(context, name, scnprintf(name, sizeof(name), "%u", number), ino,
			     (mode & S_IFMT) >> 12);
}

/* ---- /proc/PID and /proc/PID/task/TID ---------------------------------------------------------------- */

static bool belongs(const struct pid_entry *entry, const struct pid_inode *dir)
{
	return !(entry->flags & PID_WHOLE) || dir->entry == &dirs[PID_DIR];
}

static struct inode *pid_dir_lookup(struct inode *inode, const char *name, size_t length)
{
	const struct pid_inode *dir = pid_inode(inode);

	for (u32 i = 0; i < ARRAY_SIZE(entries); i++)
		if (strlen(entries[i].name) == length && !memcmp(entries[i].name, name, length) &&
		    belongs(&entries[i], dir))
			return pid_make_inode(inode->super, &dir->ref, &entries[i], i, -1);
	return ERR_PTR(-ENOENT);
}

static void emit_entries(const struct pid_inode *dir, u32 pid, struct dir_context *context)
{
	for (u64 i = context->pos - FIRST_ENTRY; i < ARRAY_SIZE(entries); i++) {
		const struct pid_entry *entry = &entries[i];

		context->pos = FIRST_ENTRY + i;
		if (belongs(entry, dir) &&
		    !context->emit(context, entry->name, strlen(entry->name),
				   pid_ino(&dir->ref, pid, i, -1), (entry->mode & S_IFMT) >> 12))
			return;
		context->pos++;
	}
}

static int pid_dir_iterate(struct file *file, struct dir_context *context)
{
	const struct pid_inode *dir = pid_inode(file->dentry->inode);
	struct subject subject;

	if (!subject_get(&subject, &dir->ref))
		return -ENOENT;
	if (dir_emit_dots(file, context))
		emit_entries(dir, subject_pid(&subject), context);
	subject_put(&subject);
	return 0;
}

/* Nobody gets anywhere from the directory of one that is gone. */
static int pid_dir_permission(struct inode *inode, u32 mask)
{
	struct subject subject;

	if (!subject_get(&subject, &pid_inode(inode)->ref))
		return -ESRCH;
	subject_put(&subject);
	return 0;
}

static const struct inode_ops pid_dir_inode_ops = { .permission = pid_dir_permission,
						    .lookup = pid_dir_lookup,
						    .evict = pid_evict };
static const struct file_ops pid_dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = pid_dir_iterate,
};

/* ---- /proc/PID/task ---------------------------------------------------------------------------------- */

static struct inode *task_dir_lookup(struct inode *dir, const char *name, size_t length)
{
	struct pid_ref ref;
	struct inode *inode;
	u32 tid;

	if (!parse_number(name, length, &tid) || !pid_ref_thread(&ref, &pid_inode(dir)->ref, tid))
		return ERR_PTR(-ENOENT);
	inode = pid_make_inode(dir->super, &ref, &dirs[THREAD_DIR], DIR_INDEX(THREAD_DIR), -1);
	if (ref.process)
		process_put(ref.process);
	return inode;
}

/* A position is the number of the thread to come, behind the dots. */
static void emit_threads(const struct pid_ref *ref, struct dir_context *context)
{
	u32 tid = context->pos - FIRST_ENTRY;

	while ((tid = ref->process     ? next_thread(ref->process, tid)
		      : tid > ref->tid ? 0
				       : ref->tid)) {
		struct pid_ref thread = { ref->process, tid };

		context->pos = FIRST_ENTRY + tid;
		if (!emit_number(context, tid, pid_ino(&thread, tid, DIR_INDEX(THREAD_DIR), -1),
				 S_IFDIR))
			return;
		context->pos++;
		tid++;
	}
	context->pos = FIRST_ENTRY + PID_MAX;
}

static int task_dir_iterate(struct file *file, struct dir_context *context)
{
	if (dir_emit_dots(file, context))
		emit_threads(&pid_inode(file->dentry->inode)->ref, context);
	return 0;
}

static const struct inode_ops task_dir_inode_ops = { .lookup = task_dir_lookup,
						     .evict = pid_evict };
static const struct file_ops task_dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = task_dir_iterate,
};

/* ---- processes in /proc ------------------------------------------------------------------------------ */

struct inode *proc_lookup_process(struct inode *dir, const char *name, size_t length)
{
	struct pid_ref ref;
	struct inode *inode;
	u32 number;

	if (!parse_number(name, length, &number) || !pid_ref_find(&ref, number))
		return ERR_PTR(-ENOENT);
	inode = pid_make_inode(dir->super, &ref, &dirs[PID_DIR], DIR_INDEX(PID_DIR), -1);
	if (ref.process)
		process_put(ref.process);
	return inode;
}

int proc_emit_processes(struct dir_context *context)
{
	u32 pid = context->pos - FIRST_PROCESS_POS;

	while ((pid = next_pid(pid))) {
		struct pid_ref process = { 0 };

		context->pos = FIRST_PROCESS_POS + pid;
		if (!emit_number(context, pid, pid_ino(&process, pid, DIR_INDEX(PID_DIR), -1),
				 S_IFDIR))
			return 0;
		context->pos++;
		pid++;
	}
	context->pos = FIRST_PROCESS_POS + PID_MAX;
	return 0;
}
