/* Text that grows as it is written. Context: process; the caller's lock, if several write. */
#include <fs/seq_buf.h>

#include <fs/kvmalloc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>

#define FIRST_SIZE 512

/* Room for `more` bytes behind the text. */
static bool make_room(struct seq_buf *out, size_t more)
{
	size_t size = max(out->size, (size_t)FIRST_SIZE);
	char *text;

	if (out->failed)
		return false;
	while (size - out->length < more)
		size *= 2;
	if (size == out->size)
		return true;
	text = kvmalloc(size);
	if (!text) {
		out->failed = true;
		return false;
	}
	if (out->text)
		memcpy(text, out->text, out->length);
	kvfree(out->text);
	out->text = text;
	out->size = size;
	return true;
}

void seq_write(struct seq_buf *out, const void *data, size_t size)
{
	if (!make_room(out, size))
		return;
	memcpy(out->text + out->length, data, size);
	out->length += size;
}

void seq_putc(struct seq_buf *out, char c)
{
	seq_write(out, &c, 1);
}

/* The length is known only after a first attempt; the text needs a byte more, for the zero. */
void seq_printf(struct seq_buf *out, const char *format, ...)
{
	size_t room = out->size - out->length, length;
	va_list args;

	va_start(args, format);
	length = vsnprintf(out->text ? out->text + out->length : NULL, room, format, args);
	va_end(args);
	if (length >= room) {
		if (!make_room(out, length + 1))
			return;
		va_start(args, format);
		vsnprintf(out->text + out->length, length + 1, format, args);
		va_end(args);
	}
	out->length += length;
}

void seq_free(struct seq_buf *out)
{
	kvfree(out->text);
	*out = (struct seq_buf){ 0 };
}
