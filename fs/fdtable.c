/*
 * From descriptor to file: the table of a process, struct files. It starts with room for 64 descriptors
 * inside itself and doubles as it must, up to a million. The lowest free descriptor is found by
 * two levels of bit maps: `full` has a bit for each word of `open`.
 *
 * Context: process. Lock: files->lock, innermost; nothing sleeps under it, so a table grows in three
 * steps: allocate, lock, look again.
 */
#include <fs/file.h>

#include <fs/kvmalloc.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>

/* ---- the memory of a table ------------------------------------------------------------------- */

static size_t maps_bytes(u32 size)
{
	return (2 * BITMAP_WORDS(size) + BITMAP_WORDS(BITMAP_WORDS(size))) * sizeof(u64);
}

static size_t table_bytes(u32 size)
{
	return size * sizeof(struct file *) + maps_bytes(size);
}

/* The smallest table, of those that are allocated, with a slot for `fd`. */
static u32 size_for(u32 fd)
{
	u32 size = 2 * FILES_INLINE;

	while (size <= fd)
		size *= 2;
	return size;
}

/* Empty memory, slots first and the maps behind them, becomes the table. */
static void use_table(struct files *files, struct file **slots, u64 *maps, u32 size)
{
	files->slots = slots;
	files->open = maps;
	files->cloexec = maps + BITMAP_WORDS(size);
	files->full = maps + 2 * BITMAP_WORDS(size);
	files->size = size;
}

static struct file **own_table(struct files *files)
{
	return files->slots == files->inline_slots ? NULL : files->slots;
}

/* Lock held. Returns the memory that is no longer needed. */
static void *move_table(struct files *files, void *memory, u32 size)
{
	struct files old = *files;
	size_t words = BITMAP_WORDS(old.size);

	if (size <= old.size)
		return memory;
	use_table(files, memory, (u64 *)((struct file **)memory + size), size);
	memcpy(files->slots, old.slots, old.size * sizeof(*old.slots));
	memcpy(files->open, old.open, words * sizeof(u64));
	memcpy(files->cloexec, old.cloexec, words * sizeof(u64));
	memcpy(files->full, old.full, BITMAP_WORDS(words) * sizeof(u64));
	return old.slots == files->inline_slots ? NULL : old.slots;
}

static int grow(struct files *files, u32 fd)
{
	u32 size = size_for(fd);
	void *memory = kvzalloc(table_bytes(size));

	if (!memory)
		return -ENOMEM;
	spin_lock(&files->lock);
	memory = move_table(files, memory, size);
	spin_unlock(&files->lock);
	kvfree(memory);
	return 0;
}

/* ---- slots; lock held ------------------------------------------------------------------------ */

/* The lowest free slot >= from; beyond the table if all are used. */
static u32 lowest_free(const struct files *files, u32 from)
{
	u32 fd = max(from, files->next_free), words = BITMAP_WORDS(files->size), word;
	u64 free;

	if (fd >= files->size)
		return fd;
	word = fd / BITS_PER_WORD;
	free = ~files->open[word] & ~(bit_mask(fd) - 1);
	if (!free) {
		word = find_next_zero_bit(files->full, words, word + 1);
		if (word == words)
			return files->size;
		free = ~files->open[word];
	}
	return word * BITS_PER_WORD + lowest_bit(free);
}

static void set_cloexec(struct files *files, u32 fd, bool cloexec)
{
	if (cloexec)
		__set_bit(fd, files->cloexec);
	else
		__clear_bit(fd, files->cloexec);
}

static void use_slot(struct files *files, u32 fd, struct file *file, bool cloexec)
{
	files->slots[fd] = file;
	set_cloexec(files, fd, cloexec);
	__set_bit(fd, files->open);
	if (files->open[fd / BITS_PER_WORD] == ~0ULL)
		__set_bit(fd / BITS_PER_WORD, files->full);
}

static void free_slot(struct files *files, u32 fd)
{
	files->slots[fd] = NULL;
	__clear_bit(fd, files->open);
	__clear_bit(fd / BITS_PER_WORD, files->full);
	files->next_free = min(files->next_free, fd);
}

static struct file *slot(const struct files *files, u32 fd)
{
	return fd < files->size ? files->slots[fd] : NULL;
}

/* ---- looking up ------------------------------------------------------------------------------ */

struct file *files_lookup(struct files *files, int fd)
{
	struct file *file;

	spin_lock(&files->lock);
	file = slot(files, fd);
	if (file)
		file_get(file);
	spin_unlock(&files->lock);
	return file;
}

struct fd fd_borrow_shared(struct files *files, int fd)
{
	struct file *file = files_lookup(files, fd);

	if (file && (file->flags & O_PATH)) {
		file_put(file);
		file = NULL;
	}
	return (struct fd){ file, file != NULL };
}

struct file *fd_get(int number)
{
	struct fd fd = fd_borrow(number);

	if (fd.file && !fd.counted)
		file_get(fd.file);
	return fd.file;
}

struct file *fd_get_any(int fd)
{
	return files_lookup(current->files, fd);
}

int files_next(struct files *files, int fd)
{
	u32 next;

	spin_lock(&files->lock);
	next = find_next_bit(files->open, files->size, fd);
	while (next < files->size && !files->slots[next])
		next = find_next_bit(files->open, files->size, next + 1);
	fd = next < files->size ? (int)next : -1;
	spin_unlock(&files->lock);
	return fd;
}

bool files_cloexec(struct files *files, int fd)
{
	bool cloexec;

	spin_lock(&files->lock);
	cloexec = slot(files, fd) && test_bit(fd, files->cloexec);
	spin_unlock(&files->lock);
	return cloexec;
}

int fd_get_cloexec(int fd)
{
	struct files *files = current->files;
	int cloexec = -EBADF;

	spin_lock(&files->lock);
	if (slot(files, fd))
		cloexec = test_bit(fd, files->cloexec);
	spin_unlock(&files->lock);
	return cloexec;
}

int fd_set_cloexec(int fd, bool cloexec)
{
	struct files *files = current->files;
	int error = -EBADF;

	spin_lock(&files->lock);
	if (slot(files, fd)) {
		set_cloexec(files, fd, cloexec);
		error = 0;
	}
	spin_unlock(&files->lock);
	return error;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static u32 fd_limit(void)
{
	return min_t(u64, rlimit(RLIMIT_NOFILE), NOFILE_MAX);
}

/* Lowest free slot >= from for `file`, or reserved if that is NULL. */
static int take_slot(u32 from, struct file *file, bool cloexec)
{
	struct files *files = current->files;
	u32 limit = fd_limit(), fd;
	int error;

	for (;;) {
		spin_lock(&files->lock);
		fd = lowest_free(files, from);
		if (fd >= limit || fd < files->size)
			break;
		spin_unlock(&files->lock);
		error = grow(files, fd);
		if (error)
			return error;
	}
	if (fd < limit) {
		if (from <= files->next_free)
			files->next_free = fd + 1;
		use_slot(files, fd, file, cloexec);
	}
	spin_unlock(&files->lock);
	return fd < limit ? (int)fd : -EMFILE;
}

int fd_reserve(int from, bool cloexec)
{
	return take_slot(from, NULL, cloexec);
}

int fd_add_from(int from, struct file *file, bool cloexec)
{
	int fd = take_slot(from, file, cloexec);

	if (fd < 0)
		file_put(file);
	return fd;
}

int fd_add(struct file *file, bool cloexec)
{
	return fd_add_from(0, file, cloexec);
}

void fd_install(int fd, struct file *file)
{
	struct files *files = current->files;

	spin_lock(&files->lock);
	files->slots[fd] = file;
	spin_unlock(&files->lock);
}

void fd_release(int fd)
{
	struct files *files = current->files;

	spin_lock(&files->lock);
	free_slot(files, fd);
	spin_unlock(&files->lock);
}

/* A descriptor's reference goes. */
static int close_file(struct files *files, struct file *file)
{
	int error = file->ops->flush ? file->ops->flush(file, files) : 0;

	file_put(file);
	return error;
}

static int close_slot(struct files *files, u32 fd)
{
	struct file *file;

	spin_lock(&files->lock);
	file = slot(files, fd);
	if (file)
		free_slot(files, fd);
	spin_unlock(&files->lock);
	return file ? close_file(files, file) : -EBADF;
}

int fd_close(int fd)
{
	return close_slot(current->files, fd);
}

/* A slot that another thread has reserved will be its own in a moment. */
int fd_replace(int fd, struct file *file, bool cloexec)
{
	struct files *files = current->files;
	struct file *old = NULL;
	int result = fd;

	if ((u32)fd >= fd_limit())
		result = -EBADF;
	else if ((u32)fd >= files->size)
		result = grow(files, fd) ?: fd;
	if (result >= 0) {
		spin_lock(&files->lock);
		old = files->slots[fd];
		if (!old && test_bit(fd, files->open))
			result = -EBUSY;
		else
			use_slot(files, fd, file, cloexec);
		spin_unlock(&files->lock);
	}
	if (result < 0)
		file_put(file);
	else if (old)
		close_file(files, old);
	return result;
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct files *files_create(void)
{
	struct files *files = kzalloc(sizeof(*files), GFP_KERNEL);

	if (!files)
		return NULL;
	files->refcount = 1;
	spin_lock_init(&files->lock);
	use_table(files, files->inline_slots, files->inline_maps, FILES_INLINE);
	return files;
}

/* One above the highest used slot; lock held. */
static u32 used_size(const struct files *files)
{
	u32 word = BITMAP_WORDS(files->size);

	while (word > 1 && !files->open[word - 1])
		word--;
	return word * BITS_PER_WORD;
}

/* Both locks are not needed: nobody else has the new one yet. What is only reserved is not inherited. */
static void copy_slots(struct files *to, const struct files *from, u32 size)
{
	u32 fd;

	for_each_set_bit(fd, from->open, size) {
		struct file *file = from->slots[fd];

		if (file) {
			file_get(file);
			use_slot(to, fd, file, test_bit(fd, from->cloexec));
		}
	}
}

struct files *files_clone(struct files *old)
{
	struct files *files = files_create();
	u32 size;

	if (!files)
		return ERR_PTR(-ENOMEM);
	spin_lock(&old->lock);
	while ((size = used_size(old)) > files->size) {
		spin_unlock(&old->lock);
		if (grow(files, size - 1)) {
			files_put(files);
			return ERR_PTR(-ENOMEM);
		}
		spin_lock(&old->lock);
	}
	copy_slots(files, old, size);
	spin_unlock(&old->lock);
	return files;
}

void files_get(struct files *files)
{
	__atomic_add_fetch(&files->refcount, 1, __ATOMIC_RELAXED);
}

void files_put(struct files *files)
{
	u32 fd;

	if (__atomic_sub_fetch(&files->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	for_each_set_bit(fd, files->open, files->size) {
		if (files->slots[fd])
			close_file(files, files->slots[fd]);
		cond_resched();
	}
	kvfree(own_table(files));
	kfree(files);
}

void files_close_on_exec(struct files *files)
{
	u32 fd;

	for_each_set_bit(fd, files->cloexec, files->size) {
		close_slot(files, fd);
		cond_resched();
	}
}
