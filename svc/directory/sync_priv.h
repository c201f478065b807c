/*
 * directory/sync_priv.h - the bytes of RFC 4533: what is asked, and what is read from strangers
 *
 * BER with definite lengths (RFC 4511 5.1), decoded in place: what a struct points to lies in the
 * bytes that were decoded. A decode function is true only if all of the value was well formed.
 */
#ifndef DIRECTORY_SYNC_PRIV_H
#define DIRECTORY_SYNC_PRIV_H

#include "base/buf.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>

/* A cookie is opaque. bytes NULL: there was none; an empty one is not NULL. */
struct sync_cookie {
	const unsigned char *bytes;
	size_t size_bytes;
};

/* RFC 4533 2.2: goes with every entry. */
enum sync_state_kind { SYNC_PRESENT, SYNC_ADD, SYNC_MODIFY, SYNC_DELETE };

struct sync_state {
	enum sync_state_kind kind;
	struct mu_uuid entry_uuid;
	struct sync_cookie cookie;
};

/* RFC 4533 2.4: goes with the result. */
struct sync_done {
	struct sync_cookie cookie;
	bool refresh_deletes;
};

/* RFC 4533 2.5: comes between entries. */
enum sync_info_kind { SYNC_NEW_COOKIE, SYNC_REFRESH_DELETE, SYNC_REFRESH_PRESENT, SYNC_ID_SET };

struct sync_info {
	enum sync_info_kind kind;
	struct sync_cookie cookie;
	bool refresh_done;			/* of the two refresh kinds */
	/* of an id set: these are gone; else these are present */
	bool refresh_deletes;
	const unsigned char *uuids, *uuids_end;	/* of an id set: for directory_sync_uuid_next */
	size_t uuid_count;
};

enum sync_mode { SYNC_REFRESH_ONLY = 1, SYNC_REFRESH_AND_PERSIST = 3 };

/* Appends a Sync Request control value (RFC 4533 2.2), with no empty cookie. */
void directory_sync_request(struct mu_buf *b, enum sync_mode mode, const struct mu_buf *cookie,
    bool reload_hint);

bool directory_sync_state_decode(const void *bytes, size_t bytes_count, struct sync_state *out);
bool directory_sync_done_decode(const void *bytes, size_t bytes_count, struct sync_done *out);
bool directory_sync_info_decode(const void *bytes, size_t bytes_count, struct sync_info *out);

/* The next of an id set; false after the last. */
bool directory_sync_uuid_next(struct sync_info *info, struct mu_uuid *out_uuid);

/*
 * May this cookie be resumed from? Not an empty one; and of slapd's (those with "csn=") none
 * without "rid=" or with a malformed csn: slapd answers those with all that it has, says that it
 * has named all deletions, and sends a cookie as if nothing was. And none of 389 DS's (those that
 * end in "#" and a number of its change log): it accepts them long after the log was trimmed, and
 * from a log that does not keep nsUniqueId, and then leaves out changes and deletions in silence.
 */
bool directory_sync_cookie_usable(const void *bytes, size_t bytes_count);

#endif
