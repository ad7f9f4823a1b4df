/*
 * watches: the limit on what a user may watch. Under Pollux only, for on Linux it is the whole machine's.
 *
 *	t0 -> e0 -lt-> f0, f2
 *	 \--> e1 -lt-> f1	a user's watches count together, on however many eventpolls
 */
#define OWN_MAIN
#include <tests/sys/epoll.h>

#define LIMIT "/proc/sys/fs/epoll/max_user_watches"

static int add(int epfd, int fd)
{
	return ctl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN, 0);
}

int main(void)
{
	char *before = strdup(get_file(LIMIT));

	put_file(LIMIT, "3");
	IN_CHILD("nobody")
	{
		int fds[4], epfd, other;

		become_nobody();
		epfd = make_epoll();
		other = make_epoll();
		for (int i = 0; i < 4; i++) {
			fds[i] = make_event(1);
			SHOW_AS("ADD", add(i & 1 ? other : epfd, fds[i]));
		}
		SHOW(ctl(epfd, EPOLL_CTL_MOD, fds[0], EPOLLOUT, 0));
		SHOW(ctl(epfd, EPOLL_CTL_DEL, fds[0], 0, 0));
		SHOW(add(epfd, fds[3]));
		SHOW(add(epfd, fds[0]));
		close(fds[3]);
		SHOW(add(epfd, fds[0]));
		SHOW(add(epfd, fds[1]));
		close(other);
		SHOW(add(epfd, fds[1]));
	}
	SHOW(add(make_epoll(), make_event(0)));
	put_file(LIMIT, before);
	return 0;
}
