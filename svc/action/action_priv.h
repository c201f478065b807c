/*
 * action/action_priv.h - what the files of the room share: requests, documents, kinds, a job
 */
#ifndef ACTION_ACTION_PRIV_H
#define ACTION_ACTION_PRIV_H

#include "action/action.h"

#include "json/write.h"
#include "store/person.h"

#define ACTION_GIVEN_MAX_BYTES	256	/* of one text that says who is meant */

/* --- Requests and documents (document.c): pure ------------------------------------------------ */

/* In the order of their names: canonical. */
enum action_arg {
	ARG_BASE, ARG_CERTIFICATE, ARG_CSR, ARG_EVIDENCE, ARG_FILES, ARG_GRANTS, ARG_LEVEL,
	ARG_METHOD, ARG_NAME, ARG_OUTCOME, ARG_PLATFORM, ARG_ROLE, ARG_SOURCE, ARG_UNTIL,
};
#define ARG_COUNT	(ARG_UNTIL + 1)
#define ARG(arg)	(1u << (arg))

struct action_args {
	unsigned int given;		/* ARG() or-ed */
	char *text[ARG_COUNT];		/* of those that are text; "" when not given */
	int64_t base, until_s;		/* 0 when not given */
	struct policy_file *files;	/* by name */
	size_t file_count;
	struct mu_uuid *grants;		/* in order, each once */
	size_t grant_count;
};

/* What a client wrote. */
struct action_request {
	enum action_kind kind;
	struct action_args args;
	char *reason;
	char **targets;			/* each says who is meant; at least one, of people */
	size_t target_count;
};
void action_request_clear(struct action_request *r);

/*
 * MU_EINPUT  anything but a whole request of a known kind: err names the member. out_kind is set as
 *            soon as it is known, for the record of the refusal; *out_known says whether.
 */
MU_CHECKED enum mu_rc action_request_parse(const struct json_node *n, enum action_kind *out_kind,
    bool *out_known, struct action_request *out_request, struct mu_err *err);

struct action_document {
	enum action_kind kind;
	struct action_args args;
	struct mu_uuid id, requester;
	char *reason;
	struct mu_uuid *targets;	/* in order, each once */
	size_t target_count;
};
void action_document_clear(struct action_document *d);

/* A document of the request with an id of its own, without targets yet. */
void action_document_begin(const struct action_request *r, const struct mu_uuid *requester,
    struct action_document *out_document);

/* Appends the canonical bytes. */
void action_document_format(const struct action_document *d, struct mu_buf *b);

/* Reads them back. MU_EBROKEN: the text is none of ours. */
MU_CHECKED enum mu_rc action_document_parse(const char *text, struct action_document *out_document,
    struct mu_err *err);

/* Text that people read: UTF-8 that shows, not all blank, 1 to max_bytes. MU_EINPUT names it. */
MU_CHECKED enum mu_rc action_text_check(const char *text, const char *name, size_t max_bytes,
    struct mu_err *err);

/* --- A job: one action being previewed or executed, in an open transaction -------------------- */

struct action_job {
	const struct action_host *host;
	const struct policy *policy;	/* until decide is called */
	const struct action_document *doc;
	int64_t now_ms;
	bool earnest;			/* not a preview */
	struct store_people people;	/* the targets, locked, in order of person_id */
	int64_t approvals;		/* needed: set by the gate, raised by the kind's check */
	struct strings agreed;		/* roles of those who ask and who have approved */
	/* What came of it */
	struct action_effects effects;
	struct mu_buf lines;		/* for the preview, each ended by a newline */
	struct mu_buf faults;		/* of a policy: the same */
	char *certificate;
	int64_t not_after_s, version;
	struct mu_secret shown;		/* a one-time code, for the one who executed it alone */
	/* Why it was refused, with ids in place of names: what is recorded; "": the error's text */
	struct mu_buf recorded;
};
void action_job_clear(struct action_job *j);

/* --- Kinds (kinds.c): a row each -------------------------------------------------------------- */

/* HELD, GRANTS: whom the brake holds, and whose the grants are, become the targets. */
enum action_about { ABOUT_NOBODY, ABOUT_ONE, ABOUT_PEOPLE, ABOUT_HELD, ABOUT_GRANTS };

typedef enum mu_rc action_step_fn(struct action_job *j, struct mu_err *err);

struct action_row {
	enum action_about about;
	unsigned int needs, may;	/* arguments: ARG() or-ed */
	const char *says;		/* what it comes to, for the preview */
	bool decides;			/* its people are decided anew behind execute */
	const char *hint;		/* channel that hears of its commit; NULL: none */
	action_step_fn *check;		/* may it be, as things are now? NULL: always */
	action_step_fn *execute;	/* writes, with its records */
};
const struct action_row *action_row(enum action_kind kind);

/* Locks and reads the targets. MU_ECONFLICT: one is not there any more. */
MU_CHECKED enum mu_rc action_job_open(struct action_job *j, struct mu_err *err);
/*
 * Looks at the targets and at what else it is about, and sets approvals.
 * MU_EDENIED, MU_EABSENT, MU_ECONFLICT, MU_EINPUT: it cannot be
 */
MU_CHECKED enum mu_rc action_job_check(struct action_job *j, struct mu_err *err);
/* Behind check: writes and decides. The policy is not to be used after. */
MU_CHECKED enum mu_rc action_job_execute(struct action_job *j, struct mu_err *err);

/* --- Access reviews (review.c) ---------------------------------------------------------------- */

/* Sets doc's targets to whose the grants are. MU_EABSENT: one of them is nobody's. */
MU_CHECKED enum mu_rc action_review_resolve(const struct action_host *h,
    struct action_document *doc, struct mu_err *err);
action_step_fn action_review_confirm_check, action_review_confirm, action_review_drop_check,
    action_review_drop;

/* --- What kinds share (kinds.c) --------------------------------------------------------------- */

/* As people are called in errors and previews. */
const char *action_called(const struct store_person *p);
/* Puts the person in front of the error; what is recorded names them by id. */
enum mu_rc action_about_person(struct action_job *j, const struct store_person *p,
    struct mu_err *err);
MU_CHECKED enum mu_rc action_mac_make(const struct action_job *j, const struct mu_buf *bytes,
    unsigned char out_mac[MAC_BYTES], struct mu_err *err);
MU_CHECKED enum mu_rc action_mac_right(const struct action_job *j, const struct mu_buf *bytes,
    const unsigned char mac[MAC_BYTES], bool *out_right, struct mu_err *err);
/* Drops from the list whoever does not work as an administrator now. */
MU_CHECKED enum mu_rc action_standing_keep(const struct action_job *j,
    struct store_administrators *l, struct mu_err *err);

/* --- Who is meant (who.c) --------------------------------------------------------------------- */

/*
 * Sets doc's targets to the people meant. MU_EINPUT: some are nobody or several; then out_json has
 * the answer with all of them. Candidates beyond the asker's scope are not shown.
 */
MU_CHECKED enum mu_rc action_who_resolve(struct action_job *j, const struct auth_who *who,
    const struct action_request *request, struct action_document *doc, struct mu_buf *out_json,
    struct mu_err *err);

/* What filters see of them, and what bounds their roles; borrowed from both. */
struct facts action_facts(const struct action_host *h, const struct store_person *p);

int action_uuid_order(const void *a, const void *b);		/* struct mu_uuid, for qsort */
/* Sorts, drops repeats; returns how many are left. */
size_t action_uuids_unique(struct mu_uuid *list, size_t count);

/* --- Answers (answer.c) ----------------------------------------------------------------------- */

/* An action with all that stands about it. */
struct action_file {
	struct store_action action;
	struct store_approvals approvals;
	struct action_document doc;
	struct store_people people;	/* everyone whom it names */
};
void action_file_clear(struct action_file *f);

/* Reads people: all whom action, approvals and result name. */
MU_CHECKED enum mu_rc action_file_people(const struct action_host *h, struct action_file *f,
    struct mu_err *err);
/* NULL: not among them. */
const struct store_person *action_person_find(const struct store_people *people,
    const struct mu_uuid *id);

/* PERSON-REF */
void action_person_json(struct json_writer *w, const char *name, const struct store_person *p);
/* ACTION of api/admin.h; preview, shown NULL: none. */
void action_file_json(const struct action_file *f, const struct action_job *preview,
    const struct mu_secret *shown, struct json_writer *w);
/* The answer to a proposal. */
void action_proposal_json(const struct action_file *f, const struct action_job *j,
    struct mu_buf *b);
/* {"faults": [TEXT]} */
void action_faults_json(const struct action_job *j, struct mu_buf *b);
/* What is kept as the action's result: ids in place of names. */
void action_result_json(const struct action_job *j, struct mu_buf *b);
/* When it ends if nobody does anything. */
int64_t action_lapses_at_s(const struct store_action *a);

#endif
