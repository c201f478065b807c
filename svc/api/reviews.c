/*
 * api/reviews.c - requested grants by when they lapse unless an administrator confirms them
 */
#include "api/admin_priv.h"

#include "base/text.h"
#include "store/look.h"

#include <stdio.h>
#include <string.h>

#define DUE_S	(14 * (int64_t)86400)	/* what "due" looks ahead */

/* --- What is asked for ----------------------------------------------------------------------- */

struct look {
	struct store_look_reviews ask;
	struct mu_buf note;
	size_t limit, rows;
	bool has_next;		/* ask.after is where to go on */
};

/* The roles that are reviewed, as the store is asked for them. */
struct roles {
	const char **names, **every;
	char (*texts)[24];
	size_t count;
};

static void
roles_clear(struct roles *r)
{
	mu_free(r->names);
	mu_free(r->every);
	mu_free(r->texts);
}

static void
roles_collect(const struct policy *p, struct roles *r)
{
	struct policy_review review;
	const char *name;

	while (policy_review_at(p, r->count, &review) != NULL)
		r->count++;
	r->names = mu_alloc_zero(r->count + 1, sizeof(*r->names));
	r->every = mu_alloc_zero(r->count + 1, sizeof(*r->every));
	r->texts = mu_alloc_zero(r->count + 1, sizeof(*r->texts));
	for (size_t i = 0; (name = policy_review_at(p, i, &review)) != NULL; i++) {
		(void)snprintf(r->texts[i], sizeof(r->texts[i]), "%lld", (long long)review.every_s);
		r->names[i] = name;
		r->every[i] = r->texts[i];
	}
}

static bool
flag_read(const struct ask *a, const char *name, bool *out, struct mu_err *err)
{
	const char *text = http_query_find(a->req, name);

	*out = text != NULL && strcmp(text, "true") == 0;
	if (text == NULL || *out || strcmp(text, "false") == 0)
		return true;
	(void)mu_fail(err, MU_EINPUT, "%s: true or false", name);
	return false;
}

/* A cursor is the due time and the id of the last one that was shown: "1795000000.UUID". */
static bool
cursor_read(const struct ask *a, struct store_look_reviews *ask, struct mu_err *err)
{
	const char *text = http_query_find(a->req, "after"), *dot;
	MU_AUTO(mu_freep) char *due = NULL;

	if (text == NULL)
		return true;
	dot = strchr(text, '.');
	due = mu_strndup(text, dot == NULL ? 0 : (size_t)(dot - text));
	if (dot != NULL && mu_int_parse(due, 0, STORE_LOOK_NEVER_S, &ask->after_due_s) &&
	    mu_uuid_parse(dot + 1, &ask->after))
		return true;
	(void)mu_fail(err, MU_EINPUT, "after: \"next\" of the page before");
	return false;
}

static bool
look_read(const struct ask *a, struct look *l, struct mu_err *err)
{
	bool due;

	if (!cursor_read(a, &l->ask, err) || !query_limit(a, &l->limit, err) ||
	    !flag_read(a, "due", &due, err) || !flag_read(a, "all", &l->ask.all, err))
		return false;
	if (due && l->ask.all) {
		(void)mu_fail(err, MU_EINPUT, "due, all: one of them");
		return false;
	}
	l->ask.due_by_s = due ? a->now_ms / 1000 + DUE_S : STORE_LOOK_NEVER_S;
	query_note(&l->note, "due", due ? "true" : NULL);
	query_note(&l->note, "all", l->ask.all ? "true" : NULL);
	return true;
}

/* --- A page ---------------------------------------------------------------------------------- */

/* One that is to be shown, if keys made its row. */
struct found {
	const struct store_person *person;
	const struct grant *grant;
	bool right;
};

static const struct grant *
grant_find(const struct store_person *p, const struct mu_uuid *grant_id)
{
	for (size_t i = 0; p != NULL && i < p->grant_count; i++)
		if (mu_uuid_equal(&p->grants[i].grant_id, grant_id))
			return &p->grants[i];
	return NULL;
}

/* What others wrote counts for nothing, and is not shown. */
static enum mu_rc
rows_check(struct ask *a, struct found *list, size_t count, struct mu_err *err)
{
	struct auth_host auth = *a->api->host.auth;
	MU_AUTO(mu_freep) struct mu_buf *bytes = mu_alloc_zero(count + 1, sizeof(*bytes));
	MU_AUTO(mu_freep) unsigned char (*macs)[MAC_BYTES] = mu_alloc_zero(count + 1,
	    sizeof(*macs));
	MU_AUTO(mu_freep) bool *right = mu_alloc_zero(count + 1, sizeof(*right));
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < count; i++) {
		grant_encode(list[i].grant, &bytes[i]);
		(void)memcpy(macs[i], list[i].grant->mac, MAC_BYTES);
	}
	if (count > 0)
		rc = auth_mac_check(&auth, bytes, (const unsigned char (*)[MAC_BYTES])macs, count,
		    right, err);
	for (size_t i = 0; i < count; i++) {
		mu_buf_clear(&bytes[i]);
		list[i].right = right[i];
	}
	return rc;
}

static void
review_write(struct json_writer *w, const struct policy *policy, const struct found *f,
    const struct store_people *others)
{
	const struct grant *g = f->grant;
	struct policy_review review = { 0, NULL };

	(void)policy_review_find(policy, g->role, &review);
	json_object_begin(w, NULL);
	json_list_begin(w, "by");
	for (size_t i = 0; review.by != NULL && i < review.by->count; i++)
		json_text(w, NULL, review.by->list[i]);
	json_list_end(w);
	moment_write(w, "due_at", policy_review_due(policy, g));
	json_time(w, "ends_at", g->ends_at_s);
	person_ref_of(w, "granted_by", others, &g->granted_by);
	json_uuid(w, "id", &g->grant_id);
	person_ref_write(w, "person", &f->person->person_id, store_person_name(f->person),
	    f->person->uid);
	json_text(w, "reason", g->reason);
	moment_write(w, "reviewed_at", g->reviewed_at_s);
	if (g->reviewed_at_s == 0)
		json_none(w, "reviewed_by");
	else
		person_ref_of(w, "reviewed_by", others, &g->reviewed_by);
	json_text(w, "role", g->role);
	json_time(w, "starts_at", g->starts_at_s);
	json_object_end(w);
}

/* Who granted and who confirmed. */
static enum mu_rc
others_read(struct ask *a, const struct found *list, size_t count, struct store_people *out_others,
    struct mu_err *err)
{
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(2 * count + 1, sizeof(*ids));
	size_t id_count = 0;

	for (size_t i = 0; i < count; i++) {
		ids[id_count++] = list[i].grant->granted_by;
		if (list[i].grant->reviewed_at_s != 0)
			ids[id_count++] = list[i].grant->reviewed_by;
	}
	return people_read(a->api->store, ids, id_count, out_others, err);
}

/* The page, but for who is out of reach and rows of others: it may have fewer than limit. */
static enum mu_rc
page_write(struct ask *a, struct look *l, const struct store_look_review *page, size_t count,
    struct json_writer *w, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 }, others = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(count + 1, sizeof(*ids));
	MU_AUTO(mu_freep) struct found *list = mu_alloc_zero(count + 1, sizeof(*list));
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		ids[i] = page[i].person_id;
	if (people_read(a->api->store, ids, count, &people, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++) {
		const struct store_person *p = people_find(&people, &page[i].person_id);
		const struct grant *g = grant_find(p, &page[i].grant_id);

		if (g != NULL && ask_reaches(a, p))
			list[found++] = (struct found){ p, g, false };
	}
	if (rows_check(a, list, found, err) != MU_OK || others_read(a, list, found, &others,
	    err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < found; i++) {
		if (!list[i].right)
			continue;
		review_write(w, a->policy, &list[i], &others);
		l->rows++;
	}
	return MU_OK;
}

static enum mu_rc
reviews_look(struct ask *a, struct look *l, struct json_writer *w, struct mu_err *err)
{
	MU_AUTO(roles_clear) struct roles roles = { .count = 0 };
	struct store_look_review page[API_ADMIN_PEOPLE_MAX];
	size_t count;

	roles_collect(a->policy, &roles);
	l->ask.roles = roles.names;
	l->ask.every = roles.every;
	l->ask.role_count = roles.count;
	if (store_look_reviews(a->api->store, &l->ask, page, l->limit, &count, err) != MU_OK ||
	    page_write(a, l, page, count, w, err) != MU_OK)
		return err->rc;
	l->has_next = count == l->limit;
	if (l->has_next) {
		l->ask.after_due_s = page[count - 1].due_at_s;
		l->ask.after = page[count - 1].grant_id;
	}
	return MU_OK;
}

static void
look_clear(struct look *l)
{
	mu_buf_clear(&l->note);
}

void
reviews_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(look_clear) struct look l = { .rows = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, list = MU_BUF_INIT,
	    next = MU_BUF_INIT;
	struct ask_read read = { .what = "reviews" };
	struct mu_err err = MU_ERR_INIT;
	char id[MU_UUID_TEXT_BYTES];
	struct json_writer w;

	if (!ask_open(&a, ctx, req, "read.reviews"))
		return;
	json_begin(&w, &list);
	json_list_begin(&w, NULL);
	if (!look_read(&a, &l, &err) || ask_begin(&a, &err) != MU_OK ||
	    reviews_look(&a, &l, &w, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_list_end(&w);
	json_end(&w);
	read.query = mu_buf_text(&l.note);
	read.rows = (int64_t)l.rows;
	if (ask_record(&a, &read, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (l.has_next) {
		mu_buf_format(&next, "%lld.%s", (long long)l.ask.after_due_s,
		    mu_uuid_format(&l.ask.after, id));
		json_text(&w, "next", next.data);
	}
	json_value(&w, "reviews", list.data);
	json_object_end(&w);
	json_end(&w);
	answer_json(req, 200, &body);
}
