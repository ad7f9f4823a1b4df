/* What a file says of itself: stat, statx, modes, owners, times. */
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <tests/sys/test.h>
#include <utime.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void say_stat(const char *name)
{
	struct stat st;

	if (lstat(name, &st)) {
		say("%s: %s", name, errno_text(errno));
		return;
	}
	say("%s: mode %o nlink %ld uid %d gid %d rdev %lx size %ld blksize %ld blocks %ld", name,
	    st.st_mode, (long)st.st_nlink, st.st_uid, st.st_gid, (long)st.st_rdev, (long)st.st_size,
	    (long)st.st_blksize, (long)st.st_blocks);
}

TEST(stat_fields)
{
	put_file("a", "text");
	MUST(truncate("a", 4097));
	MUST(symlink("target", "s"));
	MUST(mknod("fifo", S_IFIFO | 0600, 0));
	say_stat("a");
	say_stat("s");
	say_stat("fifo");
	say_stat("/dev/null");
	say_stat("none");
}

TEST(same_everywhere)
{
	struct stat by_path, by_fd, by_at, by_link;
	int fd;

	put_file("a", "text");
	MUST(symlink("a", "s"));
	fd = MUST(open("a", O_RDONLY));
	SHOW(stat("a", &by_path));
	SHOW(fstat(fd, &by_fd));
	SHOW(fstatat(fd, "", &by_at, AT_EMPTY_PATH));
	SHOW(stat("s", &by_link));
	say("%s %s %s", yes_no(!memcmp(&by_path, &by_fd, sizeof(by_fd))),
	    yes_no(!memcmp(&by_path, &by_at, sizeof(by_at))),
	    yes_no(!memcmp(&by_path, &by_link, sizeof(by_link))));
	SHOW(fstatat(AT_FDCWD, "", &by_at, AT_EMPTY_PATH));
	SHOW(fstatat(AT_FDCWD, "", &by_at, 0));
	SHOW(fstatat(fd, "x", &by_at, 0));
	SHOW(fstatat(AT_FDCWD, "s", &by_at, AT_SYMLINK_NOFOLLOW));
	say("link: %s", yes_no(S_ISLNK(by_at.st_mode)));
	SHOW(fstatat(AT_FDCWD, "a", &by_at, 0x4000000));
	SHOW(fstat(-1, &by_fd));
	SHOW(stat("a/", &by_path));
	SHOW(stat("", &by_path));
}

TEST(statx)
{
	struct statx stx;

	put_file("a", "0123456789");
	memset(&stx, 0xff, sizeof(stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "a", 0, 0x7ff, &stx));
	say("basic: %s, mode %o nlink %d uid %d size %ld blocks %ld blksize %d",
	    yes_no((stx.stx_mask & 0x7ff) == 0x7ff), stx.stx_mode, stx.stx_nlink, stx.stx_uid,
	    (long)stx.stx_size, (long)stx.stx_blocks, stx.stx_blksize);
	say("rdev %d:%d", stx.stx_rdev_major, stx.stx_rdev_minor);
	SHOW(syscall(SYS_statx, AT_FDCWD, "a", 0, 0x80000000, &stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "a", 0x6000, 0, &stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "a", 0x40000000, 0, &stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "", 0, 0, &stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "", AT_EMPTY_PATH, 0, &stx));
	SHOW(syscall(SYS_statx, AT_FDCWD, "a", 0, 0, NULL));
	SHOW(syscall(SYS_statx, AT_FDCWD, "/dev/null", 0, 0x7ff, &stx));
	say("rdev %d:%d", stx.stx_rdev_major, stx.stx_rdev_minor);
}

static void say_birth(int dirfd, const char *path, const struct statx_timestamp *before)
{
	struct statx stx = { 0 };

	SHOW_AS(path, syscall(SYS_statx, dirfd, path, AT_EMPTY_PATH, 0xfff, &stx));
	say("known: %s, the same: %s", yes_no(stx.stx_mask & 0x800),
	    yes_no(stx.stx_btime.tv_sec == before->tv_sec &&
		   stx.stx_btime.tv_nsec == before->tv_nsec));
}

/* Where it is known, when the file was made: nothing that happens to the file changes it. */
TEST(birth)
{
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct statx stx;
	int ends[2];

	put_file("a", "x");
	MUST(syscall(SYS_statx, AT_FDCWD, "a", 0, 0x840, &stx));
	say("at the first change, or before: %s",
	    yes_no(stx.stx_btime.tv_sec == stx.stx_mtime.tv_sec
			   ? stx.stx_btime.tv_nsec <= stx.stx_mtime.tv_nsec
			   : stx.stx_btime.tv_sec < stx.stx_mtime.tv_sec));
	sleep_ms(20);
	put_file("a", "y");
	MUST(utimensat(AT_FDCWD, "a", old, 0));
	MUST(rename("a", "b"));
	say_birth(AT_FDCWD, "b", &stx.stx_btime);
	MUST(mkdir("d", 0755));
	say_birth(AT_FDCWD, "d", &stx.stx_btime);
	say_birth(AT_FDCWD, "/proc/self/stat", &(struct statx_timestamp){ 0 });
	MUST(pipe(ends));
	say_birth(ends[0], "", &(struct statx_timestamp){ 0 });
}

TEST(chmod)
{
	int fd;

	put_file("a", "");
	MUST(symlink("a", "s"));
	SHOW(chmod("a", 0));
	say_stat("a");
	SHOW(chmod("s", 0177777));
	say_stat("a");
	say_stat("s");
	SHOW(chmod("none", 0));
	SHOW(chmod("a/", 0));
	SHOW(chmod("", 0));
	fd = MUST(open("a", O_RDONLY));
	SHOW(fchmod(fd, 0640));
	say_stat("a");
	SHOW(fchmod(-1, 0));
	SHOW(syscall(SYS_fchmodat, AT_FDCWD, "a", 0600));
	SHOW(syscall(SYS_fchmodat2, AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
	SHOW(syscall(SYS_fchmodat2, AT_FDCWD, "a", 0611, 0));
	say_stat("a");
	MUST(mkdir("d", 0755));
	SHOW(chmod("d", 02755));
	SHOW(mkdir("d/sub", 0755));
	say_stat("d/sub");
}

TEST(chown)
{
	int fd;

	put_file("a", "");
	MUST(chmod("a", 06755));
	MUST(symlink("a", "s"));
	SHOW(chown("a", 5, 6));
	say_stat("a");
	MUST(chmod("a", 06755));
	SHOW(chown("a", -1, -1));
	say_stat("a");
	MUST(chmod("a", 02644));
	SHOW(chown("a", -1, 7));
	say_stat("a");
	SHOW(lchown("s", 8, 9));
	say_stat("s");
	SHOW(chown("s", 1, -1));
	say_stat("a");
	fd = MUST(open("a", O_RDONLY));
	SHOW(fchown(fd, 11, 12));
	SHOW(fchownat(fd, "", 13, 14, AT_EMPTY_PATH));
	SHOW(fchownat(AT_FDCWD, "s", 15, 16, AT_SYMLINK_NOFOLLOW));
	SHOW(fchownat(AT_FDCWD, "s", 15, 16, 0x8));
	say_stat("a");
	say_stat("s");
	SHOW(chown("none", 0, 0));
	SHOW(fchown(-1, 0, 0));
}

TEST(write_clears_setuid)
{
	int fd;

	put_file("a", "text");
	MUST(chown("a", 1000, 1000));
	MUST(chmod("a", 06777));
	MUST(chmod(".", 0777));
	IN_CHILD("writer")
	{
		become_nobody();
		fd = MUST(open("a", O_WRONLY));
		MUST(write(fd, "x", 1));
	}
	say_stat("a");
	MUST(chmod("a", 06777));
	fd = MUST(open("a", O_WRONLY));
	MUST(write(fd, "x", 1));
	say_stat("a");
	IN_CHILD("truncater")
	{
		become_nobody();
		MUST(truncate("a", 0));
	}
	say_stat("a");
}

TEST(umask)
{
	SHOW(umask(0));
	SHOW(umask(0177777));
	SHOW(umask(027));
	MUST(open("a", O_CREAT | O_WRONLY, 0777));
	MUST(mkdir("d", 0777));
	MUST(mknod("fifo", S_IFIFO | 0777, 0));
	MUST(symlink("a", "s"));
	say_stat("a");
	say_stat("fifo");
	say_stat("s");
	IN_CHILD("child")
	{
		SHOW(umask(0));
	}
	SHOW(umask(0));
}

static void say_times(const char *name)
{
	struct stat st;

	MUST(lstat(name, &st));
	say("%s: atime %ld.%09ld mtime %ld.%09ld", name, (long)st.st_atim.tv_sec,
	    st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

TEST(set_times)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 999999999 } };
	struct timeval old[2] = { { 30, 1 }, { 40, 999999 } };
	struct utimbuf older = { 10, 20 };
	int fd;

	put_file("a", "");
	MUST(symlink("a", "s"));
	SHOW(utimensat(AT_FDCWD, "a", times, 0));
	say_times("a");
	SHOW(utimensat(AT_FDCWD, "s", times, AT_SYMLINK_NOFOLLOW));
	say_times("s");
	times[0].tv_nsec = UTIME_OMIT;
	times[1] = (struct timespec){ 3000, 0 };
	SHOW(utimensat(AT_FDCWD, "s", times, 0));
	say_times("a");
	times[1].tv_nsec = 1000000000;
	SHOW(utimensat(AT_FDCWD, "a", times, 0));
	times[1].tv_nsec = -1;
	SHOW(utimensat(AT_FDCWD, "a", times, 0));
	times[1].tv_nsec = UTIME_OMIT;
	SHOW(utimensat(AT_FDCWD, "none", times, 0));
	SHOW(utimensat(AT_FDCWD, "a", times, 0x8));
	fd = MUST(open("a", O_RDONLY));
	times[0] = times[1] = (struct timespec){ -5, 7 };
	SHOW(futimens(fd, times));
	say_times("a");
	SHOW(syscall(SYS_utimensat, fd, NULL, times, 0));
	SHOW(syscall(SYS_utimes, "a", old));
	say_times("a");
	old[1].tv_usec = 1000000;
	SHOW(syscall(SYS_utimes, "a", old));
	SHOW(syscall(SYS_futimesat, AT_FDCWD, "a", NULL));
	SHOW(syscall(SYS_utime, "a", &older));
	say_times("a");
	SHOW(syscall(SYS_utime, "a", NULL));
	SHOW(futimens(-1, NULL));
}

TEST(times_permission)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } },
			omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct timespec set[2] = { { 1, 0 }, { 1, 0 } },
			half[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };

	put_file("writable", "");
	put_file("readable", "");
	put_file("own", "");
	MUST(chmod("writable", 0666));
	MUST(chown("own", 1000, 1000));
	become_nobody();
	SHOW(utimensat(AT_FDCWD, "writable", NULL, 0));
	SHOW(utimensat(AT_FDCWD, "writable", now, 0));
	SHOW(utimensat(AT_FDCWD, "writable", set, 0));
	SHOW(utimensat(AT_FDCWD, "writable", half, 0));
	SHOW(utimensat(AT_FDCWD, "readable", NULL, 0));
	SHOW(utimensat(AT_FDCWD, "readable", omit, 0));
	SHOW(utimensat(AT_FDCWD, "own", set, 0));
}

static struct stat before;

static void remember(const char *name)
{
	MUST(lstat(name, &before));
	sleep_ms(12);
}

static int moved(struct timespec was, struct timespec is)
{
	return was.tv_sec != is.tv_sec || was.tv_nsec != is.tv_nsec;
}

static void say_moved(const char *what, const char *name)
{
	struct stat st;

	MUST(lstat(name, &st));
	say("%s: atime %s mtime %s ctime %s", what, yes_no(moved(before.st_atim, st.st_atim)),
	    yes_no(moved(before.st_mtim, st.st_mtim)), yes_no(moved(before.st_ctim, st.st_ctim)));
}

TEST(what_moves_the_times)
{
	char byte = 'x';
	int fd;

	put_file("a", "text");
	fd = MUST(open("a", O_RDWR));
	remember("a");
	MUST(write(fd, &byte, 1));
	say_moved("write", "a");
	remember("a");
	MUST(read(fd, &byte, 1));
	say_moved("read after write", "a");
	remember("a");
	MUST(pread(fd, &byte, 1, 0));
	say_moved("read again", "a");
	remember("a");
	MUST(ftruncate(fd, 10));
	say_moved("ftruncate", "a");
	remember("a");
	MUST(chmod("a", 0600));
	say_moved("chmod", "a");
	remember("a");
	MUST(link("a", "b"));
	say_moved("link", "a");
	remember("a");
	MUST(rename("b", "c"));
	say_moved("rename", "a");
	remember("a");
	MUST(unlink("c"));
	say_moved("unlink", "a");
	remember(".");
	MUST(mkdir("d", 0755));
	say_moved("mkdir, the parent", ".");
	remember(".");
	MUST(rename("a", "e"));
	say_moved("rename, the parent", ".");
	remember(".");
	MUST(unlink("e"));
	say_moved("unlink, the parent", ".");
	remember("d");
	MUST(rename("d", "f"));
	say_moved("rename, a directory", "f");
}

TEST(statfs)
{
	struct statfs fs;

	SHOW(statfs(".", &fs));
	say("type %lx bsize %ld namelen %ld", (long)fs.f_type, (long)fs.f_bsize,
	    (long)fs.f_namelen);
	SHOW(statfs("/proc", &fs));
	say("type %lx bsize %ld namelen %ld", (long)fs.f_type, (long)fs.f_bsize,
	    (long)fs.f_namelen);
	SHOW(fstatfs(MUST(open(".", O_RDONLY)), &fs));
	SHOW(fstatfs(-1, &fs));
	SHOW(statfs("none", &fs));
}
