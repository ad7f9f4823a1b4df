/* Files whose text is made when it is read. */
#pragma once

#include <fs/seq_buf.h>
#include <fs/vfs.h>

struct mm;

/* file->private_data of such a file. */
struct text_file {
	/* constant: the address space that it is about, if that was chosen at open; a reference */
	struct mm *mm;

	struct mutex lock;
	/* under lock */
	struct seq_buf text; /* what the last read was given, ... */
	bool made;	     /* ... if it was kept */
};

/* For inode_ops.open: 0 or -ENOMEM. Takes over the reference to `mm`, which may be NULL. */
int text_open(struct file *file, struct mm *mm);
void text_release(struct file *file);

/* For file_ops.read: `make` writes the whole text, 0 or -errno. */
ssize_t text_read(struct file *file, struct iov_iter *to, loff_t *pos,
		  int (*make)(struct file *file, struct seq_buf *out));
/* For file_ops.write: what was written, as a string that the caller frees with kfree(); ERR_PTR. */
char *text_from_iter(struct iov_iter *from);
/* Without the newline that `echo` puts at its end. */
void text_strip(char *text);

loff_t text_llseek(struct file *file, loff_t offset, int whence);
/* For inode_ops.truncate: `echo 1 > file` wants it. */
int text_truncate(struct inode *inode, loff_t size);
