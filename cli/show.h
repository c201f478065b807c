/*
 * cli/show.h - what a terminal gets to see: escaped text, tables, JSON
 *
 * Text from the server, from a directory or from an argument is never printed as it came: control
 * characters (C0, C1), what turns the direction of text, whatever has no width, and bytes that are
 * not UTF-8 are shown as \x1b or \u{202e}. In JSON the same are written as JSON escapes, so that
 * its meaning stays. Widths are columns of a terminal (wcwidth), for which LC_CTYPE has to be
 * UTF-8: show_locale.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "base/buf.h"
#include "json/read.h"

#include <stdbool.h>
#include <stdio.h>

void show_locale(void);

void show_escape(struct mu_buf *b, const char *bytes, size_t bytes_count);
size_t show_width(const char *escaped);

/* One line. */
void show_line(FILE *to, const char *fmt, ...) MU_PRINTF(2, 3);
/* Lines of one text, each on its own. */
void show_text(FILE *to, const char *text);

/* Canonical JSON, on a line; flushed, so that whoever reads along has it. */
void show_json(FILE *to, const char *json);
void show_node(FILE *to, const struct json_node *n);

/*
 * A column: what of a row it shows. member is a name, or names joined by dots, or "*": all that no
 * other column shows. Times are shown in the local zone, people as "Name (uid)", lists joined.
 */
struct show_column {
	const char *title, *member;
};

struct show_table {
	const struct show_column *columns;	/* ended by { NULL } */
	bool sparse;				/* a column without content is left out */
	size_t column_count, row_count;
	char **cells;				/* column_count a row, escaped */
	size_t *widths;
	bool has_header;			/* was printed */
};

void show_table_init(struct show_table *t, const struct show_column *columns, bool sparse);
void show_table_add(struct show_table *t, const struct json_node *row);
void show_table_print(struct show_table *t, FILE *to);	/* and forgets the rows: more may follow */
void show_table_clear(struct show_table *t);

/* A table of a whole list; nothing for an empty one. */
void show_list(FILE *to, const struct show_column *columns, bool sparse,
    const struct json_node *list);

/* One object, a line for each member that is there: "title  value". */
void show_facts(FILE *to, const struct show_column *rows, const struct json_node *object);
/* One such line for one value; a text of several lines stands below its title. */
void show_member(FILE *to, const char *title, const struct json_node *value);

#endif
