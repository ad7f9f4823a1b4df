/* A new program's arguments and environment: from the caller to the new stack. */
#pragma once

#include <kernel/lib/types.h>
#include <kernel/mm/uaccess.h>

struct mm;

struct exec_args {
	char *text; /* vmalloc'd: the strings, arguments first, each with its zero */
	size_t used, size;
	size_t env_offset; /* where the environment begins */
	u32 argc, envc;
};

/* 0, -EFAULT, -E2BIG, -ENOMEM. */
int exec_args_from_user(struct exec_args *args, const char __user *const __user *argv,
			const char __user *const __user *envp);
/* argv[0] is `path`; `argv` the ones after it. */
int exec_args_from_kernel(struct exec_args *args, const char *path, const char *const argv[],
			  const char *const envp[]);
/* argv[0] is replaced by: interpreter, argument (if any), path. */
int exec_args_for_script(struct exec_args *args, const char *interpreter, const char *argument,
			 const char *path);
void exec_args_free(struct exec_args *args);

/* What the auxiliary vector tells the program. */
struct exec_facts {
	const char *path;
	u64 entry, phdr, phnum, interpreter_base;
	u32 euid, egid;
};
/* Writes strings, argc, argv, envp and auxv below mm->stack_top; *stack_pointer is where they begin. */
int exec_args_to_stack(const struct exec_args *args, struct mm *mm, const struct exec_facts *facts,
		       u64 *stack_pointer);
