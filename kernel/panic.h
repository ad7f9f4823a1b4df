/* The end, said once and clearly. */
#pragma once

#include <kernel/backtrace.h>
#include <kernel/lib/types.h>

struct trap_frame;

__noreturn void panic(const char *format, ...) __printf(1, 2);
/* A panic caused by an exception: prints the registers of `frame` and the backtrace from there. */
__noreturn void panic_frame(struct trap_frame *frame, const char *format, ...) __printf(2, 3);

/* What `expr` claims must hold, in every build. */
#define assert(expr)                                                                     \
	do {                                                                             \
		if (unlikely(!(expr)))                                                   \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #expr); \
	} while (0)

/* As assert(), in debug builds only: for checks that cost on a hot path. */
#if CONFIG_DEBUG
#define debug_assert(expr) assert(expr)
#else
#define debug_assert(expr) ((void)sizeof(expr))
#endif

/* Set for ever once a CPU panics: the others have halted or are about to. */
extern bool panic_in_progress;
/* Is it this CPU that panics? Then no lock that is held will ever be released: do not wait. */
bool panicking_here(void);

/* For the panic's first lines: what runs on this CPU. Set by the scheduler. */
extern const char *(*current_task_name)(void);

/* Leave the machine: power off, or end QEMU with a status where `debug-exit=` was given. */
enum exit_status { EXIT_OK = 0x10, EXIT_FAILED = 0x11 };
__noreturn void machine_poweroff(enum exit_status status);
__noreturn void machine_reboot(void);
/* This CPU stops for good. */
__noreturn void machine_halt(void);
/* Was `debug-exit=` given? Then somebody waits for the status. */
bool machine_has_exit_port(void);
