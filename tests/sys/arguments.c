/*
 * Every pointer argument of every call with pointers that lead nowhere, every descriptor argument with
 * descriptors of all kinds. A line a call and argument: what each of them answers.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <tests/sys/test.h>

/* Descriptors with fixed numbers, so that the table can name them. */
enum {
	FILE_FD = 30,
	DIR_FD,
	PATH_FD,
	READER,
	WRITER,
	EVENT,
	TIMER,
	SIGNAL,
	PIDFD,
	NULL_FD,
	OUT_FD
};

static char buffer[4096] __attribute__((aligned(4096))) = "0123456789";
static char name[] = "file", dir_name[] = "dir", new_name[] = "new", program[] = "/tests/show_args";
static char *no_strings[] = { NULL };
static struct iovec iov[2] = { { buffer, 4 }, { buffer + 8, 4 } };
static struct pollfd pfd = { OUT_FD, POLLOUT, 0 };
static unsigned long bits[16];
static struct timespec zero_time[2];
static struct timeval zero_val[2];
static struct itimerval no_timer;
static struct itimerspec no_spec;
static struct rlimit some_limit = { 100, 100 };
static struct { /* of pselect6 */
	void *mask;
	size_t size;
} mask_argument;
static unsigned long no_signals, how[3];
static siginfo_t info = { .si_code = SI_QUEUE };
static struct sched_param param;
static struct __user_cap_header_struct caps = { 0x20080522, 0 };
static struct sigevent event = { .sigev_notify = SIGEV_NONE };
static struct clone_args clone_arguments = { .exit_signal = 99 };
static uint32_t word = 1;
static off_t offset;

#define P(x) ((long)(x))

/* A letter an argument: p pointer, f descriptor, - anything else. */
static const struct call {
	const char *name;
	long number;
	const char *kinds;
	long args[6];
	bool any; /* the result is a number of no meaning */
} calls[] = {
	{ "read", SYS_read, "fp-", { FILE_FD, P(buffer), 8 } },
	{ "write", SYS_write, "fp-", { FILE_FD, P(buffer), 8 } },
	{ "pread64", SYS_pread64, "fp--", { FILE_FD, P(buffer), 8, 0 } },
	{ "pwrite64", SYS_pwrite64, "fp--", { FILE_FD, P(buffer), 8, 0 } },
	{ "readv", SYS_readv, "fp-", { FILE_FD, P(iov), 2 } },
	{ "writev", SYS_writev, "fp-", { FILE_FD, P(iov), 2 } },
	{ "preadv", SYS_preadv, "fp---", { FILE_FD, P(iov), 2, 0, 0 } },
	{ "pwritev", SYS_pwritev, "fp---", { FILE_FD, P(iov), 2, 0, 0 } },
	{ "open", SYS_open, "p--", { P(name), O_RDONLY, 0 } },
	{ "openat", SYS_openat, "fp--", { DIR_FD, P(name), O_RDONLY, 0 } },
	{ "openat2", SYS_openat2, "fpp-", { DIR_FD, P(name), P(how), sizeof(how) } },
	{ "creat", SYS_creat, "p-", { P(name), 0644 } },
	{ "close", SYS_close, "f", { FILE_FD } },
	{ "stat", SYS_stat, "pp", { P(name), P(buffer) } },
	{ "lstat", SYS_lstat, "pp", { P(name), P(buffer) } },
	{ "fstat", SYS_fstat, "fp", { FILE_FD, P(buffer) } },
	{ "newfstatat", SYS_newfstatat, "fpp-", { DIR_FD, P(name), P(buffer), 0 } },
	{ "statx", SYS_statx, "fp--p", { DIR_FD, P(name), 0, 0x7ff, P(buffer) } },
	{ "statfs", SYS_statfs, "pp", { P(name), P(buffer) } },
	{ "fstatfs", SYS_fstatfs, "fp", { FILE_FD, P(buffer) } },
	{ "access", SYS_access, "p-", { P(name), F_OK } },
	{ "faccessat", SYS_faccessat, "fp-", { DIR_FD, P(name), F_OK } },
	{ "faccessat2", SYS_faccessat2, "fp--", { DIR_FD, P(name), F_OK, 0 } },
	{ "poll", SYS_poll, "p--", { P(&pfd), 1, 0 } },
	{ "ppoll", SYS_ppoll, "p-pp-", { P(&pfd), 1, P(zero_time), P(&no_signals), 8 } },
	{ "select", SYS_select, "-pppp", { 3, P(bits), P(bits), P(bits), P(zero_val) } },
	{ "pselect6",
	  SYS_pselect6,
	  "-ppppp",
	  { 3, P(bits), P(bits), P(bits), P(zero_time), P(&mask_argument) } },
	{ "lseek", SYS_lseek, "f--", { FILE_FD, 0, SEEK_CUR } },
	{ "ioctl", SYS_ioctl, "f-p", { FILE_FD, 0x541b /* FIONREAD */, P(buffer) } },
	{ "ioctl FIONBIO", SYS_ioctl, "f-p", { FILE_FD, 0x5421, P(&offset) } },
	{ "pipe", SYS_pipe, "p", { P(buffer) } },
	{ "pipe2", SYS_pipe2, "p-", { P(buffer), 0 } },
	{ "dup", SYS_dup, "f", { FILE_FD } },
	{ "dup2", SYS_dup2, "f-", { FILE_FD, 50 } },
	{ "dup2 onto", SYS_dup2, "-f", { FILE_FD, 50 } },
	{ "dup3", SYS_dup3, "f--", { FILE_FD, 50, 0 } },
	{ "fcntl F_GETFD", SYS_fcntl, "f-", { FILE_FD, F_GETFD } },
	{ "fcntl F_GETFL", SYS_fcntl, "f-", { FILE_FD, F_GETFL } },
	{ "fcntl F_SETFL", SYS_fcntl, "f--", { FILE_FD, F_SETFL, O_NONBLOCK } },
	{ "fcntl F_GETPIPE_SZ", SYS_fcntl, "f-", { FILE_FD, F_GETPIPE_SZ } },
	{ "fsync", SYS_fsync, "f", { FILE_FD } },
	{ "fdatasync", SYS_fdatasync, "f", { FILE_FD } },
	{ "syncfs", SYS_syncfs, "f", { FILE_FD } },
	{ "sync_file_range", SYS_sync_file_range, "f---", { FILE_FD, 0, 0, 0 } },
	{ "fallocate", SYS_fallocate, "f---", { FILE_FD, 0, 0, 10 } },
	{ "fadvise64", SYS_fadvise64, "f---", { FILE_FD, 0, 0, 0 } },
	{ "readahead", SYS_readahead, "f--", { FILE_FD, 0, 10 } },
	{ "ftruncate", SYS_ftruncate, "f-", { FILE_FD, 5 } },
	{ "truncate", SYS_truncate, "p-", { P(name), 5 } },
	{ "sendfile", SYS_sendfile, "f-p-", { OUT_FD, FILE_FD, P(&offset), 4 } },
	{ "copy_file_range",
	  SYS_copy_file_range,
	  "fpfp--",
	  { FILE_FD, P(&offset), OUT_FD, P(&offset), 4, 0 } },
	{ "getdents64", SYS_getdents64, "fp-", { DIR_FD, P(buffer), 4096 } },
	{ "getdents", SYS_getdents, "fp-", { DIR_FD, P(buffer), 4096 } },
	{ "getcwd", SYS_getcwd, "p-", { P(buffer), 4096 } },
	{ "chdir", SYS_chdir, "p", { P(dir_name) } },
	{ "fchdir", SYS_fchdir, "f", { DIR_FD } },
	{ "rename", SYS_rename, "pp", { P(name), P(new_name) } },
	{ "renameat", SYS_renameat, "fpfp", { DIR_FD, P(name), DIR_FD, P(new_name) } },
	{ "renameat2", SYS_renameat2, "fpfp-", { DIR_FD, P(name), DIR_FD, P(new_name), 0 } },
	{ "mkdir", SYS_mkdir, "p-", { P(new_name), 0755 } },
	{ "mkdirat", SYS_mkdirat, "fp-", { DIR_FD, P(new_name), 0755 } },
	{ "rmdir", SYS_rmdir, "p", { P(dir_name) } },
	{ "link", SYS_link, "pp", { P(name), P(new_name) } },
	{ "linkat", SYS_linkat, "fpfp-", { DIR_FD, P(name), DIR_FD, P(new_name), 0 } },
	{ "unlink", SYS_unlink, "p", { P(name) } },
	{ "unlinkat", SYS_unlinkat, "fp-", { DIR_FD, P(name), 0 } },
	{ "symlink", SYS_symlink, "pp", { P(name), P(new_name) } },
	{ "symlinkat", SYS_symlinkat, "pfp", { P(name), DIR_FD, P(new_name) } },
	{ "readlink", SYS_readlink, "pp-", { P("link"), P(buffer), 100 } },
	{ "readlinkat", SYS_readlinkat, "fpp-", { DIR_FD, P("link"), P(buffer), 100 } },
	{ "mknod", SYS_mknod, "p--", { P(new_name), S_IFIFO | 0644, 0 } },
	{ "mknodat", SYS_mknodat, "fp--", { DIR_FD, P(new_name), S_IFIFO | 0644, 0 } },
	{ "chmod", SYS_chmod, "p-", { P(name), 0600 } },
	{ "fchmod", SYS_fchmod, "f-", { FILE_FD, 0600 } },
	{ "fchmodat", SYS_fchmodat, "fp-", { DIR_FD, P(name), 0600 } },
	{ "chown", SYS_chown, "p--", { P(name), 1, 1 } },
	{ "lchown", SYS_lchown, "p--", { P(name), 1, 1 } },
	{ "fchown", SYS_fchown, "f--", { FILE_FD, 1, 1 } },
	{ "fchownat", SYS_fchownat, "fp---", { DIR_FD, P(name), 1, 1, 0 } },
	{ "utime", SYS_utime, "pp", { P(name), P(buffer) } },
	{ "utimes", SYS_utimes, "pp", { P(name), P(zero_val) } },
	{ "futimesat", SYS_futimesat, "fpp", { DIR_FD, P(name), P(zero_val) } },
	{ "utimensat", SYS_utimensat, "fpp-", { DIR_FD, P(name), P(zero_time), 0 } },
	{ "mmap",
	  SYS_mmap,
	  "----f-",
	  { 0, 4096, PROT_READ, MAP_PRIVATE, FILE_FD, 0 },
	  .any = true },
	{ "mincore", SYS_mincore, "--p", { P(buffer), 4096, P(buffer) } },
	{ "memfd_create", SYS_memfd_create, "p-", { P(name), 0 } },
	{ "mount", SYS_mount, "ppp--", { P("none"), P(dir_name), P("tmpfs"), 0, P("mode=700") } },
	{ "umount2", SYS_umount2, "p-", { P(dir_name), 0 } },
	{ "chroot", SYS_chroot, "p", { P(dir_name) } },
	{ "execve", SYS_execve, "ppp", { P(program), P(no_strings), P(no_strings) } },
	{ "execveat",
	  SYS_execveat,
	  "fppp-",
	  { DIR_FD, P(program), P(no_strings), P(no_strings), 0 } },
	{ "wait4", SYS_wait4, "-p-p", { -1, P(buffer), 0, P(buffer) } },
	{ "waitid", SYS_waitid, "--p-p", { P_ALL, 0, P(buffer), WEXITED, P(buffer) } },
	{ "waitid P_PIDFD", SYS_waitid, "-fp--", { 3, PIDFD, P(buffer), WEXITED | WNOHANG, 0 } },
	{ "clone3",
	  SYS_clone3,
	  "p-",
	  { P(&clone_arguments), sizeof(clone_arguments) },
	  .any = true },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, "f-p-", { PIDFD, 0, 0, 0 } },
	{ "rt_sigaction",
	  SYS_rt_sigaction,
	  "-pp-",
	  { SIGUSR1, P(buffer + 100), P(buffer + 200), 8 } },
	{ "rt_sigprocmask",
	  SYS_rt_sigprocmask,
	  "-pp-",
	  { SIG_BLOCK, P(&no_signals), P(buffer), 8 } },
	{ "rt_sigpending", SYS_rt_sigpending, "p-", { P(buffer), 8 } },
	{ "rt_sigtimedwait",
	  SYS_rt_sigtimedwait,
	  "ppp-",
	  { P(&no_signals), P(buffer), P(zero_time), 8 } },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, "--p", { 0, SIGUSR1, P(&info) } },
	{ "sigaltstack", SYS_sigaltstack, "-p", { 0, P(buffer) } },
	{ "signalfd4", SYS_signalfd4, "fp--", { -1, P(&no_signals), 8, 0 } },
	{ "timerfd_settime", SYS_timerfd_settime, "f-pp", { TIMER, 0, P(&no_spec), P(buffer) } },
	{ "timerfd_gettime", SYS_timerfd_gettime, "fp", { TIMER, P(buffer) } },
	{ "timer_create", SYS_timer_create, "-pp", { CLOCK_MONOTONIC, P(&event), P(buffer) } },
	{ "nanosleep", SYS_nanosleep, "pp", { P(zero_time), P(buffer) } },
	{ "clock_nanosleep",
	  SYS_clock_nanosleep,
	  "--pp",
	  { CLOCK_MONOTONIC, 0, P(zero_time), P(buffer) } },
	{ "clock_gettime", SYS_clock_gettime, "-p", { CLOCK_MONOTONIC, P(buffer) } },
	{ "clock_getres", SYS_clock_getres, "-p", { CLOCK_MONOTONIC, P(buffer) } },
	{ "gettimeofday", SYS_gettimeofday, "pp", { P(buffer), P(buffer) } },
	{ "getitimer", SYS_getitimer, "-p", { ITIMER_REAL, P(buffer) } },
	{ "setitimer", SYS_setitimer, "-pp", { ITIMER_VIRTUAL, P(&no_timer), P(buffer) } },
	{ "times", SYS_times, "p", { P(buffer) }, .any = true },
	{ "getrusage", SYS_getrusage, "-p", { RUSAGE_SELF, P(buffer) } },
	{ "sysinfo", SYS_sysinfo, "p", { P(buffer) } },
	{ "uname", SYS_uname, "p", { P(buffer) } },
	{ "sethostname", SYS_sethostname, "p-", { P(name), 4 } },
	{ "setdomainname", SYS_setdomainname, "p-", { P(name), 4 } },
	{ "getrlimit", SYS_getrlimit, "-p", { RLIMIT_NOFILE, P(buffer) } },
	{ "setrlimit", SYS_setrlimit, "-p", { RLIMIT_NOFILE, P(&some_limit) } },
	{ "prlimit64", SYS_prlimit64, "--pp", { 0, RLIMIT_NOFILE, P(&some_limit), P(buffer) } },
	{ "sched_getparam", SYS_sched_getparam, "-p", { 0, P(buffer) } },
	{ "sched_setparam", SYS_sched_setparam, "-p", { 0, P(&param) } },
	{ "sched_setscheduler", SYS_sched_setscheduler, "--p", { 0, 0, P(&param) } },
	{ "sched_rr_get_interval", SYS_sched_rr_get_interval, "-p", { 0, P(buffer) } },
	{ "sched_setaffinity", SYS_sched_setaffinity, "--p", { 0, 8, P(bits) } },
	{ "sched_getaffinity", SYS_sched_getaffinity, "--p", { 0, 128, P(buffer) }, .any = true },
	{ "getcpu", SYS_getcpu, "pp", { P(buffer), P(buffer) } },
	{ "prctl PR_SET_NAME", SYS_prctl, "-p", { 15, P(name) } },
	{ "prctl PR_GET_NAME", SYS_prctl, "-p", { 16, P(buffer) } },
	{ "arch_prctl ARCH_GET_FS", SYS_arch_prctl, "-p", { 0x1003, P(buffer) } },
	{ "futex wait", SYS_futex, "p--p", { P(&word), 0, 0, P(zero_time) } },
	{ "futex wake", SYS_futex, "p--", { P(&word), 1, 1 } },
	{ "futex requeue", SYS_futex, "p---p", { P(&word), 3, 1, 1, P(&word) } },
	{ "get_robust_list", SYS_get_robust_list, "-pp", { 0, P(buffer), P(buffer + 8) } },
	{ "getrandom", SYS_getrandom, "p--", { P(buffer), 8, 0 } },
	{ "getgroups", SYS_getgroups, "-p", { 100, P(buffer) } },
	{ "setgroups", SYS_setgroups, "-p", { 2, P(bits) } },
	{ "getresuid", SYS_getresuid, "ppp", { P(buffer), P(buffer), P(buffer) } },
	{ "getresgid", SYS_getresgid, "ppp", { P(buffer), P(buffer), P(buffer) } },
	{ "capget", SYS_capget, "pp", { P(&caps), P(buffer) } },
};

/* ---- pointers ---- */

static struct {
	const char *name;
	long value;
} pointers[] = {
	{ "null", 0 },
	{ "low", 16 },
	{ "unmapped", 0 },
	{ "none", 0 },
	{ "end", 0 },
	{ "read-only", 0 },
	{ "odd", 0 },
	{ "beyond", 0x7ffffffff000 },
	{ "hole", 0x800000000000 },
	{ "kernel", 0xffffffff80000000 },
	{ "memory", 0xffff888000000000 },
	{ "last", -8 },
};

/* Four pages: nothing, no access, one that is written and whose last bytes lead into nothing, read-only. */
static void make_pointers(void)
{
	char *at = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(at + 2 * PAGE, 'x', PAGE);
	mprotect(at + PAGE, PAGE, PROT_NONE);
	mprotect(at + 4 * PAGE, PAGE, PROT_READ);
	munmap(at, PAGE);
	munmap(at + 3 * PAGE, PAGE);
	pointers[2].value = P(at);
	pointers[3].value = P(at + PAGE);
	pointers[4].value = P(at + 3 * PAGE - 3);
	pointers[5].value = P(at + 4 * PAGE);
	pointers[6].value = P(buffer + 1001);
}

/* ---- descriptors ---- */

static const struct {
	const char *name;
	long value;
} descriptors[] = {
	{ "-1", -1 },	      { "closed", 99 },	    { "big", 1 << 20 },	 { "max", INT_MAX },
	{ "min", INT_MIN },   { "cwd", AT_FDCWD },  { "dir", DIR_FD },	 { "path", PATH_FD },
	{ "reader", READER }, { "writer", WRITER }, { "event", EVENT },	 { "timer", TIMER },
	{ "signal", SIGNAL }, { "null", NULL_FD },  { "file", FILE_FD },
};

static void put_at(int number, int fd)
{
	MUST(dup2(MUST(fd), number));
	close(fd);
}

static void make_descriptors(void)
{
	sigset_t set;
	int fds[2];

	sigemptyset(&set);
	put_at(FILE_FD, open(name, O_RDWR));
	put_at(DIR_FD, open(".", O_RDONLY));
	put_at(PATH_FD, open(name, O_PATH));
	put_at(OUT_FD, open("out", O_RDWR | O_CREAT, 0644));
	MUST(pipe2(fds, O_NONBLOCK));
	put_at(READER, fds[0]);
	put_at(WRITER, fds[1]);
	put_at(EVENT, eventfd(0, EFD_NONBLOCK));
	put_at(TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	put_at(SIGNAL, signalfd(-1, &set, SFD_NONBLOCK));
	put_at(PIDFD, syscall(SYS_pidfd_open, getpid(), 0));
	put_at(NULL_FD, open("/dev/null", O_RDWR));
}

/* ---- trying them ---- */

static long *result;
#define NO_RESULT 4711 /* the call did not come back: an exec */

/* In a process and a directory of its own, so that nothing of a call is left for the next. */
static const char *try(const struct call *call, int arg, long value)
{
	static char text[32];
	long args[6];
	pid_t pid;
	int status;

	memcpy(args, call->args, sizeof(args));
	args[arg] = value;
	*result = NO_RESULT;
	pid = MUST(fork());
	if (pid == 0) {
		signal(SIGUSR1, SIG_IGN);
		alarm(call->number == SYS_rt_sigtimedwait ? 1 : 15); /* one that waits for ever */
		*result =
			syscall(call->number, args[0], args[1], args[2], args[3], args[4], args[5]);
		if (*result == -1)
			*result = -errno;
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	if (WIFSIGNALED(status))
		return signal_text(WTERMSIG(status));
	if (*result < 0)
		return errno_text(-*result);
	snprintf(text, sizeof(text), call->any || *result == NO_RESULT ? "ok" : "%ld", *result);
	return text;
}

static void make_files(void)
{
	put_file(name, "the contents of a file");
	MUST(truncate(name, 22));
	mkdir(dir_name, 0755);
	symlink(name, "link");
	unlink(new_name);
	rmdir(new_name);
	mkdir("keep", 0755);
}

static void try_argument(const struct call *call, int arg)
{
	char line[1000];
	size_t length = snprintf(line, sizeof(line), "%s %d:", call->name, arg + 1);
	bool is_pointer = call->kinds[arg] == 'p';
	size_t count = is_pointer ? ARRAY_SIZE(pointers) : ARRAY_SIZE(descriptors);

	for (size_t i = 0; i < count; i++) {
		long value = is_pointer ? pointers[i].value : descriptors[i].value;

		make_files();
		length += snprintf(line + length, sizeof(line) - length, " %s=%s",
				   is_pointer ? pointers[i].name : descriptors[i].name,
				   try(call, arg, value));
	}
	say("%s", line);
}

static void try_all(char kind)
{
	result = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bits[0] = 1;
	make_files();
	make_pointers();
	make_descriptors();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		for (int arg = 0; calls[i].kinds[arg]; arg++)
			if (calls[i].kinds[arg] == kind)
				try_argument(&calls[i], arg);
}

TEST(pointers)
{
	try_all('p');
}

TEST(descriptors)
{
	try_all('f');
}
