/* statx: stat() with room to grow. */
#include <fs/stat.h>
#include <fs/syscalls_path.h>

#define STATX_BASIC_STATS 0x07ffU
#define STATX_BTIME	  0x0800U
#define STATX_MNT_ID	  0x1000U
#define STATX_RESERVED	  0x80000000U

#define STATX_ATTR_MOUNT_ROOT 0x2000U

struct statx_time {
	s64 sec;
	u32 nsec;
	s32 pad;
};

struct statx {
	u32 mask, block_size;
	u64 attributes;
	u32 nlink, uid, gid;
	u16 mode, pad;
	u64 ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor, dev_major, dev_minor;
	u64 mount_id;
	u64 spare[13];
};
static_assert(sizeof(struct statx) == 256, "struct statx");

static struct statx_time statx_time(struct timespec64 time)
{
	return (struct statx_time){ .sec = time.sec, .nsec = time.nsec };
}

static long copy_statx(const struct stat_data *data, struct statx __user *out)
{
	struct statx statx = {
		.mask = STATX_BASIC_STATS | STATX_MNT_ID | (data->btime.sec ? STATX_BTIME : 0),
		.block_size = STAT_BLOCK_SIZE,
		.attributes = data->mount_root ? STATX_ATTR_MOUNT_ROOT : 0,
		.attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.nlink = data->nlink,
		.uid = data->uid,
		.gid = data->gid,
		.mode = data->mode,
		.ino = data->ino,
		.size = data->size,
		.blocks = data->blocks,
		.atime = statx_time(data->atime),
		.btime = statx_time(data->btime),
		.ctime = statx_time(data->ctime),
		.mtime = statx_time(data->mtime),
		.rdev_major = dev_major(data->rdev),
		.rdev_minor = dev_minor(data->rdev),
		.dev_major = dev_major(data->dev),
		.dev_minor = dev_minor(data->dev),
		.mount_id = data->mount_id,
	};

	return copy_to_user(out, &statx, sizeof(statx)) ? -EFAULT : 0;
}

long sys_statx(int dirfd, const char __user *path, u32 flags, u32 mask, struct statx __user *out)
{
	struct stat_data data;
	int error;

	if ((mask & STATX_RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	error = stat_user(dirfd, path, flags, &data);
	return error ?: copy_statx(&data, out);
}
