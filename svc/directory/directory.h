/*
 * directory/directory.h - an organisation's directory as a stream of people, groups and a verdict
 *
 * A struct directory is one source. It keeps one connection with two searches, people and groups,
 * and reports through struct directory_events what they say, in the order in which it counts. How
 * it gets to know (source->follow: RFC 4533 as it happens, the same polled, or everybody by pages)
 * is its own affair. It connects anew by itself, after 0.5 s to 30 s; where it polls, each read is
 * a connection of its own, and a refresh as below.
 *
 * A refresh is: began, then any number of entry, present, removed and quarantined, then refreshed,
 * then cookie. A refresh that does not end is never followed by refreshed: a verdict says why, and
 * the next began starts over. Afterwards changes follow as they happen.
 *
 * What is reported comes in slices of at most DIRECTORY_SLICE_ENTRIES messages, each closed by
 * slice_end: commit there what came since the last one, cookie included, in one transaction. A
 * callback that returns anything but MU_OK ends the connection: the slice counts as not taken, the
 * directory is read again from the last cookie whose slice_end was MU_OK. Callbacks must not call
 * back into the directory, except where said; what they are given is borrowed until they return.
 *
 * A failing directory removes nobody: removed is only reported for an explicit delete message, and
 * only after the source has just shown that it still shows somebody to us. Who is missing from a
 * refresh may be removed only if refreshed said VERDICT_COMPLETE and it was a listing.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/err.h"
#include "base/loop.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "config/settings.h"
#include "model/attrs.h"
#include "model/names.h"

#include <stdbool.h>
#include <stddef.h>

#define DIRECTORY_SLICE_ENTRIES		512
#define DIRECTORY_ENTRY_MAX_BYTES	(1024 * 1024)	/* without members */
#define DIRECTORY_VALUES_MAX		1000		/* without members */
#define DIRECTORY_MESSAGE_MAX_BYTES	(256 * 1024 * 1024)	/* a group of millions of members */
#define DIRECTORY_COOKIE_MAX_BYTES	65536

enum directory_search {		/* also what an entry is: a person or a group */
	DIRECTORY_PEOPLE,
	DIRECTORY_GROUPS,
};
#define DIRECTORY_SEARCH_COUNT (DIRECTORY_GROUPS + 1)

enum directory_how {
	DIRECTORY_FULL_LISTED,		/* everyone was an entry */
	DIRECTORY_PRESENT_LISTED,	/* everyone was an entry, or present (unchanged) */
	DIRECTORY_DELTA,		/* changes only: who was not named is unchanged */
};

/* One line of the attribute map. */
struct directory_map {
	const char *name;		/* muster's: "department" */
	const char *attribute;		/* theirs: "departmentNumber" */
	bool required;			/* an entry without it is quarantined */
	enum settings_value value;	/* what is made of what it holds */
	uint32_t bits;
};

/* What to read from where. Everything is borrowed while a directory or login uses it. */
struct directory_source {
	const char *name;		/* for logs */
	const char *uri;		/* ldaps://, ldapi://, or ldap:// with starttls */
	bool starttls;
	bool insecure_plain;		/* ldap:// without TLS: a setting with a reason */
	const char *ca;			/* PEM file; NULL or "": the system's */
	const char *bind_dn;		/* NULL or "": SASL EXTERNAL, over ldapi:// only */
	const struct mu_secret *bind_password;
	const char *people_base, *people_filter;
	struct directory_map *map;
	size_t map_count;
	const char *groups_base, *groups_filter;	/* base NULL or "": no groups are read */
	const char *group_name, *group_member;	/* their attributes: "cn", "member" */
	enum settings_follow follow;
	int64_t every_ms;		/* the pause between reads, where they are polled */
	enum settings_key key;		/* by what the server tells entries apart */
};

/*
 * The source as the settings have it; "uid" is required of a person if it is mapped. Settings and
 * bind_password (NULL: none) are borrowed; end it with directory_source_clear.
 */
void directory_source_init(struct directory_source *out_source,
    const struct settings_source *settings, const struct mu_secret *bind_password);
void directory_source_clear(struct directory_source *source);

struct directory_entry {
	struct mu_uuid entry_uuid;
	const char *dn;			/* normalised: see directory_dn_normalise */
	struct attrs *attrs;		/* people: what the map names; else NULL. May be taken, leaving none */
	const char *group_name;		/* groups; else NULL */
	const char *const *members;	/* groups: normalised DNs, sorted, each once */
	size_t member_count;
};

struct directory_events {
	/* A refresh starts; full: no cookie was sent, so everyone is going to be listed. */
	enum mu_rc (*began)(void *ctx, enum directory_search search, bool full, struct mu_err *err);
	/* Added or changed; the same entry may come again unchanged. */
	enum mu_rc (*entry)(void *ctx, enum directory_search search, struct directory_entry *entry,
	    struct mu_err *err);
	/* Listed in a refresh and unchanged since the cookie. */
	enum mu_rc (*present)(void *ctx, enum directory_search search,
	    const struct mu_uuid *entry_uuid, struct mu_err *err);
	/* Deleted, moved out of the base, or no longer matching the filter. */
	enum mu_rc (*removed)(void *ctx, enum directory_search search,
	    const struct mu_uuid *entry_uuid, struct mu_err *err);
	/*
	 * There, but not usable: counts as listed, and what was known of it stands. entry_uuid is
	 * NULL if it has none, dn is "" if unreadable. It is read again with growing pauses until
	 * it is mended, then comes as entry.
	 */
	enum mu_rc (*quarantined)(void *ctx, enum directory_search search,
	    const struct mu_uuid *entry_uuid, const char *dn, const char *reason,
	    struct mu_err *err);
	/*
	 * The refresh of one search has ended properly. verdict: VERDICT_COMPLETE; VERDICT_EMPTY:
	 * nobody at all was listed; VERDICT_TRUNCATED: some entry could not be told apart;
	 * VERDICT_STALE: the server may know less than what it, or another, has told us before.
	 * listed_count: entries, present and quarantined. An empty listing of groups may be right:
	 * refuse it (MU_ERETRY) if groups were known before, and it is read again later.
	 */
	enum mu_rc (*refreshed)(void *ctx, enum directory_search search, enum verdict verdict,
	    enum directory_how how, size_t listed_count, struct mu_err *err);
	/*
	 * Where to resume from: replaces the cookie of that search in this slice's transaction.
	 * May come without a refresh.
	 */
	enum mu_rc (*cookie)(void *ctx, enum directory_search search, const void *bytes,
	    size_t bytes_count, struct mu_err *err);
	enum mu_rc (*slice_end)(void *ctx, struct mu_err *err);
	/*
	 * The source's condition changed; text says why and what helps. COMPLETE: both searches
	 * have been refreshed since we connected (a text says what could be better). Outside of
	 * slices. Never NARROWED: the consumer
	 * decides that.
	 */
	void (*verdict)(void *ctx, enum verdict verdict, const char *text);
};

/* Cookies to resume from; size_bytes 0: none. Give one only if directory_shape is as it was. */
struct directory_resume {
	struct {
		const void *bytes;
		size_t size_bytes;
	} cookies[DIRECTORY_SEARCH_COUNT];
};

/*
 * Appends all that decides what a cookie of this search stands for: base, scope, filter,
 * attributes, map, provider, key; not the server's address. Store its digest beside the cookie.
 */
void directory_shape(const struct directory_source *source, enum directory_search search,
    struct mu_buf *b);

struct directory;

/*
 * Starts to read; returns at once, all else comes as events from the loop. source and events are
 * borrowed until directory_close; resume (NULL: none) is copied.
 *
 * MU_ECONFIG  the address, transport or map cannot be right; err says what to change
 */
MU_CHECKED enum mu_rc directory_open(struct mu_loop *loop, const struct directory_source *source,
    const struct directory_resume *resume, const struct directory_events *events, void *ctx,
    struct directory **out_directory, struct mu_err *err);
void directory_close(struct directory *d);	/* not from a callback; NULL is fine */

/*
 * A DN as we compare it: RFC 4514 without optional blanks, escapes in one form, ASCII in lower
 * case. Appends to b; false (b as before) if bytes are not a DN in UTF-8, or empty.
 */
bool directory_dn_normalise(const char *bytes, size_t bytes_count, struct mu_buf *b);

#endif
