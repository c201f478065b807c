/*
 * api/answer_priv.h - what the administrators' API, its console and the claim page say alike
 */
#ifndef API_ANSWER_PRIV_H
#define API_ANSWER_PRIV_H

#include "http/server.h"
#include "json/write.h"
#include "store/person.h"

#define WHO_MAX		64	/* people that one text may mean before we stop looking */

struct json_extra {		/* one more member of a problem */
	const char *name;	/* above "detail" in canonical order or "targets" */
	const char *json;	/* canonical */
};

/* Refuses with RFC 9457 problem details, on a page's route, too; extra may be NULL. */
void answer_problem(struct http_request *req, int status, int64_t retry_after_s, const char *detail,
    const struct json_extra *extra);

/* 401; way_in: what WWW-Authenticate says, "ClientCertificate". */
void answer_unknown(struct http_request *req, const char *way_in, const char *detail);

/* 200 or another success with canonical JSON; the request is gone. */
void answer_json(struct http_request *req, int status, const struct mu_buf *json);

/* Does the client ask for JSON alone (Accept names application/json)? */
bool answer_wants_json(const struct http_request *req);

/* {"id", "name", "uid"} */
void person_ref_write(struct json_writer *w, const char *name, const struct mu_uuid *person_id,
    const char *display_name, const char *uid);
/* The same of a person among those read; of one who is not there, the id alone with empty names. */
void person_ref_of(struct json_writer *w, const char *name, const struct store_people *people,
    const struct mu_uuid *person_id);

/* NULL when the person is not among them; people as people_read left them. */
const struct store_person *people_find(const struct store_people *people,
    const struct mu_uuid *person_id);

/* Reads these people, those that exist, by their ids; none asked for is nobody read. */
MU_CHECKED enum mu_rc people_read(struct store *store, const struct mu_uuid *ids, size_t count,
    struct store_people *out_people, struct mu_err *err);

/* A list of PERSON-REF of the first of these people, at most as many as are shown as candidates. */
void candidates_write(const struct store_people *people, struct mu_buf *b);

/* Administrators who work now: active, and so is their person, who is not blocked. */
MU_CHECKED enum mu_rc administrators_count(struct store *store, int64_t *out_count,
    struct mu_err *err);

/* A time, null for 0. */
void moment_write(struct json_writer *w, const char *name, int64_t at_s);

#endif
