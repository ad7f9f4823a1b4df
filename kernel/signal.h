/*
 * Signals. Per thread: a mask and a queue; per process: a queue and, shared by all that were cloned with
 * CLONE_SIGHAND, the actions. Sending only queues and wakes; everything else happens when the
 * thread is on its way back to user mode: deliver_signals().
 *
 * Locks: sighand->lock (softirq-safe: timers and the tty send from softirqs) protects actions, both
 * queues, masks and the stop/exit state of the process's threads. Inside it: run-queue locks (waking).
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/spinlock.h>

struct process;
struct task;
struct trap_frame;
struct wait_queue;

#define NSIG 64
typedef u64 sigset_t; /* bit n-1 is signal n */
#define sigmask_of(sig) (1ULL << ((sig)-1))

enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
	SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR,
	SIGSYS, SIGRTMIN
};

struct sigaction { /* the kernel's layout of rt_sigaction */
	u64 handler;
	u64 flags;
	u64 restorer;
	sigset_t mask;
};
#define SIG_DFL 0
#define SIG_IGN 1
#define SA_NOCLDSTOP 0x00000001
#define SA_NOCLDWAIT 0x00000002
#define SA_SIGINFO   0x00000004
#define SA_RESTORER  0x04000000
#define SA_ONSTACK   0x08000000
#define SA_RESTART   0x10000000
#define SA_NODEFER   0x40000000
#define SA_RESETHAND 0x80000000

/* siginfo_t: 128 bytes, Linux's layout. */
struct siginfo {
	s32 signo, error, code, pad;
	union {
		u8 raw[112];
		struct { s32 pid; u32 uid; u64 value; } rt;		       /* kill, sigqueue */
		struct { s32 timerid, overrun; u64 value; } timer;	       /* POSIX timers */
		struct { s32 pid; u32 uid; s32 status; s32 pad; s64 utime, stime; } child;
		struct { u64 address; s16 lsb; } fault;
		struct { s64 band; s32 fd; } poll;
	};
};
static_assert(sizeof(struct siginfo) == 128, "siginfo_t");
#define SI_USER	  0
#define SI_KERNEL 0x80
#define SI_QUEUE  (-1)
#define SI_TIMER  (-2)
#define SI_TKILL  (-6)

struct sighand {
	spinlock_t lock;
	u32 refcount; /* atomic */
	/* under lock */
	struct sigaction actions[NSIG];
	struct wait_queue *signalfd_wq; /* woken when a signal is queued: fs/signalfd.c */
};

struct sigpending {
	sigset_t set;
	struct list_head queue; /* of struct sigqueue: the infos */
};

/* Each task's part. Under sighand->lock unless said otherwise. */
struct task_signals {
	/* Something deliverable may be there: what signal_pending() and the way back to user mode read,
	 * without lock. First, because assembler reads it. */
	bool pending_flag;
	struct sigpending pending;
	sigset_t blocked;	/* read by the task itself without lock */
	sigset_t saved_blocked; /* to be restored when `restore_saved` (sigsuspend, ppoll) */
	bool restore_saved;
	u64 altstack_sp, altstack_size; /* the task's own */
	u32 altstack_flags;
};

/* Send. Any context but hard IRQ. 0 or -errno (-EAGAIN: the queue limit of real-time signals). info may be NULL
 * (then: SI_KERNEL). */
int send_signal_task(struct task *task, int sig, const struct siginfo *info);	       /* tgkill, faults */
int send_signal_process(struct process *process, int sig, const struct siginfo *info); /* kill, SIGCHLD */
int send_signal_pgrp(u32 pgrp, int sig, const struct siginfo *info);		       /* tty, kill(-n) */
/* For a synchronous fault of the current thread: cannot be ignored or blocked. */
void force_signal(int sig, int code, u64 address);

/* A signal waits for `current`: sleep interruptibly no longer. Also declared by kernel/wait.h. */
bool signal_pending(void);
/* Recompute pending_flag after the mask or the queues changed; sighand->lock held. */
void recalc_sigpending(struct task *task);
bool fatal_signal_pending(void); /* SIGKILL: for waits that only death may end */

/* On the way back to user mode, with signal_pending(): run handlers, stop, or exit; restart or
 * interrupt the system call that was left. Interrupts on. */
void deliver_signals(struct trap_frame *frame);

/* For ppoll, pselect, epoll_pwait, sigsuspend: swap the mask; put back when the call returns without a
 * handler having run, else by the handler's sigreturn. `set` NULL: no change. 0 or -EFAULT/-EINVAL. */
int set_user_sigmask(const sigset_t *user_set, size_t size);
/* Call at the end: `interrupted` when the result is -EINTR, so that the handler sees the new mask. */
void restore_user_sigmask(bool interrupted);

/* fork and exec. */
struct sighand *sighand_create(void);
struct sighand *sighand_clone(struct sighand *old);
void sighand_put(struct sighand *sighand);
void task_signals_init(struct task *task);
void signals_flush_task(struct task *task);	  /* exit: drop the queue */
void signals_flush_process(struct process *process);
void signals_on_exec(struct task *task);	  /* handlers to default */
/* Would this signal be ignored by the process? (the tty asks for SIGTTIN/SIGTTOU) */
bool signal_ignored(struct task *task, int sig);
