/* What a script says of segments: those that the peer sends, and those that we are to have sent. See tcp_script.h. */
#include "tcp_script.h"

#include <kernel/cpu/tsc.h>
#include <net/tcp_coalesce.h>

/* ---- segments in words --------------------------------------------------------------------------------------------------- */

static const struct {
	char letter;
	u8 flag;
} flag_letters[] = { { 'S', TCPHDR_SYN }, { 'F', TCPHDR_FIN }, { 'R', TCPHDR_RST },
		     { 'P', TCPHDR_PSH }, { 'U', TCPHDR_URG }, { 'E', TCPHDR_ECE },
		     { 'C', TCPHDR_CWR }, { '.', TCPHDR_ACK } };

static u8 parse_flags(const char *word)
{
	u8 flags = 0;

	for (; *word && *word != '-'; word++) {
		u32 i = 0;

		while (i < ARRAY_SIZE(flag_letters) && flag_letters[i].letter != *word)
			i++;
		if (i == ARRAY_SIZE(flag_letters))
			FAIL("%c is no flag", *word);
		flags |= flag_letters[i].flag;
	}
	return flags;
}

/* "100", or "100:200" */
static void read_range(char *word, u32 *start, u32 *end)
{
	char *colon = strchr(word, ':');

	if (colon)
		*colon = 0;
	*start = *end = number(word);
	if (colon)
		*end = number(colon + 1);
}

static void read_sacks(char *word, u32 base, struct machine_segment *segment)
{
	for (char *part = strtok(word, ","); part; part = strtok(NULL, ",")) {
		u32 start, end;

		read_range(part, &start, &end);
		segment->sacks[2 * segment->nr_sacks] = base + start;
		segment->sacks[2 * segment->nr_sacks++ + 1] = base + end;
	}
}

static void read_raw(const char *word, struct machine_segment *segment)
{
	for (u32 byte; sscanf(word, "%2x", &byte) == 1; word += 2)
		segment->raw[segment->nr_raw++] = byte;
}

/* What a line says of a segment, and what it leaves open. */
struct said {
	struct machine_segment segment;
	bool absolute, ack, window, urgent, tos, options, timestamp, any_tsval;
};

/* The tail of both directions: `seq_base` counts the sender's numbers, `ack_base` the other side's. */
static void read_fields(struct line *line, struct said *said, u32 seq_base, u32 ack_base,
			bool sending)
{
	struct machine_segment *segment = &said->segment;
	char *word;

	while ((word = next_word(line))) {
		if (!strcmp(word, "ack")) {
			segment->ack = need_number(line) + ack_base;
			said->ack = true;
		} else if (!strcmp(word, "win")) {
			segment->window = need_number(line);
			said->window = true;
		} else if (!strcmp(word, "urg")) {
			segment->urgent = need_number(line);
			said->urgent = true;
		} else if (!strcmp(word, "tos")) {
			segment->tos = need_number(line);
			said->tos = true;
		} else if (!strcmp(word, "mss")) {
			segment->mss = need_number(line);
			said->options = true;
		} else if (!strcmp(word, "wscale")) {
			segment->wscale = need_number(line);
			said->options = true;
		} else if (!strcmp(word, "sackok")) {
			segment->sack_permitted = true;
			said->options = true;
		} else if (!strcmp(word, "noopt")) {
			said->options = true;
		} else if (!strcmp(word, "ts")) {
			char *value = need_word(line), *echo = strchr(value, ':');

			if (!echo)
				FAIL("a timestamp is VALUE:ECHO");
			*echo++ = 0;
			said->timestamp = segment->has_timestamp = true;
			said->any_tsval = *value == '*';
			if (sending) {
				segment->tsval = number(value);
				segment->tsecr = *echo == '*'	? peer->timestamp
						 : *echo == '=' ? number(echo + 1)
								: peer->clock + number(echo);
			} else {
				segment->tsval = said->any_tsval ? 0 : peer->clock + number(value);
				segment->tsecr = number(echo);
			}
		} else if (!strcmp(word, "sack")) {
			read_sacks(need_word(line), ack_base, segment);
		} else if (!strcmp(word, "raw")) {
			read_raw(need_word(line), segment);
		} else if (!strcmp(word, "badsum")) {
			segment->bad_checksum = true;
		} else {
			FAIL("a segment has no \"%s\"", word);
		}
	}
	segment->seq += seq_base;
}

static void read_start(struct line *line, struct said *said)
{
	u32 start, end;
	char *word;

	said->segment = machine_segment(parse_flags(need_word(line)), 0, 0, 0);
	word = need_word(line);
	said->absolute = *word == '@';
	read_range(word + said->absolute, &start, &end);
	said->segment.seq = start;
	said->segment.length = end - start;
}

static void print_flags(char *text, u8 flags)
{
	for (u32 i = 0; i < ARRAY_SIZE(flag_letters); i++)
		if (flags & flag_letters[i].flag)
			*text++ = flag_letters[i].letter;
	*text = 0;
}

/* As it would stand in a script. */
static const char *describe(const struct machine_segment *segment)
{
	static char text[512];
	char flags[10];
	u32 seq = segment->seq - (peer->known ? peer->ours : 0), used;

	print_flags(flags, segment->flags);
	used = snprintf(text, sizeof(text), "> %s %u", flags, seq);
	if (segment->length)
		used += snprintf(text + used, sizeof(text) - used, ":%u", seq + segment->length);
	if (segment->flags & TCPHDR_ACK)
		used += snprintf(text + used, sizeof(text) - used, " ack %u",
				 segment->ack - peer->theirs);
	used += snprintf(text + used, sizeof(text) - used, " win %u", segment->window);
	if (segment->urgent)
		used += snprintf(text + used, sizeof(text) - used, " urg %u", segment->urgent);
	if (segment->mss)
		used += snprintf(text + used, sizeof(text) - used, " mss %u", segment->mss);
	if (segment->wscale >= 0)
		used += snprintf(text + used, sizeof(text) - used, " wscale %d", segment->wscale);
	if (segment->sack_permitted)
		used += snprintf(text + used, sizeof(text) - used, " sackok");
	if (segment->has_timestamp)
		used += snprintf(text + used, sizeof(text) - used, " ts %u:%u",
				 segment->tsval - peer->clock, segment->tsecr);
	for (u32 i = 0; i < segment->nr_sacks; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%u:%u", i ? "," : " sack ",
				 segment->sacks[2 * i] - peer->theirs,
				 segment->sacks[2 * i + 1] - peer->theirs);
	return text;
}

/* ---- the wire --------------------------------------------------------------------------------------------------------------- */

void script_inject(struct line *line)
{
	struct said said = { 0 };

	read_start(line, &said);
	read_fields(line, &said, peer->theirs, peer->known ? peer->ours : 0, true);
	said.segment.sport = peer->port;
	said.segment.dport = PORT;
	said.segment.base = peer->theirs + 1;
	machine_receive(&said.segment);
}

/* What `to` learns from a segment. */
static void note_sent(struct peer *to, const struct machine_segment *segment)
{
	if (segment->flags & TCPHDR_SYN) {
		to->known = true;
		to->ours = segment->seq;
	}
	if (segment->has_timestamp) {
		if (!to->knows_clock)
			to->clock = segment->tsval;
		to->knows_clock = true;
		to->timestamp = segment->tsval;
	}
}

/* The next one that was sent; it must be for this peer. */
static bool next_sent(struct machine_segment *segment)
{
	if (!machine_sent(segment))
		return false;
	if (segment->dport != peer->port)
		FAIL("port %u is sent to, not %u: %s", segment->dport, peer->port,
		     describe(segment));
	note_sent(peer, segment);
	return true;
}

static bool same_options(const struct said *said, const struct machine_segment *got)
{
	const struct machine_segment *want = &said->segment;

	if (said->options && (want->mss != got->mss || want->wscale != got->wscale ||
			      want->sack_permitted != got->sack_permitted))
		return false;
	if ((said->options || said->timestamp) && want->has_timestamp != got->has_timestamp)
		return false;
	if (said->timestamp &&
	    (want->tsecr != got->tsecr || (!said->any_tsval && want->tsval != got->tsval)))
		return false;
	return want->nr_sacks == got->nr_sacks &&
	       !memcmp(want->sacks, got->sacks, 8 * want->nr_sacks);
}

static bool same_segment(const struct said *said, const struct machine_segment *got)
{
	const struct machine_segment *want = &said->segment;
	u8 ignored = want->flags & TCPHDR_PSH ? 0 : TCPHDR_PSH;

	return want->flags == (got->flags & ~ignored) && want->seq == got->seq &&
	       want->length == got->length && (!said->ack || want->ack == got->ack) &&
	       (!said->window || want->window == got->window) &&
	       (!said->tos || want->tos == got->tos) &&
	       (said->urgent ? want->urgent == got->urgent : !got->urgent) &&
	       same_options(said, got);
}

static void check_payload(const struct machine_segment *got)
{
	for (u32 i = 0; i < got->length; i++)
		if (got->payload[i] != machine_byte(got->seq - peer->ours - 1 + i))
			FAIL("byte %u is not the right one", got->seq - peer->ours + i);
}

void script_expect(struct line *line)
{
	struct machine_segment got;
	struct said said = { 0 };
	char text[256];
	u32 base;

	snprintf(text, sizeof(text), "%s", line->at);
	read_start(line, &said);
	base = said.absolute ? 0 : peer->ours;
	if (!next_sent(&got))
		FAIL("nothing was sent; wanted >%s", text);
	/* a new connection's SYN is 0, unless it is said how far behind the old one's it must be */
	if (got.flags & TCPHDR_SYN && !said.segment.seq)
		base = peer->ours;
	read_fields(line, &said, base, peer->theirs, false);
	if (!same_segment(&said, &got))
		FAIL("%s; wanted >%s", describe(&got), text);
	check_payload(&got);
}

void script_expect_nothing(void)
{
	struct machine_segment got;

	if (next_sent(&got))
		FAIL("sent, and not expected: %s", describe(&got));
}

/* Whatever was sent, to whomever. */
void script_ignore(struct line *line)
{
	struct machine_segment got;

	while (machine_sent(&got))
		note_sent(&peers[got.dport - PEER_PORT - 1], &got);
}

/* icmp TYPE CODE MTU SEQ: about a segment of ours. */
void script_icmp(struct line *line)
{
	u32 type = need_number(line), code = need_number(line), mtu = need_number(line),
	    seq = need_number(line);
	struct machine_segment about =
		machine_segment(TCPHDR_ACK, seq + (peer->known ? peer->ours : 0), 0, 0);

	about.sport = PORT;
	about.dport = peer->port;
	machine_receive_icmp(type, code, mtu, &about);
}

/* The ACK of a SYN that we have got, and the other options of an ordinary connection. */
void script_established(struct line *line)
{
	struct said said = { 0 };
	struct machine_segment got, *segment = &said.segment;
	u32 tsval, rtt_ms = 0;
	u16 window;

	if (!listener)
		script_listen(line);
	if (takes(line, "rtt"))
		rtt_ms = need_number(line);
	said.segment = machine_segment(TCPHDR_SYN, 0, 0, 0);
	segment->mss = 1460;
	read_fields(line, &said, peer->theirs, 0, true);
	segment->sport = peer->port;
	segment->dport = PORT;
	machine_receive(segment);
	if (!next_sent(&got) || got.flags != (TCPHDR_SYN | TCPHDR_ACK))
		FAIL("no SYN-ACK");
	machine_advance(rtt_ms * NSEC_PER_MSEC);
	window = segment->window;
	tsval = segment->tsval;
	*segment = machine_segment(TCPHDR_ACK, peer->theirs + 1, 0, peer->ours + 1);
	segment->window = window;
	segment->has_timestamp = said.timestamp;
	segment->tsval = tsval;
	segment->tsecr = got.tsval;
	segment->sport = peer->port;
	segment->dport = PORT;
	machine_receive(segment);
	script_accept(line);
}

/* ---- many at once -------------------------------------------------------------------------------- */

/* What comes from here on comes in one poll of the card. */
void script_burst(struct line *line)
{
	net_polling = true;
}

void script_burst_ends(struct line *line)
{
	net_poll_over();
	net_polling = false;
}

/* The peer opens a flood of connections that it does not mean: the SYNs of peers FROM to TO; what is answered is not
 * looked at. */
void script_flood(struct line *line)
{
	u32 from = need_number(line), to = need_number(line);
	struct machine_segment segment;

	for (u32 i = from; i <= to; i++) {
		peer = &peers[i - 1];
		segment = machine_segment(TCPHDR_SYN, peer->theirs, 0, 0);
		segment.sport = peer->port;
		segment.dport = PORT;
		machine_receive(&segment);
		script_ignore(line);
	}
}

/* Many segments of one byte each, with a hole of one byte behind each. */
void script_crumbs(struct line *line)
{
	u32 from = need_number(line), count = need_number(line);

	for (u32 i = 0; i < count; i++) {
		struct machine_segment segment =
			machine_segment(TCPHDR_ACK, peer->theirs + from + 2 * i, 1, peer->ours + 1);

		segment.sport = peer->port;
		segment.dport = PORT;
		segment.base = peer->theirs + 1;
		machine_receive(&segment);
		script_ignore(line);
	}
}
