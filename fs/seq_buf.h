/* Text that is put together piece by piece and read later: what /proc files are made of. It grows; when
 * memory runs out it notes that and drops the rest. */
#pragma once

#include <kernel/lib/types.h>

struct seq_buf {
	char *text; /* kmalloc'd or vmalloc'd; NULL while empty */
	size_t length, size;
	bool failed; /* no memory: the text is incomplete */
};

void seq_printf(struct seq_buf *out, const char *format, ...) __printf(2, 3);
void seq_putc(struct seq_buf *out, char c);
void seq_write(struct seq_buf *out, const void *data, size_t size);
void seq_free(struct seq_buf *out);
