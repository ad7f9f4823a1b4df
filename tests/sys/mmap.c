/* Mapping memory and files: errors, places, protection, what faults say, what fork makes of it. */
#include <tests/sys/faults.h>

TEST(anonymous_errors)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));

	SHOW_OK(mmap(NULL, 0, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_GROWSDOWN | MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, 0xff, ANON, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON, fd, 12 * PAGE));
	SHOW_OK(mmap(NULL, PAGE, RW, ANON, fd, 12));
	SHOW_OK(mmap(NULL, 1UL << 47, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, ~0UL, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, -PAGE, RW, ANON, -1, 0));
	SHOW_OK(mmap((void *)123, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mmap((void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mmap((void *)0x7fffffffe000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mmap((void *)0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW_OK(mmap((void *)0xffff800000000000, PAGE, RW, ANON, -1, 0));
	SHOW_OK(mmap((void *)123, PAGE, RW, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 1UL << 40, PROT_NONE, ANON, -1, 0));
	SHOW_OK(mmap(NULL, 1UL << 40, RW, ANON | MAP_NORESERVE, -1, 0));
	SHOW_OK(mmap(NULL, 1UL << 45, RW, ANON, -1, 0));
}

TEST(file_errors)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644)), reader, writer, directory, path, pipes[2];

	MUST(ftruncate(fd, 3 * PAGE));
	reader = MUST(open("f", O_RDONLY));
	writer = MUST(open("f", O_WRONLY));
	directory = MUST(open(".", O_RDONLY));
	path = MUST(open("f", O_PATH));
	MUST(pipe(pipes));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, 99, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, path, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, 0, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, 5, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_SHARED, reader, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, reader, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, writer, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pipes[0], 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_SHARED, pipes[0], 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 5));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100 * PAGE));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(~0UL << 12)));
	SHOW_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(~0UL << 12)));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x80000000, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | 0x40000000, fd, 0));
}

TEST(munmap)
{
	base = room(8, RW);
	SHOW(munmap(base + 1, PAGE));
	SHOW(munmap(base, 0));
	SHOW(munmap((void *)0x7ffffffff000, PAGE));
	SHOW(munmap((void *)0x7fffffffe000, PAGE));
	SHOW(munmap(base, ~0UL));
	SHOW(munmap((void *)-PAGE, PAGE));
	SHOW(munmap(base + PAGE, 1));
	SHOW(munmap(base + PAGE, 1));
	SHOW(munmap(base, 8 * PAGE));
	SHOW(munmap(base, 8 * PAGE));
}

TEST(places)
{
	char *first, *second;

	base = room(32, PROT_NONE);
	MUST(munmap(base, 32 * PAGE));
	SHOW_PAGE(mmap(base + 8 * PAGE, PAGE, RW, ANON, -1, 0));
	SHOW_PAGE(mmap(base + 16 * PAGE + 100, PAGE, RW, ANON, -1, 0));
	SHOW_PAGE(mmap(base + 4 * PAGE, 8 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	SHOW_PAGE(mmap(base + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	SHOW_PAGE(mmap(base + 4 * PAGE, 20 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	SHOW(munmap(base, 32 * PAGE));
	first = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0);
	second = mmap(NULL, PAGE, RW, ANON, -1, 0);
	say("downwards: %s", yes_no(second < first));
}

TEST(faults)
{
	catch_faults();
	base = room(16, RW);
	try_read("untouched", base);
	try_write("untouched", base + PAGE);
	SHOW(mprotect(base, PAGE, PROT_READ));
	try_write("read-only", base + 7);
	try_read("read-only", base + 7);
	SHOW(mprotect(base, PAGE, PROT_NONE));
	try_read("none", base + 9);
	SHOW(mprotect(base, PAGE, PROT_WRITE));
	try_read("write-only", base + 9);
	try_write("write-only", base + 9);
	SHOW(mprotect(base, PAGE, PROT_EXEC));
	try_write("exec-only", base + 9);
	SHOW(mprotect(base + PAGE, PAGE, RW));
	base[PAGE] = (char)0xc3; /* ret */
	try_call("data", base + PAGE);
	SHOW(mprotect(base + PAGE, PAGE, RW | PROT_EXEC));
	try_call("code", base + PAGE);
	MUST(munmap(base + 4 * PAGE, PAGE));
	try_read("hole", base + 4 * PAGE + 3);
	try_write("null", NULL);
	try_read("kernel text", (char *)0xffffffff80100000);
	try_read("kernel data", (char *)0xffff888000100000);
	try_read("not canonical", (char *)0x800000000000);
	try_read("last page", (char *)0x7ffffffff000);
}

TEST(mprotect)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644)), reader;
	char *mapped;

	MUST(ftruncate(fd, PAGE));
	reader = MUST(open("f", O_RDONLY));
	base = room(8, RW);
	SHOW(syscall(SYS_mprotect, base + 1, PAGE, PROT_READ));
	SHOW(syscall(SYS_mprotect, base, 0, PROT_READ));
	SHOW(syscall(SYS_mprotect, base, ~0UL, PROT_READ));
	SHOW(syscall(SYS_mprotect, base, -PAGE, PROT_READ));
	SHOW(mprotect(base, PAGE, 0x10));
	SHOW(mprotect(base, PAGE, 0x18));
	SHOW(mprotect(base, PAGE, PROT_READ | 8));
	SHOW(mprotect(base, PAGE, PROT_GROWSDOWN | PROT_READ));
	SHOW(mprotect(base, PAGE, PROT_GROWSUP | PROT_READ));
	SHOW(mprotect(base, PAGE, PROT_GROWSUP | PROT_GROWSDOWN | PROT_READ));
	MUST(munmap(base + 4 * PAGE, PAGE));
	SHOW(mprotect(base + 4 * PAGE, PAGE, PROT_READ));
	SHOW(mprotect(base, 8 * PAGE, PROT_READ));
	catch_faults();
	try_write("before the hole", base + 3 * PAGE);
	try_write("behind the hole", base + 5 * PAGE);
	mapped = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
	SHOW(mprotect(mapped, PAGE, RW));
	mapped = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, reader, 0);
	SHOW(mprotect(mapped, PAGE, RW));
	mapped = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	SHOW(mprotect(mapped, PAGE, RW));
}

TEST(file_contents)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
	char *shared, *private, text[64] = { 0 };

	MUST(write(fd, "hello, file", 11));
	MUST(ftruncate(fd, 2 * PAGE + 100));
	shared = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
	close(fd);
	fd = MUST(open("f", O_RDWR));
	say("%.11s, %.11s", shared, private);
	memcpy(shared, "HELLO", 5);
	say("%.11s, %.11s", shared, private);
	memcpy(private, "mine!", 5);
	say("%.11s, %.11s", shared, private);
	SHOW(pread(fd, text, 11, 0));
	say("%s", text);
	SHOW(pwrite(fd, "WRITE", 5, 6));
	say("%.11s, %.11s", shared, private);
	SHOW(unlink("f"));
	close(fd);
	say("%.11s", shared);
	SHOW(munmap(shared, 8 * PAGE));
	say("%.11s", private);
}

TEST(file_ends)
{
	int fd = MUST(open("f", O_CREAT | O_RDWR, 0644));
	char *shared, *private, byte = 0;

	catch_faults();
	MUST(write(fd, "hello", 5));
	MUST(ftruncate(fd, 2 * PAGE + 100));
	shared = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
	try_read("last page", shared + 2 * PAGE + 200);
	try_write("last page", shared + 2 * PAGE + 200);
	try_read("beyond", shared + 3 * PAGE);
	try_write("beyond", private + 3 * PAGE + 1);
	SHOW(ftruncate(fd, 6 * PAGE));
	try_read("grown", shared + 3 * PAGE);
	try_write("grown", shared + 5 * PAGE);
	try_write("copy", private + 4 * PAGE);
	SHOW(pread(fd, &byte, 1, 5 * PAGE));
	say("%d", byte);
	SHOW(ftruncate(fd, PAGE));
	try_read("cut", shared + 3 * PAGE);
	try_read("cut", shared + 5 * PAGE);
	try_read("cut copy", private + 4 * PAGE);
	try_read("rest", shared);
	SHOW(write(1, shared + 3 * PAGE, 1));
	SHOW(read(fd, shared + 3 * PAGE, 1));
	SHOW(ftruncate(fd, 6 * PAGE));
	try_read("grown again", shared + 5 * PAGE);
}

TEST(fork_copies)
{
	char *private = room(64, RW);
	char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int bad = 0;

	for (int i = 0; i < 32; i++)
	private[i * PAGE] = i;
	shared[0] = 1;
	IN_CHILD("child")
	{
		for (int i = 0; i < 64; i++)
			bad += private[i * PAGE] != (i < 32 ? i : 0);
		for (int i = 0; i < 64; i++)
		private[i * PAGE] = 100;
		shared[PAGE] = 7;
		shared[0] = 2;
		say("%d bad", bad);
	}
	for (int i = 0; i < 64; i++)
		bad += private[i * PAGE] != (i < 32 ? i : 0);
	say("%d bad, shared %d %d", bad, shared[0], shared[PAGE]);
	IN_CHILD("child")
	{
		IN_CHILD("grandchild")
		{
			private[9 * PAGE] = 1;
			say("%d", private[10 * PAGE]);
		}
		say("%d", private[9 * PAGE]);
	}
}

TEST(fork_advice)
{
	char *private = room(16, RW);
	char *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(private, 8, 16 * PAGE);
	SHOW(madvise(private, 4 * PAGE, MADV_DONTFORK));
	SHOW(madvise(private + 4 * PAGE, 4 * PAGE, MADV_WIPEONFORK));
	SHOW(madvise(shared, PAGE, MADV_WIPEONFORK));
	IN_CHILD("child")
	{
		catch_faults();
		try_read("not forked", private);
		try_read("wiped", private + 5 * PAGE);
		try_read("kept", private + 8 * PAGE);
	}
}

TEST(zero_device)
{
	int zero = MUST(open("/dev/zero", O_RDWR)), null = MUST(open("/dev/null", O_RDWR));
	char *private = (char *)MUST(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, zero, 0));
	char *shared = (char *)MUST(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, zero, 0));

	private[0] = shared[0] = 1;
	IN_CHILD("child")
	{
		private[0] = shared[0] = 2;
	}
	say("%d %d", private[0], shared[0]);
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, null, 0));
}

/* Of what a call was given, exactly the part that is there is used. */
TEST(half_a_buffer)
{
	char *edge = room(4, RW) + 2 * PAGE, text[200];
	int pipes[2];

	MUST(munmap(edge, 2 * PAGE));
	memset(edge - 2 * PAGE, 'x', 2 * PAGE);
	MUST(pipe2(pipes, O_NONBLOCK));
	for (int size = 1; size < 150; size += 13) {
		say("%d bytes, 20 there:", size);
		SHOW(write(pipes[1], edge - 20, size));
		while (read(pipes[0], text, sizeof(text)) > 0)
			;
		MUST(write(pipes[1], text, size));
		SHOW(read(pipes[0], edge - 20, size));
		while (read(pipes[0], text, sizeof(text)) > 0)
			;
	}
	SHOW(write(pipes[1], (void *)8, 1));
	SHOW(write(pipes[1], (void *)0xffffffff80100000, 8));
	SHOW(write(pipes[1], (void *)0x800000000000, 8));
	SHOW(write(pipes[1], (void *)-1, 8));
	SHOW(write(pipes[1], edge + PAGE, 0));
	MUST(write(pipes[1], "abc", 3));
	MUST(mprotect(edge - PAGE, PAGE, PROT_READ));
	SHOW(read(pipes[0], edge - PAGE, 3));
	MUST(mprotect(edge - PAGE, PAGE, PROT_NONE));
	SHOW(write(pipes[1], edge - PAGE, 3));
	SHOW(open((char *)8, O_RDONLY));
	SHOW(open(edge - 3, O_RDONLY));
}
