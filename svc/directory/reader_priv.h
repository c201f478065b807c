/*
 * directory/reader_priv.h - the reader of RFC 4533: refreshAndPersist, people and groups
 *
 * Messages are first gathered into a slice (reading.c), then delivered as events (deliver.c);
 * directory.c begins and ends connections. Between gathering and delivering, a slice that holds
 * deletions waits for a probe: one entry of the same search, asked for after the deletions were
 * read. A server whose access rules were cut reports whatever changes next as deleted; if it shows
 * nobody at all any more, the deletions are not believed.
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
	bool cookies_muted;		/* a later cookie would hide what was not taken */
	size_t listed_count;
	struct mu_buf kept;		/* the last cookie whose slice was taken */
	struct mu_buf held;		/* came within a refresh: good only at its end */
	struct mu_buf next;		/* for the end of this slice */
	bool has_next;
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
	bool sound;			/* the control or value below was well formed */
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

struct directory {
	struct mu_loop *loop;
	const struct directory_source *source;
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
	bool complete;			/* both searches have been refreshed on this connection */
	bool doomed;			/* the connection ends with this slice, */
	enum verdict doom;		/* for this reason, VERDICT_NONE: the condition is as it was */
	struct mu_buf doom_text;
	enum verdict verdict;		/* as last reported */
	struct mu_buf verdict_text;
	struct directory_scratch scratch;
	struct reread rereads[REREADS_MAX];
	size_t reread_count;
	unsigned int failure_count;	/* since the last complete refresh */
	int64_t heard_ms, probed_ms;	/* mu_tick_ms */
};

const char *directory_search_base(const struct directory_source *source,
    enum directory_search search);
const char *directory_search_filter(const struct directory_source *source,
    enum directory_search search);

/* directory.c: begins the refresh of one search; false when the connection ended. */
bool directory_search_send(struct directory *d, enum directory_search search);
/* directory.c: ends the connection, sets the time of the next; VERDICT_NONE: no news of it. */
void directory_lose(struct directory *d, enum verdict verdict, const char *text);
/* What a failure means: cut short if a refresh had begun to list, else nothing was read. */
enum verdict directory_failure_verdict(const struct directory *d);
/* Tells the consumer, if it is news. */
void directory_verdict_report(struct directory *d, enum verdict verdict, const char *text);
void directory_slice_drop(struct directory *d);

/* reading.c: asks for one entry of a search, whichever; false when the connection ended. */
bool directory_probe_send(struct directory *d, enum directory_search search);
/* reading.c: one slice, as much as is there and fits; called when there is something, or may be. */
void directory_pump(void *directory);
/* Looks at the clock: silence, heartbeats, re-reads. */
void directory_tick(void *directory);

/* deliver.c: delivers the slice; false when the connection ended with it. */
bool directory_slice_deliver(struct directory *d);
/* All of that search: those still bad are going to be listed again. */
void directory_rereads_forget(struct directory *d, enum directory_search search);

#endif
