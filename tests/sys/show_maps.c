/* Helper for memory.c: where things are in this address space. */
#include <tests/sys/show.h>

int main(void)
{
	char local;

	say("%p %p %p", (void *)&local,
	    mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	    (void *)syscall(SYS_brk, 0));
	return 0;
}
