/*
 * select and pselect6: three bit maps in, three bit maps out.
 *
 *	get_fd_set()	copy a map in
 *	do_select()	check the descriptors; ask everybody, sleep, ask again (fs/poll_wait.c)
 *	set_fd_set()	copy a map of the ready ones out
 *
 * A map is as long as the largest descriptor asks: FD_SETSIZE is the C library's limit, not ours.
 *
 * Context: process. No lock of its own.
 */
#include <fs/poll_wait.h>

#include <fs/kvmalloc.h>
#include <fs/syscalls_fd.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>

enum fd_set { SET_IN, SET_OUT, SET_EX, NR_SETS };

/* What makes a descriptor ready, for each set: a hung-up one can be read, a broken one both. */
static const u32 set_events[NR_SETS] = {
	[SET_IN] = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR | EPOLLNVAL,
	[SET_OUT] = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR | EPOLLNVAL,
	[SET_EX] = EPOLLPRI | EPOLLNVAL,
};

#define STACK_WORDS 4 /* of each map: 256 descriptors */

struct fd_sets {
	u32 words; /* in each map */
	u64 *wanted[NR_SETS], *ready[NR_SETS];
};

/* A program's three maps, and the size of the words that they consist of: 8, or 4 for i386. */
struct user_sets {
	void __user *map[NR_SETS];
	u32 n, word_size;
};

/* ---- copying --------------------------------------------------------------------------------- */

static size_t map_bytes(const struct user_sets *user)
{
	return DIV_ROUND_UP(user->n, user->word_size * 8) * user->word_size;
}

/* What lies behind the last descriptor in the last word is ignored. */
static int get_fd_set(const struct user_sets *user, enum fd_set set, struct fd_sets *sets)
{
	u64 *map = sets->wanted[set];

	memset(map, 0, sets->words * sizeof(u64));
	if (user->map[set] && copy_from_user(map, user->map[set], map_bytes(user)))
		return -EFAULT;
	if (user->n % BITS_PER_WORD)
		map[sets->words - 1] &= bit_mask(user->n) - 1;
	return 0;
}

static int set_fd_set(const struct user_sets *user, enum fd_set set, const struct fd_sets *sets)
{
	if (user->map[set] && copy_to_user(user->map[set], sets->ready[set], map_bytes(user)))
		return -EFAULT;
	return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* What is to be told to the file; it matters to those who register only. */
static u32 wanted_events(const struct fd_sets *sets, u32 word, u64 bit)
{
	u32 events = EPOLLERR | EPOLLHUP | EPOLLNVAL;

	for (u32 set = 0; set < NR_SETS; set++)
		events |= sets->wanted[set][word] & bit ? set_events[set] : 0;
	return events;
}

/* Something has happened: in which sets does it count? */
static noinline int set_ready(const struct fd_sets *sets, u32 word, u64 bit, u32 events)
{
	int count = 0;

	for (u32 set = 0; set < NR_SETS; set++) {
		if ((sets->wanted[set][word] & bit) && (events & set_events[set])) {
			sets->ready[set][word] |= bit;
			count++;
		}
	}
	return count;
}

/* The descriptors of one word of the maps; how many bits are ready. */
static __always_inline int select_word(const struct fd_sets *sets, u32 word, bool own,
				       struct poll_table *table)
{
	u64 all = sets->wanted[SET_IN][word] | sets->wanted[SET_OUT][word] |
		  sets->wanted[SET_EX][word];
	struct files *files = current->files;
	u32 asked =
		0; /* of anybody in this word: mostly to read, and sockets can always be written */
	int count = 0;

	for (u32 set = 0; set < NR_SETS; set++) {
		sets->ready[set][word] = 0;
		asked |= sets->wanted[set][word] ? set_events[set] : 0;
	}
	for (; all; all &= all - 1) {
		u32 bit = lowest_bit(all);
		u32 wanted = table ? wanted_events(sets, word, BIT(bit)) : 0;
		u32 events = poll_one(files, own, word * BITS_PER_WORD + bit, wanted, table);

		if (!(events & asked))
			continue;
		count += set_ready(sets, word, BIT(bit), events);
		if (count)
			table = NULL;
	}
	return count;
}

/* Once somebody is ready there will be no sleep, and no need to register with the others. */
static int select_all(void *arg, struct poll_table *table)
{
	const struct fd_sets *sets = arg;
	bool own = files_own(current->files);
	int count = 0;

	for (u32 word = 0; word < sets->words; word++) {
		if (own && (!table || count))
			count += select_word(sets, word, true, NULL);
		else
			count += select_word(sets, word, own, count ? NULL : table);
	}
	return count;
}

static bool all_open(const struct fd_sets *sets)
{
	for (u32 word = 0; word < sets->words; word++) {
		u64 all = sets->wanted[SET_IN][word] | sets->wanted[SET_OUT][word] |
			  sets->wanted[SET_EX][word];

		if (all & ~READ_ONCE(current->files->open[word]))
			return false;
	}
	return true;
}

static int do_select(struct fd_sets *sets, u64 deadline)
{
	bool open;

	spin_lock(&current->files->lock);
	open = all_open(sets);
	spin_unlock(&current->files->lock);
	return open ? poll_until_ready(select_all, sets, deadline) : -EBADF;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The maps lie one after the other in `memory`. */
static int select_in(const struct user_sets *user, struct fd_sets *sets, u64 *memory, u64 deadline)
{
	int result = 0;

	for (u32 set = 0; set < NR_SETS; set++) {
		sets->wanted[set] = memory + set * sets->words;
		sets->ready[set] = memory + (NR_SETS + set) * sets->words;
	}
	for (u32 set = 0; set < NR_SETS && !result; set++)
		result = get_fd_set(user, set, sets);
	if (!result)
		result = do_select(sets, deadline);
	for (u32 set = 0; set < NR_SETS && result >= 0; set++)
		result = set_fd_set(user, set, sets) ?: result;
	return result == -EINTR ? -ERESTARTNOHAND : result;
}

/* What lies beyond the descriptor table cannot be open, and is not looked at. */
static long core_sys_select(struct user_sets *user, u64 deadline)
{
	u64 stack[2 * NR_SETS * STACK_WORDS], *memory = stack;
	struct fd_sets sets;
	long result;

	if ((int)user->n < 0)
		return -EINVAL;
	user->n = min(user->n, READ_ONCE(current->files->size));
	sets.words = BITMAP_WORDS(user->n);
	if (sets.words > STACK_WORDS) {
		memory = kvmalloc(2 * NR_SETS * sets.words * sizeof(u64));
		if (!memory)
			return -ENOMEM;
	}
	result = select_in(user, &sets, memory, deadline);
	if (memory != stack)
		kvfree(memory);
	return result;
}

/* ---- the system calls ------------------------------------------------------------------------ */

static int put_timeval(u64 ns, void __user *user)
{
	struct timeval time = ns_to_timeval(ns);

	return copy_to_user(user, &time, sizeof(time)) ? -EFAULT : 0;
}

/* More microseconds than a second has are allowed here. */
static int set_timeout(struct poll_timeout *timeout, s64 sec, s64 usec)
{
	struct timespec time = { .nsec = usec % 1000000 * (s64)NSEC_PER_USEC };

	if (__builtin_add_overflow(sec, usec / 1000000, &time.sec) || !timespec_valid(&time))
		return -EINVAL;
	timeout->deadline = poll_deadline(timespec_to_ns(&time));
	return 0;
}

static int get_timeval(struct poll_timeout *timeout, struct timeval __user *user)
{
	struct timeval time;

	*timeout = (struct poll_timeout){ POLL_NEVER, user, put_timeval };
	if (!user)
		return 0;
	if (copy_from_user(&time, user, sizeof(time)))
		return -EFAULT;
	return set_timeout(timeout, time.sec, time.usec);
}

long sys_select(int n, void __user *in, void __user *out, void __user *ex,
		struct timeval __user *user_timeout)
{
	struct user_sets user = { { in, out, ex }, n, sizeof(u64) };
	struct poll_timeout timeout;
	int error = get_timeval(&timeout, user_timeout);

	return error ?: poll_finish(&timeout, core_sys_select(&user, timeout.deadline));
}

struct select_mask { /* pselect6's sixth argument: a call has no more than six */
	const sigset_t __user *mask;
	size_t size;
};

long sys_pselect6(int n, void __user *in, void __user *out, void __user *ex,
		  struct timespec __user *user_timeout, const struct select_mask __user *user_mask)
{
	struct user_sets user = { { in, out, ex }, n, sizeof(u64) };
	struct select_mask mask = { 0 };
	struct poll_timeout timeout;
	int error;

	if (user_mask && copy_from_user(&mask, user_mask, sizeof(mask)))
		return -EFAULT;
	error = poll_timeout_timespec(&timeout, user_timeout)
			?: set_user_sigmask(mask.mask, mask.size);
	return error ?: poll_finish(&timeout, core_sys_select(&user, timeout.deadline));
}

/* ---- by int 0x80 ----------------------------------------------------------------------------- */

struct timeval_i386 {
	s32 sec, usec;
};

struct select_i386 { /* the arguments of the first select, in memory */
	u32 n, in, out, ex, timeout;
};

static int put_timeval_i386(u64 ns, void __user *user)
{
	struct timeval time = ns_to_timeval(ns);
	struct timeval_i386 small = { time.sec, time.usec };

	return copy_to_user(user, &small, sizeof(small)) ? -EFAULT : 0;
}

static int get_timeval_i386(struct poll_timeout *timeout, struct timeval_i386 __user *user)
{
	struct timeval_i386 time;

	*timeout = (struct poll_timeout){ POLL_NEVER, user, put_timeval_i386 };
	if (!user)
		return 0;
	if (copy_from_user(&time, user, sizeof(time)))
		return -EFAULT;
	return set_timeout(timeout, time.sec, time.usec);
}

long sys_i386_select(int n, void __user *in, void __user *out, void __user *ex,
		     struct timeval_i386 __user *user_timeout)
{
	struct user_sets user = { { in, out, ex }, n, sizeof(u32) };
	struct poll_timeout timeout;
	int error = get_timeval_i386(&timeout, user_timeout);

	return error ?: poll_finish(&timeout, core_sys_select(&user, timeout.deadline));
}

static void __user *user_pointer(u32 address)
{
	return (void __user *)(u64)address;
}

long sys_i386_old_select(const struct select_i386 __user *user)
{
	struct select_i386 args;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	return sys_i386_select((int)args.n, user_pointer(args.in), user_pointer(args.out),
			       user_pointer(args.ex), user_pointer(args.timeout));
}
