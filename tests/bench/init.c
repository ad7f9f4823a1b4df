/*
 * The first process of a guest of tools/bench, under Linux and under Pollux alike: loads the modules in
 * /modules if there are any, gives its network card an address, runs the program that the kernel's
 * command line names behind `--`, and switches the machine off.
 *
 *	... net=10.0.2.15 -- /bench/calls getppid pipe
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void load_module(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		perror(name);
	close(fd);
}

static void load_modules(void)
{
	DIR *folder = opendir("/modules");
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			load_module(dirfd(folder), entry->d_name);
	if (folder)
		closedir(folder);
}

static void set_address(int sock, struct ifreq *ifr, unsigned long request, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr->ifr_addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(sock, request, ifr) < 0)
		perror("init: address");
}

/* net=ADDRESS becomes init's environment on both kernels: neither knows the option. */
static void start_network(const char *address)
{
	struct ifreq ifr = { .ifr_name = "eth0" };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0) {
		perror("init: socket");
		return;
	}
	set_address(sock, &ifr, SIOCSIFADDR, address);
	set_address(sock, &ifr, SIOCSIFNETMASK, "255.255.255.0");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		perror("init: up");
	close(sock);
}

int main(int argc, char **argv)
{
	pid_t child;

	mount("proc", "/proc", "proc", 0, NULL);
	load_modules();
	if (getenv("net"))
		start_network(getenv("net"));
	while (argv[1] &&
	       argv[1][0] != '/') /* what Linux's own boot took, and Linux did not know */
		argv++;
	child = fork();
	if (child == 0) {
		execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(1);
	}
	while (child > 0 && wait(NULL) != child)
		;
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
