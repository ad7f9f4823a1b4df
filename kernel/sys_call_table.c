/*
 * sys_call_table: number to function, for 64-bit programs and, by `int 0x80`, with the i386 numbers for
 * the calls whose structures are the same in both. An empty place answers ENOSYS and is named once.
 */
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

/* Only the names are needed here: what each takes is between its own file and the program. */
#define CALL(number, name) long sys_##name(void);
#define NONE(number, name)
#include <kernel/syscall_list.h>
#undef CALL
#undef NONE

static const char *const names[NR_SYSCALLS] = {
#define CALL(number, name) [number] = #name,
#define NONE(number, name) [number] = #name,
#include <kernel/syscall_list.h>
#undef CALL
#undef NONE
};

const syscall_t sys_call_table[NR_SYSCALLS] = {
#define CALL(number, name) [number] = (syscall_t)sys_##name,
#define NONE(number, name)
#include <kernel/syscall_list.h>
#undef CALL
#undef NONE
};

#define CALL(number, function) long function(void);
#include <kernel/syscall_list_i386.h>
#undef CALL

const syscall_t sys_call_table_i386[NR_SYSCALLS_I386] = {
#define CALL(number, function) [number] = (syscall_t)function,
#include <kernel/syscall_list_i386.h>
#undef CALL
};

const char *syscall_name(u64 number)
{
	return number < NR_SYSCALLS && names[number] ? names[number] : "unknown";
}

#define NR_RSEQ 334

/* In frame->error is the number, whichever door it came by. */
long sys_ni_syscall(void)
{
	/* Every program built with glibc asks for rseq as it starts, and does well without. */
	static u64 named[NR_SYSCALLS / 64 + 1] = { [NR_RSEQ / 64] = BIT(NR_RSEQ % 64) };
	const struct trap_frame *frame = task_user_frame(current);
	u64 number = frame->error;

	if (number < NR_SYSCALLS && !test_and_set_bit(number, named))
		pr_info("%s (%u): system call %llu (%s%s) is not there\n", current->name,
			current->pid, number,
			frame->vector == VECTOR_INT80 ? "i386" : syscall_name(number),
			frame->vector == VECTOR_INT80 ? " number" : "");
	return -ENOSYS;
}

static u64 traced_number(const struct trap_frame *frame)
{
	return frame->vector == VECTOR_INT80 ? TRACE_I386 | (u32)frame->error : frame->error;
}

void trace_sys_enter(const struct trap_frame *frame)
{
	if (frame->vector == VECTOR_INT80)
		trace(SYS_ENTER, traced_number(frame), (u32)frame->rbx, (u32)frame->rcx,
		      (u32)frame->rdx);
	else
		trace(SYS_ENTER, traced_number(frame), frame->rdi, frame->rsi, frame->rdx);
}

void trace_sys_exit(const struct trap_frame *frame)
{
	trace(SYS_EXIT, traced_number(frame), frame->rax);
}
