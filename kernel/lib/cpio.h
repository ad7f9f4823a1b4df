/*
 * Reads cpio archives in the "newc" format, the initramfs, in place: nothing is copied or
 * allocated. The archive is not trusted: whatever its bytes, the reader stays inside them.
 *
 *	struct cpio_reader reader;
 *	struct cpio_entry entry;
 *
 *	cpio_init(&reader, start, size);
 *	while ((err = cpio_next(&reader, &entry)) > 0)
 *		...
 *	if (err < 0)
 *		printk("initramfs: %s at byte %zu\n", reader.error, reader.offset);
 *
 * As for Linux, several archives may stand one after the other, with zeros between them.
 */
#pragma once

#include <kernel/lib/types.h>

#define CPIO_NAME_MAX 4096 /* with the final zero: PATH_MAX */

struct cpio_reader {
	const u8 *start;
	size_t size;
	size_t offset;	      /* of the entry to read next; after an error, of the bad one */
	unsigned int archive; /* 1, 2, ...: an inode number is unique within one archive only */
	bool inside;	      /* an archive has begun, and not reached its trailer */
	const char *error;    /* what is wrong; NULL if nothing is */
};

struct cpio_entry {
	u32 ino;
	u32 mode; /* type and permissions, as in struct stat */
	u32 uid, gid;
	u32 nlink; /* of several links, only the last entry carries the data */
	u32 mtime;
	u32 devmajor, devminor;	  /* where the file lay */
	u32 rdevmajor, rdevminor; /* which device it is, if it is one */
	const char *name;	  /* ends with a zero; never empty */
	const void *data;	  /* contents, or a symlink's target; no zero at its end */
	u32 filesize;		  /* of data */
};

void cpio_init(struct cpio_reader *reader, const void *start, size_t size);

/* 1: *entry is the next one; 0: that was all; -EINVAL: reader->error says what is wrong. */
int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry);
