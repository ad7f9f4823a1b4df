/*
 * Where file systems are mounted: one dentry is covered by the root of another tree. There is no bind mount: a
 * dentry is at one place.
 *
 * Context: process. Locks: rename_lock, then names_lock.
 */
#include <fs/mount.h>

#include <fs/fs_context.h>
#include <fs/seq_buf.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define MNT_FORCE	1
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#define UMOUNT_NOFOLLOW 8

#define MS_KEPT                                                                                    \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_DIRSYNC | MS_NOATIME | \
	 MS_NODIRATIME | MS_STRICTATIME)

DEFINE_MUTEX(rename_lock);

static LIST_HEAD(mounts); /* under names_lock, by id */

/* May it be covered? It must be found again by the next walk. Under names_lock. */
static int may_cover(const struct dentry *where, const struct super *super)
{
	if (S_ISDIR(where->inode->mode) != S_ISDIR(super->root->inode->mode))
		return -ENOTDIR;
	if (!where->linked)
		return -ENOENT;
	if (where->parent && where->parent->inode->ops->lookup)
		return -EINVAL;
	return 0;
}

int mount_attach(struct super *super, struct dentry *where)
{
	int error = 0;

	spin_lock(&names_lock);
	if (where) {
		where = mounted_top(where);
		error = may_cover(where, super);
	}
	if (!error) {
		super->mountpoint = where;
		if (where) {
			dentry_get(where);
			where->mounted = super;
		}
		list_add_tail(&super->link, &mounts);
	}
	spin_unlock(&names_lock);
	return error;
}

/* ---- unmounting -------------------------------------------------------------------------------------- */

/* Nobody finds it any more. What it was mounted on is the caller's to put. Under names_lock. */
static struct dentry *detach(struct super *super)
{
	struct dentry *where = super->mountpoint;

	where->mounted = NULL;
	super->mountpoint = NULL;
	list_del_init(&super->link);
	/* Before the caller's dentry_put() looks whether it was the last: see there. */
	__atomic_store_n(&super->detached, true, __ATOMIC_SEQ_CST);
	return where;
}

/* What is mounted in a file system that is detached already; under names_lock. */
static struct super *find_orphan(void)
{
	struct super *super;

	list_for_each_entry(super, &mounts, link)
		if (super->mountpoint && super->mountpoint->super->detached)
			return super;
	return NULL;
}

/* With all that is mounted below. Each ends when its last user goes. */
static void detach_tree(struct super *super)
{
	while (super) {
		struct dentry *root, *where;

		spin_lock(&names_lock);
		root = super->root;
		dentry_get(root);
		where = detach(super);
		super = find_orphan();
		spin_unlock(&names_lock);
		dentry_put(root);
		dentry_put(where);
	}
}

int mount_detach(struct dentry *root, bool lazy)
{
	struct super *super = root->super;
	struct dentry *where = NULL;
	int error = 0;

	spin_lock(&names_lock);
	if (!super->mountpoint)
		error = super->detached || lazy ? -EINVAL : -EBUSY;
	else if (!lazy && __atomic_load_n(&super->users, __ATOMIC_SEQ_CST) > 1)
		error = -EBUSY;
	else if (!lazy)
		where = detach(super);
	spin_unlock(&names_lock);
	if (where)
		dentry_put(where);
	if (!error && lazy)
		detach_tree(super);
	return error;
}

long sys_umount2(const char __user *user_path, int flags)
{
	struct dentry *root;
	int error;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	root = user_walk(AT_FDCWD, user_path, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW);
	if (IS_ERR(root))
		return PTR_ERR(root);
	mutex_lock(&rename_lock);
	if (!is_fs_root())
		error = -EPERM;
	else if (root != root->super->root || (flags & MNT_EXPIRE))
		error = -EINVAL;
	else
		error = mount_detach(root, flags & MNT_DETACH);
	mutex_unlock(&rename_lock);
	dentry_put(root);
	return error;
}

/* ---- mounting ---------------------------------------------------------------------------------------- */

struct mount_request {
	char *source, *type, *options; /* kernel memory; NULL: not given */
	struct dentry *where;
	u32 flags;
};

static int mount_new(const struct mount_request *request)
{
	const struct fs_type *type;
	struct super *super;
	int error;

	if (!request->type)
		return -EINVAL;
	type = fs_type_find(request->type);
	if (IS_ERR(type))
		return PTR_ERR(type);
	super = super_create(type, request->source ?: "none", request->flags & MS_KEPT,
			     request->options);
	if (IS_ERR(super))
		return PTR_ERR(super);
	error = mount_attach(super, request->where);
	if (error) {
		super->detached = true;
		super_end(super);
	}
	return error;
}

static int mount_remount(const struct mount_request *request)
{
	struct super *super = request->where->super;
	int error = 0;

	if (request->where != super->root)
		return -EINVAL;
	if (super->type->remount && !(request->flags & MS_BIND))
		error = super->type->remount(super, request->options);
	if (!error)
		WRITE_ONCE(super->flags, request->flags & MS_KEPT);
	return error;
}

/* Is `dentry` in `super` or in what is mounted in it? Under names_lock. */
static bool is_below(const struct dentry *dentry, const struct super *super)
{
	for (; dentry; dentry = dentry->super->mountpoint)
		if (dentry->super == super)
			return true;
	return false;
}

static int mount_move(const struct mount_request *request)
{
	struct dentry *root, *old = NULL, *where = request->where;
	struct super *super;
	int error;

	if (!request->source)
		return -EINVAL;
	root = path_walk(AT_FDCWD, request->source, WALK_FOLLOW);
	if (IS_ERR(root))
		return PTR_ERR(root);
	super = root->super;
	spin_lock(&names_lock);
	where = mounted_top(where);
	error = may_cover(where, super);
	if (root != super->root || !super->mountpoint)
		error = -EINVAL;
	else if (is_below(where, super))
		error = -ELOOP;
	if (!error) {
		old = super->mountpoint;
		old->mounted = NULL;
		dentry_get(where);
		where->mounted = super;
		super->mountpoint = where;
	}
	spin_unlock(&names_lock);
	if (old)
		dentry_put(old);
	dentry_put(root);
	return error;
}

static int mount_as_asked(const struct mount_request *request)
{
	if (!is_fs_root())
		return -EPERM;
	if (request->flags & MS_REMOUNT)
		return mount_remount(request);
	if (request->flags & MS_BIND)
		return -EINVAL;
	if (request->flags & MS_PROPAGATION) /* there is one namespace: nothing to propagate to */
		return request->where == request->where->super->root ? 0 : -EINVAL;
	return request->flags & MS_MOVE ? mount_move(request) : mount_new(request);
}

/* A string argument that may be missing: `none` then. ERR_PTR. */
static char *optional_string(const void __user *user, char *none)
{
	return user ? path_from_user(user, true) : none;
}

static int mount_at(struct mount_request *request, const char __user *path)
{
	int error;

	request->where = user_walk(AT_FDCWD, path, WALK_FOLLOW);
	if (IS_ERR(request->where))
		return PTR_ERR(request->where);
	mutex_lock(&rename_lock);
	error = mount_as_asked(request);
	mutex_unlock(&rename_lock);
	dentry_put(request->where);
	return error;
}

long sys_mount(const char __user *source, const char __user *path, const char __user *type,
	       u64 flags, const void __user *data)
{
	char no_options[1] = "";
	struct mount_request request = { .flags = flags };
	char **const strings[] = { &request.type, &request.source, &request.options };
	long error = 0;

	request.type = optional_string(type, NULL);
	request.source = optional_string(source, NULL);
	request.options = optional_string(data, no_options);
	for (size_t i = 0; i < ARRAY_SIZE(strings) && !error; i++)
		error = IS_ERR(*strings[i]) ? PTR_ERR(*strings[i]) : 0;
	if (!error)
		error = mount_at(&request, path);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (*strings[i] != no_options)
			path_free(*strings[i]);
	return error;
}

/* ---- what /proc shows -------------------------------------------------------------------------------- */

/* The root of the first mount whose id is above; held, or NULL. */
static struct dentry *mount_after(u32 id)
{
	struct dentry *found = NULL;
	struct super *super;

	spin_lock(&names_lock);
	list_for_each_entry(super, &mounts, link) {
		if (super->id > id) {
			found = super->root;
			dentry_hold(found);
			break;
		}
	}
	spin_unlock(&names_lock);
	return found;
}

/* White space and backslashes would be taken for the fields' ends. */
static void print_escaped(struct seq_buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr(" \t\n\\", *text))
			seq_printf(out, "\\%03o", (u8)*text);
		else
			seq_putc(out, *text);
	}
}

static void print_flags(struct seq_buf *out, u32 flags)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] = {
		{ MS_SYNCHRONOUS, ",sync" },	  { MS_DIRSYNC, ",dirsync" },
		{ MS_NOSUID, ",nosuid" },	  { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },	  { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" },
	};

	seq_printf(out, "%s", flags & MS_RDONLY ? "ro" : "rw");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			seq_printf(out, "%s", names[i].name);
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		seq_printf(out, ",relatime");
}

static void print_type_options(struct seq_buf *out, struct super *super)
{
	if (super->type->show_options)
		super->type->show_options(super, out);
}

static void print_mount(struct seq_buf *out, struct super *super, const char *path)
{
	print_escaped(out, super->source);
	seq_putc(out, ' ');
	print_escaped(out, path);
	seq_printf(out, " %s ", super->type->name);
	print_flags(out, super->flags);
	print_type_options(out, super);
	seq_printf(out, " 0 0\n");
}

static void print_mountinfo(struct seq_buf *out, struct super *super, const char *path)
{
	u32 parent;

	spin_lock(&names_lock);
	parent = super->mountpoint ? super->mountpoint->super->id : super->id;
	spin_unlock(&names_lock);
	seq_printf(out, "%u %u %u:%u / ", super->id, parent, dev_major(super->dev),
		   dev_minor(super->dev));
	print_escaped(out, path);
	seq_putc(out, ' ');
	print_flags(out, super->flags);
	seq_printf(out, " - %s ", super->type->name);
	print_escaped(out, super->source);
	seq_printf(out, " %s", super->flags & MS_RDONLY ? "ro" : "rw");
	print_type_options(out, super);
	seq_putc(out, '\n');
}

/* Each mount that is visible from the current root. */
static void for_each_visible(struct seq_buf *out,
			     void (*print)(struct seq_buf *out, struct super *super,
					   const char *path))
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct dentry *top = fs_root_get(), *root;

	if (!buf)
		out->failed = true;
	for (u32 id = 0; buf && (root = mount_after(id)); dentry_drop(root)) {
		bool visible;
		char *path = dentry_path_from(root, top, buf, PATH_MAX, &visible);

		id = root->super->id;
		if (visible)
			print(out, root->super, path);
	}
	dentry_put(top);
	kfree(buf);
}

void mounts_print(struct seq_buf *out)
{
	for_each_visible(out, print_mount);
}

void mountinfo_print(struct seq_buf *out)
{
	for_each_visible(out, print_mountinfo);
}
