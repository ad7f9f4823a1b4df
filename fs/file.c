/*
 * The life of a struct file: made by an open of some kind, shared by descriptors, gone with the last
 * reference.
 *
 * Context: process. No lock: references and the count of open files are atomic.
 */
#include <fs/file.h>

#include <fs/eventpoll.h>
#include <fs/vfs.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

#define MIN_OPEN_FILES 8192

static struct kmem_cache *file_cache; /* constant after start-up */
u64 nr_open_files;		      /* atomic */
u64 max_open_files;		      /* single writes, by /proc/sys/fs/file-max */
static u64 next_anon_ino = 1;	      /* atomic */

/* A file for each KiB of memory: what a connection costs. */
void files_init(void)
{
	struct page_stats stats;

	page_stats_read(&stats);
	max_open_files = max(stats.total * (PAGE_SIZE / KiB), (u64)MIN_OPEN_FILES);
	file_cache = kmem_cache_create("file", sizeof(struct file), sizeof(u64));
	if (!file_cache)
		panic("no memory for the cache of files");
}

/* Root may go on, to put things right. */
static bool count_file(void)
{
	u64 open = __atomic_add_fetch(&nr_open_files, 1, __ATOMIC_RELAXED);

	if (likely(open <= READ_ONCE(max_open_files)) || current->cred.euid == 0)
		return true;
	__atomic_sub_fetch(&nr_open_files, 1, __ATOMIC_RELAXED);
	return false;
}

struct file *file_create(const struct file_ops *ops, void *private_data, u32 flags)
{
	struct file *file;

	if (!count_file())
		return NULL;
	file = kmem_cache_alloc(file_cache, GFP_KERNEL);
	if (!file) {
		__atomic_sub_fetch(&nr_open_files, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	*file = (struct file){
		.ops = ops,
		.private_data = private_data,
		.refcount = 1,
		.flags = flags,
	};
	mutex_init(&file->pos_lock);
	INIT_LIST_HEAD(&file->watchers);
	return file;
}

struct file *file_create_anon(const struct file_ops *ops, void *private_data, u32 flags)
{
	struct file *file = file_create(ops, private_data, flags);

	if (file)
		file->anon_ino = __atomic_fetch_add(&next_anon_ino, 1, __ATOMIC_RELAXED);
	return file;
}

/* The kind's own end comes first: it may still look at the name. */
void file_release(struct file *file)
{
	eventpoll_release(file);
	if (file->ops->release)
		file->ops->release(file);
	if (file->dentry)
		dentry_put(file->dentry);
	kmem_cache_free(file_cache, file);
	__atomic_sub_fetch(&nr_open_files, 1, __ATOMIC_RELAXED);
}
