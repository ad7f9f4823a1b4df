/*
 * Files whose text is made when it is read. A read at position 0 makes it anew; the reads that follow go on in
 * the same text, so that a table that changes meanwhile is still seen as it was at one moment. Only a short
 * text is kept, lest open files become a way to fill the kernel's memory: a long one is made again for
 * each read.
 *
 * Context: process. Lock: text_file.lock, held while the text is made and copied: whatever `make` takes, and
 * mm->mmap_lock, come inside it.
 */
#include <fs/proc/text.h>

#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>

#define KEPT_SIZE (64 * KiB)

int text_open(struct file *file, struct mm *mm)
{
	struct text_file *text = kzalloc(sizeof(*text), GFP_KERNEL);

	if (!text) {
		if (mm)
			mm_put(mm);
		return -ENOMEM;
	}
	mutex_init(&text->lock);
	text->mm = mm;
	file->private_data = text;
	return 0;
}

static void drop_text(struct text_file *text)
{
	seq_free(&text->text);
	text->made = false;
}

void text_release(struct file *file)
{
	struct text_file *text = file->private_data;

	drop_text(text);
	if (text->mm)
		mm_put(text->mm);
	kfree(text);
}

/* Under text->lock. */
static int make_text(struct file *file, struct text_file *text,
		     int (*make)(struct file *file, struct seq_buf *out))
{
	int error;

	drop_text(text);
	error = make(file, &text->text);
	if (!error && text->text.failed)
		error = -ENOMEM;
	if (error)
		drop_text(text);
	text->made = !error;
	return error;
}

static ssize_t copy_text(const struct seq_buf *text, struct iov_iter *to, loff_t *pos)
{
	size_t left = *pos < (loff_t)text->length ? text->length - *pos : 0;
	size_t wanted = min(left, to->count), copied = copy_to_iter(text->text + *pos, wanted, to);

	*pos += copied;
	return copied || !wanted ? (ssize_t)copied : -EFAULT;
}

ssize_t text_read(struct file *file, struct iov_iter *to, loff_t *pos,
		  int (*make)(struct file *file, struct seq_buf *out))
{
	struct text_file *text = file->private_data;
	ssize_t result = 0;

	mutex_lock(&text->lock);
	if (*pos == 0 || !text->made)
		result = make_text(file, text, make);
	if (!result)
		result = copy_text(&text->text, to, pos);
	if (text->text.length > KEPT_SIZE)
		drop_text(text);
	mutex_unlock(&text->lock);
	return result;
}

char *text_from_iter(struct iov_iter *from)
{
	size_t size = from->count;
	char *text;

	if (size >= PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	text = kmalloc(size + 1, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	if (copy_from_iter(text, size, from) != size) {
		kfree(text);
		return ERR_PTR(-EFAULT);
	}
	text[size] = '\0';
	return text;
}

void text_strip(char *text)
{
	size_t length = strlen(text);

	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
}

loff_t text_llseek(struct file *file, loff_t offset, int whence)
{
	return whence == SEEK_END ? -EINVAL : llseek_size(file, offset, whence, 0);
}

int text_truncate(struct inode *inode, loff_t size)
{
	return 0;
}
