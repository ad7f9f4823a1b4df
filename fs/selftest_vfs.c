/* Self-tests of the tree: the walk, names, files, mounts, and that nothing is left behind. */
#include <fs/make.h>
#include <fs/mount.h>
#include <fs/remove.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>

#define TOP "/selftest"

/* ---- what is in use ---------------------------------------------------------------------------------- */

struct usage {
	u64 objects; /* of the caches that belong to the tree */
	u64 blocks;  /* the root's pages of data */
};

static void count_objects(const struct slab_stats *stats, void *arg)
{
	static const char *const names[] = { "inode", "dentry", "page_tree_node", "path", "file" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(stats->name, names[i]))
			((struct usage *)arg)->objects += stats->active_objects;
}

static struct usage usage_now(void)
{
	struct usage usage = { .blocks = init_fs->root->super->used_blocks };

	slab_stats_for_each(count_objects, &usage);
	return usage;
}

static bool as_before(struct usage before)
{
	struct usage now = usage_now();

	return now.objects == before.objects && now.blocks == before.blocks;
}

/* ---- shorthands -------------------------------------------------------------------------------------- */

static int made(struct dentry *dentry)
{
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	dentry_put(dentry);
	return 0;
}

static int make_dir(const char *path)
{
	return made(make_at(AT_FDCWD, path, S_IFDIR | 0755, 0, NULL));
}

static int make_file(const char *path)
{
	return made(make_at(AT_FDCWD, path, S_IFREG | 0644, 0, NULL));
}

static int make_link(const char *path, const char *target)
{
	return made(make_at(AT_FDCWD, path, S_IFLNK | 0777, 0, target));
}

static int walk_to(const char *path, u32 flags)
{
	return made(path_walk(AT_FDCWD, path, flags));
}

static int open_close(const char *path, u32 flags)
{
	struct file *file = file_open(path, flags, 0644);

	if (IS_ERR(file))
		return PTR_ERR(file);
	file_put(file);
	return 0;
}

static int unlink_path(const char *path)
{
	return remove_at(AT_FDCWD, path, false);
}

static int rmdir_path(const char *path)
{
	return remove_at(AT_FDCWD, path, true);
}

static int rename_path(const char *from, const char *to, u32 flags)
{
	return rename_at(AT_FDCWD, from, AT_FDCWD, to, flags);
}

/* Where a path ends, as text. */
static bool leads_to(const char *path, const char *expected)
{
	static char buf[PATH_MAX];
	struct dentry *dentry = path_walk(AT_FDCWD, path, WALK_FOLLOW);
	bool same;

	if (IS_ERR(dentry))
		return false;
	same = !strcmp(dentry_path(dentry, buf, sizeof(buf)), expected);
	dentry_put(dentry);
	return same;
}

/* ---- the walk ---------------------------------------------------------------------------------------- */

static int make_walk_tree(void)
{
	int error = make_dir(TOP) ?: make_dir(TOP "/d") ?: make_dir(TOP "/d/e") ?: make_file(TOP "/d/f");

	error = error ?: make_link(TOP "/to-d", "d") ?: make_link(TOP "/to-f", TOP "/d/f");
	error = error ?: make_link(TOP "/d/up", "../d/./e/..") ?: make_link(TOP "/self", "self");
	return error ?: make_link(TOP "/nowhere", "no/where") ?: make_link(TOP "/f-slash", "d/f/");
}

static int remove_walk_tree(void)
{
	int error = unlink_path(TOP "/to-d") ?: unlink_path(TOP "/to-f") ?: unlink_path(TOP "/d/up");

	error = error ?: unlink_path(TOP "/self") ?: unlink_path(TOP "/nowhere");
	error = error ?: unlink_path(TOP "/f-slash") ?: unlink_path(TOP "/d/f");
	return error ?: rmdir_path(TOP "/d/e") ?: rmdir_path(TOP "/d") ?: rmdir_path(TOP);
}

SELFTEST(vfs_walk)
{
	static const struct {
		const char *path;
		u32 flags;
		int result;
	} walks[] = {
		{ "", 0, -ENOENT },
		{ "/", 0, 0 },
		{ "/../..", 0, 0 },
		{ TOP "/d/f", 0, 0 },
		{ "//" TOP "//d/.//f", 0, 0 },
		{ TOP "/d/f/", 0, -ENOTDIR },
		{ TOP "/d/f/x", 0, -ENOTDIR },
		{ TOP "/d/f/..", 0, -ENOTDIR },
		{ TOP "/d/none", 0, -ENOENT },
		{ TOP "/none/f", 0, -ENOENT },
		{ TOP "/to-d/f", 0, 0 },
		{ TOP "/to-d/", WALK_DIRECTORY, 0 },
		{ TOP "/to-d", WALK_DIRECTORY, -ENOTDIR },
		{ TOP "/to-d", WALK_DIRECTORY | WALK_FOLLOW, 0 },
		{ TOP "/self", 0, 0 },
		{ TOP "/self", WALK_FOLLOW, -ELOOP },
		{ TOP "/self/x", 0, -ELOOP },
		{ TOP "/nowhere", WALK_FOLLOW, -ENOENT },
		{ TOP "/f-slash", WALK_FOLLOW, -ENOTDIR },
	};
	struct usage before = usage_now();

	EXPECT(make_walk_tree() == 0);
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++)
		EXPECT(walk_to(walks[i].path, walks[i].flags) == walks[i].result);
	EXPECT(leads_to(TOP "/to-d/up/up/e", TOP "/d/e"));
	EXPECT(leads_to(TOP "/to-f", TOP "/d/f"));
	EXPECT(leads_to("/..", "/"));
	EXPECT(open_close(TOP "/self", O_NOFOLLOW) == -ELOOP);
	EXPECT(open_close(TOP "/to-d", O_NOFOLLOW | O_DIRECTORY) == -ENOTDIR);
	EXPECT(open_close(TOP "/d", O_CREAT) == -EISDIR);
	EXPECT(open_close(TOP "/d/new/", O_CREAT) == -EISDIR);
	EXPECT(open_close(TOP "/nowhere", O_CREAT | O_EXCL) == -EEXIST);
	EXPECT(remove_walk_tree() == 0);
	EXPECT(as_before(before));
}

/* A chain of symlinks, each to the one before: 40 may be followed. */
SELFTEST(vfs_symlink_limit)
{
	char from[] = TOP "/00", to[] = "00";
	struct usage before = usage_now();

	EXPECT(make_dir(TOP) == 0 && make_file(TOP "/00") == 0);
	for (int i = 1; i <= MAX_SYMLINKS + 1; i++) {
		from[sizeof(from) - 3] = '0' + i / 10;
		from[sizeof(from) - 2] = '0' + i % 10;
		EXPECT(make_link(from, to) == 0);
		memcpy(to, from + sizeof(from) - 3, 2);
		EXPECT(walk_to(from, WALK_FOLLOW) == (i > MAX_SYMLINKS ? -ELOOP : 0));
	}
	for (int i = 0; i <= MAX_SYMLINKS + 1; i++) {
		from[sizeof(from) - 3] = '0' + i / 10;
		from[sizeof(from) - 2] = '0' + i % 10;
		EXPECT(unlink_path(from) == 0);
	}
	EXPECT(rmdir_path(TOP) == 0);
	EXPECT(as_before(before));
}

SELFTEST(vfs_long_names)
{
	static char path[NAME_MAX + 16];

	memset(path, 'n', sizeof(path));
	path[0] = '/';
	path[NAME_MAX + 1] = 0;
	EXPECT(make_file(path) == 0);
	EXPECT(walk_to(path, 0) == 0);
	path[NAME_MAX + 1] = 'n';
	path[NAME_MAX + 2] = 0;
	EXPECT(make_file(path) == -ENAMETOOLONG);
	EXPECT(walk_to(path, 0) == -ENAMETOOLONG);
	path[NAME_MAX + 1] = 0;
	EXPECT(unlink_path(path) == 0);
}

/* ---- names ------------------------------------------------------------------------------------------- */

SELFTEST(vfs_rename)
{
	struct usage before = usage_now();

	EXPECT(make_walk_tree() == 0);
	EXPECT(make_dir(TOP "/g") == 0 && make_file(TOP "/g/h") == 0);
	EXPECT(rename_path(TOP "/d", TOP "/d/e/x", 0) == -EINVAL);
	EXPECT(rename_path(TOP "/d/e", TOP "/d", 0) == -ENOTEMPTY);
	EXPECT(rename_path(TOP "/d", TOP "/g", 0) == -ENOTEMPTY);
	EXPECT(rename_path(TOP "/d", TOP "/g/h", 0) == -ENOTDIR);
	EXPECT(rename_path(TOP "/g/h", TOP "/d", 0) == -EISDIR);
	EXPECT(rename_path(TOP "/g/h", TOP "/d/f", 1) == -EEXIST);
	EXPECT(rename_path(TOP "/g/h", TOP "/d/x", 2) == -ENOENT);
	EXPECT(rename_path(TOP "/d", TOP "/d/e", 2) == -EINVAL);
	EXPECT(rename_path(TOP "/.", TOP "/x", 0) == -EBUSY);
	/* exchange a directory and a file, and back */
	EXPECT(rename_path(TOP "/d/e", TOP "/g/h", 2) == 0);
	EXPECT(walk_to(TOP "/g/h", WALK_DIRECTORY) == 0 && walk_to(TOP "/d/e/", 0) == -ENOTDIR);
	EXPECT(rename_path(TOP "/d/e", TOP "/g/h", 2) == 0);
	/* over an empty directory, and over a file */
	EXPECT(rename_path(TOP "/g/h", TOP "/d/f", 0) == 0);
	EXPECT(rename_path(TOP "/d/e", TOP "/g", 0) == 0);
	EXPECT(walk_to(TOP "/d/e", 0) == -ENOENT);
	EXPECT(rename_path(TOP "/g", TOP "/d/e", 0) == 0);
	EXPECT(leads_to(TOP "/d/e/../f", TOP "/d/f"));
	EXPECT(remove_walk_tree() == 0);
	EXPECT(as_before(before));
}

/* What is open stays, and says that it has no name. */
SELFTEST(vfs_open_unlinked)
{
	static char buf[PATH_MAX];
	struct usage before = usage_now();
	struct file *file;
	char text[4] = "";
	loff_t pos = 0;

	EXPECT(make_dir(TOP) == 0);
	file = file_open(TOP "/f", O_RDWR | O_CREAT | O_EXCL, 0600);
	EXPECT(!IS_ERR(file));
	EXPECT(file_write_kernel(file, "abc", 3, &pos) == 3);
	EXPECT(unlink_path(TOP "/f") == 0 && rmdir_path(TOP) == 0);
	EXPECT(!strcmp(dentry_path(file->dentry, buf, sizeof(buf)), TOP "/f (deleted)"));
	pos = 0;
	EXPECT(file_read_kernel(file, text, 3, &pos) == 3 && !strcmp(text, "abc"));
	EXPECT(file->dentry->inode->nlink == 0);
	file_put(file);
	EXPECT(as_before(before));
}

SELFTEST(vfs_hard_links)
{
	struct usage before = usage_now();
	struct dentry *dentry;

	EXPECT(make_walk_tree() == 0);
	dentry = path_walk(AT_FDCWD, TOP "/d/f", 0);
	EXPECT(!IS_ERR(dentry));
	EXPECT(link_at(dentry->inode, AT_FDCWD, TOP "/d/e/l") == 0);
	EXPECT(link_at(dentry->inode, AT_FDCWD, TOP "/d/e/l") == -EEXIST);
	EXPECT(dentry->inode->nlink == 2);
	EXPECT(rename_path(TOP "/d/e/l", TOP "/d/f", 0) == 0); /* the same file: nothing to do */
	EXPECT(unlink_path(TOP "/d/e/l") == 0 && dentry->inode->nlink == 1);
	dentry_put(dentry);
	EXPECT(remove_walk_tree() == 0);
	EXPECT(as_before(before));
}

/* ---- mounts ------------------------------------------------------------------------------------------ */

SELFTEST(vfs_mounts)
{
	char options[] = "size=64k,nr_inodes=8,mode=0700", bad[] = "size=x";
	const struct fs_type *tmpfs = fs_type_find("tmpfs");
	struct usage before = usage_now();
	struct dentry *where, *root;
	struct super *super;

	EXPECT(super_create(tmpfs, "test", 0, bad) == ERR_PTR(-EINVAL));
	EXPECT(make_walk_tree() == 0);
	super = super_create(tmpfs, "test", 0, options);
	where = path_walk(AT_FDCWD, TOP "/d/e", WALK_DIRECTORY);
	EXPECT(!IS_ERR(super) && !IS_ERR(where));
	EXPECT(mount_attach(super, where) == 0);
	dentry_put(where);
	EXPECT(make_dir(TOP "/d/e/inside") == 0);
	EXPECT(leads_to(TOP "/d/e/inside", TOP "/d/e/inside"));
	EXPECT(leads_to(TOP "/d/e/inside/../../f", TOP "/d/f"));
	EXPECT(rmdir_path(TOP "/d/e") == -EBUSY);
	EXPECT(rename_path(TOP "/d/e/inside", TOP "/d/x", 0) == -EXDEV);
	for (int i = 0; i < 6; i++) /* with the root and one directory, six more */
		EXPECT(make_file((char[]){ '/', 's', 'e', 'l', 'f', 't', 'e', 's', 't', '/', 'd',
					   '/', 'e', '/', '0' + i, 0 }) == 0);
	EXPECT(make_file(TOP "/d/e/9") == -ENOSPC);

	/* busy while somebody is in it; gone when it is let go */
	root = path_walk(AT_FDCWD, TOP "/d/e", 0);
	where = path_walk(AT_FDCWD, TOP "/d/e/inside", 0);
	EXPECT(!IS_ERR(root) && !IS_ERR(where) && root == super->root);
	mutex_lock(&rename_lock);
	int busy = mount_detach(root, false);
	int lazy = mount_detach(root, true);
	mutex_unlock(&rename_lock);
	EXPECT(busy == -EBUSY && lazy == 0);
	EXPECT(walk_to(TOP "/d/e/inside", 0) == -ENOENT);
	dentry_put(root);
	dentry_put(where);
	EXPECT(remove_walk_tree() == 0);
	EXPECT(as_before(before));
}

/* ---- many at once, and without memory ---------------------------------------------------------------- */

/* Each of a few names in a few directories is a file, a directory, a link or nothing, and changes all the time. */
static void random_path(char path[32], u32 *seed)
{
	static const char *const dirs[] = {
		"/", "/a/", "/b/", "/a/a/", "/b/a/", "/a/b/", "/a/link/"
	};
	static const char *const names[] = { "a", "b", "c", "link" };

	strlcpy(path, TOP, 32);
	strlcpy(path + strlen(path), dirs[next_random(seed) % ARRAY_SIZE(dirs)], 16);
	strlcpy(path + strlen(path), names[next_random(seed) % ARRAY_SIZE(names)], 8);
}

static void random_operation(u32 *seed)
{
	char path[32], other[32];

	random_path(path, seed);
	random_path(other, seed);
	switch (next_random(seed) % 8) {
	case 0:
		make_dir(path);
		break;
	case 1:
		open_close(path, O_CREAT | O_RDWR | O_TRUNC);
		break;
	case 2:
		make_link(path, "../a/./b");
		break;
	case 3:
		unlink_path(path);
		break;
	case 4:
		rmdir_path(path);
		break;
	case 5:
		walk_to(path, WALK_FOLLOW);
		break;
	default:
		rename_path(path, other, next_random(seed) % 3);
	}
}

static void churn(void *arg)
{
	static u32 seeds;
	u32 seed = __atomic_add_fetch(&seeds, 7919, __ATOMIC_RELAXED);

	for (u32 i = 0; i < 1000 * selftest_scale; i++) {
		random_operation(&seed);
		cond_resched();
	}
}

/* All that is left below TOP, then TOP itself: as the end of a file system does it. */
static bool remove_all(struct super *super, struct dentry *root)
{
	int error;

	mutex_lock(&rename_lock);
	error = mount_detach(root, true);
	mutex_unlock(&rename_lock);
	dentry_put(root);
	return !error && rmdir_path(TOP) == 0;
}

static struct dentry *mount_scratch(void)
{
	struct super *super;
	struct dentry *where;
	char options[] = "";

	if (make_dir(TOP))
		return NULL;
	super = super_create(fs_type_find("tmpfs"), "test", 0, options);
	where = path_walk(AT_FDCWD, TOP, WALK_DIRECTORY);
	if (IS_ERR(super) || IS_ERR(where) || mount_attach(super, where))
		return NULL;
	dentry_put(where);
	return path_walk(AT_FDCWD, TOP, WALK_DIRECTORY);
}

/* The children of a directory say how many links it must have. */
static bool counts_are_right(struct dentry *dir)
{
	u32 dirs = 0;
	struct dentry *child;

	for (u64 cookie = 0; (child = dentry_next_child(dir, cookie)); cookie = child->cookie + 1) {
		if (child->parent != dir || !child->linked)
			return false;
		dirs += S_ISDIR(child->inode->mode);
	}
	return dir->inode->nlink == dirs + 2;
}

SELFTEST(vfs_many_threads)
{
	struct usage before = usage_now();
	struct dentry *root = mount_scratch();
	struct crew crew;

	EXPECT(root && !IS_ERR(root));
	crew_init(&crew, churn, NULL);
	crew_start(&crew, 6, "vfs");
	crew_wait(&crew, 6);
	EXPECT(counts_are_right(root));
	EXPECT(root->super->users == 1);
	EXPECT(remove_all(root->super, root));
	EXPECT(as_before(before));
}

#define MOST_ALLOCATIONS 1000 /* of a scenario: with fail-every=, some fail in every round */

/* Each allocation of a scenario fails once: an error, and nothing is lost. */
static int scenario(void)
{
	struct file *file;
	loff_t pos = 1 << 20;
	int error = make_walk_tree();

	file = file_open(TOP "/d/f", O_RDWR, 0);
	if (!IS_ERR(file)) {
		error = error ?: min((int)file_write_kernel(file, "x", 1, &pos), 0);
		file_put(file);
	} else {
		error = error ?: (int)PTR_ERR(file);
	}
	return error ?: rename_path(TOP "/d/e", TOP "/d/g", 0) ?: rename_path(TOP "/d/g", TOP "/d/e", 0);
}

static void remove_what_is_there(void)
{
	static const char *const files[] = { TOP "/to-d", TOP "/to-f",	  TOP "/d/up",
					     TOP "/self", TOP "/nowhere", TOP "/f-slash",
					     TOP "/d/f" };
	static const char *const dirs[] = { TOP "/d/e", TOP "/d/g", TOP "/d", TOP };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlink_path(files[i]);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		rmdir_path(dirs[i]);
}

SELFTEST(vfs_without_memory)
{
	struct usage before = usage_now();
	u64 failures, nth = 0;
	int error;

	do {
		failures = fault_inject_count();
		fault_inject_nth(++nth);
		error = scenario();
		fault_inject_nth(0);
		remove_what_is_there();
		EXPECT(as_before(before));
	} while (fault_inject_count() != failures && nth < MOST_ALLOCATIONS);
	EXPECT(nth > 20 && !error);
}
