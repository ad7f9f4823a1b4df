/*
 * The "newc" cpio format. An entry is a header, a name and the data; header and name together,
 * and the data, are padded with zeros to a multiple of four:
 *
 *	magic      6 characters: 070701, or 070702 if the checksum is in use
 *	13 fields  8 hex digits each, in the order of enum field
 *	name       NAMESIZE bytes, the last of them zero
 *	data       FILESIZE bytes
 *
 * An entry called TRAILER!!! ends an archive. Any context; no locks, no state but the caller's.
 */
#include <kernel/lib/cpio.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>

#define MAGIC	       "070701"
#define MAGIC_CHECKSUM "070702"
#define MAGIC_SIZE     6
#define FIELD_DIGITS   8
#define ALIGNMENT      4
#define TRAILER	       "TRAILER!!!"
#define TYPE_MASK      0170000 /* of mode, as in struct stat */
#define TYPE_REGULAR   0100000

enum field {
	INO,
	MODE,
	UID,
	GID,
	NLINK,
	MTIME,
	FILESIZE,
	DEVMAJOR,
	DEVMINOR,
	RDEVMAJOR,
	RDEVMINOR,
	NAMESIZE,
	CHECK,
	FIELDS
};

#define HEADER_SIZE (MAGIC_SIZE + FIELDS * FIELD_DIGITS)

void cpio_init(struct cpio_reader *reader, const void *start, size_t size)
{
	*reader = (struct cpio_reader){ .start = start, .size = size };
}

static int fail(struct cpio_reader *reader, const char *error)
{
	reader->error = error;
	return -EINVAL;
}

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' - 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_fields(const u8 *text, u32 field[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		field[i] = 0;
		for (int k = 0; k < FIELD_DIGITS; k++) {
			int digit = hex_digit(*text++);

			if (digit < 0)
				return false;
			field[i] = field[i] << 4 | (u32)digit;
		}
	}
	return true;
}

/* Ends with a zero, and holds only zeros behind its first: some tools pad names to align data. */
static bool name_is_good(const char *name, u32 size)
{
	size_t len = strnlen(name, size);

	if (!len || len == size)
		return false;
	while (len < size && !name[len])
		len++;
	return len == size;
}

static u32 sum_of_bytes(const u8 *data, u32 size)
{
	u32 sum = 0;

	while (size--)
		sum += *data++;
	return sum;
}

/* Reads the entry at reader->offset, and steps over it if nothing is wrong with it. */
static int read_entry(struct cpio_reader *reader, struct cpio_entry *entry)
{
	const u8 *header = reader->start + reader->offset;
	size_t left = reader->size - reader->offset;
	u32 field[FIELDS];

	if (left < HEADER_SIZE)
		return fail(reader, "the archive ends before its trailer");
	bool checksum = !memcmp(header, MAGIC_CHECKSUM, MAGIC_SIZE);
	if (!checksum && memcmp(header, MAGIC, MAGIC_SIZE))
		return fail(reader, "not a newc cpio header (no magic 070701 or 070702)");
	if (!parse_fields(header + MAGIC_SIZE, field))
		return fail(reader, "a character that is no hex digit in a header");
	if (field[NAMESIZE] > CPIO_NAME_MAX)
		return fail(reader, "a name of more than 4095 bytes");

	size_t data_at = ALIGN_UP((size_t)HEADER_SIZE + field[NAMESIZE], ALIGNMENT);
	size_t end = data_at + field[FILESIZE];

	/* The zeros that align the very end of the archive may be missing. */
	if (!field[FILESIZE])
		end = HEADER_SIZE + field[NAMESIZE];
	if (end > left)
		return fail(reader, "the archive ends inside an entry");

	const char *name = (const char *)header + HEADER_SIZE;
	const u8 *data = header + min(data_at, left);

	if (!name_is_good(name, field[NAMESIZE]))
		return fail(reader, "a name that is empty or does not end where it should");
	if (checksum && (field[MODE] & TYPE_MASK) == TYPE_REGULAR &&
	    sum_of_bytes(data, field[FILESIZE]) != field[CHECK])
		return fail(reader, "the data does not match its checksum");

	*entry = (struct cpio_entry){
		.ino = field[INO],
		.mode = field[MODE],
		.uid = field[UID],
		.gid = field[GID],
		.nlink = field[NLINK],
		.mtime = field[MTIME],
		.devmajor = field[DEVMAJOR],
		.devminor = field[DEVMINOR],
		.rdevmajor = field[RDEVMAJOR],
		.rdevminor = field[RDEVMINOR],
		.name = name,
		.data = data,
		.filesize = field[FILESIZE],
	};
	reader->offset += min(ALIGN_UP(end, (size_t)ALIGNMENT), left);
	return 1;
}

/* Steps over the zeros between archives; 0 if nothing else is left. */
static int find_archive(struct cpio_reader *reader)
{
	static const struct {
		char magic[5];
		const char *error;
	} compressions[] = {
		{ "\x1f\x8b", "the archive is compressed (gzip); unpack it first" },
		{ "\xfd"
		  "7zX",
		  "the archive is compressed (xz); unpack it first" },
		{ "\x28\xb5\x2f\xfd", "the archive is compressed (zstd); unpack it first" },
	};

	while (reader->offset < reader->size && !reader->start[reader->offset])
		reader->offset++;
	if (reader->offset == reader->size)
		return 0;

	const u8 *found = reader->start + reader->offset;
	size_t left = reader->size - reader->offset;

	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		size_t n = strlen(compressions[i].magic);

		if (left >= n && !memcmp(found, compressions[i].magic, n))
			return fail(reader, compressions[i].error);
	}
	if (reader->offset % ALIGNMENT)
		return fail(reader, "an archive that does not start at a multiple of four");
	reader->inside = true;
	reader->archive++;
	return 1;
}

int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry)
{
	int got = 1;

	if (reader->error)
		return -EINVAL;
	for (;;) {
		if (!reader->inside)
			got = find_archive(reader);
		if (got > 0)
			got = read_entry(reader, entry);
		if (got <= 0 || strcmp(entry->name, TRAILER))
			return got;
		reader->inside = false;
	}
}
