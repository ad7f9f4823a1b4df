/*
 * Many threads, on as many CPUs as there are, that wait for each other all the time. A wake-up that is lost
 * leaves somebody asleep for ever: the test then ends as "killed by KILL". One that is given twice, or to
 * the wrong one, makes a sum wrong.
 */
#include <linux/futex.h>
#include <tests/sys/test.h>

#define THREADS 8

static void start_all(pthread_t *threads, int count, void *(*function)(void *))
{
	for (long i = 0; i < count; i++)
		MUST(-pthread_create(&threads[i], NULL, function, (void *)i));
}

static void join_all(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* ---- a queue with room for few ---- */

#define ROOM	   3
#define ITEMS_EACH 60

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static long queue[ROOM], queued, sum;

static void *produce(void *arg)
{
	for (long i = 1; i <= ITEMS_EACH; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == ROOM)
			pthread_cond_wait(&not_full, &mutex);
		queue[queued++] = (long)arg * ITEMS_EACH + i;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consume(void *arg)
{
	for (int i = 0; i < ITEMS_EACH; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 0)
			pthread_cond_wait(&not_empty, &mutex);
		sum += queue[--queued];
		pthread_cond_signal(&not_full);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(queue)
{
	pthread_t producers[THREADS], consumers[THREADS];

	start_all(consumers, THREADS, consume);
	start_all(producers, THREADS, produce);
	join_all(producers, THREADS);
	join_all(consumers, THREADS);
	say("sum %ld, left %ld", sum, queued);
}

/* ---- tokens by bare futexes ---- */

#define TOKENS 500

static int tokens, taken;

static long futex(int *word, int operation, int value, const struct timespec *timeout, int *other)
{
	return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, other, 0);
}

static bool take(int *from)
{
	int have = __atomic_load_n(from, __ATOMIC_SEQ_CST);

	while (have > 0)
		if (__atomic_compare_exchange_n(from, &have, have - 1, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* Some wait for ever, some for a time so short that it is mostly over. */
static void *take_tokens(void *arg)
{
	const struct timespec moment = { 0, 20000 };

	while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < TOKENS) {
		if (!take(&tokens)) {
			futex(&tokens, FUTEX_WAIT, 0, (long)arg % 2 ? &moment : NULL, NULL);
			continue;
		}
		/* The last one wakes all that still wait for more. */
		if (__atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST) == TOKENS) {
			__atomic_store_n(&tokens, -1, __ATOMIC_SEQ_CST);
			futex(&tokens, FUTEX_WAKE, INT_MAX, NULL, NULL);
		}
	}
	return NULL;
}

TEST(tokens)
{
	pthread_t threads[THREADS];

	start_all(threads, THREADS, take_tokens);
	for (int i = 0; i < TOKENS; i++) {
		__atomic_add_fetch(&tokens, 1, __ATOMIC_SEQ_CST);
		futex(&tokens, FUTEX_WAKE, 1, NULL, NULL);
	}
	join_all(threads, THREADS);
	say("taken %d", taken);
}

/* ---- a relay: everybody waits for his turn, by requeueing all others to the next stage ---- */

#define LAPS 50

static int stage[2], arrived;

static void *meet(void *arg)
{
	for (int lap = 0; lap < LAPS; lap++) {
		int now = __atomic_load_n(&stage[lap % 2], __ATOMIC_SEQ_CST);

		if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == THREADS) {
			__atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
			__atomic_add_fetch(&stage[lap % 2], 1, __ATOMIC_SEQ_CST);
			/* One is woken here, the others there. */
			futex(&stage[lap % 2], FUTEX_REQUEUE, 1, (void *)(long)INT_MAX,
			      &stage[(lap + 1) % 2]);
			futex(&stage[(lap + 1) % 2], FUTEX_WAKE, INT_MAX, NULL, NULL);
			continue;
		}
		while (__atomic_load_n(&stage[lap % 2], __ATOMIC_SEQ_CST) == now)
			futex(&stage[lap % 2], FUTEX_WAIT, now, NULL, NULL);
	}
	return NULL;
}

TEST(requeue)
{
	pthread_t threads[THREADS];

	start_all(threads, THREADS, meet);
	join_all(threads, THREADS);
	say("stages %d and %d", stage[0], stage[1]);
}

/* ---- threads come and go ---- */

static int born;

static void *live_briefly(void *arg)
{
	__atomic_add_fetch(&born, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *beget(void *arg)
{
	pthread_t threads[4];

	for (int i = 0; i < 5; i++) {
		start_all(threads, 4, live_briefly);
		join_all(threads, 4);
	}
	return NULL;
}

TEST(births)
{
	pthread_t threads[THREADS];

	start_all(threads, THREADS, beget);
	join_all(threads, THREADS);
	say("born %d", born);
}

/* ---- the end of a process whose threads do all kinds of things ---- */

static void *be_busy(void *arg)
{
	pthread_t thread;

	for (;;) {
		switch ((long)arg) {
		case 0:
			if (pthread_create(&thread, NULL, live_briefly, NULL) == 0)
				pthread_join(thread, NULL);
			break;
		case 1:
			munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       PAGE);
			break;
		case 2:
			futex(&stage[0], FUTEX_WAIT, stage[0], NULL, NULL);
			break;
		default:
			close(dup(0));
		}
	}
	return NULL;
}

TEST(sudden_ends)
{
	int killed = 0, status;

	for (int i = 0; i < 12; i++) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			pthread_t threads[4];

			start_all(threads, 4, be_busy);
			if (i % 2)
				_exit(0);
			for (;;)
				pause();
		}
		if (i % 2 == 0) {
			sleep_ms(i % 4);
			kill(pid, SIGKILL);
		}
		MUST(waitpid(pid, &status, 0));
		killed += WIFSIGNALED(status);
	}
	say("killed %d", killed);
}
