/*
 * directory/reader_priv.h - the reader: people and groups, by one of several providers
 *
 * Messages are first gathered into a slice (reading.c), then delivered as events (deliver.c);
 * directory.c begins and ends connections. What is asked and what an answer means is the
 * provider's: a table in a file of its own (provider_....c). Between gathering and delivering, a
 * slice that holds deletions waits for a probe: one entry of the same search, asked for after the
 * deletions were read. A server whose access rules were cut reports whatever changes next as
 * deleted; if it shows nobody at all any more, the deletions are not believed.
 *
 * Groups are refreshed before people are asked for, so that nobody is decided on before their groups
 * are known: a role that not being in a group gives would be given for a moment. A probe for people
 * comes before both: where nobody is visible, that is what is wrong, not that no group is.
 */
#ifndef DIRECTORY_READER_PRIV_H
#define DIRECTORY_READER_PRIV_H

#include "directory/directory.h"
#include "directory/directory_priv.h"
#include "directory/entry_priv.h"
#include "directory/link_priv.h"
#include "directory/sync_priv.h"

#define REREADS_MAX	256

/* One of the two searches, on the connection of the moment. */
struct search {
	int msgid;			/* 0: not running */
	bool began;			/* and the consumer knows */
	bool full;			/* no cookie was sent */
	bool refreshing;
	bool present_phase, present_named;
	bool changed;			/* the refresh has said anything */
	bool doubtful;			/* the refresh held something that could not be told apart */
	bool stale;			/* what it lists may be older than what we know */
	bool cookies_muted;		/* a later cookie would hide what was not taken */
	size_t listed_count;
	struct mu_buf kept;		/* the last cookie whose slice was taken */
	struct mu_buf held;		/* came within a refresh: good only at its end */
	struct mu_buf next;		/* for the end of this slice */
	bool has_next;
	struct mu_buf page;		/* RFC 2696: where the next page begins */
	size_t empty_pages;		/* in a row */
	bool page_empty;
	int probe_msgid;		/* 0: none is running */
	bool probe_saw;
	int probe_result;
};

/* One message of a slice, with what was decoded of it. */
struct item {
	LDAPMessage *m;
	enum directory_search search;
	int type;			/* LDAP_RES_... */
	int reread_msgid;		/* 0 unless it answers a re-read */
	bool sound;			/* what its provider needs of it was well formed */
	bool removes;			/* it says that somebody is gone */
	struct mu_uuid entry_uuid;	/* of a sound entry */
	/* RFC 4533 */
	LDAPControl **controls;		/* what state points into */
	struct sync_state state;	/* of an entry */
	struct berval *data;		/* what info points into */
	struct sync_info info;		/* of an intermediate message */
};

/* A quarantined entry that is read again. */
struct reread {
	enum directory_search search;
	struct mu_uuid entry_uuid;
	int64_t due_ms, pause_ms;
	int msgid;			/* 0: not asked */
	bool mended;			/* in this slice: forgotten once that is taken */
};

struct directory;

/*
 * How a source is followed. A provider asks with each search for that search alone, groups first;
 * its messages, from begin to the end of the connection, are the provider's to understand.
 */
struct directory_provider {
	const char *name;	/* in directory_shape: another one begins with a full read */
	bool rests;		/* the connection ends with the read; the next is every_ms later */
	bool begins;		/* says itself by directory_began when a refresh begins */
	/* NULL: it keeps no cookies. */
	bool (*cookie_usable)(const void *bytes, size_t bytes_count);
	/* Asks from s->kept, or for everybody: see directory_search_ask. LDAP's result code. */
	int (*begin)(struct directory *d, enum directory_search search);
	/* A message has come: says what it is (sound, removes, entry_uuid), and does nothing. */
	void (*decode)(struct directory *d, struct item *item);
	/* Does what an entry, an intermediate message or a result says, by events. */
	enum mu_rc (*message)(struct directory *d, struct item *item, struct mu_err *err);
	void (*end)(struct directory *d);	/* frees what is its own; NULL: it has nothing */
};

extern const struct directory_provider directory_provider_persist;	/* provider_sync.c */
extern const struct directory_provider directory_provider_poll;
extern const struct directory_provider directory_provider_paged;	/* provider_paged.c */
extern const struct directory_provider directory_provider_dirsync;	/* provider_ad.c */
extern const struct directory_provider directory_provider_usn;

struct directory {
	struct mu_loop *loop;
	const struct directory_source *source;
	const struct directory_provider *provider;
	const struct directory_events *events;
	void *ctx;
	const struct directory_timing *timing;
	struct mu_timer *again_timer, *pump_timer, *tick_timer;
	struct directory_link *link;
	LDAP *ld;			/* of link, once bound */
	char **attributes[DIRECTORY_SEARCH_COUNT];
	struct search searches[DIRECTORY_SEARCH_COUNT];
	bool due[DIRECTORY_SEARCH_COUNT];	/* still to be sent on this connection */
	struct item slice[DIRECTORY_SLICE_ENTRIES];
	size_t slice_count, slice_bytes;
	bool slice_removes;		/* it must not be delivered before a probe */
	bool holding;			/* that probe is under way */
	bool reported;			/* the consumer was told something that slice_end must close */
	bool no_groups;			/* this slice says that there are none */
	bool complete;			/* both searches have been refreshed on this connection */
	bool ended;			/* a search that was to stay open has ended */
	bool ends;			/* and so did those of the connection before */
	bool doomed;			/* the connection ends with this slice, */
	enum verdict doom;		/* for this reason, VERDICT_NONE: the condition is as it was */
	struct mu_buf doom_text;
	const char *advice;		/* what could be better on this connection, NULL: nothing */
	enum verdict verdict;		/* as last reported */
	struct mu_buf verdict_text;
	struct directory_scratch scratch;
	struct reread rereads[REREADS_MAX];
	size_t reread_count;
	unsigned int failure_count;	/* since the last complete refresh */
	int64_t heard_ms, probed_ms;	/* mu_tick_ms */
	struct ad *ad;			/* of the providers for Active Directory; NULL: not yet */
};

const char *directory_search_base(const struct directory_source *source,
    enum directory_search search);
const char *directory_search_filter(const struct directory_source *source,
    enum directory_search search);

/* --- directory.c --- */

/* Begins the refresh of one search; false when the connection ended. */
bool directory_search_send(struct directory *d, enum directory_search search);
/* For begin: sends the search with that control (borrowed), sets its msgid. LDAP's result code. */
int directory_search_ask(struct directory *d, enum directory_search search, LDAPControl *control);
/* Ends the connection, sets the time of the next; VERDICT_NONE: no news of it. */
void directory_lose(struct directory *d, enum verdict verdict, const char *text);
/* The same when all has gone well, and the next read is due after every_ms. */
void directory_rest(struct directory *d);
/* What a failure means: cut short if a refresh had begun to list, else nothing was read. */
enum verdict directory_failure_verdict(const struct directory *d);
/* Tells the consumer, if it is news. */
void directory_verdict_report(struct directory *d, enum verdict verdict, const char *text);
void directory_slice_drop(struct directory *d);

/* --- reading.c --- */

/* Asks for one entry of a search, whichever; false when the connection ended. */
bool directory_probe_send(struct directory *d, enum directory_search search);
/* One slice, as much as is there and fits; called when there is something, or may be. */
void directory_pump(void *directory);
/* Looks at the clock: silence, heartbeats, re-reads. */
void directory_tick(void *directory);
/* Asks for the quarantined entries that are due. */
void directory_rereads_send(struct directory *d);
/* Rests, if that is the provider's way and nothing goes on; false when the connection ended. */
bool directory_rest_if_done(struct directory *d);

/* --- deliver.c: what providers make events of --- */

/* The connection ends when this slice has been delivered. The first reason stands. */
void directory_doom(struct directory *d, enum verdict verdict, const char *text,
    const char *detail);
/* Before anything is told of a search: the consumer gets to know that its refresh has begun. */
enum mu_rc directory_began(struct directory *d, enum directory_search search, struct mu_err *err);
/* An entry as it is now: usable, or quarantined. */
enum mu_rc directory_entry_deliver(struct directory *d, struct item *item, struct mu_err *err);
/*
 * The same of one that came in parts. entry_uuid NULL: it cannot be told apart; fault: why it is
 * not usable in any case, NULL: its parts decide.
 */
enum mu_rc directory_parts_deliver(struct directory *d, enum directory_search search,
    const struct mu_uuid *entry_uuid, LDAPMessage *const *parts, size_t part_count,
    const char *fault, struct mu_err *err);
enum mu_rc directory_removed_deliver(struct directory *d, enum directory_search search,
    const struct mu_uuid *entry_uuid, struct mu_err *err);
/* The refresh of a search has ended properly; s->held becomes its cookie if it was worth one. */
enum mu_rc directory_refresh_end(struct directory *d, enum directory_search search,
    enum directory_how how, struct mu_err *err);
/* A search was answered with an error that means the same to all providers. */
void directory_search_failed(struct directory *d, int result, const char *diagnostic);

/* Delivers the slice; false when the connection ended with it. */
bool directory_slice_deliver(struct directory *d);
/* Tells that both searches were refreshed on this connection, and how good that is. */
void directory_complete_report(struct directory *d);
/*
 * Where the next page begins, into s->page; empty: there is none. False: the server did not say, or
 * goes on with empty ones, so the connection ends.
 */
bool directory_page_take(struct directory *d, struct search *s, LDAPControl **controls);
/* All of that search: those still bad are going to be listed again. */
void directory_rereads_forget(struct directory *d, enum directory_search search);

#endif
