/*
 * tmpfs: files in memory. Names are dentries and inodes that stay until they are removed, so there is little to do
 * here: make inodes, count them, and forget them. What is in regular files: fs/tmpfs_file.c.
 */
#include <fs/tmpfs.h>

#include <fs/dir.h>
#include <fs/seq_buf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define EMPTY_DIR_SIZE	  40 /* as Linux counts: 20 for each entry, "." and ".." too */
#define DEFAULT_ROOT_MODE 01777

int tmpfs_charge(u64 *used, u64 limit)
{
	u64 now = __atomic_add_fetch(used, 1, __ATOMIC_RELAXED);

	if (!limit || now <= limit)
		return 0;
	tmpfs_uncharge(used);
	return -ENOSPC;
}

void tmpfs_uncharge(u64 *used)
{
	__atomic_sub_fetch(used, 1, __ATOMIC_RELAXED);
}

/* ---- inodes ------------------------------------------------------------------------------------------ */

static const struct inode_ops tmpfs_inode_ops;

static int reserve_name(struct super *super)
{
	return tmpfs_charge(&super->used_inodes, super->max_inodes);
}

static void release_name(struct super *super)
{
	tmpfs_uncharge(&super->used_inodes);
}

static char *copy_target(const char *target, size_t length)
{
	char *copy = kmalloc(length + 1, GFP_KERNEL);

	return copy ? memcpy(copy, target, length + 1) : NULL;
}

static int set_up(struct inode *inode, u64 rdev, const char *target)
{
	inode->ops = &tmpfs_inode_ops;
	inode->rdev = rdev;
	inode->btime = inode->ctime;
	if (S_ISREG(inode->mode))
		inode->file_ops = &tmpfs_file_ops;
	if (S_ISDIR(inode->mode)) {
		inode->file_ops = &dir_file_ops;
		inode->nlink = 2;
		inode->size = EMPTY_DIR_SIZE;
	}
	if (!S_ISLNK(inode->mode))
		return 0;
	inode->size = strlen(target);
	inode->target = copy_target(target, inode->size);
	return inode->target ? 0 : -ENOMEM;
}

static struct inode *make_inode(struct super *super, u32 mode, u64 rdev, const char *target)
{
	struct inode *inode;
	int error = reserve_name(super);

	if (error)
		return ERR_PTR(error);
	inode = inode_create(super, mode);
	if (!inode) {
		release_name(super);
		return ERR_PTR(-ENOMEM);
	}
	error = set_up(inode, rdev, target);
	if (error) {
		inode_put(inode);
		return ERR_PTR(error);
	}
	return inode;
}

static struct inode *tmpfs_create(struct inode *dir, u32 mode, u64 rdev, const char *target)
{
	return make_inode(dir->super, mode, rdev, target);
}

static int tmpfs_open(struct inode *inode, struct file *file)
{
	if (!S_ISREG(inode->mode))
		return 0;
	if (file->flags & O_FOR_EXEC)
		return inode_deny_write(inode);
	return file_writable(file) ? inode_get_writer(inode) : 0;
}

static void tmpfs_evict(struct inode *inode)
{
	tmpfs_free_pages(inode);
	release_name(inode->super);
}

static const struct inode_ops tmpfs_inode_ops = {
	.create = tmpfs_create,
	.reserve_name = reserve_name,
	.release_name = release_name,
	.truncate = tmpfs_truncate,
	.open = tmpfs_open,
	.evict = tmpfs_evict,
};

/* ---- mounting ---------------------------------------------------------------------------------------- */

static u64 half_of_memory(void)
{
	struct page_stats stats;

	page_stats_read(&stats);
	return stats.total / 2;
}

static int parse_octal(const char *text, u64 *value)
{
	for (*value = 0; *text >= '0' && *text <= '7' && *value < S_IALLUGO; text++)
		*value = *value * 8 + (*text - '0');
	return *text || *value > S_IALLUGO ? -EINVAL : 0;
}

/* size=: bytes, with K, M, G, or a share of the memory in percent. */
static int parse_bytes(const char *text, u64 *pages)
{
	const char *end;
	u64 value;

	if (parse_size(text, &end, &value) < 0)
		return -EINVAL;
	if (*end == '%' && !end[1])
		*pages = half_of_memory() * 2 * min(value, 100ULL) / 100;
	else if (!*end)
		*pages = value / PAGE_SIZE + !!(value % PAGE_SIZE);
	else
		return -EINVAL;
	return 0;
}

static int parse_count(const char *text, u64 *value)
{
	return parse_size(text, NULL, value) < 0 ? -EINVAL : 0;
}

static int parse_id(const char *text, u32 *id)
{
	u64 value;

	if (parse_u64(text, NULL, &value) < 0 || value >= ~0U)
		return -EINVAL;
	*id = value;
	return 0;
}

static int parse_option(struct super *super, const char *name, const char *value)
{
	u64 mode;
	int error;

	if (!strcmp(name, "size"))
		return parse_bytes(value, &super->max_blocks);
	if (!strcmp(name, "nr_blocks"))
		return parse_count(value, &super->max_blocks);
	if (!strcmp(name, "nr_inodes"))
		return parse_count(value, &super->max_inodes);
	if (!strcmp(name, "uid"))
		return parse_id(value, &super->root_uid);
	if (!strcmp(name, "gid"))
		return parse_id(value, &super->root_gid);
	if (strcmp(name, "mode"))
		return -EINVAL;
	error = parse_octal(value, &mode);
	if (!error)
		super->root_mode = mode;
	return error;
}

static int parse_options(struct super *super, char *options)
{
	while (options && *options) {
		char *name = options, *comma = strchr(options, ','), *value;
		int error;

		options = comma ? comma + 1 : NULL;
		if (comma)
			*comma = 0;
		if (!*name)
			continue;
		value = strchr(name, '=');
		if (!value)
			return -EINVAL;
		*value = 0;
		error = parse_option(super, name, value + 1);
		if (error)
			return error;
	}
	return 0;
}

struct inode *tmpfs_mount(struct super *super, char *options)
{
	struct inode *root;
	int error;

	super->max_blocks = super->max_inodes = half_of_memory();
	super->root_uid = current->cred.fsuid;
	super->root_gid = current->cred.fsgid;
	if (!super->root_mode)
		super->root_mode = DEFAULT_ROOT_MODE;
	error = parse_options(super, options);
	if (error)
		return ERR_PTR(error);
	root = make_inode(super, S_IFDIR | super->root_mode, 0, NULL);
	if (IS_ERR(root))
		return root;
	root->uid = super->root_uid;
	root->gid = super->root_gid;
	return root;
}

int tmpfs_remount(struct super *super, char *options)
{
	u64 blocks = super->max_blocks, inodes = super->max_inodes;
	int error = parse_options(super, options);

	if (!error && ((super->max_blocks && super->max_blocks < super->used_blocks) ||
		       (super->max_inodes && super->max_inodes < super->used_inodes)))
		error = -EINVAL;
	if (error) {
		super->max_blocks = blocks;
		super->max_inodes = inodes;
	}
	return error;
}

void tmpfs_show_options(struct super *super, struct seq_buf *out)
{
	if (super->max_blocks != half_of_memory())
		seq_printf(out, ",size=%lluk", super->max_blocks * (PAGE_SIZE / KiB));
	if (super->max_inodes != half_of_memory())
		seq_printf(out, ",nr_inodes=%llu", super->max_inodes);
	if (super->root_mode != DEFAULT_ROOT_MODE)
		seq_printf(out, ",mode=%03o", super->root_mode);
	if (super->root_uid)
		seq_printf(out, ",uid=%u", super->root_uid);
	if (super->root_gid)
		seq_printf(out, ",gid=%u", super->root_gid);
}

struct fs_type tmpfs_type = {
	.name = "tmpfs",
	.nodev = true,
	.magic = TMPFS_MAGIC,
	.mount = tmpfs_mount,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};
