/*
 * api/admin_priv.h - what the handlers of the administrators' API share: who asks, what is recorded
 *
 * A handler opens an ask, which finds the session and looks whether its role may; reads inside one
 * transaction; records what it is about to show in the same one; and answers after the commit:
 *
 *	if (!ask_open(&a, ctx, req, "read.people"))
 *		return;
 *	if (ask_begin(&a, &err) != MU_OK || read(&a, ...) != MU_OK ||
 *	    ask_record(&a, &r, &err) != MU_OK)
 *		ask_fail(&a, &err);
 *	else
 *		answer_json(req, 200, &json);
 */
#ifndef API_ADMIN_PRIV_H
#define API_ADMIN_PRIV_H

#include "api/admin.h"
#include "api/answer_priv.h"
#include "api/throttle.h"
#include "http/server.h"
#include "store/store.h"

#define API_ADMIN_LOOK_MS	300	/* one request looks for so long, then says "next" */

/* Refusals of one address in ten minutes that are recorded one by one; others are logged alone. */
#define API_ADMIN_STRANGER_RECORDS 100

struct receipts_wait;

struct api_admin {
	struct api_admin_host host;
	struct store *store;		/* that of host.actions */
	struct http_server *server;
	/* Who logs in: by name, by name and address, by address. */
	struct throttle *users, *users_from, *addresses;
	struct throttle *strangers;	/* whose refusals are recorded one by one */
	struct receipts_wait *waiting;
	size_t waiting_count;
	struct mu_timer *wait_timer;
};

/* --- Who asks -------------------------------------------------------------------------------- */

struct ask {
	struct api_admin *api;
	struct http_request *req;
	struct auth_who who;
	const char *permission;		/* NULL: the session is enough, or the action room decides */
	const struct policy *policy;	/* in force, for the handler; NULL without permission */
	int64_t now_ms;
	bool was_refused;		/* by ask_person, and recorded */
};

#define ASK_INIT { .api = NULL }

/* false: refused and recorded, the request is gone. */
bool ask_open(struct ask *a, struct api_admin *api, struct http_request *req,
    const char *permission);
void ask_clear(struct ask *a);

/*
 * The session that a request comes with; nothing is recorded. MU_EDENIED: none, or one whose
 * administrator has a conflict: then it stands in out_who.
 */
MU_CHECKED enum mu_rc ask_session(struct api_admin *api, const struct http_request *req,
    struct auth_who *out_who, struct mu_err *err);

/* Who administers depends on the policy in force: the host looks for a newer one. */
void policy_refresh(struct api_admin *api);

MU_CHECKED enum mu_rc ask_begin(struct ask *a, struct mu_err *err);

/* May the role see this person? NULL: somebody who is not in the store any more. */
bool ask_reaches(const struct ask *a, const struct store_person *person);

/* What is about to be shown. NULL, and rows of -1: not told. */
struct ask_read {
	const char *what;		/* "people", "audit" */
	const char *query;		/* without personal values */
	const char *reason;
	const struct mu_uuid *person;	/* the one who is meant */
	int64_t rows;
};
/* Records it (AUDIT_ADMIN_READ) and commits: only then may it be answered. */
MU_CHECKED enum mu_rc ask_record(struct ask *a, const struct ask_read *read, struct mu_err *err);

/* Ends an open transaction and refuses with what err says; MU_EDENIED is recorded. */
void ask_fail(struct ask *a, const struct mu_err *err);

/* Records AUDIT_ACTION_REFUSED; what cannot be recorded is logged alone: nothing was done. */
void ask_refusal_record(struct ask *a, const struct mu_uuid *person, const char *reason);

/* Records AUDIT_AUTH_FAILED of somebody unknown. */
void stranger_record(struct api_admin *api, const char *address, const char *reason);

/* --- What stands in a query ------------------------------------------------------------------ */

/* All set err (MU_EINPUT); absent is out_x as it was. */
bool query_id(const struct ask *a, const char *name, struct mu_uuid *out_id, struct mu_err *err);
bool query_limit(const struct ask *a, size_t *out_limit, struct mu_err *err);
bool query_time(const struct ask *a, const char *name, int64_t *out_at_s, struct mu_err *err);

/* Appends "name=value" to what is recorded of a query; value NULL: absent, nothing. */
void query_note(struct mu_buf *b, const char *name, const char *value);

/*
 * The one person that text means within the role's reach. In the open transaction.
 *
 * MU_EABSENT    nobody, or nobody within reach: recorded as refused, answered alike
 * MU_ECONFLICT  several: all of them in out_people
 */
MU_CHECKED enum mu_rc ask_person(struct ask *a, const char *text, struct store_people *out_people,
    struct mu_err *err);
/* Refuses for what ask_person ended with: 409 has candidates. */
void ask_person_fail(struct ask *a, const char *what, const struct store_people *people,
    const struct mu_err *err);

/* 400 for targets that are not one person each, or a policy with faults; json: what action_propose
 * answered. */
void problem_targets(struct http_request *req, const struct mu_buf *json,
    const struct mu_err *err);

/* A list of texts, one a line. */
void lines_write(struct json_writer *w, const char *name, const char *lines);

/* --- Handlers, by file ----------------------------------------------------------------------- */

/* login.c */
http_handler_fn login_post;
/* actions.c */
http_handler_fn actions_post, action_get, execute_post, approve_post, deny_post, pending_get;
/* people.c */
http_handler_fn people_get, person_get, explain_get;
/* accounts.c */
http_handler_fn accounts_get, receipts_get;
/* look.c */
http_handler_fn platforms_get, platform_get, sources_get, brake_get, clients_get,
    administrators_get, policy_get;
/* reviews.c */
http_handler_fn reviews_get;
/* records.c */
http_handler_fn audit_get;

/* All of them, for tests that walk through every route. */
const struct http_route *admin_routes(size_t *out_count);

/* accounts.c: ACCOUNT objects of accounts; people has who they belong to. */
struct store_look_account;
void account_write(struct json_writer *w, const struct store_look_account *account);
void receipts_open(struct api_admin *api);
void receipts_close(struct api_admin *api);	/* answers whoever waits */

#endif
