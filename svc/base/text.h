/*
 * base/text.h - what every room asks of text: UTF-8, hex, base64url, numbers
 *
 * Sources: RFC 3629 (UTF-8), RFC 4648 section 5 (base64url, without padding).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>

bool mu_text_equal(const char *a, const char *b);		/* NULL equals NULL only */
bool mu_text_equal_fold(const char *a, const char *b);		/* ASCII case folded; never NULL */
bool mu_text_starts(const char *text, const char *prefix);

/* Well-formed UTF-8 (no surrogates, no overlong form, no NUL). */
bool mu_utf8_valid(const char *bytes, size_t bytes_count);

/* Lower-case ASCII in place; other bytes stay. */
void mu_text_lower(char *text);

/* Appends lower-case hex of the bytes. */
void mu_hex_format(struct mu_buf *b, const void *bytes, size_t bytes_count);

/* Reads exactly bytes_count bytes of hex (either case); false if text is anything else. */
bool mu_hex_parse(const char *text, void *out_bytes, size_t bytes_count);

/* Appends base64url without padding. */
void mu_base64url_format(struct mu_buf *b, const void *bytes, size_t bytes_count);

/* Appends the decoded bytes; false (b as before) if not canonical base64url without padding. */
bool mu_base64url_parse(const char *text, size_t text_bytes, struct mu_buf *b);

/* A decimal number from min to max, no sign but '-', no blanks, no leading zeros. */
bool mu_int_parse(const char *text, int64_t min, int64_t max, int64_t *out_value);

/*
 * One log field's value: printable ASCII and well-formed UTF-8 pass, blanks, quotes, backslashes
 * and control characters are escaped, and it is quoted when it needs to be.
 */
void mu_field_format(struct mu_buf *b, const char *value);

#endif
