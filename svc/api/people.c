#include "api/admin_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "filter/filter.h"
#include "http/problem.h"
#include "json/read.h"
#include "store/brake.h"
#include "store/look.h"

#include <stdlib.h>
#include <string.h>

#define PAGE	200	/* people read at once while looking for those that match */
#define ENDED_MAX 50	/* ended grants of a person, among which one of a role is looked for */

/* --- A person as JSON ------------------------------------------------------------------------ */

/* What is shown of one person alone. */
struct more {
	const struct store_look_accounts *accounts;
	const struct store_people *others;	/* who granted, who verified */
	const struct policy *policy;
};

static int
by_name(const void *x, const void *y)
{
	const struct attr *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

/* Attributes are kept without regard to case, and written in the order of their bytes. */
static void
attributes_write(struct json_writer *w, const struct attrs *attrs)
{
	MU_AUTO(mu_freep) const struct attr **sorted = mu_alloc_zero(attrs->count + 1,
	    sizeof(*sorted));

	for (size_t i = 0; i < attrs->count; i++)
		sorted[i] = &attrs->list[i];
	qsort(sorted, attrs->count, sizeof(*sorted), by_name);
	json_object_begin(w, "attributes");
	for (size_t i = 0; i < attrs->count; i++) {
		json_list_begin(w, sorted[i]->name);
		for (size_t k = 0; k < sorted[i]->value_count; k++)
			json_text(w, NULL, sorted[i]->values[k]);
		json_list_end(w);
	}
	json_object_end(w);
}

static void
strings_write(struct json_writer *w, const char *name, const struct strings *s)
{
	json_list_begin(w, name);
	for (size_t i = 0; i < s->count; i++)
		json_text(w, NULL, s->list[i]);
	json_list_end(w);
}

static void
grants_write(struct json_writer *w, const struct store_person *p, const struct more *more)
{
	json_list_begin(w, "grants");
	for (size_t i = 0; i < p->grant_count; i++) {
		const struct grant *g = &p->grants[i];

		json_object_begin(w, NULL);
		json_time(w, "ends_at", g->ends_at_s);
		person_ref_of(w, "granted_by", more->others, &g->granted_by);
		json_text(w, "reason", g->reason);
		moment_write(w, "review_due_at", policy_review_due(more->policy, g));
		json_text(w, "role", g->role);
		json_time(w, "starts_at", g->starts_at_s);
		json_object_end(w);
	}
	json_list_end(w);
}

static bool
is_vouched(const struct store_person *p)
{
	return p->vouched.level != NULL && p->vouched.level[0] != '\0';
}

static void
identification_write(struct json_writer *w, const struct store_person *p,
    const struct store_people *others)
{
	const struct identification *i = &p->vouched;

	if (!is_vouched(p)) {
		json_none(w, "identification");
		return;
	}
	json_object_begin(w, "identification");
	json_time(w, "at", i->identified_at_s);
	json_text(w, "evidence", i->evidence);
	json_text(w, "level", i->level);
	json_text(w, "method", i->method);
	person_ref_of(w, "verifier", others, &i->verifier);
	json_object_end(w);
}

/* more NULL: as it stands in a list of people. */
static void
person_write(struct json_writer *w, const struct store_person *p, bool is_held,
    const struct more *more)
{
	json_object_begin(w, NULL);
	if (more != NULL) {
		json_list_begin(w, "accounts");
		for (size_t i = 0; i < more->accounts->count; i++)
			account_write(w, &more->accounts->list[i]);
		json_list_end(w);
	}
	attributes_write(w, &p->attrs);
	json_bool(w, "blocked", p->blocked);
	moment_write(w, "ends_at", p->ends_at_s);
	json_text(w, "evidence", p->evidence);
	if (more != NULL) {
		grants_write(w, p, more);
		strings_write(w, "groups", &p->groups);
	}
	json_bool(w, "held", is_held);
	json_uuid(w, "id", &p->person_id);
	if (more != NULL)
		identification_write(w, p, more->others);
	json_text(w, "identified", p->identified);
	json_text(w, "name", store_person_name(p));
	moment_write(w, "resume_at", p->resume_at_s);
	strings_write(w, "roles", &p->roles);
	json_text(w, "source", p->source);
	moment_write(w, "starts_at", p->starts_at_s);
	json_text(w, "state", person_state_name(p->state));
	json_time(w, "state_since", p->state_since_s);
	json_bool(w, "suspended", p->suspended);
	json_text(w, "uid", p->uid);
	json_object_end(w);
}

/* --- Many people ----------------------------------------------------------------------------- */

struct look {
	struct filter *match;			/* NULL: everyone */
	enum person_state state;
	bool has_state;
	struct mu_uuid after;
	size_t limit;
	struct json_writer w;			/* of people */
	struct mu_buf people, note;
	size_t rows;
	bool has_next;				/* after is where to go on */
};

static void
look_clear(struct look *l)
{
	filter_free(l->match);
	mu_buf_clear(&l->people);
	mu_buf_clear(&l->note);
}

static bool
attr_known(void *ctx, const char *name)
{
	const struct api_admin *api = ctx;

	return api->host.attr_known(api->host.settings, name);
}

static bool
look_read(const struct ask *a, struct look *l, struct mu_err *err)
{
	const char *state = http_query_find(a->req, "state"), *match = http_query_find(a->req,
	    "match");

	if (!query_id(a, "after", &l->after, err) || !query_limit(a, &l->limit, err))
		return false;
	if (state != NULL && !person_state_parse(state, &l->state)) {
		(void)mu_fail(err, MU_EINPUT, "state: staged, active, suspended, leaver or erased");
		return false;
	}
	l->has_state = state != NULL;
	if (match != NULL && filter_parse(match, attr_known, a->api, &l->match, err) != MU_OK) {
		(void)mu_wrap(err, "match");
		return false;
	}
	query_note(&l->note, "state", state);
	query_note(&l->note, "filtered", match == NULL ? NULL : "1");
	return true;
}

static bool
is_held(const struct store_holds *held, const struct mu_uuid *person_id)
{
	for (size_t i = 0; i < held->count; i++)
		if (!held->list[i].released && mu_uuid_equal(&held->list[i].person_id, person_id))
			return true;
	return false;
}

/* Takes those of one page that match, in its order, until there are enough. */
static void
page_take(struct ask *a, struct look *l, const struct mu_uuid *ids, size_t count,
    const struct store_people *people, const struct store_holds *held)
{
	for (size_t i = 0; i < count; i++) {
		const struct store_person *p = people_find(people, &ids[i]);
		struct facts facts;

		if (l->rows == l->limit)
			return;
		l->after = ids[i];
		if (p == NULL)
			continue;
		facts = (struct facts){ &p->attrs, &p->groups, p->source, NULL };
		if ((l->match != NULL && !filter_match(l->match, &facts)) || !ask_reaches(a, p))
			continue;
		person_write(&l->w, p, is_held(held, &p->person_id), NULL);
		l->rows++;
	}
}

/* Looks until there are enough, or none left, or the time is up: then it says "next". */
static enum mu_rc
people_look(struct ask *a, struct look *l, struct mu_err *err)
{
	int64_t until_ms = mu_tick_ms() + API_ADMIN_LOOK_MS;
	struct store *store = a->api->store;
	struct mu_uuid ids[PAGE];
	size_t count = PAGE;

	json_begin(&l->w, &l->people);
	json_list_begin(&l->w, NULL);
	while (count == PAGE && l->rows < l->limit && mu_tick_ms() < until_ms) {
		MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
		MU_AUTO(store_holds_clear) struct store_holds held = { NULL, 0 };

		if (store_look_people(store, l->has_state ? &l->state : NULL, &l->after, ids, PAGE,
		    &count,
		    err) != MU_OK || people_read(store, ids, count, &people, err) != MU_OK ||
		    store_brake_hold_find(store, ids, count, &held, err) != MU_OK)
			return err->rc;
		page_take(a, l, ids, count, &people, &held);
	}
	l->has_next = count == PAGE || (count > 0 && !mu_uuid_equal(&l->after, &ids[count - 1]));
	json_list_end(&l->w);
	json_end(&l->w);
	return MU_OK;
}

void
people_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(look_clear) struct look l = { .match = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ask_read read = { .what = "people" };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, "read.people"))
		return;
	if (!look_read(&a, &l, &err) || ask_begin(&a, &err) != MU_OK || people_look(&a, &l,
	    &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	read.query = mu_buf_text(&l.note);
	read.rows = (int64_t)l.rows;
	if (ask_record(&a, &read, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (l.has_next)
		json_uuid(&w, "next", &l.after);
	json_value(&w, "people", l.people.data);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}

/* --- One person ------------------------------------------------------------------------------ */

/* Takes out grants and an identification that keys did not make: they count for nothing. */
static enum mu_rc
vouchers_check(struct ask *a, struct store_person *p, struct mu_err *err)
{
	size_t count = p->grant_count + is_vouched(p), kept = 0;
	struct auth_host auth = *a->api->host.auth;
	MU_AUTO(mu_freep) struct mu_buf *bytes = mu_alloc_zero(count + 1, sizeof(*bytes));
	MU_AUTO(mu_freep) unsigned char (*macs)[MAC_BYTES] = mu_alloc_zero(count + 1,
	    sizeof(*macs));
	MU_AUTO(mu_freep) bool *right = mu_alloc_zero(count + 1, sizeof(*right));

	for (size_t i = 0; i < p->grant_count; i++) {
		grant_encode(&p->grants[i], &bytes[i]);
		(void)memcpy(macs[i], p->grants[i].mac, MAC_BYTES);
	}
	if (is_vouched(p)) {
		identification_encode(&p->vouched, &bytes[p->grant_count]);
		(void)memcpy(macs[p->grant_count], p->vouched.mac, MAC_BYTES);
	}
	if (count > 0)
		(void)!auth_mac_check(&auth, bytes, (const unsigned char (*)[MAC_BYTES])macs, count,
		    right, err);
	for (size_t i = 0; i < count; i++)
		mu_buf_clear(&bytes[i]);
	if (err->rc != MU_OK)
		return err->rc;
	if (is_vouched(p) && !right[p->grant_count])
		p->vouched.level[0] = '\0';
	for (size_t i = 0; i < p->grant_count; i++) {
		if (right[i])
			p->grants[kept++] = p->grants[i];
		else
			grant_clear(&p->grants[i]);
	}
	p->grant_count = kept;
	return MU_OK;
}

/* The one who is meant, with what actions gave them. In the open transaction. */
static enum mu_rc
person_find(struct ask *a, struct store_people *out_people, struct mu_err *err)
{
	if (ask_person(a, http_name_of(a->req), out_people, err) != MU_OK)
		return err->rc;
	return vouchers_check(a, &out_people->list[0], err);
}

static enum mu_rc
others_read(struct ask *a, const struct store_person *p, struct store_people *out_others,
    struct mu_err *err)
{
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(p->grant_count + 1, sizeof(*ids));
	size_t count = 0;

	for (size_t i = 0; i < p->grant_count; i++)
		ids[count++] = p->grants[i].granted_by;
	if (is_vouched(p))
		ids[count++] = p->vouched.verifier;
	return people_read(a->api->store, ids, count, out_others, err);
}

void
person_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 }, others = { NULL, 0 };
	MU_AUTO(store_look_accounts_clear) struct store_look_accounts accounts = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds held = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_uuid none = { { 0 } };
	const struct store_person *p;
	struct ask_read read = { .what = "person", .rows = 1 };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, "read.people"))
		return;
	if (ask_begin(&a, &err) != MU_OK || person_find(&a, &people, &err) != MU_OK) {
		ask_person_fail(&a, "person", &people, &err);
		return;
	}
	p = &people.list[0];
	read.person = &p->person_id;
	if (others_read(&a, p, &others, &err) != MU_OK ||
	    store_look_accounts(a.api->store, &p->person_id, NULL, false, &none,
	    API_ADMIN_PEOPLE_MAX, &accounts,
	    &err) != MU_OK || store_brake_hold_find(a.api->store, &p->person_id, 1, &held,
	    &err) != MU_OK ||
	    ask_record(&a, &read, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_begin(&w, &body);
	person_write(&w, p, is_held(&held, &p->person_id), &(struct more){ &accounts, &others,
	    a.policy });
	json_end(&w);
	answer_json(req, 200, &body);
}

/* --- Why ------------------------------------------------------------------------------------- */

/* The last grant of a role that they had. */
struct ended {
	const char *role;
	struct mu_buf *out;
	bool found;
};

static void
ended_take(void *ctx, const struct mu_uuid *record_id, const char *body, int64_t leaf_index)
{
	struct ended *e = ctx;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *role, *at, *reason;

	(void)record_id;
	(void)leaf_index;
	if (e->found || json_parse(body, strlen(body), SIZE_MAX, "record", &root, &err) != MU_OK)
		return;
	role = json_find_text(root, "role");
	at = json_find_text(root, "at");
	reason = json_find_text(root, "reason");
	if (role == NULL || at == NULL || reason == NULL || strcmp(role, e->role) != 0)
		return;
	e->found = true;
	mu_buf_format(e->out, "grant %s: the last one ended at %s: %s\n", role, at, reason);
}

/* Until when granted roles are held; of the one asked about alone, how its last grant ended. */
static enum mu_rc
grants_explain(struct ask *a, const struct store_person *p, const char *role,
    struct mu_buf *out_lines, struct mu_err *err)
{
	struct store_look_audit look = { .kind = "grant.ended", .person_id = &p->person_id };
	struct ended ended = { role, out_lines, false };
	struct mu_uuid next;

	for (size_t i = 0; i < p->grant_count; i++) {
		if (role != NULL && strcmp(role, p->grants[i].role) != 0)
			continue;
		policy_grant_explain(a->policy, &p->grants[i], a->now_ms / 1000, out_lines);
		ended.found = true;
	}
	if (role == NULL || ended.found)
		return MU_OK;
	return store_look_audit(a->api->store, &look, ENDED_MAX, ended_take, &ended, &next, err);
}

/* Why they have what they have; role NULL: all of it. */
static enum mu_rc
person_explain(struct ask *a, const struct store_person *p, const char *role,
    struct mu_buf *out_lines,
    struct mu_err *err)
{
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT;
	MU_AUTO(store_holds_clear) struct store_holds held = { NULL, 0 };
	const struct action_host *actions = a->api->host.actions;
	struct policy_subject subject = { .facts = { &p->attrs, &p->groups, p->source,
		    actions->authority(actions->ctx, p->source) }, .state = p->state,
		.blocked = p->blocked, .identified = is_vouched(p) ? p->vouched.level : "",
		    .granted = &granted };

	if (store_brake_hold_find(a->api->store, &p->person_id, 1, &held, err) != MU_OK)
		return err->rc;
	subject.sourceless = !actions->source_exists(actions->ctx, p->source);
	if (subject.sourceless)
		subject.kept = &p->roles;
	for (size_t i = 0; i < held.count; i++)
		if (held.list[i].kind == BRAKE_REMOVAL && !held.list[i].released)
			subject.kept = &p->roles;
	for (size_t i = 0; i < p->grant_count; i++)
		if (policy_grant_runs(a->policy, &p->grants[i], a->now_ms / 1000))
			strings_add(&granted, p->grants[i].role);
	if (policy_explain(a->policy, &subject, role, out_lines, err) != MU_OK)
		return err->rc;
	return grants_explain(a, p, role, out_lines, err);
}

void
explain_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, lines = MU_BUF_INIT, note =
	    MU_BUF_INIT;
	const char *role = http_query_find(req, "role");
	const struct store_person *p;
	struct ask_read read = { .what = "person.explain", .rows = 1 };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, "read.people"))
		return;
	if (ask_begin(&a, &err) != MU_OK || person_find(&a, &people, &err) != MU_OK) {
		ask_person_fail(&a, "person.explain", &people, &err);
		return;
	}
	p = &people.list[0];
	query_note(&note, "role", role);
	read.query = mu_buf_text(&note);
	read.person = &p->person_id;
	if (person_explain(&a, p, role, &lines, &err) != MU_OK || ask_record(&a, &read,
	    &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	lines_write(&w, "lines", mu_buf_text(&lines));
	person_ref_write(&w, "person", &p->person_id, store_person_name(p), p->uid);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}
