/*
 * /proc/PID: whom its files are about, and how they get hold of it.
 *
 * An inode or an open file holds no task: one that has ended would keep its stack and its number. It holds a
 * pid_ref, from which each read finds the task anew, or finds it gone.
 */
#pragma once

#include <fs/seq_buf.h>
#include <fs/vfs.h>
#include <kernel/process.h>

struct mm;

struct pid_ref {
	struct process *process; /* a reference; NULL: a kernel thread */
	u32 tid;		 /* that thread; 0: the process as a whole */
};

/* What that leads to right now; each but `fd` is a reference or NULL. */
struct subject {
	struct process *process; /* NULL: a kernel thread */
	struct task *task; /* the thread, or one that stands for the process; NULL: a zombie */
	struct mm *mm;	   /* chosen when the file was opened: of entries with PID_HOLDS_MM */
	bool whole;	   /* about the process, not about one thread of it */
	int fd;		   /* fdinfo/N: that one */
};

/* ---- pid_find.c -------------------------------------------------------------------------------------- */

/* False: it is gone (ESRCH). subject_put() afterwards. */
bool subject_get(struct subject *subject, const struct pid_ref *ref);
void subject_put(struct subject *subject);
/* Its name, and the number by which the directory is called. */
void subject_name(const struct subject *subject, char name[TASK_NAME]);
u32 subject_pid(const struct subject *subject);

/* Of a number: who has it. A reference in ref->process. False: nobody. */
bool pid_ref_find(struct pid_ref *ref, u32 number);
/* The thread `tid` of a process. */
bool pid_ref_thread(struct pid_ref *ref, const struct pid_ref *of, u32 tid);

/* The lowest number from there on of a process or kernel thread; of a thread of that process; of any task; 0:
 * there is none. */
u32 next_pid(u32 from);
u32 next_thread(struct process *process, u32 from);
u32 next_task(u32 from);
/* A task by number, referenced; NULL: none. */

/* What a task has, referenced; NULL: nothing, or nothing any more. */
struct mm *task_mm_get(struct task *task);
struct files *task_files_get(struct task *task);
struct fs_context *task_fs_get(struct task *task);

/* May the current task look into that one's memory, files, and the like? */
bool may_inspect(const struct subject *subject);

/* ---- entries: pid_dir.c ------------------------------------------------------------------------------ */

#define PID_WHOLE   1U /* not in /proc/PID/task/TID */
#define PID_GUARDED 2U /* only for those who may_inspect(): else EACCES on opening */
#define PID_HOLDS_MM \
	4U /* the address space is that of the moment of opening, whatever the task does later */

struct pid_entry {
	const char *name;
	u32 mode;  /* with file type */
	u32 flags; /* PID_* */
	/* 0 or -errno */
	int (*show)(struct seq_buf *out, const struct subject *subject);
	int (*write)(const struct subject *subject, char *text);
	/* Directories and links have their own ways. */
	const struct inode_ops *inode_ops;
	const struct file_ops *file_ops;
};

/* inode->private_data of everything below /proc/PID */
struct pid_inode {
	struct pid_ref ref;
	const struct pid_entry *entry;
	int fd; /* of fd/N, fdinfo/N; else -1 */
};
static inline struct pid_inode *pid_inode(const struct inode *inode)
{
	return inode->private_data;
}

/* An inode for `entry`, and for descriptor `fd` if that is not -1. A reference to ref->process of its own. */
struct inode *pid_make_inode(struct super *super, const struct pid_ref *ref,
			     const struct pid_entry *entry, u32 index, int fd);
u64 pid_ino(const struct pid_ref *ref, u32 pid, u32 index, int fd);
void pid_evict(struct inode *inode);

/* A decimal number without a sign or leading zeroes. False: it is none. */
bool parse_number(const char *name, size_t length, u32 *number);
/* Emit an entry that is called by a number. False: no room. */
bool emit_number(struct dir_context *context, u32 number, u64 ino, u32 mode);

/* For the root's directory: fs/proc/tree.c. */
int proc_emit_processes(struct dir_context *context);
struct inode *proc_lookup_process(struct inode *dir, const char *name, size_t length);

/* Of text files in fd directories too. */
extern const struct inode_ops pid_text_inode_ops;
extern const struct file_ops pid_text_file_ops;

/* ---- pid_fd.c ---------------------------------------------------------------------------------------- */

extern const struct inode_ops fd_dir_inode_ops, fdinfo_dir_inode_ops;
extern const struct file_ops fd_dir_ops, fdinfo_dir_ops;

/* ---- pid_links.c ------------------------------------------------------------------------------------- */

extern const struct inode_ops exe_link_ops, cwd_link_ops, root_link_ops;
/* What /proc shows a file as: its path, or "pipe:[7]" and the like. The length, or -errno. */
ssize_t file_name(struct file *file, char *buf, size_t size);

/* ---- what the files show ----------------------------------------------------------------------------- */

int show_stat(struct seq_buf *out, const struct subject *subject); /* pid_stat.c */
int show_statm(struct seq_buf *out, const struct subject *subject);
int show_status(struct seq_buf *out, const struct subject *subject); /* pid_status.c */
int show_maps(struct seq_buf *out, const struct subject *subject);   /* pid_memory.c */
int show_cmdline(struct seq_buf *out, const struct subject *subject);
int show_environ(struct seq_buf *out, const struct subject *subject);
int show_comm(struct seq_buf *out, const struct subject *subject); /* pid_misc.c */
int write_comm(const struct subject *subject, char *text);
int show_limits(struct seq_buf *out, const struct subject *subject);
int show_mounts(struct seq_buf *out, const struct subject *subject);
int show_mountinfo(struct seq_buf *out, const struct subject *subject);
int show_oom_score(struct seq_buf *out, const struct subject *subject);
int show_oom_score_adj(struct seq_buf *out, const struct subject *subject);
int write_oom_score_adj(const struct subject *subject, char *text);
int show_personality(struct seq_buf *out, const struct subject *subject);
int show_sched(struct seq_buf *out, const struct subject *subject);
int show_wchan(struct seq_buf *out, const struct subject *subject); /* pid_wait.c */
int show_stack(struct seq_buf *out, const struct subject *subject);
int show_syscall(struct seq_buf *out, const struct subject *subject);
/* Does it sleep? Then it may also be asked where. */
bool task_sleeps(const struct task *task);

/* The letter that stands for what a task does, and the word. */
const char *task_state_text(const struct task *task);
