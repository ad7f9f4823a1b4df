/* Who may do what: mode bits, owners, groups, sticky directories, access(). */
#include <tests/sys/test.h>

static void put_owned(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	put_file(name, "text");
	MUST(chown(name, uid, gid));
	MUST(chmod(name, mode));
}

static void become(uid_t uid, gid_t gid, gid_t extra)
{
	MUST(setgroups(1, &extra));
	MUST(setresgid(gid, gid, gid));
	MUST(setresuid(uid, uid, uid));
}

/* Each single permission bit against user, group and other. */
TEST(mode_bits)
{
	static const struct {
		const char *who;
		uid_t uid;
		gid_t gid, extra;
	} people[] = {
		{ "owner", 1000, 1, 1 },
		{ "group", 1001, 2000, 1 },
		{ "extra group", 1001, 1, 2000 },
		{ "other", 1001, 1, 1 },
		{ "root", 0, 0, 0 },
	};
	char name[16];

	MUST(chmod(".", 0755));
	for (int bit = 0; bit < 9; bit++) {
		snprintf(name, sizeof(name), "f%03o", 1 << bit);
		put_owned(name, 1000, 2000, 1 << bit);
	}
	for (size_t i = 0; i < ARRAY_SIZE(people); i++) {
		IN_CHILD(people[i].who)
		{
			become(people[i].uid, people[i].gid, people[i].extra);
			for (int bit = 0; bit < 9; bit++) {
				int r, w, x;

				snprintf(name, sizeof(name), "f%03o", 1 << bit);
				r = open(name, O_RDONLY) >= 0;
				w = open(name, O_WRONLY) >= 0;
				x = access(name, X_OK) == 0;
				say("%s: %s%s%s", name, r ? "r" : "-", w ? "w" : "-",
				    x ? "x" : "-");
			}
		}
	}
}

TEST(directory_bits)
{
	MUST(mkdir("r", 0755));
	MUST(mkdir("x", 0755));
	MUST(mkdir("wx", 0755));
	put_file("r/f", "text");
	put_file("x/f", "text");
	put_file("wx/f", "text");
	MUST(chmod("r", 0744));
	MUST(chmod("x", 0711));
	MUST(chmod("wx", 0733));
	become_nobody();
	SHOW_OK(open("r", O_RDONLY));
	SHOW_OK(open("r/f", O_RDONLY));
	SHOW(chdir("r"));
	SHOW_OK(open("x", O_RDONLY));
	SHOW_OK(open("x", O_PATH));
	SHOW_OK(open("x/f", O_RDONLY));
	SHOW_OK(open("x/none", O_RDONLY));
	SHOW_OK(open("r/none", O_RDONLY));
	SHOW(unlink("x/f"));
	SHOW(unlink("wx/f"));
	SHOW_OK(open("wx/new", O_CREAT | O_RDWR, 0600));
	SHOW_OK(open("x/new", O_CREAT | O_RDWR, 0600));
	SHOW_OK(open("x/f", O_CREAT | O_RDONLY, 0600));
	SHOW(mkdir("x/d", 0755));
	SHOW(rename("wx/new", "x/new"));
	SHOW(link("wx/new", "x/new"));
	SHOW(symlink("a", "x/s"));
	SHOW(rmdir("x"));
	SHOW(chdir("x"));
	SHOW(chdir("x/f"));
}

TEST(owner_only)
{
	put_owned("theirs", 0, 0, 0666);
	put_owned("own", 1000, 1000, 0600);
	become(1000, 1000, 3000);
	SHOW(chmod("theirs", 0));
	SHOW(chown("theirs", 1000, 1000));
	SHOW(chown("own", 1001, -1));
	SHOW(chown("own", 1000, -1));
	SHOW(chown("own", -1, 3000));
	SHOW(chown("own", -1, 4000));
	SHOW(chown("own", -1, 1000));
	SHOW(chmod("own", 07777));
	SHOW_OK(open("theirs", O_RDONLY | O_NOATIME));
	SHOW_OK(open("own", O_RDONLY | O_NOATIME));
}

TEST(setgid_needs_membership)
{
	struct stat st;

	put_owned("own", 1000, 4000, 0644);
	become(1000, 1000, 3000);
	SHOW(chmod("own", 02755));
	MUST(stat("own", &st));
	say("mode %o", st.st_mode);
}

TEST(sticky)
{
	MUST(mkdir("tmp", 0777));
	MUST(chmod("tmp", 01777));
	put_owned("tmp/theirs", 0, 0, 0666);
	put_owned("tmp/own", 1000, 1000, 0666);
	MUST(mkdir("tmp/dir", 0777));
	become_nobody();
	SHOW(unlink("tmp/theirs"));
	SHOW(rename("tmp/theirs", "tmp/x"));
	SHOW(rename("tmp/own", "tmp/theirs"));
	SHOW(rmdir("tmp/dir"));
	SHOW(rename("tmp/own", "tmp/x"));
	SHOW(unlink("tmp/x"));
}

TEST(group_of_new_files)
{
	struct stat st;

	MUST(mkdir("d", 0777));
	MUST(chown("d", 0, 5000));
	MUST(chmod("d", 02777));
	become_nobody();
	MUST(open("d/f", O_CREAT | O_WRONLY, 02755));
	MUST(mkdir("d/sub", 0755));
	MUST(stat("d/f", &st));
	say("file: uid %d gid %d mode %o", st.st_uid, st.st_gid, st.st_mode);
	MUST(stat("d/sub", &st));
	say("directory: uid %d gid %d mode %o", st.st_uid, st.st_gid, st.st_mode);
}

TEST(access)
{
	put_owned("f", 0, 0, 0600);
	put_owned("x", 0, 0, 0100);
	SHOW(access("f", F_OK));
	SHOW(access("f", R_OK | W_OK));
	SHOW(access("f", X_OK));
	SHOW(access("x", X_OK));
	SHOW(access(".", X_OK));
	SHOW(access("none", F_OK));
	SHOW(access("f", 8));
	SHOW(access("f/", F_OK));
	MUST(setresuid(1000, 0, 0));
	SHOW(access("f", R_OK));
	SHOW(access("f", F_OK));
	SHOW(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x8000));
}

TEST(open_checks_at_open_only)
{
	char byte;
	int fd;

	put_owned("f", 0, 0, 0600);
	fd = MUST(open("f", O_RDWR));
	become_nobody();
	SHOW(read(fd, &byte, 1));
	SHOW(write(fd, "x", 1));
	SHOW_OK(open("f", O_RDONLY));
	SHOW_OK(open("/proc/self/fd/3", O_RDONLY));
}

TEST(created_mode_does_not_bind_its_opener)
{
	int fd;

	MUST(chmod(".", 0777));
	become_nobody();
	fd = open("f", O_CREAT | O_RDWR, 0);
	SHOW(write(fd, "x", 1));
	SHOW_OK(open("f", O_RDONLY));
}

TEST(search_permission_along_the_way)
{
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/b", 0755));
	put_file("a/b/f", "text");
	MUST(chmod("a", 0600));
	IN_CHILD("other")
	{
		become_nobody();
		SHOW_OK(open("a/b/f", O_RDONLY));
		SHOW_OK(open("a/../a", O_RDONLY));
	}
	MUST(chmod("a", 0755));
	IN_CHILD("inside")
	{
		MUST(chdir("a/b"));
		MUST(chmod("..", 0600));
		become_nobody();
		SHOW_OK(open("f", O_RDONLY));
		SHOW_OK(open("../b/f", O_RDONLY));
		SHOW_OK(open("..", O_PATH));
	}
}

TEST(mounting_is_for_root)
{
	MUST(mkdir("m", 0777));
	become_nobody();
	SHOW(syscall(SYS_mount, "none", "m", "tmpfs", 0, NULL));
	SHOW(syscall(SYS_umount2, "m", 0));
	SHOW(syscall(SYS_chroot, "m"));
	SHOW(sethostname("x", 1));
	SHOW(syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x89abcdef, 0));
}
