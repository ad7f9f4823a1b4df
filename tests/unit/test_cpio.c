/* sources: kernel/lib/cpio.c kernel/lib/string.c */
/*
 * The cpio reader on archives made here: good ones, each way to be bad, cut at each byte, and
 * changed at random. The archive always lies in a block of exactly its size, for ASan's sake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kernel/lib/cpio.h>
#include <kernel/lib/errno.h>
#include <tests/unit/unit.h>

#define FIELD(n)    (6 + 8 * (n)) /* offset of a header's field */
#define MODE_FIELD  FIELD(1)
#define SIZE_FIELD  FIELD(6)
#define NAME_FIELD  FIELD(11)
#define CHECK_FIELD FIELD(12)
#define NAME_OFFSET FIELD(13)

static u8 archive[65536];
static size_t archive_size;
static volatile u32 touched; /* makes the compiler read what an entry points to */

static void start(void)
{
	archive_size = 0;
}

static void append(const void *bytes, size_t n)
{
	memcpy(archive + archive_size, bytes, n);
	archive_size += n;
}

static void append_zeros(size_t n)
{
	memset(archive + archive_size, 0, n);
	archive_size += n;
}

static void align(void)
{
	append_zeros(-archive_size % 4);
}

static u32 sum(const void *data, size_t n)
{
	u32 total = 0;

	for (size_t i = 0; i < n; i++)
		total += ((const u8 *)data)[i];
	return total;
}

static void append_header(const char *magic, u32 ino, u32 mode, u32 size, u32 name_size, u32 check)
{
	char header[NAME_OFFSET + 1];

	snprintf(header, sizeof(header), "%s%08x%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 magic, ino, mode, 1000, 0xfffffffe, 2, 0x65432100, size, 8, 1, 4, 0xab, name_size,
		 check);
	append(header, NAME_OFFSET);
}

/* Returns where the entry's header is. */
static size_t append_entry(const char *magic, u32 ino, u32 mode, const char *name, const void *data,
			   size_t size)
{
	size_t at = archive_size;
	u32 check = strcmp(magic, "070702") || !S_ISREG(mode) ? 0 : sum(data, size);

	append_header(magic, ino, mode, (u32)size, (u32)strlen(name) + 1, check);
	append(name, strlen(name) + 1);
	align();
	append(data, size);
	align();
	return at;
}

static size_t append_file(const char *name, const void *data, size_t size)
{
	return append_entry("070701", 7, S_IFREG | 0644, name, data, size);
}

static void append_trailer(void)
{
	append_entry("070701", 0, 0, "TRAILER!!!", "", 0);
}

/* Reads all entries of the first `size` bytes; returns their number, or the error. */
static int read_all(size_t size, struct cpio_reader *reader)
{
	u8 *copy = malloc(size);
	struct cpio_entry entry;
	int count = 0, got;

	memcpy(copy, archive, size);
	cpio_init(reader, copy, size);
	while ((got = cpio_next(reader, &entry)) > 0) {
		CHECK((const u8 *)entry.data >= copy);
		touched = sum(entry.name, strlen(entry.name) + 1);
		touched = sum(entry.data, entry.filesize);
		CHECK(++count <= (int)(size / NAME_OFFSET));
	}
	CHECK(reader->offset <= size);
	CHECK_EQ(!!reader->error, got < 0);
	CHECK(got == 0 || got == -EINVAL);
	CHECK_EQ(cpio_next(reader, &entry), got); /* the end and an error are for good */
	free(copy);
	return got < 0 ? got : count;
}

static void check_bad(const char *error, size_t offset)
{
	struct cpio_reader reader;

	CHECK_EQ(read_all(archive_size, &reader), -EINVAL);
	if (!strstr(reader.error, error))
		unit_check_str(__FILE__, __LINE__, "reader.error", reader.error, error);
	CHECK_EQ(reader.offset, offset);
}

static void check_good(int count)
{
	struct cpio_reader reader;

	CHECK_EQ(read_all(archive_size, &reader), count);
}

TEST(every_field_arrives)
{
	struct cpio_reader reader;
	struct cpio_entry e;

	start();
	append_entry("070701", 0xabcdef01, S_IFREG | 0755, "bin/sh", "hello", 5);
	append_entry("070701", 2, S_IFDIR | 0755, "dev", "", 0);
	append_trailer();
	cpio_init(&reader, archive, archive_size);
	CHECK_EQ(cpio_next(&reader, &e), 1);
	CHECK_EQ(e.ino, 0xabcdef01);
	CHECK_EQ(e.mode, S_IFREG | 0755);
	CHECK_EQ(e.uid, 1000);
	CHECK_EQ(e.gid, 0xfffffffe);
	CHECK_EQ(e.nlink, 2);
	CHECK_EQ(e.mtime, 0x65432100);
	CHECK_EQ(e.devmajor, 8);
	CHECK_EQ(e.devminor, 1);
	CHECK_EQ(e.rdevmajor, 4);
	CHECK_EQ(e.rdevminor, 0xab);
	CHECK_STR(e.name, "bin/sh");
	CHECK_EQ(e.filesize, 5);
	CHECK(!memcmp(e.data, "hello", 5));
	CHECK_EQ(cpio_next(&reader, &e), 1);
	CHECK_STR(e.name, "dev");
	CHECK_EQ(e.mode, S_IFDIR | 0755);
	CHECK_EQ(cpio_next(&reader, &e), 0);
	CHECK_EQ(cpio_next(&reader, &e), 0);
}

TEST(every_length_of_name_and_data)
{
	char name[10] = "", data[] = "01234567";

	for (size_t n = 0; n < 9; n++) {
		name[n] = 'n';
		for (size_t size = 0; size < 9; size++) {
			start();
			append_file(name, data, size);
			append_file("x", "", 0);
			append_trailer();
			check_good(2);
		}
	}
}

TEST(nothing_and_only_zeros_hold_no_entries)
{
	start();
	check_good(0);
	append_zeros(513);
	check_good(0);
}

TEST(archives_follow_each_other)
{
	struct cpio_reader reader;

	start();
	append_zeros(4);
	append_file("a", "1", 1);
	append_trailer();
	append_zeros(512 - archive_size % 512);
	append_file("b", "2", 1);
	append_trailer();
	append_file("c", "3", 1);
	append_trailer();
	append_zeros(1021);
	CHECK_EQ(read_all(archive_size, &reader), 3);
	CHECK_EQ(reader.archive, 3);
}

TEST(the_last_padding_may_be_missing)
{
	struct cpio_reader reader;

	start();
	append_file("a", "1", 1);
	append_trailer();
	for (size_t missing = 0; missing < 4; missing++)
		CHECK_EQ(read_all(archive_size - missing, &reader), 1);
	CHECK_EQ(read_all(archive_size - 4, &reader), -EINVAL);
}

TEST(an_archive_needs_a_trailer)
{
	start();
	append_file("a", "1", 1);
	check_bad("ends before its trailer", archive_size);
}

TEST(junk_behind_the_trailer)
{
	start();
	append_file("a", "1", 1);
	append_trailer();
	append_zeros(8);
	append("x", 1);
	check_bad("ends before its trailer", archive_size - 1);
	append_zeros(200);
	check_bad("not a newc cpio header", archive_size - 201);
}

TEST(a_second_archive_must_be_aligned)
{
	start();
	append_file("a", "1", 1);
	append_trailer();
	append_zeros(5);
	size_t at = archive_size;

	append_file("b", "1", 1);
	append_trailer();
	check_bad("multiple of four", at);
}

TEST(compressed_archives_are_named)
{
	start();
	append("\x1f\x8b\x08\x00", 4);
	check_bad("gzip", 0);
	start();
	append("\xfd"
	       "7zXZ",
	       5);
	check_bad("xz", 0);
	start();
	append("\x28\xb5\x2f\xfd", 4);
	check_bad("zstd", 0);
}

TEST(bad_magic)
{
	start();
	append_file("a", "1", 1);
	size_t at = append_entry("070707", 1, S_IFREG, "old", "", 0);

	append_trailer();
	check_bad("magic", at);
}

TEST(every_header_character_must_be_a_hex_digit)
{
	static const char bad[] = "gG/:@` -x";

	for (size_t i = 6; i < NAME_OFFSET; i++) {
		for (size_t k = 0; k < sizeof(bad); k++) {
			start();
			append_file("a", "1", 1);
			append_trailer();
			archive[i] = (u8)bad[k];
			check_bad("hex digit", 0);
		}
	}
}

TEST(names)
{
	start();
	append_header("070701", 1, S_IFREG, 0, 0, 0);
	append_trailer();
	check_bad("name", 0);

	start();
	append_file("", "", 0);
	append_trailer();
	check_bad("name", 0);

	start();
	append_file("abc", "", 0);
	append_trailer();
	archive[NAME_OFFSET + 3] = 'd'; /* the terminator */
	check_bad("name", 0);

	start();
	append_file("abcdef", "", 0);
	append_trailer();
	archive[NAME_OFFSET + 3] = '\0';
	check_bad("name", 0);
	memset(archive + NAME_OFFSET + 3, 0, 3); /* padding, as some tools do to align the data */
	check_good(1);
}

TEST(the_longest_name)
{
	static char name[CPIO_NAME_MAX + 1];

	memset(name, 'n', CPIO_NAME_MAX - 1);
	start();
	append_file(name, "x", 1);
	append_trailer();
	check_good(1);
	name[CPIO_NAME_MAX - 1] = 'n';
	start();
	append_file(name, "x", 1);
	append_trailer();
	check_bad("4095", 0);
}

TEST(sizes_beyond_the_end)
{
	static const size_t fields[] = { SIZE_FIELD, NAME_FIELD };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (int digit = 0; digit < 6; digit++) {
			start();
			append_file("abc", "data", 4);
			append_trailer();
			archive[fields[i] + digit] = 'f';
			check_bad("", 0);
		}
	}
	start();
	append_file("abc", "data", 4);
	memcpy(archive + SIZE_FIELD, "ffffffff", 8);
	check_bad("ends inside", 0);
}

TEST(checksums)
{
	static const char data[] = "some data \xff\xfe";

	start();
	append_entry("070702", 1, S_IFREG | 0644, "a", data, sizeof(data));
	append_entry("070702", 1, S_IFLNK | 0777, "link", "a", 1); /* only files have one */
	append_entry("070702", 1, S_IFREG | 0644, "empty", "", 0);
	append_trailer();
	check_good(3);
	archive[NAME_OFFSET + 4] ^= 1; /* in the data */
	check_bad("checksum", 0);
	archive[NAME_OFFSET + 4] ^= 1;
	archive[CHECK_FIELD + 7] ^= 1;
	check_bad("checksum", 0);
	archive[5] = '1'; /* 070701: not in use */
	check_good(3);
}

static void make_mixed(void)
{
	start();
	append_entry("070702", 1, S_IFREG | 0644, "etc/hosts", "127.0.0.1 localhost\n", 20);
	append_entry("070701", 2, S_IFDIR | 0755, "dev", "", 0);
	append_entry("070701", 3, S_IFLNK | 0777, "bin/sh", "busybox", 7);
	append_trailer();
	append_zeros(12);
	append_entry("070701", 3, S_IFCHR | 0600, "dev/console", "", 0);
	append_trailer();
}

TEST(cut_at_every_byte)
{
	struct cpio_reader reader;

	make_mixed();
	check_good(4);
	for (size_t size = 0; size < archive_size; size++) {
		int got = read_all(size, &reader);

		/* Whole: nothing at all, one of two archives, or only the last padding missing. */
		CHECK(got == -EINVAL || got == 0 || got == 3 || got == 4);
		CHECK(got != 0 || !size);
		CHECK(got != 4 || archive_size - size < 4);
	}
}

static void mutate_once(void)
{
	static const char plausible[] = "0123456789abcdefABCDEF";
	size_t at = unit_random_below(archive_size);

	switch (unit_random_below(5)) {
	case 0:
		archive[at] = (u8)unit_random();
		break;
	case 1:
		archive[at] = (u8)plausible[unit_random_below(sizeof(plausible))];
		break;
	case 2:
		archive[at] ^= 1 << unit_random_below(8);
		break;
	case 3: /* a digit of the first header: sizes and all */
		archive[unit_random_below(NAME_OFFSET)] =
			(u8)plausible[unit_random_below(sizeof(plausible))];
		break;
	case 4: { /* one piece over another */
		size_t n = unit_random_below(64), from = unit_random_below(archive_size);

		n = min(n, archive_size - max(at, from));
		memmove(archive + at, archive + from, n);
		break;
	}
	}
}

TEST(random_mutations)
{
	struct cpio_reader reader;

	for (int round = 0; round < 100000; round++) {
		make_mixed();
		for (u64 n = 1 + unit_random_below(4); n; n--)
			mutate_once();
		read_all(unit_random() % 4 ? archive_size : unit_random_below(archive_size + 1),
			 &reader);
	}
}
