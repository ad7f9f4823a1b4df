/* Self-tests of what is in files: the page tree, and tmpfs against a plain array. */
#include <fs/page_tree.h>
#include <fs/remove.h>
#include <fs/tmpfs.h>
#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>

/* Pointers that are never followed stand in for pages. */
static struct page *fake_page(u64 index)
{
	return (struct page *)(index * 8 + 8);
}

#define NR_INDEXES 64

static u64 index_of(u32 number)
{
	return number < 48 ? number * 5 : 1ULL << (number - 8) % 51;
}

SELFTEST(vfs_page_tree)
{
	struct page_tree tree = { .root = NULL };
	bool present[NR_INDEXES] = { false };
	u64 count = 0;
	u32 seed = 1;

	for (u32 round = 0; round < 5000; round++) {
		u32 number = next_random(&seed) % NR_INDEXES;
		u64 index = index_of(number), next = 0;

		if (present[number]) {
			EXPECT(page_tree_remove(&tree, index) == fake_page(index));
		} else if (!page_tree_find(&tree, index)) {
			EXPECT(page_tree_insert(&tree, index, fake_page(index)) == 0);
		} else {
			continue; /* another number has the same index */
		}
		present[number] = !present[number];
		count += present[number] ? 1 : -1;
		EXPECT(tree.count == count);
		u64 seen = 0;

		for (struct page *page; (page = page_tree_next(&tree, &next)); next++, seen++)
			EXPECT(page == fake_page(next) && page_tree_find(&tree, next) == page);
		EXPECT(seen == count);
	}
	for (u64 next = 0; page_tree_next(&tree, &next);)
		page_tree_remove(&tree, next);
	EXPECT(!tree.root && !tree.height && !tree.count);
}

#define MODEL_SIZE (64 * KiB)

static bool same_contents(struct file *file, const u8 *model, u8 *copy, size_t size)
{
	loff_t pos = 0;

	return file->dentry->inode->size == (loff_t)size &&
	       file_read_kernel(file, copy, MODEL_SIZE, &pos) == (ssize_t)size &&
	       !memcmp(copy, model, size);
}

/* Writes, truncations and holes at random places, against an array. */
static bool random_contents(struct file *file, u8 *model, u8 *copy)
{
	struct inode *inode = file->dentry->inode;
	size_t size = 0;
	u32 seed = 5;

	for (u32 round = 0; round < 1500; round++) {
		size_t at = next_random(&seed) % MODEL_SIZE;
		size_t length = min((size_t)next_random(&seed) % (3 * PAGE_SIZE), MODEL_SIZE - at);
		loff_t pos = at;

		switch (next_random(&seed) % 8) {
		case 0:
			mutex_lock(&inode->writing);
			tmpfs_truncate(inode, at);
			mutex_unlock(&inode->writing);
			if (at < size)
				memset(model + at, 0, size - at);
			size = at;
			break;
		case 1:
			if (length)
				tmpfs_fallocate(inode, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, at,
						length);
			memset(model + at, 0, length);
			break;
		default:
			memset(model + at, round, length);
			if (file_write_kernel(file, model + at, length, &pos) != (ssize_t)length)
				return false;
			size = length ? max(size, at + length) : size;
		}
		if (round % 16 == 0 && !same_contents(file, model, copy, size))
			return false;
	}
	return same_contents(file, model, copy, size);
}

SELFTEST(vfs_tmpfs_contents)
{
	u8 *model = vzalloc(MODEL_SIZE), *copy = vzalloc(MODEL_SIZE);
	struct file *file = file_open("/selftest-file", O_RDWR | O_CREAT | O_EXCL, 0600);
	u64 blocks = init_fs->root->super->used_blocks;

	EXPECT(model && copy && !IS_ERR(file));
	EXPECT(random_contents(file, model, copy));
	EXPECT(file->dentry->inode->blocks ==
	       (init_fs->root->super->used_blocks - blocks) * (PAGE_SIZE / 512));
	EXPECT(remove_at(AT_FDCWD, "/selftest-file", false) == 0);
	file_put(file);
	EXPECT(init_fs->root->super->used_blocks == blocks);
	vfree(model);
	vfree(copy);
}

/* Each appends records of its own kind; none is torn or lost. */
#define RECORD	64
#define RECORDS 200

static void append_records(void *arg)
{
	static u32 members;
	u8 record[RECORD];
	struct file *file = file_open("/selftest-log", O_WRONLY | O_APPEND, 0);
	loff_t pos = 0;

	memset(record, 'a' + __atomic_fetch_add(&members, 1, __ATOMIC_RELAXED) % 26, RECORD);
	for (int i = 0; i < RECORDS && !IS_ERR(file); i++) {
		file_write_kernel(file, record, RECORD, &pos);
		cond_resched();
	}
	if (!IS_ERR(file))
		file_put(file);
}

static bool is_record(const u8 *record)
{
	for (int i = 0; i < RECORD; i++)
		if (record[i] != record[0] || record[0] < 'a')
			return false;
	return true;
}

SELFTEST(vfs_append_is_whole)
{
	struct file *file = file_open("/selftest-log", O_RDONLY | O_CREAT, 0600);
	u8 record[RECORD];
	struct crew crew;
	loff_t pos = 0;

	EXPECT(!IS_ERR(file));
	crew_init(&crew, append_records, NULL);
	crew_start(&crew, 4, "append");
	crew_wait(&crew, 4);
	EXPECT(file->dentry->inode->size == 4 * RECORDS * RECORD);
	while (file_read_kernel(file, record, RECORD, &pos) == RECORD)
		EXPECT(is_record(record));
	EXPECT(pos == file->dentry->inode->size);
	file_put(file);
	EXPECT(remove_at(AT_FDCWD, "/selftest-log", false) == 0);
}
