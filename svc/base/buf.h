/*
 * base/buf.h - bytes that grow
 *
 * A struct mu_buf owns its bytes; data is always NUL-terminated one past size_bytes, so that text
 * can be read in place (data is "" and never NULL after the first call that grows it; use
 * mu_buf_text() where it may still be empty). Running out of memory ends the process: a daemon
 * whose supervisor starts it anew has nothing better to do.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct mu_buf {
	char *data;
	size_t size_bytes, room_bytes;
};

#define MU_BUF_INIT { NULL, 0, 0 }

void mu_buf_clear(struct mu_buf *b);		/* frees, leaves it as after init */
void mu_buf_reset(struct mu_buf *b);		/* empties, keeps the room */
void mu_buf_wipe(struct mu_buf *b);		/* overwrites, then frees: for what was secret */
void mu_buf_reserve(struct mu_buf *b, size_t more_bytes);
void mu_buf_add(struct mu_buf *b, const void *bytes, size_t bytes_count);
/* The bytes with their count before them, "3:abc": so that columns in a row cannot flow into one another. */
void mu_buf_number_add(struct mu_buf *b, uint64_t number);	/* decimal */
void mu_buf_column_add(struct mu_buf *b, const void *bytes, size_t bytes_count);
void mu_buf_text_add(struct mu_buf *b, const char *text);
void mu_buf_char_add(struct mu_buf *b, char c);
void mu_buf_format(struct mu_buf *b, const char *fmt, ...) MU_PRINTF(2, 3);
void mu_buf_drop_front(struct mu_buf *b, size_t bytes_count);

/* The bytes as text, "" when nothing was added yet. Borrowed until b changes. */
const char *mu_buf_text(const struct mu_buf *b);

/* malloc, calloc, realloc, strdup that end the process with a log line when memory is out. */
void *mu_alloc(size_t bytes_count);
void *mu_alloc_zero(size_t count, size_t each_bytes);
void *mu_alloc_again(void *p, size_t count, size_t each_bytes);
char *mu_strdup(const char *text);		/* NULL gives NULL */
char *mu_strndup(const char *text, size_t bytes_count);
void mu_free(void *p);
void mu_alloc_trim(void);		/* gives back what is free, after much was used */
void mu_freep(void *pp);			/* for MU_AUTO: *pp is freed */

#endif
