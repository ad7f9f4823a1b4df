/*
 * Options at level SOL_TCP, by a table; TCP_INFO; and the ioctls that ask how many bytes wait.
 *
 * Context: process. Locks: user_lock, then sk.lock, for all of an option.
 */
#include <net/tcp_socket.h>

#include <fs/ioctl.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet_option.h>
#include <net/netdev_ioctl.h>
#include <net/tcp_sender.h>

#define TCP_NODELAY	  1
#define TCP_MAXSEG	  2
#define TCP_CORK	  3
#define TCP_KEEPIDLE	  4
#define TCP_KEEPINTVL	  5
#define TCP_KEEPCNT	  6
#define TCP_SYNCNT	  7
#define TCP_LINGER2	  8
#define TCP_DEFER_ACCEPT  9
#define TCP_WINDOW_CLAMP  10
#define TCP_INFO	  11
#define TCP_QUICKACK	  12
#define TCP_CONGESTION	  13
#define TCP_THIN_DUPACK	  17
#define TCP_USER_TIMEOUT  18
#define TCP_TIMESTAMP	  24
#define TCP_NOTSENT_LOWAT 25

#define CONGESTION_NAME_MAX 16
#define MIN_USER_MSS	    88
#define MAX_USER_MSS	    32767
#define MAX_KEEP_SECONDS    32767
#define MAX_KEEP_COUNT	    127
#define MAX_SYN_COUNT	    127
#define MAX_LINGER2	    120
#define MIN_WINDOW_CLAMP    1152 /* half of the least SO_RCVBUF */
#define NO_CLAMP	    (65535U << 14)
#define MSEC_PER_SEC	    1000
#define MAX_RTO_S	    120
#define DEFAULT_MSS	    536
#define MAX_QUICK_ACKS	    16

/* Under user_lock and sk.lock. 0 or -errno; what the option is. */
struct tcp_option {
	int option;
	int (*set)(struct tcp_sock *tp, int value); /* NULL: can only be asked */
	int (*get)(const struct tcp_sock *tp);
};

static void set_flag(struct tcp_sock *tp, u32 flag, bool on)
{
	tp->flags = on ? tp->flags | flag : tp->flags & ~flag;
}

/* What was held back may go now. */
static void push_held(struct tcp_sock *tp)
{
	if (tp->send_head)
		tcp_push(tp);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

static int set_nodelay(struct tcp_sock *tp, int on)
{
	set_flag(tp, TCP_F_NODELAY, on);
	if (on && !(tp->flags & TCP_F_CORK))
		push_held(tp);
	return 0;
}

static int get_nodelay(const struct tcp_sock *tp)
{
	return !!(tp->flags & TCP_F_NODELAY);
}

static int set_cork(struct tcp_sock *tp, int on)
{
	set_flag(tp, TCP_F_CORK, on);
	if (!on)
		push_held(tp);
	return 0;
}

static int get_cork(const struct tcp_sock *tp)
{
	return !!(tp->flags & TCP_F_CORK);
}

static int set_maxseg(struct tcp_sock *tp, int mss)
{
	if (mss && (mss < MIN_USER_MSS || mss > MAX_USER_MSS))
		return -EINVAL;
	tp->user_mss = mss;
	return 0;
}

static int get_maxseg(const struct tcp_sock *tp)
{
	if (tp->user_mss && tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		return tp->user_mss;
	return tp->mss ?: DEFAULT_MSS;
}

static int set_notsent_lowat(struct tcp_sock *tp, int bytes)
{
	tp->notsent_lowat = bytes;
	tcp_write_space(tp);
	return 0;
}

static int get_notsent_lowat(const struct tcp_sock *tp)
{
	return tp->notsent_lowat;
}

/* ---- timers ------------------------------------------------------------------------------------------------------- */

static void restart_keepalive(struct tcp_sock *tp)
{
	if (tp->inet.sk.options & SK_KEEPALIVE && !tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		tcp_keepalive_start(tp);
}

static int set_keepidle(struct tcp_sock *tp, int seconds)
{
	if (seconds < 1 || seconds > MAX_KEEP_SECONDS)
		return -EINVAL;
	tp->keepalive_s = seconds;
	restart_keepalive(tp);
	return 0;
}

static int get_keepidle(const struct tcp_sock *tp)
{
	return tp->keepalive_s ?: tcp_sysctl.keepalive_time_s;
}

static int set_keepintvl(struct tcp_sock *tp, int seconds)
{
	if (seconds < 1 || seconds > MAX_KEEP_SECONDS)
		return -EINVAL;
	tp->keepalive_interval_s = seconds;
	return 0;
}

static int get_keepintvl(const struct tcp_sock *tp)
{
	return tp->keepalive_interval_s ?: tcp_sysctl.keepalive_intvl_s;
}

static int set_keepcnt(struct tcp_sock *tp, int count)
{
	if (count < 1 || count > MAX_KEEP_COUNT)
		return -EINVAL;
	tp->keepalive_probes = count;
	return 0;
}

static int get_keepcnt(const struct tcp_sock *tp)
{
	return tp->keepalive_probes ?: tcp_sysctl.keepalive_probes;
}

static int set_syncnt(struct tcp_sock *tp, int count)
{
	if (count < 1 || count > MAX_SYN_COUNT)
		return -EINVAL;
	tp->syn_retries = count;
	return 0;
}

static int get_syncnt(const struct tcp_sock *tp)
{
	return tp->syn_retries ?: tcp_sysctl.syn_retries;
}

static int set_linger2(struct tcp_sock *tp, int seconds)
{
	tp->linger2 = seconds < 0 ? -1 : min(seconds, MAX_LINGER2);
	return 0;
}

static int get_linger2(const struct tcp_sock *tp)
{
	return tp->linger2 ?: (int)tcp_sysctl.fin_timeout_s;
}

static int set_user_timeout(struct tcp_sock *tp, int ms)
{
	if (ms < 0)
		return -EINVAL;
	tp->user_timeout_ms = ms;
	return 0;
}

static int get_user_timeout(const struct tcp_sock *tp)
{
	return tp->user_timeout_ms;
}

/* How long so many SYN-ACKs take: 1, 2, 4 ... seconds, never more than two minutes. */
static u32 retries_to_seconds(u32 retries)
{
	u32 seconds = 0, wait = 1;

	for (; retries; retries--) {
		seconds += wait;
		wait = min(2 * wait, (u32)MAX_RTO_S);
	}
	return seconds;
}

/* It is kept as Linux keeps it: as a number of SYN-ACKs. */
static int set_defer_accept(struct tcp_sock *tp, int seconds)
{
	u32 retries = 0;

	while (seconds > 0 && retries < 255 && retries_to_seconds(retries) < (u32)seconds)
		retries++;
	tp->defer_accept = retries;
	return 0;
}

static int get_defer_accept(const struct tcp_sock *tp)
{
	return retries_to_seconds(tp->defer_accept);
}

u32 tcp_defer_accept_s(const struct tcp_sock *tp)
{
	return retries_to_seconds(tp->defer_accept);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------ */

static int set_window_clamp(struct tcp_sock *tp, int bytes)
{
	if (!bytes && !tcp_in(tp, TCPF(TCP_CLOSE)))
		return -EINVAL;
	tp->window_clamp = bytes ? max(bytes, MIN_WINDOW_CLAMP) : (int)NO_CLAMP;
	return 0;
}

static int get_window_clamp(const struct tcp_sock *tp)
{
	if (tp->window_clamp != NO_CLAMP)
		return tp->window_clamp;
	return tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)) ? 0 : tp->inet.sk.rcvbuf / 2;
}

static int set_quickack(struct tcp_sock *tp, int on)
{
	set_flag(tp, TCP_F_SLOWACK, !on);
	tp->quick_acks = on ? MAX_QUICK_ACKS : 0;
	if (on && tp->ack_pending && tcp_in(tp, TCPF_SENDING))
		tcp_send_ack(tp);
	return 0;
}

static int get_quickack(const struct tcp_sock *tp)
{
	return !(tp->flags & TCP_F_SLOWACK);
}

/* ---- the rest --------------------------------------------------------------------------------------------------------- */

/* Obsolete: Linux takes it, and does nothing. */
static int set_thin_dupack(struct tcp_sock *tp, int on)
{
	return on == 0 || on == 1 ? 0 : -EINVAL;
}

static int get_thin_dupack(const struct tcp_sock *tp)
{
	return 0;
}

/* Only a connection that is being moved from one machine to another may change it. */
static int set_timestamp(struct tcp_sock *tp, int value)
{
	return -EPERM;
}

static int get_timestamp(const struct tcp_sock *tp)
{
	return tcp_clock_ms() + tp->ts_offset;
}

static const struct tcp_option options[] = {
	{ TCP_NODELAY, set_nodelay, get_nodelay },
	{ TCP_MAXSEG, set_maxseg, get_maxseg },
	{ TCP_CORK, set_cork, get_cork },
	{ TCP_KEEPIDLE, set_keepidle, get_keepidle },
	{ TCP_KEEPINTVL, set_keepintvl, get_keepintvl },
	{ TCP_KEEPCNT, set_keepcnt, get_keepcnt },
	{ TCP_SYNCNT, set_syncnt, get_syncnt },
	{ TCP_LINGER2, set_linger2, get_linger2 },
	{ TCP_DEFER_ACCEPT, set_defer_accept, get_defer_accept },
	{ TCP_WINDOW_CLAMP, set_window_clamp, get_window_clamp },
	{ TCP_QUICKACK, set_quickack, get_quickack },
	{ TCP_THIN_DUPACK, set_thin_dupack, get_thin_dupack },
	{ TCP_USER_TIMEOUT, set_user_timeout, get_user_timeout },
	{ TCP_TIMESTAMP, set_timestamp, get_timestamp },
	{ TCP_NOTSENT_LOWAT, set_notsent_lowat, get_notsent_lowat },
};

static const struct tcp_option *find_option(int number)
{
	for (u32 i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].option == number)
			return &options[i];
	return NULL;
}

/* Congestion control is chosen by name. */
static int set_congestion(struct tcp_sock *tp, const void *value, u32 length)
{
	char name[CONGESTION_NAME_MAX] = "";
	const struct tcp_cong_ops *cong;

	if (!length)
		return -EINVAL;
	memcpy(name, value, min_t(u32, length, sizeof(name) - 1));
	cong = tcp_cong_find(name);
	if (!cong)
		return -ENOENT;
	if (tp->cong == cong)
		return 0;
	tp->cong = cong;
	memset(tp->cong_state, 0, sizeof(tp->cong_state));
	cong->init(tp);
	return 0;
}

int tcp_setsockopt(struct sock *sk, int level, int number, const void *value, u32 length)
{
	const struct tcp_option *option = find_option(number);
	struct tcp_sock *tp = tcp_sk(sk);
	int error, given;

	if (level != SOL_TCP)
		return inet_setsockopt(sk, level, number, value, length);
	if (number != TCP_CONGESTION && length < sizeof(given))
		return -EINVAL;
	if (number != TCP_CONGESTION && !option)
		return -ENOPROTOOPT;
	memcpy(&given, value, sizeof(given));
	mutex_lock(&sk->user_lock);
	spin_lock_bh(&sk->lock);
	error = option ? option->set(tp, given) : set_congestion(tp, value, length);
	spin_unlock_bh(&sk->lock);
	mutex_unlock(&sk->user_lock);
	return error;
}

void tcp_keepalive_changed(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	spin_lock_bh(&sk->lock);
	if (!tcp_in(tp, TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		tcp_keepalive_start(tp);
	spin_unlock_bh(&sk->lock);
}

/* ---- TCP_INFO ------------------------------------------------------------------------------------------------------------ */

#define TIMESTAMPS_SIZE 12 /* of each segment's MSS, where they are in use */

#define TCPI_OPT_TIMESTAMPS 1
#define TCPI_OPT_SACK	    2
#define TCPI_OPT_WSCALE	    4
#define TCPI_OPT_ECN	    8

/* As far as Pollux counts; a program gets no more bytes than this, and knows by their number what is in them. */
struct tcp_info {
	u8 state, ca_state, retransmits, probes, backoff, options;
	u8 snd_wscale : 4, rcv_wscale : 4;
	u8 delivery_rate_app_limited;
	u32 rto, ato, snd_mss, rcv_mss; /* times in us */
	u32 unacked, sacked, lost, retrans, fackets;
	u32 last_data_sent, last_ack_sent, last_data_received, last_ack_received; /* ms ago */
	u32 pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	u32 rcv_rtt, rcv_space, total_retrans;
};
static_assert(sizeof(struct tcp_info) == 104, "the ABI says so");

static void fill_listener(struct tcp_info *info, const struct tcp_sock *tp)
{
	/* Of a listener, Linux gives here how many wait, and how many may. */
	info->unacked = tcp_accept_backlog(tp, &info->sacked);
}

static void fill_sender(struct tcp_info *info, const struct tcp_sock *tp)
{
	info->rto = tp->rto;
	info->snd_mss = tp->mss;
	info->unacked = tp->packets_out;
	info->sacked = tp->sacked_out;
	info->lost = tp->lost_out;
	info->retrans = tp->retrans_out;
	info->total_retrans = tp->total_retrans;
	info->rtt = tp->srtt >> 3;
	info->rttvar = tp->rttvar >> 2;
	info->snd_ssthresh = tp->ssthresh;
	info->snd_cwnd = tp->cwnd;
	info->reordering = tp->reordering;
	info->last_data_sent = tcp_clock_ms() - tp->last_sent_ms;
	info->pmtu = tp->inet.flow.dst.mtu;
}

/* What both sides have agreed to. */
static u8 info_options(const struct tcp_sock *tp)
{
	if (tcp_in(tp, TCPF(TCP_SYN_SENT)))
		return 0;
	return (tp->flags & TCP_F_TIMESTAMPS ? TCPI_OPT_TIMESTAMPS : 0) |
	       (tp->flags & TCP_F_SACK ? TCPI_OPT_SACK : 0) |
	       (tp->flags & TCP_F_WSCALE ? TCPI_OPT_WSCALE : 0) |
	       (tp->flags & TCP_F_ECN ? TCPI_OPT_ECN : 0);
}

static void fill_info(struct tcp_info *info, const struct tcp_sock *tp)
{
	u8 options = info_options(tp);

	*info = (struct tcp_info){
		.state = tp->hashed.state,
		.ca_state = tp->ca_state,
		.retransmits = tp->retransmits,
		.probes = tp->probes,
		.backoff = tp->backoff,
		.options = options,
		.snd_wscale = tp->snd_wscale,
		.rcv_wscale = tp->rcv_wscale,
		.rcv_mss = tp->rcv_mss ?: min(tp->advmss, DEFAULT_MSS),
		.advmss = tp->advmss - (options & TCPI_OPT_TIMESTAMPS ? TIMESTAMPS_SIZE : 0),
		.rcv_ssthresh = tp->rcv_wnd,
		.rcv_rtt = (tp->rcv_rtt >> 3) * (NSEC_PER_MSEC / NSEC_PER_USEC),
		.rcv_space = tcp_receive_space(tp),
		.ato = TCP_DELACK_NS / NSEC_PER_USEC,
		.last_data_received = tcp_clock_ms() - tp->last_received_ms,
		.last_ack_received = tcp_clock_ms() - tp->last_received_ms,
	};
	if (tcp_in(tp, TCPF(TCP_LISTEN)))
		fill_listener(info, tp);
	else
		fill_sender(info, tp);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------- */

static int answer(void *value, u32 *length, const void *data, u32 size)
{
	*length = min(*length, size);
	memcpy(value, data, *length);
	return 0;
}

static int get_info(struct tcp_sock *tp, void *value, u32 *length)
{
	struct tcp_info info;

	spin_lock_bh(&tcp_to_sock(tp)->lock);
	fill_info(&info, tp);
	spin_unlock_bh(&tcp_to_sock(tp)->lock);
	return answer(value, length, &info, sizeof(info));
}

static int get_congestion(struct tcp_sock *tp, void *value, u32 *length)
{
	char name[CONGESTION_NAME_MAX] = "";

	memcpy(name, tp->cong->name, strlen(tp->cong->name));
	return answer(value, length, name, sizeof(name));
}

int tcp_getsockopt(struct sock *sk, int level, int number, void *value, u32 *length)
{
	const struct tcp_option *option = find_option(number);
	struct tcp_sock *tp = tcp_sk(sk);
	int result;

	if (level != SOL_TCP)
		return inet_getsockopt(sk, level, number, value, length);
	if (number == TCP_INFO)
		return get_info(tp, value, length);
	if (number == TCP_CONGESTION)
		return get_congestion(tp, value, length);
	if (!option)
		return -ENOPROTOOPT;
	spin_lock_bh(&sk->lock);
	result = option->get(tp);
	spin_unlock_bh(&sk->lock);
	return answer(value, length, &result, sizeof(result));
}

/* ---- ioctl -------------------------------------------------------------------------------------------------------------------- */

#define SIOCATMARK  0x8905
#define SIOCOUTQNSD 0x894b

/* A mark divides: what is behind it does not count yet. */
static int bytes_to_read(const struct tcp_sock *tp)
{
	u32 to_mark = tp->rcv_urg - tp->copied_seq, bytes = tcp_readable(tp);

	if (tcp_in(tp, TCPF_CONNECTING))
		return 0;
	if (!tp->urg_valid || tp->inet.sk.options & SK_OOBINLINE || to_mark >= bytes)
		return bytes;
	return to_mark;
}

static long count(const struct tcp_sock *tp, u32 command)
{
	if (command == SIOCATMARK)
		return tcp_at_mark(tp);
	if (tcp_in(tp, TCPF(TCP_LISTEN)))
		return -EINVAL;
	if (command == FIONREAD)
		return bytes_to_read(tp);
	if (tcp_in(tp, TCPF_CONNECTING))
		return 0;
	return tp->write_seq - (command == SIOCOUTQ ? tp->snd_una : tp->snd_nxt);
}

long tcp_ioctl(struct sock *sk, u32 command, u64 arg)
{
	long result;

	if (command != SIOCATMARK && command != FIONREAD && command != SIOCOUTQ &&
	    command != SIOCOUTQNSD)
		return -ENOTTY;
	spin_lock_bh(&sk->lock);
	result = count(tcp_sk(sk), command);
	spin_unlock_bh(&sk->lock);
	return result < 0 ? result : put_user((int)result, (int __user *)arg);
}
