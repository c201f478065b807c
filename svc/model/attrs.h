/*
 * model/attrs.h - what the directory says of a person: mapped names and their values
 *
 * A set of attributes, sorted by name, each with its values sorted bytewise and without repeats, so
 * that equal people are equal byte for byte. Names are muster's (the left side of the attribute
 * map), compared without regard to ASCII case and kept in lower case of the map's spelling.
 */
#ifndef MODEL_ATTRS_H
#define MODEL_ATTRS_H

#include "base/buf.h"

#include <stdbool.h>

struct attr {
	char *name;
	char **values;
	size_t value_count;
};

struct attrs {
	struct attr *list;
	size_t count;
};

#define ATTRS_INIT { NULL, 0 }

void attrs_clear(struct attrs *a);

/* Adds one value; a value that is there already changes nothing. */
void attrs_add(struct attrs *a, const char *name, const char *value);

/* NULL when absent; an attribute that is there has at least one value. Borrowed from a. */
const struct attr *attrs_find(const struct attrs *a, const char *name);

/* The first value, NULL when absent. Borrowed from a. */
const char *attrs_first(const struct attrs *a, const char *name);

bool attrs_equal(const struct attrs *a, const struct attrs *b);
void attrs_copy(struct attrs *out, const struct attrs *from);

/*
 * Canonical bytes: each name and value with its length in decimal and ':' before it, names in
 * order, "3:uid1:2:ab". For hashing and for the store; attrs_decode reads them back.
 * attrs_decode returns false (out untouched) when the text is anything else.
 */
void attrs_encode(const struct attrs *a, struct mu_buf *b);
bool attrs_decode(const char *text, struct attrs *out_attrs);

/*
 * The same for whoever reads very many: attrs points into a copy of the text, and all is used again
 * by the next decode. What attrs holds is not to be changed or cleared.
 */
struct attrs_view {
	struct attrs attrs;
	char **values;			/* of all attributes, one behind the other */
	size_t room, value_room;
	struct mu_buf text;
};
#define ATTRS_VIEW_INIT { .room = 0 }
bool attrs_view_decode(struct attrs_view *v, const char *text);
void attrs_view_clear(struct attrs_view *v);

#endif
