/* Floating point and vector registers: one's own, across switches, signals, fork and exec. */
#include <tests/sys/test.h>

/* clang-format off */
#define EACH_XMM(what)								\
	what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7)		\
	what(8) what(9) what(10) what(11) what(12) what(13) what(14) what(15)
/* clang-format on */
#define LOAD_XMM(n)    "movupd 16*" #n "(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n)   "movupd %%xmm" #n ", 16*" #n "(%[out])\n"
#define CLOBBER_XMM(n) "xmm" #n,

/* How many vector registers a raw system call has changed: none, it must be. */
static int wrong_after_call(double seed, long number, long a, long b)
{
	double in[32], out[32];
	int count = 0;

	for (int i = 0; i < 32; i++)
		in[i] = seed + i;
	__asm__ volatile(EACH_XMM(LOAD_XMM) "syscall\n" EACH_XMM(STORE_XMM)
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(0), [in] "r"(in), [out] "r"(out)
			 : EACH_XMM(CLOBBER_XMM) "rcx", "r11", "memory");
	for (int i = 0; i < 32; i++)
		count += out[i] != in[i];
	return count;
}

static void destroy_vectors(void)
{
	static const double other[32] = { -1, -2, -3 };

	__asm__ volatile(EACH_XMM(LOAD_XMM)::[in] "r"(other) : EACH_XMM(CLOBBER_XMM) "memory");
}

TEST(kept_by_calls)
{
	struct timespec time = { 0, 2 * MSEC };

	say("getpid: %d wrong", wrong_after_call(1.5, SYS_getpid, 0, 0));
	say("sched_yield: %d wrong", wrong_after_call(2.5, SYS_sched_yield, 0, 0));
	say("nanosleep: %d wrong", wrong_after_call(3.5, SYS_nanosleep, (long)&time, 0));
}

static double burn(double seed)
{
	double x = seed;

	for (int i = 0; i < 300000; i++)
		x = x * 1.0000001 + seed / 3;
	return x;
}

TEST(kept_across_processes)
{
	int bad = 0, status;

	for (int child = 0; child < 6; child++) {
		if (MUST(fork()) == 0) {
			double first = burn(child + 0.25);

			for (int i = 0; i < 5; i++) {
				if (burn(child + 0.25) != first ||
				    wrong_after_call(child, SYS_sched_yield, 0, 0))
					_exit(1);
			}
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	say("%d processes saw wrong registers", bad);
}

static void *burn_in_thread(void *arg)
{
	double seed = (long)arg + 0.5, first = burn(seed);
	long bad = 0;

	for (int i = 0; i < 5; i++)
		bad += burn(seed) != first;
	return (void *)bad;
}

TEST(kept_across_threads)
{
	pthread_t threads[6];
	long bad = 0;
	void *result;

	for (long i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, burn_in_thread, (void *)i);
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], &result);
		bad += (long)result;
	}
	say("%ld wrong", bad);
}

static volatile int handled;

static void destroy(int sig)
{
	destroy_vectors();
	handled++;
}

TEST(kept_across_signals)
{
	int bad;

	set_handler(SIGUSR1, destroy, 0);
	bad = wrong_after_call(8, SYS_kill, getpid(), SIGUSR1);
	say("handled %d, %d wrong", handled, bad);
}

TEST(kept_across_timer_signals)
{
	double first = burn(1.5);
	int bad = 0;

	set_handler(SIGALRM, destroy, SA_RESTART);
	ualarm(1000, 1000);
	for (int i = 0; i < 50 || !handled; i++)
		bad += burn(1.5) != first;
	ualarm(0, 0);
	say("%d wrong, handled: %s", bad, yes_no(handled > 0));
}

static unsigned short control_word(void)
{
	unsigned short word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	return word;
}

static unsigned mxcsr(void)
{
	unsigned csr;

	__asm__ volatile("stmxcsr %0" : "=m"(csr));
	return csr & ~0x3f;
}

static void say_control(int sig)
{
	say("in the handler: fcw %x mxcsr %x", control_word(), mxcsr());
}

TEST(control_words)
{
	unsigned short word = 0x27f;
	unsigned csr = 0x9f80;

	say("at start: fcw %x mxcsr %x", control_word(), mxcsr());
	__asm__ volatile("fldcw %0; ldmxcsr %1" ::"m"(word), "m"(csr));
	set_handler(SIGUSR1, say_control, 0);
	raise(SIGUSR1);
	say("after it: fcw %x mxcsr %x", control_word(), mxcsr());
	IN_CHILD("forked")
	{
		say("fcw %x mxcsr %x", control_word(), mxcsr());
	}
}

TEST(x87_stack)
{
	double result;

	__asm__ volatile("fldpi; fld1; faddp");
	sched_yield();
	sleep_ms(1);
	__asm__ volatile("fstpl %0" : "=m"(result));
	say("%.10f", result);
}

static int has_avx(void)
{
	unsigned a = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return (c >> 28) & 1 && (c >> 27) & 1;
}

/* Says the same with and without AVX: the upper halves are either kept or not there. */
TEST(avx_upper_halves)
{
	char in[32], out[32];
	pid_t pid;

	memset(in, 0x5a, sizeof(in));
	memcpy(out, in, sizeof(out));
	pid = MUST(fork());
	if (pid == 0) {
		for (int i = 0; i < 50; i++)
			burn(i);
		_exit(0);
	}
	if (has_avx()) {
		__asm__ volatile("vmovdqu %0, %%ymm5" ::"m"(in) : "memory");
		__asm__ volatile("syscall" ::"a"(SYS_sched_yield) : "rcx", "r11", "memory");
		__asm__ volatile("vmovdqu %%ymm5, %0; vzeroupper" : "=m"(out)::"memory");
	}
	reap("other", pid);
	say("kept: %s", yes_no(!memcmp(in, out, sizeof(in))));
}

/* Segment bases: musl's thread pointer is fs; gs is the program's own. */
TEST(segment_bases)
{
	unsigned long base = 0, value;
	static unsigned long here = 4711;

	SHOW(syscall(SYS_arch_prctl, 0x1001 /* SET_GS */, &here));
	SHOW(syscall(SYS_arch_prctl, 0x1004 /* GET_GS */, &base));
	say("%s", yes_no(base == (unsigned long)&here));
	sched_yield();
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	say("%lu", value);
	IN_CHILD("forked")
	{
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		say("%lu", value);
	}
	SHOW(syscall(SYS_arch_prctl, 0x1003 /* GET_FS */, &base));
	say("fs: %s", yes_no(base != 0));
	SHOW(syscall(SYS_arch_prctl, 0x1001, 0x800000000000));
	SHOW(syscall(SYS_arch_prctl, 0x1001, 0xffff800000000000));
	SHOW(syscall(SYS_arch_prctl, 0x1004, 16));
	SHOW(syscall(SYS_arch_prctl, 0x7777, 0));
}
