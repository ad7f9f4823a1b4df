/*
 * SOL_SOCKET: the options that every socket has. Each is a row of one of two tables.
 *
 * Context: process. Locks: none: an option is a word of struct sock, and those who look at it do so once. The bits
 * of sk->options change atomically.
 */
#include <net/sock_options.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <net/netdev.h>
#include <net/sock.h>

/* What a buffer's limit may not fall below: Linux's, so that programs read back what they read there. */
#define MIN_RCVBUF	  2304
#define MIN_SNDBUF	  4608
#define MAX_FREE_PRIORITY 6

struct linger {
	s32 on, seconds;
};

static bool privileged(void)
{
	return current->cred.euid == 0;
}

static void set_bits(struct sock *sk, u32 bits, bool on)
{
	if (on)
		__atomic_or_fetch(&sk->options, bits, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&sk->options, ~bits, __ATOMIC_RELAXED);
}

static bool is_unix(const struct sock *sk)
{
	return sk->family == AF_UNIX;
}

/* ---- setting: `value` has 4 bytes at least, and is their number in `number` ---------------------------- */

typedef int (*set_t)(struct sock *sk, int number, const void *value, u32 length);

static int set_debug(struct sock *sk, int number, const void *value, u32 length)
{
	if (number && !privileged())
		return -EACCES;
	set_bits(sk, SK_DEBUG, number);
	return 0;
}

/* Asked for, and as much again for what the kernel itself needs to keep it. */
static u32 double_size(u32 size, u32 minimum)
{
	return max(min(size, (u32)INT32_MAX / 2) * 2, minimum);
}

static void set_sndbuf_to(struct sock *sk, u32 size)
{
	set_bits(sk, SK_SNDBUF_LOCK, true);
	WRITE_ONCE(sk->sndbuf, double_size(size, MIN_SNDBUF));
	sock_wake(sk, SOCK_WRITABLE);
}

static int set_sndbuf(struct sock *sk, int number, const void *value, u32 length)
{
	set_sndbuf_to(sk, min((u32)number, READ_ONCE(sock_wmem_max)));
	return 0;
}

static int set_sndbuf_force(struct sock *sk, int number, const void *value, u32 length)
{
	if (!privileged())
		return -EPERM;
	set_sndbuf_to(sk, max(number, 0));
	return 0;
}

static void set_rcvbuf_to(struct sock *sk, u32 size)
{
	set_bits(sk, SK_RCVBUF_LOCK, true);
	WRITE_ONCE(sk->rcvbuf, double_size(size, MIN_RCVBUF));
}

static int set_rcvbuf(struct sock *sk, int number, const void *value, u32 length)
{
	set_rcvbuf_to(sk, min((u32)number, READ_ONCE(sock_rmem_max)));
	return 0;
}

static int set_rcvbuf_force(struct sock *sk, int number, const void *value, u32 length)
{
	if (!privileged())
		return -EPERM;
	set_rcvbuf_to(sk, max(number, 0));
	return 0;
}

static int set_keepalive(struct sock *sk, int number, const void *value, u32 length)
{
	set_bits(sk, SK_KEEPALIVE, number);
	if (sk->ops->keepalive)
		sk->ops->keepalive(sk);
	return 0;
}

static int set_priority(struct sock *sk, int number, const void *value, u32 length)
{
	if ((number < 0 || number > MAX_FREE_PRIORITY) && !privileged())
		return -EPERM;
	WRITE_ONCE(sk->priority, number);
	return 0;
}

static int set_linger(struct sock *sk, int number, const void *value, u32 length)
{
	const struct linger *linger = value;

	if (length < sizeof(*linger))
		return -EINVAL;
	if (linger->on)
		WRITE_ONCE(sk->linger, linger->seconds);
	set_bits(sk, SK_LINGER, linger->on);
	return 0;
}

static int set_reuseport(struct sock *sk, int number, const void *value, u32 length)
{
	if (number && is_unix(sk))
		return -EOPNOTSUPP;
	set_bits(sk, SK_REUSEPORT, number);
	return 0;
}

static int set_unix_bits(struct sock *sk, u32 bits, bool on)
{
	if (!is_unix(sk))
		return -EOPNOTSUPP;
	set_bits(sk, bits, on);
	return 0;
}

static int set_passcred(struct sock *sk, int number, const void *value, u32 length)
{
	return set_unix_bits(sk, SK_PASSCRED, number);
}

static int set_rcvlowat(struct sock *sk, int number, const void *value, u32 length)
{
	WRITE_ONCE(sk->rcvlowat, number < 0 ? INT32_MAX : number ?: 1);
	return 0;
}

/* No time at all is "for ever"; a negative one is "not at all". */
static int set_timeout(u64 *timeout, const struct timeval *time, u32 length)
{
	if (length < sizeof(*time))
		return -EINVAL;
	if ((u64)time->usec >= NSEC_PER_SEC / NSEC_PER_USEC)
		return -EDOM;
	if (time->sec < 0)
		WRITE_ONCE(*timeout, 0);
	else if (!time->sec && !time->usec)
		WRITE_ONCE(*timeout, NO_TIMEOUT);
	else
		WRITE_ONCE(*timeout, timeval_to_ns(time));
	return 0;
}

static int set_rcvtimeo(struct sock *sk, int number, const void *value, u32 length)
{
	return set_timeout(&sk->rcvtimeo, value, length);
}

static int set_sndtimeo(struct sock *sk, int number, const void *value, u32 length)
{
	return set_timeout(&sk->sndtimeo, value, length);
}

/* A name without a zero at its end is one too; "" unbinds. */
static int set_bindtodevice(struct sock *sk, const void *value, u32 length)
{
	char name[IFNAMSIZ] = "";
	const struct netdev *dev;

	memcpy(name, value, min_t(u32, length, sizeof(name) - 1));
	dev = *name ? netdev_by_name(name) : NULL;
	if (*name && !dev)
		return -ENODEV;
	WRITE_ONCE(sk->bound_dev, dev ? dev->index : 0);
	return 0;
}

static int set_timestamp(struct sock *sk, int number, const void *value, u32 length)
{
	set_bits(sk, SK_TIMESTAMP | SK_TIMESTAMPNS, false);
	set_bits(sk, SK_TIMESTAMP, number);
	return 0;
}

static int set_timestampns(struct sock *sk, int number, const void *value, u32 length)
{
	set_bits(sk, SK_TIMESTAMP | SK_TIMESTAMPNS, number);
	return 0;
}

static int set_mark(struct sock *sk, int number, const void *value, u32 length)
{
	if (!privileged())
		return -EPERM;
	WRITE_ONCE(sk->mark, number);
	return 0;
}

/* What Pollux has no use for, and may be asked for all the same. */
static int set_nothing(struct sock *sk, int number, const void *value, u32 length)
{
	return 0;
}

static const struct setting {
	s32 option;
	u32 bits; /* set: the option is just these */
	set_t set;
} settings[] = {
	{ SO_DEBUG, 0, set_debug },
	{ SO_REUSEADDR, SK_REUSEADDR, NULL },
	{ SO_DONTROUTE, SK_DONTROUTE, NULL },
	{ SO_BROADCAST, SK_BROADCAST, NULL },
	{ SO_SNDBUF, 0, set_sndbuf },
	{ SO_SNDBUFFORCE, 0, set_sndbuf_force },
	{ SO_RCVBUF, 0, set_rcvbuf },
	{ SO_RCVBUFFORCE, 0, set_rcvbuf_force },
	{ SO_KEEPALIVE, 0, set_keepalive },
	{ SO_OOBINLINE, SK_OOBINLINE, NULL },
	{ SO_NO_CHECK, SK_NO_CHECK, NULL },
	{ SO_PRIORITY, 0, set_priority },
	{ SO_LINGER, 0, set_linger },
	{ SO_BSDCOMPAT, 0, set_nothing },
	{ SO_REUSEPORT, 0, set_reuseport },
	{ SO_PASSCRED, 0, set_passcred },
	{ SO_RCVLOWAT, 0, set_rcvlowat },
	{ SO_RCVTIMEO, 0, set_rcvtimeo },
	{ SO_SNDTIMEO, 0, set_sndtimeo },
	{ SO_RCVTIMEO_NEW, 0, set_rcvtimeo },
	{ SO_SNDTIMEO_NEW, 0, set_sndtimeo },
	{ SO_TIMESTAMP, 0, set_timestamp },
	{ SO_TIMESTAMPNS, 0, set_timestampns },
	{ SO_MARK, 0, set_mark },
	{ SO_RXQ_OVFL, SK_RXQ_OVFL, NULL },
	{ SO_SELECT_ERR_QUEUE, SK_SELECT_ERR_QUEUE, NULL },
	{ SO_INCOMING_CPU, 0, set_nothing },
	{ SO_BUSY_POLL, 0, set_nothing },
};

int sock_setsockopt(struct sock *sk, int option, const void *value, u32 length)
{
	int number;

	if (option == SO_BINDTODEVICE)
		return set_bindtodevice(sk, value, length);
	if (length < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	for (u32 i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *setting = &settings[i];

		if (setting->option != option)
			continue;
		if (setting->set)
			return setting->set(sk, number, value, length);
		set_bits(sk, setting->bits, number);
		return 0;
	}
	return -ENOPROTOOPT;
}

/* ---- getting ------------------------------------------------------------------------------------------- */

static int get_type(struct sock *sk)
{
	return sk->type;
}

static int get_protocol(struct sock *sk)
{
	return sk->protocol;
}

static int get_domain(struct sock *sk)
{
	return sk->family;
}

static int get_error(struct sock *sk)
{
	int error = -sock_error(sk);

	return error || !sk->ops->soft_error ? error : sk->ops->soft_error(sk);
}

static int get_sndbuf(struct sock *sk)
{
	return READ_ONCE(sk->sndbuf);
}

static int get_rcvbuf(struct sock *sk)
{
	return READ_ONCE(sk->rcvbuf);
}

static int get_priority(struct sock *sk)
{
	return READ_ONCE(sk->priority);
}

static int get_rcvlowat(struct sock *sk)
{
	return READ_ONCE(sk->rcvlowat);
}

static int get_sndlowat(struct sock *sk)
{
	return 1;
}

static int get_mark(struct sock *sk)
{
	return READ_ONCE(sk->mark);
}

static int get_timestamp(struct sock *sk)
{
	return (READ_ONCE(sk->options) & (SK_TIMESTAMP | SK_TIMESTAMPNS)) == SK_TIMESTAMP;
}

static int get_nothing(struct sock *sk)
{
	return 0;
}

/* Those that are numbers. */
static const struct reading {
	s32 option;
	u32 bits; /* set: 1 if one of these is */
	int (*get)(struct sock *sk);
} readings[] = {
	{ SO_DEBUG, SK_DEBUG, NULL },
	{ SO_REUSEADDR, SK_REUSEADDR, NULL },
	{ SO_TYPE, 0, get_type },
	{ SO_ERROR, 0, get_error },
	{ SO_DONTROUTE, SK_DONTROUTE, NULL },
	{ SO_BROADCAST, SK_BROADCAST, NULL },
	{ SO_SNDBUF, 0, get_sndbuf },
	{ SO_RCVBUF, 0, get_rcvbuf },
	{ SO_KEEPALIVE, SK_KEEPALIVE, NULL },
	{ SO_OOBINLINE, SK_OOBINLINE, NULL },
	{ SO_NO_CHECK, SK_NO_CHECK, NULL },
	{ SO_PRIORITY, 0, get_priority },
	{ SO_BSDCOMPAT, 0, get_nothing },
	{ SO_REUSEPORT, SK_REUSEPORT, NULL },
	{ SO_PASSCRED, SK_PASSCRED, NULL },
	{ SO_RCVLOWAT, 0, get_rcvlowat },
	{ SO_SNDLOWAT, 0, get_sndlowat },
	{ SO_TIMESTAMP, 0, get_timestamp },
	{ SO_TIMESTAMPNS, SK_TIMESTAMPNS, NULL },
	{ SO_ACCEPTCONN, SK_LISTENING, NULL },
	{ SO_MARK, 0, get_mark },
	{ SO_PROTOCOL, 0, get_protocol },
	{ SO_DOMAIN, 0, get_domain },
	{ SO_RXQ_OVFL, SK_RXQ_OVFL, NULL },
	{ SO_SELECT_ERR_QUEUE, SK_SELECT_ERR_QUEUE, NULL },
	{ SO_INCOMING_CPU, 0, get_nothing },
	{ SO_BUSY_POLL, 0, get_nothing },
};

/* As much of an answer as there is room for. */
static int answer(void *value, u32 *length, const void *data, u32 size)
{
	*length = min(*length, size);
	memcpy(value, data, *length);
	return 0;
}

static int answer_timeout(void *value, u32 *length, u64 timeout)
{
	struct timeval time = ns_to_timeval(timeout == NO_TIMEOUT ? 0 : timeout);

	return answer(value, length, &time, sizeof(time));
}

static int answer_device(struct sock *sk, void *value, u32 *length)
{
	const struct netdev *dev = sk->bound_dev ? netdev_by_index(sk->bound_dev) : NULL;
	u32 size;

	if (!dev) {
		*length = 0;
		return 0;
	}
	if (*length < IFNAMSIZ)
		return -EINVAL;
	size = strlen(dev->name) + 1;
	return answer(value, length, dev->name, size);
}

int sock_getsockopt(struct sock *sk, int option, void *value, u32 *length)
{
	struct linger linger = { !!(READ_ONCE(sk->options) & SK_LINGER), READ_ONCE(sk->linger) };

	for (u32 i = 0; i < ARRAY_SIZE(readings); i++) {
		const struct reading *reading = &readings[i];
		int number;

		if (reading->option != option)
			continue;
		number = reading->get ? reading->get(sk)
				      : !!(READ_ONCE(sk->options) & reading->bits);
		return answer(value, length, &number, sizeof(number));
	}
	if (option == SO_LINGER)
		return answer(value, length, &linger, sizeof(linger));
	if (option == SO_RCVTIMEO || option == SO_RCVTIMEO_NEW)
		return answer_timeout(value, length, READ_ONCE(sk->rcvtimeo));
	if (option == SO_SNDTIMEO || option == SO_SNDTIMEO_NEW)
		return answer_timeout(value, length, READ_ONCE(sk->sndtimeo));
	if (option == SO_BINDTODEVICE)
		return answer_device(sk, value, length);
	return -ENOPROTOOPT;
}
