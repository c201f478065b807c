#include "base/text.h"

#include <string.h>
#include <strings.h>

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
mu_text_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
mu_text_equal_fold(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

bool
mu_text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* RFC 3629 section 4: how long a sequence is and the range of its second byte. */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	if (s[0] == 0xed)
		high = 0x9f;
	if (s[0] == 0xf0)
		low = 0x90;
	if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool
mu_utf8_valid(const char *bytes, size_t bytes_count)
{
	const unsigned char *s = (const unsigned char *)bytes;

	for (size_t at = 0; at < bytes_count;) {
		size_t length = utf8_length(s + at, bytes_count - at);

		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

void
mu_text_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

void
mu_hex_format(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = bytes;

	mu_buf_reserve(b, 2 * bytes_count);
	for (size_t i = 0; i < bytes_count; i++) {
		mu_buf_char_add(b, digits[s[i] >> 4]);
		mu_buf_char_add(b, digits[s[i] & 15]);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
mu_hex_parse(const char *text, void *out_bytes, size_t bytes_count)
{
	unsigned char *out = out_bytes;

	if (strlen(text) != 2 * bytes_count)
		return false;
	for (size_t i = 0; i < 2 * bytes_count; i++)
		if (hex_digit(text[i]) < 0)
			return false;
	for (size_t i = 0; i < bytes_count; i++)
		out[i] = (unsigned char)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return true;
}

void
mu_base64url_format(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	const unsigned char *s = bytes;

	mu_buf_reserve(b, bytes_count * 4 / 3 + 4);
	for (size_t i = 0; i < bytes_count; i += 3) {
		size_t left = bytes_count - i;
		uint32_t v = (uint32_t)s[i] << 16;

		if (left > 1)
			v |= (uint32_t)s[i + 1] << 8;
		if (left > 2)
			v |= s[i + 2];
		mu_buf_char_add(b, base64url[v >> 18]);
		mu_buf_char_add(b, base64url[v >> 12 & 63]);
		if (left > 1)
			mu_buf_char_add(b, base64url[v >> 6 & 63]);
		if (left > 2)
			mu_buf_char_add(b, base64url[v & 63]);
	}
}

static int
base64url_digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(base64url, c);

	return at == NULL ? -1 : (int)(at - base64url);
}

bool
mu_base64url_parse(const char *text, size_t text_bytes, struct mu_buf *b)
{
	size_t before = b->size_bytes;
	uint32_t held = 0;
	unsigned int held_bits = 0;

	if (text_bytes % 4 == 1)
		return false;
	for (size_t i = 0; i < text_bytes; i++) {
		int digit = base64url_digit(text[i]);

		if (digit < 0)
			goto bad;
		held = held << 6 | (uint32_t)digit;
		held_bits += 6;
		if (held_bits >= 8) {
			held_bits -= 8;
			mu_buf_char_add(b, (char)(unsigned char)(held >> held_bits & 0xff));
		}
	}
	if ((held & ((1u << held_bits) - 1)) != 0)
		goto bad;
	return true;
bad:
	b->size_bytes = before;
	if (b->data != NULL)
		b->data[before] = '\0';
	return false;
}

bool
mu_int_parse(const char *text, int64_t min, int64_t max, int64_t *out_value)
{
	bool minus = text[0] == '-';
	const char *digits = minus ? text + 1 : text;
	int64_t value = 0;

	if (digits[0] < '0' || digits[0] > '9' || (digits[0] == '0' && (digits[1] != '\0' || minus)))
		return false;
	for (const char *at = digits; *at != '\0'; at++) {
		int64_t digit = *at - '0';

		if (*at < '0' || *at > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, minus ? -digit : digit, &value))
			return false;
	}
	if (value < min || value > max)
		return false;
	*out_value = value;
	return true;
}

void
mu_field_format(struct mu_buf *b, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t left = strlen(value);
	bool quote = left == 0 || strpbrk(value, " =\"\\") != NULL;

	for (size_t i = 0; i < left && !quote; i++)
		quote = s[i] < 0x20 || s[i] >= 0x7f;
	if (!quote) {
		mu_buf_text_add(b, value);
		return;
	}
	mu_buf_char_add(b, '"');
	while (left > 0) {
		size_t length = utf8_length(s, left);
		/* C1 controls and the bidirectional marks are spelled out: logs end on terminals. */
		bool plain = length > 0 && s[0] >= 0x20 && s[0] != 0x7f && s[0] != '"' && s[0] != '\\' &&
		    !(length == 2 && s[0] == 0xc2 && s[1] < 0xa0) && !(length == 3 && s[0] == 0xe2 &&
		    (s[1] == 0x80 || s[1] == 0x81));

		if (length == 0)
			length = 1;
		for (size_t i = 0; i < length; i++) {
			if (plain)
				mu_buf_char_add(b, (char)s[i]);
			else
				mu_buf_format(b, "\\x%02x", s[i]);
		}
		s += length;
		left -= length;
	}
	mu_buf_char_add(b, '"');
}
