/*
 * json/write.h - JSON as we write it: always the canonical bytes of RFC 8785
 *
 * A struct json_writer appends to a buffer as it is called, without a tree in between. Members must
 * come in canonical order (by UTF-16 code units, which for ASCII names is strcmp), each once: that
 * is asserted, so whatever is written here can be hashed and signed as it stands.
 *
 * name is the member's name inside an object and NULL inside a list and at the root; names are our
 * own words: no quotes, backslashes or control characters. Nothing else may be appended to the
 * buffer between json_begin and json_end.
 */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "json/read.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_WRITE_DEPTH_MAX	16
#define JSON_INT_MAX		9007199254740991	/* RFC 7493 2.2: 2^53 - 1 */

struct json_writer {
	struct mu_buf *b;
	size_t depth;
	struct {
		bool object, any;
		size_t name_at, name_bytes;	/* the last member's name, in b */
	} levels[JSON_WRITE_DEPTH_MAX + 1];
};

void json_begin(struct json_writer *w, struct mu_buf *b);	/* appends behind what b has */
void json_end(struct json_writer *w);				/* asserts that all was closed */

void json_object_begin(struct json_writer *w, const char *name);
void json_object_end(struct json_writer *w);
void json_list_begin(struct json_writer *w, const char *name);
void json_list_end(struct json_writer *w);

/* Bytes that are not UTF-8 become U+FFFD: text from outside may be anything. NULL is null. */
void json_text(struct json_writer *w, const char *name, const char *text);
void json_text_bytes(struct json_writer *w, const char *name, const char *bytes, size_t bytes_count);
void json_int(struct json_writer *w, const char *name, int64_t value);	/* within JSON_INT_MAX */
void json_bool(struct json_writer *w, const char *name, bool value);
void json_none(struct json_writer *w, const char *name);		/* null */
void json_time(struct json_writer *w, const char *name, int64_t at_s);	/* "2026-11-21T11:20:00Z" */
void json_uuid(struct json_writer *w, const char *name, const struct mu_uuid *uuid);
void json_value(struct json_writer *w, const char *name, const char *canonical);	/* as it stands */

/*
 * Appends the canonical bytes of a tree: for JSON that others wrote.
 * MU_EINPUT  (b as before) a whole number beyond JSON_INT_MAX, which has no exact form
 */
MU_CHECKED enum mu_rc json_canonical(const struct json_node *n, struct mu_buf *b, struct mu_err *err);

#endif
