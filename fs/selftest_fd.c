/* Self-tests of descriptors, pipes and poll. */
#include <fs/pipe.h>
#include <fs/poll_wait.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>

/* ---- the descriptor table -------------------------------------------------------------------- */

static const struct file_ops no_ops;

/* What a kernel thread lacks for having descriptors. */
static bool become_program(u64 limit)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL);

	if (!process)
		return false;
	process->rlimits[RLIMIT_NOFILE] = (struct rlimit){ limit, limit };
	current->process = process;
	current->files = files_create();
	return current->files;
}

static void become_kernel(void)
{
	files_put(current->files);
	kfree(current->process);
	current->files = NULL;
	current->process = NULL;
}

static int add(struct file *file)
{
	file_get(file);
	return fd_add(file, false);
}

SELFTEST(fd_lowest)
{
	struct file *file = file_create_anon(&no_ops, NULL, O_RDWR);
	int fd;

	EXPECT(file && become_program(1000));
	for (fd = 0; fd < 1000; fd++)
		EXPECT(add(file) == fd);
	EXPECT(add(file) == -EMFILE);
	EXPECT(fd_close(700) == 0 && fd_close(63) == 0 && fd_close(64) == 0);
	EXPECT(fd_close(63) == -EBADF && !fd_get(63) && fd_borrow(64).file == NULL);
	EXPECT(fd_reserve(64, true) == 64);
	EXPECT(fd_close(64) == -EBADF && files_next(current->files, 63) == 65);
	EXPECT(add(file) == 63 && add(file) == 700 && add(file) == -EMFILE);
	fd_release(64);
	EXPECT(fd_reserve(65, false) == -EMFILE);
	EXPECT(add(file) == 64);
	EXPECT(fd_set_cloexec(64, true) == 0 && fd_get_cloexec(64) == 1);
	files_close_on_exec(current->files);
	EXPECT(fd_get_cloexec(64) == -EBADF && fd_get_cloexec(65) == 0);
	EXPECT(fd_close(-1) == -EBADF && fd_close(1 << 30) == -EBADF);
	become_kernel();
	EXPECT(file->refcount == 1);
	file_put(file);
}

SELFTEST(fd_million)
{
	u64 open_before = nr_open_files;
	struct file *file = file_create_anon(&no_ops, NULL, O_RDWR);
	struct files *copy;

	EXPECT(file && become_program(~0ULL));
	for (int fd = 0; fd < NOFILE_MAX; fd++)
		EXPECT(add(file) == fd);
	EXPECT(add(file) == -EMFILE);
	for (int fd = NOFILE_MAX - 1; fd > 0; fd /= 3) {
		EXPECT(fd_close(fd) == 0);
		EXPECT(add(file) == fd);
	}
	EXPECT(fd_borrow(NOFILE_MAX - 1).file == file);
	copy = files_clone(current->files);
	EXPECT(!IS_ERR(copy));
	EXPECT(file->refcount == 1 + 2 * NOFILE_MAX);
	files_put(copy);
	become_kernel();
	EXPECT(file->refcount == 1);
	file_put(file);
	EXPECT(nr_open_files == open_before);
}

/* ---- pipes ----------------------------------------------------------------------------------- */

#define PIPE_TOTAL (4 * MiB)
#define CHUNK_MAX  9000

static struct {
	struct file *ends[2];
	u32 seed;		 /* atomic */
	u64 to_write;		 /* atomic */
	u64 written, bytes_read; /* atomic: sums of all bytes */
	bool failed;
} stream;

static u64 sum_of(const u8 *bytes, size_t size)
{
	u64 sum = 0;

	while (size--)
		sum += *bytes++;
	return sum;
}

static void stream_write(void *arg)
{
	u32 seed = __atomic_add_fetch(&stream.seed, 1, __ATOMIC_RELAXED);
	u8 *chunk = kmalloc(CHUNK_MAX, GFP_KERNEL | GFP_NOFAIL);
	loff_t pos = 0;

	while (chunk && (s64)__atomic_load_n(&stream.to_write, __ATOMIC_RELAXED) > 0) {
		size_t size = 1 + next_random(&seed) % CHUNK_MAX;

		for (size_t i = 0; i < size; i++)
			chunk[i] = next_random(&seed);
		if (file_write_kernel(stream.ends[1], chunk, size, &pos) != (ssize_t)size)
			stream.failed = true;
		__atomic_fetch_add(&stream.written, sum_of(chunk, size), __ATOMIC_RELAXED);
		__atomic_fetch_sub(&stream.to_write, size, __ATOMIC_RELAXED);
	}
	kfree(chunk);
}

static void stream_read(void *arg)
{
	u32 seed = __atomic_add_fetch(&stream.seed, 1, __ATOMIC_RELAXED);
	u8 *chunk = kmalloc(CHUNK_MAX, GFP_KERNEL | GFP_NOFAIL);
	ssize_t size = 1;
	loff_t pos = 0;

	while (chunk && size > 0) {
		size = file_read_kernel(stream.ends[0], chunk, 1 + next_random(&seed) % CHUNK_MAX,
					&pos);
		if (size > 0)
			__atomic_fetch_add(&stream.bytes_read, sum_of(chunk, size),
					   __ATOMIC_RELAXED);
	}
	stream.failed |= size != 0;
	kfree(chunk);
}

/* Two write and two read, all that each other has; the readers end when the writers' end is closed. */
SELFTEST(pipe_stream)
{
	struct crew writers, readers;

	memset(&stream, 0, sizeof(stream));
	stream.to_write = PIPE_TOTAL * selftest_scale;
	EXPECT(pipe_files(stream.ends, 0) == 0);
	crew_init(&writers, stream_write, NULL);
	crew_init(&readers, stream_read, NULL);
	crew_start(&readers, 2, "pipe-reader");
	crew_start(&writers, 2, "pipe-writer");
	crew_wait(&writers, 2);
	file_put(stream.ends[1]);
	crew_wait(&readers, 2);
	file_put(stream.ends[0]);
	EXPECT(!stream.failed && stream.written == stream.bytes_read);
}

static ssize_t put_bytes(struct file *file, const u8 *bytes, size_t size)
{
	loff_t pos = 0;

	return file_write_kernel(file, bytes, size, &pos);
}

static ssize_t get_bytes(struct file *file, u8 *bytes, size_t size)
{
	loff_t pos = 0;

	return file_read_kernel(file, bytes, size, &pos);
}

/* What fits, what does not, and that no byte moves while the ring does. */
SELFTEST(pipe_room)
{
	u8 *page = kzalloc(PAGE_SIZE, GFP_KERNEL);
	struct file *ends[2];

	EXPECT(page && pipe_files(ends, O_NONBLOCK) == 0);
	EXPECT(get_bytes(ends[0], page, 1) == -EAGAIN);
	for (u8 i = 0; i < 16; i++) {
		page[0] = i;
		EXPECT(put_bytes(ends[1], page, PAGE_SIZE - 1) == PAGE_SIZE - 1);
	}
	EXPECT(!(file_poll(ends[1], NULL) & EPOLLOUT));
	EXPECT(put_bytes(ends[1], page, 2) == -EAGAIN && put_bytes(ends[1], page, 1) == 1);
	EXPECT(pipe_set_size(ends[0], 8 * PAGE_SIZE) == -EBUSY);
	EXPECT(pipe_set_size(ends[0], 20 * PAGE_SIZE) == 32 * PAGE_SIZE);
	EXPECT(file_poll(ends[1], NULL) == (EPOLLOUT | EPOLLWRNORM));
	EXPECT(put_bytes(ends[1], page, 2) == 2);
	for (u8 i = 0; i < 16; i++) {
		EXPECT(get_bytes(ends[0], page, PAGE_SIZE - 1) == PAGE_SIZE - 1);
		EXPECT(page[0] == i);
	}
	EXPECT(pipe_set_size(ends[0], 1) == -EBUSY);
	EXPECT(get_bytes(ends[0], page, PAGE_SIZE) == 3);
	EXPECT(pipe_set_size(ends[0], 1) == PAGE_SIZE);
	file_put(ends[1]);
	EXPECT(file_poll(ends[0], NULL) == EPOLLHUP && get_bytes(ends[0], page, 1) == 0);
	file_put(ends[0]);
	kfree(page);
}

SELFTEST(pipe_packets)
{
	struct file *ends[2];
	u8 bytes[8] = "abcdef";

	EXPECT(pipe_files(ends, O_NONBLOCK | O_DIRECT) == 0);
	EXPECT(put_bytes(ends[1], bytes, 3) == 3 && put_bytes(ends[1], bytes, 6) == 6);
	EXPECT(get_bytes(ends[0], bytes, 8) == 3);
	EXPECT(get_bytes(ends[0], bytes, 2) == 2); /* the rest of the packet is lost */
	EXPECT(get_bytes(ends[0], bytes, 8) == -EAGAIN);
	file_put(ends[0]);
	file_put(ends[1]);
}

/* ---- poll ------------------------------------------------------------------------------------ */

#define POLL_ROUNDS 5000
#define TOO_LONG    (20 * NSEC_PER_SEC)

/* A byte goes to and fro; each side waits for its own in poll, among others that never come. */
struct rally {
	struct file *mine[2], *theirs[2], *never[2];
	bool lost; /* a wake-up */
	bool serves;
};

static int rally_scan(void *arg, struct poll_table *table)
{
	struct rally *rally = arg;
	int ready = 0;

	if (table)
		table->key = EPOLLIN | EPOLLHUP;
	for (u32 i = 0; i < 10; i++)
		ready += file_poll(rally->never[0], table) & EPOLLIN;
	return ready + ((file_poll(rally->mine[0], table) & EPOLLIN) != 0);
}

static void rally_play(void *arg)
{
	struct rally *rally = arg;
	u8 byte = 0;

	if (rally->serves)
		put_bytes(rally->theirs[1], &byte, 1);
	for (u64 i = 0; i < POLL_ROUNDS * selftest_scale && !rally->lost; i++) {
		rally->lost = poll_until_ready(rally_scan, rally, clock_ns() + TOO_LONG) != 1 ||
			      get_bytes(rally->mine[0], &byte, 1) != 1 ||
			      put_bytes(rally->theirs[1], &byte, 1) != 1;
	}
}

SELFTEST(poll_no_lost_wakeup)
{
	struct rally players[4] = { [0].serves = true, [2].serves = true };
	struct crew crews[4];

	for (u32 i = 0; i < 4; i++)
		EXPECT(pipe_files(players[i].mine, 0) == 0 && pipe_files(players[i].never, 0) == 0);
	for (u32 i = 0; i < 4; i++) {
		memcpy(players[i].theirs, players[i ^ 1].mine, sizeof(players[i].theirs));
		crew_init(&crews[i], rally_play, &players[i]);
		crew_start(&crews[i], 1, "poll");
	}
	for (u32 i = 0; i < 4; i++)
		crew_wait(&crews[i], 1);
	for (u32 i = 0; i < 4; i++) {
		EXPECT(!players[i].lost);
		EXPECT(players[i].mine[0]->refcount == 1 && players[i].never[0]->refcount == 1);
		for (u32 end = 0; end < 2; end++) {
			file_put(players[i].mine[end]);
			file_put(players[i].never[end]);
		}
	}
}

static int never_ready(void *arg, struct poll_table *table)
{
	return 0;
}

SELFTEST(poll_never_early)
{
	for (u64 ns = 1; ns < 50 * NSEC_PER_MSEC; ns *= 7) {
		u64 deadline = clock_ns() + ns;

		EXPECT(poll_until_ready(never_ready, NULL, deadline) == 0);
		EXPECT(clock_ns() >= deadline);
	}
}
