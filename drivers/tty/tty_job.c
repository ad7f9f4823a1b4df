/*
 * Job control: a terminal belongs to a session, and one process group of that is in the foreground. It
 * gets the signals of Ctrl-C and Ctrl-Z; the others are stopped when they read.
 *
 * Context: process; tty_signal() in softirqs too. Lock: tree_lock: tty->session and ->pgrp (each a reference
 * to the number), ->hangups, process->tty.
 */
#include <drivers/tty/tty.h>

#include <kernel/lib/errno.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/exit.h>

static bool is_root(void)
{
	return current->cred.euid == 0;
}

void tty_signal(struct tty *tty, int sig)
{
	spin_lock_bh(&tree_lock);
	if (tty->pgrp)
		send_signal_pgrp_locked(tty->pgrp, sig, NULL);
	spin_unlock_bh(&tree_lock);
}

struct tty *tty_current(void)
{
	struct tty *tty;

	spin_lock_bh(&tree_lock);
	tty = current_process->tty;
	spin_unlock_bh(&tree_lock);
	return tty;
}

/* ---- who owns it; tree_lock held ------------------------------------------------------------- */

static void set_pgrp(struct tty *tty, u32 pgrp)
{
	if (pgrp)
		pid_get(pgrp);
	if (tty->pgrp)
		pid_put(tty->pgrp);
	tty->pgrp = pgrp;
}

static void set_owner(struct tty *tty, u32 session, u32 pgrp)
{
	if (session)
		pid_get(session);
	if (tty->session)
		pid_put(tty->session);
	tty->session = session;
	set_pgrp(tty, pgrp);
}

/* Nobody has it any more. */
static void disown(struct tty *tty)
{
	struct process *process;

	list_for_each_entry(process, &process_list, all)
		if (process->tty == tty)
			process->tty = NULL;
	set_owner(tty, 0, 0);
}

static bool leads_session(const struct process *process)
{
	return process->session == process->tgid;
}

static void adopt(struct tty *tty)
{
	struct process *us = current_process;

	us->tty = tty;
	set_owner(tty, us->session, us->pgrp);
}

void tty_open_controlling(struct tty *tty)
{
	spin_lock_bh(&tree_lock);
	if (leads_session(current_process) && !current_process->tty && !tty->session)
		adopt(tty);
	spin_unlock_bh(&tree_lock);
}

/* ---- foreground and background --------------------------------------------------------------- */

int tty_check_foreground(struct tty *tty, int sig)
{
	bool ignored = signal_ignored(current, sig);
	struct process *us = current_process;
	int result = 0;

	spin_lock_bh(&tree_lock);
	if (us->tty != tty || !tty->pgrp || tty->pgrp == us->pgrp) {
		result = 0;
	} else if (ignored) {
		result = sig == SIGTTIN ? -EIO : 0;
	} else if (pgrp_orphaned(us->pgrp, NULL)) {
		result = -EIO;
	} else {
		send_signal_pgrp_locked(us->pgrp, sig, NULL);
		result = -ERESTARTSYS;
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

void tty_describe(const struct tty *tty, u64 *device, u32 *pgrp)
{
	*device = tty->device;
	*pgrp = tty->pgrp;
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static int may_adopt(struct tty *tty, const struct file *file, u64 arg)
{
	if (!leads_session(current_process) || current_process->tty)
		return -EPERM;
	if (tty->session && (arg != 1 || !is_root()))
		return -EPERM;
	return file_readable(file) || is_root() ? 0 : -EPERM;
}

/* arg 1: root takes it from another session. */
long tty_ioctl_sctty(struct tty *tty, struct file *file, u64 arg)
{
	long result = 0;

	spin_lock_bh(&tree_lock);
	if (!leads_session(current_process) || tty->session != current_process->session) {
		result = may_adopt(tty, file, arg);
		if (!result) {
			disown(tty);
			adopt(tty);
		}
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

/* A leader who gives it up takes it from the whole session. */
long tty_ioctl_notty(struct tty *tty, struct file *file, u64 arg)
{
	long result = -ENOTTY;

	spin_lock_bh(&tree_lock);
	if (current_process->tty == tty) {
		result = 0;
		current_process->tty = NULL;
		if (leads_session(current_process) && tty->pgrp) {
			send_signal_pgrp_locked(tty->pgrp, SIGHUP, NULL);
			send_signal_pgrp_locked(tty->pgrp, SIGCONT, NULL);
			disown(tty);
		}
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

long tty_ioctl_gpgrp(struct tty *tty, struct file *file, u64 arg)
{
	if (tty_current() != tty)
		return -ENOTTY;
	return put_user((int)READ_ONCE(tty->pgrp), (int __user *)arg);
}

long tty_ioctl_gsid(struct tty *tty, struct file *file, u64 arg)
{
	if (tty_current() != tty || !READ_ONCE(tty->session))
		return -ENOTTY;
	return put_user((int)READ_ONCE(tty->session), (int __user *)arg);
}

/* tree_lock held. 0; -ESRCH: there is no such group; -EPERM: it is another session's. */
static int check_group(u32 pgrp)
{
	struct process *process;
	int result = -ESRCH;

	list_for_each_entry(process, &process_list, all) {
		if (process->pgrp != pgrp)
			continue;
		if (process->session == current_process->session)
			return 0;
		result = -EPERM;
	}
	return result;
}

long tty_ioctl_spgrp(struct tty *tty, struct file *file, u64 arg)
{
	int result = tty_check_foreground(tty, SIGTTOU), pgrp;

	if (result)
		return result == -EIO ? -ENOTTY : result;
	if (get_user(pgrp, (const int __user *)arg))
		return -EFAULT;
	if (pgrp < 0)
		return -EINVAL;
	spin_lock_bh(&tree_lock);
	if (current_process->tty != tty || tty->session != current_process->session)
		result = -ENOTTY;
	else
		result = check_group(pgrp);
	if (!result)
		set_pgrp(tty, pgrp);
	spin_unlock_bh(&tree_lock);
	return result;
}

/* ---- hanging up ------------------------------------------------------------------------------ */

/* The end of a session leader: its terminal is free for the next one, who must not have to share it with
 * what is left of this session. */
void tty_session_exit(struct process *leader)
{
	struct tty *tty;

	spin_lock_bh(&tree_lock);
	tty = leader->tty;
	if (tty && tty->session == leader->session) {
		if (tty->pgrp)
			send_signal_pgrp_locked(tty->pgrp, SIGHUP, NULL);
		disown(tty);
		WRITE_ONCE(tty->hangups, tty->hangups + 1);
	} else {
		tty = NULL;
	}
	spin_unlock_bh(&tree_lock);
	if (!tty)
		return;
	spin_lock_bh(&tty->lock);
	tty_flush_input(tty);
	tty_stop(tty, false);
	spin_unlock_bh(&tty->lock);
	wake_up_all(&tty->read_wait);
}
