/*
 * execve: the process stays, its program is replaced. The new address space is built beside the old one, so
 * that until the point of no return every error leaves the caller as it was.
 *
 * Context: process; no locks but those of what is called.
 */
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/fpu.h>
#include <kernel/cpu/gdt_layout.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>
#include <kernel/panic.h>
#include <kernel/pid.h>
#include <kernel/process/elf.h>
#include <kernel/process/exec.h>
#include <kernel/process/exec_args.h>
#include <kernel/process/exit.h>
#include <kernel/process/itimer.h>
#include <kernel/random.h>
#include <kernel/syscall.h>
#include <kernel/user_mode.h>

#define SCRIPT_LINE  256
#define SCRIPT_DEPTH 5

#define PIE_BASE \
	0x555555554000ULL /* where Linux puts position-independent programs, less the dice */
#define PIE_RANDOM	 (1ULL << 28) /* pages' worth of dice: as Linux, 28 bits */
#define STACK_RANDOM	 (1ULL << 22)
#define BRK_RANDOM	 (1ULL << 13)
#define INTERPRETER_ROOM (64 * MiB) /* the dynamic linker, below where mmap() begins */
#define STACK_INITIAL	 (132 * KiB)
#define STACK_GAP	 (256 * MiB) /* what mmap() leaves free below the stack's top, at least */

struct exec {
	const char *path; /* as the caller named it: AT_EXECFN */
	char *script; /* kmalloc'd: the interpreter that is a script itself, or NULL: `path` is */
	bool unreachable; /* by `path`, once descriptors that exec closes are closed */
	struct file *file;
	struct exec_args args;
	struct elf_image image;
	struct elf_image interpreter;
	struct file *interpreter_file;
	struct mm *mm;
	u64 stack_pointer;
	u32 euid, egid; /* what set-id bits make of them */
};

/* ---- opening, and scripts -------------------------------------------------------------------------- */

/* To be executed a file need not be readable. */
static struct file *open_executable(int dirfd, const char *path, u32 walk)
{
	struct dentry *dentry = path_walk(dirfd, path, walk);
	struct file *file;
	int error;

	if (IS_ERR(dentry))
		return ERR_PTR(PTR_ERR(dentry));
	if (S_ISLNK(dentry->inode->mode))
		error = -ELOOP;
	else if (!S_ISREG(dentry->inode->mode))
		error = -EACCES;
	else
		error = inode_permission(dentry->inode, MAY_EXEC);
	file = error ? ERR_PTR(error) : dentry_open(dentry, O_RDONLY | O_FOR_EXEC);
	dentry_put(dentry);
	return file;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the line ends; NULL: what is there of it may be only part of the interpreter's name. `line` has
 * SCRIPT_LINE bytes, zeroes behind the file's end. */
static char *end_of_line(char *line)
{
	char *last = line + SCRIPT_LINE - 1, *end = memchr(line, '\n', SCRIPT_LINE), *at = line + 2;

	if (end)
		return end;
	while (at < last && is_blank(*at))
		at++;
	while (at < last && *at && !is_blank(*at))
		at++;
	return at < last ? last : NULL;
}

/* "#! interpreter [argument]": cuts the line into the two. -ENOEXEC: no script. */
static int parse_script_line(char *line, char **interpreter, char **argument)
{
	char *end, *at = line + 2;

	if (line[0] != '#' || line[1] != '!')
		return -ENOEXEC;
	end = end_of_line(line);
	if (!end)
		return -ENOEXEC;
	*end = '\0';
	end = at + strlen(at);
	while (end > at && is_blank(end[-1]))
		*--end = '\0';
	while (is_blank(*at))
		at++;
	if (!*at)
		return -ENOEXEC;
	*interpreter = at;
	while (*at && !is_blank(*at))
		at++;
	if (*at)
		*at++ = '\0';
	while (is_blank(*at))
		at++;
	*argument = *at ? at : NULL;
	return 0;
}

/* If the file is a script: its interpreter becomes the file, and the arguments say so. 1: it was one. */
static int follow_script(struct exec *exec)
{
	char line[SCRIPT_LINE] = { 0 }, *interpreter, *argument, *copy;
	struct file *file;
	loff_t position = 0;
	ssize_t length = file_read_kernel(exec->file, line, SCRIPT_LINE, &position);
	int error;

	if (length < 0)
		return length;
	if (parse_script_line(line, &interpreter, &argument))
		return 0;
	if (exec->unreachable)
		return -ENOENT;
	error = exec_args_for_script(&exec->args, interpreter, argument,
				     exec->script ? exec->script : exec->path);
	if (error)
		return error;
	file = open_executable(AT_FDCWD, interpreter, WALK_FOLLOW);
	if (IS_ERR(file))
		return PTR_ERR(file);
	file_put(exec->file);
	exec->file = file;
	copy = kmalloc(strlen(interpreter) + 1, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, interpreter, strlen(interpreter) + 1);
	kfree(exec->script);
	exec->script = copy;
	return 1;
}

static int follow_scripts(struct exec *exec)
{
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		int result = follow_script(exec);

		if (result <= 0)
			return result;
	}
	return -ELOOP;
}

/* ---- the new address space ---------------------------------------------------------------------------- */

static u64 random_pages(u64 count)
{
	return random_below(count) << PAGE_SHIFT;
}

static int open_interpreter(struct exec *exec)
{
	struct file *file;

	if (!exec->image.interpreter)
		return 0;
	file = open_executable(AT_FDCWD, exec->image.interpreter, WALK_FOLLOW);
	if (IS_ERR(file))
		return PTR_ERR(file);
	exec->interpreter_file = file;
	return elf_read(&exec->interpreter, file);
}

static int map_stack(struct exec *exec)
{
	struct mm *mm = exec->mm;
	int prot = PROT_READ | PROT_WRITE | (exec->image.executable_stack ? PROT_EXEC : 0);
	u64 limit = min(max(rlimit(RLIMIT_STACK), STACK_GAP / 2), 16 * GiB);
	s64 at;

	mm->stack_top = USER_END - random_pages(STACK_RANDOM);
	mm->mmap_top = ALIGN_DOWN(mm->stack_top - limit - STACK_GAP / 2, PAGE_SIZE) -
		       random_pages(PIE_RANDOM / 16);
	at = vm_mmap(mm, mm->stack_top - STACK_INITIAL, STACK_INITIAL, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0);
	return at < 0 ? at : 0;
}

static int map_program(struct exec *exec)
{
	struct mm *mm = exec->mm;
	int error = elf_map(&exec->image, exec->file, mm, PIE_BASE + random_pages(PIE_RANDOM));

	if (!error && exec->interpreter_file)
		error = elf_map(&exec->interpreter, exec->interpreter_file, mm,
				mm->mmap_top - INTERPRETER_ROOM);
	if (error)
		return error;
	mm->code_start = exec->image.code_start;
	mm->code_end = exec->image.code_end;
	mm->data_start = exec->image.data_start;
	mm->data_end = exec->image.data_end;
	mm->brk_start = mm->brk = exec->image.end + random_pages(BRK_RANDOM);
	file_get(exec->file);
	mm->exe = exec->file;
	return 0;
}

static int build_mm(struct exec *exec)
{
	int error;

	exec->mm = mm_create();
	if (!exec->mm)
		return -ENOMEM;
	error = map_stack(exec);
	if (!error)
		error = map_program(exec);
	if (!error)
		error = exec_args_to_stack(
			&exec->args, exec->mm,
			&(struct exec_facts){
				.path = exec->path,
				.entry = exec->image.header.entry + exec->image.bias,
				.phdr = exec->image.phdr_address,
				.phnum = exec->image.header.phnum,
				.interpreter_base = exec->interpreter.bias,
				.euid = exec->euid,
				.egid = exec->egid,
			},
			&exec->stack_pointer);
	return error;
}

/* ---- the point of no return --------------------------------------------------------------------------- */

static void find_set_ids(struct exec *exec)
{
	const struct inode *inode = exec->file->dentry->inode;

	exec->euid = current->cred.euid;
	exec->egid = current->cred.egid;
	if (current_process->no_new_privs)
		return;
	if (inode->mode & S_ISUID)
		exec->euid = inode->uid;
	if ((inode->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		exec->egid = inode->gid;
}

static void take_ids(const struct exec *exec)
{
	struct cred *cred = &current->cred;

	cred->euid = cred->suid = cred->fsuid = exec->euid;
	cred->egid = cred->sgid = cred->fsgid = exec->egid;
}

static void take_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	strscpy(current->name, slash ? slash + 1 : path, sizeof(current->name));
}

static void take_mm(struct mm *mm)
{
	struct mm *old = current->mm;

	set_current_mm(mm);
	if (old)
		mm_put_user(old);
}

static void take_registers(const struct exec *exec)
{
	const struct elf_image *start = exec->interpreter_file ? &exec->interpreter : &exec->image;
	struct trap_frame *frame = task_user_frame(current);

	memset(frame, 0, sizeof(*frame));
	frame->error = ~0ULL; /* not in a system call any more */
	frame->rip = start->header.entry + start->bias;
	frame->cs = USER_CS;
	frame->rflags = RFLAGS_IF | BIT(1);
	frame->rsp = exec->stack_pointer;
	frame->ss = USER_DS;
	set_user_fs(0);
	set_user_gs(0);
	fpu_reset();
}

static int commit(struct exec *exec)
{
	int error = become_only_thread();

	if (error)
		return error;
	vfork_release(current);
	take_mm(exec->mm);
	exec->mm = NULL;
	files_close_on_exec(current->files);
	signals_on_exec(current);
	posix_timers_delete_all(current_process);
	current->clear_child_tid = NULL;
	current->set_child_tid = NULL;
	current->robust_list = NULL;
	current_process->did_exec = true;
	if (exec->euid != current->cred.euid || exec->egid != current->cred.egid)
		current_process->parent_death_signal = 0;
	current_process->dumpable =
		exec->euid == current->cred.uid && exec->egid == current->cred.gid;
	take_ids(exec);
	take_name(exec->path);
	take_registers(exec);
	return 0;
}

static void release(struct exec *exec)
{
	if (exec->mm)
		mm_put_user(exec->mm);
	elf_image_free(&exec->image);
	elf_image_free(&exec->interpreter);
	if (exec->interpreter_file)
		file_put(exec->interpreter_file);
	if (exec->file && !IS_ERR(exec->file))
		file_put(exec->file);
	exec_args_free(&exec->args);
	kfree(exec->script);
}

/* exec->path, ->file and ->args are set; all is released. */
static int do_exec(struct exec *exec)
{
	int error;

	if (IS_ERR(exec->file)) {
		error = PTR_ERR(exec->file);
		goto out;
	}
	find_set_ids(exec);
	error = follow_scripts(exec);
	if (!error)
		error = elf_read(&exec->image, exec->file);
	if (!error)
		error = open_interpreter(exec);
	if (!error)
		error = build_mm(exec);
	if (!error)
		error = commit(exec);
out:
	release(exec);
	return error;
}

int exec_init(const char *path, const struct init_command *command)
{
	struct exec exec = { .path = path };
	int error = exec_args_from_kernel(&exec.args, path, command->argv, command->envp);

	if (!error) {
		exec.file = open_executable(AT_FDCWD, path, WALK_FOLLOW);
		error = do_exec(&exec);
	}
	if (!error)
		enter_user_mode();
	return error;
}

/* What a file opened by descriptor is called, for its interpreter and for itself. */
static void name_by_descriptor(struct exec *exec, int dirfd, const char *path, char *name,
			       size_t size)
{
	if (dirfd == AT_FDCWD || path[0] == '/') {
		exec->path = path;
		return;
	}
	snprintf(name, size, "/dev/fd/%d%s%s", dirfd, *path ? "/" : "", path);
	exec->path = name;
	exec->unreachable = fd_get_cloexec(dirfd) > 0;
}

long sys_execveat(int dirfd, const char __user *user_path, const char __user *const __user *argv,
		  const char __user *const __user *envp, int flags)
{
	u32 walk = (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0) |
		   (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
	struct exec exec = { 0 };
	char *path, *name;
	int error = -ENOMEM;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	path = path_from_user(user_path, flags & AT_EMPTY_PATH);
	if (IS_ERR(path))
		return PTR_ERR(path);
	name = kmalloc(PATH_MAX, GFP_KERNEL);
	if (name) {
		name_by_descriptor(&exec, dirfd, path, name, PATH_MAX);
		error = exec_args_from_user(&exec.args, argv, envp);
	}
	if (!error) {
		exec.file = open_executable(dirfd, path, walk);
		error = do_exec(&exec);
	}
	kfree(name);
	path_free(path);
	return error;
}

long sys_execve(const char __user *path, const char __user *const __user *argv,
		const char __user *const __user *envp)
{
	return sys_execveat(AT_FDCWD, path, argv, envp, 0);
}
