/* The file system in memory: what its files (fs/tmpfs_file.c) and its tree (fs/tmpfs.c) share. */
#pragma once

#include <fs/inode.h>

#define TMPFS_MAGIC 0x01021994

extern const struct file_ops tmpfs_file_ops;
extern struct fs_type tmpfs_type;

/* An instance of a type that is tmpfs underneath: reads size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=. The root
 * inode; ERR_PTR. */
struct inode *tmpfs_mount(struct super *super, char *options);
int tmpfs_remount(struct super *super, char *options);
void tmpfs_show_options(struct super *super, struct seq_buf *out);

/* Set the size, and free what is behind it; inode->writing held. */
int tmpfs_truncate(struct inode *inode, loff_t size);
/* Free all pages of a file that nobody uses any more. */
void tmpfs_free_pages(struct inode *inode);
/* Put a filled page where there is none; takes over the reference, also when it fails. inode->lock held, or
 * nobody else knows the inode. */
int tmpfs_add_page(struct inode *inode, u64 index, struct page *page);
/* The page at `index`, made if there is none; with a reference. NULL: beyond the file's end, unless that is
 * asked for. ERR_PTR(-ENOSPC, -ENOMEM). */
struct page *tmpfs_get_page(struct inode *inode, u64 index, bool beyond_end);
/* The pages of [from, to) are holes from now on. */
void tmpfs_remove_pages(struct inode *inode, u64 from, u64 to);

/* One more of something that has a limit (0: none). 0 or -ENOSPC. */
int tmpfs_charge(u64 *used, u64 limit);
void tmpfs_uncharge(u64 *used);

#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
int tmpfs_fallocate(struct inode *inode, int mode, loff_t offset, loff_t length);
