#include "api/admin_priv.h"

#include "api/console_priv.h"
#include "auth/administrator.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "config/section.h"
#include "http/problem.h"
#include "store/brake.h"
#include "store/client.h"
#include "store/look.h"
#include "store/policy.h"
#include "store/source.h"
#include "store/status.h"

#include <stdlib.h>
#include <string.h>

/* What every look does: reads in a transaction into json, and says how many rows that are. */
typedef enum mu_rc look_fn(struct ask *a, struct json_writer *w, int64_t *out_rows,
    struct mu_err *err);

/* Reads, records, answers. query: what is recorded beside its name, or NULL. */
static void
look(void *ctx, struct http_request *req, const char *permission, const char *what,
    const char *query,
    look_fn *fn)
{
	MU_AUTO(ask_clear) struct ask a = ASK_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct ask_read read = { .what = what, .query = query };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (!ask_open(&a, ctx, req, permission))
		return;
	json_begin(&w, &body);
	if (ask_begin(&a, &err) != MU_OK || fn(&a, &w, &read.rows, &err) != MU_OK ||
	    ask_record(&a, &read, &err) != MU_OK) {
		ask_fail(&a, &err);
	} else {
		json_end(&w);
		answer_json(req, 200, &body);
	}
}

/* --- Platforms ------------------------------------------------------------------------------- */

static const char *
platform_url(const struct settings_platform *p)
{
	for (size_t i = 0; i < p->section.count; i++)
		if (p->section.list[i].key->type == CONFIG_URL ||
		    p->section.list[i].key->type == CONFIG_URL_PLAIN)
			return p->section.list[i].text;
	return NULL;
}

static void
settings_write(struct json_writer *w, const struct config_section *section)
{
	json_list_begin(w, "settings");
	for (size_t i = 0; i < section->count; i++) {
		const struct config_value *v = &section->list[i];

		if (v->text == NULL || v->key->type == CONFIG_SECRET_FILE)
			continue;
		json_object_begin(w, NULL);
		json_text(w, "key", v->key->name);
		json_text(w, "value", v->text);
		json_object_end(w);
	}
	json_list_end(w);
}

static void
platform_write(struct json_writer *w, const struct settings_platform *p,
    const struct store_status *st,
    bool with_settings)
{
	struct store_queue_counts counts = { 0, 0, 0, 0 };

	for (size_t i = 0; i < st->platform_count; i++)
		if (strcmp(st->platforms[i].platform, p->name) == 0)
			counts = st->platforms[i].counts;
	json_object_begin(w, NULL);
	json_int(w, "accounts", counts.accounts);
	json_text(w, "adapter", p->adapter);
	json_text(w, "name", p->name);
	moment_write(w, "oldest_debt", counts.oldest_debt_s);
	json_int(w, "parked", counts.parked);
	if (with_settings)
		settings_write(w, &p->section);
	json_int(w, "unsettled", counts.unsettled);
	json_text(w, "url", platform_url(p));
	json_object_end(w);
}

static enum mu_rc
platforms_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_status_clear) struct store_status st = { .source_count = 0 };
	const struct settings *s = a->api->host.settings;

	if (store_status_get(a->api->store, &st, err) != MU_OK)
		return err->rc;
	json_object_begin(w, NULL);
	json_list_begin(w, "platforms");
	for (size_t i = 0; i < s->platform_count; i++)
		platform_write(w, &s->platforms[i], &st, false);
	json_list_end(w);
	json_object_end(w);
	*out_rows = (int64_t)s->platform_count;
	return MU_OK;
}

static enum mu_rc
platform_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_status_clear) struct store_status st = { .source_count = 0 };
	const struct settings_platform *p = settings_platform_find(a->api->host.settings,
	    http_name_of(a->req));

	if (p == NULL)
		return mu_fail(err, MU_EABSENT, "There is no such platform: muster platform list"
		    " names them.");
	if (store_status_get(a->api->store, &st, err) != MU_OK)
		return err->rc;
	platform_write(w, p, &st, true);
	*out_rows = 1;
	return MU_OK;
}

void
platforms_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.status", "platforms", NULL, platforms_look);
}

void
platform_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.status", "platform", http_name_of(req), platform_look);
}

/* --- Sources --------------------------------------------------------------------------------- */

struct quarantine {
	struct json_writer *w;
	int64_t rows;
};

static void
quarantine_take(void *ctx, const char *source, const char *entry, const char *reason,
    int64_t since_s)
{
	struct quarantine *q = ctx;

	json_object_begin(q->w, NULL);
	json_text(q->w, "entry", entry);
	json_text(q->w, "reason", reason);
	json_time(q->w, "since", since_s);
	json_text(q->w, "source", source);
	json_object_end(q->w);
	q->rows++;
}

static enum mu_rc
sources_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_status_clear) struct store_status st = { .source_count = 0 };
	struct quarantine q = { w, 0 };

	if (store_status_get(a->api->store, &st, err) != MU_OK)
		return err->rc;
	json_object_begin(w, NULL);
	json_list_begin(w, "quarantine");
	if (store_look_quarantine(a->api->store, quarantine_take, &q, err) != MU_OK)
		return err->rc;
	json_list_end(w);
	sources_write(w, &st, a->api->host.actions);
	json_object_end(w);
	*out_rows = q.rows + (int64_t)st.source_count;
	return MU_OK;
}

void
sources_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.status", "sources", NULL, sources_look);
}

/* --- The brake: people ----------------------------------------------------------------------- */

static enum mu_rc
brake_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_holds_clear) struct store_holds holds = { NULL, 0 };
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *ids = NULL;
	bool is_scoped = policy_admin_is_scoped(a->policy, a->who.role);

	if (store_brake_hold_list(a->api->store, NULL, &holds, err) != MU_OK)
		return err->rc;
	ids = mu_alloc_zero(holds.count + 1, sizeof(*ids));
	for (size_t i = 0; i < holds.count; i++)
		ids[i] = holds.list[i].person_id;
	/* They may be half an organisation, and are read whole only where a scope asks for it. */
	if (is_scoped && people_read(a->api->store, ids, holds.count, &people, err) != MU_OK)
		return err->rc;
	*out_rows = 0;
	json_object_begin(w, NULL);
	json_list_begin(w, "held");
	for (size_t i = 0; i < holds.count; i++) {
		const struct store_hold *h = &holds.list[i];

		if (is_scoped && !ask_reaches(a, people_find(&people, &h->person_id)))
			continue;
		json_object_begin(w, NULL);
		json_text(w, "kind", brake_kind_name(h->kind));
		person_ref_write(w, "person", &h->person_id, h->display_name, h->uid);
		json_text(w, "reason", h->reason);
		json_bool(w, "released", h->released);
		json_time(w, "since", h->since_s);
		json_text(w, "source", h->source);
		json_object_end(w);
		(*out_rows)++;
	}
	json_list_end(w);
	json_object_end(w);
	return MU_OK;
}

void
brake_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.people", "brake", NULL, brake_look);
}

/* --- Clients --------------------------------------------------------------------------------- */

static enum mu_rc
clients_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };

	if (store_client_list(a->api->store, &clients, err) != MU_OK)
		return err->rc;
	json_object_begin(w, NULL);
	json_list_begin(w, "clients");
	for (size_t i = 0; i < clients.count; i++) {
		const struct store_client *c = &clients.list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf print = MU_BUF_INIT;

		mu_hex_format(&print, c->fingerprint, sizeof(c->fingerprint));
		json_object_begin(w, NULL);
		json_bool(w, "configured", c->configured);
		json_text(w, "fingerprint", print.data);
		json_text(w, "name", c->name);
		json_time(w, "not_after", c->not_after_s);
		json_text(w, "platform", c->platform);
		json_object_end(w);
	}
	json_list_end(w);
	json_object_end(w);
	*out_rows = (int64_t)clients.count;
	return MU_OK;
}

void
clients_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.clients", "clients", NULL, clients_look);
}

/* --- Administrators -------------------------------------------------------------------------- */

static void
administrator_write(struct json_writer *w, const struct store_administrator *x,
    const char *conflict, const struct store_people *people)
{
	static const struct mu_uuid nobody = { { 0 } };

	json_object_begin(w, NULL);
	json_bool(w, "active", x->active);
	json_bool(w, "blocked", x->blocked);
	json_text(w, "conflict", conflict);
	json_time(w, "enrolled_at", x->enrolled_at_s);
	if (mu_uuid_equal(&x->enrolled_by, &nobody))
		json_none(w, "enrolled_by");
	else
		person_ref_of(w, "enrolled_by", people, &x->enrolled_by);
	json_int(w, "failures", x->seed.failures);
	moment_write(w, "locked_at", x->seed.locked_at_s);
	person_ref_write(w, "person", &x->person_id, x->display_name, x->uid);
	json_text(w, "role", x->role);
	json_text(w, "state", person_state_name(x->state));
	json_object_end(w);
}

static enum mu_rc
administrators_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators all = { NULL, 0 };
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *ids = NULL;

	if (store_administrator_list(a->api->store, &all, err) != MU_OK)
		return err->rc;
	ids = mu_alloc_zero(all.count * 2 + 1, sizeof(*ids));
	for (size_t i = 0; i < all.count; i++) {
		ids[2 * i] = all.list[i].person_id;
		ids[2 * i + 1] = all.list[i].enrolled_by;
	}
	if (people_read(a->api->store, ids, all.count * 2, &people, err) != MU_OK)
		return err->rc;
	*out_rows = 0;
	json_object_begin(w, NULL);
	json_list_begin(w, "administrators");
	for (size_t i = 0; i < all.count; i++) {
		if (!ask_reaches(a, people_find(&people, &all.list[i].person_id)))
			continue;
		administrator_write(w, &all.list[i], auth_conflict(a->api->host.auth, &all.list[i]),
		    &people);
		(*out_rows)++;
	}
	json_list_end(w);
	json_object_end(w);
	return MU_OK;
}

void
administrators_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.administrators", "administrators", NULL, administrators_look);
}

/* --- The policy in force --------------------------------------------------------------------- */

static int
by_file_name(const void *x, const void *y)
{
	const struct store_policy_file *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static enum mu_rc
policy_look(struct ask *a, struct json_writer *w, int64_t *out_rows, struct mu_err *err)
{
	MU_AUTO(store_policy_clear) struct store_policy p = { .version = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf digest = MU_BUF_INIT;

	if (store_policy_current(a->api->store, &p, err) != MU_OK)
		return err->rc;
	mu_hex_format(&digest, p.digest, sizeof(p.digest));
	qsort(p.files, p.file_count, sizeof(*p.files), by_file_name);
	json_object_begin(w, NULL);
	json_time(w, "applied_at", p.applied_at_s);
	json_text(w, "applied_by", p.applied_by);
	json_text(w, "digest", digest.data);
	json_object_begin(w, "files");
	for (size_t i = 0; i < p.file_count; i++)
		json_text(w, p.files[i].name, p.files[i].content);
	json_object_end(w);
	json_int(w, "version", p.version);
	json_object_end(w);
	*out_rows = 1;
	return MU_OK;
}

void
policy_get(void *ctx, struct http_request *req)
{
	look(ctx, req, "read.status", "policy", NULL, policy_look);
}
