/* Eventpolls that watch eventpolls: readiness goes up, circles and long chains are refused. */
#include <poll.h>
#include <tests/sys/epoll.h>

/* t0 -> e1 -lt-> e0 -lt-> s0 */
TEST(readiness_goes_up)
{
	int inner = make_epoll(), outer = make_epoll(), event = make_event(0);

	watch(inner, event, EPOLLIN);
	watch(outer, inner, EPOLLIN);
	WAIT("quiet", outer, inner);
	post(event);
	WAIT("outer", outer, inner);
	WAIT("level: again", outer, inner);
	WAIT("inner", inner, event);
	drain(event);
	WAIT("drained", outer, inner);
	WAIT("drained", inner, event);
}

/* t0 -> e1 -et-> e0 -lt-> s0 */
TEST(edge_of_inner)
{
	int inner = make_epoll(), outer = make_epoll(), event = make_event(0);

	watch(inner, event, EPOLLIN);
	watch(outer, inner, EPOLLIN | EPOLLET);
	post(event);
	WAIT("edge", outer, inner);
	WAIT("once", outer, inner);
	post(event);
	WAIT("another", outer, inner);
}

/* t0 -> e1 -lt-> e0, and then e0 -lt-> s0, which is ready already */
TEST(ready_before)
{
	int inner = make_epoll(), outer = make_epoll(), event = make_event(1);

	watch(outer, inner, EPOLLIN);
	WAIT("empty", outer, inner);
	watch(inner, event, EPOLLIN);
	WAIT("ADD of a ready one", outer, inner);
	MUST(ctl(inner, EPOLL_CTL_DEL, event, 0, 0));
	WAIT("DEL", outer, inner);
}

/* t0, by poll and epoll_wait -> e3 -lt-> e2 -lt-> e1 -lt-> e0 -lt-> s0; woken from the bottom. */
TEST(woken_through_a_chain)
{
	int chain[4], event = make_event(0);
	struct pollfd pfd;

	for (int i = 0; i < 4; i++) {
		chain[i] = make_epoll();
		watch(chain[i], i ? chain[i - 1] : event, EPOLLIN);
	}
	pfd = (struct pollfd){ chain[3], POLLIN, 0 };
	for (int i = 0; i < 3; i++) {
		if (MUST(fork()) == 0) {
			sleep_ms(3);
			post(event);
			_exit(0);
		}
		SHOW(i == 1 ? WAIT("wait", chain[3], chain[2]) * 0 + poll(&pfd, 1, -1)
			    : poll(&pfd, 1, -1));
		wait(NULL);
		drain(event);
		SHOW(poll(&pfd, 1, 0));
	}
}

/* a -> b -> c, and each way back to the beginning */
TEST(circles)
{
	int a = make_epoll(), b = make_epoll(), c = make_epoll();

	SHOW(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN, 0));
	SHOW(ctl(b, EPOLL_CTL_ADD, a, EPOLLIN, 0));
	SHOW(ctl(b, EPOLL_CTL_ADD, c, EPOLLIN, 0));
	SHOW(ctl(c, EPOLL_CTL_ADD, a, EPOLLIN, 0));
	SHOW(ctl(a, EPOLL_CTL_ADD, c, EPOLLIN, 0));
	SHOW(ctl(a, EPOLL_CTL_DEL, b, 0, 0));
	SHOW(ctl(c, EPOLL_CTL_ADD, a, EPOLLIN, 0));
	SHOW(ctl(a, EPOLL_CTL_DEL, c, 0, 0));
	SHOW(ctl(c, EPOLL_CTL_ADD, a, EPOLLIN, 0));
	SHOW(ctl(a, EPOLL_CTL_ADD, dup(a), EPOLLIN, 0));
}

/* e7 -> ... -> e1 -> e0 -> s0, made from s0 upwards */
TEST(depth_from_below)
{
	int chain[8], event = make_event(0);

	chain[0] = make_epoll();
	watch(chain[0], event, EPOLLIN);
	for (int i = 1; i < 8; i++) {
		chain[i] = make_epoll();
		SHOW_AS("above", ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN, 0));
	}
}

/* e0 -> e1 -> ... -> e7, made from e0 downwards */
TEST(depth_from_above)
{
	int chain[8];

	chain[0] = make_epoll();
	for (int i = 1; i < 8; i++) {
		chain[i] = make_epoll();
		SHOW_AS("below", ctl(chain[i - 1], EPOLL_CTL_ADD, chain[i], EPOLLIN, 0));
	}
}

/* e0 -> e1 -> e2, e3 -> e4 -> e5: what may join them? */
TEST(depth_in_the_middle)
{
	int chain[6];

	for (int i = 0; i < 6; i++)
		chain[i] = make_epoll();
	for (int i = 1; i < 6; i++)
		if (i != 3)
			MUST(ctl(chain[i - 1], EPOLL_CTL_ADD, chain[i], EPOLLIN, 0));
	SHOW(ctl(chain[2], EPOLL_CTL_ADD, chain[3], EPOLLIN, 0));
	SHOW(ctl(chain[2], EPOLL_CTL_ADD, chain[4], EPOLLIN, 0));
	SHOW(ctl(chain[1], EPOLL_CTL_ADD, chain[3], EPOLLIN, 0));
	SHOW(ctl(chain[2], EPOLL_CTL_ADD, chain[3], EPOLLIN, 0));
}

/*
 * t0 -> e3 -lt-> e1 -lt-> e0 -lt-> s0
 *          -lt-> e2 -lt-> e0
 * Two ways to the same one: the longer counts.
 */
TEST(diamond)
{
	int top = make_epoll(), left = make_epoll(), right = make_epoll(), bottom = make_epoll(),
	    event = make_event(1);

	watch(bottom, event, EPOLLIN);
	SHOW(ctl(left, EPOLL_CTL_ADD, bottom, EPOLLIN, 0));
	SHOW(ctl(right, EPOLL_CTL_ADD, bottom, EPOLLIN, 0));
	SHOW(ctl(right, EPOLL_CTL_ADD, left, EPOLLIN, 0));
	SHOW(ctl(top, EPOLL_CTL_ADD, left, EPOLLIN, left));
	SHOW(ctl(top, EPOLL_CTL_ADD, right, EPOLLIN, right));
	WAIT("both", top, left, right);
	SHOW(ctl(bottom, EPOLL_CTL_ADD, top, EPOLLIN, 0));
}

/* t0 -> e1 -lt-> e0 -lt-> s0; e0 is closed */
TEST(inner_closed)
{
	int inner = make_epoll(), outer = make_epoll(), event = make_event(1);

	watch(inner, event, EPOLLIN);
	watch(outer, inner, EPOLLIN);
	WAIT("ready", outer, inner);
	close(inner);
	WAIT("gone", outer, inner);
	close(outer);
	post(event);
}

/* t0 -> e0 -lt-> e1 ... e200, each -lt-> s0 */
TEST(wide)
{
	int outer = make_epoll(), inner[200], event = make_event(0), count = 0;
	struct epoll_event events[256];

	for (int i = 0; i < 200; i++) {
		inner[i] = make_epoll();
		watch(inner[i], event, EPOLLIN);
		watch(outer, inner[i], EPOLLIN);
	}
	post(event);
	while (count < 1000)
		count += MUST(epoll_wait(outer, events, 256, 0));
	say("%d", count);
	drain(event);
	SHOW(epoll_wait(outer, events, 256, 0));
}
