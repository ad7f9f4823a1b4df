/* Directories: listing, the current one, mounts; and what a path may be. */
#include <sys/mount.h>
#include <tests/sys/test.h>

static char buf[1 << 16];

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, for each file system has its own order. */
static void list(const char *path)
{
	char *names[100], line[1000] = "";
	struct dirent *entry;
	size_t count = 0;
	DIR *dir = opendir(path);

	if (!dir) {
		say("%s: %s", path, errno_text(errno));
		return;
	}
	while ((entry = readdir(dir)) && count < ARRAY_SIZE(names)) {
		snprintf(buf, sizeof(buf), "%s/%d", entry->d_name, entry->d_type);
		names[count++] = strdup(buf);
	}
	closedir(dir);
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++)
		strcat(strcat(line, " "), names[i]);
	say("%s:%s", path, line);
}

TEST(listing)
{
	put_file("file", "");
	MUST(mkdir("dir", 0755));
	MUST(symlink("x", "link"));
	MUST(mknod("fifo", S_IFIFO | 0644, 0));
	MUST(mknod("null", S_IFCHR | 0644, 0x103));
	list(".");
	list("dir");
	list("file");
	list("none");
	unlink("file");
	list(".");
}

struct linux_dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

TEST(getdents_buffers)
{
	int fd = MUST(open(".", O_RDONLY)), entries = 0;
	long n;

	for (int i = 0; i < 200; i++) {
		snprintf(buf, sizeof(buf), "a-rather-long-name-%d", i);
		put_file(buf, "");
	}
	SHOW(syscall(SYS_getdents64, fd, buf, 0));
	SHOW(syscall(SYS_getdents64, fd, buf, 20));
	while ((n = syscall(SYS_getdents64, fd, buf, 100)) > 0) {
		for (long at = 0; at < n; at += ((struct linux_dirent64 *)(buf + at))->reclen)
			entries++;
	}
	say("%d entries, then %ld", entries, n);
	SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	SHOW(lseek(fd, 0, SEEK_SET));
	entries = 0;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n; at += ((struct linux_dirent64 *)(buf + at))->reclen)
			entries++;
	}
	say("again: %d entries", entries);
	MUST(lseek(fd, 0, SEEK_SET));
	SHOW(syscall(SYS_getdents64, fd, (void *)16, 1000));
	SHOW(syscall(SYS_getdents64, MUST(open("/dev/null", O_RDONLY)), buf, 1000));
	SHOW(syscall(SYS_getdents64, -1, buf, 1000));
	n = syscall(SYS_getdents, fd, buf, sizeof(buf));
	say("the old call: %s", yes_no(n > 0));
}

TEST(removing_while_listing)
{
	struct dirent *entry;
	int left = 0;
	DIR *dir;

	for (int i = 0; i < 500; i++) {
		snprintf(buf, sizeof(buf), "file%d", i);
		put_file(buf, "");
	}
	dir = opendir(".");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f')
			MUST(unlink(entry->d_name));
	closedir(dir);
	dir = opendir(".");
	while ((entry = readdir(dir)))
		left += entry->d_name[0] == 'f';
	say("%d left", left);
}

TEST(telldir)
{
	struct dirent *entry;
	char third[256] = "";
	long where = 0;
	DIR *dir;

	for (int i = 0; i < 10; i++) {
		snprintf(buf, sizeof(buf), "%d", i);
		put_file(buf, "");
	}
	dir = opendir(".");
	for (int i = 0; (entry = readdir(dir)); i++) {
		if (i == 4)
			strcpy(third, entry->d_name);
		if (i == 3)
			where = telldir(dir);
	}
	seekdir(dir, where);
	entry = readdir(dir);
	say("back at the same entry: %s", yes_no(entry && !strcmp(entry->d_name, third)));
}

TEST(current)
{
	char top[PATH_MAX];

	MUST(mkdir("a", 0755));
	MUST(mkdir("a/b", 0755));
	MUST(symlink("a/b", "s"));
	put_file("file", "");
	MUST(getcwd(top, sizeof(top)) ? 0 : -1);
	SHOW(chdir("s"));
	MUST(getcwd(buf, sizeof(buf)) ? 0 : -1);
	say("%s", buf + strlen(top));
	SHOW(syscall(SYS_getcwd, buf, 5));
	SHOW(syscall(SYS_getcwd, buf, 0));
	say("length with the zero: %s",
	    yes_no(syscall(SYS_getcwd, buf, sizeof(buf)) == (long)strlen(buf) + 1));
	SHOW(syscall(SYS_getcwd, (void *)16, 1000));
	SHOW(chdir(top));
	SHOW(chdir("file"));
	SHOW(chdir("none"));
	SHOW(chdir(""));
	SHOW(fchdir(MUST(open("file", O_RDONLY))));
	SHOW(fchdir(MUST(open("a", O_RDONLY))));
	SHOW(rename("../a", "../c"));
	MUST(getcwd(buf, sizeof(buf)) ? 0 : -1);
	say("%s", buf + strlen(top));
	SHOW(chdir("/"));
	SHOW(chdir(".."));
	say("%s", getcwd(buf, sizeof(buf)));
}

TEST(path_limits)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	SHOW_AS("name of 255", open(name, O_CREAT | O_WRONLY, 0644) >= 0 ? 0 : -1);
	name[255] = 'n';
	name[256] = 0;
	SHOW_AS("name of 256", open(name, O_CREAT | O_WRONLY, 0644) >= 0 ? 0 : -1);
	SHOW_AS("mkdir, name of 256", mkdir(name, 0755));
	SHOW_AS("stat, name of 256", access(name, F_OK));
	memset(buf, '/', PATH_MAX);
	buf[PATH_MAX - 2] = '.';
	buf[PATH_MAX - 1] = 0;
	SHOW_AS("path of 4095", open(buf, O_RDONLY) >= 0 ? 0 : -1);
	buf[PATH_MAX - 1] = '.';
	buf[PATH_MAX] = 0;
	SHOW_AS("path of 4096", open(buf, O_RDONLY) >= 0 ? 0 : -1);
}

TEST(spelling)
{
	MUST(mkdir("d", 0755));
	put_file("d/f", "text");
	SHOW_OK(open("./d/./f", O_RDONLY));
	SHOW_OK(open("d//f", O_RDONLY));
	SHOW_OK(open("d/../d/f", O_RDONLY));
	SHOW_OK(open("none/../d/f", O_RDONLY));
	SHOW_OK(open("d/f/..", O_RDONLY));
	SHOW_OK(open("d/f/.", O_RDONLY));
	SHOW_OK(open("d/", O_RDONLY));
	SHOW_OK(open("d//", O_RDONLY));
	SHOW_OK(open("/..", O_RDONLY));
	SHOW_OK(open("/../../dev/null", O_RDONLY));
	SHOW_OK(open("///dev///null", O_RDONLY));
	SHOW_OK(open("...", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(open("a\xff\x01 b", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(open(" ", O_CREAT | O_WRONLY, 0644));
}

TEST(deep)
{
	int depth = 0;

	while (depth < 1000 && mkdir("d", 0755) == 0 && chdir("d") == 0)
		depth++;
	say("%d levels", depth);
	SHOW_OK(syscall(SYS_getcwd, buf, sizeof(buf)));
	SHOW_OK(syscall(SYS_getcwd, buf, 1000));
	while (depth > 0 && chdir("..") == 0 && rmdir("d") == 0)
		depth--;
	say("%d levels left", depth);
}

TEST(openat2)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { 0 };
	int d;

	MUST(mkdir("d", 0755));
	put_file("d/f", "text");
	put_file("out", "text");
	MUST(symlink("f", "d/s"));
	MUST(symlink("../out", "d/up"));
	MUST(symlink("/dev/null", "d/abs"));
	d = MUST(open("d", O_RDONLY));
	SHOW_OK(syscall(SYS_openat2, d, "s", &how, sizeof(how)));
	how.resolve = 4; /* NO_SYMLINKS */
	SHOW_OK(syscall(SYS_openat2, d, "s", &how, sizeof(how)));
	how.resolve = 8; /* BENEATH */
	SHOW_OK(syscall(SYS_openat2, d, "f", &how, sizeof(how)));
	SHOW_OK(syscall(SYS_openat2, d, "up", &how, sizeof(how)));
	SHOW_OK(syscall(SYS_openat2, d, "abs", &how, sizeof(how)));
	SHOW_OK(syscall(SYS_openat2, d, "../out", &how, sizeof(how)));
	how.resolve = 1; /* NO_XDEV */
	SHOW_OK(syscall(SYS_openat2, AT_FDCWD, "/proc/self", &how, sizeof(how)));
	how.resolve = 0x1000;
	SHOW_OK(syscall(SYS_openat2, d, "f", &how, sizeof(how)));
	how.resolve = 0;
	SHOW_OK(syscall(SYS_openat2, d, "f", &how, 8));
	how.mode = 0644;
	SHOW_OK(syscall(SYS_openat2, d, "f", &how, sizeof(how)));
	how.mode = 0;
	how.flags = 1UL << 40;
	SHOW_OK(syscall(SYS_openat2, d, "f", &how, sizeof(how)));
}

TEST(mount_tmpfs)
{
	struct stat inside, outside;

	MUST(mkdir("m", 0755));
	put_file("m/below", "");
	MUST(stat("m", &outside));
	SHOW(mount("none", "m", "tmpfs", 0, "mode=700"));
	MUST(stat("m", &inside));
	say("mode %o, another device: %s", inside.st_mode, yes_no(inside.st_dev != outside.st_dev));
	list("m");
	put_file("m/file", "text");
	SHOW(rename("m/file", "file"));
	SHOW(link("m/file", "file"));
	SHOW(rmdir("m"));
	MUST(chdir("m"));
	SHOW(umount("../m"));
	MUST(chdir(".."));
	IN_CHILD("holder")
	{
		MUST(open("m/file", O_RDONLY));
		SHOW(umount("m"));
	}
	SHOW(umount("m"));
	list("m");
	SHOW(umount("m"));
	SHOW(mount("none", "m", "no-such-fs", 0, NULL));
	SHOW(mount("none", "none", "tmpfs", 0, NULL));
	SHOW(mount("none", "m/below", "tmpfs", 0, NULL));
	SHOW(umount("none"));
	SHOW(umount2("m", 0x100));
}

TEST(mount_over_mount)
{
	MUST(mkdir("m", 0755));
	SHOW(mount("one", "m", "tmpfs", 0, NULL));
	put_file("m/one", "");
	SHOW(mount("two", "m", "tmpfs", 0, NULL));
	list("m");
	SHOW(umount("m"));
	list("m");
	SHOW(umount("m"));
}

TEST(chroot)
{
	MUST(mkdir("r", 0755));
	put_file("r/file", "text");
	IN_CHILD("inside")
	{
		SHOW(chroot("r"));
		SHOW_OK(open("r/file", O_RDONLY));
		MUST(chdir("/"));
		SHOW_OK(open("file", O_RDONLY));
		SHOW_OK(open("/file", O_RDONLY));
		SHOW_OK(open("/../../file", O_RDONLY));
		SHOW_OK(open("../proc", O_RDONLY));
		say("%s", getcwd(buf, sizeof(buf)));
	}
	SHOW(chroot("none"));
	SHOW(chroot("r/file"));
}
