/*
 * Arguments and environment of a new program. They are copied into one kernel buffer first (the caller may be
 * a program that changes them meanwhile, and its memory is about to go), then laid out on the new
 * stack as the x86-64 ABI, 3.4.1, wants it:
 *
 *	stack_top	path, strings, 16 random bytes, "x86_64"
 *			auxv, terminated by AT_NULL
 *			envp[], NULL
 *			argv[], NULL
 *	rsp ->		argc			16-byte aligned
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/fpu.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/process.h>
#include <kernel/process/exec_args.h>
#include <kernel/process/rusage.h>
#include <kernel/random.h>

#define MAX_STRING (128 * KiB) /* one argument */
#define MAX_TEXT   (6 * MiB)   /* all of them, whatever RLIMIT_STACK says */
#define MIN_TEXT   (128 * KiB)
#define FIRST_SIZE (4 * KiB)

enum {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT,
	AT_PHNUM,
	AT_PAGESZ,
	AT_BASE,
	AT_FLAGS,
	AT_ENTRY,
	AT_UID = 11,
	AT_EUID,
	AT_GID,
	AT_EGID,
	AT_PLATFORM,
	AT_HWCAP,
	AT_CLKTCK,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2,
	AT_EXECFN = 31,
	AT_MINSIGSTKSZ = 51,
};
#define AUXV_ENTRIES   20
#define PHDR_SIZE      56
#define SIGFRAME_FIXED 1024 /* more than a signal frame needs beside the FPU state */

/* Strings and the pointers to them may take a quarter of the stack. */
static size_t text_limit(void)
{
	u64 limit = current->process ? rlimit(RLIMIT_STACK) / 4 : MAX_TEXT;

	return min(max(limit, MIN_TEXT), MAX_TEXT);
}

static int make_room(struct exec_args *args, size_t more)
{
	size_t size = args->size ? args->size : FIRST_SIZE;
	u64 pointers = (args->argc + args->envc + 1) * sizeof(u64);
	char *text;

	if (args->used + more + pointers > text_limit())
		return -E2BIG;
	while (size < args->used + more)
		size *= 2;
	if (size == args->size)
		return 0;
	text = vmalloc(size, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	if (args->used)
		memcpy(text, args->text, args->used);
	vfree(args->text);
	args->text = text;
	args->size = size;
	return 0;
}

static int add_string(struct exec_args *args, const char *string)
{
	size_t size = strlen(string) + 1;
	int error = make_room(args, size);

	if (error)
		return error;
	memcpy(args->text + args->used, string, size);
	args->used += size;
	return 0;
}

/* strncpy_from_user() says `size` when there was no end: then there is more room to be made. */
static int add_user_string(struct exec_args *args, const char __user *string)
{
	size_t room = 256;

	for (;;) {
		ssize_t length;
		int error = make_room(args, room);

		if (error)
			return error;
		length = strncpy_from_user(args->text + args->used, string, room);
		if (length < 0)
			return length;
		if ((size_t)length < room) {
			args->used += length + 1;
			return 0;
		}
		if (room >= MAX_STRING)
			return -E2BIG;
		room *= 2;
	}
}

/* A null pointer instead of an array is an empty one. */
static int add_user_array(struct exec_args *args, const char __user *const __user *array,
			  u32 *count)
{
	for (;;) {
		const char __user *string;
		int error;

		if (!array || get_user(string, array + *count))
			return array ? -EFAULT : 0;
		if (!string)
			return 0;
		error = add_user_string(args, string);
		if (error)
			return error;
		++*count;
		if (fatal_signal_pending())
			return -EINTR;
	}
}

int exec_args_from_user(struct exec_args *args, const char __user *const __user *argv,
			const char __user *const __user *envp)
{
	int error = add_user_array(args, argv, &args->argc);

	/* A program may count on argv[0]. */
	if (!error && !args->argc) {
		error = add_string(args, "");
		args->argc = 1;
	}
	args->env_offset = args->used;
	if (!error)
		error = add_user_array(args, envp, &args->envc);
	if (error)
		exec_args_free(args);
	return error;
}

static int add_kernel_array(struct exec_args *args, const char *const array[], u32 *count)
{
	int error = 0;

	for (u32 i = 0; !error && array && array[i]; i++, ++*count)
		error = add_string(args, array[i]);
	return error;
}

int exec_args_from_kernel(struct exec_args *args, const char *path, const char *const argv[],
			  const char *const envp[])
{
	int error = add_string(args, path);

	args->argc = 1;
	if (!error)
		error = add_kernel_array(args, argv, &args->argc);
	args->env_offset = args->used;
	if (!error)
		error = add_kernel_array(args, envp, &args->envc);
	if (error)
		exec_args_free(args);
	return error;
}

int exec_args_for_script(struct exec_args *args, const char *interpreter, const char *argument,
			 const char *path)
{
	struct exec_args old = *args;
	size_t skip = strlen(old.text) + 1;
	int error;

	*args = (struct exec_args){ .argc = old.argc + (argument ? 2 : 1), .envc = old.envc };
	error = add_string(args, interpreter);
	if (!error && argument)
		error = add_string(args, argument);
	if (!error)
		error = add_string(args, path);
	args->env_offset = args->used + old.env_offset - skip;
	if (!error)
		error = make_room(args, old.used - skip);
	if (!error) {
		memcpy(args->text + args->used, old.text + skip, old.used - skip);
		args->used += old.used - skip;
	}
	exec_args_free(&old);
	return error;
}

void exec_args_free(struct exec_args *args)
{
	vfree(args->text);
	args->text = NULL;
}

/* ---- the stack ---------------------------------------------------------------------------------------- */

struct stack_writer {
	struct mm *mm;
	u64 at; /* goes down */
	int error;
};

/* Put bytes below what is there; their address. */
static u64 push(struct stack_writer *stack, const void *data, size_t size, size_t align)
{
	stack->at = ALIGN_DOWN(stack->at - size, align);
	if (!stack->error) {
		ssize_t done = vm_access(stack->mm, stack->at, (void *)data, size, true);

		stack->error = done < 0 ? done : (size_t)done < size ? -EFAULT : 0;
	}
	return stack->at;
}

/* What AT_HWCAP is on x86: the feature word of CPUID leaf 1. */
static u32 cpuid_features(void)
{
	u32 regs[4];

	cpuid(1, 0, regs);
	return regs[3];
}

static void make_auxv(u64 auxv[][2], const struct exec_facts *facts, u64 random, u64 platform,
		      u64 path)
{
	const struct cred *cred = &current->cred;
	const u64 entries[][2] = {
		{ AT_MINSIGSTKSZ, fpu_frame_size() + SIGFRAME_FIXED },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_CLKTCK, USER_HZ },
		{ AT_PHDR, facts->phdr },
		{ AT_PHENT, PHDR_SIZE },
		{ AT_PHNUM, facts->phnum },
		{ AT_BASE, facts->interpreter_base },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, facts->entry },
		{ AT_UID, cred->uid },
		{ AT_EUID, facts->euid },
		{ AT_GID, cred->gid },
		{ AT_EGID, facts->egid },
		{ AT_SECURE, facts->euid != cred->uid || facts->egid != cred->gid },
		{ AT_RANDOM, random },
		{ AT_HWCAP2, 0 },
		{ AT_EXECFN, path },
		{ AT_PLATFORM, platform },
		{ AT_HWCAP, cpuid_features() },
		{ AT_NULL, 0 },
	};
	static_assert(ARRAY_SIZE(entries) == AUXV_ENTRIES, "the caller's room");

	memcpy(auxv, entries, sizeof(entries));
}

/* The addresses of `count` strings that lie one after the other. */
static void fill_pointers(u64 *pointers, u32 count, const char *string, u64 address)
{
	for (u32 i = 0; i < count; i++) {
		size_t size = strlen(string) + 1;

		pointers[i] = address;
		address += size;
		string += size;
	}
}

/* argc, argv, NULL, envp, NULL, auxv: as one table, because its end must be aligned. */
static void push_table(struct stack_writer *stack, const struct exec_args *args, u64 strings,
		       u64 auxv[AUXV_ENTRIES][2])
{
	size_t count = 1 + args->argc + 1 + args->envc + 1 + 2 * AUXV_ENTRIES;
	u64 *table = vzalloc(count * sizeof(u64));

	if (!table) {
		stack->error = -ENOMEM;
		return;
	}
	table[0] = args->argc;
	fill_pointers(table + 1, args->argc, args->text, strings);
	fill_pointers(table + 1 + args->argc + 1, args->envc, args->text + args->env_offset,
		      strings + args->env_offset);
	memcpy(table + count - 2 * AUXV_ENTRIES, auxv, AUXV_ENTRIES * sizeof(auxv[0]));
	push(stack, table, count * sizeof(u64), 16);
	vfree(table);
}

int exec_args_to_stack(const struct exec_args *args, struct mm *mm, const struct exec_facts *facts,
		       u64 *stack_pointer)
{
	struct stack_writer stack = { .mm = mm, .at = mm->stack_top - sizeof(u64) };
	u64 auxv[AUXV_ENTRIES][2], path, strings, platform, random;
	u8 seed[16];

	path = push(&stack, facts->path, strlen(facts->path) + 1, 1);
	strings = push(&stack, args->text, args->used, 1);
	mm->arg_start = strings;
	mm->arg_end = mm->env_start = strings + args->env_offset;
	mm->env_end = strings + args->used;
	platform = push(&stack, "x86_64", sizeof("x86_64"), 1);
	random_fill(seed, sizeof(seed));
	random = push(&stack, seed, sizeof(seed), 16);
	make_auxv(auxv, facts, random, platform, path);
	push_table(&stack, args, strings, auxv);
	*stack_pointer = stack.at;
	return stack.error;
}
