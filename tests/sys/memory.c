/* Memory beyond mapping: moving, advice, locking, the break, the stack, limits. */
#include <tests/sys/faults.h>

#ifndef MADV_POPULATE_READ /* younger than musl's header */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

TEST(mremap)
{
	catch_faults();
	base = room(64, RW);
	MUST(munmap(base + 16 * PAGE, 48 * PAGE));
	for (int i = 0; i < 16; i++)
		base[i * PAGE] = i + 1;
	SHOW_PAGE(mremap(base, 16 * PAGE, 32 * PAGE, 0));
	say("%d %d", base[15 * PAGE], base[16 * PAGE]);
	SHOW_PAGE(mremap(base, 32 * PAGE, 4 * PAGE, 0));
	try_read("what was cut", base + 4 * PAGE);
	SHOW_PAGE(
		mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 32 * PAGE));
	try_read("where it was", base);
	say("%d", base[32 * PAGE]);
	SHOW_PAGE(mremap(base + 32 * PAGE, 2 * PAGE, 8 * PAGE, 0));
	SHOW_PAGE(mremap(base + 33 * PAGE, 3 * PAGE, 8 * PAGE, 0));
}

TEST(mremap_errors)
{
	base = room(64, RW);
	MUST(munmap(base + 16 * PAGE, 48 * PAGE));
	SHOW_PAGE(mremap(base, 0, 8 * PAGE, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base, 4 * PAGE, 0, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base + 1, 4 * PAGE, PAGE, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base, 40 * PAGE, 41 * PAGE, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, base + 32 * PAGE));
	SHOW_PAGE(mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + PAGE));
	SHOW_PAGE(mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 1));
	SHOW_PAGE(mremap(base, 4 * PAGE, 4 * PAGE, 8));
	SHOW_PAGE(mremap(base, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP));
	SHOW_PAGE(mremap(base, 4 * PAGE, 8 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base + 20 * PAGE, PAGE, PAGE, 0));
	SHOW_PAGE(mremap(base, 4 * PAGE, 1UL << 47, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base, 4 * PAGE, ~0UL, MREMAP_MAYMOVE));
	SHOW_PAGE(mremap(base, 4 * PAGE, 1UL << 46, MREMAP_MAYMOVE));
	SHOW(mprotect(base + 2 * PAGE, PAGE, PROT_READ));
	SHOW_OK(mremap(base, 4 * PAGE, 20 * PAGE, MREMAP_MAYMOVE));
	SHOW_OK(mremap(base, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE));
}

TEST(mremap_twice)
{
	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *other, *private = room(4, RW);

	catch_faults();
	private[0] = 3;
	other = mremap(private, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE);
	say("%d %d", other[0], private[0]);
	shared[0] = 9;
	other = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
	say("%d", other[0]);
	other[0] = 8;
	say("%d", shared[0]);
	other = mremap(shared, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	try_read("shared", other);
	try_read("beyond", other + 3 * PAGE);
}

TEST(madvise)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
	char *private, *shared;

	MUST(write(fd, "abc", 3));
	MUST(ftruncate(fd, 4 * PAGE));
	base = room(8, RW);
	private = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	base[0] = 1;
	private[0] = 'x';
	shared[PAGE] = 'y';
	SHOW(madvise(base, PAGE, MADV_DONTNEED));
	SHOW(madvise(private, PAGE, MADV_DONTNEED));
	SHOW(madvise(shared, 2 * PAGE, MADV_DONTNEED));
	say("%d %c %c", base[0], private[0], shared[PAGE]);
	SHOW(madvise(private, PAGE, MADV_FREE));
	SHOW(madvise(shared, PAGE, MADV_FREE));
	SHOW(mlock(base + 4 * PAGE, PAGE));
	SHOW(madvise(base + 4 * PAGE, PAGE, MADV_DONTNEED));
	SHOW(madvise(base + 4 * PAGE, PAGE, MADV_FREE));
}

TEST(madvise_errors)
{
	static const int advice[] = { -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,
				      10, 11, 16, 17, 18, 19, 20, 21, 27, 50 };

	base = room(8, RW);
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++) {
		say("advice %d:", advice[i]);
		SHOW(madvise(base, PAGE, advice[i]));
	}
	SHOW(madvise(base, 0, 50));
	SHOW(madvise(base + 1, PAGE, MADV_NORMAL));
	SHOW(madvise(base, 0, MADV_NORMAL));
	SHOW(madvise(base, ~0UL, MADV_NORMAL));
	SHOW(madvise(base, -PAGE, MADV_NORMAL));
	MUST(munmap(base + 2 * PAGE, PAGE));
	base[3 * PAGE] = 1;
	SHOW(madvise(base, 4 * PAGE, MADV_DONTNEED));
	say("%d", base[3 * PAGE]);
	SHOW(madvise(base + 2 * PAGE, PAGE, MADV_DONTNEED));
	SHOW(madvise(base, 2 * PAGE, MADV_POPULATE_READ));
	SHOW(madvise(base, 4 * PAGE, MADV_POPULATE_WRITE));
	MUST(mprotect(base, PAGE, PROT_READ));
	SHOW(madvise(base, 2 * PAGE, MADV_POPULATE_WRITE));
	MUST(mprotect(base, PAGE, PROT_NONE));
	SHOW(madvise(base, 2 * PAGE, MADV_POPULATE_READ));
}

TEST(mincore)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
	unsigned char pages[16];
	char *mapped;

	base = room(8, RW);
	base[0] = base[2 * PAGE] = 1;
	MUST(munmap(base + 6 * PAGE, PAGE));
	memset(pages, 9, sizeof(pages));
	SHOW(mincore(base, 4 * PAGE, pages));
	say("%d %d %d %d %d", pages[0], pages[1], pages[2], pages[3], pages[4]);
	SHOW(mincore(base, 8 * PAGE, pages));
	SHOW(mincore(base + 1, PAGE, pages));
	SHOW(mincore(base, 0, pages));
	SHOW(mincore(base, PAGE, (void *)8));
	SHOW(mincore((void *)0x7ffffffff000, PAGE, pages));
	SHOW(mincore(base, 1, pages));
	SHOW(mincore(base, ~0UL, pages));
	MUST(write(fd, "abc", 3));
	mapped = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	SHOW(mincore(mapped, PAGE, pages));
	say("%d", pages[0]);
}

TEST(msync)
{
	base = room(4, RW);
	SHOW(msync(base, PAGE, MS_SYNC));
	SHOW(msync(base, PAGE, MS_ASYNC));
	SHOW(msync(base, PAGE, 0));
	SHOW(msync(base, PAGE, MS_SYNC | MS_ASYNC));
	SHOW(msync(base, PAGE, 8));
	SHOW(msync(base + 1, PAGE, MS_SYNC));
	SHOW(msync(base, 0, MS_SYNC));
	SHOW(msync(base, ~0UL, MS_SYNC));
	SHOW(msync(base, -PAGE, MS_SYNC));
	MUST(munmap(base + PAGE, PAGE));
	SHOW(msync(base, 4 * PAGE, MS_SYNC));
	SHOW(mlock(base, PAGE));
	SHOW(msync(base, PAGE, MS_INVALIDATE));
	SHOW(munlock(base, PAGE));
	SHOW(msync(base, PAGE, MS_INVALIDATE));
}

TEST(mlock)
{
	char *forbidden;

	base = room(8, RW);
	SHOW(mlock(base + 5, PAGE));
	SHOW(munlock(base + 5, PAGE));
	SHOW(mlock(base, 0));
	SHOW(mlock(base, ~0UL));
	SHOW(munlock(base, ~0UL - PAGE));
	SHOW(syscall(SYS_mlock2, base, PAGE, 1));
	SHOW(syscall(SYS_mlock2, base, PAGE, 2));
	SHOW(mlockall(0));
	SHOW(mlockall(8));
	SHOW(mlockall(4));
	MUST(munmap(base + PAGE, PAGE));
	SHOW(mlock(base, 3 * PAGE));
	SHOW(munlock(base, 3 * PAGE));
	forbidden = room(2, PROT_NONE);
	SHOW(mlock(forbidden, PAGE));
	SHOW(munlock(forbidden, PAGE));
}

TEST(mlock_limits)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	char *memory;

	MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
	become_nobody();
	memory = room(16, RW);
	SHOW(mlock(memory, 5 * PAGE));
	SHOW(mlock(memory, 4 * PAGE));
	SHOW(mlock(memory, 4 * PAGE));
	SHOW(mlock(memory + 8 * PAGE, PAGE));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
	SHOW(mlockall(MCL_CURRENT));
	SHOW(munlock(memory, 8 * PAGE));
	SHOW(mlockall(MCL_FUTURE));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 5 * PAGE, RW, ANON, -1, 0));
	SHOW(munlockall());
	limit = (struct rlimit){ 0, 0 };
	MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
	SHOW(mlock(memory, PAGE));
	SHOW(mlockall(MCL_CURRENT));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
	SHOW(munlock(memory, PAGE));
}

static unsigned long brk_start;

/* The new break, from where the first was. */
static void show_brk(unsigned long at)
{
	say("break at %ld", syscall(SYS_brk, at) - brk_start);
}

TEST(brk)
{
	struct rlimit limit = { 64 * PAGE, RLIM_INFINITY };
	volatile char *memory;

	brk_start = syscall(SYS_brk, 0);
	memory = (char *)brk_start;
	show_brk(brk_start + 100);
	memory[0] = 1;
	show_brk(brk_start + 10 * PAGE);
	memory[9 * PAGE] = 4;
	show_brk(brk_start + 5 * PAGE + 1);
	show_brk(brk_start + 10 * PAGE);
	say("%d %d", memory[9 * PAGE], memory[0]);
	show_brk(brk_start - 10000 * PAGE);
	show_brk(~0UL);
	show_brk(0x7fffffffffff);
	MUST(mmap((void *)(brk_start + 14 * PAGE), PAGE, RW, ANON | MAP_FIXED, -1, 0));
	show_brk(brk_start + 14 * PAGE);
	show_brk(brk_start + 15 * PAGE);
	show_brk(brk_start + 13 * PAGE);
	MUST(munmap((void *)(brk_start + 14 * PAGE), PAGE));
	MUST(setrlimit(RLIMIT_DATA, &limit));
	show_brk(brk_start + 1000 * PAGE);
}

TEST(limits)
{
	struct rlimit limit = { 256 << 20, RLIM_INFINITY };
	char *memory;

	MUST(setrlimit(RLIMIT_AS, &limit));
	SHOW_OK(mmap(NULL, 300 << 20, PROT_NONE, ANON, -1, 0));
	memory = mmap(NULL, 100 << 20, PROT_NONE, ANON, -1, 0);
	SHOW_OK(mmap(NULL, 200 << 20, PROT_NONE, ANON, -1, 0));
	SHOW_OK(mmap(memory, 100 << 20, PROT_READ, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mremap(memory, 100 << 20, 300 << 20, MREMAP_MAYMOVE));
	limit.rlim_cur = RLIM_INFINITY;
	MUST(setrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 16 << 20;
	MUST(setrlimit(RLIMIT_DATA, &limit));
	SHOW_OK(mmap(NULL, 20 << 20, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 20 << 20, PROT_READ, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 20 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, 8 << 20, RW, ANON, -1, 0));
	memory = mmap(NULL, 20 << 20, PROT_READ, ANON, -1, 0);
	SHOW(mprotect(memory, 20 << 20, RW));
	SHOW_OK(mmap(NULL, 10 << 20, RW, ANON, -1, 0));
}

static int dig(int depth)
{
	volatile char block[4096];

	block[0] = 1;
	return depth ? dig(depth - 1) + block[0] : 0;
}

static char signal_stack[1 << 16];

static void on_overflow(int sig, siginfo_t *info, void *context)
{
	say("overflow: %s, code %d", signal_text(sig), info->si_code);
	_exit(0);
}

TEST(stack)
{
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction action = { .sa_sigaction = on_overflow,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct rlimit limit = { 16 << 20, RLIM_INFINITY };

	say("%d deep", dig(1000));
	MUST(sigaltstack(&stack, NULL));
	MUST(sigaction(SIGSEGV, &action, NULL));
	MUST(setrlimit(RLIMIT_STACK, &limit));
	say("%d deep", dig(3000));
	dig(100000);
}

TEST(growing_areas)
{
	char *area = room(1024, PROT_NONE);

	MUST(munmap(area, 1024 * PAGE));
	MUST(mmap(area, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	MUST(mmap(area + 1000 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
	catch_faults();
	try_write("below", area + 1000 * PAGE - 1);
	try_write("far below", area + 300 * PAGE);
	try_write("up to the gap", area + 257 * PAGE);
	try_write("into the gap", area + 256 * PAGE);
}

TEST(too_many_areas)
{
	const size_t pages = 140000;
	char *memory = mmap(NULL, pages * PAGE, PROT_READ, ANON | MAP_NORESERVE, -1, 0);
	int i = 0;

	while (mprotect(memory + 2 * i * PAGE, PAGE, PROT_NONE) == 0)
		i++;
	say("%s, at about half of 65530: %s", errno_text(errno), yes_no(i > 32500 && i < 32765));
	SHOW_OK(mmap(NULL, PAGE, PROT_EXEC, ANON, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	SHOW(munmap(memory + (pages - 1000) * PAGE, PAGE));
	SHOW(munmap(memory, pages * PAGE));
	SHOW_OK(mmap(NULL, PAGE, PROT_EXEC, ANON, -1, 0));
}
