/* What programs ask about the machine and tell it: uname, sysinfo, getrandom, prctl, reboot, syslog. */
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process/loadavg.h>
#include <kernel/process/misc.h>
#include <kernel/process/syscalls_misc.h>
#include <kernel/random.h>
#include <kernel/user_mode.h>

/* ---- uname -------------------------------------------------------------------------------------------- */

struct utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

DEFINE_MUTEX(uts_lock);
/* Programs look at the release to learn which Linux calls they may use. */
static struct utsname uts = {
	/* under uts_lock */
	.sysname = "Linux",	   .nodename = "pollux",
	.release = "6.1.0-pollux", .version = "Pollux " POLLUX_VERSION,
	.machine = "x86_64",	   .domainname = "(none)",
};

long sys_uname(struct utsname __user *user)
{
	struct utsname copy;

	mutex_lock(&uts_lock);
	copy = uts;
	mutex_unlock(&uts_lock);
	return copy_to_user(user, &copy, sizeof(copy)) ? -EFAULT : 0;
}

static char *uts_field(const char *what)
{
	return !strcmp(what, "hostname") ? uts.nodename : uts.domainname;
}

void uts_get(const char *what, char *to, size_t size)
{
	mutex_lock(&uts_lock);
	strscpy(to, uts_field(what), size);
	mutex_unlock(&uts_lock);
}

void uts_set(const char *what, const char *name)
{
	mutex_lock(&uts_lock);
	strscpy(uts_field(what), name, sizeof(uts.nodename));
	mutex_unlock(&uts_lock);
}

const char *uts_release(void)
{
	return uts.release;
}

static long set_name(char *which, const char __user *name, int length)
{
	char copy[65] = { 0 };

	if (current->cred.euid)
		return -EPERM;
	if (length < 0 || length > 64)
		return -EINVAL;
	if (copy_from_user(copy, name, length))
		return -EFAULT;
	mutex_lock(&uts_lock);
	memcpy(which, copy, sizeof(copy));
	mutex_unlock(&uts_lock);
	return 0;
}

long sys_sethostname(const char __user *name, int length)
{
	return set_name(uts.nodename, name, length);
}

long sys_setdomainname(const char __user *name, int length)
{
	return set_name(uts.domainname, name, length);
}

/* ---- sysinfo ---------------------------------------------------------------------------------------------- */

struct sysinfo {
	s64 uptime;
	u64 loads[3];
	u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
};
static_assert(sizeof(struct sysinfo) == 112, "Linux's layout");
#define SYSINFO_LOAD_SHIFT 16

long sys_sysinfo(struct sysinfo __user *user)
{
	struct sysinfo info = { .mem_unit = 1 };
	struct page_stats pages;
	struct task *task;

	page_stats_read(&pages);
	info.uptime = clock_ns() / NSEC_PER_SEC;
	info.totalram = pages.total * PAGE_SIZE;
	info.freeram = pages.free * PAGE_SIZE;
	for (int i = 0; i < 3; i++)
		info.loads[i] = load_average(i) << (SYSINFO_LOAD_SHIFT - LOAD_SHIFT);
	spin_lock_bh(&tree_lock);
	list_for_each_entry(task, &task_list, all_tasks)
		info.procs++;
	spin_unlock_bh(&tree_lock);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

/* ---- getrandom ---------------------------------------------------------------------------------------------- */

#define GRND_NONBLOCK 1U
#define GRND_RANDOM   2U
#define GRND_INSECURE 4U

long sys_getrandom(void __user *buffer, size_t size, u32 flags)
{
	size_t done = 0;
	u8 some[256];

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	size = min(size, (size_t)INT32_MAX);
	while (done < size) {
		size_t chunk = min(size - done, sizeof(some));
		size_t missing;

		random_fill(some, chunk);
		missing = copy_to_user(buffer + done, some, chunk);
		done += chunk - missing;
		if (missing)
			return done ? (long)done : -EFAULT;
		if (done % PAGE_SIZE == 0 && signal_pending())
			break;
		cond_resched();
	}
	return done;
}

/* ---- prctl ------------------------------------------------------------------------------------------------------ */

enum {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG,
	PR_GET_DUMPABLE,
	PR_SET_DUMPABLE,
	PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS,
	PR_SET_NAME = 15,
	PR_GET_NAME,
	PR_GET_SECCOMP = 21,
	PR_CAPBSET_READ = 23,
	PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER,
	PR_SET_NO_NEW_PRIVS,
	PR_GET_NO_NEW_PRIVS,
	PR_GET_THP_DISABLE = 42,
};
#define DEFAULT_TIMER_SLACK 50000
#define LAST_CAPABILITY	    40

static long prctl_set_name(const char __user *user)
{
	char name[TASK_NAME] = { 0 };
	ssize_t length = strncpy_from_user(name, user, sizeof(name) - 1);

	if (length < 0)
		return length;
	strscpy(current->name, name, sizeof(current->name));
	return 0;
}

static long prctl_get_name(char __user *user)
{
	return copy_to_user(user, current->name, sizeof(current->name)) ? -EFAULT : 0;
}

static long prctl_set_flag(bool *flag, u64 value)
{
	if (value > 1)
		return -EINVAL;
	*flag = value;
	return 0;
}

long sys_prctl(int option, u64 arg2, u64 arg3, u64 arg4, u64 arg5)
{
	struct process *process = current_process;

	switch (option) {
	case PR_SET_NAME:
		return prctl_set_name((const char __user *)arg2);
	case PR_GET_NAME:
		return prctl_get_name((char __user *)arg2);
	case PR_SET_PDEATHSIG:
		if (arg2 > NSIG)
			return -EINVAL;
		process->parent_death_signal = arg2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user(process->parent_death_signal, (int __user *)arg2) ? -EFAULT : 0;
	case PR_SET_DUMPABLE:
		return prctl_set_flag(&process->dumpable, arg2);
	case PR_GET_DUMPABLE:
		return process->dumpable;
	case PR_SET_CHILD_SUBREAPER:
		process->child_subreaper = arg2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)process->child_subreaper, (int __user *)arg2) ? -EFAULT : 0;
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		process->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : process->no_new_privs;
	case PR_GET_TIMERSLACK:
		return DEFAULT_TIMER_SLACK;
	case PR_SET_TIMERSLACK: /* timers here have none to begin with */
	case PR_GET_SECCOMP:
	case PR_GET_KEEPCAPS:
	case PR_GET_THP_DISABLE:
		return 0;
	case PR_CAPBSET_READ:
		return arg2 > LAST_CAPABILITY ? -EINVAL : 1;
	default:
		return -EINVAL;
	}
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

long sys_arch_prctl(int code, u64 address)
{
	switch (code) {
	case ARCH_SET_FS:
		if (!user_range_ok(address, 0))
			return -EPERM;
		set_user_fs(address);
		return 0;
	case ARCH_SET_GS:
		if (!user_range_ok(address, 0))
			return -EPERM;
		set_user_gs(address);
		return 0;
	case ARCH_GET_FS:
		return put_user(current->user_fs, (u64 __user *)address) ? -EFAULT : 0;
	case ARCH_GET_GS:
		return put_user(current->user_gs, (u64 __user *)address) ? -EFAULT : 0;
	default:
		return -EINVAL;
	}
}

/* Only Linux's own is played here; asking (0xffffffff) and setting it again are fine. */
long sys_personality(u32 persona)
{
	return persona == 0xffffffff || persona == 0 ? 0 : -EINVAL;
}

/* ---- reboot -------------------------------------------------------------------------------------------------------- */

#define REBOOT_MAGIC1	 0xfee1dead
#define REBOOT_RESTART	 0x01234567
#define REBOOT_HALT	 0xcdef0123
#define REBOOT_POWER_OFF 0x4321fedc
#define REBOOT_CAD_ON	 0x89abcdef
#define REBOOT_CAD_OFF	 0x00000000

static bool reboot_magic_ok(u32 magic1, u32 magic2)
{
	static const u32 second[] = { 672274793, 85072278, 369367448, 537993216 };

	for (u32 i = 0; i < ARRAY_SIZE(second); i++)
		if (magic1 == REBOOT_MAGIC1 && magic2 == second[i])
			return true;
	return false;
}

long sys_reboot(u32 magic1, u32 magic2, u32 command, void __user *arg)
{
	if (current->cred.euid)
		return -EPERM;
	if (!reboot_magic_ok(magic1, magic2))
		return -EINVAL;
	switch (command) {
	case REBOOT_RESTART:
		pr_info("reboot: restarting\n");
		machine_reboot();
	case REBOOT_HALT:
		pr_info("reboot: system halted\n");
		machine_halt();
	case REBOOT_POWER_OFF:
		pr_info("reboot: power down\n");
		machine_poweroff(EXIT_OK);
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF:
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- syslog: dmesg ----------------------------------------------------------------------------------------------------- */

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER
};
#define LOG_SIZE (64 * KiB)

/* The last `size` bytes of the log, whole lines only. */
static long read_log(char __user *buffer, size_t size)
{
	char line[256];
	u64 position = 0, first;
	size_t total = 0, length, done = 0;

	while ((length = printk_read(&position, line, sizeof(line))))
		total += length;
	for (first = 0, position = 0; total > size; first = position) {
		length = printk_read(&position, line, sizeof(line));
		if (!length)
			break;
		total -= min(total, length);
	}
	position = first;
	while ((length = printk_read(&position, line, sizeof(line))) && done + length <= size) {
		if (copy_to_user(buffer + done, line, length))
			return -EFAULT;
		done += length;
	}
	return done;
}

long sys_syslog(int type, char __user *buffer, int size)
{
	if (type < SYSLOG_CLOSE || type > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	if (current->cred.euid && type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER)
		return -EPERM;
	switch (type) {
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!buffer || size < 0)
			return -EINVAL;
		return read_log(buffer, size);
	case SYSLOG_CONSOLE_LEVEL:
		if (size < 1 || size > 8)
			return -EINVAL;
		console_level = size - 1;
		return 0;
	case SYSLOG_READ:
		return -EINVAL; /* /proc/kmsg and /dev/kmsg are the way to wait for lines */
	case SYSLOG_SIZE_BUFFER:
		return LOG_SIZE;
	default:
		return 0;
	}
}
