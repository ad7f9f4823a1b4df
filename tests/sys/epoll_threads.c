/* Several threads and processes on the same eventpolls and files. What each of them gets depends on who comes
 * first; so what is printed are sums, and what must hold. */
#include <tests/sys/epoll.h>

static int epfd, other_epfd, event_a, event_b;

/* ---- who is woken? ---- */

#define MAX_WAITERS 4

struct waiter {
	int epfd;
	pthread_t thread;
	pid_t tid;  /* atomic */
	bool done;  /* atomic */
	bool woken; /* by what the test did, not by `release` */
};

static int release; /* an eventfd that ends all waits */

static void *wait_once(void *arg)
{
	struct waiter *waiter = arg;
	struct epoll_event event;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	if (epoll_wait(waiter->epfd, &event, 1, -1) == 1)
		waiter->woken = event.data.u64 != (uint64_t)release;
	__atomic_store_n(&waiter->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool sleeps(struct waiter *waiter)
{
	pid_t tid = __atomic_load_n(&waiter->tid, __ATOMIC_SEQ_CST);

	return tid && is_asleep(getpid(), tid);
}

static int count_done(const struct waiter *waiters, int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++)
		sum += __atomic_load_n(&waiters[i].done, __ATOMIC_SEQ_CST);
	return sum;
}

/* Until each one sleeps in epoll_wait or is done: whoever was woken runs before this returns. Who gets done meanwhile
 * may have woken one that was seen asleep before: then another look. */
static void settle(struct waiter *waiters, int count)
{
	int done, i;

	do {
		done = count_done(waiters, count);
		for (i = 0; i < count; i++)
			if (!__atomic_load_n(&waiters[i].done, __ATOMIC_SEQ_CST) &&
			    !sleeps(&waiters[i]))
				break;
		if (i < count)
			sleep_ms(1);
	} while (i < count || count_done(waiters, count) != done);
}

/* A thread waits on each of these eventpolls; then `act`. How many does that wake? */
static int count_woken(const int *epfds, int count, void (*act)(void))
{
	struct waiter waiters[MAX_WAITERS] = { 0 };
	int sum = 0;

	release = make_event(0);
	for (int i = 0; i < count; i++) {
		ctl(epfds[i], EPOLL_CTL_ADD, release, EPOLLIN, release);
		waiters[i].epfd = epfds[i];
		MUST(-pthread_create(&waiters[i].thread, NULL, wait_once, &waiters[i]));
	}
	settle(waiters, count);
	act();
	settle(waiters, count);
	for (int i = 0; i < count; i++)
		sum += waiters[i].woken;
	post(release);
	for (int i = 0; i < count; i++)
		pthread_join(waiters[i].thread, NULL);
	close(release);
	return sum;
}

static void post_a(void)
{
	post(event_a);
}

static void post_both(void)
{
	post(event_a);
	post(event_b);
}

/* t0, t1 -> e0 -lt-> s0 */
TEST(level_wakes_both)
{
	epfd = make_epoll();
	event_a = make_event(0);
	watch(epfd, event_a, EPOLLIN);
	SHOW(count_woken((int[]){ epfd, epfd }, 2, post_a));
}

/* t0, t1 -> e0 -et-> s0 */
TEST(edge_wakes_one)
{
	epfd = make_epoll();
	event_a = make_event(0);
	watch(epfd, event_a, EPOLLIN | EPOLLET);
	SHOW(count_woken((int[]){ epfd, epfd }, 2, post_a));
}

/* t0, t1, t2 -> e0 -et-> s0, s1 */
TEST(two_edges_wake_one_each)
{
	epfd = make_epoll();
	event_a = make_event(0);
	event_b = make_event(0);
	watch(epfd, event_a, EPOLLIN | EPOLLET);
	watch(epfd, event_b, EPOLLIN | EPOLLET);
	SHOW(count_woken((int[]){ epfd, epfd, epfd }, 3, post_both));
}

static int on_four_epolls(uint32_t flags)
{
	int epfds[4];

	event_a = make_event(0);
	for (int i = 0; i < 4; i++) {
		epfds[i] = make_epoll();
		watch(epfds[i], event_a, EPOLLIN | flags);
	}
	return count_woken(epfds, 4, post_a);
}

/* t0 -> e0, t1 -> e1, t2 -> e2, t3 -> e3; each of the four -lt-> s0, then -et-> s0 */
TEST(all_epolls_are_woken)
{
	SHOW(on_four_epolls(0));
	SHOW(on_four_epolls(EPOLLET));
}

/* t0 -> e0, t1 -> e1, t2 -> e2, t3 -> e3; each of the four -exclusive-> s0 */
TEST(exclusive_wakes_one)
{
	SHOW(on_four_epolls(EPOLLEXCLUSIVE));
	SHOW(on_four_epolls(EPOLLEXCLUSIVE | EPOLLET));
}

static void add_ready(void)
{
	watch(epfd, event_b, EPOLLIN);
}

static void modify_to_ready(void)
{
	MUST(ctl(epfd, EPOLL_CTL_MOD, event_a, EPOLLOUT | EPOLLIN, event_a));
}

/* t0 -> e0 -lt-> s0; then e0 -lt-> s1, which is ready, while t0 waits */
TEST(added_while_waited_for)
{
	epfd = make_epoll();
	event_a = make_event(0);
	event_b = make_event(1);
	watch(epfd, event_a, EPOLLIN);
	SHOW(count_woken(&epfd, 1, add_ready));
	MUST(ctl(epfd, EPOLL_CTL_DEL, event_b, 0, 0));
	SHOW(count_woken(&epfd, 1, modify_to_ready));
}

static void close_watched(void)
{
	close(event_a);
}

/* t0 -> e0 -lt-> s0, which another thread closes */
TEST(closed_while_waited_for)
{
	epfd = make_epoll();
	event_a = make_event(0);
	watch(epfd, event_a, EPOLLIN);
	SHOW(count_woken(&epfd, 1, close_watched));
}

/* ---- one event, one-shot in two eventpolls, a thread on each: nobody misses one ---- */

#define ROUNDS 20000

static int turns; /* atomic */

static void *oneshot_worker(void *arg)
{
	int ep = *(int *)arg;
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(ep, &event, 1, 10000) != 1)
			return "no event came";
		if (read(event_a, &(uint64_t){ 0 }, 8) == 8) {
			if (__atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST) >= ROUNDS) {
				post(event_b);
				return NULL;
			}
			post(event_a);
		}
		if (read(event_b, &(uint64_t){ 0 }, 8) == 8) {
			post(event_b);
			return NULL;
		}
		MUST(ctl(ep, EPOLL_CTL_MOD, event_a, EPOLLIN | EPOLLONESHOT, event_a));
	}
}

/* t0 -> e0, t1 -> e1; both -oneshot-> s0 (whose turn it is), both -lt-> s1 (the end) */
TEST(oneshot_in_two)
{
	pthread_t threads[2];
	int eps[2];

	turns = 0;
	event_a = make_event(0);
	event_b = make_event(0);
	for (int i = 0; i < 2; i++) {
		void *(*worker)(void *) = oneshot_worker;

		eps[i] = make_epoll();
		watch(eps[i], event_a, EPOLLIN | EPOLLONESHOT);
		watch(eps[i], event_b, EPOLLIN);
		MUST(-pthread_create(&threads[i], NULL, worker, &eps[i]));
	}
	post(event_a);
	for (int i = 0; i < 2; i++) {
		void *complaint = NULL;

		pthread_join(threads[i], &complaint);
		say("%s", complaint ? (char *)complaint : "good");
	}
}

/* ---- a checker that knows every event that must arrive ---- */

#define FILES	  8
#define EVENTS	  4000
#define CONSUMERS 3

static int files[FILES], stop;
static uint64_t taken[FILES]; /* atomic */

static void *produce(void *arg)
{
	for (int i = 0; i < EVENTS; i++)
		post(files[(i + (long)arg) % FILES]);
	return NULL;
}

static uint64_t all_taken(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < FILES; i++)
		sum += __atomic_load_n(&taken[i], __ATOMIC_SEQ_CST);
	return sum;
}

/* Edge-triggered: whoever is told empties it; if an edge were lost, some would stay for ever. */
static void *consume(void *arg)
{
	struct epoll_event events[4];

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		int count = epoll_wait(epfd, events, 4, 10000);

		if (count <= 0)
			return "an event was lost";
		for (int i = 0; i < count; i++) {
			uint64_t value;
			int file = events[i].data.u64;

			if (file == FILES)
				break;
			if (read(files[file], &value, 8) == 8)
				__atomic_add_fetch(&taken[file], value, __ATOMIC_SEQ_CST);
		}
		if (all_taken() == 2 * EVENTS && !__atomic_exchange_n(&stop, 1, __ATOMIC_SEQ_CST))
			post(event_b);
	}
	return NULL;
}

/* Another thread takes files out and puts them back meanwhile: each time they are looked at anew. */
static void *disturb(void *arg)
{
	uint32_t flags = *(uint32_t *)arg;

	for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		int file = i % FILES;

		MUST(ctl(epfd, EPOLL_CTL_DEL, files[file], 0, 0));
		MUST(ctl(epfd, EPOLL_CTL_ADD, files[file], EPOLLIN | flags, file));
		if (i % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void stress(uint32_t flags)
{
	pthread_t producers[2], consumers[CONSUMERS], disturber;

	stop = 0;
	memset(taken, 0, sizeof(taken));
	epfd = make_epoll();
	event_b = make_event(0);
	MUST(ctl(epfd, EPOLL_CTL_ADD, event_b, EPOLLIN, FILES));
	for (int i = 0; i < FILES; i++) {
		files[i] = make_event(0);
		MUST(ctl(epfd, EPOLL_CTL_ADD, files[i], EPOLLIN | flags, i));
	}
	for (int i = 0; i < CONSUMERS; i++)
		MUST(-pthread_create(&consumers[i], NULL, consume, NULL));
	MUST(-pthread_create(&disturber, NULL, disturb, &flags));
	for (long i = 0; i < 2; i++)
		MUST(-pthread_create(&producers[i], NULL, produce, (void *)i));
	for (int i = 0; i < CONSUMERS; i++) {
		void *complaint = NULL;

		pthread_join(consumers[i], &complaint);
		say("%s", complaint ? (char *)complaint : "good");
	}
	pthread_join(disturber, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(producers[i], NULL);
	say("%lu", all_taken());
}

/* t0, t1, t2 -> e0 -et-> s0 ... s7; t3 deletes and adds them; t4, t5 post */
TEST(stress_edge)
{
	stress(EPOLLET);
}

/* t0, t1, t2 -> e0 -lt-> s0 ... s7; t3 deletes and adds them; t4, t5 post */
TEST(stress_level)
{
	stress(0);
}

/* ---- signals against the ready list: a signalfd is woken under the locks of signals ---- */

#define SIGNALS 5000

/* t0 -> e0 -lt-> s0, a signalfd; a child signals */
TEST(signals_and_ready_list)
{
	struct epoll_event event;
	sigset_t set;
	char info[128];
	int fd, got = 0;
	pid_t child, parent = getpid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	epfd = make_epoll();
	fd = MUST(syscall(SYS_signalfd4, -1, &set, 8, O_NONBLOCK));
	watch(epfd, fd, EPOLLIN);
	child = MUST(fork());
	if (child == 0) {
		for (int i = 0; i < SIGNALS; i++)
			kill(parent, i % 2 ? SIGUSR1 : SIGUSR2);
		_exit(0);
	}
	for (bool over = false; !over;) {
		over = waitpid(child, NULL, WNOHANG) == child;
		while (epoll_wait(epfd, &event, 1, 10) == 1)
			got += read(fd, info, sizeof(info)) == sizeof(info);
	}
	say("%s", yes_no(got > 0));
}

/* ---- opened, watched and closed at once from several threads ---- */

static void *churn(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		int event = eventfd(i & 1, EFD_NONBLOCK);

		if (ctl(i & 2 ? epfd : other_epfd, EPOLL_CTL_ADD, event, EPOLLIN, event))
			return "ADD failed";
		if (i % 3 == 0)
			ctl(i & 2 ? epfd : other_epfd, EPOLL_CTL_DEL, event, 0, 0);
		close(event);
	}
	return NULL;
}

static void *churn_epolls(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		int ep = epoll_create1(0);

		if (ctl(ep, EPOLL_CTL_ADD, event_a, EPOLLIN, 0))
			return "ADD failed";
		if (ctl(ep, EPOLL_CTL_ADD, other_epfd, EPOLLIN, 0))
			return "nested ADD failed";
		close(ep);
	}
	return NULL;
}

static void *wait_often(void *arg)
{
	struct epoll_event events[8];

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		epoll_wait(arg ? epfd : other_epfd, events, 8, 1);
	return NULL;
}

/* t0 -> e0, t1 -> e1; t2, t3 add and close files in both; t4, t5: e2 -lt-> s0, e1, and close e2 */
TEST(churn)
{
	void *(*const workers[])(void *) = { churn, churn, churn_epolls, churn_epolls };
	pthread_t threads[4], waiters[2];

	stop = 0;
	epfd = make_epoll();
	other_epfd = make_epoll();
	event_a = make_event(1);
	for (long i = 0; i < 2; i++)
		MUST(-pthread_create(&waiters[i], NULL, wait_often, (void *)i));
	for (int i = 0; i < 4; i++)
		MUST(-pthread_create(&threads[i], NULL, workers[i], NULL));
	for (int i = 0; i < 4; i++) {
		void *complaint = NULL;

		pthread_join(threads[i], &complaint);
		say("%s", complaint ? (char *)complaint : "good");
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2; i++)
		pthread_join(waiters[i], NULL);
	SHOW(epoll_wait(epfd, &(struct epoll_event){ 0 }, 1, 0));
}
