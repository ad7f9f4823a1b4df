/* Step 4: work that an interrupt leaves for the moment after it. */
#pragma once

#include <kernel/context.h>

/* Set at start-up. The action runs with interrupts on, softirqs off, on the CPU that raised it; never
 * twice at once on one CPU, but on several CPUs at once. */
void open_softirq(enum softirq nr, void (*action)(void));

/* Any context. It runs when the CPU next leaves its last interrupt or local_bh_enable()s. */
void raise_softirq(enum softirq nr);

/* Called when softirqs used up their budget or were raised where nothing will run them soon:
 * wakes ksoftirqd/N. Set by kernel/ksoftirqd.c. */
extern void (*softirq_defer)(void);
/* ksoftirqd/N of this CPU has been woken: interrupts leave the softirqs to it. */
DECLARE_PER_CPU(bool, ksoftirqd_active);
/* Serve what is pending, from ksoftirqd. */
void softirq_serve(void);

extern const char *const softirq_names[NR_SOFTIRQS];
DECLARE_PER_CPU(u64[NR_SOFTIRQS], softirq_counts);
