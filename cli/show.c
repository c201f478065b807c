#include "cli/show.h"

#include "base/clock.h"
#include "base/text.h"
#include "json/write.h"

#include <assert.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define GAP		2
#define SPACES		"  "

/* --- Escapes ---------------------------------------------------------------------------------- */

void
show_locale(void)
{
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		(void)setlocale(LC_CTYPE, "");
	tzset();
}

/* Turns the direction of what stands around it, ends the line, or is there and cannot be seen. */
static bool
is_deceptive(wchar_t c)
{
	/* UAX #9 */
	return c == 0x61c || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x2060 && c <= 0x2064) ||
	    c == 0xfeff ||
	    (c >= 0xe0000 && c <= 0xe007f);	/* tags */
}

static bool
is_plain(wchar_t c)
{
	return !is_deceptive(c) && wcwidth(c) >= 0;
}

/* The bytes of the character at the front, 0: none. */
static size_t
char_read(const char *bytes, size_t left, wchar_t *out_c)
{
	mbstate_t state = { 0 };
	size_t length = mbrtowc(out_c, bytes, left, &state);

	return length >= (size_t)-2 || length == 0 || !mu_utf8_valid(bytes, length) ? 0 : length;
}

void
show_escape(struct mu_buf *b, const char *bytes, size_t bytes_count)
{
	for (size_t at = 0; at < bytes_count;) {
		wchar_t c = 0;
		size_t length = char_read(bytes + at, bytes_count - at, &c);

		if (length == 0 || (c < 0x80 && !is_plain(c)))
			mu_buf_format(b, "\\x%02x", (unsigned char)bytes[at]);
		else if (!is_plain(c))
			mu_buf_format(b, "\\u{%x}", (unsigned)c);
		else
			mu_buf_add(b, bytes + at, length);
		at += length == 0 ? 1 : length;
	}
}

size_t
show_width(const char *escaped)
{
	size_t width = 0, left = strlen(escaped);

	while (left > 0) {
		wchar_t c = 0;
		size_t length = char_read(escaped, left, &c);
		int columns = length == 0 ? 1 : wcwidth(c);

		width += columns < 0 ? 1 : (size_t)columns;
		length = length == 0 ? 1 : length;
		escaped += length;
		left -= length;
	}
	return width;
}

void
show_line(FILE *to, const char *fmt, ...)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf line = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *text = NULL;
	va_list values;
	int length;

	va_start(values, fmt);
	length = vasprintf(&text, fmt, values);
	va_end(values);
	if (length < 0)
		return;
	show_escape(&line, text, (size_t)length);
	explicit_bzero(text, (size_t)length);
	(void)fprintf(to, "%s\n", mu_buf_text(&line));
}

void
show_text(FILE *to, const char *text)
{
	while (*text != '\0') {
		size_t bytes = strcspn(text, "\n");

		show_line(to, "%.*s", (int)bytes, text);
		text += bytes + (text[bytes] == '\n');
	}
}

/* In canonical JSON, whatever is not plain stands within a string. */
void
show_json(FILE *to, const char *json)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf line = MU_BUF_INIT;
	size_t left = strlen(json);

	mu_buf_reserve(&line, left + 1);
	while (left > 0) {
		wchar_t c = 0;
		size_t length = char_read(json, left, &c);

		if (length > 0 && is_plain(c))
			mu_buf_add(&line, json, length);
		else if (length == 0)
			mu_buf_text_add(&line, "\\ufffd");
		else if (c < 0x10000)
			mu_buf_format(&line, "\\u%04x", (unsigned)c);
		else
			mu_buf_format(&line, "\\u%04x\\u%04x",
			    0xd800 + (((unsigned)c - 0x10000) >> 10),
			    0xdc00 + ((unsigned)c & 0x3ff));
		length = length == 0 ? 1 : length;
		json += length;
		left -= length;
	}
	(void)fprintf(to, "%s\n", mu_buf_text(&line));
	(void)fflush(to);
}

void
show_node(FILE *to, const struct json_node *n)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (json_canonical(n, &text, &err) == MU_OK)
		show_json(to, mu_buf_text(&text));
}

/* --- Values ----------------------------------------------------------------------------------- */

static void
time_format(struct mu_buf *b, int64_t at_s)
{
	time_t at = (time_t)at_s;
	char text[40];
	struct tm local;

	if (localtime_r(&at, &local) == NULL || strftime(text, sizeof(text), "%F %T", &local) == 0)
		mu_time_format(b, at_s);
	else
		mu_buf_text_add(b, text);
}

static void value_format(struct mu_buf *b, const struct json_node *n);

struct members {
	struct mu_buf *b;
	const struct show_column *columns;	/* whose members are left out; NULL: none */
	bool any;
};

static bool
member_format(void *ctx, const char *name, const struct json_node *value)
{
	struct members *m = ctx;

	for (const struct show_column *at = m->columns; at != NULL && at->title != NULL; at++)
		if (strcmp(at->member, name) == 0)
			return true;
	if (json_kind(value) == JSON_KIND_NULL || mu_text_equal(json_node_text(value), ""))
		return true;
	mu_buf_text_add(m->b, m->any ? ", " : "");
	show_escape(m->b, name, strlen(name));
	mu_buf_char_add(m->b, '=');
	value_format(m->b, value);
	m->any = true;
	return true;
}

static void
object_format(struct mu_buf *b, const struct json_node *n, const struct show_column *columns)
{
	const char *name = json_find_text(n, "name"), *uid = json_find_text(n, "uid");
	struct members m = { b, columns, false };

	if (columns == NULL && name != NULL && uid != NULL) {
		show_escape(b, name, strlen(name));
		mu_buf_text_add(b, " (");
		show_escape(b, uid, strlen(uid));
		mu_buf_char_add(b, ')');
	} else {
		json_each(n, member_format, &m);
	}
}

static void
value_format(struct mu_buf *b, const struct json_node *n)
{
	int64_t number = 0;
	double fraction = 0;
	bool yes = false;
	const char *text;

	if (n == NULL)
		return;
	switch (json_kind(n)) {
	case JSON_KIND_NULL:
		return;
	case JSON_KIND_BOOL:
		(void)json_node_bool(n, &yes);
		mu_buf_text_add(b, yes ? "yes" : "no");
		return;
	case JSON_KIND_INT:
		(void)json_node_int(n, &number);
		mu_buf_format(b, "%lld", (long long)number);
		return;
	case JSON_KIND_DOUBLE:
		(void)json_node_double(n, &fraction);
		mu_buf_format(b, "%g", fraction);
		return;
	case JSON_KIND_TEXT:
		text = json_node_text(n);
		if (mu_time_parse(text, &number))
			time_format(b, number);
		else
			show_escape(b, text, strlen(text));
		return;
	case JSON_KIND_LIST:
		for (size_t i = 0; i < json_count(n); i++) {
			mu_buf_text_add(b, i == 0 ? "" : ", ");
			value_format(b, json_at(n, i));
		}
		return;
	case JSON_KIND_OBJECT:
		object_format(b, n, NULL);
		return;
	}
}

/* The member of that path, NULL if it is not there. */
static const struct json_node *
member_find(const struct json_node *object, const char *path)
{
	while (object != NULL) {
		size_t bytes = strcspn(path, ".");
		char name[64];

		assert(bytes < sizeof(name));
		(void)memcpy(name, path, bytes);
		name[bytes] = '\0';
		object = json_find(object, name);
		if (path[bytes] == '\0')
			return object;
		path += bytes + 1;
	}
	return NULL;
}

static void
cell_format(struct mu_buf *b, const struct show_column *columns, size_t column,
    const struct json_node *row)
{
	if (strcmp(columns[column].member, "*") == 0)
		object_format(b, row, columns);
	else
		value_format(b, member_find(row, columns[column].member));
}

/* --- Tables ----------------------------------------------------------------------------------- */

void
show_table_init(struct show_table *t, const struct show_column *columns, bool sparse)
{
	*t = (struct show_table){ .columns = columns, .sparse = sparse };
	while (columns[t->column_count].title != NULL)
		t->column_count++;
	t->widths = mu_alloc_zero(t->column_count, sizeof(*t->widths));
	for (size_t i = 0; i < t->column_count && !sparse; i++)
		t->widths[i] = show_width(columns[i].title);
}

void
show_table_add(struct show_table *t, const struct json_node *row)
{
	size_t at = t->row_count++ * t->column_count;

	t->cells = mu_alloc_again(t->cells, t->row_count * t->column_count, sizeof(*t->cells));
	for (size_t i = 0; i < t->column_count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf cell = MU_BUF_INIT;
		size_t width;

		cell_format(&cell, t->columns, i, row);
		t->cells[at + i] = mu_strdup(mu_buf_text(&cell));
		width = show_width(t->cells[at + i]);
		if (width > 0 && width < show_width(t->columns[i].title))
			width = show_width(t->columns[i].title);
		t->widths[i] = width > t->widths[i] ? width : t->widths[i];
	}
}

/* cells NULL: the header. The last column is not filled up. */
static void
row_print(const struct show_table *t, char *const *cells, FILE *to)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
	size_t owed = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		const char *text = cells == NULL ? t->columns[i].title : cells[i][0] == '\0' ? "-" :
		    cells[i];
		size_t width = show_width(text);

		if (t->widths[i] == 0)
			continue;
		for (; owed > 0; owed--)
			mu_buf_char_add(&line, ' ');
		mu_buf_text_add(&line, text);
		owed = (t->widths[i] > width ? t->widths[i] - width : 0) + GAP;
	}
	(void)fprintf(to, "%s\n", mu_buf_text(&line));
}

static void
rows_forget(struct show_table *t)
{
	for (size_t i = 0; i < t->row_count * t->column_count; i++)
		mu_free(t->cells[i]);
	t->row_count = 0;
}

void
show_table_print(struct show_table *t, FILE *to)
{
	if (!t->has_header && t->row_count > 0)
		row_print(t, NULL, to);
	t->has_header = t->has_header || t->row_count > 0;
	for (size_t i = 0; i < t->row_count; i++)
		row_print(t, t->cells + i * t->column_count, to);
	rows_forget(t);
}

void
show_table_clear(struct show_table *t)
{
	rows_forget(t);
	mu_free(t->cells);
	mu_free(t->widths);
	*t = (struct show_table){ .column_count = 0 };
}

void
show_list(FILE *to, const struct show_column *columns, bool sparse, const struct json_node *list)
{
	MU_AUTO(show_table_clear) struct show_table t;

	show_table_init(&t, columns, sparse);
	for (size_t i = 0; i < json_count(list); i++)
		show_table_add(&t, json_at(list, i));
	show_table_print(&t, to);
}

void
show_facts(FILE *to, const struct show_column *rows, const struct json_node *object)
{
	size_t width = 0;

	for (const struct show_column *at = rows; at->title != NULL; at++)
		width = strlen(at->title) > width ? strlen(at->title) : width;
	for (size_t i = 0; rows[i].title != NULL; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf value = MU_BUF_INIT;

		cell_format(&value, rows, i, object);
		if (value.size_bytes > 0)
			(void)fprintf(to, "%-*s%s\n", (int)(width + GAP), rows[i].title,
			    mu_buf_text(&value));
	}
}

void
show_member(FILE *to, const char *title, const struct json_node *value)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
	const char *text = json_node_text(value);

	show_escape(&line, title, strlen(title));
	if (text != NULL && strchr(text, '\n') != NULL) {
		(void)fprintf(to, "%s\n", mu_buf_text(&line));
		show_text(to, text);
		return;
	}
	mu_buf_add(&line, SPACES, GAP);
	value_format(&line, value);
	(void)fprintf(to, "%s\n", mu_buf_text(&line));
}
