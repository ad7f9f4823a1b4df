/*
 * What an address space consists of, and the strings that a program was started with.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <fs/proc/pid.h>

#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>

#define NAME_COLUMN 73

/* ---- maps -------------------------------------------------------------------------------------------- */

/* A newline in a path would look like the end of the area's line. */
static void print_path(struct seq_buf *out, const char *path)
{
	for (; *path; path++) {
		if (*path == '\n')
			seq_printf(out, "\\012");
		else
			seq_putc(out, *path);
	}
}

static const char *area_path(struct vm_area *area, char *buf)
{
	const char *name = vm_area_name(area);
	ssize_t length;

	if (area->file) {
		length = file_name(area->file, buf, PATH_MAX - 1);
		buf[max(length, (ssize_t)0)] = '\0';
		return buf;
	}
	if (!name && area->flags & VM_SHARED)
		return "/dev/zero (deleted)";
	return name ?: "";
}

static void print_area(struct seq_buf *out, struct vm_area *area, char *buf)
{
	const struct dentry *dentry = area->file ? area->file->dentry : NULL;
	u64 dev = dentry ? dentry->super->dev : 0;
	const char *path = area_path(area, buf);
	size_t start = out->length;

	seq_printf(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", area->start, area->end,
		   area->flags & VM_READ ? 'r' : '-', area->flags & VM_WRITE ? 'w' : '-',
		   area->flags & VM_EXEC ? 'x' : '-', area->flags & VM_SHARED ? 's' : 'p',
		   area->pgoff << PAGE_SHIFT, dev_major(dev), dev_minor(dev),
		   dentry ? dentry->inode->ino : 0);
	while (*path && !out->failed && out->length - start < NAME_COLUMN)
		seq_putc(out, ' ');
	print_path(out, path);
	seq_putc(out, '\n');
}

int show_maps(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->mm;
	struct vm_area *area;
	char *buf;

	if (!mm)
		return 0;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&mm->mmap_lock);
	for (area = vm_find(mm, 0); area && !out->failed; area = vm_next(area)) {
		print_area(out, area, buf);
		cond_resched();
	}
	mutex_unlock(&mm->mmap_lock);
	kfree(buf);
	return 0;
}

/* ---- strings ----------------------------------------------------------------------------------------- */

/* A program's bytes from `start` to `end`, or, `string`, up to the first zero among them. */
static int print_memory(struct seq_buf *out, struct mm *mm, u64 start, u64 end, bool string)
{
	char *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	ssize_t length = 1;
	char *zero = NULL;

	if (!page)
		return -ENOMEM;
	for (; start < end && length > 0 && !zero && !out->failed; start += length) {
		length = vm_access(mm, start, page, min(end - start, (u64)PAGE_SIZE), false);
		if (length <= 0)
			break;
		zero = string ? memchr(page, '\0', length) : NULL;
		seq_write(out, page, zero ? zero + 1 - page : length);
		cond_resched();
	}
	kfree(page);
	return 0;
}

/* A program may write over its arguments, to be seen by another name: if that is longer than they were, it goes
 * on into the environment, and their last byte is no longer zero. */
static int print_arguments(struct seq_buf *out, struct mm *mm)
{
	u64 start = mm->arg_start, end = mm->arg_end;
	char last = 1;

	if (start >= end)
		return 0;
	if (vm_access(mm, end - 1, &last, 1, false) == 1 && last)
		return print_memory(out, mm, start, max(end, mm->env_end), true);
	return print_memory(out, mm, start, end, false);
}

int show_cmdline(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->task ? task_mm_get(subject->task) : NULL;
	int error;

	if (!mm)
		return 0;
	error = print_arguments(out, mm);
	mm_put(mm);
	return error;
}

int show_environ(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->mm;

	return mm ? print_memory(out, mm, mm->env_start, mm->env_end, false) : 0;
}
