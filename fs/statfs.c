/* statfs: how much room there is. */
#include <fs/inode.h>
#include <fs/stat.h>
#include <fs/syscalls_path.h>

/* f_flags: as mount's, and one that says that they are valid */
#define ST_VALID	  0x20
#define ST_RELATIME	  0x1000
#define PIPEFS_MAGIC	  0x50495045
#define SOCKFS_MAGIC	  0x534f434b
#define ANON_INODES_MAGIC 0x09041934
#define ST_KEPT \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOATIME | MS_NODIRATIME)

struct statfs64 {
	s64 type, block_size;
	u64 blocks, free, available, files, files_free;
	s32 fsid[2];
	s64 name_length, fragment_size, flags, spare[4];
};
static_assert(sizeof(struct statfs64) == 120, "struct statfs of x86-64");

static u64 what_is_left(u64 limit, u64 used)
{
	return limit > used ? limit - used : 0;
}

static long copy_statfs(const struct super *super, struct statfs64 __user *out)
{
	u32 flags = READ_ONCE(super->flags);
	struct statfs64 statfs = {
		.type = super->type->magic,
		.block_size = PAGE_SIZE,
		.blocks = super->max_blocks,
		.free = what_is_left(super->max_blocks, super->used_blocks),
		.available = what_is_left(super->max_blocks, super->used_blocks),
		.files = super->max_inodes,
		.files_free = what_is_left(super->max_inodes, super->used_inodes),
		.fsid = { super->dev },
		.name_length = NAME_MAX,
		.fragment_size = PAGE_SIZE,
		.flags = ST_VALID | (flags & ST_KEPT) |
			 (flags & (MS_NOATIME | MS_STRICTATIME) ? 0 : ST_RELATIME),
	};

	return copy_to_user(out, &statfs, sizeof(statfs)) ? -EFAULT : 0;
}

/* What is in no file system has one that nobody sees. */
static long copy_nameless_statfs(struct file *file, struct statfs64 __user *out)
{
	struct statfs64 statfs = { .block_size = PAGE_SIZE,
				   .name_length = NAME_MAX,
				   .fragment_size = PAGE_SIZE,
				   .flags = ST_VALID };
	struct stat_data stat;

	stat_file(file, &stat);
	statfs.type = S_ISFIFO(stat.mode)   ? PIPEFS_MAGIC
		      : S_ISSOCK(stat.mode) ? SOCKFS_MAGIC
					    : ANON_INODES_MAGIC;
	return copy_to_user(out, &statfs, sizeof(statfs)) ? -EFAULT : 0;
}

long sys_statfs(const char __user *path, struct statfs64 __user *out)
{
	struct dentry *dentry = user_walk(AT_FDCWD, path, WALK_FOLLOW);
	long error;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = copy_statfs(dentry->super, out);
	dentry_put(dentry);
	return error;
}

long sys_fstatfs(int fd, struct statfs64 __user *out)
{
	struct file *file = fd_get_any(fd);
	long error;

	if (!file)
		return -EBADF;
	error = file->dentry ? copy_statfs(file->dentry->super, out)
			     : copy_nameless_statfs(file, out);
	file_put(file);
	return error;
}
