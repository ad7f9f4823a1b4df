/*
 * ioctl on a terminal: settings, window size, flushing; those about sessions are in tty_job.c.
 *
 * Context: process. Lock: tty->lock.
 */
#include <drivers/tty/tty.h>

#include <fs/ioctl.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/signal.h>

const struct termios tty_default_termios = {
	.iflag = ICRNL | IXON,
	.oflag = OPOST | ONLCR,
	.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
	.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.cc = { [VINTR] = 'C' & 037,
		[VQUIT] = '\\' & 037,
		[VERASE] = 0177,
		[VKILL] = 'U' & 037,
		[VEOF] = 'D' & 037,
		[VMIN] = 1,
		[VSTART] = 'Q' & 037,
		[VSTOP] = 'S' & 037,
		[VSUSP] = 'Z' & 037,
		[VREPRINT] = 'R' & 037,
		[VDISCARD] = 'O' & 037,
		[VWERASE] = 'W' & 037,
		[VLNEXT] = 'V' & 037 },
};

/* ---- termios --------------------------------------------------------------------------------- */

static long get_termios(struct tty *tty, struct termios2 *settings)
{
	spin_lock_bh(&tty->lock);
	*settings = (struct termios2){ tty->termios, tty->ispeed, tty->ospeed };
	spin_unlock_bh(&tty->lock);
	return 0;
}

/* A reader or poller may find that what is there is enough now. */
static void set_termios(struct tty *tty, const struct termios2 *settings, bool flush)
{
	spin_lock_bh(&tty->lock);
	if (flush)
		tty_flush_input(tty);
	tty_change_mode(tty, &settings->termios);
	tty->termios = settings->termios;
	tty->ispeed = settings->ispeed;
	tty->ospeed = settings->ospeed;
	if (tty->stopped && !(tty->termios.iflag & IXON))
		tty_stop(tty, false);
	spin_unlock_bh(&tty->lock);
	wake_up_all(&tty->read_wait);
}

static long ioctl_getattr(struct tty *tty, struct file *file, u64 arg)
{
	struct termios2 settings;

	get_termios(tty, &settings);
	return copy_to_user((void __user *)arg, &settings, sizeof(settings.termios)) ? -EFAULT : 0;
}

static long ioctl_getattr2(struct tty *tty, struct file *file, u64 arg)
{
	struct termios2 settings;

	get_termios(tty, &settings);
	return copy_to_user((void __user *)arg, &settings, sizeof(settings)) ? -EFAULT : 0;
}

/* `size` is that of the old or the new structure: what the old one lacks stays. */
static long setattr(struct tty *tty, u64 arg, size_t size, bool flush)
{
	struct termios2 settings;

	get_termios(tty, &settings);
	if (copy_from_user(&settings, (const void __user *)arg, size))
		return -EFAULT;
	set_termios(tty, &settings, flush);
	return 0;
}

static long ioctl_setattr(struct tty *tty, struct file *file, u64 arg)
{
	return setattr(tty, arg, sizeof(struct termios), false);
}

static long ioctl_setattr_flush(struct tty *tty, struct file *file, u64 arg)
{
	return setattr(tty, arg, sizeof(struct termios), true);
}

static long ioctl_setattr2(struct tty *tty, struct file *file, u64 arg)
{
	return setattr(tty, arg, sizeof(struct termios2), false);
}

static long ioctl_setattr2_flush(struct tty *tty, struct file *file, u64 arg)
{
	return setattr(tty, arg, sizeof(struct termios2), true);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static long ioctl_get_winsize(struct tty *tty, struct file *file, u64 arg)
{
	struct winsize size;

	spin_lock_bh(&tty->lock);
	size = tty->winsize;
	spin_unlock_bh(&tty->lock);
	return copy_to_user((void __user *)arg, &size, sizeof(size)) ? -EFAULT : 0;
}

static long ioctl_set_winsize(struct tty *tty, struct file *file, u64 arg)
{
	struct winsize size;
	bool changed;

	if (copy_from_user(&size, (const void __user *)arg, sizeof(size)))
		return -EFAULT;
	spin_lock_bh(&tty->lock);
	changed = memcmp(&size, &tty->winsize, sizeof(size)) != 0;
	tty->winsize = size;
	spin_unlock_bh(&tty->lock);
	if (changed)
		tty_signal(tty, SIGWINCH);
	return 0;
}

static long ioctl_readable(struct tty *tty, struct file *file, u64 arg)
{
	int bytes;

	spin_lock_bh(&tty->lock);
	bytes = tty_readable(tty);
	spin_unlock_bh(&tty->lock);
	return put_user(bytes, (int __user *)arg);
}

static long ioctl_unsent(struct tty *tty, struct file *file, u64 arg)
{
	return put_user((int)READ_ONCE(tty->output_length), (int __user *)arg);
}

static long ioctl_flush(struct tty *tty, struct file *file, u64 arg)
{
	if (arg > TCIOFLUSH)
		return -EINVAL;
	spin_lock_bh(&tty->lock);
	if (arg != TCOFLUSH)
		tty_flush_input(tty);
	if (arg != TCIFLUSH)
		tty->output_length = 0;
	spin_unlock_bh(&tty->lock);
	return 0;
}

/* Asking the other side to stop sending (TCIOFF) means nothing to a keyboard. */
static long ioctl_flow(struct tty *tty, struct file *file, u64 arg)
{
	if (arg > TCION)
		return -EINVAL;
	if (arg == TCOOFF || arg == TCOON) {
		spin_lock_bh(&tty->lock);
		tty_stop(tty, arg == TCOOFF);
		spin_unlock_bh(&tty->lock);
	}
	return 0;
}

static long ioctl_get_discipline(struct tty *tty, struct file *file, u64 arg)
{
	return put_user(0, (int __user *)arg);
}

/* There is the one. */
static long ioctl_set_discipline(struct tty *tty, struct file *file, u64 arg)
{
	int discipline;

	if (get_user(discipline, (const int __user *)arg))
		return -EFAULT;
	return discipline ? -EINVAL : 0;
}

/* Output is on its way to the device already, and there is no break to send. */
static long ioctl_drain(struct tty *tty, struct file *file, u64 arg)
{
	return 0;
}

static const struct {
	u32 command;
	bool changes; /* from the background: SIGTTOU */
	long (*run)(struct tty *tty, struct file *file, u64 arg);
} commands[] = {
	{ TCGETS, false, ioctl_getattr },
	{ TCSETS, true, ioctl_setattr },
	{ TCSETSW, true, ioctl_setattr },
	{ TCSETSF, true, ioctl_setattr_flush },
	{ TCGETS2, false, ioctl_getattr2 },
	{ TCSETS2, true, ioctl_setattr2 },
	{ TCSETSW2, true, ioctl_setattr2 },
	{ TCSETSF2, true, ioctl_setattr2_flush },
	{ TCSBRK, true, ioctl_drain },
	{ TCSBRKP, true, ioctl_drain },
	{ TCXONC, true, ioctl_flow },
	{ TCFLSH, true, ioctl_flush },
	{ FIONREAD, false, ioctl_readable },
	{ TIOCOUTQ, false, ioctl_unsent },
	{ TIOCGWINSZ, false, ioctl_get_winsize },
	{ TIOCSWINSZ, false, ioctl_set_winsize },
	{ TIOCGETD, false, ioctl_get_discipline },
	{ TIOCSETD, true, ioctl_set_discipline },
	{ TIOCSCTTY, false, tty_ioctl_sctty },
	{ TIOCNOTTY, false, tty_ioctl_notty },
	{ TIOCGPGRP, false, tty_ioctl_gpgrp },
	{ TIOCSPGRP, false, tty_ioctl_spgrp },
	{ TIOCGSID, false, tty_ioctl_gsid },
};

long tty_ioctl(struct file *file, u32 command, u64 arg)
{
	struct tty *tty = file->private_data;
	int error;

	if (tty_hung_up(file))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].command != command)
			continue;
		error = commands[i].changes ? tty_check_foreground(tty, SIGTTOU) : 0;
		return error ?: commands[i].run(tty, file, arg);
	}
	return -ENOTTY;
}
