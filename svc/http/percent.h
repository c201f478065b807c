/*
 * http/percent.h - percent-encoding (RFC 3986, 2.1) and forms (WHATWG URL, 5.1) read strictly
 *
 * Decoders take no half-written escape, no NUL and no byte that ought to have been escaped; what
 * comes out is well-formed UTF-8.
 */
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include "base/buf.h"

#include <stdbool.h>

#define HTTP_FORM_FIELDS_MAX	16

struct http_field {
	char *name, *value;		/* value is wiped before it is freed: it may be a password */
};

struct http_form {
	struct http_field list[HTTP_FORM_FIELDS_MAX];
	size_t count;
};

#define HTTP_FORM_INIT { .count = 0 }

/* Appends text as one path segment or query value: all but RFC 3986 "unreserved" is escaped. */
void http_percent_format(struct mu_buf *b, const char *text);

/* Appends what a path segment says; false (b as before) when it is not strictly encoded UTF-8. */
bool http_percent_parse(const char *text, size_t text_bytes, struct mu_buf *b);

/*
 * Reads a query or an application/x-www-form-urlencoded body: "a=1&b=two+words". False (out
 * untouched) when a name is empty, stands twice or has no '=', when an escape is not one, when a
 * byte is neither printable ASCII nor escaped, or with more than HTTP_FORM_FIELDS_MAX fields.
 * The empty text is a form without fields.
 */
bool http_form_parse(const char *text, size_t text_bytes, struct http_form *out_form);
const char *http_form_find(const struct http_form *f, const char *name);	/* NULL: not there */
void http_form_clear(struct http_form *f);

#endif
