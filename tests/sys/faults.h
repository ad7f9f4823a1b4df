/*
 * For tests of memory: touching an address and telling what came of it, a value or a signal; and
 * places as pages from `base`, since addresses differ from run to run.
 */
#pragma once

#include <setjmp.h>
#include <tests/sys/test.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static char *base;

/* Room for so many pages, or the end. */
static inline char *room(size_t pages, int prot)
{
	return (char *)MUST(mmap(NULL, pages * PAGE, prot, ANON, -1, 0));
}

/* Prints a call that returns an address. */
#define SHOW_PAGE(call)                                                                    \
	do {                                                                               \
		long result_ = (long)(call);                                               \
                                                                                           \
		if (result_ == -1)                                                         \
			say("%s = -1 %s", #call, errno_text(errno));                       \
		else                                                                       \
			say("%s = base %+ld", #call, (result_ - (long)base) / (long)PAGE); \
	} while (0)

static sigjmp_buf fault_exit;
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	fault_signal = sig;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(fault_exit, 1);
}

static inline void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	MUST(sigaction(SIGSEGV, &action, NULL));
	MUST(sigaction(SIGBUS, &action, NULL));
}

static inline void say_fault(const char *what, const char *name, char *at)
{
	say("%s %s: %s, code %d, address %s", what, name, signal_text(fault_signal), fault_code,
	    fault_address == at ? "right"
	    : fault_address	? "wrong"
				: "null");
}

static inline void try_read(const char *name, char *at)
{
	if (sigsetjmp(fault_exit, 1))
		say_fault("read", name, at);
	else
		say("read %s: %d", name, *(volatile char *)at);
}

static inline void try_write(const char *name, char *at)
{
	if (sigsetjmp(fault_exit, 1)) {
		say_fault("write", name, at);
	} else {
		*(volatile char *)at = 5;
		say("write %s: done", name);
	}
}

static inline void try_call(const char *name, char *at)
{
	if (sigsetjmp(fault_exit, 1)) {
		say_fault("call", name, at);
	} else {
		((void (*)(void))at)();
		say("call %s: done", name);
	}
}
