/* The tree at boot: a tmpfs as root, with the little that a kernel promises its first process. */
#include <fs/chrdev.h>
#include <fs/fs_context.h>
#include <fs/make.h>
#include <fs/mount.h>
#include <fs/syscalls_path.h>
#include <fs/tmpfs.h>
#include <kernel/panic.h>

/* What Linux's own initramfs has, which comes before the given one. */
static void make_first_files(void)
{
	static const struct {
		const char *path;
		u32 mode;
		u64 rdev;
	} files[] = {
		{ "/dev", S_IFDIR | 0755, 0 },
		{ "/dev/console", S_IFCHR | 0600, 5 << 8 | 1 },
		{ "/root", S_IFDIR | 0700, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct dentry *made =
			make_at(AT_FDCWD, files[i].path, files[i].mode, files[i].rdev, NULL);

		if (IS_ERR(made))
			panic("cannot make %s (error %ld)", files[i].path, -PTR_ERR(made));
		dentry_put(made);
	}
}

static struct fs_type rootfs_type = {
	.name = "rootfs",
	.magic = TMPFS_MAGIC,
	.mount = tmpfs_mount,
	.remount = tmpfs_remount,
};
static struct fs_type ramfs_type = {
	.name = "ramfs",
	.nodev = true,
	.magic = 0x858458f6,
	.mount = tmpfs_mount,
};

void vfs_init(void)
{
	char options[] = "mode=0755";
	struct super *root;

	page_tree_init();
	inodes_init();
	dentries_init();
	paths_init();
	fs_type_register(&tmpfs_type);
	fs_type_register(&ramfs_type);
	fs_type_register(&devtmpfs_type);
	mem_devices_init();
	root = super_create(&rootfs_type, "rootfs", 0, options);
	if (IS_ERR(root) || mount_attach(root, NULL) < 0)
		panic("no memory for the root file system");
	init_fs = fs_context_create(root->root);
	if (!init_fs)
		panic("no memory for the root file system");
	make_first_files();
}
