/* Locks on files: record locks of processes and of open files. */
#include <sys/file.h>
#include <tests/sys/test.h>

static int file;

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock flock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};

	return fcntl(fd, command, &flock);
}

static void make_file(void)
{
	put_file("f", "0123456789");
	file = MUST(open("f", O_RDWR));
}

/* What another process finds locked, from the beginning to the end. */
static void show_locks(void)
{
	IN_CHILD("other")
	{
		struct flock found = { .l_start = 0 };

		for (off_t at = 0;; at = found.l_start + found.l_len) {
			found = (struct flock){ .l_type = F_WRLCK, .l_start = at };
			MUST(fcntl(file, F_GETLK, &found));
			if (found.l_type == F_UNLCK)
				break;
			say("%s %ld+%ld, %s", found.l_type == F_RDLCK ? "shared" : "exclusive",
			    (long)found.l_start, (long)found.l_len,
			    found.l_pid == getppid() ? "the parent's" : "somebody's");
			if (!found.l_len)
				break;
		}
	}
}

TEST(ranges_are_cut_and_melt)
{
	make_file();
	SHOW(lock(file, F_SETLK, F_WRLCK, 10, 10));
	SHOW(lock(file, F_SETLK, F_WRLCK, 20, 5));
	show_locks();
	SHOW(lock(file, F_SETLK, F_RDLCK, 12, 3));
	show_locks();
	SHOW(lock(file, F_SETLK, F_UNLCK, 13, 1));
	show_locks();
	SHOW(lock(file, F_SETLK, F_WRLCK, 5, 100));
	show_locks();
	SHOW(lock(file, F_SETLK, F_UNLCK, 0, 50));
	show_locks();
	SHOW(lock(file, F_SETLK, F_RDLCK, 200, 0));
	SHOW(lock(file, F_SETLK, F_UNLCK, 60, 1));
	show_locks();
	SHOW(lock(file, F_SETLK, F_UNLCK, 0, 0));
	show_locks();
}

TEST(who_excludes_whom)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };

	make_file();
	for (int mine = 0; mine < 3; mine++) {
		MUST(lock(file, F_SETLK, types[mine], 4, 4));
		IN_CHILD("other")
		{
			for (int yours = 0; yours < 3; yours++) {
				say("%d against %d", types[yours], types[mine]);
				SHOW(lock(file, F_SETLK, types[yours], 7, 1));
				SHOW(lock(file, F_SETLK, types[yours], 8, 1));
				SHOW(lock(file, F_SETLK, types[yours], 0, 0));
			}
		}
	}
}

TEST(errors)
{
	struct flock flock = { .l_type = F_WRLCK, .l_whence = 7 };
	int read_only, write_only;

	make_file();
	read_only = MUST(open("f", O_RDONLY));
	write_only = MUST(open("f", O_WRONLY));
	SHOW(lock(read_only, F_SETLK, F_WRLCK, 0, 0));
	SHOW(lock(read_only, F_SETLK, F_RDLCK, 0, 0));
	SHOW(lock(write_only, F_SETLK, F_RDLCK, 0, 0));
	SHOW(lock(write_only, F_SETLK, F_WRLCK, 0, 0));
	SHOW(lock(file, F_SETLK, 7, 0, 0));
	SHOW(lock(file, F_GETLK, F_UNLCK, 0, 0));
	SHOW(lock(file, F_SETLK, F_RDLCK, -1, 1));
	SHOW(lock(file, F_SETLK, F_RDLCK, 5, -5));
	SHOW(lock(file, F_SETLK, F_RDLCK, 5, -6));
	SHOW(lock(file, F_SETLK, F_RDLCK, LONG_MAX, 1));
	SHOW(lock(file, F_SETLK, F_RDLCK, LONG_MAX, 2));
	SHOW(lock(999, F_SETLK, F_RDLCK, 0, 0));
	SHOW(fcntl(file, F_SETLK, &flock));
	SHOW(fcntl(file, F_SETLK, 0));
	flock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -3 };
	MUST(lock(file, F_SETLK, F_UNLCK, 0, 0));
	SHOW(fcntl(file, F_SETLK, &flock));
	show_locks();
	MUST(lock(file, F_SETLK, F_UNLCK, 0, 0));
	flock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 2 };
	MUST(lseek(file, 4, SEEK_SET));
	SHOW(fcntl(file, F_SETLK, &flock));
	show_locks();
}

TEST(any_close_ends_them)
{
	int second;

	make_file();
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 5));
	second = MUST(open("f", O_RDONLY));
	show_locks();
	close(second);
	show_locks();
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 5));
	second = MUST(dup(file));
	close(second);
	show_locks();
}

TEST(not_inherited)
{
	make_file();
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 5));
	IN_CHILD("child")
	{
		SHOW(lock(file, F_SETLK, F_WRLCK, 0, 1));
		SHOW(lock(file, F_SETLK, F_UNLCK, 0, 1));
		close(file);
	}
	show_locks();
}

TEST(waiting)
{
	int fds[2];
	char byte;

	make_file();
	MUST(pipe(fds));
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 5));
	if (MUST(fork()) == 0) {
		MUST(write(fds[1], "x", 1));
		SHOW(lock(file, F_SETLKW, F_WRLCK, 4, 1));
		_exit(0);
	}
	MUST(read(fds[0], &byte, 1));
	sleep_ms(20);
	say("unlocking");
	MUST(lock(file, F_SETLK, F_UNLCK, 0, 0));
	wait(NULL);
}

static void on_alarm(int sig)
{
}

TEST(waiting_is_interrupted)
{
	make_file();
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 5));
	IN_CHILD("child")
	{
		set_handler(SIGALRM, on_alarm, 0);
		signal_when_asleep(SIGALRM);
		SHOW(lock(file, F_SETLKW, F_RDLCK, 0, 0));
	}
}

TEST(deadlock)
{
	int fds[2];
	char byte;
	pid_t pid;

	make_file();
	MUST(pipe(fds));
	MUST(lock(file, F_SETLK, F_WRLCK, 0, 1));
	pid = MUST(fork());
	if (pid == 0) {
		MUST(lock(file, F_SETLK, F_WRLCK, 1, 1));
		MUST(write(fds[1], "x", 1));
		SHOW_AS("child", lock(file, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	MUST(read(fds[0], &byte, 1));
	wait_asleep(pid, pid);
	SHOW_AS("parent", lock(file, F_SETLKW, F_WRLCK, 1, 1));
	MUST(lock(file, F_SETLK, F_UNLCK, 0, 0));
	wait(NULL);
}

TEST(of_open_files)
{
	int second;

	make_file();
	second = MUST(open("f", O_RDWR));
	SHOW(lock(file, F_OFD_SETLK, F_WRLCK, 0, 5));
	SHOW(lock(second, F_OFD_SETLK, F_WRLCK, 4, 5));
	SHOW(lock(second, F_OFD_SETLK, F_WRLCK, 5, 5));
	SHOW(lock(second, F_SETLK, F_WRLCK, 0, 1));
	IN_CHILD("child")
	{
		struct flock found = { .l_type = F_WRLCK };

		MUST(fcntl(second, F_OFD_GETLK, &found));
		say("%d %ld+%ld %d", found.l_type, (long)found.l_start, (long)found.l_len,
		    found.l_pid);
		SHOW(lock(file, F_OFD_SETLK, F_RDLCK, 0, 5));
		close(file);
	}
	SHOW(lock(second, F_OFD_SETLK, F_RDLCK, 4, 1));
	SHOW(lock(second, F_OFD_SETLK, F_WRLCK, 4, 1));
	close(file);
	SHOW(lock(second, F_OFD_SETLK, F_WRLCK, 4, 1));
}

TEST(flock_and_records_do_not_meet)
{
	int second;

	make_file();
	second = MUST(open("f", O_RDWR));
	SHOW(flock(file, LOCK_EX));
	SHOW(flock(second, LOCK_EX | LOCK_NB));
	SHOW(lock(second, F_SETLK, F_WRLCK, 0, 0));
}
