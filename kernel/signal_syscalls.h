/* System calls about signals. */
#pragma once

#include <kernel/mm/uaccess.h>
#include <kernel/signal.h>

struct timespec;

struct stack { /* stack_t */
	u64 sp;
	u32 flags, pad;
	u64 size;
};
#define SS_ONSTACK    1U
#define SS_DISABLE    2U
#define SS_AUTODISARM BIT(31)
#define MINSIGSTKSZ   2048

static inline void disable_altstack(struct task_signals *signals)
{
	signals->altstack_sp = 0;
	signals->altstack_size = 0;
	signals->altstack_flags = SS_DISABLE;
}

long sys_rt_sigaction(int sig, const struct sigaction __user *action, struct sigaction __user *old,
		      size_t size);
long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size);
long sys_rt_sigpending(sigset_t __user *set, size_t size);
long sys_rt_sigtimedwait(const sigset_t __user *set, struct siginfo __user *info,
			 const struct timespec __user *timeout, size_t size);
long sys_rt_sigsuspend(const sigset_t __user *set, size_t size);
long sys_pause(void);
long sys_rt_sigreturn(void);
long sys_restart_syscall(void);
long sys_sigaltstack(const struct stack __user *new_stack, struct stack __user *old_stack);

long sys_kill(int pid, int sig);
long sys_tkill(int tid, int sig);
long sys_tgkill(int tgid, int tid, int sig);
long sys_rt_sigqueueinfo(int pid, int sig, const struct siginfo __user *info);
long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, const struct siginfo __user *info);
