/* Helper for other programs: which descriptors were inherited through exec. */
#include <tests/sys/show.h>

int main(void)
{
	for (int fd = 0; fd < 100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("descriptor %d is open", fd);
	return 0;
}
