/*
 * Character devices: from the number in a device node to the driver's file_ops; and devtmpfs, a tmpfs that
 * begins with a node for each.
 *
 * Context: process. Devices are registered at boot only, so the list needs no lock.
 */
#include <fs/chrdev.h>

#include <fs/make.h>
#include <fs/tmpfs.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define DEV_MODE 0755

LIST_HEAD(chrdevs);

int chrdev_register_open(u32 major, u32 minor, const char *name, const struct file_ops *ops,
			 u32 mode, int (*open)(struct inode *inode, struct file *file))
{
	struct chrdev *device = kmalloc(sizeof(*device), GFP_KERNEL);

	if (!device)
		return -ENOMEM;
	*device = (struct chrdev){
		.rdev = makedev(major, minor), .name = name, .ops = ops, .mode = mode, .open = open
	};
	list_add_tail(&device->link, &chrdevs);
	return 0;
}

int chrdev_register(u32 major, u32 minor, const char *name, const struct file_ops *ops, u32 mode)
{
	return chrdev_register_open(major, minor, name, ops, mode, NULL);
}

int chrdev_open(struct inode *inode, struct file *file)
{
	const struct chrdev *device;

	list_for_each_entry(device, &chrdevs, link) {
		if (device->rdev == inode->rdev) {
			file->ops = device->ops;
			return device->open ? device->open(inode, file) : 0;
		}
	}
	return -ENXIO;
}

/* The tree is not mounted yet: nobody else sees it. */
static int add_node(struct super *super, struct dentry *root, const struct chrdev *device)
{
	struct inode *inode =
		make_inode_in(root->inode, S_IFCHR | device->mode, device->rdev, NULL);
	struct dentry *dentry;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry = dentry_create(super, root, inode, device->name, strlen(device->name));
	if (!dentry)
		return -ENOMEM;
	spin_lock(&names_lock);
	dentry_link_locked(dentry);
	spin_unlock(&names_lock);
	dentry_put(dentry);
	return 0;
}

static int devtmpfs_fill(struct super *super)
{
	const struct chrdev *device;

	list_for_each_entry(device, &chrdevs, link) {
		int error = add_node(super, super->root, device);

		if (error)
			return error;
	}
	return 0;
}

static struct inode *devtmpfs_mount(struct super *super, char *options)
{
	super->root_mode = DEV_MODE;
	return tmpfs_mount(super, options);
}

struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.nodev = true,
	.magic = TMPFS_MAGIC,
	.mount = devtmpfs_mount,
	.fill = devtmpfs_fill,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};
