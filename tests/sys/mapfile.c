/* Files in memory: shared and private mappings, and what happens at the end of the file. */
#include <tests/sys/test.h>

#include <sys/mount.h>

#define RW (PROT_READ | PROT_WRITE)

static int new_file(size_t size)
{
	int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
	char page[PAGE];

	for (size_t at = 0; at < size; at += PAGE) {
		memset(page, 'a' + at / PAGE % 26, PAGE);
		MUST(write(fd, page, size - at < PAGE ? size - at : PAGE));
	}
	return fd;
}

static char *map(size_t pages, int prot, int flags, int fd, off_t offset)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags, fd, offset);

	MUST(at == MAP_FAILED ? -1 : 0);
	return at;
}

TEST(shared)
{
	char byte;
	int fd = new_file(2 * PAGE);
	char *one = map(2, RW, MAP_SHARED, fd, 0), *two = map(1, PROT_READ, MAP_SHARED, fd, PAGE);

	say("%c %c %c", one[0], one[PAGE], two[0]);
	one[PAGE + 5] = 'X';
	say("%c", two[5]);
	MUST(pread(fd, &byte, 1, PAGE + 5));
	say("%c", byte);
	MUST(pwrite(fd, "Y", 1, 7));
	say("%c", one[7]);
	SHOW(msync(one, 2 * PAGE, MS_SYNC));
	SHOW(msync(one + 1, PAGE, MS_SYNC));
	SHOW(msync(one, PAGE, MS_SYNC | MS_ASYNC));
	SHOW(msync(one, PAGE, 0x10));
	close(fd);
	one[0] = 'Z';
	say("%.1s", get_file("f"));
	IN_CHILD("child")
	{
		one[1] = 'C';
	}
	say("%.2s", get_file("f"));
}

TEST(private)
{
	char byte;
	int fd = new_file(2 * PAGE);
	char *at = map(2, RW, MAP_PRIVATE, fd, 0);

	say("%c", at[0]);
	at[0] = 'X';
	MUST(pread(fd, &byte, 1, 0));
	say("%c %c", at[0], byte);
	MUST(pwrite(fd, "Y", 1, 1));
	say("copied page: %c", at[1]);
	MUST(pwrite(fd, "Y", 1, PAGE));
	say("%c", at[PAGE]);
	IN_CHILD("child")
	{
		say("%c", at[0]);
		at[0] = 'C';
	}
	say("%c", at[0]);
	SHOW(madvise(at, PAGE, MADV_DONTNEED));
	say("%c", at[0]);
}

TEST(permissions)
{
	int rd, wr;

	new_file(PAGE);
	rd = MUST(open("f", O_RDONLY));
	wr = MUST(open("f", O_WRONLY));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rd, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_SHARED, rd, 0));
	SHOW_OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, rd, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wr, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wr, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, wr, 0));
	SHOW(mprotect(map(1, PROT_READ, MAP_SHARED, rd, 0), PAGE, RW));
	SHOW(mprotect(map(1, PROT_READ, MAP_PRIVATE, rd, 0), PAGE, RW));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, MUST(open(".", O_RDONLY)), 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, MUST(open("/dev/null", O_RDONLY)), 0));
}

/* Not to be run is not to be mapped as a program either. */
TEST(noexec)
{
	int fd;

	MUST(mkdir("m", 0755));
	MUST(mount("none", "m", "tmpfs", MS_NOEXEC, ""));
	MUST(chdir("m"));
	fd = new_file(PAGE);
	SHOW_OK(mmap(NULL, PAGE, PROT_EXEC, MAP_PRIVATE, fd, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
	SHOW(mprotect(map(1, PROT_READ, MAP_SHARED, fd, 0), PAGE, PROT_EXEC));
	SHOW(mprotect(map(1, RW, MAP_PRIVATE, fd, 0), PAGE, RW | PROT_EXEC));
	SHOW(mprotect(map(1, RW, MAP_PRIVATE, fd, 0), PAGE, PROT_READ));
	MUST(chdir(".."));
	fd = new_file(PAGE);
	SHOW(mprotect(map(1, RW, MAP_PRIVATE, fd, 0), PAGE, RW | PROT_EXEC));
	MUST(umount2("m", MNT_DETACH));
}

TEST(offsets)
{
	int fd = new_file(4 * PAGE);

	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100 * PAGE));
	SHOW_OK(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1));
	SHOW_OK(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_SHARED, fd, -4096L));
	SHOW_OK(syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000));
	say("%c", *map(1, PROT_READ, MAP_SHARED, fd, 2 * PAGE));
}

TEST(end_of_file)
{
	int fd = new_file(PAGE + 100);
	char *at = map(3, RW, MAP_SHARED, fd, 0);

	say("%c then %d", at[PAGE + 99], at[PAGE + 100]);
	at[PAGE + 200] = 'X';
	MUST(ftruncate(fd, PAGE + 300));
	say("after growing: %d", at[PAGE + 200]);
	IN_CHILD("beyond")
	at[2 * PAGE] = 1;
	MUST(ftruncate(fd, 3 * PAGE));
	say("%d", at[2 * PAGE]);
	MUST(ftruncate(fd, 10));
	say("%c %d", at[9], at[10]);
	IN_CHILD("cut off")
	at[PAGE] = 1;
}

TEST(private_pages_go_with_truncate)
{
	int fd = new_file(2 * PAGE);
	char *at = map(2, RW, MAP_PRIVATE, fd, 0);

	at[PAGE] = 'X';
	MUST(ftruncate(fd, PAGE));
	IN_CHILD("own copy")
	say("%c", at[PAGE]);
	MUST(ftruncate(fd, 2 * PAGE));
	say("%d", at[PAGE]);
}

TEST(unlinked)
{
	int fd = new_file(PAGE);
	char *at;

	MUST(unlink("f"));
	at = map(1, RW, MAP_PRIVATE, fd, 0);
	close(fd);
	at[0] = 'X';
	say("%c %c", at[0], at[1]);
}

TEST(fork_shares_the_file)
{
	int fd = new_file(100 * PAGE);
	char *at = map(100, RW, MAP_SHARED, fd, 0);

	for (int child = 0; child < 4; child++) {
		if (MUST(fork()) == 0) {
			for (int i = child; i < 100; i += 4)
				at[i * PAGE] = '0' + child;
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("%c %c %c %c %c", at[0], at[PAGE], at[2 * PAGE], at[3 * PAGE], at[99 * PAGE]);
}

TEST(read_into_mapping_of_the_same_file)
{
	int fd = new_file(4 * PAGE);
	char *at = map(4, RW, MAP_SHARED, fd, 0);

	SHOW(pread(fd, at + 2 * PAGE, PAGE, 0));
	say("%c", at[2 * PAGE]);
	SHOW(pwrite(fd, at, PAGE, 3 * PAGE));
	say("%c", at[3 * PAGE]);
	SHOW(pwrite(fd, at, 2 * PAGE, PAGE));
	say("%c %c", at[PAGE], at[2 * PAGE]);
}

TEST(devices)
{
	int zero = MUST(open("/dev/zero", O_RDWR));
	char *private = map(2, RW, MAP_PRIVATE, zero, 0), *shared = map(2, RW, MAP_SHARED, zero, 0);

	say("%d %d", private[0], shared[0]);
	IN_CHILD("child")
	{
		private[0] = shared[0] = 'x';
	}
	say("%d %d", private[0], shared[0]);
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, MUST(open("/dev/full", O_RDONLY)), 0));
}

TEST(remap)
{
	int fd = new_file(4 * PAGE);
	char *at = map(1, RW, MAP_SHARED, fd, PAGE);

	at = mremap(at, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	say("%c %c %c", at[0], at[PAGE], at[2 * PAGE]);
	at[PAGE] = 'X';
	say("%c", *map(1, PROT_READ, MAP_SHARED, fd, 2 * PAGE));
}

TEST(memfd)
{
	int fd = syscall(SYS_memfd_create, "m", 0);
	char *at;

	MUST(ftruncate(fd, 2 * PAGE));
	at = map(2, RW, MAP_SHARED, fd, 0);
	strcpy(at, "hello");
	IN_CHILD("child")
	{
		strcpy(at + PAGE, at);
	}
	say("%s", at + PAGE);
}
