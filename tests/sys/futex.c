/* futex, the raw call. */
#include <linux/futex.h>
#include <tests/sys/test.h>

static uint32_t word, other;

static long futex(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *second,
		  uint32_t value3)
{
	return syscall(SYS_futex, at, op, value, timeout, second, value3);
}

TEST(wait_looks_first)
{
	struct timespec soon = { 0, 5 * MSEC };

	word = 1;
	SHOW(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT, 1, &soon, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, ~0U));
	SHOW(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	SHOW(futex(&word, 99, 1, NULL, NULL, 0));
}

TEST(arguments)
{
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };

	SHOW(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(futex(NULL, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	SHOW(futex((uint32_t *)16, FUTEX_WAKE, 1, NULL, NULL, 0));
	SHOW(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(futex((uint32_t *)((char *)&word + 2), FUTEX_WAKE, 0, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT, 0, (void *)16, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_REQUEUE, -1, NULL, &other, 0));
	SHOW(futex((uint32_t *)0xffff800000000000, FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(futex((uint32_t *)0x800000000000, FUTEX_WAIT, 0, NULL, NULL, 0));
}

TEST(absolute_timeouts)
{
	struct timespec past = { 0, 0 }, soon;

	SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, ~0U));
	clock_gettime(CLOCK_MONOTONIC, &soon);
	soon.tv_sec += (soon.tv_nsec += 5 * MSEC) / 1000000000;
	soon.tv_nsec %= 1000000000;
	SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &soon, NULL, ~0U));
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += (soon.tv_nsec += 5 * MSEC) / 1000000000;
	soon.tv_nsec %= 1000000000;
	SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, ~0U));
}

static pid_t tids[50]; /* of those who sleep soon */
static int nr_tids;    /* atomic */

static void about_to_sleep(void)
{
	tids[__atomic_fetch_add(&nr_tids, 1, __ATOMIC_SEQ_CST)] = syscall(SYS_gettid);
}

/* Until so many of them sleep. */
static void wait_sleepers(int count)
{
	for (int i = 0; i < count; i++) {
		while (!__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST))
			sched_yield();
		wait_asleep(getpid(), tids[i]);
	}
}

static void *sleeper(void *arg)
{
	about_to_sleep();
	return (void *)futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

TEST(wake_counts)
{
	pthread_t threads[5];

	for (int i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, sleeper, NULL);
	wait_sleepers(5);
	SHOW(futex(&word, FUTEX_WAKE, 2, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
}

TEST(requeue)
{
	pthread_t threads[5];

	for (int i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, sleeper, NULL);
	wait_sleepers(5);
	SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2L, &other, 7));
	SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2L, &other, 0));
	SHOW(futex(&other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	SHOW(futex(&word, FUTEX_REQUEUE, 0, (void *)10L, &other, 0));
	SHOW(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	SHOW(futex(&other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
}

static void *bit_sleeper(void *arg)
{
	about_to_sleep();
	return (void *)futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (long)arg);
}

TEST(bitset)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, bit_sleeper, (void *)(1L << i));
	wait_sleepers(3);
	SHOW(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 8));
	SHOW(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2));
	SHOW(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 5));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

TEST(wake_op)
{
	pthread_t threads[2];

	other = 5;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sleeper, NULL);
	wait_sleepers(2);
	/* other += 3; wake on it if it was 5 */
	SHOW(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &other,
		   FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
	say("other %u", other);
	SHOW(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

TEST(between_processes)
{
	uint32_t *shared =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	wait_asleep(pid, pid);
	SHOW(futex(shared, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	SHOW(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
	reap("child", pid);
}

TEST(between_processes_by_file)
{
	uint32_t *one, *two;
	pid_t pid;
	int fd = MUST(open("shared", O_RDWR | O_CREAT, 0644));

	MUST(ftruncate(fd, PAGE));
	one = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid = MUST(fork());
	if (pid == 0) {
		two = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		_exit(futex(two + 3, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	}
	while (futex(one + 3, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		sleep_ms(1);
	reap("child", pid);
}

static void handler(int sig)
{
}

TEST(interrupted)
{
	struct timespec long_time = { 100, 0 };

	set_handler(SIGALRM, handler, 0);
	signal_when_asleep(SIGALRM);
	SHOW(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	signal_when_asleep(SIGALRM);
	SHOW(futex(&word, FUTEX_WAIT, 0, &long_time, NULL, 0));
}

static void set_word(int sig)
{
	word = 1;
}

TEST(restarted)
{
	set_handler(SIGALRM, set_word, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

TEST(robust_list_calls)
{
	struct robust_list_head head = { { &head.list }, 0, NULL }, *got;
	size_t size;

	SHOW(syscall(SYS_set_robust_list, &head, sizeof(head)));
	SHOW(syscall(SYS_set_robust_list, &head, 5));
	SHOW(syscall(SYS_get_robust_list, 0, &got, &size));
	say("%s %zu", yes_no(got == &head), size);
	SHOW(syscall(SYS_get_robust_list, 99999, &got, &size));
	SHOW(syscall(SYS_get_robust_list, 0, 16, &size));
}

static void *no_sleeper(void *arg)
{
	return NULL;
}

TEST(many_sleepers)
{
	pthread_t threads[50];
	long woken = 0;

	for (int i = 0; i < 50; i++)
		pthread_create(&threads[i], NULL, i % 2 ? sleeper : no_sleeper, NULL);
	while (woken < 25)
		woken += futex(&word, FUTEX_WAKE, 3, NULL, NULL, 0);
	for (int i = 0; i < 50; i++)
		pthread_join(threads[i], NULL);
	say("%ld woken", woken);
}
