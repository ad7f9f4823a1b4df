/* What the processor objects to, as signals: number, code, address. And its registers across signals. */
#include <setjmp.h>
#include <tests/sys/test.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t last;
static long trap, error;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	last = *info;
	trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, 1);
}

static void catch_all(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		MUST(sigaction(signals[i], &action, NULL));
}

#define TRAP_PAGE_FAULT 14

/* FAULT(what, where, statement): where is the address that the signal should name. The error codes of
 * other traps are QEMU's business as much as the kernel's. */
#define FAULT(what, where, statement)                                               \
	do {                                                                        \
		if (sigsetjmp(back, 1) == 0) {                                      \
			statement;                                                  \
			say("%s: nothing", what);                                   \
		} else {                                                            \
			say("%s: %s code %d trap %ld error %lx address %s", what,   \
			    signal_text(last.si_signo), last.si_code, trap,         \
			    trap == TRAP_PAGE_FAULT ? error : 0,                    \
			    last.si_addr == (void *)(where) ? "right" : "another"); \
		}                                                                   \
	} while (0)

#define STORE(address) (*(volatile char *)(address) = 1)
#define LOAD(address)  ((void)*(volatile char *)(address))

TEST(memory)
{
	char *map =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	catch_all();
	FAULT("write null", 0, STORE(0));
	FAULT("read null", 0, LOAD(0));
	FAULT("read near null", 123, LOAD(123));
	MUST(mprotect(map, PAGE, PROT_READ));
	FAULT("write read-only", map + 5, STORE(map + 5));
	LOAD(map);
	FAULT("write read-only that is present", map + 5, STORE(map + 5));
	MUST(mprotect(map, PAGE, PROT_NONE));
	FAULT("read none", map, LOAD(map));
	MUST(munmap(map + PAGE, PAGE));
	FAULT("read unmapped", map + PAGE, LOAD(map + PAGE));
	FAULT("kernel address", 0xffffffff80000000, LOAD(0xffffffff80000000));
	FAULT("write kernel address", 0xffff888000000000, STORE(0xffff888000000000));
	FAULT("non-canonical", 0, LOAD(0x8000000000000000));
	FAULT("beyond user space", 0x7ffffffff000, LOAD(0x7ffffffff000));
	STORE(map + 3 * PAGE);
	FAULT("code in data", map + 3 * PAGE, ((void (*)(void))(map + 3 * PAGE))());
	FAULT("jump to null", 0, ((void (*)(void))0)());
	FAULT("write text", (char *)on_fault, STORE(on_fault));
}

TEST(files)
{
	int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
	char *map;

	MUST(ftruncate(fd, 100));
	catch_all();
	map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FAULT("inside", 0, LOAD(map + 50));
	FAULT("rest of the page", 0, LOAD(map + 4000));
	FAULT("beyond the end", map + PAGE + 7, LOAD(map + PAGE + 7));
	FAULT("write beyond the end", map + 2 * PAGE, STORE(map + 2 * PAGE));
	MUST(ftruncate(fd, 2 * PAGE));
	FAULT("grown", 0, LOAD(map + PAGE + 7));
	MUST(ftruncate(fd, 0));
	FAULT("shrunk", map + 1, LOAD(map + 1));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	FAULT("private beyond the end", map, LOAD(map));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	FAULT("write to a read-only mapping", map, STORE(map));
}

TEST(processor)
{
	volatile int zero = 0, one = 1;

	catch_all();
	FAULT("divide by zero", 0, one = one / zero);
	FAULT("undefined instruction", 0, __asm__ volatile("ud2"));
	FAULT("privileged", 0, __asm__ volatile("hlt"));
	FAULT("port", 0, __asm__ volatile("outb %%al, $0x80" ::));
	FAULT("cli", 0, __asm__ volatile("cli"));
	FAULT("control register", 0, __asm__ volatile("mov %%cr3, %%rax" ::: "rax"));
	FAULT("wrmsr", 0, __asm__ volatile("wrmsr"));
	FAULT("breakpoint", 0, __asm__ volatile("int3"));
	FAULT("int 3", 0, __asm__ volatile(".byte 0xcd, 0x03"));
	FAULT("int 13", 0, __asm__ volatile("int $13"));
	FAULT("int 99", 0, __asm__ volatile("int $99"));
	FAULT("null selector", 0, __asm__ volatile("mov %0, %%ss" ::"r"(0)));
	FAULT("bad selector", 0, __asm__ volatile("mov %0, %%ds" ::"r"(0x1234)));
	FAULT("overflow in division", 0,
	      __asm__ volatile("mov $1, %%edx; xor %%eax, %%eax; mov $1, %%ecx; div %%ecx" ::
				       : "eax", "ecx", "edx"));
}

TEST(single_step)
{
	catch_all();
	FAULT("trap flag", 0,
	      __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" ::
				       : "memory", "cc"));
}

TEST(alignment_check)
{
	catch_all();
	FAULT("misaligned sse", 0, __asm__ volatile("movaps 1(%%rsp), %%xmm0" ::: "xmm0"));
}

TEST(default_actions)
{
	IN_CHILD("segv")
	STORE(0);
	IN_CHILD("ill")
	__asm__ volatile("ud2");
	IN_CHILD("fpe")
	{
		volatile int zero = 0, seven = 7;

		zero = seven / zero;
	}
	IN_CHILD("trap")
	__asm__ volatile("int3");
}

TEST(fault_in_handler)
{
	IN_CHILD("child")
	{
		struct sigaction action = { .sa_sigaction = (void *)8, .sa_flags = SA_SIGINFO };

		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
	}
}

TEST(handler_without_stack)
{
	IN_CHILD("child")
	{
		set_handler(SIGUSR1, (void (*)(int))1, 0);
		__asm__ volatile("xor %%esp, %%esp; mov $39, %%eax; syscall; mov %%eax, %%edi; mov "
				 "$10, %%esi; mov $62, %%eax; syscall; hlt" ::
					 : "memory");
	}
}

TEST(bad_sigreturn)
{
	IN_CHILD("nothing on the stack")
	{
		syscall(SYS_rt_sigreturn);
		say("came back");
	}
	IN_CHILD("no stack")
	{
		__asm__ volatile("xor %%esp, %%esp; mov $15, %%eax; syscall; hlt" ::: "memory");
	}
}

static void evil_context(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	switch (info->si_value.sival_int) {
	case 0:
		uc->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000;
		break;
	case 1:
		uc->uc_mcontext.gregs[REG_RIP] = 0xffffffff80100000;
		break;
	case 2:
		uc->uc_mcontext.gregs[REG_CSGSFS] = 0x10;
		break;
	case 3:
		uc->uc_mcontext.gregs[REG_EFL] = -1;
		break;
	case 4:
		uc->uc_mcontext.gregs[REG_RSP] = 0x8000000000000000;
		break;
	case 5:
		uc->uc_mcontext.fpregs = (void *)16;
		break;
	case 6:
		memset(uc->uc_mcontext.fpregs, 0xff, 512);
		break;
	}
}

/* What a handler writes into its frame must not harm the kernel. Only whether it lives is compared. */
TEST(evil_frames)
{
	for (int kind = 0; kind < 7; kind++) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			struct sigaction action = { .sa_sigaction = evil_context,
						    .sa_flags = SA_SIGINFO };
			union sigval value = { .sival_int = kind };

			sigaction(SIGUSR1, &action, NULL);
			alarm(2);
			sigqueue(getpid(), SIGUSR1, value);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	say("alive");
}
