#include "json/write.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define DOUBLE_DIGITS	17	/* enough to tell any two doubles apart */
#define DIGITS_BYTES	24	/* room for any long long */

/* --- Values ----------------------------------------------------------------------------------- */

static void
int_add(struct mu_buf *b, int64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (value < 0)
		digits[--at] = '-';
	mu_buf_add(b, digits + at, sizeof(digits) - at);
}

/* RFC 8785 3.2.2.2: the shortest escape, and only where one is needed. */
static void
escape_add(struct mu_buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	const char *at = c == '\0' ? NULL : strchr("\"\"\\\\\bb\tt\nn\ff\rr", c);

	if (at == NULL) {
		mu_buf_add(b, text, sizeof(text));
		return;
	}
	/* quote and backslash stand for themselves, and are their own partner above */
	text[1] = at[1];
	mu_buf_add(b, text, 2);
}

/* UTF-8 between quotes. */
static void
quoted_add(struct mu_buf *b, const char *bytes, size_t bytes_count)
{
	size_t from = 0;

	mu_buf_char_add(b, '"');
	for (size_t i = 0; i < bytes_count; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		mu_buf_add(b, bytes + from, i - from);
		escape_add(b, c);
		from = i + 1;
	}
	mu_buf_add(b, bytes + from, bytes_count - from);
	mu_buf_char_add(b, '"');
}

/* How many bytes from the start of these are a well-formed character: 0 if none are. */
static size_t
character_bytes(const char *bytes, size_t bytes_count)
{
	for (size_t length = 1; length <= 4 && length <= bytes_count; length++)
		if (bytes[0] != '\0' && mu_utf8_valid(bytes, length))
			return length;
	return bytes[0] == '\0' ? 1 : 0;	/* NUL can be escaped */
}

static void
text_add(struct mu_buf *b, const char *bytes, size_t bytes_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf mended = MU_BUF_INIT;

	if (mu_utf8_valid(bytes, bytes_count)) {
		quoted_add(b, bytes, bytes_count);
		return;
	}
	for (size_t i = 0; i < bytes_count;) {
		size_t length = character_bytes(bytes + i, bytes_count - i);

		if (length == 0)
			mu_buf_text_add(&mended, "\xef\xbf\xbd");
		else
			mu_buf_add(&mended, bytes + i, length);
		i += length == 0 ? 1 : length;
	}
	quoted_add(b, mu_buf_text(&mended), mended.size_bytes);
}

/*
 * The digits and the exponent of the shortest decimal that reads back as value, which is > 0, and of
 * those the nearest: value = d.ddd * 10^exponent. That can be one off the correctly rounded decimal
 * of the same length, where the doubles below lie closer than those above.
 */
static void
shortest(double value, char digits[DIGITS_BYTES], int *out_exponent)
{
	for (int count = 1; count <= DOUBLE_DIGITS; count++) {
		static const int nudges[] = { 0, 1, -1 };
		char text[64];
		long long whole = 0;
		long exponent;

		(void)snprintf(text, sizeof(text), "%.*e", count - 1, value);
		for (const char *at = text; *at != 'e'; at++)
			if (*at >= '0' && *at <= '9')
				whole = whole * 10 + (*at - '0');
		exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
		for (size_t i = 0; i < MU_COUNT(nudges); i++) {
			(void)snprintf(text, sizeof(text), "%llde%ld", whole + nudges[i], exponent - count + 1);
			if (strtod(text, NULL) != value)
				continue;
			(void)snprintf(digits, DIGITS_BYTES, "%lld", whole + nudges[i]);
			*out_exponent = (int)exponent + (int)strlen(digits) - count;
			return;
		}
	}
}

/* ECMA-262 Number::toString, as RFC 8785 3.2.2.3 wants it. */
static void
double_add(struct mu_buf *b, double value)
{
	char digits[DIGITS_BYTES] = "0";
	int exponent = 0, count;

	if (value < 0)
		mu_buf_char_add(b, '-');
	if (value < 0 || value > 0)
		shortest(value < 0 ? -value : value, digits, &exponent);
	count = (int)strlen(digits);
	while (count > 1 && digits[count - 1] == '0')
		count--;
	if (exponent < -6 || exponent > 20) {
		mu_buf_add(b, digits, 1);
		if (count > 1)
			mu_buf_format(b, ".%.*s", count - 1, digits + 1);
		mu_buf_format(b, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	if (exponent < 0)
		mu_buf_format(b, "0.%.*s%.*s", -exponent - 1, "00000", count, digits);
	else if (exponent >= count - 1)
		mu_buf_format(b, "%.*s%.*s", count, digits, exponent - count + 1, "00000000000000000000");
	else
		mu_buf_format(b, "%.*s.%.*s", exponent + 1, digits, count - exponent - 1,
		    digits + exponent + 1);
}

/* --- Order ------------------------------------------------------------------------------------ */

/* U+E000 to U+FFFF stand behind the surrogates that UTF-16 makes of what lies above U+FFFF. */
static int
utf16_rank(unsigned char c)
{
	return c == 0xee || c == 0xef ? c + 0x10 : c;
}

/* RFC 8785 3.2.3: by UTF-16 code units, both in UTF-8. */
static int
name_order(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t i = 0;

	while (i < a_bytes && i < b_bytes && a[i] == b[i])
		i++;
	if (i == a_bytes || i == b_bytes)
		return (a_bytes > b_bytes) - (a_bytes < b_bytes);
	return utf16_rank((unsigned char)a[i]) - utf16_rank((unsigned char)b[i]);
}

/* --- The writer ------------------------------------------------------------------------------- */

void
json_begin(struct json_writer *w, struct mu_buf *b)
{
	w->b = b;
	w->depth = 0;
	w->levels[0].object = w->levels[0].any = false;
}

void
json_end(struct json_writer *w)
{
	assert(w->depth == 0 && w->levels[0].any);
	(void)w;
}

static bool
name_plain(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name < 0x20 || *name == '"' || *name == '\\')
			return false;
	return true;
}

/* What stands before a value: the comma, and the name if there is one. */
static void
lead(struct json_writer *w, const char *name)
{
	bool object = w->levels[w->depth].object, any = w->levels[w->depth].any;

	assert(object == (name != NULL));
	assert(w->depth > 0 || !any);
	if (any)
		mu_buf_char_add(w->b, ',');
	if (object) {
		size_t bytes = strlen(name);

		assert(name_plain(name));
		assert(!any || name_order(w->b->data + w->levels[w->depth].name_at,
		    w->levels[w->depth].name_bytes, name, bytes) < 0);
		mu_buf_char_add(w->b, '"');
		w->levels[w->depth].name_at = w->b->size_bytes;
		w->levels[w->depth].name_bytes = bytes;
		mu_buf_add(w->b, name, bytes);
		mu_buf_add(w->b, "\":", 2);
	}
	w->levels[w->depth].any = true;
}

static void
level_begin(struct json_writer *w, const char *name, bool object)
{
	lead(w, name);
	mu_buf_char_add(w->b, object ? '{' : '[');
	w->depth++;
	assert(w->depth <= JSON_WRITE_DEPTH_MAX);
	w->levels[w->depth].object = object;
	w->levels[w->depth].any = false;
}

static void
level_end(struct json_writer *w, bool object)
{
	assert(w->depth > 0 && w->levels[w->depth].object == object);
	mu_buf_char_add(w->b, object ? '}' : ']');
	w->depth--;
}

void
json_object_begin(struct json_writer *w, const char *name)
{
	level_begin(w, name, true);
}

void
json_object_end(struct json_writer *w)
{
	level_end(w, true);
}

void
json_list_begin(struct json_writer *w, const char *name)
{
	level_begin(w, name, false);
}

void
json_list_end(struct json_writer *w)
{
	level_end(w, false);
}

void
json_text(struct json_writer *w, const char *name, const char *text)
{
	if (text == NULL)
		json_none(w, name);
	else
		json_text_bytes(w, name, text, strlen(text));
}

void
json_text_bytes(struct json_writer *w, const char *name, const char *bytes, size_t bytes_count)
{
	lead(w, name);
	text_add(w->b, bytes, bytes_count);
}

void
json_int(struct json_writer *w, const char *name, int64_t value)
{
	assert(value >= -JSON_INT_MAX && value <= JSON_INT_MAX);
	lead(w, name);
	int_add(w->b, value);
}

void
json_bool(struct json_writer *w, const char *name, bool value)
{
	lead(w, name);
	mu_buf_text_add(w->b, value ? "true" : "false");
}

void
json_none(struct json_writer *w, const char *name)
{
	lead(w, name);
	mu_buf_text_add(w->b, "null");
}

void
json_time(struct json_writer *w, const char *name, int64_t at_s)
{
	lead(w, name);
	mu_buf_char_add(w->b, '"');
	mu_time_format(w->b, at_s);
	mu_buf_char_add(w->b, '"');
}

void
json_uuid(struct json_writer *w, const char *name, const struct mu_uuid *uuid)
{
	char text[MU_UUID_TEXT_BYTES];

	json_text_bytes(w, name, mu_uuid_format(uuid, text), sizeof(text) - 1);
}

void
json_value(struct json_writer *w, const char *name, const char *canonical)
{
	lead(w, name);
	mu_buf_text_add(w->b, canonical);
}

/* --- Trees that others wrote ------------------------------------------------------------------ */

struct member {
	const char *name;
	const struct json_node *value;
};

struct members {
	struct member *list;
	size_t count;
};

static bool
member_take(void *ctx, const char *name, const struct json_node *value)
{
	struct members *m = ctx;

	m->list[m->count++] = (struct member){ name, value };
	return true;
}

static int
member_order(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return name_order(x->name, strlen(x->name), y->name, strlen(y->name));
}

static enum mu_rc node_add(const struct json_node *n, struct mu_buf *b, struct mu_err *err);

static enum mu_rc
object_add(const struct json_node *n, struct mu_buf *b, struct mu_err *err)
{
	struct members m = { mu_alloc_zero(json_count(n), sizeof(*m.list)), 0 };
	enum mu_rc rc = MU_OK;

	json_each(n, member_take, &m);
	qsort(m.list, m.count, sizeof(*m.list), member_order);
	mu_buf_char_add(b, '{');
	for (size_t i = 0; i < m.count && rc == MU_OK; i++) {
		if (i > 0)
			mu_buf_char_add(b, ',');
		quoted_add(b, m.list[i].name, strlen(m.list[i].name));
		mu_buf_char_add(b, ':');
		rc = node_add(m.list[i].value, b, err);
	}
	mu_buf_char_add(b, '}');
	mu_free(m.list);
	return rc;
}

static enum mu_rc
list_add(const struct json_node *n, struct mu_buf *b, struct mu_err *err)
{
	mu_buf_char_add(b, '[');
	for (size_t i = 0; i < json_count(n); i++) {
		if (i > 0)
			mu_buf_char_add(b, ',');
		if (node_add(json_at(n, i), b, err) != MU_OK)
			return err->rc;
	}
	mu_buf_char_add(b, ']');
	return MU_OK;
}

static enum mu_rc
node_add(const struct json_node *n, struct mu_buf *b, struct mu_err *err)
{
	const char *text = json_node_text(n);
	int64_t whole = 0;
	double fraction = 0;
	bool flag = false;

	switch (json_kind(n)) {
	case JSON_KIND_OBJECT:
		return object_add(n, b, err);
	case JSON_KIND_LIST:
		return list_add(n, b, err);
	case JSON_KIND_TEXT:
		quoted_add(b, text, strlen(text));
		return MU_OK;
	case JSON_KIND_INT:
		(void)json_node_int(n, &whole);
		if (whole < -JSON_INT_MAX || whole > JSON_INT_MAX)
			return mu_fail(err, MU_EINPUT, "%lld is beyond the whole numbers of "
			    "JSON", (long long)whole);
		int_add(b, whole);
		return MU_OK;
	case JSON_KIND_DOUBLE:
		(void)json_node_double(n, &fraction);
		double_add(b, fraction);
		return MU_OK;
	case JSON_KIND_BOOL:
		(void)json_node_bool(n, &flag);
		mu_buf_text_add(b, flag ? "true" : "false");
		return MU_OK;
	case JSON_KIND_NULL:
		mu_buf_text_add(b, "null");
		return MU_OK;
	}
	return MU_OK;
}

enum mu_rc
json_canonical(const struct json_node *n, struct mu_buf *b, struct mu_err *err)
{
	size_t before = b->size_bytes;

	if (node_add(n, b, err) != MU_OK) {
		b->size_bytes = before;
		b->data[before] = '\0';
		return err->rc;
	}
	return MU_OK;
}
