/*
 * Formatted output into a buffer. Any context, also a panic: no locks, no allocation.
 *
 * One conversion runs in three steps: parse_spec() reads %..., the conversion's function turns
 * the argument into text, and put_field() writes that with its prefix and padding.
 */
#include <kernel/lib/printf.h>

#include <kernel/lib/string.h>

const char *(*printf_symbol_hook)(u64 address, char *buf, size_t size);

#define SYMBOL_SIZE    128
#define DIGITS_SIZE    22 /* of 2^64 - 1 in octal */
#define NO_PRECISION   (-1)
#define POINTER_DIGITS 16

struct output {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, fitting or not */
};

struct spec {
	bool left, plus, space, alternate, zero; /* - + space # 0 */
	int width;
	int precision;
	int bytes;	 /* size of an integer argument */
	char conversion; /* d, x, s, ... */
};

/* va_list may be an array type: inside a struct it can be handed on by pointer. */
struct arguments {
	va_list list;
};

static void put(struct output *out, char c)
{
	if (out->len < out->size)
		out->buf[out->len] = c;
	out->len++;
}

static void put_repeated(struct output *out, char c, int count)
{
	while (count-- > 0)
		put(out, c);
}

static void put_bytes(struct output *out, const char *s, int len)
{
	for (int i = 0; i < len; i++)
		put(out, s[i]);
}

/* [spaces] prefix [zeros] body [spaces], as wide as the spec asks. */
static void put_field(struct output *out, const struct spec *spec, const char *prefix, int zeros,
		      const char *body, int len)
{
	int prefix_len = (int)strlen(prefix);
	int pad = spec->width - prefix_len - zeros - len;

	if (!spec->left)
		put_repeated(out, ' ', pad);
	put_bytes(out, prefix, prefix_len);
	put_repeated(out, '0', zeros);
	put_bytes(out, body, len);
	if (spec->left)
		put_repeated(out, ' ', pad);
}

static void put_string(struct output *out, const struct spec *spec, const char *s)
{
	size_t max = spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision;

	if (!s)
		s = "(null)";
	put_field(out, spec, "", 0, s, (int)strnlen(s, max));
}

static void put_number(struct output *out, const struct spec *spec, u64 value, const char *prefix)
{
	const char *alphabet = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned int base = 10;
	char digits[DIGITS_SIZE];
	int start = DIGITS_SIZE, len, zeros;

	if ((spec->conversion | 0x20) == 'x')
		base = 16;
	else if (spec->conversion == 'o')
		base = 8;

	for (u64 rest = value; rest; rest /= base)
		digits[--start] = alphabet[rest % base];
	len = DIGITS_SIZE - start;

	if (spec->precision != NO_PRECISION)
		zeros = spec->precision - len;
	else if (spec->zero && !spec->left)
		zeros = spec->width - (int)strlen(prefix) - len;
	else
		zeros = 0;
	/* A plain zero still has one digit, and # gives an octal number a leading zero. */
	if (!len && spec->precision == NO_PRECISION)
		zeros = max(zeros, 1);
	if (base == 8 && spec->alternate)
		zeros = max(zeros, 1);

	put_field(out, spec, prefix, max(zeros, 0), digits + start, len);
}

static void put_signed(struct output *out, const struct spec *spec, s64 value)
{
	const char *sign = spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, value < 0 ? 0 - (u64)value : (u64)value, value < 0 ? "-" : sign);
}

static void put_unsigned(struct output *out, const struct spec *spec, u64 value)
{
	const char *prefix = "";

	if (spec->alternate && value && (spec->conversion | 0x20) == 'x')
		prefix = spec->conversion == 'x' ? "0x" : "0X";
	put_number(out, spec, value, prefix);
}

static void put_ip4(struct output *out, const struct spec *spec, const u8 *ip)
{
	char text[sizeof("255.255.255.255")];

	snprintf(text, sizeof(text), "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	put_string(out, spec, text);
}

static void put_mac(struct output *out, const struct spec *spec, const u8 *mac)
{
	char text[sizeof("00:00:00:00:00:00")];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	put_string(out, spec, text);
}

/* Handles the letters after %p and returns what follows them. */
static const char *put_pointer(struct output *out, const struct spec *spec, const void *pointer,
			       const char *format)
{
	char name[SYMBOL_SIZE];

	if (format[0] == 'I' && format[1] == '4') {
		put_ip4(out, spec, pointer);
		return format + 2;
	}
	if (format[0] == 'M') {
		put_mac(out, spec, pointer);
		return format + 1;
	}
	if (format[0] == 'S') {
		format++;
		if (printf_symbol_hook) {
			put_string(out, spec,
				   printf_symbol_hook((uintptr_t)pointer, name, sizeof(name)));
			return format;
		}
	}
	struct spec hex = { .width = spec->width,
			    .left = spec->left,
			    .precision = POINTER_DIGITS,
			    .conversion = 'x' };

	put_number(out, &hex, (uintptr_t)pointer, "0x");
	return format;
}

static u64 fetch_unsigned(struct arguments *args, const struct spec *spec)
{
	if (spec->bytes == sizeof(u64))
		return va_arg(args->list, u64);

	u64 value = va_arg(args->list, unsigned int);

	return value & (BIT(8 * spec->bytes) - 1);
}

static s64 fetch_signed(struct arguments *args, const struct spec *spec)
{
	int unused_bits = 64 - 8 * spec->bytes;

	return (s64)(fetch_unsigned(args, spec) << unused_bits) >> unused_bits;
}

/* A width or a precision: digits, or * and an int argument. */
static const char *parse_int(const char *format, struct arguments *args, int *out)
{
	if (*format == '*') {
		*out = va_arg(args->list, int);
		return format + 1;
	}
	for (*out = 0; isdigit_ascii(*format); format++)
		*out = *out * 10 + (*format - '0');
	return format;
}

static const char *parse_flags(const char *format, struct spec *spec)
{
	for (;; format++) {
		switch (*format) {
		case '-':
			spec->left = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		case '0':
			spec->zero = true;
			break;
		default:
			return format;
		}
	}
}

static const char *parse_length(const char *format, struct spec *spec)
{
	static const struct {
		char text[3];
		u8 bytes;
	} lengths[] = {
		{ "hh", sizeof(char) },	   { "h", sizeof(short) },  { "ll", sizeof(long long) },
		{ "l", sizeof(long) },	   { "z", sizeof(size_t) }, { "t", sizeof(ptrdiff_t) },
		{ "j", sizeof(intmax_t) },
	};

	spec->bytes = sizeof(int);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t n = strlen(lengths[i].text);

		if (!strncmp(format, lengths[i].text, n)) {
			spec->bytes = lengths[i].bytes;
			return format + n;
		}
	}
	return format;
}

/* Reads all between % and the conversion; returns what follows the conversion. */
static const char *parse_spec(const char *format, struct arguments *args, struct spec *spec)
{
	*spec = (struct spec){ .precision = NO_PRECISION };
	format = parse_flags(format, spec);
	format = parse_int(format, args, &spec->width);
	if (spec->width < 0) { /* only from *: it means the - flag */
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*format == '.') {
		format = parse_int(format + 1, args, &spec->precision);
		if (spec->precision < 0) /* only from *: as if there were none */
			spec->precision = NO_PRECISION;
	}
	format = parse_length(format, spec);
	spec->conversion = *format;
	return *format ? format + 1 : format;
}

static const char *convert(struct output *out, const char *format, struct arguments *args)
{
	struct spec spec;
	char c;

	format = parse_spec(format, args, &spec);
	switch (spec.conversion) {
	case 'd':
	case 'i':
		put_signed(out, &spec, fetch_signed(args, &spec));
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_unsigned(out, &spec, fetch_unsigned(args, &spec));
		break;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_field(out, &spec, "", 0, &c, 1);
		break;
	case 's':
		put_string(out, &spec, va_arg(args->list, const char *));
		break;
	case 'p':
		return put_pointer(out, &spec, va_arg(args->list, const void *), format);
	case '%':
		put(out, '%');
		break;
	default: /* unknown: show it, so that it gets noticed */
		put(out, '%');
		if (spec.conversion)
			put(out, spec.conversion);
	}
	return format;
}

int vsnprintf(char *buf, size_t size, const char *format, va_list list)
{
	struct output out = { .buf = buf, .size = size };
	struct arguments args;

	va_copy(args.list, list);
	while (*format) {
		char c = *format++;

		if (c == '%')
			format = convert(&out, format, &args);
		else
			put(&out, c);
	}
	va_end(args.list);
	if (size)
		buf[min(out.len, size - 1)] = '\0';
	return (int)out.len;
}

int snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(buf, size, format, args);

	va_end(args);
	return len;
}

int vscnprintf(char *buf, size_t size, const char *format, va_list args)
{
	int len = vsnprintf(buf, size, format, args);

	return (size_t)len < size ? len : size ? (int)size - 1 : 0;
}

int scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vscnprintf(buf, size, format, args);

	va_end(args);
	return len;
}
