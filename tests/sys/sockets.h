/* What the programs about sockets share. */
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tests/sys/test.h>

static char buf[1 << 16];

/* The address of a path, or with '@' for the first byte of an abstract name; its length. */
static inline socklen_t unix_address(struct sockaddr_un *address, const char *name)
{
	size_t length = strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, name, length);
	if (*name != '@')
		return offsetof(struct sockaddr_un, sun_path) + length + 1;
	address->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + length;
}

static inline int bind_to(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = unix_address(&address, name);

	return bind(fd, (void *)&address, length);
}

static inline int connect_to(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length = unix_address(&address, name);

	return connect(fd, (void *)&address, length);
}

static inline ssize_t send_to(int fd, const char *name, const char *text, int flags)
{
	struct sockaddr_un address;
	socklen_t length = unix_address(&address, name);

	return sendto(fd, text, strlen(text), flags, (void *)&address, length);
}

static inline void say_address(const char *what, const struct sockaddr_un *address,
			       socklen_t length)
{
	char text[128] = "";

	for (int i = 0; i < (int)(length - 2) && i < 108; i++)
		text[i] = address->sun_path[i] >= ' ' ? address->sun_path[i] : '@';
	say("%s: family %d, length %d, \"%s\"", what, address->sun_family, (int)length, text);
}

static inline void say_names(const char *who, int fd)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (SHOW(getsockname(fd, (void *)&address, &length)) == 0)
		say_address(who, &address, length);
	length = sizeof(address);
	memset(&address, 0, sizeof(address));
	if (SHOW(getpeername(fd, (void *)&address, &length)) == 0)
		say_address("its peer", &address, length);
}

#define ALL_EVENTS                                                                                \
	(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | 0x400 | \
	 POLLRDHUP)

static inline void say_poll(const char *what, int fd)
{
	struct pollfd pfd = { fd, ALL_EVENTS, 0 };
	int ready = poll(&pfd, 1, 0);

	say("%s: poll %d, revents %x", what, ready, pfd.revents);
}

static inline void pair(int fds[2], int type)
{
	MUST(socketpair(AF_UNIX, type, 0, fds));
}

static inline int listener(const char *name, int type, int backlog)
{
	int fd = MUST(socket(AF_UNIX, type, 0));

	MUST(bind_to(fd, name));
	MUST(listen(fd, backlog));
	return fd;
}

static inline int connected(const char *name, int type)
{
	int fd = MUST(socket(AF_UNIX, type, 0));

	MUST(connect_to(fd, name));
	return fd;
}

static inline void say_error(const char *what, int fd)
{
	int error = -1;
	socklen_t length = sizeof(error);

	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	say("%s: SO_ERROR %s", what, error ? errno_text(error) : "0");
}
