/*
 * cycle/decide.h - one person: what is known now, what they are to have, what has to be written
 *
 * Lifecycle and policy decide; this lays their decision beside the person's row and says what
 * differs. Pure but for the look-up of who holds an account name.
 */
#ifndef CYCLE_DECIDE_H
#define CYCLE_DECIDE_H

#include "adapters/adapter.h"
#include "audit/record.h"
#include "policy/policy.h"
#include "store/person.h"

/* A platform as far as wanted accounts go. */
struct cycle_platform {
	const char *name;
	const char *account_attr;	/* the mapped attribute that names the account */
	const struct adapter_ops *ops;	/* for normalise */
};

/* A source as far as its people go: namespace, and what it may give them. */
struct cycle_source {
	const char *name;
	const char *name_suffix;	/* of login and account names; "": none */
	struct authority authority;
	bool authority_all;		/* every role and level: authority is empty */
};

struct cycle_rules {
	const struct policy *policy;
	/* of the policy: nothing is written under an older one than is in force; 0: any */
	int64_t version;
	struct cycle_platform *platforms;
	size_t platform_count;
	/* None at all: whoever there is may have everything. */
	struct cycle_source *sources;
	size_t source_count;
	/* Without a store: has another that name on the platform? NULL: nobody has. */
	bool (*name_taken)(const void *ctx, const char *platform, const char *name);
	const void *name_ctx;
};

/* NULL: not in the configuration, or none is given at all. */
const struct cycle_source *cycle_source_find(const struct cycle_rules *rules, const char *name);

/* Appends a login or account name of the source's people: theirs with its suffix. */
void cycle_name_format(const struct cycle_source *source, const char *given, struct mu_buf *b);

/*
 * Appends the name that an account on the platform is to have, for a person of this source.
 * MU_EABSENT  they have no attribute that names it
 * MU_EINPUT   it cannot be a name there, or would pass for one of another source
 */
MU_CHECKED enum mu_rc cycle_account_name(const struct cycle_rules *rules,
    const struct cycle_platform *platform, const char *source_name, const struct attrs *attrs,
    struct mu_buf *out_name, struct mu_err *err);

/*
 * Appends what decisions on people of this source depend on beside its directory: a change means that
 * all of them are decided on anew. Nothing for one source that has neither suffix nor bounds.
 */
void cycle_source_shape(const struct cycle_rules *rules, const char *name, struct mu_buf *b);

/* What the directory said, if it said something; else the row alone is decided on again. */
struct cycle_news {
	bool heard;			/* by an entry or its removal */
	bool present;			/* heard: the entry is there */
	const char *dn, *uid;		/* heard and present, as attrs and hash: borrowed; uid with suffix */
	const struct attrs *attrs;
	const unsigned char *content_hash;
	const struct strings *groups;	/* NULL: those of the row */
	/* what the brake holds of what they would gain by birthright */
	enum policy_withhold withhold;
	/*
	 * Not heard: the brake holds their removal. What the directory, its dates or the policy
	 * would take away stays; what actions and the ends of grants take away goes all the same.
	 */
	bool held;
};

struct cycle_account_change {
	size_t index;			/* in person->accounts */
	bool urgent;			/* takes something away */
	enum account_state was;
	struct entitlements was_rights;
};

struct cycle_grant_end {
	struct mu_uuid grant_id;
	char *role;
	const char *reason;		/* static text */
};

struct cycle_change {
	bool write;			/* anything at all differs */
	/* The brake's business: takes an account, or roles without giving any, and not by time. */
	bool removal;
	/* Its business as well: platforms where a birthright gives power that they had not; */
	struct strings power;
	bool joins;			/* roles, to somebody who had none. */
	/* news.withhold kept something from them */
	bool withheld;
	/* held, and this would take what the brake holds: not to be written */
	bool stays;
	bool transition;		/* an audit record is due */
	enum audit_kind kind;
	const char *reason;
	enum person_state from;
	struct strings gained, lost;	/* roles, granted ones included */
	struct cycle_grant_end *ends;	/* grants to drop */
	size_t end_count;
	bool identified;		/* the level reached is another than before */
	struct cycle_account_change *accounts;
	size_t account_count;
	/* an account that could not be wanted; NULL: none */
	char *refused_platform, *refused_reason;
	/* of the entry, overlooked: its times stand as they were; NULL: none */
	char *fault;
};
void cycle_change_clear(struct cycle_change *ch);

/*
 * Changes *person into what it is to be (version and MACs are the writer's) and says what differs.
 * Its grants and identification count for what they say: who decides in earnest has taken out those
 * whose MAC is wrong (cycle/batch_priv.h).
 *
 * store      for store_account_holder; NULL in a plan: then rules->name_taken is asked
 * People of a source that is not configured any more stay as they are, but for dates, actions, ends of
 * grants, and what the policy changes in roles they hold: they gain no role.
 *
 * MU_EINPUT  the entry heard is at fault (quarantine it): *person may be half changed, drop it
 */
MU_CHECKED enum mu_rc cycle_decide(const struct cycle_rules *rules, struct store *store,
    struct store_person *person, const struct cycle_news *news, int64_t now_s,
    struct cycle_change *out_change, struct mu_err *err);

#endif
