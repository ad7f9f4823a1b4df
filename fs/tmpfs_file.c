/*
 * The contents of a tmpfs file: pages in a tree, which read, write and mmap share. What was never written to has
 * no page and reads as zeroes.
 *
 * A program's buffer may be a mapping of the same file, so nothing is copied to or from it under inode->lock,
 * which the page fault takes; the page's own reference keeps it meanwhile. Writers are kept apart by
 * inode->writing, which page faults do not take: so a write is whole, and appending is safe.
 *
 * Context: process. Locks: inode->writing, mm->mmap_lock, inode->lock.
 */
#include <fs/tmpfs.h>

#include <fs/attributes.h>
#include <fs/flock.h>
#include <fs/record_lock.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm.h>
#include <kernel/process.h>

#define SECTORS_PER_PAGE (PAGE_SIZE / 512)
#define MAX_FILE_SIZE	 0x7fffffffffffffffLL
#define BATCH		 32 /* pages that leave a tree under one lock */

/* ---- pages ------------------------------------------------------------------------------------------- */

int tmpfs_add_page(struct inode *inode, u64 index, struct page *page)
{
	struct super *super = inode->super;
	int error = tmpfs_charge(&super->used_blocks, super->max_blocks);

	if (!error) {
		error = page_tree_insert(&inode->pages, index, page);
		if (error)
			tmpfs_uncharge(&super->used_blocks);
	}
	if (error)
		put_page(page);
	else
		inode->blocks += SECTORS_PER_PAGE;
	return error;
}

/* inode->lock is held. */
/* Take some pages of [*from, to) out of the tree. How many they were. */
static u32 take_pages(struct inode *inode, u64 *from, u64 to, struct page *pages[BATCH])
{
	u32 taken = 0;

	spin_lock(&inode->lock);
	while (taken < BATCH && page_tree_next(&inode->pages, from) && *from < to)
		pages[taken++] = page_tree_remove(&inode->pages, *from);
	inode->blocks -= taken * SECTORS_PER_PAGE;
	spin_unlock(&inode->lock);
	return taken;
}

void tmpfs_remove_pages(struct inode *inode, u64 from, u64 to)
{
	struct page *pages[BATCH];
	u32 taken;

	do {
		taken = take_pages(inode, &from, to, pages);
		for (u32 i = 0; i < taken; i++) {
			put_page(pages[i]);
			tmpfs_uncharge(&inode->super->used_blocks);
		}
		cond_resched();
	} while (taken == BATCH);
}

void tmpfs_free_pages(struct inode *inode)
{
	tmpfs_remove_pages(inode, 0, ~0ULL);
}

/* With a reference, or NULL; under inode->lock. */
static struct page *find_page(struct inode *inode, u64 index)
{
	struct page *page = page_tree_find(&inode->pages, index);

	if (page)
		get_page(page);
	return page;
}

static bool is_inside(const struct inode *inode, u64 index)
{
	return index < DIV_ROUND_UP((u64)inode->size, PAGE_SIZE);
}

/* Put a page of zeroes where there is none. */
static struct page *fill_hole(struct inode *inode, u64 index, bool beyond_end)
{
	struct page *fresh = alloc_page(GFP_KERNEL | GFP_ZERO), *page;
	int error = 0;

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	spin_lock(&inode->lock);
	page = find_page(inode, index);
	if (page || !(beyond_end || is_inside(inode, index))) {
		put_page(fresh);
	} else {
		get_page(fresh);
		page = fresh;
		error = tmpfs_add_page(inode, index, fresh);
	}
	spin_unlock(&inode->lock);
	if (!error)
		return page;
	put_page(fresh);
	return ERR_PTR(error);
}

struct page *tmpfs_get_page(struct inode *inode, u64 index, bool beyond_end)
{
	struct page *page;
	bool inside;

	spin_lock(&inode->lock);
	inside = beyond_end || is_inside(inode, index);
	page = inside ? find_page(inode, index) : NULL;
	spin_unlock(&inode->lock);
	return page || !inside ? page : fill_hole(inode, index, beyond_end);
}

/* ---- read -------------------------------------------------------------------------------------------- */

/* The most that one page holds of what is wanted; 0: at the end. */
static size_t read_step(struct inode *inode, struct iov_iter *to, loff_t pos, size_t *wanted)
{
	size_t offset = pos & ~PAGE_MASK, copied;
	struct page *page;
	loff_t size;

	spin_lock(&inode->lock);
	size = inode->size;
	page = find_page(inode, pos >> PAGE_SHIFT);
	spin_unlock(&inode->lock);
	*wanted = min(PAGE_SIZE - offset, to->count);
	*wanted = pos < size ? min(*wanted, (size_t)(size - pos)) : 0;
	if (!page)
		return zero_to_iter(*wanted, to);
	copied = copy_to_iter(page_address(page) + offset, *wanted, to);
	put_page(page);
	return copied;
}

static ssize_t tmpfs_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct inode *inode = file->dentry->inode;
	ssize_t done = 0;

	while (to->count) {
		size_t wanted, copied = read_step(inode, to, *pos, &wanted);

		*pos += copied;
		done += copied;
		if (copied < wanted && !done)
			done = -EFAULT;
		if (copied < wanted || !wanted)
			break;
		cond_resched();
	}
	inode_touch_atime(file);
	return done;
}

/* A hole has none. */
static struct page *tmpfs_lend_page(struct file *file, loff_t pos, size_t *size)
{
	struct inode *inode = file->dentry->inode;
	struct page *page = NULL;

	spin_lock(&inode->lock);
	if (pos < inode->size) {
		page = find_page(inode, pos >> PAGE_SHIFT);
		*size = min_t(u64, PAGE_SIZE - (pos & ~PAGE_MASK), inode->size - pos);
	}
	spin_unlock(&inode->lock);
	inode_touch_atime(file);
	return page;
}

/* ---- write ------------------------------------------------------------------------------------------- */

/* Fill a page that is not there yet. It is put in its place when it is filled: so nobody sees it half
 * done. A fault may have been faster; then what was written is copied over. */
static ssize_t write_new_page(struct inode *inode, struct iov_iter *from, loff_t pos, size_t wanted)
{
	size_t offset = pos & ~PAGE_MASK, copied;
	struct page *page = alloc_page(GFP_KERNEL), *faster;
	u8 *data;
	int error = 0;

	if (!page)
		return -ENOMEM;
	data = page_address(page);
	copied = copy_from_iter(data + offset, wanted, from);
	memset(data, 0, offset);
	memset(data + offset + copied, 0, PAGE_SIZE - offset - copied);
	spin_lock(&inode->lock);
	faster = page_tree_find(&inode->pages, pos >> PAGE_SHIFT);
	if (faster)
		memcpy(page_address(faster) + offset, data + offset, copied);
	if (faster || !copied)
		put_page(page);
	else
		error = tmpfs_add_page(inode, pos >> PAGE_SHIFT, page);
	spin_unlock(&inode->lock);
	return error ?: (ssize_t)copied;
}

static ssize_t write_step(struct inode *inode, struct iov_iter *from, loff_t pos, size_t wanted)
{
	struct page *page;
	ssize_t copied;

	spin_lock(&inode->lock);
	page = find_page(inode, pos >> PAGE_SHIFT);
	spin_unlock(&inode->lock);
	if (page) {
		copied = copy_from_iter(page_address(page) + (pos & ~PAGE_MASK), wanted, from);
		put_page(page);
	} else {
		copied = write_new_page(inode, from, pos, wanted);
	}
	spin_lock(&inode->lock);
	if (copied > 0)
		inode->size = max(inode->size, pos + copied);
	spin_unlock(&inode->lock);
	return copied;
}

/* How much of it may be written; inode->writing held. */
static ssize_t write_limit(loff_t pos, size_t count)
{
	u64 limit = min(file_size_limit(), (u64)MAX_FILE_SIZE);

	if (pos < (loff_t)limit)
		return min(count, (size_t)(limit - pos));
	if (limit != MAX_FILE_SIZE)
		send_signal_task(current, SIGXFSZ, NULL);
	return -EFBIG;
}

static ssize_t write_locked(struct inode *inode, struct iov_iter *from, loff_t *pos, bool append)
{
	ssize_t left, done = 0;

	if (append)
		*pos = inode->size;
	left = write_limit(*pos, from->count);
	if (left < 0)
		return left;
	inode_drop_privileges(inode);
	inode_changed(inode, TIME_MTIME | TIME_CTIME);
	while (left) {
		size_t wanted = min(PAGE_SIZE - (*pos & ~PAGE_MASK), (size_t)left);
		ssize_t copied = write_step(inode, from, *pos, wanted);

		if (copied <= 0)
			return done ?: copied ?: -EFAULT;
		*pos += copied;
		done += copied;
		left -= copied;
		cond_resched();
	}
	return done;
}

static ssize_t tmpfs_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	struct inode *inode = file->dentry->inode;
	ssize_t written;

	if (!from->count)
		return 0;
	mutex_lock(&inode->writing);
	written = write_locked(inode, from, pos, file->flags & O_APPEND);
	mutex_unlock(&inode->writing);
	return written;
}

/* ---- size -------------------------------------------------------------------------------------------- */

/* What lies behind the end in its last page must be zeroes when the file grows again. */
static void zero_tail(struct inode *inode, loff_t size)
{
	struct page *page = page_tree_find(&inode->pages, size >> PAGE_SHIFT);
	size_t offset = size & ~PAGE_MASK;

	if (page && offset)
		memset(page_address(page) + offset, 0, PAGE_SIZE - offset);
}

int tmpfs_truncate(struct inode *inode, loff_t size)
{
	u64 end = DIV_ROUND_UP((u64)size, PAGE_SIZE);

	/* The size first: nobody brings a page behind it any more. */
	spin_lock(&inode->lock);
	if (size < inode->size)
		zero_tail(inode, size);
	inode->size = size;
	spin_unlock(&inode->lock);
	tmpfs_remove_pages(inode, end, ~0ULL);
	if (inode->mapped)
		vm_unmap_pages(inode, end, ~0ULL, true);
	return 0;
}

/* SEEK_DATA and SEEK_HOLE, by whole pages. */
static loff_t seek_data(struct inode *inode, u64 pos, bool hole)
{
	u64 index = pos >> PAGE_SHIFT, found = index, size;

	spin_lock(&inode->lock);
	size = inode->size;
	if (hole) {
		while (page_tree_find(&inode->pages, found))
			found++;
	} else if (!page_tree_next(&inode->pages, &found)) {
		found = ~0ULL >> PAGE_SHIFT;
	}
	spin_unlock(&inode->lock);
	pos = found == index ? pos : found << PAGE_SHIFT;
	return hole ? (loff_t)min(pos, size) : pos < size ? (loff_t)pos : -ENXIO;
}

static loff_t tmpfs_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file->dentry->inode;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (offset < 0 || offset >= inode->size)
			return -ENXIO;
		offset = seek_data(inode, offset, whence == SEEK_HOLE);
		if (offset < 0)
			return offset;
		whence = SEEK_SET;
	}
	return llseek_size(file, offset, whence, inode->size);
}

/* ---- mmap -------------------------------------------------------------------------------------------- */

static struct page *tmpfs_fault(struct vm_area *vma, u64 pgoff, bool write)
{
	struct page *page = tmpfs_get_page(vma->file->dentry->inode, pgoff, false);

	return page == ERR_PTR(-ENOSPC) ? NULL : page; /* SIGBUS, as beyond the end */
}

static const struct vm_ops tmpfs_vm_ops = { .fault = tmpfs_fault };

static int tmpfs_mmap(struct file *file, struct vm_area *vma)
{
	struct inode *inode = file->dentry->inode;

	spin_lock(&inode->lock);
	inode->mapped = true;
	spin_unlock(&inode->lock);
	vma->ops = &tmpfs_vm_ops;
	vma->shared = inode;
	inode_touch_atime(file);
	return 0;
}

static int tmpfs_fsync(struct file *file)
{
	return 0;
}

static int tmpfs_flush(struct file *file, const struct files *owner)
{
	record_locks_release(file, owner);
	return 0;
}

/* What tmpfs_open() took, and flock(). */
static void tmpfs_release(struct file *file)
{
	struct inode *inode = file->dentry->inode;

	flock_release(file);
	record_locks_release(file, file);
	if (file->flags & O_FOR_EXEC)
		inode_allow_write(inode);
	else if (file_writable(file))
		inode_put_writer(inode);
}

const struct file_ops tmpfs_file_ops = {
	.read = tmpfs_read,
	.write = tmpfs_write,
	.lend_page = tmpfs_lend_page,
	.llseek = tmpfs_llseek,
	.mmap = tmpfs_mmap,
	.fsync = tmpfs_fsync,
	.flush = tmpfs_flush,
	.release = tmpfs_release,
};
