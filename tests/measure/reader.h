/*
 * measure/reader.h - a plain libldap reader: what every program here reads a directory with
 *
 * One connection, StartTLS, simple bind, one search after another, a message at a time; every value
 * is looked at. There is no more to it, so that it says what libldap and the server allow. The
 * programs here are tools of tests/bench: whatever goes wrong ends them with a message.
 */
#ifndef MEASURE_READER_H
#define MEASURE_READER_H

#include <ldap.h>
#include <stddef.h>
#include <stdint.h>

struct reader_count {
	uint64_t entries, values, bytes;
};

/* Called after each entry with how many this search has brought so far. */
typedef void reader_each_fn(void *ctx, uint64_t entries);

/* ca: a PEM file, NULL for a connection without TLS. The password is the first line of a file. */
LDAP *reader_open(const char *uri, const char *ca, const char *bind_dn, const char *password_file);

/* Searches the subtree; attrs is a list with commas. Adds to *count; each may be NULL. */
void reader_search(LDAP *ld, const char *base, const char *filter, const char *attrs,
    struct reader_count *count, reader_each_fn *each, void *ctx);

void reader_close(LDAP *ld);

/* Seconds on a clock that only goes forward; CPU seconds of this process. */
double reader_now(void);
double reader_cpu(void);

#endif
