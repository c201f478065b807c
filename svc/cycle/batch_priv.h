/*
 * cycle/batch_priv.h - people decided on and written together: what a slice and an action share
 *
 * Everything happens in the caller's open transaction. Lock and read the people, check what of
 * their rows gives power (batch_rows_check), decide on each (cycle_decide), settle account names,
 * write.
 */
#ifndef CYCLE_BATCH_PRIV_H
#define CYCLE_BATCH_PRIV_H

#include "cycle/cycle.h"
#include "cycle/slice.h"
#include "store/brake.h"
#include "store/flood.h"

enum batch_hold {
	BATCH_FREE,
	BATCH_HELD,		/* by the brake: it waits for two people */
	BATCH_RELEASED,		/* by two people: it passes unjudged */
};

/* One person: the row as it is to be, and what differs. */
struct decided {
	struct store_person person;
	struct cycle_change change;
	const struct slice_person *entry;	/* NULL: removed, or decided on by the row alone */
	/* by an entry or its removal; else by the row alone */
	bool heard;
	/* not to be written: deferred, held, quarantined, or again */
	bool skip;
	/* to be decided on when the others have been written */
	bool again;
	bool at_fault;				/* skipped because quarantined */
	/* has passed the brake: counts as an effect */
	bool counts[BRAKE_KIND_COUNT];
	bool holds;				/* skipped because held */
	/* held, and decided on as such: see cycle_news.held */
	bool kept;
	/* as they were when the batch was locked */
	enum batch_hold hold[BRAKE_KIND_COUNT];
	enum policy_withhold withhold;		/* was decided on with this */
	int64_t was_due_at_s;
};

struct batch {
	struct decided *list;
	size_t count, room;
};
void batch_clear(struct batch *b);
/* Takes the row over, leaving one that can be cleared; borrowed until the next call. */
struct decided *batch_add(struct batch *b, struct store_person *row);

/* Brings rows into the order of their entries, and finds an entry's in that: NULL for none. */
void batch_rows_sort(struct store_people *rows);
struct store_person *batch_row_find(const struct store_people *rows,
    const struct mu_uuid *entry_uuid);

/*
 * Has keys check all grants and identifications of these lists in one question (none when nobody
 * has any) and takes out those whose MAC is wrong: they count for nothing. Each is recorded and
 * logged once: told (sorted) are those of this transaction that were. MU_ERETRY when keys are away.
 */
MU_CHECKED enum mu_rc batch_rows_check(const struct cycle_again_host *host,
    struct store_people *const *lists, size_t list_count, int64_t now_ms, struct uuids *told,
    struct mu_err *err);

/* Who of these people the brake holds. */
MU_CHECKED enum mu_rc batch_holds_read(const struct cycle_again_host *host,
    const struct mu_uuid *person_ids, size_t count, struct store_holds *out_holds,
    struct mu_err *err);
void batch_holds_of(const struct store_holds *holds, struct decided *d);
/* What these holds withhold of what they would gain. */
enum policy_withhold batch_withhold(const struct decided *d);

/* Where the change shuts them out, gives power, or lets them in: what the brake counts. */
void batch_platforms(const struct store_person *p, const struct cycle_change *ch,
    enum brake_kind kind, struct strings *out_platforms);

/* Of two who are to get the same fresh account name, the second is skipped, to be decided again. */
void batch_claims_settle(struct batch *b);

/* What changes of the accounts: "xmpp: enabled -> disabled", "xmpp: loses room ops moderator". */
void batch_accounts_tell(const struct store_person *p, const struct cycle_change *ch,
    struct strings *out_lines);

/* One question to keys for all account rows of the batch that differ; MU_ERETRY when keys are away. */
MU_CHECKED enum mu_rc batch_accounts_mac(const struct cycle_again_host *host, struct batch *b,
    struct mu_err *err);
/* Nobody writes by an older policy than is in force: MU_ERETRY. Asked in the writing transaction. */
MU_CHECKED enum mu_rc batch_policy_check(const struct cycle_again_host *host, struct mu_err *err);
/* The audit record of someone new. */
void batch_person_record(struct store_flood *rows, const struct decided *d, int64_t now_ms);

/* What came of writing. */
struct batch_written {
	size_t people;
	size_t joined;			/* new, or back */
	bool accounts_changed;
};

/*
 * Writes whoever is not skipped and differs, with accounts, dropped grants, audit records, and
 * effects for the brake. MU_ERETRY when keys are away, or when a newer policy came into force
 * meanwhile.
 */
MU_CHECKED enum mu_rc batch_write(const struct cycle_again_host *host, struct batch *b,
    int64_t now_ms, struct batch_written *out_written, struct mu_err *err);

#endif
