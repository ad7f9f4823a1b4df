/* Self-tests of /proc: what is registered is found, every file can be read, and nothing is left behind. */
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/proc/proc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/selftest.h>

#define MAX_DEPTH 6   /* /proc/PID/task/TID/fd/N */
#define PIECE	  500 /* what is read at once: not as much as a file holds */

static struct super *mount_proc(void)
{
	char options[] = "";

	return super_create(fs_type_find("proc"), "proc", 0, options);
}

static void unmount_proc(struct super *super)
{
	super->detached = true;
	super_end(super);
}

/* But for what the allocators keep for themselves. */
static void count_objects(const struct slab_stats *stats, void *arg)
{
	if (strcmp(stats->name, "magazine") && strcmp(stats->name, "vmap_area"))
		*(u64 *)arg += stats->active_objects;
}

static u64 objects_in_use(void)
{
	u64 count = 0;

	slab_stats_for_each(count_objects, &count);
	return count;
}

/* ---- looking ------------------------------------------------------------------------------------------ */

/* Down from `at`, whose reference is taken over. */
static struct dentry *walk(struct dentry *at, const char *path)
{
	while (!IS_ERR(at) && *path) {
		const char *slash = strchr(path, '/');
		size_t length = slash ? (size_t)(slash - path) : strlen(path);
		struct dentry *child = lookup_child(at, path, length);

		dentry_put(at);
		at = child;
		path += length + (slash != NULL);
	}
	return at;
}

static struct dentry *walk_from_root(struct super *super, const char *path)
{
	dentry_get(super->root);
	return walk(super->root, path);
}

/* The text from `pos` on, with a zero. Its length, or -errno. */
static ssize_t read_text(struct super *super, const char *path, char *buf, size_t size, loff_t pos)
{
	struct dentry *dentry = walk_from_root(super, path);
	struct file *file = IS_ERR(dentry) ? (void *)dentry : dentry_open(dentry, O_RDONLY);
	ssize_t length;

	if (!IS_ERR(dentry))
		dentry_put(dentry);
	if (IS_ERR(file))
		return PTR_ERR(file);
	length = file_read_kernel(file, buf, size - 1, &pos);
	buf[max(length, (ssize_t)0)] = '\0';
	file_put(file);
	return length;
}

/* ---- going through all of it --------------------------------------------------------------------------- */

struct visit {
	struct dir_context context;
	struct dentry *dir;
	u32 depth;
	u32 files, missing; /* seen; listed, but not found */
};

static void visit_dir(struct dentry *dentry, struct visit *above);

static void visit_file(struct dentry *dentry)
{
	struct file *file = dentry_open(dentry, O_RDONLY);
	char piece[PIECE];
	loff_t pos = 0;

	if (IS_ERR(file))
		return;
	while (file_read_kernel(file, piece, sizeof(piece), &pos) > 0)
		;
	file_put(file);
}

static void visit_link(const struct inode *inode)
{
	char text[64];

	if (inode->ops->readlink)
		inode->ops->readlink((struct inode *)inode, text, sizeof(text));
}

static bool visit_entry(struct dir_context *context, const char *name, size_t length, u64 ino,
			u32 type)
{
	struct visit *visit = container_of(context, struct visit, context);
	struct dentry *child;

	if (name[0] == '.')
		return true;
	child = lookup_child(visit->dir, name, length);
	visit->files++;
	if (IS_ERR(child)) {
		visit->missing++;
		return true;
	}
	if (S_ISDIR(child->inode->mode) && visit->depth < MAX_DEPTH)
		visit_dir(child, visit);
	else if (S_ISLNK(child->inode->mode))
		visit_link(child->inode);
	else if (S_ISREG(child->inode->mode))
		visit_file(child);
	visit->missing += child->inode->ino != ino;
	dentry_put(child);
	return true;
}

static void visit_dir(struct dentry *dentry, struct visit *above)
{
	struct visit visit = { .context.emit = visit_entry,
			       .dir = dentry,
			       .depth = above->depth + 1 };
	struct file *file = dentry_open(dentry, O_RDONLY);

	if (IS_ERR(file))
		return;
	file->ops->iterate(file, &visit.context);
	file_put(file);
	above->files += visit.files;
	above->missing += visit.missing;
}

static struct visit visit_all(struct super *super)
{
	struct visit visit = { .depth = 0 };

	visit_dir(super->root, &visit);
	return visit;
}

/* ---- the tests ----------------------------------------------------------------------------------------- */

SELFTEST(proc_files)
{
	struct super *super = mount_proc();
	char text[128], again[128];

	EXPECT(!IS_ERR(super));
	EXPECT(read_text(super, "sys/kernel/ostype", text, sizeof(text), 0) == 6);
	EXPECT(!strcmp(text, "Linux\n"));
	EXPECT(read_text(super, "sys/kernel/ostype", text, sizeof(text), 3) == 3);
	EXPECT(!strcmp(text, "ux\n"));
	EXPECT(read_text(super, "sys/kernel/ostype", text, sizeof(text), 6) == 0);
	EXPECT(read_text(super, "sys/kernel/ostype", text, sizeof(text), INT64_MAX / 2) == 0);
	EXPECT(read_text(super, "sys/kernel/random/uuid", text, sizeof(text), 0) == 37);
	EXPECT(read_text(super, "sys/kernel/random/uuid", again, sizeof(again), 0) == 37);
	EXPECT(strcmp(text, again));
	EXPECT(read_text(super, "modules", text, sizeof(text), 0) == 0);
	EXPECT(read_text(super, "no", text, sizeof(text), 0) == -ENOENT);
	EXPECT(read_text(super, "sys/no", text, sizeof(text), 0) == -ENOENT);
	EXPECT(read_text(super, "sys", text, sizeof(text), 0) == -EISDIR);
	/* no such numbers; nor are these numbers */
	EXPECT(read_text(super, "0", text, sizeof(text), 0) == -ENOENT);
	EXPECT(read_text(super, "32768", text, sizeof(text), 0) == -ENOENT);
	EXPECT(read_text(super, "4294967297", text, sizeof(text), 0) == -ENOENT);
	EXPECT(read_text(super, "1x", text, sizeof(text), 0) == -ENOENT);
	unmount_proc(super);
}

/* One text at all positions, though it would be another one if it were made again. */
SELFTEST(proc_snapshot)
{
	struct super *super = mount_proc();
	struct dentry *dentry;
	struct file *file;
	char whole[64] = "", piece[64];
	loff_t pos = 0, at;
	ssize_t length;

	EXPECT(!IS_ERR(super));
	dentry = walk_from_root(super, "sys/kernel/random/uuid");
	EXPECT(!IS_ERR(dentry));
	file = dentry_open(dentry, O_RDONLY);
	dentry_put(dentry);
	EXPECT(!IS_ERR(file));
	length = file_read_kernel(file, whole, sizeof(whole), &pos);
	EXPECT(length == 37 && pos == 37);
	for (at = 1; at < length;) {
		loff_t from = at;

		EXPECT(file_read_kernel(file, piece, 5, &at) > 0);
		EXPECT(!memcmp(piece, whole + from, at - from));
	}
	pos = 0;
	EXPECT(file_read_kernel(file, piece, sizeof(piece), &pos) == 37);
	EXPECT(memcmp(piece, whole, 37));
	file_put(file);
	unmount_proc(super);
}

static struct kernel_thread_names {
	char dir[16], stat[64];
} names_of_current(void)
{
	struct kernel_thread_names names;

	snprintf(names.dir, sizeof(names.dir), "%u", current->pid);
	snprintf(names.stat, sizeof(names.stat), "%u/task/%u/stat", current->pid, current->pid);
	return names;
}

/* A kernel thread has a directory, but nothing that belongs to programs. */
SELFTEST(proc_kernel_thread)
{
	struct kernel_thread_names names = names_of_current();
	struct super *super = mount_proc();
	struct dentry *dir, *link;
	char text[512], expected[64];

	EXPECT(!IS_ERR(super));
	EXPECT(read_text(super, names.stat, text, sizeof(text), 0) > 0);
	snprintf(expected, sizeof(expected), "%u (%s) R 0 ", current->pid, current->name);
	EXPECT(!strncmp(text, expected, strlen(expected)));

	dir = walk_from_root(super, names.dir);
	EXPECT(!IS_ERR(dir));
	link = lookup_child(dir, "exe", 3);
	EXPECT(!IS_ERR(link) && link->inode->ops->readlink(link->inode, text, 64) == -ENOENT);
	dentry_put(link);
	EXPECT(lookup_child(dir, "fd/0", 4) == ERR_PTR(-ENOENT));
	dentry_put(dir);
	link = walk_from_root(super, "self");
	EXPECT(!IS_ERR(link) && link->inode->ops->readlink(link->inode, text, 64) == -ENOENT);
	dentry_put(link);
	unmount_proc(super);
}

SELFTEST(proc_visit_all)
{
	u64 before = objects_in_use();
	struct super *super = mount_proc();
	struct visit visit;

	EXPECT(!IS_ERR(super));
	visit = visit_all(super);
	EXPECT(visit.files > 50 && visit.missing == 0);
	EXPECT(super->users == 0);
	unmount_proc(super);
	EXPECT(objects_in_use() == before);
}

/* Whatever cannot be had, there is an error and nothing is lost. */
SELFTEST(proc_no_memory)
{
	u64 before = objects_in_use(), rate = fault_inject_rate();

	for (u64 every = 2; every < 40; every++) {
		struct super *super = mount_proc();

		EXPECT(!IS_ERR(super));
		fault_inject_every(every);
		visit_all(super);
		fault_inject_every(rate);
		EXPECT(super->users == 0);
		unmount_proc(super);
	}
	EXPECT(objects_in_use() == before);
}
