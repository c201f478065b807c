/*
 * store/brake.h - what the brake has counted, how many people there are, and whom it holds
 *
 * Effects and people are counted per source, per platform and for all together: name is that of the
 * source or platform, "" for all. What is older than POLICY_BRAKE_WITHIN_MAX_S counts nowhere.
 */
#ifndef STORE_BRAKE_H
#define STORE_BRAKE_H

#include "model/names.h"
#include "store/store.h"

/* --- Counts --------------------------------------------------------------------------------- */

struct store_brake_count {
	enum brake_kind kind;
	enum brake_scope scope;
	const char *name;		/* borrowed */
	int64_t since_s;		/* asked: effects after, people before that */
	int64_t used, people_then, people_now;
};

/*
 * Answers all of them. First it waits for whoever has counted and not committed, and lets nobody
 * else count until this transaction ends: two that count at once would both find room for the last.
 */
MU_CHECKED enum mu_rc store_brake_counts_lock(struct store *s, struct store_brake_count *list,
    size_t count, struct mu_err *err);
/* The same for who only looks. */
MU_CHECKED enum mu_rc store_brake_counts(struct store *s, struct store_brake_count *list,
    size_t count, struct mu_err *err);

/* Somebody may come and go within a second: each time counts. */
void store_brake_effect_add(struct store *s, enum brake_kind kind, enum brake_scope scope,
    const char *name, const struct mu_uuid *person_id, int64_t now_ms);

/* So many more people (enabled accounts of a platform) than before; less than 0: fewer. */
void store_brake_people_add(struct store *s, enum brake_scope scope, const char *name,
    int64_t people, int64_t now_s);
MU_CHECKED enum mu_rc store_brake_people(struct store *s, enum brake_scope scope, const char *name,
    int64_t *out_people, struct mu_err *err);

/* Forgets effects until then; of people who came and went until then only the sum is kept. */
void store_brake_prune(struct store *s, int64_t until_s);

/* Has everything of the source been listed before, people and groups? */
MU_CHECKED enum mu_rc store_brake_is_settled(struct store *s, const char *source, bool *out_settled,
    struct mu_err *err);

/* --- Holds ---------------------------------------------------------------------------------- */

/* Holding twice changes nothing: who was released stays so. */
void store_brake_hold_add(struct store *s, const char *source, const struct mu_uuid *person_id,
    enum brake_kind kind, const char *reason, int64_t now_s);
void store_brake_hold_drop(struct store *s, const char *source, const struct mu_uuid *person_id,
    enum brake_kind kind);
/* Holds of the source, released ones, too. */
MU_CHECKED enum mu_rc store_brake_hold_count(struct store *s, const char *source,
    int64_t *out_count, struct mu_err *err);

struct store_hold {
	struct mu_uuid person_id;
	enum brake_kind kind;
	char *source, *reason, *uid, *display_name;
	int64_t since_s;
	bool released;			/* two people let it pass: the next read may do it */
};
struct store_holds {
	struct store_hold *list;
	size_t count;
};
void store_holds_clear(struct store_holds *h);
/* Everyone held, released ones too; source NULL: of all sources. In order of source, name, kind. */
MU_CHECKED enum mu_rc store_brake_hold_list(struct store *s, const char *source,
    struct store_holds *out_holds, struct mu_err *err);
/* Those of these people who are held: person_id, source, kind and released alone. */
MU_CHECKED enum mu_rc store_brake_hold_find(struct store *s, const struct mu_uuid *person_ids,
    size_t count, struct store_holds *out_holds, struct mu_err *err);
/* These alone pass the brake from now on, whatever the directory says of them when it is read next. */
void store_brake_release(struct store *s, const char *source, const struct mu_uuid *person_ids,
    size_t count);

#endif
