/* Room in a tmpfs file that is taken, or given back, without writing. Locks: inode->writing, inode->lock. */
#include <fs/attributes.h>
#include <fs/tmpfs.h>

#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mm/vm.h>
#include <kernel/process.h>

static int allocate_page(struct inode *inode, u64 index)
{
	struct page *page = tmpfs_get_page(inode, index, true);

	if (IS_ERR(page))
		return PTR_ERR(page);
	put_page(page);
	return 0;
}

/* What was taken before it failed goes back only where nothing can have been written. */
static int allocate(struct inode *inode, loff_t from, loff_t to, bool keep_size)
{
	int error = 0;

	if (!keep_size && to > inode->size && (u64)to > file_size_limit()) {
		send_signal_task(current, SIGXFSZ, NULL);
		return -EFBIG;
	}
	for (u64 index = from >> PAGE_SHIFT; index << PAGE_SHIFT < (u64)to && !error; index++) {
		error = fatal_signal_pending() ? -EINTR : allocate_page(inode, index);
		cond_resched();
	}
	if (error) {
		tmpfs_remove_pages(inode, DIV_ROUND_UP((u64)inode->size, PAGE_SIZE), ~0ULL);
	} else if (!keep_size) {
		spin_lock(&inode->lock);
		inode->size = max(inode->size, to);
		spin_unlock(&inode->lock);
	}
	return error;
}

static void zero_part(struct inode *inode, loff_t from, loff_t to)
{
	struct page *page = page_tree_find(&inode->pages, from >> PAGE_SHIFT);

	if (page && from < to)
		memset(page_address(page) + (from & ~PAGE_MASK), 0, to - from);
}

static void punch_hole(struct inode *inode, loff_t from, loff_t to)
{
	u64 first = DIV_ROUND_UP((u64)from, PAGE_SIZE), last = (u64)to >> PAGE_SHIFT;

	spin_lock(&inode->lock);
	if (first > last) {
		zero_part(inode, from, to);
	} else {
		zero_part(inode, from, first << PAGE_SHIFT);
		zero_part(inode, last << PAGE_SHIFT, to);
	}
	spin_unlock(&inode->lock);
	tmpfs_remove_pages(inode, first, last);
	if (inode->mapped && first < last)
		vm_unmap_pages(inode, first, last, false);
}

int tmpfs_fallocate(struct inode *inode, int mode, loff_t offset, loff_t length)
{
	int error = 0;

	mutex_lock(&inode->writing);
	inode_drop_privileges(inode);
	if (mode & FALLOC_PUNCH_HOLE)
		punch_hole(inode, offset, offset + length);
	else
		error = allocate(inode, offset, offset + length, mode & FALLOC_KEEP_SIZE);
	if (!error)
		inode_changed(inode, TIME_MTIME | TIME_CTIME);
	mutex_unlock(&inode->writing);
	return error;
}
