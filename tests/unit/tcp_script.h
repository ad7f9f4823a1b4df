/*
 * What the parts of the scripts share. A script is read line by line (test_tcp_script.c), a line word by word
 * (tcp_script_words.c); what a line says is a segment (tcp_script_wire.c) or something else (tcp_script_commands.c).
 */
#pragma once

#include "tcp_machine.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#include <kernel/lib/errno.h>
#include <net/sock.h>

#define MAX_PEERS 1200
#define PORT	  80
#define PEER_PORT 5000 /* peer N's: one more each */

/* ---- what a case knows: test_tcp_script.c ------------------------------------------------------------------ */

struct peer {
	u16 port;
	bool known; /* `ours` is: they have seen a SYN */
	bool knows_clock;
	u32 ours, theirs;     /* the SYNs' numbers */
	u32 clock, timestamp; /* our timestamps: the first, the latest */
	struct sock *sk;
	u32 written, read;
};

/* Where the two sides' numbers begin: each case is played with several. */
struct beginning {
	u32 ours, theirs;
};

extern const char *script_file;
extern int script_line;
extern struct beginning begin;
extern struct peer peers[MAX_PEERS], *peer;
extern struct sock *listener;

#define FAIL(format, ...)                                                                \
	unit_fail(script_file, script_line, format " (from %x, %x on%s)", ##__VA_ARGS__, \
		  begin.ours, begin.theirs, shim_eth.features ? ", the card cuts" : "")

/* ---- words: tcp_script_words.c --------------------------------------------------------------------------------- */

/* A line, eaten up word by word. */
struct line {
	char text[256];
	char *at;
};

char *next_word(struct line *line); /* NULL: the line is over */
bool is_empty(const struct line *line);
bool takes(struct line *line, const char *wanted);
char *need_word(struct line *line);
u32 number(const char *word);
u32 need_number(struct line *line);
u32 number_or(struct line *line, u32 otherwise);

/* Words that stand for values; the last has no name. */
struct name {
	const char *name;
	long value;
};
extern const struct name errors[], states[], ca_states[], poll_bits[];

const struct name *find_name(const struct name *names, const char *word);
long need_name(struct line *line, const struct name *names);
const char *name_of(const struct name *names, long value);
/* A call's result: what stands behind ->, else `otherwise`. */
void check_result(struct line *line, long result, long otherwise);

/* ---- the wire: tcp_script_wire.c ----------------------------------------------------------------------------------- */

void script_inject(struct line *line);
void script_expect(struct line *line);
void script_expect_nothing(void);
void script_ignore(struct line *line);
void script_established(struct line *line);
void script_icmp(struct line *line);
void script_flood(struct line *line);
void script_crumbs(struct line *line);
void script_burst(struct line *line);
void script_burst_ends(struct line *line);

/* ---- everything else: tcp_script_commands.c ---------------------------------------------------------------------------- */

void script_listen(struct line *line);
void script_accept(struct line *line);
void script_run_line(struct line *line);
