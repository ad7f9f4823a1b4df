/* Placeholders while the parts are written; gone when they are there. */
#include <kernel/mm/vm.h>
#include <kernel/process.h>
#include <kernel/signal.h>
__attribute__((weak)) void deliver_signals(struct trap_frame *frame) {}
__attribute__((weak)) void process_get(struct process *p) {}
void fork_child_begin(struct task *p);
__attribute__((weak)) void fork_child_begin(struct task *p) {}
