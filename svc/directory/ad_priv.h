/*
 * directory/ad_priv.h - values of Active Directory that are more than text, and our cookie for it
 *
 * After MS-ADTS, MS-DRSR and MS-DTYP. Nothing here asks anybody: a function is true only if all of
 * the value was well formed.
 */
#ifndef DIRECTORY_AD_PRIV_H
#define DIRECTORY_AD_PRIV_H

#include "base/buf.h"
#include "base/uuid.h"

#include <ldap.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AD_RANGE_END SIZE_MAX

/* MS-ADTS 3.1.1.3.4.1.3: what DirSync answers; false: no cookie that could be sent back. */
bool directory_ad_dirsync_decode(LDAP *ld, LDAPControl *control, bool *out_more,
    struct mu_buf *out_cookie);

/*
 * MS-ADTS 3.1.1.3.1.3.3: is name ("member;range=0-1499") a range of that attribute's values?
 * out_last is AD_RANGE_END where '*' says that it is the last.
 */
bool directory_ad_range_parse(const char *name, size_t name_bytes, const char *attribute,
    size_t *out_first, size_t *out_last);

/* A number in decimal (MS-ADTS 3.1.1.2.2.2: 32 bits, signed): are all of these bits set in it? */
bool directory_ad_bits_test(const char *text, uint32_t bits, bool *out_set);

enum ad_time { AD_TIME, AD_NEVER, AD_TIME_MALFORMED };
/*
 * Appends a FILETIME (MS-DTYP 2.3.3, as an LDAP number) as GeneralizedTime, to the second. Never is
 * 0, 2^63-1 (MS-ADTS 2.2, accountExpires) and what lies beyond the year 9999; what lies before 1970
 * becomes 1970.
 */
enum ad_time directory_ad_time_format(const char *text, struct mu_buf *b);

/*
 * From a replPropertyMetaData (MS-DRSR 5.162, PROPERTY_META_DATA_EXT_VECTOR): was the attribute
 * "name", so the entry's own name or its parent, written on this server after that USN?
 */
bool directory_ad_renamed(const void *bytes, size_t bytes_count, int64_t after_usn,
    bool *out_renamed);

/*
 * The names of the attributes that an RFC 4515 filter tests, each once and ended by NUL, into b. A
 * filter that is none gives some names or none.
 */
void directory_ad_filter_attributes(const char *filter, struct mu_buf *b);

/* Appends text as the value of an RFC 4515 filter. */
void directory_ad_filter_value(const char *text, size_t text_bytes, struct mu_buf *b);

/*
 * Where we stand with one server. A USN means nothing without the invocationId of the database that
 * counted it (MS-ADTS 3.1.1.1.9): a restored server has another.
 */
struct ad_cookie {
	struct mu_uuid invocation_id;
	int64_t usn;			/* all up to here is known */
	int64_t list_at_s;		/* everybody is listed again from then on */
	int64_t trust_at_s;		/* and who is missing before that may yet come */
	bool object_security;		/* of the flags that go with what follows */
	struct mu_buf dirsync;		/* the server's own cookie; empty: none */
};

void directory_ad_cookie_encode(const struct ad_cookie *cookie, struct mu_buf *b);
/* False: out_cookie is as before. Else its dirsync is fresh (mu_buf_clear). */
bool directory_ad_cookie_decode(const void *bytes, size_t bytes_count,
    struct ad_cookie *out_cookie);
bool directory_ad_cookie_usable(const void *bytes, size_t bytes_count);

#endif
