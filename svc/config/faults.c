#include "config/yaml.h"

#include "config/yaml_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FAULT_MAX_BYTES 600
#define NEAR_MAX_BYTES 64

void
config_faults_clear(struct config_faults *f)
{
	for (size_t i = 0; i < f->count; i++) {
		mu_free(f->list[i].file);
		mu_free(f->list[i].text);
	}
	mu_free(f->list);
	*f = (struct config_faults)CONFIG_FAULTS_INIT;
}

static int
order(const struct config_fault_row *a, const struct config_fault_row *b)
{
	int files = strcmp(a->file, b->file);

	if (files != 0)
		return files;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return 0;
}

/*
 * A fresh copy that a terminal shows as one line: what was quoted from a file may hold controls or
 * marks that turn the direction of writing.
 */
static char *
tame(const char *text)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	const unsigned char *s = (const unsigned char *)text;

	for (; *s != '\0' && b.size_bytes < FAULT_MAX_BYTES; s++) {
		if (*s < 0x20 || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0) ||
		    (s[0] == 0xe2 && (s[1] == 0x80 || s[1] == 0x81))) {
			mu_buf_format(&b, "\\x%02x", *s);
			for (; (s[1] & 0xc0) == 0x80; s++)
				mu_buf_format(&b, "\\x%02x", s[1]);
			continue;
		}
		mu_buf_char_add(&b, (char)*s);
		for (; (s[1] & 0xc0) == 0x80; s++)
			mu_buf_char_add(&b, (char)s[1]);
	}
	if (*s != '\0')
		mu_buf_text_add(&b, "...");
	return mu_strdup(mu_buf_text(&b));
}

static MU_PRINTF(5, 0) void
fault_add(struct config_faults *f, const char *file, uint32_t line, uint32_t column, const char *fmt,
    va_list ap)
{
	struct config_fault_row row = { NULL, NULL, line, column };
	char text[8 * FAULT_MAX_BYTES];
	size_t at = f->count;

	if (f->count == CONFIG_FAULTS_MAX) {
		f->more_count++;
		return;
	}
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	row.file = tame(file);
	row.text = tame(text);
	f->list = mu_alloc_again(f->list, f->count + 1, sizeof(*f->list));
	for (; at > 0 && order(&f->list[at - 1], &row) > 0; at--)
		f->list[at] = f->list[at - 1];
	f->list[at] = row;
	f->count++;
}

void
config_fault(struct config_faults *f, const struct config_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_add(f, config_doc_name(at->doc), at->line, at->column, fmt, ap);
	va_end(ap);
}

void
config_fault_file(struct config_faults *f, const char *file, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_add(f, file, 0, 0, fmt, ap);
	va_end(ap);
}

static void
row_format(const struct config_fault_row *row, struct mu_buf *b)
{
	mu_buf_text_add(b, row->file);
	if (row->line > 0)
		mu_buf_format(b, ":%u:%u", row->line, row->column);
	mu_buf_format(b, ": %s", row->text);
}

void
config_faults_format(const struct config_faults *f, struct mu_buf *b)
{
	for (size_t i = 0; i < f->count; i++) {
		row_format(&f->list[i], b);
		mu_buf_char_add(b, '\n');
	}
	if (f->more_count > 0)
		mu_buf_format(b, "and %zu more: mend these first\n", f->more_count);
}

enum mu_rc
config_faults_fail(const struct config_faults *f, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	size_t others;

	if (f->count == 0)
		return MU_OK;
	row_format(&f->list[0], &b);
	others = f->count - 1 + f->more_count;
	if (others > 0)
		return mu_fail(err, MU_ECONFIG, "%.400s (and %zu more)", b.data, others);
	return mu_fail(err, MU_ECONFIG, "%s", b.data);
}

/* --- Did you mean ----------------------------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Letters to change, add, drop or swap with their neighbour; without regard to ASCII case. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][NEAR_MAX_BYTES + 1], b_bytes = strlen(b), i = 0;

	if (strlen(a) > NEAR_MAX_BYTES || b_bytes > NEAR_MAX_BYTES)
		return SIZE_MAX;
	for (size_t k = 0; k <= b_bytes; k++)
		rows[0][k] = k;
	for (; a[i] != '\0'; i++) {
		size_t *row = rows[(i + 1) % 3], *above = rows[i % 3], *two_above = rows[(i + 2) % 3];

		row[0] = i + 1;
		for (size_t k = 0; k < b_bytes; k++) {
			bool same = lower(a[i]) == lower(b[k]);

			row[k + 1] = least(above[k] + (same ? 0 : 1), least(row[k], above[k + 1]) + 1);
			if (i > 0 && k > 0 && lower(a[i]) == lower(b[k - 1]) && lower(a[i - 1]) == lower(b[k]))
				row[k + 1] = least(row[k + 1], two_above[k - 1] + 1);
		}
	}
	return rows[i % 3][b_bytes];
}

void
config_near_init(struct config_near *near, const char *text)
{
	/* About a third of the letters may be wrong, three at most. */
	*near = (struct config_near){ text, NULL, least((strlen(text) + 1) / 3, 3) + 1 };
}

void
config_near_offer(struct config_near *near, const char *candidate)
{
	size_t cost = distance(near->text, candidate), length = least(strlen(near->text), strlen(candidate));

	/* bind_password for bind_password_file */
	if (length >= 4 && strncmp(near->text, candidate, length) == 0)
		cost = least(cost, 1);
	if (cost < near->best_cost) {
		near->best = candidate;
		near->best_cost = cost;
	}
}

void
config_names_add(struct mu_buf *b, const char *name)
{
	mu_buf_format(b, "%s%s", b->size_bytes == 0 ? "" : ", ", name);
}

void
config_near_format(const struct config_near *near, const struct mu_buf *names, struct mu_buf *b)
{
	if (near->best != NULL)
		mu_buf_format(b, ": did you mean '%s'?", near->best);
	else
		mu_buf_format(b, ": it can be %s", mu_buf_text(names));
}
