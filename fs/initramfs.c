/*
 * The initramfs: a cpio archive in memory becomes the root's files. As on Linux a later entry replaces an earlier
 * one of the same name, and of several hard links to a file the last one brings the data.
 *
 * Context: the first thread, before there are programs.
 */
#include <fs/dentry.h>

#include <fs/attributes.h>
#include <fs/make.h>
#include <fs/remove.h>
#include <fs/tmpfs.h>
#include <kernel/boot_info.h>
#include <kernel/lib/cpio.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/hlist.h>
#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mm/slab.h>
#include <kernel/printk.h>

#define LINK_BUCKETS_BITS 6

/* A file with several links, by its number in the archive. */
struct seen {
	struct hlist_node node;
	u32 archive, ino, major, minor;
	struct inode *inode; /* a reference */
};

struct unpacker {
	struct cpio_reader reader;
	struct cpio_entry entry;
	struct hlist_head seen[1 << LINK_BUCKETS_BITS];
	u64 entries, bytes;
};

/* ---- hard links -------------------------------------------------------------------------------------- */

static struct hlist_head *bucket(struct unpacker *unpacker)
{
	return &unpacker->seen[hash_u32(unpacker->entry.ino, LINK_BUCKETS_BITS)];
}

static struct inode *find_seen(struct unpacker *unpacker)
{
	const struct cpio_entry *entry = &unpacker->entry;
	struct seen *seen;

	hlist_for_each_entry(seen, bucket(unpacker), node)
		if (seen->ino == entry->ino && seen->archive == unpacker->reader.archive &&
		    seen->major == entry->devmajor && seen->minor == entry->devminor &&
		    !((seen->inode->mode ^ entry->mode) & S_IFMT))
			return seen->inode;
	return NULL;
}

static int remember(struct unpacker *unpacker, struct inode *inode)
{
	struct seen *seen = kmalloc(sizeof(*seen), GFP_KERNEL);

	if (!seen)
		return -ENOMEM;
	*seen = (struct seen){ .archive = unpacker->reader.archive,
			       .ino = unpacker->entry.ino,
			       .major = unpacker->entry.devmajor,
			       .minor = unpacker->entry.devminor,
			       .inode = inode };
	inode_get(inode);
	hlist_add_head(&seen->node, bucket(unpacker));
	return 0;
}

static void forget_all(struct unpacker *unpacker)
{
	for (size_t i = 0; i < ARRAY_SIZE(unpacker->seen); i++) {
		while (!hlist_empty(&unpacker->seen[i])) {
			struct seen *seen = hlist_entry(unpacker->seen[i].first, struct seen, node);

			hlist_del_init(&seen->node);
			inode_put(seen->inode);
			kfree(seen);
		}
	}
}

/* ---- one entry --------------------------------------------------------------------------------------- */

static int copy_data(struct inode *inode, const u8 *data, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE) {
		size_t part = min(PAGE_SIZE, size - at);
		struct page *page = alloc_page(GFP_KERNEL);
		int error;

		if (!page)
			return -ENOMEM;
		memcpy(page_address(page), data + at, part);
		memset(page_address(page) + part, 0, PAGE_SIZE - part);
		spin_lock(&inode->lock);
		error = tmpfs_add_page(inode, at >> PAGE_SHIFT, page);
		spin_unlock(&inode->lock);
		if (error)
			return error;
	}
	inode->size = size;
	return 0;
}

static int replace_data(struct inode *inode, const struct cpio_entry *entry)
{
	int error = inode->size ? tmpfs_truncate(inode, 0) : 0;

	return error ?: copy_data(inode, entry->data, entry->filesize);
}

static void set_attributes(struct inode *inode, const struct cpio_entry *entry)
{
	spin_lock(&inode->lock);
	inode->uid = entry->uid;
	inode->gid = entry->gid;
	inode->mode = (inode->mode & S_IFMT) | (entry->mode & S_IALLUGO);
	inode->mtime = (struct timespec64){ .sec = entry->mtime };
	spin_unlock(&inode->lock);
}

/* What is there already, and may stay: a directory, or a regular file to be filled anew. NULL: nothing. */
static struct dentry *make_way(const struct cpio_entry *entry, const char *path)
{
	struct dentry *there = path_walk(AT_FDCWD, path, 0);
	u32 type = entry->mode & S_IFMT;
	int error;

	if (there == ERR_PTR(-ENOENT))
		return NULL;
	if (IS_ERR(there))
		return there;
	u32 old_type = there->inode->mode & S_IFMT;

	if (old_type == type && (S_ISDIR(type) || (S_ISREG(type) && entry->nlink < 2)))
		return there;
	dentry_put(there);
	error = remove_at(AT_FDCWD, path, S_ISDIR(old_type));
	return error ? ERR_PTR(error) : NULL;
}

/* A symlink's target lies in the archive without a zero at its end. */
static struct dentry *make_symlink(const struct cpio_entry *entry, const char *path)
{
	struct dentry *made;
	char *target;

	if (!entry->filesize || entry->filesize >= PATH_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	target = kmalloc(entry->filesize + 1, GFP_KERNEL);
	if (!target)
		return ERR_PTR(-ENOMEM);
	memcpy(target, entry->data, entry->filesize);
	target[entry->filesize] = 0;
	made = make_at(AT_FDCWD, path, entry->mode, 0, target);
	kfree(target);
	return made;
}

static struct dentry *make_entry(struct unpacker *unpacker, const char *path)
{
	const struct cpio_entry *entry = &unpacker->entry;
	struct inode *linked =
		entry->nlink > 1 && !S_ISDIR(entry->mode) ? find_seen(unpacker) : NULL;
	struct dentry *there = make_way(entry, path);
	int error;

	if (there)
		return there;
	if (linked) {
		error = link_at(linked, AT_FDCWD, path);
		return error ? ERR_PTR(error) : path_walk(AT_FDCWD, path, 0);
	}
	if (S_ISLNK(entry->mode))
		return make_symlink(entry, path);
	return make_at(AT_FDCWD, path, entry->mode, makedev(entry->rdevmajor, entry->rdevminor),
		       NULL);
}

static int fill_entry(struct unpacker *unpacker, struct inode *inode)
{
	const struct cpio_entry *entry = &unpacker->entry;
	int error = 0;

	if (entry->nlink > 1 && !S_ISDIR(entry->mode) && !find_seen(unpacker))
		error = remember(unpacker, inode);
	/* Of several links those without data say nothing about it. */
	if (!error && S_ISREG(entry->mode) && (entry->filesize || entry->nlink < 2))
		error = replace_data(inode, entry);
	set_attributes(inode, entry);
	return error;
}

static int unpack_entry(struct unpacker *unpacker)
{
	const char *path = unpacker->entry.name;
	struct dentry *made;
	int error;

	if (!strcmp(path, "."))
		path = "/";
	made = make_entry(unpacker, path);
	if (IS_ERR(made))
		return PTR_ERR(made);
	error = fill_entry(unpacker, made->inode);
	dentry_put(made);
	return error;
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* What was made in a directory has changed its time. */
static void set_directory_times(struct unpacker *unpacker)
{
	struct cpio_entry *entry = &unpacker->entry;

	cpio_init(&unpacker->reader, unpacker->reader.start, unpacker->reader.size);
	while (cpio_next(&unpacker->reader, entry) > 0) {
		struct dentry *dir;

		if (!S_ISDIR(entry->mode))
			continue;
		dir = path_walk(AT_FDCWD, entry->name, WALK_DIRECTORY);
		if (IS_ERR(dir))
			continue;
		set_attributes(dir->inode, entry);
		dentry_put(dir);
	}
}

static void say_failure(struct unpacker *unpacker, int error)
{
	struct page_stats pages;

	page_stats_read(&pages);
	if (error == -ENOMEM || error == -ENOSPC)
		pr_err("initramfs: too big for this machine: no room for %s; %llu of %llu KiB are "
		       "free, files get half of all\n",
		       unpacker->entry.name, pages.free * (PAGE_SIZE / KiB),
		       pages.total * (PAGE_SIZE / KiB));
	else
		pr_err("initramfs: cannot make %s (error %d)\n", unpacker->entry.name, -error);
}

static int unpack_all(struct unpacker *unpacker)
{
	int result, failed = 0;

	while ((result = cpio_next(&unpacker->reader, &unpacker->entry)) > 0) {
		int error = unpack_entry(unpacker);

		unpacker->entries++;
		unpacker->bytes += unpacker->entry.filesize;
		if (error)
			say_failure(unpacker, error);
		failed = failed ?: error;
		if (error == -ENOMEM || error == -ENOSPC)
			return error;
	}
	if (result < 0) {
		pr_err("initramfs: corrupt at byte %zu: %s\n", unpacker->reader.offset,
		       unpacker->reader.error);
		return result;
	}
	pr_info("initramfs: %llu entries, %llu KiB\n", unpacker->entries, unpacker->bytes / KiB);
	return failed;
}

int initramfs_unpack(void)
{
	phys_addr_t start = boot_info.initrd.start, end = boot_info.initrd.end;
	struct unpacker *unpacker;
	int error;

	if (start == end) {
		pr_warn("initramfs: none given\n");
		return -ENOENT;
	}
	unpacker = kzalloc(sizeof(*unpacker), GFP_KERNEL);
	if (!unpacker)
		return -ENOMEM;
	cpio_init(&unpacker->reader, phys_to_virt(start), end - start);
	error = unpack_all(unpacker);
	set_directory_times(unpacker);
	forget_all(unpacker);
	kfree(unpacker);
	/* Whole pages: its first and last may be shared with others. */
	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	if (start < end)
		pages_release_reserved(start, end);
	return error;
}
