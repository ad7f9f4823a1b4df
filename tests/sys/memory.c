/* Address spaces: mmap and its flags, munmap, mprotect, mremap, brk, madvise, sharing across fork. */
#include <setjmp.h>
#include <tests/sys/test.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static char *map(size_t pages, int prot, int flags)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags, -1, 0);

	MUST(at == MAP_FAILED ? -1 : 0);
	return at;
}

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* r, w: can be read, written; -: neither. Leaves what it wrote. */
static const char *access_of(volatile char *at)
{
	int sig;

	set_handler(SIGSEGV, on_fault, 0);
	set_handler(SIGBUS, on_fault, 0);
	sig = sigsetjmp(back, 1);
	if (sig == 0)
		(void)*at;
	if (sig)
		return sig == SIGBUS ? "bus" : "-";
	sig = sigsetjmp(back, 1);
	if (sig == 0)
		*at = *at;
	return sig ? "r" : "rw";
}

static void say_access(const char *what, char *at, int pages)
{
	char line[200] = "";

	for (int i = 0; i < pages; i++)
		strcat(strcat(line, " "), access_of(at + i * PAGE));
	say("%s:%s", what, line);
}

TEST(mmap_arguments)
{
	SHOW_OK(mmap(NULL, 0, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, 99, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	SHOW_OK(syscall(SYS_mmap, NULL, PAGE, RW, ANON, -1, 5));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON, 99, 0));
	SHOW_OK(mmap(NULL, 1UL << 47, RW, ANON, -1, 0));
	SHOW_OK(syscall(SYS_mmap, NULL, -1UL, RW, ANON, -1, 0));
	SHOW_OK(syscall(SYS_mmap, NULL, -4096UL, RW, ANON, -1, 0));
	SHOW_OK(syscall(SYS_mmap, 123, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(syscall(SYS_mmap, 1UL << 47, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(syscall(SYS_mmap, 0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, 0x100, ANON, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, ANON | MAP_POPULATE | MAP_NORESERVE | MAP_STACK, -1,
		     0));
	SHOW_OK(mmap(NULL, PAGE, RW, 3 /* SHARED_VALIDATE */ | MAP_ANONYMOUS | 0x800000, -1, 0));
	SHOW_OK(mmap((void *)0xffffffff80000000, PAGE, RW, ANON, -1, 0));
	become_nobody();
	SHOW_OK(syscall(SYS_mmap, 0, PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

TEST(protections)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_WRITE,
				     PROT_EXEC, RW,	   PROT_READ | PROT_EXEC };

	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		char name[16];

		snprintf(name, sizeof(name), "prot %d", prots[i]);
		say_access(name, map(1, prots[i], ANON), 1);
	}
}

TEST(execute)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *at = map(1, RW, ANON);

	memcpy(at, code, sizeof(code));
	MUST(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
	say("%d", ((int (*)(void))at)());
	IN_CHILD("not executable")
	{
		MUST(mprotect(at, PAGE, PROT_READ));
		((int (*)(void))at)();
	}
}

TEST(fixed)
{
	char *at = map(8, RW, ANON);

	memset(at, 'a', 8 * PAGE);
	SHOW(mmap(at + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == at + 2 * PAGE);
	say("%c %d %c", at[PAGE], at[2 * PAGE], at[3 * PAGE]);
	SHOW_OK(mmap(at + 3 * PAGE, PAGE, RW, ANON | 0x100000 /* FIXED_NOREPLACE */, -1, 0));
	MUST(munmap(at + 3 * PAGE, PAGE));
	SHOW_OK(mmap(at + 3 * PAGE, PAGE, RW, ANON | 0x100000, -1, 0));
	MUST(munmap(at + 5 * PAGE, PAGE));
	SHOW(mmap(at + 5 * PAGE, PAGE, RW, ANON, -1, 0) == at + 5 * PAGE);
	say_access("all", at, 8);
}

TEST(hint)
{
	char *at = (char *)0x200000000000;

	SHOW(mmap(at, PAGE, RW, ANON, -1, 0) == at);
	SHOW(mmap(at, PAGE, RW, ANON, -1, 0) == at);
	SHOW((unsigned long)mmap(NULL, PAGE, RW, ANON | MAP_32BIT, -1, 0) < 1UL << 31);
}

TEST(munmap)
{
	char *at = map(6, RW, ANON);

	SHOW(munmap(at + PAGE, PAGE));
	SHOW(munmap(at + 3 * PAGE, 2 * PAGE));
	say_access("holes", at, 6);
	SHOW(munmap(at, 6 * PAGE));
	SHOW(munmap(at, 6 * PAGE));
	SHOW(munmap(at + 1, PAGE));
	SHOW(munmap(at, 0));
	SHOW(syscall(SYS_munmap, at, -1UL));
	SHOW(syscall(SYS_munmap, 1UL << 47, PAGE));
}

TEST(mprotect)
{
	char *at = map(6, RW, ANON);

	at[2 * PAGE] = 'x';
	SHOW(mprotect(at + PAGE, 2 * PAGE, PROT_READ));
	SHOW(mprotect(at + 4 * PAGE, PAGE, PROT_NONE));
	say_access("changed", at, 6);
	SHOW(mprotect(at, 6 * PAGE, RW));
	say("kept: %c", at[2 * PAGE]);
	SHOW(mprotect(at + 1, PAGE, RW));
	SHOW(mprotect(at, 0, RW));
	MUST(munmap(at + 3 * PAGE, PAGE));
	SHOW(mprotect(at, 6 * PAGE, PROT_READ));
	say_access("up to the hole", at, 3);
	say_access("behind it", at + 4 * PAGE, 2);
	SHOW(syscall(SYS_mprotect, at, PAGE, 0x1000));
	SHOW(syscall(SYS_mprotect, at, -4096UL, RW));
	SHOW(syscall(SYS_mprotect, 0xffffffff80000000, PAGE, RW));
}

TEST(mremap)
{
	char *at = map(4, RW, ANON), *moved;

	memset(at, 'a', 4 * PAGE);
	SHOW(mremap(at, 4 * PAGE, 2 * PAGE, 0) == at);
	say_access("shrunk", at, 4);
	SHOW(mremap(at, 2 * PAGE, 4 * PAGE, 0) == at);
	say("%c %d", at[PAGE], at[2 * PAGE]);
	mmap(at + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	SHOW_OK(mremap(at, 4 * PAGE, 8 * PAGE, 0));
	moved = mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	say("moved: %s, %c %d", yes_no(moved != at), moved[0], moved[7 * PAGE]);
	say_access("old place", at, 4);
	at = map(10, PROT_NONE, ANON);
	SHOW(mremap(moved, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 3 * PAGE) ==
	     at + 3 * PAGE);
	say_access("fixed", at, 6);
	SHOW_OK(mremap(at + 1, PAGE, PAGE, 0));
	SHOW_OK(mremap(at, PAGE, 0, 0));
	SHOW_OK(mremap(at, 20 * PAGE, 30 * PAGE, MREMAP_MAYMOVE));
	SHOW_OK(mremap(at, PAGE, PAGE, MREMAP_FIXED, at));
	SHOW_OK(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE));
	SHOW_OK(mremap(at, PAGE, PAGE, 8));
	munmap(at, PAGE);
	SHOW_OK(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
}

TEST(brk)
{
	char *start = (char *)syscall(SYS_brk, 0);

	SHOW((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	start[3 * PAGE - 1] = 'x';
	SHOW((char *)syscall(SYS_brk, start + 100) == start + 100);
	start[50] = 'y';
	SHOW((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	say("%d %c", start[3 * PAGE - 1], start[50]);
	SHOW((char *)syscall(SYS_brk, 16) == start + 3 * PAGE);
	SHOW((char *)syscall(SYS_brk, 1UL << 47) == start + 3 * PAGE);
	MUST(setrlimit(RLIMIT_DATA, &(struct rlimit){ 1 << 20, 1 << 20 }));
	SHOW((char *)syscall(SYS_brk, start + (4 << 20)) == start + 3 * PAGE);
}

TEST(address_space_limit)
{
	MUST(setrlimit(RLIMIT_AS, &(struct rlimit){ 64 << 20, 64 << 20 }));
	SHOW_OK(mmap(NULL, 128 << 20, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 16 << 20, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 16 << 20, PROT_NONE, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 64 << 20, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
}

TEST(huge_reservations)
{
	char *at;

	SHOW_OK(mmap(NULL, 64UL << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
	at = mmap(NULL, 1UL << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	say("1 TiB: %s", yes_no(at != MAP_FAILED));
	SHOW(mprotect(at + (512UL << 30), 16 * PAGE, RW));
	say_access("in the middle", at + (512UL << 30) - PAGE, 3);
	SHOW(munmap(at, 1UL << 40));
}

TEST(private_across_fork)
{
	char *at = map(3, RW, ANON);

	strcpy(at, "parent");
	strcpy(at + PAGE, "parent");
	IN_CHILD("child")
	{
		say("%s", at);
		strcpy(at, "child");
		say("%s", at);
	}
	say("%s", at);
	strcpy(at + PAGE, "changed");
	IN_CHILD("second child")
	{
		say("%s", at + PAGE);
	}
}

TEST(shared_across_fork)
{
	char *at = map(300, RW, MAP_SHARED | MAP_ANONYMOUS);

	IN_CHILD("child")
	{
		strcpy(at, "child");
		at[299 * PAGE] = 'z';
		IN_CHILD("grandchild")
		{
			strcpy(at + PAGE, "grandchild");
		}
	}
	say("%s %s %c", at, at + PAGE, at[299 * PAGE]);
}

TEST(madvise)
{
	char *at = map(4, RW, ANON), *shared = map(2, RW, MAP_SHARED | MAP_ANONYMOUS);

	memset(at, 'a', 4 * PAGE);
	memset(shared, 'a', 2 * PAGE);
	SHOW(madvise(at + PAGE, PAGE, MADV_DONTNEED));
	say("%c %d %c", at[0], at[PAGE], at[2 * PAGE]);
	SHOW(madvise(shared, PAGE, MADV_DONTNEED));
	say("%c", shared[0]);
	SHOW(madvise(at, 4 * PAGE, MADV_NORMAL));
	SHOW(madvise(at, 4 * PAGE, MADV_WILLNEED));
	SHOW(madvise(at, 4 * PAGE, MADV_SEQUENTIAL));
	SHOW(madvise(at, 4 * PAGE, 8 /* FREE */));
	SHOW(madvise(at, 4 * PAGE, 999));
	SHOW(madvise(at + 1, PAGE, MADV_DONTNEED));
	SHOW(madvise(at, 0, MADV_DONTNEED));
	MUST(munmap(at + PAGE, PAGE));
	SHOW(madvise(at, 4 * PAGE, MADV_DONTNEED));
	say("%d %d", at[0], at[3 * PAGE]);
	SHOW(madvise(shared, PAGE, MADV_DONTFORK));
	IN_CHILD("child")
	{
		say_access("not forked", shared, 2);
	}
	at = map(2, RW, ANON);
	at[0] = 'x';
	SHOW(madvise(at, PAGE, 18 /* WIPEONFORK */));
	IN_CHILD("wiped")
	{
		say("%d", at[0]);
	}
}

TEST(mincore)
{
	unsigned char present[4] = { 9, 9, 9, 9 };
	char *at = map(4, RW, ANON);

	at[PAGE] = 1;
	SHOW(mincore(at, 4 * PAGE, present));
	say("%d %d", present[0] & 1, present[1] & 1);
	SHOW(mincore(at + 1, PAGE, present));
	MUST(munmap(at + 2 * PAGE, PAGE));
	SHOW(mincore(at, 4 * PAGE, present));
	SHOW(mincore(at, PAGE, (void *)16));
}

TEST(locking)
{
	char *at = map(4, RW, ANON);

	SHOW(mlock(at, 4 * PAGE));
	SHOW(munlock(at, 4 * PAGE));
	SHOW(mlockall(MCL_CURRENT));
	SHOW(munlockall());
	SHOW(mlockall(0));
	SHOW(mlockall(99));
	MUST(munmap(at + PAGE, PAGE));
	SHOW(mlock(at, 4 * PAGE));
	SHOW(syscall(SYS_mlock2, at, PAGE, 1));
	SHOW(syscall(SYS_mlock2, at, PAGE, 9));
}

static int deep(volatile int n)
{
	volatile char page[4096];

	page[0] = n;
	return n == 0 ? 0 : deep(n - 1) + (page[0] == (char)n);
}

TEST(stack_grows)
{
	IN_CHILD("limited")
	{
		MUST(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 }));
		deep(1000);
	}
	say("1000 pages: %d", deep(1000));
}

TEST(growsdown)
{
	char *at = map(20, PROT_NONE, ANON), *stack = at + 15 * PAGE;

	MUST(munmap(at, 20 * PAGE));
	SHOW(mmap(stack, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == stack);
	for (int i = 1; i <= 4; i++)
		say("%d below: %s", i, access_of(stack - i * PAGE));
}

TEST(many_mappings)
{
	char *at = map(2000, RW, ANON);
	int failed = 0;

	for (int i = 0; i < 2000; i += 2)
		failed += mprotect(at + i * PAGE, PAGE, PROT_READ) != 0;
	say("%d failed", failed);
	say_access("some", at + 1000 * PAGE, 4);
	SHOW(mprotect(at, 2000 * PAGE, RW));
	say_access("again", at + 1000 * PAGE, 4);
	SHOW(munmap(at, 2000 * PAGE));
}

TEST(zeroed)
{
	char *at = map(256, RW, ANON);
	long sum = 0;

	for (size_t i = 0; i < 256 * PAGE; i++)
		sum += at[i];
	say("sum %ld", sum);
	memset(at, 0xff, 256 * PAGE);
	munmap(at, 256 * PAGE);
	at = map(256, RW, ANON);
	for (size_t i = 0; i < 256 * PAGE; i++)
		sum += at[i];
	say("sum %ld", sum);
}

TEST(randomised)
{
	char first[100], second[100];
	int fds[2], same = 1;

	MUST(pipe(fds));
	for (int i = 0; i < 4; i++) {
		if (MUST(fork()) == 0) {
			dup2(fds[1], 1);
			execl("/tests/show_maps", "show_maps", NULL);
		}
		wait(NULL);
		memset(i ? second : first, 0, 100);
		read(fds[0], i ? second : first, 99);
		if (i)
			same &= !strcmp(first, second);
	}
	say("always at the same place: %s", yes_no(same));
}

struct fault_load {
	char *at;
	int pages;
};

static void *touch(void *arg)
{
	struct fault_load *load = arg;

	for (int i = 0; i < load->pages; i++)
		__atomic_fetch_add(load->at + i * PAGE, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST(faults_of_several_threads)
{
	pthread_t threads[4];
	int wrong = 0;

	for (int round = 0; round < 10; round++) {
		struct fault_load load = { map(100, RW, ANON), 100 };

		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, touch, &load);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		for (int i = 0; i < 100; i++)
			wrong += load.at[i * PAGE] != 4;
		munmap(load.at, 100 * PAGE);
	}
	say("%d wrong", wrong);
}

static void *map_and_unmap(void *arg)
{
	for (int i = 0; i < 40; i++) {
		char *at = map(4, RW, ANON);

		at[0] = at[3 * PAGE] = 1;
		mprotect(at, PAGE, PROT_READ);
		munmap(at, 4 * PAGE);
	}
	return NULL;
}

TEST(mappings_of_several_threads)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, map_and_unmap, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("done");
}

/* As Linux does it since 6.17: several areas, and the gaps between them. */
TEST(mremap_of_several_areas)
{
	char *at = map(8, RW, ANON), *to = map(8, RW, ANON);

	memset(at, 'a', 8 * PAGE);
	memset(to, 'b', 8 * PAGE);
	mprotect(at + PAGE, PAGE, PROT_READ);
	munmap(at + 3 * PAGE, 2 * PAGE);
	SHOW(mremap(at, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
	say_access("from", at, 8);
	say_access("to", to, 8);
	say("%c%c%c %c%c%c", to[0], to[PAGE], to[2 * PAGE], to[4 * PAGE], to[6 * PAGE],
	    to[7 * PAGE]);
	SHOW_OK(mremap(at, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	SHOW_OK(mremap(to, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
}
