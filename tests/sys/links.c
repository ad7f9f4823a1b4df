/* Names: link, unlink, rename, symlink, mkdir, rmdir and what they refuse. */
#include <tests/sys/test.h>

static char buf[PATH_MAX + 10];

static void links_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		say("%s: %s", path, errno_text(errno));
	else
		say("%s: mode %o links %ld", path, st.st_mode, (long)st.st_nlink);
}

TEST(hard_links)
{
	struct stat a, b;

	put_file("a", "text");
	SHOW(link("a", "b"));
	links_of("a");
	MUST(stat("a", &a));
	MUST(stat("b", &b));
	say("same inode: %s", yes_no(a.st_ino == b.st_ino));
	SHOW(link("a", "b"));
	SHOW(link("none", "c"));
	SHOW(link(".", "c"));
	SHOW(link("a", "none/c"));
	SHOW(link("a", "c/"));
	SHOW(link("a/", "c"));
	SHOW(link("", "c"));
	SHOW(link("a", ""));
	SHOW(unlink("a"));
	links_of("b");
	SHOW(link("b", "/proc/b"));
	MUST(symlink("b", "s"));
	SHOW(link("s", "s2"));
	links_of("s2");
	SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	links_of("s3");
	SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "s4", 0x1));
}

TEST(unlink)
{
	put_file("a", "");
	MUST(mkdir("d", 0755));
	MUST(symlink("d", "s"));
	SHOW(unlink("d"));
	SHOW(unlink("a/"));
	SHOW(unlink("a/b"));
	SHOW(unlink("none"));
	SHOW(unlink(""));
	SHOW(unlink("s/"));
	SHOW(unlink("s"));
	links_of("d");
	SHOW(unlink("a"));
	SHOW(unlink("."));
	SHOW(unlink(".."));
	SHOW(unlink("/"));
	SHOW(unlinkat(AT_FDCWD, "d", 0));
	SHOW(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	SHOW(unlinkat(AT_FDCWD, "d", 0x1000));
	SHOW(unlinkat(-1, "d", 0));
}

TEST(mkdir)
{
	SHOW(mkdir("d", 0755));
	links_of("d");
	SHOW(mkdir("d", 0755));
	SHOW(mkdir("d/", 0755));
	SHOW(mkdir("e/", 0755));
	SHOW(mkdir("d/e/f", 0755));
	SHOW(mkdir("d/e", 01777));
	links_of("d/e");
	links_of("d");
	SHOW(mkdir("", 0755));
	SHOW(mkdir(".", 0755));
	SHOW(mkdir("/", 0755));
	SHOW(mkdir("g/.", 0755));
	SHOW(mkdir("g/..", 0755));
	put_file("file", "");
	SHOW(mkdir("file", 0755));
	SHOW(mkdir("file/x", 0755));
	MUST(symlink("nowhere", "dangling"));
	SHOW(mkdir("dangling", 0755));
	SHOW(mkdir("dangling/", 0755));
	umask(0);
	SHOW(mkdir("set", 07777));
	links_of("set");
}

TEST(rmdir)
{
	MUST(mkdir("d", 0755));
	MUST(mkdir("d/e", 0755));
	put_file("file", "");
	MUST(symlink("d/e", "s"));
	SHOW(rmdir("d"));
	SHOW(rmdir("d/."));
	SHOW(rmdir("d/e/.."));
	SHOW(rmdir("file"));
	SHOW(rmdir("s"));
	SHOW(rmdir("s/"));
	SHOW(rmdir("none"));
	SHOW(rmdir(""));
	SHOW(rmdir("/"));
	SHOW(rmdir("d/e/"));
	SHOW(rmdir("d"));
	SHOW(rmdir("/proc"));
}

TEST(removed_directory)
{
	int fd;

	MUST(mkdir("d", 0755));
	fd = MUST(open("d", O_RDONLY));
	MUST(chdir("d"));
	SHOW(rmdir("../d"));
	SHOW_OK(open("x", O_CREAT | O_WRONLY, 0644));
	SHOW(mkdir("x", 0755));
	SHOW_OK(open(".", O_RDONLY));
	SHOW(chdir("."));
	SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	SHOW_OK(syscall(SYS_getcwd, buf, sizeof(buf)));
	SHOW(chdir(".."));
	SHOW(mkdir("d", 0755));
	SHOW(fchdir(fd));
	SHOW_OK(open("x", O_CREAT | O_WRONLY, 0644));
}

TEST(symlinks)
{
	SHOW(symlink("target", "s"));
	SHOW(symlink("target", "s"));
	SHOW(symlink("", "empty"));
	SHOW(symlink("x", ""));
	SHOW(symlink("x", "none/s"));
	SHOW(symlink("x", "s/"));
	SHOW(symlink("x", "t/"));
	memset(buf, 'x', sizeof(buf));
	SHOW(readlink("s", buf, 3));
	say("%.4s", buf);
	SHOW(readlink("s", buf, sizeof(buf)));
	SHOW(readlink("s", buf, 0));
	SHOW(readlink(".", buf, 10));
	SHOW(readlink("none", buf, 10));
	SHOW(readlink("s/", buf, 10));
	SHOW_OK(open("s", O_RDONLY));
	SHOW_OK(open("s", O_CREAT | O_EXCL | O_WRONLY, 0644));
	SHOW_OK(open("s", O_NOFOLLOW | O_RDONLY));
	SHOW_OK(open("s", O_CREAT | O_WRONLY, 0644));
	links_of("target");
	SHOW_OK(open("s", O_NOFOLLOW | O_WRONLY));
	SHOW_OK(open("s", O_NOFOLLOW | O_DIRECTORY));
	links_of("s");
	memset(buf, 'y', PATH_MAX);
	buf[PATH_MAX - 1] = 0;
	SHOW_AS("symlink of 4095", symlink(buf, "long"));
	buf[PATH_MAX - 1] = 'y';
	buf[PATH_MAX] = 0;
	SHOW_AS("symlink of 4096", symlink(buf, "longer"));
}

TEST(symlink_chain)
{
	char name[16], target[16];

	put_file("link0", "end");
	for (int i = 1; i <= 45; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		snprintf(target, sizeof(target), "link%d", i - 1);
		MUST(symlink(target, name));
	}
	SHOW_OK(open("link39", O_RDONLY));
	SHOW_OK(open("link40", O_RDONLY));
	SHOW_OK(open("link41", O_RDONLY));
	MUST(symlink("loop", "loop"));
	SHOW_OK(open("loop", O_RDONLY));
	SHOW_OK(open("loop/x", O_RDONLY));
	SHOW_OK(open("loop", O_CREAT | O_RDWR, 0644));
	SHOW(mkdir("loop/x", 0755));
	SHOW(unlink("loop/x"));
	SHOW(rename("loop", "loop2"));
	SHOW(chdir("loop2"));
	MUST(symlink("b/x", "a"));
	MUST(symlink("a/x", "b"));
	SHOW_OK(open("a", O_RDONLY));
}

/* Each kind onto each other kind: file, empty and full directory, symlink, nothing. */
static void make(const char *name, char kind)
{
	char inner[32];

	switch (kind) {
	case 'f':
		put_file(name, "text");
		break;
	case 'd':
		MUST(mkdir(name, 0755));
		break;
	case 'D':
		MUST(mkdir(name, 0755));
		snprintf(inner, sizeof(inner), "%s/inner", name);
		put_file(inner, "");
		break;
	case 's':
		MUST(symlink("nowhere", name));
		break;
	}
}

static void clear(const char *name)
{
	char inner[32];

	snprintf(inner, sizeof(inner), "%s/inner", name);
	unlink(inner);
	if (unlink(name))
		rmdir(name);
}

TEST(rename_matrix)
{
	static const char kinds[] = "fdDs-";
	static const int flags[] = { 0, 1 /* NOREPLACE */, 2 /* EXCHANGE */ };

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		for (int from = 0; from < 5; from++) {
			for (int to = 0; to < 5; to++) {
				char text[40];

				make("from", kinds[from]);
				make("to", kinds[to]);
				snprintf(text, sizeof(text), "renameat2(%c, %c, %d)", kinds[from],
					 kinds[to], flags[f]);
				SHOW_AS(text, syscall(SYS_renameat2, AT_FDCWD, "from", AT_FDCWD,
						      "to", flags[f]));
				links_of("from");
				links_of("to");
				clear("from");
				clear("to");
			}
		}
	}
}

TEST(rename_errors)
{
	put_file("a", "a");
	put_file("b", "b");
	MUST(mkdir("d", 0755));
	MUST(mkdir("d/e", 0755));
	MUST(link("a", "a2"));
	SHOW(rename("a", "a"));
	SHOW(rename("a", "a2"));
	links_of("a");
	links_of("a2");
	SHOW(rename("d", "d/e/f"));
	SHOW(rename("d", "d"));
	SHOW(rename("d/e", "d"));
	SHOW(rename("d", "d/e"));
	SHOW(rename("a", "none/x"));
	SHOW(rename("none", "x"));
	SHOW(rename("a", "d/"));
	SHOW(rename("a/", "x"));
	SHOW(rename("a", "x/"));
	SHOW(rename("d/", "x/"));
	SHOW(rename("x", "d"));
	SHOW(rename("d/.", "x"));
	SHOW(rename("d", "."));
	SHOW(rename("d", ".."));
	SHOW(rename("/", "x"));
	SHOW(rename("", "x"));
	SHOW(rename("a", ""));
	SHOW(rename("a", "/proc/x"));
	SHOW(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 3));
	SHOW(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 8));
	SHOW(renameat(-1, "a", AT_FDCWD, "b"));
	links_of("a");
}

TEST(rename_moves_directories)
{
	MUST(mkdir("one", 0755));
	MUST(mkdir("two", 0755));
	MUST(mkdir("one/sub", 0755));
	put_file("one/sub/file", "text");
	SHOW(rename("one/sub", "two/sub"));
	links_of("one");
	links_of("two");
	say("%s", get_file("two/sub/file"));
	MUST(chdir("two/sub"));
	SHOW(rename("../../two/sub", "../../sub"));
	SHOW(chdir(".."));
	SHOW(chdir("sub"));
	links_of("../two");
}

TEST(relative_to_descriptors)
{
	int d, file;

	MUST(mkdir("d", 0755));
	put_file("file", "text");
	d = MUST(open("d", O_RDONLY | O_DIRECTORY));
	file = MUST(open("file", O_RDONLY));
	SHOW_OK(openat(d, "x", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(openat(d, "../file", O_RDONLY));
	SHOW_OK(openat(file, "x", O_RDONLY));
	SHOW_OK(openat(-1, "x", O_RDONLY));
	SHOW_OK(openat(-1, "/proc", O_RDONLY));
	SHOW_OK(openat(AT_FDCWD, "d/x", O_RDONLY));
	SHOW(mkdirat(d, "sub", 0755));
	SHOW(symlinkat("x", d, "link"));
	SHOW(readlinkat(d, "link", buf, sizeof(buf)));
	SHOW(linkat(d, "x", AT_FDCWD, "y", 0));
	SHOW(linkat(file, "", AT_FDCWD, "z", AT_EMPTY_PATH));
	SHOW(renameat(d, "x", AT_FDCWD, "x2"));
	SHOW(faccessat(d, "sub", F_OK, 0));
	SHOW(faccessat(d, "sub", 8, 0));
	SHOW(fchmodat(d, "sub", 0700, 0));
	SHOW(mknodat(d, "fifo", S_IFIFO | 0644, 0));
	links_of("d/fifo");
	SHOW(unlinkat(d, "fifo", 0));
	SHOW(unlinkat(d, "sub", AT_REMOVEDIR));
}

TEST(mknod)
{
	SHOW(mknod("f", S_IFREG | 0640, 0));
	links_of("f");
	SHOW(mknod("f0", 0600, 0));
	links_of("f0");
	SHOW(mknod("p", S_IFIFO | 0622, 0));
	links_of("p");
	SHOW(mknod("c", S_IFCHR | 0666, 0x103));
	links_of("c");
	SHOW_OK(open("c", O_RDWR));
	SHOW(mknod("nodev", S_IFCHR | 0666, 0x2a00));
	SHOW_OK(open("nodev", O_RDWR));
	SHOW(mknod("d", S_IFDIR | 0755, 0));
	SHOW(mknod("l", S_IFLNK | 0755, 0));
	SHOW(mknod("f", S_IFREG | 0640, 0));
	SHOW(mknod("none/f", S_IFREG | 0640, 0));
	become_nobody();
	SHOW(mknod("c2", S_IFCHR | 0666, 0x103));
}
