/* sources: tests/unit/tcp_shim.c tests/unit/net_shim.c tests/unit/net_shim_dev.c net/tcp_queue.c net/tcp_output.c net/tcp_ack.c net/tcp_sack.c net/tcp_recovery.c net/tcp_rack.c net/tcp_rtt.c net/tcp_timer.c net/tcp_cong.c net/tcp_cubic.c net/skbuff.c net/checksum.c fs/iov_iter.c kernel/lib/string.c */
#include "tcp_shim.h"

#include "unit.h"

#include <kernel/lib/errno.h>

#define ALL	(TCP_F_SACK | TCP_F_TIMESTAMPS | TCP_F_WSCALE)
#define NO_SACK TCP_F_WSCALE
#define S	(1000 * MS)

/* 10 segments are out; a round trip of 20 ms is known. */
static struct tcp_sock *ten_out(u32 flags)
{
	struct tcp_sock *tp = shim_connection(flags, &tcp_reno);
	struct shim_segment segment;

	shim_write(SHIM_MSS, true);
	net_shim_advance(20 * MS);
	shim_ack(SHIM_MSS);
	tp->cwnd = 10;
	shim_write(10 * SHIM_MSS, true);
	while (shim_sent(&segment))
		;
	CHECK_EQ(tp->packets_out, 10);
	return tp;
}

static u32 count_sent(void)
{
	struct shim_segment segment;
	u32 count = 0;

	while (shim_sent(&segment))
		count++;
	return count;
}

/* Bytes [SHIM_MSS * (1 + first), SHIM_MSS * (1 + end)) of ten_out()'s. */
static void sack_segments(u32 acked, u32 first, u32 end)
{
	const u32 blocks[] = { SHIM_MSS * (1 + first), SHIM_MSS * (1 + end), 0, 0 };

	shim_ack_sack(SHIM_MSS * (1 + acked), blocks);
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

TEST(a_small_write_goes_at_once)
{
	shim_connection(ALL, &tcp_reno);
	shim_write(64, true);
	SHIM_EXPECT(0, 64);
	SHIM_EXPECT_NOTHING();
	shim_ack(64);
	CHECK_EQ(shim_tp->packets_out, 0);
	shim_end();
}

TEST(nagle_holds_the_second_small_one)
{
	shim_connection(ALL, &tcp_reno);
	shim_write(64, true);
	shim_write(64, true);
	SHIM_EXPECT(0, 64);
	SHIM_EXPECT_NOTHING();
	shim_ack(64);
	SHIM_EXPECT(64, 64);
	shim_end();
}

TEST(nagle_lets_full_segments_and_one_rest_go)
{
	shim_connection(ALL, &tcp_reno);
	shim_write(2 * SHIM_MSS + 100, true);
	SHIM_EXPECT(0, SHIM_MSS);
	SHIM_EXPECT(SHIM_MSS, SHIM_MSS);
	SHIM_EXPECT(2 * SHIM_MSS, 100);
	SHIM_EXPECT_NOTHING();
	shim_end();
}

TEST(nodelay_does_not_wait)
{
	shim_connection(ALL | TCP_F_NODELAY, &tcp_reno);
	shim_write(64, true);
	shim_write(64, true);
	SHIM_EXPECT(0, 64);
	SHIM_EXPECT(64, 64);
	shim_end();
}

TEST(cork_waits_but_not_for_ever)
{
	struct tcp_sock *tp = shim_connection(ALL | TCP_F_CORK, &tcp_reno);

	shim_write(SHIM_MSS + 64, true);
	SHIM_EXPECT(0, SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	shim_ack(SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(1100 * MS);
	SHIM_EXPECT(SHIM_MSS, 64);
	CHECK_EQ(tp->packets_out, 1);
	shim_end();
}

TEST(the_initial_window_is_ten)
{
	shim_connection(ALL, &tcp_reno);
	shim_write(20 * SHIM_MSS, true);
	CHECK_EQ(count_sent(), 10);
	shim_ack(2 * SHIM_MSS);
	CHECK_EQ(count_sent(), 4);
	shim_end();
}

TEST(large_packets_are_cut_to_the_window)
{
	struct shim_segment segment;

	shim_eth.features = NETDEV_TSO;
	shim_connection(ALL, &tcp_reno);
	shim_tp->cwnd = 40;
	shim_write(30 * SHIM_MSS + 10, false);
	shim_tp->cwnd = 3;
	tcp_push(shim_tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.length, 3 * SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(shim_tp->packets_out, 3);
	shim_ack(1500); /* in the middle of a segment of the large packet */
	CHECK_EQ(shim_tp->packets_out + 1,
		 shim_tp->cwnd + tcp_in_flight(shim_tp) - shim_tp->packets_out + 1);
	net_shim_advance(2 * S);
	shim_end();
	shim_eth.features = 0;
}

TEST(a_peer_that_sacks_crumbs_does_not_make_the_queue_expensive)
{
	const u32 segments = 200;
	struct tcp_sock *tp;
	u32 before;

	shim_eth.features = NETDEV_TSO;
	tp = shim_connection(ALL, &tcp_reno);
	tp->inet.sk.sndbuf = 256 * KiB;
	tp->cwnd = segments;
	shim_write(segments * SHIM_MSS, true);
	count_sent();
	before = tp->inet.sk.wmem;
	for (u32 i = 1; i < segments; i += 2) {
		shim_ack_sack(0, (const u32[]){ i * SHIM_MSS, (i + 1) * SHIM_MSS, 0, 0 });
		count_sent();
	}
	CHECK(tp->sacked_out > 10); /* as long as it is cheap, it is done */
	CHECK(tp->inet.sk.wmem > before && tp->inet.sk.wmem < 4 * tp->inet.sk.sndbuf);
	for (u32 i = 0; i < 100 && tp->packets_out; i++) {
		net_shim_advance(S);
		count_sent();
		shim_ack(segments * SHIM_MSS);
	}
	CHECK_EQ(tp->packets_out, 0);
	shim_end();
	shim_eth.features = 0;
}

TEST(fin_goes_with_the_last_data)
{
	struct shim_segment segment;

	shim_connection(ALL, &tcp_reno);
	shim_write(64, false);
	tcp_send_fin(shim_tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.length, 64);
	CHECK(segment.flags & TCPHDR_FIN);
	shim_ack(65);
	CHECK_EQ(shim_tp->snd_una, shim_tp->write_seq);
	shim_end();
}

TEST(fin_alone_is_retransmitted)
{
	struct shim_segment segment;

	shim_connection(ALL, &tcp_reno);
	tcp_send_fin(shim_tp);
	CHECK(shim_sent(&segment));
	CHECK(segment.flags == (TCPHDR_FIN | TCPHDR_ACK) && !segment.length);
	net_shim_advance(1001 * MS);
	CHECK(shim_sent(&segment));
	CHECK(segment.flags & TCPHDR_FIN);
	shim_end();
}

TEST(fin_without_memory_is_tried_again)
{
	struct shim_segment segment;

	shim_connection(ALL, &tcp_reno);
	net_shim_fail_nth(1);
	tcp_send_fin(shim_tp);
	net_shim_fail_nth(0);
	SHIM_EXPECT_NOTHING();
	CHECK(!(shim_tp->flags & TCP_F_FIN_QUEUED));
	net_shim_advance(501 * MS);
	CHECK(shim_sent(&segment));
	CHECK(segment.flags & TCPHDR_FIN && shim_tp->flags & TCP_F_FIN_QUEUED);
	shim_end();
}

TEST(an_urgent_byte_is_pointed_at)
{
	struct shim_segment segment;

	shim_connection(ALL, &tcp_reno);
	shim_write(64, false);
	shim_tp->snd_up = shim_tp->write_seq;
	tcp_push(shim_tp);
	CHECK(shim_sent(&segment));
	CHECK(segment.flags & TCPHDR_URG);
	shim_ack(64);
	shim_write(64, true);
	CHECK(shim_sent(&segment));
	CHECK(!(segment.flags & TCPHDR_URG));
	shim_end();
}

static void expect_urgent(u32 at)
{
	struct shim_segment segment;

	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.seq, SHIM_ISS + 1 + at);
	CHECK_EQ(segment.length, SHIM_MSS);
	CHECK(segment.flags & TCPHDR_URG);
}

/* The card copies a large packet's header into all that it cuts it into. */
TEST(each_segment_has_its_own_urgent_pointer)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	shim_eth.features = NETDEV_TSO;
	tcp_sync_mss(tp, SHIM_MSS + 52);
	tp->cwnd = 20;
	shim_write(3 * SHIM_MSS, false);
	tp->snd_up = tp->write_seq;
	tcp_push(tp);
	for (u32 i = 0; i < 3; i++)
		expect_urgent(i * SHIM_MSS);
	shim_ack(3 * SHIM_MSS);

	/* sent already when it becomes urgent, and sent again */
	shim_write(3 * SHIM_MSS, true);
	tp->snd_up = tp->write_seq;
	shim_write(10 * SHIM_MSS, true);
	CHECK_EQ(count_sent(), 2);
	net_shim_advance(20 * MS);
	count_sent(); /* the loss probe */
	shim_ack_sack(3 * SHIM_MSS, (const u32[]){ 6 * SHIM_MSS, 16 * SHIM_MSS, 0, 0 });
	for (u32 i = 3; i < 6; i++)
		expect_urgent(i * SHIM_MSS);
	shim_ack(16 * SHIM_MSS);
	CHECK_EQ(tp->packets_out, 0);
	shim_end();
	shim_eth.features = 0;
}

TEST(idling_halves_the_window)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	tp->cwnd = 80;
	tp->rto = 300000;
	net_shim_advance(700 * MS);
	shim_write(64, true);
	CHECK_EQ(tp->cwnd, 20);
	CHECK_EQ(tp->ssthresh, TCP_INFINITE);
	shim_end();
}

/* ---- acknowledging -------------------------------------------------------------------------------------------------- */

TEST(a_delayed_ack_goes_alone_after_40_ms)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->rcv_nxt += 100;
	tp->ack_pending = TCP_ACK_DELAYED;
	tcp_push_or_ack(tp);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(41 * MS);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.ack, tp->rcv_nxt);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->ack_pending, 0);
	shim_end();
}

TEST(an_ack_rides_on_data)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->rcv_nxt += 100;
	tp->quick_acks = 5;
	tp->ack_pending = TCP_ACK_NOW;
	shim_write(64, false);
	tcp_push_or_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.ack, tp->rcv_nxt);
	CHECK_EQ(segment.length, 64);
	CHECK_EQ(tp->quick_acks, 0);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(100 * MS);
	SHIM_EXPECT_NOTHING();
	shim_end();
}

TEST(an_ack_without_memory_is_tried_again)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	tp->rcv_nxt += 100;
	tp->ack_pending = TCP_ACK_NOW;
	net_shim_fail_nth(1);
	tcp_push_or_ack(tp);
	net_shim_fail_nth(0);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(201 * MS);
	CHECK_EQ(count_sent(), 1);
	shim_end();
}

static void receive_early(struct tcp_sock *tp, u32 from, u32 to)
{
	struct sk_buff *skb = skb_alloc(0, GFP_KERNEL);

	TCP_CB(skb)->seq = tp->rcv_nxt + from;
	TCP_CB(skb)->end_seq = tp->rcv_nxt + to;
	skb_queue_tail(&tp->ooo, skb);
}

TEST(blocks_are_reported_latest_first)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;
	u32 base = tp->rcv_nxt;

	receive_early(tp, 100, 200);
	receive_early(tp, 200, 300);
	receive_early(tp, 400, 500);
	receive_early(tp, 600, 700);
	receive_early(tp, 800, 900);
	tp->last_sack = base + 400;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.nr_sacks, 3);
	CHECK_EQ(segment.sacks[0], base + 400);
	CHECK_EQ(segment.sacks[1], base + 500);
	tp->last_sack = base + 100;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.sacks[0], base + 100);
	CHECK_EQ(segment.sacks[1], base + 300);
	tp->dsack[0] = base - 50;
	tp->dsack[1] = base - 10;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.nr_sacks, 3);
	CHECK_EQ(segment.sacks[0], base - 50);
	CHECK_EQ(segment.sacks[2], base + 100);
	CHECK_EQ(tp->dsack[1], 0);
	skb_queue_purge(&tp->ooo);
	shim_end();
}

TEST(the_window_does_not_open_by_crumbs)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->rcv_mss = 1000;
	tp->inet.sk.rcvbuf = 2 * 4096;
	tp->rcv_wnd = 0;
	tp->rcv_wup = tp->rcv_nxt;
	tp->inet.sk.rcvbuf = 2 * 500;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(
		segment.window,
		384 >> 7); /* a quarter of the buffer is enough, when that is less than a segment */
	tp->rcv_wnd = 0;
	tp->inet.sk.rcvbuf = 2 * 8192;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.window, 8192 >> 7);
	/* the right edge never goes back */
	tp->inet.sk.rcvbuf = 2 * 2048;
	tcp_send_ack(tp);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.window, 8192 >> 7);
	shim_end();
}

TEST(an_ack_of_what_was_not_sent_is_challenged)
{
	shim_connection(ALL, &tcp_reno);
	shim_ack(100);
	CHECK_EQ(count_sent(), 1);
	CHECK_EQ(shim_tp->snd_una, SHIM_ISS + 1);
	shim_end();
}

/* ---- round trips and the timer ------------------------------------------------------------------------------------------ */

TEST(round_trips_are_averaged)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	tcp_rtt_sample(tp, 100000);
	CHECK_EQ(tp->srtt >> 3, 100000);
	CHECK_EQ(tp->rto, 300000);
	tcp_rtt_sample(tp, 200000);
	CHECK_EQ(tp->srtt >> 3, 112500);
	CHECK_EQ(tp->rttvar, 150000 + 100000);
	CHECK_EQ(tp->rto, 112500 + 250000);
	CHECK_EQ(tp->min_rtt, 100000);
	shim_end();
}

TEST(what_was_retransmitted_is_no_sample)
{
	struct tcp_sock *tp = shim_connection(TCP_F_WSCALE | TCP_F_SACK, &tcp_reno);

	shim_write(64, true);
	net_shim_advance(1001 * MS);
	CHECK_EQ(count_sent(), 2);
	CHECK_EQ(tp->backoff, 1);
	net_shim_advance(5 * MS);
	shim_ack(64);
	CHECK_EQ(tp->srtt, 0);
	CHECK_EQ(tp->backoff, 1); /* Karn: until there is a sample */
	shim_write(64, true);
	net_shim_advance(5 * MS);
	shim_ack(128);
	CHECK_EQ(tp->srtt >> 3, 5000);
	CHECK_EQ(tp->backoff, 0);
	shim_end();
}

TEST(timestamps_measure_retransmissions)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	shim_write(64, true);
	net_shim_advance(1001 * MS);
	CHECK_EQ(count_sent(), 2);
	net_shim_advance(7 * MS);
	shim_ack(64);
	CHECK(tp->srtt >> 3 >= 7000 && tp->srtt >> 3 <= 9000);
	shim_end();
}

TEST(the_timer_backs_off_and_gives_up)
{
	static const u64 due_ms[] = {
		1000, 3000, 7000, 15000, 31000, 63000, 127000, 247000, 367000
	};
	u64 begin;

	shim_connection(ALL, &tcp_reno);
	begin = host_clock_ns;
	shim_write(64, true);
	SHIM_EXPECT(0, 64);
	for (u32 i = 0; i < ARRAY_SIZE(due_ms); i++) {
		net_shim_advance(begin + (due_ms[i] - 1) * MS - host_clock_ns);
		SHIM_EXPECT_NOTHING();
		net_shim_advance(2 * MS);
		SHIM_EXPECT(0, 64);
		CHECK_EQ(shim_tp->cwnd, 1);
		shim_check();
	}
	net_shim_advance(2000 * S);
	CHECK_EQ(shim_done, ETIMEDOUT);
	shim_end();
}

TEST(user_timeout_ends_it_sooner)
{
	shim_connection(ALL, &tcp_reno);
	shim_tp->user_timeout_ms = 5000;
	shim_write(64, true);
	net_shim_advance(6 * S);
	CHECK_EQ(shim_done, -1);
	net_shim_advance(2 * S);
	CHECK_EQ(shim_done, ETIMEDOUT);
	shim_end();
}

TEST(a_syn_is_sent_seven_times)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->hashed.state = TCP_SYN_SENT;
	tp->write_seq = SHIM_ISS;
	CHECK_EQ(tcp_send_syn(tp), 0);
	net_shim_advance(126 * S);
	for (u32 i = 0; i < 7; i++) {
		CHECK(shim_sent(&segment));
		CHECK_EQ(segment.flags, TCPHDR_SYN);
		CHECK_EQ(segment.seq, SHIM_ISS);
	}
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(shim_done, -1);
	net_shim_advance(2 * S);
	CHECK_EQ(shim_done, ETIMEDOUT);
	shim_end();
}

TEST(a_syn_for_which_there_was_no_room_goes_later)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->hashed.state = TCP_SYN_SENT;
	tp->write_seq = SHIM_ISS;
	tp->snd_wnd = 0;
	tp->srtt = 0;
	shim_no_way = true;
	CHECK_EQ(tcp_send_syn(tp), 0);
	shim_no_way = false;
	SHIM_EXPECT_NOTHING();
	net_shim_advance(2 * S);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.flags, TCPHDR_SYN);
	CHECK_EQ(segment.seq, SHIM_ISS);
	net_shim_advance(200 * S);
	for (u32 i = 0; i < 5; i++)
		CHECK(shim_sent(&segment));
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(shim_done, ETIMEDOUT);
	shim_end();
}

TEST(an_idle_connection_has_no_timer)
{
	shim_connection(ALL, &tcp_reno);
	shim_write(64, true);
	shim_ack(64);
	CHECK_EQ(count_sent(), 1);
	net_shim_advance(2 * S);
	CHECK_EQ(net_shim_timers(), 0);
	CHECK_EQ(shim_tp->inet.sk.refcount, 1);
	shim_end();
}

TEST(keepalive_asks_and_gives_up)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;

	tp->inet.sk.options = SK_KEEPALIVE;
	tp->keepalive_s = 10;
	tp->keepalive_interval_s = 1;
	tp->keepalive_probes = 3;
	tcp_keepalive_start(tp);
	net_shim_advance(9 * S);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(1100 * MS);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.seq, tp->snd_una - 1);
	CHECK_EQ(segment.length, 0);
	shim_ack(0); /* it lives */
	net_shim_advance(9 * S);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(5 * S);
	CHECK_EQ(shim_done, ETIMEDOUT);
	for (u32 i = 0; i < 3; i++) {
		CHECK(shim_sent(&segment));
		CHECK_EQ(segment.flags, TCPHDR_ACK);
	}
	CHECK(shim_sent(&segment));
	CHECK(segment.flags & TCPHDR_RST);
	shim_end();
}

/* ---- the peer's window ------------------------------------------------------------------------------------------------------ */

TEST(a_shut_window_is_probed)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);
	struct shim_segment segment;
	u32 probes = 0;

	shim_write(64, true);
	CHECK_EQ(count_sent(), 1);
	net_shim_advance(10 * MS);
	shim_window = 0;
	shim_ack(64);
	shim_write(500, true);
	SHIM_EXPECT_NOTHING();
	for (u32 s = 0; s < 600; s++) {
		net_shim_advance(1 * S);
		while (shim_sent(&segment)) {
			CHECK_EQ(segment.seq, tp->snd_una - 1);
			CHECK_EQ(segment.length, 0);
			probes++;
			shim_ack(64); /* still shut; it may be so for ever */
		}
	}
	CHECK(probes >= 10 && probes <= 14);
	CHECK_EQ(shim_done, -1);
	shim_window = 64000;
	shim_ack(64);
	SHIM_EXPECT(64, 500);
	shim_end();
}

TEST(probes_without_an_answer_end)
{
	shim_connection(ALL, &tcp_reno);
	shim_tp->snd_wnd = 0;
	shim_write(500, true);
	net_shim_advance(3600ULL * S);
	CHECK_EQ(shim_done, ETIMEDOUT);
	shim_end();
}

TEST(an_orphan_does_not_wait_for_ever)
{
	struct tcp_sock *tp = shim_connection(ALL | TCP_F_ORPHAN, &tcp_reno);

	tp->snd_wnd = 0;
	shim_window = 0;
	shim_write(500, true);
	for (u32 s = 0; s < 400 && shim_done < 0; s++) {
		net_shim_advance(1 * S);
		if (count_sent() && shim_done < 0)
			shim_ack(0);
	}
	CHECK_EQ(shim_done, 0);
	shim_end();
}

TEST(a_sliver_of_a_window_waits_for_the_probe)
{
	shim_connection(ALL, &tcp_reno);
	shim_tp->snd_wnd = 300;
	shim_write(500, true);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(1001 * MS);
	SHIM_EXPECT(0, 300);
	shim_window = 64000;
	shim_ack(300);
	SHIM_EXPECT(300, 200);
	shim_end();
}

TEST(segments_are_half_a_small_window)
{
	struct shim_segment segment;

	shim_connection(ALL, &tcp_reno);
	shim_tp->max_window = shim_tp->snd_wnd = 1200;
	tcp_sync_mss(shim_tp, 1500);
	shim_write(600, true);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.length, 600 - 12);
	shim_end();
}

TEST(a_window_that_shrinks_lets_the_first_go_only)
{
	struct tcp_sock *tp = ten_out(ALL);

	shim_window = 0;
	net_shim_advance(5 * MS);
	shim_ack(3 * SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(300 * MS);
	SHIM_EXPECT(3 * SHIM_MSS, SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(3600ULL * S);
	CHECK_EQ(shim_done, ETIMEDOUT); /* it says nothing any more */
	CHECK_EQ(tp->hashed.state, TCP_CLOSE);
	shim_end();
}

/* ---- losses --------------------------------------------------------------------------------------------------------------------- */

TEST(three_duplicates_retransmit_without_sack)
{
	struct tcp_sock *tp = ten_out(NO_SACK);

	net_shim_advance(20 * MS);
	shim_ack(SHIM_MSS);
	shim_ack(SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->ca_state, TCP_CA_DISORDER);
	shim_ack(SHIM_MSS);
	SHIM_EXPECT(SHIM_MSS, SHIM_MSS);
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	CHECK_EQ(tp->ssthresh, 5);
	net_shim_advance(20 * MS);
	shim_ack(4 * SHIM_MSS); /* partial: the next hole */
	SHIM_EXPECT(4 * SHIM_MSS, SHIM_MSS);
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	net_shim_advance(20 * MS);
	shim_ack(11 * SHIM_MSS);
	CHECK_EQ(tp->ca_state, TCP_CA_OPEN);
	CHECK_EQ(tp->cwnd, 5);
	shim_end();
}

/* A large packet of two segments; then the window opens, and twice as much would be one. */
static void two_small_ones_out(u32 flags)
{
	struct tcp_sock *tp = shim_connection(flags, &tcp_reno);

	shim_eth.features = NETDEV_TSO;
	tp->snd_wnd = tp->max_window = 600;
	tcp_sync_mss(tp, SHIM_MSS + 52);
	shim_write(600 - 2 * 12, true);
	CHECK_EQ(count_sent(), 1);
	CHECK_EQ(tp->packets_out, 2);
	tp->snd_wnd = tp->max_window = shim_window;
	tcp_sync_mss(tp, SHIM_MSS + 52);
}

static void end_of_two(u32 bytes)
{
	shim_ack(bytes);
	CHECK_EQ(shim_tp->packets_out, 0);
	shim_end();
	shim_eth.features = 0;
}

TEST(segments_that_were_smaller_are_lost_together)
{
	two_small_ones_out(TCP_F_TIMESTAMPS);
	shim_write(4 * SHIM_MSS, true);
	count_sent();
	for (u32 i = 0; i < 3; i++)
		shim_ack(0);
	SHIM_EXPECT(0, 576);
	end_of_two(576 + 4 * SHIM_MSS);
}

TEST(segments_that_were_smaller_are_probed_together)
{
	two_small_ones_out(ALL);
	shim_tp->srtt = 8 * 20 * 1000;
	tcp_rearm_sent(shim_tp, clock_ns());
	net_shim_advance(100 * MS);
	SHIM_EXPECT(0, 576);
	CHECK_EQ(shim_tp->write_queue.count, 1);
	end_of_two(576);
}

TEST(an_ack_with_data_or_a_new_window_is_no_duplicate)
{
	struct tcp_sock *tp = ten_out(NO_SACK);

	net_shim_advance(20 * MS);
	shim_ack_has_data = true;
	for (u32 i = 0; i < 5; i++)
		shim_ack(SHIM_MSS);
	shim_ack_has_data = false;
	for (u32 i = 0; i < 5; i++) {
		shim_window += 1000;
		shim_ack(SHIM_MSS);
	}
	CHECK_EQ(tp->ca_state, TCP_CA_OPEN);
	shim_end();
}

TEST(three_segments_behind_a_hole_retransmit_it)
{
	struct tcp_sock *tp = ten_out(ALL);

	net_shim_advance(20 * MS);
	sack_segments(0, 1, 2);
	sack_segments(0, 1, 3);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->ca_state, TCP_CA_DISORDER);
	CHECK_EQ(tp->timer_mode, TCP_MODE_REORDERING);
	sack_segments(0, 1, 4);
	SHIM_EXPECT(SHIM_MSS, SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	shim_end();
}

TEST(a_hole_is_given_a_quarter_round_trip)
{
	struct tcp_sock *tp = ten_out(ALL);

	net_shim_advance(20 * MS);
	sack_segments(0, 1, 2);
	net_shim_advance(3 * MS);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(3 * MS);
	SHIM_EXPECT(SHIM_MSS, SHIM_MSS);
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	shim_end();
}

TEST(what_was_only_late_is_not_retransmitted)
{
	struct tcp_sock *tp = ten_out(ALL);

	net_shim_advance(20 * MS);
	sack_segments(0, 1, 3);
	net_shim_advance(2 * MS);
	shim_ack(4 * SHIM_MSS);
	CHECK(tp->flags & TCP_F_REORDERED);
	net_shim_advance(2 * MS);
	sack_segments(3, 5, 9); /* four behind a hole: patience now */
	SHIM_EXPECT_NOTHING();
	net_shim_advance(1 * MS);
	shim_ack(11 * SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->ca_state, TCP_CA_OPEN);
	shim_end();
}

TEST(a_lost_retransmission_is_noticed)
{
	struct tcp_sock *tp = ten_out(ALL);

	tp->cwnd = 12;
	shim_write(5 * SHIM_MSS, true);
	count_sent();
	net_shim_advance(20 * MS);
	sack_segments(0, 1, 8);
	CHECK(count_sent() >= 2); /* the hole, and new data */
	net_shim_advance(21 * MS);
	sack_segments(0, 1, 13); /* what was sent after the retransmission has arrived */
	SHIM_EXPECT(SHIM_MSS, SHIM_MSS);
	shim_end();
}

TEST(recovery_halves_smoothly)
{
	struct tcp_sock *tp = ten_out(ALL);

	tp->cwnd = 20;
	shim_write(40 * SHIM_MSS, true);
	CHECK_EQ(count_sent(), 10);
	CHECK_EQ(tp->packets_out, 20);
	net_shim_advance(20 * MS);
	for (u32 end = 2; end <= 20; end++) {
		net_shim_advance(MS / 10);
		sack_segments(0, 1, end);
	}
	/* of 19 that arrived, half as many have gone: the hole, and new ones */
	CHECK(count_sent() >= 9 && tcp_in_flight(tp) <= 11);
	CHECK_EQ(tp->ssthresh, 10);
	shim_end();
}

TEST(the_tail_is_probed_before_the_timer)
{
	struct tcp_sock *tp = ten_out(ALL);

	CHECK_EQ(tp->timer_mode, TCP_MODE_LOSS_PROBE);
	net_shim_advance(43 * MS);
	SHIM_EXPECT(10 * SHIM_MSS, SHIM_MSS);
	SHIM_EXPECT_NOTHING();
	net_shim_advance(20 * MS);
	sack_segments(0, 9, 10); /* it shows that all before are lost */
	CHECK(count_sent() >= 1);
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	CHECK_EQ(tp->lost_out, 9);
	shim_end();
}

TEST(a_probe_that_repaired_a_loss_reduces_the_window)
{
	struct tcp_sock *tp = ten_out(ALL);

	net_shim_advance(43 * MS);
	SHIM_EXPECT(10 * SHIM_MSS, SHIM_MSS);
	net_shim_advance(20 * MS);
	shim_ack(11 * SHIM_MSS);
	CHECK_EQ(tp->tlp_high_seq, SHIM_ISS + 1 + 11 * SHIM_MSS);
	tp->cwnd = 10;
	shim_write(SHIM_MSS, true);
	net_shim_advance(20 * MS);
	shim_ack(12 * SHIM_MSS);
	CHECK_EQ(tp->tlp_high_seq, 0);
	CHECK_EQ(tp->ssthresh, 5);
	shim_end();
}

TEST(a_duplicate_of_the_probe_does_not)
{
	const u32 dsack[] = { 10 * SHIM_MSS, 11 * SHIM_MSS, 0, 0 };
	struct tcp_sock *tp = ten_out(ALL);

	net_shim_advance(43 * MS);
	SHIM_EXPECT(10 * SHIM_MSS, SHIM_MSS);
	shim_ack(11 * SHIM_MSS);
	shim_ack_sack(11 * SHIM_MSS, dsack);
	CHECK_EQ(tp->ssthresh, TCP_INFINITE);
	shim_write(SHIM_MSS, true);
	net_shim_advance(20 * MS);
	shim_ack(12 * SHIM_MSS);
	CHECK_EQ(tp->ssthresh, TCP_INFINITE);
	shim_end();
}

/* ---- nothing was lost after all ------------------------------------------------------------------------------------------------------ */

TEST(timestamps_undo_a_timeout)
{
	struct tcp_sock *tp = ten_out(ALL);

	shim_tsecr = tp->ts_offset + tcp_clock_ms();
	tp->tlp_high_seq = tp->snd_nxt; /* no probe: it is the timer's */
	net_shim_advance(700 * MS);
	CHECK(count_sent() >= 1);
	CHECK_EQ(tp->ca_state, TCP_CA_LOSS);
	tp->tlp_high_seq = 0;
	shim_ack(3 * SHIM_MSS); /* answers the original */
	CHECK_EQ(tp->ca_state, TCP_CA_OPEN);
	CHECK(tp->cwnd >= 10);
	CHECK_EQ(tp->lost_out, 0);
	shim_end();
}

TEST(dsacks_undo_a_recovery)
{
	const u32 dsack[] = { SHIM_MSS, 2 * SHIM_MSS, 0, 0 };
	struct tcp_sock *tp = ten_out(TCP_F_WSCALE | TCP_F_SACK);

	net_shim_advance(20 * MS);
	sack_segments(0, 1, 5);
	CHECK_EQ(count_sent(), 1);
	CHECK_EQ(tp->ca_state, TCP_CA_RECOVERY);
	shim_ack(11 * SHIM_MSS);
	CHECK_EQ(tp->cwnd, 5);
	shim_ack_sack(11 * SHIM_MSS, dsack);
	CHECK_EQ(tp->cwnd, 10);
	CHECK(tp->rack_steps > 1);
	shim_end();
}

/* ---- the NIC is not done with it ---------------------------------------------------------------------------------------------------------- */

TEST(what_the_nic_has_is_not_touched)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	shim_keeps = true;
	shim_write(10 * SHIM_MSS, true);
	CHECK_EQ(count_sent(), 10);
	net_shim_advance(5 * S);
	SHIM_EXPECT_NOTHING();
	CHECK_EQ(tp->backoff, 0);
	shim_keeps = false;
	shim_release();
	net_shim_advance(600 * MS);
	SHIM_EXPECT(0, SHIM_MSS);
	shim_end();
}

TEST(no_room_in_the_queue_below_is_tried_again)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	shim_no_way = true;
	shim_write(3 * SHIM_MSS, true);
	CHECK_EQ(tp->packets_out, 0);
	shim_no_way = false;
	net_shim_advance(1100 * MS);
	SHIM_EXPECT(0, SHIM_MSS);
	shim_ack(SHIM_MSS);
	CHECK_EQ(count_sent(), 2);
	shim_end();
}

/* ---- the path's MTU ------------------------------------------------------------------------------------------------------------------------- */

TEST(a_smaller_path_gets_smaller_segments)
{
	struct tcp_sock *tp = ten_out(ALL);
	struct shim_segment segment;

	tp->inet.flow.dst.mtu = 652;
	tp->inet.flow.dst.generation--; /* as route_changed() leaves it */
	tcp_icmp_frag_needed(tp, 652);
	CHECK_EQ(tp->mss, 600);
	CHECK(shim_sent(&segment));
	CHECK_EQ(segment.seq, SHIM_ISS + 1 + SHIM_MSS);
	CHECK_EQ(tp->cwnd, 10);
	shim_check();
	shim_end();
}

/* ---- congestion control ------------------------------------------------------------------------------------------------------------------------ */

TEST(reno_grows_by_one_a_round_trip)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	tp->cwnd = 10;
	tp->ssthresh = 10;
	for (u32 i = 0; i < 9; i++)
		tp->cong->avoid(tp, 1);
	CHECK_EQ(tp->cwnd, 10);
	tp->cong->avoid(tp, 1);
	CHECK_EQ(tp->cwnd, 11);
	tp->ssthresh = 14;
	tp->cong->avoid(tp, 5); /* slow start up to it, the rest counts for the next */
	CHECK_EQ(tp->cwnd, 14);
	CHECK_EQ(tp->cwnd_cnt, 2);
	shim_end();
}

/* K = cbrt(30 / 0.4) = 4.2 s after a loss at 100, 100 again; flat there, and steep afterwards. */
TEST(cubic_returns_to_where_it_was)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_cubic);
	u32 at_k = 0;

	tcp_rtt_sample(tp, 100000);
	tp->cwnd = 100;
	tp->ssthresh = tp->cong->ssthresh(tp);
	tp->cwnd = tp->ssthresh;
	CHECK_EQ(tp->cwnd, 70);
	for (u32 ms = 0; ms < 8000; ms += 100) {
		if (ms == 4200)
			at_k = tp->cwnd;
		tp->cong->avoid(tp, tp->cwnd);
		net_shim_advance(100 * MS);
	}
	CHECK(at_k >= 97 && at_k <= 102);
	CHECK(tp->cwnd >= 118 && tp->cwnd <= 130);
	shim_end();
}

TEST(cubic_is_no_slower_than_reno)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_cubic);

	tcp_rtt_sample(tp, 1000);
	tp->cwnd = 10;
	tp->ssthresh = tp->cong->ssthresh(tp);
	tp->cwnd = tp->ssthresh;
	for (u32 ms = 0; ms < 40; ms++) {
		tp->cong->avoid(tp, tp->cwnd);
		net_shim_advance(1 * MS);
	}
	CHECK(tp->cwnd >= 20);
	shim_end();
}

TEST(a_window_that_is_not_used_does_not_grow)
{
	struct tcp_sock *tp = shim_connection(ALL, &tcp_reno);

	for (u32 i = 1; i <= 50; i++) {
		shim_write(SHIM_MSS, true);
		CHECK_EQ(count_sent(), 1);
		shim_ack(i * SHIM_MSS);
	}
	CHECK_EQ(tp->cwnd, 10);
	shim_end();
}

/* ---- random paths ----------------------------------------------------------------------------------------------------- */

#ifndef ROUNDS
#define ROUNDS 100
#endif

static u32 loss_percent;

static bool lose_some(u32 nth, const struct shim_segment *segment)
{
	return unit_random_below(100) < loss_percent;
}

static u64 delay_some(u32 nth)
{
	return unit_random_below(10) ? 0 : unit_random_below(8 * MS);
}

static void transfer_over(const struct shim_path *path, u32 flags, const struct tcp_cong_ops *cong,
			  bool tso)
{
	shim_eth.features = tso ? NETDEV_TSO : 0;
	shim_iss = 0U - unit_random_below(200000); /* sequence numbers wrap on the way */
	shim_connection(flags, cong);
	CHECK(shim_transfer(path, 200000, 600 * S) != ~0ULL);
	CHECK_EQ(shim_done, -1);
	shim_end();
	shim_eth.features = 0;
	shim_iss = 1000;
}

TEST(a_clean_path_needs_no_retransmission)
{
	const struct shim_path path = { .delay_ns = 10 * MS };

	shim_connection(ALL, &tcp_cubic);
	CHECK(shim_transfer(&path, 300000, 10 * S) < 200 * MS);
	CHECK_EQ(shim_retransmitted, 0);
	shim_end();
}

TEST(a_path_that_reorders_a_little_needs_few)
{
	const struct shim_path path = { .delay_ns = 20 * MS, .late = delay_some };

	shim_connection(ALL, &tcp_cubic);
	CHECK(shim_transfer(&path, 300000, 10 * S) < 500 * MS);
	CHECK(shim_retransmitted < 20);
	shim_end();
}

/* A queue that grows is heard of before it is full: slow start ends, and nothing is lost. Without that, much is. */
TEST(slow_start_ends_before_the_queue_is_full)
{
	const struct shim_path path = { .delay_ns = 5 * MS,
					.per_segment_ns = 200 * US,
					.queue = 500 };

	shim_connection(ALL, &tcp_reno);
	CHECK(shim_transfer(&path, 3000000, 10 * S) < 3 * S);
	CHECK(shim_retransmitted > 20);
	shim_end();
	shim_connection(ALL, &tcp_cubic);
	CHECK(shim_transfer(&path, 3000000, 10 * S) < 3 * S);
	CHECK_EQ(shim_retransmitted, 0);
	CHECK(shim_tp->ssthresh < 550);
	shim_end();
}

TEST(any_path_delivers)
{
	for (u32 round = 0; round < ROUNDS; round++) {
		const struct shim_path path = {
			.delay_ns = 1 + unit_random_below(30 * MS),
			.lose = lose_some,
			.late = unit_random_below(2) ? delay_some : NULL,
			.lose_acks_too = unit_random_below(3) == 0,
			.delayed_acks = unit_random_below(2),
			.nic_keeps = unit_random_below(4) == 0,
			.no_memory = unit_random_below(4) == 0,
			.per_segment_ns = unit_random_below(2) ? 200 * US : 0,
			.queue = 5 + unit_random_below(60),
		};

		u32 flags = TCP_F_WSCALE;

		flags |= unit_random_below(4) ? TCP_F_SACK : 0;
		flags |= unit_random_below(3) ? TCP_F_TIMESTAMPS : 0;
		/* Without both, each retransmission doubles the RTO, and nothing is a sample (Karn). */
		loss_percent = unit_random_below(flags == TCP_F_WSCALE ? 8 : 25);
		transfer_over(&path, flags, unit_random_below(2) ? &tcp_reno : &tcp_cubic,
			      unit_random_below(2));
	}
}
