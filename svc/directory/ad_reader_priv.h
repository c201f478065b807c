/*
 * directory/ad_reader_priv.h - reading Active Directory: what changed, and then each of it whole
 *
 * DirSync and uSNChanged both only say which entries changed since the cookie, anywhere in the
 * naming context: DirSync refuses any other base (MS-ADTS 3.1.1.3.4.1.3), and who was moved out of
 * the base must be seen, too. So each read is, one request after the other:
 *
 *   ROOT, SERVICE	which server, and which database of its?
 *   BIN		are deleted entries shown to us? PRIME asks DirSync the same; if not, no
 *			change says who is gone, and each read is a full one
 *   PRIME, LIST	a full read: DirSync's cookie of now, then everybody in the base by pages
 *   CHANGES		else: the objectGUIDs of what changed
 *   THERE		which of those are there at all, deleted, or renamed
 *   REGROUP		whose name changed, of them the groups: an entry's new name changes the
 *			member values that point to it, but not their groups' uSNChanged
 *   WHOLE		who of them is in the base and matches the filter; who is there and does
 *			not, or is deleted, is removed. What is not shown at all is not: the next
 *			full read decides that
 *   MEMBERS		of groups whose members came in part, all ranges
 *
 * A renamed or moved container changes its descendants' names without a trace on them: everybody
 * is listed. So it is every day, for what no change tells (rights that were taken away), and long
 * before the lifetime of tombstones (MS-ADTS 3.1.1.5.5: 2 days at least) lets them be forgotten.
 *
 * Another server, or this one restored, may not know yet what we have been told already: who is
 * missing there is not believed to be gone until replication has had time. Of a server whose USNs
 * ran backwards nothing is believed until they have caught up; then everybody is listed, and the
 * same holds.
 */
#ifndef DIRECTORY_AD_READER_PRIV_H
#define DIRECTORY_AD_READER_PRIV_H

#include "base/clock.h"
#include "directory/ad_priv.h"
#include "directory/reader_priv.h"

#define AD_LIST_EVERY_S	MU_DAY_S
#define AD_CHANGED_MAX	20000	/* beyond that a full read is cheaper */
#define AD_RANGE_VALUES	1500	/* MaxValRange (MS-ADTS 3.1.1.3.4.6); more is never sent at once */

enum ad_step {
	AD_ROOT, AD_SERVICE, AD_BIN, AD_PRIME, AD_LIST, AD_CHANGES, AD_THERE, AD_REGROUP, AD_WHOLE,
	AD_MEMBERS,
};

/* By objectClass, which deleted entries keep (MS-ADTS 3.1.1.5.5.6.1). */
enum ad_kind { AD_KIND_UNKNOWN, AD_PERSON, AD_GROUP, AD_OTHER_LEAF, AD_CONTAINER };

/* An entry of which something changed. */
struct ad_changed {
	struct mu_uuid guid;
	enum ad_kind kind;
	bool created;		/* since then: it cannot be missed */
	bool deleted, renamed;
	bool there;		/* shown to us, if only as deleted */
	bool answered;		/* in the base, and matching */
};

struct ad {
	enum ad_step step;
	/* the server */
	struct mu_buf contexts;		/* its naming contexts, each ended by NUL */
	struct mu_buf service;		/* the DN of its NTDS settings */
	struct mu_uuid invocation_id;
	bool identified;		/* invocation_id is known */
	int64_t usn;			/* highestCommittedUSN before anything else was asked */
	/* the search under way */
	const char *context;		/* in contexts: the one its base is in */
	bool deleted_shown;		/* CN=Deleted Objects is, so what is in there should be */
	bool object_security;		/* DirSync is to show us only what searches do */
	struct ad_cookie from;		/* usn 0: none */
	struct ad_cookie next;
	size_t rounds;			/* of DirSync */
	struct ad_changed *changed;
	size_t changed_count, changed_room;
	size_t there_at, whole_at, batch_end;
	bool container_moved;
	struct mu_buf renamed;		/* DNs, each ended by NUL */
	size_t renamed_at, renamed_end;
	struct mu_uuid *partial;	/* groups whose members came in part */
	size_t partial_count, partial_room, partial_at;
	LDAPMessage **parts;		/* of partial[partial_at] */
	size_t part_count, part_room, parts_before;
	size_t range_first;
	unsigned int tries;
	/* what is asked for */
	char **group_attributes;
	char **change_attributes[DIRECTORY_SEARCH_COUNT];	/* by DirSync */
};

bool directory_ad_is_dirsync(const struct directory *d);
void directory_ad_free(struct ad *ad);
void directory_ad_reset(struct ad *ad);		/* for another search */
struct ad *directory_ad_new(const struct directory_source *source);

void directory_ad_changed_add(struct ad *ad, const struct ad_changed *changed);
/* Each once, with all that was said of it. */
void directory_ad_changed_settle(struct ad *ad);
/* The one of the batch under way, NULL: it is not in there. */
struct ad_changed *directory_ad_changed_find(struct ad *ad, size_t batch_at,
    const struct mu_uuid *guid);
void directory_ad_partial_add(struct ad *ad, const struct mu_uuid *guid);
void directory_ad_part_add(struct ad *ad, LDAPMessage *m);
void directory_ad_parts_clear(struct ad *ad);

/* --- Requests: each sets the step, and LDAP's result code says whether it was sent --- */

int directory_ad_root_ask(struct directory *d, enum directory_search search);
int directory_ad_service_ask(struct directory *d, enum directory_search search);
int directory_ad_bin_ask(struct directory *d, enum directory_search search);
/* PRIME or CHANGES, from ad->next.dirsync. */
int directory_ad_dirsync_ask(struct directory *d, enum directory_search search, enum ad_step step);
/* LIST, CHANGES by uSNChanged, or REGROUP: the page that s->page says. */
int directory_ad_page_ask(struct directory *d, enum directory_search search, enum ad_step step);
/* THERE or WHOLE, of the next batch. */
int directory_ad_batch_ask(struct directory *d, enum directory_search search, enum ad_step step);
int directory_ad_members_ask(struct directory *d, enum directory_search search);

/* --- ad_answer.c: single entries --- */

/* The first value of an attribute; false when there is none, or it is none of that. */
bool directory_ad_text(struct directory *d, LDAPMessage *m, const char *name,
    struct mu_buf *out_text);
bool directory_ad_number(struct directory *d, LDAPMessage *m, const char *name,
    int64_t *out_number);
bool directory_ad_guid(struct directory *d, LDAPMessage *m, const char *name,
    struct mu_uuid *out_guid);
bool directory_ad_has(struct directory *d, LDAPMessage *m, const char *name);
bool directory_ad_is_deleted(struct directory *d, LDAPMessage *m);
/* Is it to be removed? Once WHOLE has been answered. */
bool directory_ad_is_gone(const struct ad_changed *c, enum directory_search search);
void directory_ad_there_entry(struct directory *d, struct item *item);
enum mu_rc directory_ad_there_end(struct directory *d, enum directory_search search,
    struct mu_err *err);
enum mu_rc directory_ad_whole_end(struct directory *d, enum directory_search search,
    struct mu_err *err);
/* Of LIST, REGROUP and WHOLE. */
enum mu_rc directory_ad_entry_tell(struct directory *d, struct item *item, struct mu_err *err);
enum mu_rc directory_ad_members_end(struct directory *d, enum directory_search search,
    struct mu_err *err);

/* --- ad_server.c: which server, and what our cookie is worth with it --- */

void directory_ad_root_entry(struct directory *d, LDAPMessage *m);
/* ROOT or SERVICE has been answered. */
enum mu_rc directory_ad_identity_end(struct directory *d, enum directory_search search);
/* BIN has: begins with the changes since our cookie, or with everybody. */
enum mu_rc directory_ad_search_begin(struct directory *d, enum directory_search search);
void directory_ad_no_deleted_advise(struct directory *d);
/* The next read lists everybody; what our cookies know of the server stands. */
void directory_ad_list_next(struct directory *d);

/* --- ad_changes.c: which entries changed --- */

void directory_ad_dirsync_entry(struct directory *d, struct item *item);
/* PRIME or CHANGES by DirSync has been answered. */
enum mu_rc directory_ad_dirsync_end(struct directory *d, enum directory_search search,
    LDAPControl **controls, struct mu_err *err);
enum mu_rc directory_ad_dirsync_failed(struct directory *d, enum directory_search search,
    int result, const char *diagnostic);
void directory_ad_usn_entry(struct directory *d, struct item *item);
/* All changes have been named. */
enum mu_rc directory_ad_changes_end(struct directory *d, enum directory_search search,
    struct mu_err *err);

/* --- provider_ad.c: the course --- */

/* A request was sent, or the connection ends with this slice. */
enum mu_rc directory_ad_sent(struct directory *d, int rc);
/* Everybody is listed, whatever was meant before; nothing of this search has been told yet. */
enum mu_rc directory_ad_full_begin(struct directory *d, enum directory_search search);
enum mu_rc directory_ad_list_begin(struct directory *d, enum directory_search search);
enum mu_rc directory_ad_changes_begin(struct directory *d, enum directory_search search);
/* The next request of a search whose changes, or whose listing, are known. */
enum mu_rc directory_ad_go_on(struct directory *d, enum directory_search search,
    struct mu_err *err);

#endif
