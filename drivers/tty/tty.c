/*
 * A terminal as a file: open, read, write, poll.
 *
 * Context: process. Locks: see drivers/tty/tty.h; read_lock, write_lock > tty->lock. A reader or writer
 * that sleeps holds its mutex, so others wait behind it, as they would for its turn.
 */
#include <drivers/tty/tty.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/signal.h>

#define CHUNK	       256 /* what is copied at a time */
#define NSEC_PER_TENTH (100 * NSEC_PER_MSEC)
#define NEVER_HANGS_UP (-1)

/* ---- hanging up ------------------------------------------------------------------------------ */

/* A tty has no position: the word says which hang-up will be the file's end. */
void tty_attach(struct tty *tty, struct file *file, bool console)
{
	file->private_data = tty;
	file->pos = console ? NEVER_HANGS_UP : (loff_t)READ_ONCE(tty->hangups);
}

bool tty_is_console(const struct file *file)
{
	return file->pos == NEVER_HANGS_UP;
}

bool tty_hung_up(const struct file *file)
{
	const struct tty *tty = file->private_data;

	return !tty_is_console(file) && file->pos != (loff_t)READ_ONCE(tty->hangups);
}

/* 0, -EAGAIN or -ERESTARTSYS. */
static int take_turn(struct mutex *mutex, const struct file *file)
{
	if (file->flags & O_NONBLOCK)
		return mutex_trylock(mutex) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(mutex) ? -ERESTARTSYS : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A read in progress. */
struct reading {
	struct tty *tty;
	struct file *file;
	size_t done;
	u64 deadline; /* for the next byte */
	bool over;
};

static bool input_available(struct tty *tty)
{
	u32 end;

	if (tty_canonical(tty))
		end = READ_ONCE(tty->line_head);
	else
		end = READ_ONCE(tty->head);
	return end != READ_ONCE(tty->tail);
}

/*
 * VMIN and VTIME, in raw mode. After `done` bytes, is the read over; and until when does it wait for more?
 *
 *	MIN > 0, TIME = 0	MIN bytes, for ever
 *	MIN > 0, TIME > 0	MIN bytes; after the first, TIME for each one more
 *	MIN = 0			the first byte, for TIME, or not at all
 */
static void set_limits(struct reading *reading)
{
	const u8 *cc = reading->tty->termios.cc;
	u64 time = cc[VTIME] * NSEC_PER_TENTH;
	bool timed = cc[VMIN] ? time && reading->done : true;

	if (timed)
		reading->deadline = time ? clock_ns() + time : 0;
	reading->over = reading->done && reading->done >= cc[VMIN];
}

/* One chunk of what is there. 0 or -EFAULT. */
static int read_chunk(struct reading *reading, struct iov_iter *to)
{
	struct tty *tty = reading->tty;
	u8 chunk[CHUNK];
	bool line_over;
	size_t size;

	spin_lock_bh(&tty->lock);
	size = tty_take(tty, chunk, min(to->count, sizeof(chunk)), &line_over);
	reading->done += size;
	if (tty_canonical(tty))
		reading->over = line_over;
	else if (size)
		set_limits(reading);
	spin_unlock_bh(&tty->lock);
	if (copy_to_iter(chunk, size, to) == size)
		return 0;
	reading->done -= size;
	return -EFAULT;
}

/* 0, or what the read returns if it has no bytes. */
static int wait_for_input(struct reading *reading)
{
	struct tty *tty = reading->tty;
	int error;

	if (reading->deadline == 0)
		return -ETIME;
	if (reading->file->flags & O_NONBLOCK)
		return -EAGAIN;
	error = wait_event_interruptible_timeout(&tty->read_wait,
						 input_available(tty) || tty_hung_up(reading->file),
						 reading->deadline);
	return error == -EINTR ? -ERESTARTSYS : error;
}

static ssize_t read_all(struct reading *reading, struct iov_iter *to)
{
	int error = 0;

	reading->deadline = NO_TIMEOUT;
	if (!tty_canonical(reading->tty))
		set_limits(reading);
	while (to->count && !reading->over && !error) {
		if (tty_hung_up(reading->file))
			break;
		error = input_available(reading->tty) ? read_chunk(reading, to)
						      : wait_for_input(reading);
	}
	if (reading->done || error == -ETIME)
		return reading->done;
	return error;
}

static ssize_t tty_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct tty *tty = file->private_data;
	struct reading reading = { .tty = tty, .file = file };
	ssize_t result;

	if (tty_hung_up(file))
		return 0;
	if (!tty_is_console(file)) {
		result = tty_check_foreground(tty, SIGTTIN);
		if (result)
			return result;
	}
	result = take_turn(&tty->read_lock, file);
	if (result)
		return result;
	result = read_all(&reading, to);
	mutex_unlock(&tty->read_lock);
	return result;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Until the output goes on. 0, -EAGAIN, -ERESTARTSYS, or -EIO. */
static int wait_for_output(struct tty *tty, const struct file *file)
{
	if (READ_ONCE(tty->stopped) && (file->flags & O_NONBLOCK))
		return -EAGAIN;
	if (wait_event_interruptible(&tty->write_wait,
				     !READ_ONCE(tty->stopped) || tty_hung_up(file)))
		return -ERESTARTSYS;
	return tty_hung_up(file) ? -EIO : 0;
}

static ssize_t write_all(struct tty *tty, const struct file *file, struct iov_iter *from)
{
	char chunk[CHUNK];
	ssize_t done = 0;
	size_t size;
	int error;

	while (from->count) {
		error = wait_for_output(tty, file);
		if (error)
			return done ?: error;
		size = copy_from_iter(chunk, sizeof(chunk), from);
		if (!size)
			return done ?: -EFAULT;
		spin_lock_bh(&tty->lock);
		tty_show(tty, chunk, size);
		spin_unlock_bh(&tty->lock);
		done += size;
		cond_resched();
	}
	return done;
}

static ssize_t tty_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	struct tty *tty = file->private_data;
	ssize_t result;

	if (tty_hung_up(file))
		return -EIO;
	if ((READ_ONCE(tty->termios.lflag) & TOSTOP) && !tty_is_console(file)) {
		result = tty_check_foreground(tty, SIGTTOU);
		if (result)
			return result;
	}
	result = take_turn(&tty->write_lock, file);
	if (result)
		return result;
	result = write_all(tty, file, from);
	mutex_unlock(&tty->write_lock);
	return result;
}

/* ---- polling --------------------------------------------------------------------------------- */

#define POLL_HUNG_UP (POLL_ALWAYS | EPOLLERR | EPOLLHUP)

/* Who reads MIN bytes at a time is not to be woken for less. */
static bool poll_readable(struct tty *tty)
{
	const u8 *cc = tty->termios.cc;

	if (tty_canonical(tty) || cc[VTIME] || !cc[VMIN])
		return input_available(tty);
	return tty->head - tty->tail >= cc[VMIN];
}

static u32 tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = file->private_data;
	u32 ready = 0;

	poll_wait(file, &tty->read_wait, table);
	poll_wait(file, &tty->write_wait, table);
	if (tty_hung_up(file))
		return POLL_HUNG_UP;
	spin_lock_bh(&tty->lock);
	if (poll_readable(tty))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (!tty->stopped)
		ready |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock_bh(&tty->lock);
	return ready;
}

const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
};

void tty_setup(struct tty *tty, u64 device, void (*send)(const char *text, size_t length))
{
	tty->device = device;
	tty->send = send;
	mutex_init(&tty->read_lock);
	mutex_init(&tty->write_lock);
	wait_queue_init(&tty->read_wait);
	wait_queue_init(&tty->write_wait);
	spin_lock_init(&tty->lock);
	tty->termios = tty_default_termios;
	tty->ispeed = tty->ospeed = 115200;
}
