/*
 * model/strings.h - a sorted set of strings: roles, groups
 *
 * Canonical text is the strings in bytewise order, each ended by a newline; so a member holds no
 * control character.
 */
#ifndef MODEL_STRINGS_H
#define MODEL_STRINGS_H

#include "base/buf.h"

#include <stdbool.h>

struct strings {
	char **list;
	size_t count;
};

#define STRINGS_INIT { NULL, 0 }

void strings_clear(struct strings *s);
void strings_add(struct strings *s, const char *text);		/* twice is once */
bool strings_has(const struct strings *s, const char *text);	/* bytewise */
bool strings_has_fold(const struct strings *s, const char *text);
bool strings_equal(const struct strings *a, const struct strings *b);
void strings_format(const struct strings *s, struct mu_buf *b);
bool strings_parse(const char *text, struct strings *out_strings);	/* canonical text only */

#endif
