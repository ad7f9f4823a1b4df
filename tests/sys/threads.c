/* Threads as musl makes them: clone, futexes, thread-local storage, cancellation. */
#include <sys/prctl.h>
#include <tests/sys/test.h>

#define THREADS 8

static _Thread_local int local = 5;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;

static void *return_argument(void *arg)
{
	return arg;
}

TEST(create_and_join)
{
	pthread_t threads[THREADS];
	void *result;
	long sum = 0;

	for (long i = 0; i < THREADS; i++)
		SHOW_ERROR(pthread_create(&threads[i], NULL, return_argument, (void *)i));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		sum += (long)result;
	}
	say("sum %ld", sum);
}

static void *check_ids(void *arg)
{
	pid_t tid = syscall(SYS_gettid);

	say("same pid: %s, other tid: %s", yes_no(getpid() == *(pid_t *)arg),
	    yes_no(tid != getpid()));
	say("local %d", local);
	local = 9;
	return NULL;
}

TEST(ids_and_local_storage)
{
	pid_t pid = getpid();
	pthread_t thread;

	local = 7;
	pthread_create(&thread, NULL, check_ids, &pid);
	pthread_join(thread, NULL);
	say("local %d", local);
}

static void *add(void *arg)
{
	for (int i = 0; i < 10000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(mutex)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, add, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	say("counter %ld", counter);
}

static int turn;

static void *take_turns(void *arg)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != (long)arg)
			pthread_cond_wait(&condition, &mutex);
		turn = (turn + 1) % 3;
		counter++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(condition)
{
	pthread_t threads[3];

	for (long i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, take_turns, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	say("counter %ld turn %d", counter, turn);
}

TEST(timed_waits)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 5 * MSEC;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&mutex);
	SHOW_ERROR(pthread_cond_timedwait(&condition, &mutex, &until));
	SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
	SHOW_ERROR(pthread_mutex_trylock(&mutex));
}

static pthread_barrier_t barrier;

static void *meet(void *arg)
{
	long serial = 0;

	for (int i = 0; i < 100; i++)
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	return (void *)serial;
}

TEST(barrier)
{
	pthread_t threads[THREADS];
	long serial = 0;
	void *result;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, meet, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		serial += (long)result;
	}
	say("%ld rounds", serial);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *read_or_write(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		if (((long)arg + i) % 4 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			counter++;
		} else {
			pthread_rwlock_rdlock(&rwlock);
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return NULL;
}

TEST(read_write_lock)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, read_or_write, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("counter %ld", counter);
}

static void cleanup(void *arg)
{
	say("cleanup %s", (char *)arg);
}

static void *sleep_cancelled(void *arg)
{
	pthread_cleanup_push(cleanup, "sleeper");
	sleep(1000);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *read_cancelled(void *arg)
{
	int fds[2];
	char byte;

	pipe(fds);
	pthread_cleanup_push(cleanup, "reader");
	read(fds[0], &byte, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *spin_cancelled(void *arg)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	for (;;)
		;
	return NULL;
}

TEST(cancel)
{
	void *(*const functions[])(void *) = { sleep_cancelled, read_cancelled, spin_cancelled };

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, functions[i], NULL);
		sleep_ms(5);
		pthread_cancel(thread);
		SHOW_ERROR(pthread_join(thread, &result));
		say("cancelled: %s", yes_no(result == PTHREAD_CANCELED));
	}
}

static void *detached(void *arg)
{
	pthread_detach(pthread_self());
	write(*(int *)arg, "x", 1);
	return NULL;
}

TEST(detached)
{
	int fds[2], seen = 0;
	pthread_t thread;
	char byte;

	pipe(fds);
	for (int i = 0; i < 50; i++) {
		pthread_create(&thread, NULL, detached, &fds[1]);
		seen += read(fds[0], &byte, 1);
	}
	say("%d ran", seen);
}

static pthread_mutex_t robust;

static void *die_holding(void *arg)
{
	pthread_mutex_lock(&robust);
	return NULL;
}

TEST(robust_mutex)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&thread, NULL, die_holding, NULL);
	pthread_join(thread, NULL);
	SHOW_ERROR(pthread_mutex_lock(&robust));
	SHOW_ERROR(pthread_mutex_consistent(&robust));
	SHOW_ERROR(pthread_mutex_unlock(&robust));
	SHOW_ERROR(pthread_mutex_lock(&robust));
}

TEST(robust_mutex_across_processes)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *shared =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(shared, &attr);
	IN_CHILD("holder")
	{
		pthread_mutex_lock(shared);
		kill(getpid(), SIGKILL);
	}
	SHOW_ERROR(pthread_mutex_lock(shared));
	SHOW_ERROR(pthread_mutex_unlock(shared));
	SHOW_ERROR(pthread_mutex_lock(shared));
}

TEST(shared_mutex_between_processes)
{
	struct {
		pthread_mutex_t mutex;
		long counter;
	} *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &attr);
	for (int child = 0; child < 4; child++) {
		if (MUST(fork()) == 0) {
			for (int i = 0; i < 2000; i++) {
				pthread_mutex_lock(&shared->mutex);
				shared->counter++;
				pthread_mutex_unlock(&shared->mutex);
			}
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("counter %ld", shared->counter);
}

static void *exit_all(void *arg)
{
	exit(23);
}

TEST(exit_by_a_thread)
{
	IN_CHILD("child")
	{
		pthread_t thread;

		pthread_create(&thread, NULL, exit_all, NULL);
		pause();
	}
}

static void *live_on(void *arg)
{
	sleep_ms(10);
	say("still here");
	exit(24);
}

TEST(main_thread_leaves_first)
{
	IN_CHILD("child")
	{
		pthread_t thread;

		pthread_create(&thread, NULL, live_on, NULL);
		pthread_exit(NULL);
	}
}

static void *fork_here(void *arg)
{
	IN_CHILD("forked by a thread")
	{
		say("one thread: %s", yes_no(syscall(SYS_gettid) == getpid()));
		say("local %d", local);
	}
	return NULL;
}

TEST(fork_in_a_thread)
{
	pthread_t thread;

	pthread_create(&thread, NULL, fork_here, NULL);
	pthread_join(thread, NULL);
}

static void *kill_process(void *arg)
{
	raise(SIGKILL);
	return NULL;
}

static void *segv(void *arg)
{
	*(volatile int *)8 = 1;
	return NULL;
}

TEST(fatal_signal_takes_all)
{
	pthread_t thread;

	IN_CHILD("killed")
	{
		pthread_create(&thread, NULL, kill_process, NULL);
		pause();
	}
	IN_CHILD("faulting")
	{
		pthread_create(&thread, NULL, segv, NULL);
		pause();
	}
}

static void *wait_in_pipe(void *arg)
{
	char byte;

	read(*(int *)arg, &byte, 1);
	return NULL;
}

TEST(exit_with_threads_blocked)
{
	IN_CHILD("child")
	{
		pthread_t thread;
		int fds[2];

		pipe(fds);
		for (int i = 0; i < 20; i++)
			pthread_create(&thread, NULL, wait_in_pipe, &fds[0]);
		sleep_ms(5);
		exit(3);
	}
}

static pthread_key_t key;

static void destroy(void *value)
{
	say("destructor %ld", (long)value);
}

static void *with_key(void *arg)
{
	pthread_setspecific(key, arg);
	return NULL;
}

TEST(keys)
{
	pthread_t thread;

	pthread_key_create(&key, destroy);
	pthread_create(&thread, NULL, with_key, (void *)77);
	pthread_join(thread, NULL);
}

static void *set_name(void *arg)
{
	char name[16];

	prctl(PR_SET_NAME, "a thread");
	prctl(PR_GET_NAME, name);
	say("%s", name);
	return NULL;
}

TEST(names)
{
	pthread_t thread;
	char name[16];

	prctl(PR_SET_NAME, "a name longer than fifteen");
	pthread_create(&thread, NULL, set_name, NULL);
	pthread_join(thread, NULL);
	prctl(PR_GET_NAME, name);
	say("%s", name);
}

/* setuid() of a threaded program reaches all threads, by signals. */
static void *say_uid(void *arg)
{
	while (getuid() == 0)
		sleep_ms(1);
	return NULL;
}

TEST(setuid_reaches_all)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, say_uid, NULL);
	SHOW(setuid(1000));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	say("uid %d", getuid());
}

static void *churn(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < 100; i++) {
		pthread_create(&thread, NULL, return_argument, NULL);
		pthread_join(thread, NULL);
	}
	return NULL;
}

TEST(churn)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("done");
}

static void *ping(void *arg)
{
	int *fds = arg;
	char byte;

	while (read(fds[0], &byte, 1) == 1)
		write(fds[3], &byte, 1);
	close(fds[3]);
	return NULL;
}

TEST(ping_pong)
{
	int fds[4], rounds = 0;
	pthread_t thread;
	char byte = 'x';

	pipe(fds);
	pipe(fds + 2);
	pthread_create(&thread, NULL, ping, fds);
	for (int i = 0; i < 2000; i++) {
		write(fds[1], &byte, 1);
		rounds += read(fds[2], &byte, 1);
	}
	close(fds[1]);
	pthread_join(thread, NULL);
	say("%d rounds", rounds);
}
