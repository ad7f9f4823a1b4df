/*
 * /proc: the kernel's tables as text, in Linux's formats.
 *
 * Any room that has something to show registers a table of files for a directory. A file is a function
 * that writes its text into a seq_buf, when somebody reads.
 */
#pragma once

#include <fs/seq_buf.h>
#include <fs/vfs.h>

struct tty;

struct proc_entry {
	const char *name;
	u32 mode; /* permissions; with S_IFLNK it is a symlink, and show() gives its target */
	/* Process context, no lock held that a reader could wait for. */
	void (*show)(struct seq_buf *out, const struct proc_entry *entry);
	/* What a program wrote, as text without the newline at its end. 0 or -errno. May be NULL. */
	int (*write)(char *text, const struct proc_entry *entry);
	void *data; /* show's and write's */
	/* A file that is no such text: what happens at open, read, ...; show and write are not called. */
	const struct inode_ops *inode_ops;
	const struct file_ops *file_ops;
};

/* Add files to a directory, "net" or "sys/net/ipv4" say, "" being /proc itself; directories are made on the
 * way. At start-up. The table stays the caller's, for ever. */
void proc_register(const char *directory, const struct proc_entry *entries, size_t count);
#define PROC_REGISTER(directory, entries) proc_register(directory, entries, ARRAY_SIZE(entries))

/* A text that never changes: .show = proc_show_text, .data = "1". The newline is added. */
void proc_show_text(struct seq_buf *out, const struct proc_entry *entry);
/* A number: .data is where it is, as u32 or u64. */
void proc_show_u32(struct seq_buf *out, const struct proc_entry *entry);
void proc_show_u64(struct seq_buf *out, const struct proc_entry *entry);
int proc_write_u32(char *text, const struct proc_entry *entry);
int proc_write_u64(char *text, const struct proc_entry *entry);
/* A number within limits: .data is a struct proc_limits. Outside of them: -EINVAL. */
struct proc_limits {
	u32 *value;
	u32 least, most;
};
void proc_show_limited(struct seq_buf *out, const struct proc_entry *entry);
int proc_write_limited(char *text, const struct proc_entry *entry);
/* The whole entry of such a file. */
#define PROC_LIMITED(name, variable, low, high)                                     \
	{                                                                           \
		name, 0644, .show = proc_show_limited, .write = proc_write_limited, \
			    .data = &(struct proc_limits)                           \
		{                                                                   \
			&(variable), low, high                                      \
		}                                                                   \
	}

/* That of a file with file_ops of its own. */
const struct proc_entry *proc_entry_of(const struct inode *inode);

/* What /proc/PID/stat says of a terminal: its device number and its foreground group. Set by the tty; called
 * under tree_lock. */
extern void (*proc_tty_hook)(const struct tty *tty, u64 *device, u32 *pgrp);

/* After vfs_init(). */
void proc_init(void);
