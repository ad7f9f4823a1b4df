/*
 * Signals. Per thread: a mask and a queue; per process: a queue and, shared by all that were cloned
 * with CLONE_SIGHAND, the actions. Sending only queues and wakes; everything else happens when the
 * thread is on its way back to user mode: deliver_signals().
 *
 *	kernel/signal.c			sending: what is queued, who is woken
 *	kernel/signal_queue.c		the queues, and taking signals off them
 *	kernel/signal_mask.c		masks, and who looks after what a mask now keeps out
 *	kernel/signal_stop.c		job control: stopping and continuing whole processes
 *	kernel/signal_deliver.c		what a thread does with its signals
 *	kernel/signal_frame.c		the frame of a handler on the user's stack, and the way back
 *	kernel/signal_trap.c		exceptions become signals
 *
 * Locks: tree_lock, held by every sender, keeps the threads of a process together. Inside it
 * sighand->lock (softirq-safe: timers and the tty send from softirqs), which protects actions, both
 * queues, masks and the stop and exit state of the process. Inside that: signalfd's wait queue,
 * run-queue locks (waking).
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/mm/uaccess.h>
#include <kernel/spinlock.h>

struct process;
struct signal_watch;
struct task;
struct trap_frame;
struct wait_queue;

#define NSIG 64
#ifdef HOST_TEST /* the C library has it too */
#define sigset_t k_sigset_t
#endif
typedef u64 sigset_t; /* bit n-1 is signal n */
#define sigmask_of(sig) (1ULL << ((sig)-1))

enum {
	SIGHUP = 1,
	SIGINT,
	SIGQUIT,
	SIGILL,
	SIGTRAP,
	SIGABRT,
	SIGBUS,
	SIGFPE,
	SIGKILL,
	SIGUSR1,
	SIGSEGV,
	SIGUSR2,
	SIGPIPE,
	SIGALRM,
	SIGTERM,
	SIGSTKFLT,
	SIGCHLD,
	SIGCONT,
	SIGSTOP,
	SIGTSTP,
	SIGTTIN,
	SIGTTOU,
	SIGURG,
	SIGXCPU,
	SIGXFSZ,
	SIGVTALRM,
	SIGPROF,
	SIGWINCH,
	SIGIO,
	SIGPWR,
	SIGSYS,
	SIGRTMIN
};

/* What happens by default; whatever is in none of these ends the process. */
#define SIGNALS_UNSTOPPABLE (sigmask_of(SIGKILL) | sigmask_of(SIGSTOP))
#define SIGNALS_STOP \
	(sigmask_of(SIGSTOP) | sigmask_of(SIGTSTP) | sigmask_of(SIGTTIN) | sigmask_of(SIGTTOU))
#define SIGNALS_IGNORED \
	(sigmask_of(SIGCONT) | sigmask_of(SIGCHLD) | sigmask_of(SIGWINCH) | sigmask_of(SIGURG))
#define SIGNALS_CORE                                                                            \
	(sigmask_of(SIGQUIT) | sigmask_of(SIGILL) | sigmask_of(SIGTRAP) | sigmask_of(SIGABRT) | \
	 sigmask_of(SIGFPE) | sigmask_of(SIGSEGV) | sigmask_of(SIGBUS) | sigmask_of(SIGSYS) |   \
	 sigmask_of(SIGXCPU) | sigmask_of(SIGXFSZ))
/* By the thread's own instruction, so they go before what others sent. */
#define SIGNALS_SYNCHRONOUS                                                                    \
	(sigmask_of(SIGSEGV) | sigmask_of(SIGBUS) | sigmask_of(SIGILL) | sigmask_of(SIGTRAP) | \
	 sigmask_of(SIGFPE) | sigmask_of(SIGSYS))

struct sigaction { /* the kernel's layout of rt_sigaction */
	u64 handler;
	u64 flags;
	u64 restorer;
	sigset_t mask;
};
#define SIG_DFL		  0
#define SIG_IGN		  1
#define SA_NOCLDSTOP	  0x00000001
#define SA_NOCLDWAIT	  0x00000002
#define SA_SIGINFO	  0x00000004
#define SA_EXPOSE_TAGBITS 0x00000800
#define SA_RESTORER	  0x04000000
#define SA_ONSTACK	  0x08000000
#define SA_RESTART	  0x10000000
#define SA_NODEFER	  0x40000000
#define SA_RESETHAND	  0x80000000

/* siginfo_t: 128 bytes, Linux's layout. */
struct siginfo {
	s32 signo, error, code, pad;
	union {
		u8 raw[112];
		struct {
			s32 pid;
			u32 uid;
			u64 value;
		} rt; /* kill, sigqueue */
		struct {
			s32 timerid, overrun;
			u64 value;
		} timer; /* POSIX timers */
		struct {
			s32 pid;
			u32 uid;
			s32 status;
			s32 pad;
			s64 utime, stime;
		} child;
		struct {
			u64 address;
			s16 lsb;
		} fault;
		struct {
			s64 band;
			s32 fd;
		} poll;
		struct {
			u64 call_address;
			s32 syscall;
			u32 arch;
		} sys;
	};
};
static_assert(sizeof(struct siginfo) == 128, "siginfo_t");

/* si_code: who sent it. Negative: a program's own words, which the kernel never uses itself. */
enum { SI_USER = 0, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6, SI_KERNEL = 0x80 };
enum { ILL_ILLOPN = 2 };
enum { FPE_INTDIV = 1, FPE_INTOVF, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV };
enum { SEGV_MAPERR = 1, SEGV_ACCERR };
enum { BUS_ADRALN = 1, BUS_ADRERR };
enum { TRAP_BRKPT = 1, TRAP_TRACE };
enum { CLD_EXITED = 1, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED };

/* process->wait_events */
#define WAIT_STOPPED   1U
#define WAIT_CONTINUED 2U

struct sighand {
	spinlock_t lock;
	u32 refcount; /* atomic */
	/* under lock */
	struct sigaction actions[NSIG];
	/* where signalfds wait; made by the first that asks, then constant */
	struct signal_watch *watch;
};

/* A signal with its siginfo, on a queue. */
struct sigqueue {
	struct list_head link; /* in sigpending.queue */
	struct siginfo info;
	bool owned; /* part of a timer; else allocated for this one signal */
};

struct sigpending {
	sigset_t set;
	u32 count;		/* in `queue`: RLIMIT_SIGPENDING */
	struct list_head queue; /* of struct sigqueue; a standard signal may be in `set` alone */
};

/* Each task's part. Under sighand->lock unless said otherwise. */
struct task_signals {
	/* Something deliverable may be there: what signal_pending() and the way back to user mode
	 * read, without lock. First, because assembler reads it. Others set it, the task itself
	 * clears it. */
	bool pending_flag;
	bool stop_dequeued; /* it took a stopping signal off the queue, and no SIGCONT came since */
	bool stop_pending;  /* it is to stop with its process ... */
	bool stopped;	    /* ... and has done so */
	bool restore_saved;
	struct sigpending pending;
	sigset_t blocked;	/* read by the task itself without lock */
	sigset_t saved_blocked; /* to be restored when `restore_saved` (sigsuspend, ppoll) */
	sigset_t awaited;	/* by sigtimedwait: blocked, but they wake */
	/* the task's own */
	u64 altstack_sp, altstack_size;
	u32 altstack_flags;
	u64 trap_number, trap_error, trap_address; /* of the last exception, for mcontext */
};

/*
 * Send. Any context but hard IRQ. 0 or -errno (-EAGAIN: the queue limit of real-time signals;
 * -ESRCH: nobody in that group). info may be NULL (then: SI_KERNEL). The _locked ones: tree_lock is
 * held.
 */
int send_signal_task(struct task *task, int sig, const struct siginfo *info); /* tgkill, faults */
int send_signal_process(struct process *process, int sig,
			const struct siginfo *info);		     /* kill, SIGCHLD */
int send_signal_pgrp(u32 pgrp, int sig, const struct siginfo *info); /* tty, kill(-n) */
int send_signal_task_locked(struct task *task, int sig, const struct siginfo *info);
int send_signal_process_locked(struct process *process, int sig, const struct siginfo *info);
int send_signal_pgrp_locked(u32 pgrp, int sig, const struct siginfo *info);
/* To the process of `first`, which takes it if it can: who used up the time. tree_lock held. */
int send_signal_to_running(struct task *first, int sig);
/* The same for a sigqueue that belongs to a timer, to `task` or, if that is NULL, to `process`.
 * When it is still queued from the last time, its info.timer.overrun grows instead. */
void send_sigqueue(struct task *task, struct process *process, struct sigqueue *signal,
		   u32 overrun);
/* Take it back, if it is still on a queue. */
void cancel_sigqueue(struct task *task, struct process *process, struct sigqueue *signal);
/* For a synchronous fault of the current thread: cannot be ignored or blocked. */
void force_signal(int sig, int code, u64 address);
void force_signal_info(const struct siginfo *info);

/* A signal waits for `current`: sleep interruptibly no longer. Also declared by kernel/wait.h. */
bool signal_pending(void);
/* Recompute pending_flag of the current task after the mask or the queues changed; sighand->lock
 * held. */
void recalc_sigpending(struct task *task);
/* `task` has something to do on its way to user mode: wake it, or interrupt the CPU on which it
 * runs a program. `fatal`: out of any sleep but TASK_UNINTERRUPTIBLE. sighand->lock held. */
void signal_wake_up(struct task *task, bool fatal);

/* Take one of the signals of `set` off the queues of the current thread and process, without
 * delivering it; 0: there is none. Is there one? */
int take_signal(sigset_t set, struct siginfo *info);
bool signals_queued(sigset_t set);

/* On the way back to user mode, with signal_pending(): run handlers, stop, or exit; restart or
 * interrupt the system call that was left. Interrupts on. */
void deliver_signals(struct trap_frame *frame);

/* For ppoll, pselect, epoll_pwait, sigsuspend: swap the mask; put back when the call returns
 * without a handler having run, else by the handler's sigreturn. `set` NULL: no change. 0 or
 * -EFAULT/-EINVAL. */
int set_user_sigmask(const sigset_t __user *user_set, size_t size);
/* Call at the end. `interrupted`: the result is -EINTR, and the handler is to see the new mask. */
void restore_user_sigmask(bool interrupted);
/* Set the current task's mask. SIGKILL and SIGSTOP stay open. */
void set_blocked(sigset_t blocked);

/* fork and exec. */
struct sighand *sighand_create(void);
struct sighand *sighand_clone(struct sighand *old);
void sighand_put(struct sighand *sighand);
void task_signals_init(struct task *task);
void signals_flush_task(struct task *task); /* exit: drop the queue */
void signals_flush_process(struct process *process);
void signals_on_exec(struct task *task); /* handlers to default */
/* A thread (current) is off its process's list; others take over what it might have done.
 * tree_lock held. */
void thread_left_group(struct process *process);
/* Would this signal be ignored by the process? (the tty asks for SIGTTIN/SIGTTOU) */
bool signal_ignored(struct task *task, int sig);
/* The process has said that it will not ask how its children ended. tree_lock held. */
bool ignores_children(struct process *process);

/* Where exceptions are turned into signals: at boot. */
void signal_traps_init(void);
