/*
 * store/person.h - people, their groups in the directory, and what each is to have
 *
 * One person, one writer at a time (DESIGN.md section 5): whoever changes a person, an account or a
 * grant locks the person's row first (store_person_lock_*), reads the state after the lock,
 * decides, writes, and store_person_update bumps the version. All calls belong inside a
 * transaction.
 */
#ifndef STORE_PERSON_H
#define STORE_PERSON_H

#include "model/account.h"
#include "model/attrs.h"
#include "model/grant.h"
#include "model/names.h"
#include "store/store.h"

#define CONTENT_HASH_BYTES 32

/* An account row as whoever decides sees it. */
struct store_account {
	struct account_want want;
	unsigned char mac[MAC_BYTES];
	int64_t settled_version;	/* want.version that the platform was last brought to */
	bool fresh;			/* not in the store yet: store_account_write inserts */
};

struct store_person {
	struct mu_uuid person_id, entry_uuid;
	/* dn normalised; uid: the login name, "" if the map has none */
	char *source, *dn, *uid;
	int64_t version;		/* as read; 0: not in the store yet */
	enum person_state state;
	int64_t state_since_s;
	int64_t starts_at_s, ends_at_s;	/* 0: none */
	int64_t due_at_s;		/* when the clock has to look again, 0: never */
	bool blocked;			/* emergency revocation stands: only a reinstate action lifts it */
	bool suspended;			/* by a suspend action, on top of what the directory says */
	int64_t resume_at_s;		/* planned return from that, 0: none */
	struct attrs attrs;
	/* of dn and attrs as the directory gave them; zeros: it has no entry of theirs, or erased */
	unsigned char content_hash[CONTENT_HASH_BYTES];
	struct strings roles;		/* held: birthrights, and granted ones that work */
	char *identified, *evidence;	/* level and reference, "" if not identified */
	/* names of their groups now: read with the person, not written */
	struct strings groups;
	/* What actions gave them: read with the person, written by store/grant.h; MACs as read, unchecked. */
	struct grant *grants;
	size_t grant_count;
	/* level "": none; NULL when the person was not read */
	struct identification vouched;
	struct store_account *accounts;
	size_t account_count;
};

struct store_people {
	struct store_person *list;
	size_t count;
};

void store_person_clear(struct store_person *p);
void store_people_clear(struct store_people *p);

/* What platforms and administrators are shown for the person. Borrowed from p. */
const char *store_person_name(const struct store_person *p);
const char *store_name_of(const struct attrs *attrs, const char *uid);

/*
 * Locks and reads the people with these entry UUIDs (those that exist; in order of person_id), with
 * accounts and groups.
 */
MU_CHECKED enum mu_rc store_person_lock_entries(struct store *s, const char *source,
    const struct mu_uuid *entry_uuids, size_t count, struct store_people *out_people,
    struct mu_err *err);
MU_CHECKED enum mu_rc store_person_lock_ids(struct store *s, const struct mu_uuid *person_ids,
    size_t count, struct store_people *out_people, struct mu_err *err);

/* The same without a lock: for plans and other readers. */
MU_CHECKED enum mu_rc store_person_read_ids(struct store *s, const struct mu_uuid *person_ids,
    size_t count, struct store_people *out_people, struct mu_err *err);

/* Only entry_uuid and content_hash, no lock: what a full read compares with. */
MU_CHECKED enum mu_rc store_person_hashes(struct store *s, const char *source,
    const struct mu_uuid *entry_uuids, size_t count, struct store_people *out_people,
    struct mu_err *err);

/* Groups of people not in the store yet: for each dn the names of the groups that list it. out has
 * count elements, each to be cleared. */
MU_CHECKED enum mu_rc store_person_groups(struct store *s, const char *source,
    const char *const *dns, size_t count, struct strings *out, struct mu_err *err);

/*
 * Writes all columns but groups, accounts, grants and identification; inserts when version is 0,
 * else expects that version.
 */
void store_person_write(struct store *s, const struct store_person *p);

/*
 * Writes the wanted part of an account. want.version has been bumped and mac made for it. The
 * account becomes due at once; urgent when it takes something away (revocations overtake
 * everything) and then its debt ages from now_s until settled.
 */
void store_account_write(struct store *s, const struct store_account *a, bool urgent,
    int64_t now_s);

/* Who holds this name on the platform already: MU_EABSENT when nobody. */
MU_CHECKED enum mu_rc store_account_holder(struct store *s, const char *platform, const char *name,
    struct mu_uuid *out_person_id, struct mu_err *err);

/* Which of these names on these platforms somebody holds; out_held has count elements. */
MU_CHECKED enum mu_rc store_account_held(struct store *s, const char *const *platforms,
    const char *const *names, size_t count, bool *out_held, struct mu_err *err);

/*
 * Entry UUIDs of everyone of the source who is not a leaver or erased, or whose entry was there
 * when the directory last spoke of it: for comparing a complete listing.
 */
typedef void store_entry_fn(void *ctx, const struct mu_uuid *entry_uuid);
MU_CHECKED enum mu_rc store_person_each_entry(struct store *s, const char *source,
    store_entry_fn *each, void *ctx, struct mu_err *err);

/* 0 when the source has nobody at all, else something else. */
MU_CHECKED enum mu_rc store_person_any(struct store *s, const char *source, int64_t *out_count,
    struct mu_err *err);

/* person_ids of those of the source with these entry UUIDs: at most count. */
MU_CHECKED enum mu_rc store_person_ids_by_entry(struct store *s, const char *source,
    const struct mu_uuid *entry_uuids, size_t count, struct mu_uuid *out_ids, size_t *out_count,
    struct mu_err *err);

/* How many of the source are neither leaver nor erased. */
MU_CHECKED enum mu_rc store_person_count(struct store *s, const char *source, int64_t *out_count,
    struct mu_err *err);

/*
 * person_ids whose due_at is at or before now_s, oldest first; at most max. Of who is held by the
 * brake that is the next end of a grant, not what is held.
 */
MU_CHECKED enum mu_rc store_person_due(struct store *s, int64_t now_s, struct mu_uuid *out_ids,
    size_t max, size_t *out_count, struct mu_err *err);

/*
 * person_ids of everyone, in pages by key: after is all zeros first. For re-deciding after a
 * policy change.
 */
MU_CHECKED enum mu_rc store_person_page(struct store *s, const struct mu_uuid *after,
    struct mu_uuid *out_ids, size_t max, size_t *out_count, struct mu_err *err);

/* --- Groups of the directory ----------------------------------------------------------------- */

/*
 * Makes the group's name and members as given; out_changed_ids are the people whose groups changed
 * by it (fresh array, mu_free): new and former members, all when the name changed. Nothing is
 * touched (and the array NULL) when content_hash, of name and members, is the row's.
 */
MU_CHECKED enum mu_rc store_group_write(struct store *s, const char *source,
    const struct mu_uuid *entry_uuid, const char *name, const char *const *member_dns,
    size_t member_count, const unsigned char content_hash[CONTENT_HASH_BYTES],
    struct mu_uuid **out_changed_ids, size_t *out_changed_count, struct mu_err *err);
MU_CHECKED enum mu_rc store_group_remove(struct store *s, const char *source,
    const struct mu_uuid *entry_uuid, struct mu_uuid **out_changed_ids, size_t *out_changed_count,
    struct mu_err *err);
MU_CHECKED enum mu_rc store_group_each(struct store *s, const char *source, store_entry_fn *each,
    void *ctx, struct mu_err *err);

/* person_ids of the people with these dns. */
MU_CHECKED enum mu_rc store_person_ids_by_dn(struct store *s, const char *source,
    const char *const *dns, size_t count, struct mu_uuid **out_ids, size_t *out_count,
    struct mu_err *err);

#endif
