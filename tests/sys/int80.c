/* The old door, int 0x80, from a 64-bit program: i386 numbers, pointers below 4 GiB. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <tests/sys/test.h>

struct low {
	char text[64], path[64];
	int fds[2];
	struct pollfd pfd[2];
	uint32_t set[32];
	struct {
		int32_t sec, usec;
	} timeout;
	uint32_t select_args[5];
	struct epoll_event event;
};

static struct low *low;

static long int80(long number, long b, long c, long d, long s, long di)
{
	long result = number;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(b), "c"(c), "d"(d), "S"(s), "D"(di)
			 : "memory");
	if (result < 0 && result > -4096) {
		errno = -result;
		return -1;
	}
	return result;
}

/* Only the lower half of a register counts. */
#define LOW(p) ((long)(uintptr_t)(p))

static void make_low(void)
{
	low = mmap((void *)0x10000000, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	MUST(low == MAP_FAILED ? -1 : 0);
}

/* A host whose kernel was built without the 32-bit door cannot be asked. */
static bool is_there(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(int80(20, 0, 0, 0, 0, 0) != getpid());
	waitpid(pid, &status, 0);
	return status == 0;
}

TEST(files)
{
	int fd;

	if (!is_there())
		return;
	make_low();
	strcpy(low->path, "file");
	strcpy(low->text, "hello");
	fd = MUST(int80(5, LOW(low->path), O_CREAT | O_RDWR, 0644, 0, 0));
	SHOW(int80(4, fd, LOW(low->text), 5, 0, 0));
	MUST(lseek(fd, 0, SEEK_SET));
	SHOW(int80(3, fd, LOW(low->text), 64, 0, 0));
	SHOW(int80(6, fd, 0, 0, 0, 0));
	SHOW(int80(6, fd, 0, 0, 0, 0));
	say("%s", get_file("file"));
	SHOW(int80(3, 0, 0xdeadbeef, 1, 0, 0));
}

TEST(numbers)
{
	if (!is_there())
		return;
	SHOW(int80(20, 0, 0, 0, 0, 0) == getpid());
	SHOW(int80(0xffff, 0, 0, 0, 0, 0));
	SHOW(int80(-1, 0, 0, 0, 0, 0));
}

TEST(poll_and_select)
{
	if (!is_there())
		return;
	make_low();
	SHOW(int80(42, LOW(low->fds), 0, 0, 0, 0));
	low->pfd[0] = (struct pollfd){ low->fds[0], POLLIN, 0 };
	low->pfd[1] = (struct pollfd){ low->fds[1], POLLOUT, 0 };
	SHOW(int80(168, LOW(low->pfd), 2, 0, 0, 0));
	say("%x %x", low->pfd[0].revents, low->pfd[1].revents);
	low->set[0] = 1u << low->fds[0];
	low->timeout.sec = 0;
	low->timeout.usec = 5000;
	SHOW(int80(142, low->fds[0] + 1, LOW(low->set), 0, 0, LOW(&low->timeout)));
	say("left %d.%06d set %x", low->timeout.sec, low->timeout.usec, low->set[0]);
	write(low->fds[1], "x", 1);
	low->set[0] = 1u << low->fds[0];
	low->timeout.usec = 5000;
	SHOW(int80(142, low->fds[0] + 1, LOW(low->set), 0, 0, LOW(&low->timeout)));
	low->select_args[0] = low->fds[0] + 1;
	low->select_args[1] = LOW(low->set);
	low->set[0] = 1u << low->fds[0];
	SHOW(int80(82, LOW(low->select_args), 0, 0, 0, 0));
	say("%s", yes_no(low->set[0] == 1u << low->fds[0]));
}

TEST(epoll)
{
	int epfd;

	if (!is_there())
		return;
	make_low();
	SHOW(int80(254, 0, 0, 0, 0, 0));
	epfd = MUST(int80(254, 1, 0, 0, 0, 0));
	MUST(pipe(low->fds));
	low->event = (struct epoll_event){ .events = EPOLLIN, .data.u64 = 0x1122334455667788 };
	SHOW(int80(255, epfd, EPOLL_CTL_ADD, low->fds[0], LOW(&low->event), 0));
	SHOW(int80(255, epfd, EPOLL_CTL_ADD, low->fds[0], LOW(&low->event), 0));
	SHOW(int80(256, epfd, LOW(&low->event), 1, 0, 0));
	write(low->fds[1], "x", 1);
	low->event = (struct epoll_event){ 0 };
	SHOW(int80(256, epfd, LOW(&low->event), 1, (uint32_t)-1, 0));
	say("%x %lx", low->event.events, low->event.data.u64);
	SHOW(int80(255, epfd, EPOLL_CTL_DEL, low->fds[0], 0, 0));
	SHOW(int80(256, epfd, LOW(&low->event), 0, 0, 0));
}
