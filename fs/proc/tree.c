/*
 * The tree of registered files: nodes that are made at start-up and stay. Each walk makes its own inodes
 * for them.
 *
 * Context: process. No lock: nodes do not change once programs run.
 */
#include <fs/proc/tree.h>

#include <fs/dir.h>
#include <fs/proc/pid.h>
#include <fs/proc/text.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

#define PROC_MAGIC 0x9fa0
#define FIRST_NODE 2 /* position of a directory's first entry, after "." and ".." */

struct node {
	const struct proc_entry *entry; /* NULL: a directory */
	const char *name;
	size_t length; /* of the name */
	u64 ino;
	struct list_head link, children;
};

static struct node root = { .name = "",
			    .ino = PROC_ROOT_INO,
			    .children = LIST_HEAD_INIT(root.children) };

static const struct inode_ops dir_inode_ops, root_inode_ops;

struct inode *proc_inode(struct super *super, u64 ino, u32 mode, const struct inode_ops *ops,
			 const struct file_ops *file_ops, void *private_data)
{
	struct inode *inode = inode_create(super, mode);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->ino = ino;
	inode->uid = inode->gid = 0;
	inode->ops = ops;
	inode->file_ops = file_ops;
	inode->private_data = private_data;
	if (S_ISDIR(mode))
		inode->nlink = 2;
	return inode;
}

/* ---- registering ------------------------------------------------------------------------------------- */

static struct node *find(const struct node *dir, const char *name, size_t length)
{
	struct node *node;

	list_for_each_entry(node, &dir->children, link)
		if (node->length == length && !memcmp(node->name, name, length))
			return node;
	return NULL;
}

static struct node *add(struct node *dir, const char *name, size_t length,
			const struct proc_entry *entry)
{
	static u64 last_ino = PROC_ROOT_INO;
	struct node *node = kzalloc(sizeof(*node), GFP_KERNEL | GFP_NOFAIL);

	if (!node)
		panic("no memory for /proc");
	assert(!find(dir, name, length));
	*node = (struct node){ .entry = entry, .name = name, .length = length, .ino = ++last_ino };
	INIT_LIST_HEAD(&node->children);
	list_add_tail(&node->link, &dir->children);
	return node;
}

void proc_register(const char *directory, const struct proc_entry *entries, size_t count)
{
	struct node *dir = &root;

	while (*directory) {
		const char *slash = strchr(directory, '/');
		size_t length = slash ? (size_t)(slash - directory) : strlen(directory);

		dir = find(dir, directory, length) ?: add(dir, directory, length, NULL);
		directory += length + (slash != NULL);
	}
	for (size_t i = 0; i < count; i++)
		add(dir, entries[i].name, strlen(entries[i].name), &entries[i]);
}

/* ---- files and symlinks ------------------------------------------------------------------------------ */

const struct proc_entry *proc_entry_of(const struct inode *inode)
{
	return ((const struct node *)inode->private_data)->entry;
}

static int make_file(struct file *file, struct seq_buf *out)
{
	const struct proc_entry *entry = proc_entry_of(file->dentry->inode);

	entry->show(out, entry);
	return 0;
}

static ssize_t file_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	return proc_entry_of(file->dentry->inode)->show ? text_read(file, to, pos, make_file)
							: -EIO;
}

static ssize_t file_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	const struct proc_entry *entry = proc_entry_of(file->dentry->inode);
	size_t size = from->count;
	char *text;
	int error;

	if (!entry->write)
		return -EIO;
	text = text_from_iter(from);
	if (IS_ERR(text))
		return PTR_ERR(text);
	text_strip(text);
	error = entry->write(text, entry);
	kfree(text);
	return error ?: (ssize_t)size;
}

static int file_open_text(struct inode *inode, struct file *file)
{
	return text_open(file, NULL);
}

static ssize_t link_readlink(struct inode *inode, char *buf, size_t size)
{
	const struct proc_entry *entry = proc_entry_of(inode);
	struct seq_buf target = { 0 };
	ssize_t length;

	entry->show(&target, entry);
	length = target.failed ? -ENOMEM : (ssize_t)min(target.length, size);
	if (length > 0)
		memcpy(buf, target.text, length);
	seq_free(&target);
	return length ?: -ENOENT;
}

static const struct inode_ops link_inode_ops = { .readlink = link_readlink };
static const struct inode_ops file_inode_ops = { .open = file_open_text,
						 .truncate = text_truncate };
static const struct file_ops text_file_ops = {
	.read = file_read,
	.write = file_write,
	.llseek = text_llseek,
	.release = text_release,
};

/* ---- directories ------------------------------------------------------------------------------------- */

static u32 mode_of(const struct node *node)
{
	if (!node->entry)
		return S_IFDIR | 0555;
	return S_ISLNK(node->entry->mode) ? node->entry->mode : S_IFREG | node->entry->mode;
}

static struct inode *dir_lookup(struct inode *dir, const char *name, size_t length);

/* From where `context` stands through the children. False: no room. */
static bool emit_children(const struct node *dir, struct dir_context *context)
{
	loff_t pos = FIRST_NODE;
	struct node *node;

	list_for_each_entry(node, &dir->children, link) {
		if (pos++ < context->pos)
			continue;
		context->pos = pos - 1;
		if (!context->emit(context, node->name, node->length, node->ino,
				   (mode_of(node) & S_IFMT) >> 12))
			return false;
		context->pos = pos;
	}
	return true;
}

static int dir_iterate(struct file *file, struct dir_context *context)
{
	if (dir_emit_dots(file, context))
		emit_children(file->dentry->inode->private_data, context);
	return 0;
}

static int root_iterate(struct file *file, struct dir_context *context)
{
	if (!dir_emit_dots(file, context))
		return 0;
	if (context->pos < FIRST_PROCESS_POS) {
		if (!emit_children(&root, context))
			return 0;
		context->pos = FIRST_PROCESS_POS;
	}
	return proc_emit_processes(context);
}

static struct inode *root_lookup(struct inode *dir, const char *name, size_t length)
{
	struct inode *inode = dir_lookup(dir, name, length);

	return inode == ERR_PTR(-ENOENT) ? proc_lookup_process(dir, name, length) : inode;
}

static const struct inode_ops dir_inode_ops = { .lookup = dir_lookup };
static const struct inode_ops root_inode_ops = { .lookup = root_lookup };

static const struct file_ops dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = dir_iterate,
};
static const struct file_ops root_dir_ops = {
	.read = dir_read,
	.llseek = dir_llseek,
	.iterate = root_iterate,
};

static struct inode *dir_lookup(struct inode *dir, const char *name, size_t length)
{
	struct node *node = find(dir->private_data, name, length);
	u32 mode;

	if (!node)
		return ERR_PTR(-ENOENT);
	mode = mode_of(node);
	if (S_ISDIR(mode))
		return proc_inode(dir->super, node->ino, mode, &dir_inode_ops, &dir_ops, node);
	if (S_ISLNK(mode))
		return proc_inode(dir->super, node->ino, mode, &link_inode_ops, NULL, node);
	return proc_inode(dir->super, node->ino, mode, node->entry->inode_ops ?: &file_inode_ops,
			  node->entry->file_ops ?: &text_file_ops, node);
}

/* ---- the file system --------------------------------------------------------------------------------- */

static struct inode *proc_mount(struct super *super, char *options)
{
	return proc_inode(super, PROC_ROOT_INO, S_IFDIR | 0555, &root_inode_ops, &root_dir_ops,
			  &root);
}

static struct fs_type proc_type = {
	.name = "proc",
	.nodev = true,
	.magic = PROC_MAGIC,
	.mount = proc_mount,
};

/* /proc/self, /proc/thread-self: a kernel thread has neither. */
static void show_self(struct seq_buf *out, const struct proc_entry *entry)
{
	if (current->process)
		seq_printf(out, "%u", current->process->tgid);
}

static void show_thread_self(struct seq_buf *out, const struct proc_entry *entry)
{
	if (current->process)
		seq_printf(out, "%u/task/%u", current->process->tgid, current->pid);
}

static void show_self_mounts(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "self/mounts");
}

static const struct proc_entry links[] = {
	{ "self", S_IFLNK | 0777, .show = show_self },
	{ "thread-self", S_IFLNK | 0777, .show = show_thread_self },
	{ "mounts", S_IFLNK | 0777, .show = show_self_mounts },
};

void proc_init(void)
{
	PROC_REGISTER("", links);
	proc_system_init();
	proc_cpu_init();
	proc_memory_init();
	proc_interrupts_init();
	proc_symbols_init();
	proc_wait_init();
	proc_epoll_init();
	proc_trace_init();
	proc_sysctl_init();
	fs_type_register(&proc_type);
}
