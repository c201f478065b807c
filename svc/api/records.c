#include "api/admin_priv.h"

#include "audit/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "store/look.h"

#include <string.h>

#define PAGE			200
#define REASON_MAX_BYTES	1000

/* One page of records, kept until it is known whom each is about. */
struct kept {
	struct mu_uuid record_id, person_id;
	struct json_node *body;		/* NULL: not what we wrote */
	bool has_person;
	int64_t leaf_index;
};

struct page {
	struct kept list[PAGE];
	size_t count;
};

static void
page_clear(struct page *page)
{
	for (size_t i = 0; i < page->count; i++)
		json_free(page->list[i].body);
	page->count = 0;
}

struct look {
	struct store_look_audit query;
	struct mu_uuid person_id;
	const char *reason;
	size_t limit, rows;
	struct mu_buf records, note;
	struct json_writer w;			/* of records */
	bool has_next;
};

static void
look_clear(struct look *l)
{
	mu_buf_clear(&l->records);
	mu_buf_clear(&l->note);
}

/* --- The question ---------------------------------------------------------------------------- */

static bool
kind_is_known(const char *kind)
{
	size_t length = strlen(kind);
	bool is_prefix = length > 1 && kind[length - 1] == '.';

	for (int i = 0; i < AUDIT_KIND_COUNT; i++) {
		const char *name = audit_kind_name((enum audit_kind)i);

		if (is_prefix ? mu_text_starts(name, kind) : strcmp(name, kind) == 0)
			return true;
	}
	return false;
}

static bool
look_read(const struct ask *a, struct look *l, struct mu_err *err)
{
	l->reason = http_query_find(a->req, "reason");
	if (l->reason == NULL || l->reason[strspn(l->reason, " \t")] == '\0' ||
	    strlen(l->reason) > REASON_MAX_BYTES) {
		(void)mu_fail(err, MU_EINPUT, "reason: say why the audit records are read, in at"
		    " most %d bytes",
		    REASON_MAX_BYTES);
		return false;
	}
	l->query.kind = http_query_find(a->req, "kind");
	if (l->query.kind != NULL && !kind_is_known(l->query.kind)) {
		(void)mu_fail(err, MU_EINPUT, "kind: the name of an event, or the part of one up to"
		    " a '.'");
		return false;
	}
	query_note(&l->note, "kind", l->query.kind);
	query_note(&l->note, "since", http_query_find(a->req, "since"));
	query_note(&l->note, "until", http_query_find(a->req, "until"));
	return query_id(a, "before", &l->query.before, err) && query_limit(a, &l->limit, err) &&
	    query_time(a, "since", &l->query.since_s, err) && query_time(a, "until",
	    &l->query.until_s, err);
}

/* --- Records --------------------------------------------------------------------------------- */

/* A body that is not canonical was not written by us: it is told, not shown. */
static void
record_keep(void *ctx, const struct mu_uuid *record_id, const char *body, int64_t leaf_index)
{
	struct page *page = ctx;
	struct kept *k = &page->list[page->count];
	MU_AUTO(mu_buf_clear) struct mu_buf canonical = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	const char *person;

	if (page->count == PAGE)
		return;
	page->count++;
	*k = (struct kept){ .record_id = *record_id, .leaf_index = leaf_index };
	if (json_parse(body, strlen(body), SIZE_MAX, "record", &k->body, &err) != MU_OK ||
	    json_canonical(k->body, &canonical, &err) != MU_OK || strcmp(canonical.data,
	    body) != 0 ||
	    json_kind(k->body) != JSON_KIND_OBJECT || json_find(k->body, "leaf") != NULL) {
		json_free(k->body);
		k->body = NULL;
		return;
	}
	person = json_find_text(k->body, "person");
	k->has_person = person != NULL && mu_uuid_parse(person, &k->person_id);
}

struct members {
	struct json_writer *w;
	const struct kept *k;
	bool leaf_is_written;
};

static void
leaf_write(struct members *m)
{
	if (m->leaf_is_written)
		return;
	m->leaf_is_written = true;
	if (m->k->leaf_index < 0)
		json_none(m->w, "leaf");
	else
		json_int(m->w, "leaf", m->k->leaf_index);
}

static bool
member_write(void *ctx, const char *name, const struct json_node *value)
{
	struct members *m = ctx;
	const char *text = json_node_text(value);
	int64_t number = 0;

	if (strcmp(name, "leaf") > 0)
		leaf_write(m);
	if (text != NULL)
		json_text(m->w, name, text);
	else if (json_node_int(value, &number))
		json_int(m->w, name, number);
	else
		json_none(m->w, name);
	return true;
}

/* The record's own members, text and numbers, with the leaf's among them. */
static void
record_write(struct json_writer *w, const struct kept *k)
{
	struct members m = { w, k, false };

	json_object_begin(w, NULL);
	if (k->body == NULL) {
		json_text(w, "kind", "unreadable");
		leaf_write(&m);
		json_uuid(w, "record", &k->record_id);
	} else {
		json_each(k->body, member_write, &m);
		leaf_write(&m);
	}
	json_object_end(w);
}

/* Who is out of the role's reach is not read about either, nor is what is about many. */
static enum mu_rc
page_take(struct ask *a, struct look *l, const struct page *page, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	struct mu_uuid ids[PAGE];
	size_t count = 0;

	for (size_t i = 0; i < page->count; i++)
		if (page->list[i].has_person)
			ids[count++] = page->list[i].person_id;
	if (people_read(a->api->store, ids, count, &people, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < page->count && l->rows < l->limit; i++) {
		const struct kept *k = &page->list[i];

		l->query.before = k->record_id;
		if (k->has_person ? !ask_reaches(a, people_find(&people, &k->person_id)) :
		    policy_admin_is_scoped(a->policy, a->who.role))
			continue;
		record_write(&l->w, k);
		l->rows++;
	}
	return MU_OK;
}

static enum mu_rc
records_look(struct ask *a, struct look *l, struct mu_err *err)
{
	static const struct mu_uuid none = { { 0 } };
	MU_AUTO(page_clear) struct page page = { .count = 0 };
	int64_t until_ms = mu_tick_ms() + API_ADMIN_LOOK_MS;

	json_begin(&l->w, &l->records);
	json_list_begin(&l->w, NULL);
	l->has_next = true;
	while (l->has_next && l->rows < l->limit && mu_tick_ms() < until_ms) {
		struct mu_uuid next;

		page_clear(&page);
		if (store_look_audit(a->api->store, &l->query, PAGE, record_keep, &page, &next,
		    err) != MU_OK || page_take(a, l, &page, err) != MU_OK)
			return err->rc;
		if (page.count > 0 && !mu_uuid_equal(&l->query.before,
		    &page.list[page.count - 1].record_id))
			break;		/* enough, and some of the page is left */
		l->has_next = !mu_uuid_equal(&next, &none);
		if (l->has_next)
			l->query.before = next;
	}
	json_list_end(&l->w);
	json_end(&l->w);
	return MU_OK;
}

/* Whose records are asked for: one person, by any name. */
static bool
person_read(struct ask *a, struct look *l)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	const char *text = http_query_find(a->req, "person");
	struct mu_err err = MU_ERR_INIT;

	if (text == NULL)
		return true;
	if (ask_person(a, text, &people, &err) != MU_OK) {
		ask_person_fail(a, "audit", &people, &err);
		return false;
	}
	l->person_id = people.list[0].person_id;
	l->query.person_id = &l->person_id;
	return true;
}

static void
records_answer(struct ask *a, const struct look *l)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &body);
	json_object_begin(&w, NULL);
	if (l->has_next)
		json_uuid(&w, "next", &l->query.before);
	json_value(&w, "records", l->records.data);
	json_object_end(&w);
	json_end(&w);
	answer_json(a->req, 200, &body);
}

void
audit_get(void *ctx, struct http_request *req)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(look_clear) struct look l = { .reason = NULL };
	struct ask_read read = { .what = "audit" };
	struct mu_err err = MU_ERR_INIT;

	if (!ask_open(&a, ctx, req, "read.audit"))
		return;
	if (!look_read(&a, &l, &err)) {
		ask_refusal_record(&a, NULL, err.text);
		http_refuse_err(req, &err);
		return;
	}
	if (ask_begin(&a, &err) != MU_OK) {
		ask_fail(&a, &err);
		return;
	}
	if (!person_read(&a, &l))
		return;
	if (records_look(&a, &l, &err) == MU_OK) {
		read.query = mu_buf_text(&l.note);
		read.reason = l.reason;
		read.person = l.query.person_id;
		read.rows = (int64_t)l.rows;
		if (ask_record(&a, &read, &err) == MU_OK) {
			records_answer(&a, &l);
			return;
		}
	}
	ask_fail(&a, &err);
}
