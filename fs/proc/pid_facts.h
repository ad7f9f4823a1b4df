/* What both /proc/PID/stat and /proc/PID/status say of a task or process, read at one moment. */
#pragma once

#include <fs/proc/pid.h>
#include <kernel/process/rusage.h>

struct pid_facts {
	char name[TASK_NAME];
	const char *state; /* "S (sleeping)" */
	u32 pid, tgid, ppid, pgrp, session, threads;
	u64 tty;
	s32 tty_pgrp; /* -1: no terminal */
	int exit_signal;
	u32 exit_code;

	struct rusage usage;
	u64 utime, stime, children_utime, children_stime; /* ns */
	u64 children_faults, start_ns, nvcsw, nivcsw;
	s64 nice;
	u32 cpu;
	u64 allowed_cpus;

	sigset_t pending, shared_pending, blocked, ignored, caught;
	u32 queued; /* signals, all in all */

	struct cred cred; /* with a reference to its groups */
	bool no_new_privs;
};

void pid_facts_read(struct pid_facts *facts, const struct subject *subject);
void pid_facts_free(struct pid_facts *facts);
