/* Control messages: what travels beside the data of sendmsg and recvmsg. Context: process; no lock. */
#include <net/sock.h>

#include <kernel/cpu/rtc.h>
#include <kernel/lib/errno.h>
#include <kernel/time.h>
#include <net/sock_options.h>

/* As on Linux: what does not fit is cut and said to be; a fault loses the message and nothing else. */
void put_cmsg(struct msg *msg, int level, int type, const void *data, u32 length)
{
	struct msg_control *control = msg->control;
	struct cmsghdr header = { sizeof(header) + length, level, type };
	u64 space;

	if (!control || control->room < sizeof(header)) {
		msg->out_flags |= MSG_CTRUNC;
		return;
	}
	if (control->room < header.length) {
		msg->out_flags |= MSG_CTRUNC;
		header.length = control->room;
	}
	if (copy_to_user(control->user, &header, sizeof(header)) ||
	    copy_to_user((u8 __user *)control->user + sizeof(header), data, cmsg_size(&header)))
		return;
	space = min(CMSG_ALIGN(sizeof(header) + length), control->room);
	control->user = (u8 __user *)control->user + space;
	control->room -= space;
}

const struct cmsghdr *next_cmsg(const struct msg_control *control, const struct cmsghdr *last)
{
	u64 offset = last ? (u64)((const u8 *)last - (const u8 *)control->data) +
				     CMSG_ALIGN(last->length)
			  : 0;
	const struct cmsghdr *next = (const void *)((const u8 *)control->data + offset);

	if (offset > control->length || control->length - offset < sizeof(*next))
		return NULL;
	if (next->length < sizeof(*next) || next->length > control->length - offset)
		return ERR_PTR(-EINVAL);
	return next;
}

/* The time of arrival, which is kept as the clock's that never jumps. */
static struct timespec arrival(const struct sk_buff *skb)
{
	return ns_to_timespec(wall_ns() - (clock_ns() - skb->tstamp));
}

void sock_put_stamps_slow(struct sock *sk, struct msg *msg, const struct sk_buff *skb)
{
	u32 options = READ_ONCE(sk->options), drops = READ_ONCE(sk->drops);
	struct timespec time;
	struct timeval coarse;

	if ((options & SK_TIMESTAMP) && skb->tstamp) {
		time = arrival(skb);
		coarse = (struct timeval){ time.sec, time.nsec / NSEC_PER_USEC };
		if (options & SK_TIMESTAMPNS)
			put_cmsg(msg, SOL_SOCKET, SCM_TIMESTAMPNS, &time, sizeof(time));
		else
			put_cmsg(msg, SOL_SOCKET, SCM_TIMESTAMP, &coarse, sizeof(coarse));
	}
	if ((options & SK_RXQ_OVFL) && drops)
		put_cmsg(msg, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
}
